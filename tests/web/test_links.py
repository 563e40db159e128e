"""Addresses that are made quickly are those of Django; what stands twice is the page's own."""

import pytest
from django.template import Context, Engine
from django.test import override_settings
from django.urls import NoReverseMatch, clear_script_prefix, reverse, set_script_prefix
from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.servers.services import add_server
from mailmum.web.links import Argument, link
from tests.support.world import World
from tests.web.conftest import Visitors

NUMBERS = st.integers(-2, 10**18 - 1)


@given(NUMBERS, NUMBERS, st.text(st.characters(codec="utf-8"), min_size=1, max_size=9))
def test_addresses_are_those_of_django(account: int, number: int, name: str) -> None:
    """For any numbers and any names, by place and by name; and where there is no such address."""
    asked: tuple[tuple[str, dict[str, Argument]], ...] = (
        ("listings", {"account": account}),
        ("listing-edit", {"account": account, "number": number}),
        ("undo", {"account": account, "seq": number}),
        ("server", {"account": account, "name": name}),
    )
    for page, values in asked:
        try:
            wanted = reverse(page, kwargs=values)
        except NoReverseMatch:
            with pytest.raises(NoReverseMatch):
                link(page, **values)
            continue
        assert link(page, **values) == wanted
        assert link(page, *values.values()) == wanted
        if len(values) == 2:
            assert link(page, **dict(reversed(values.items()))) == wanted


def test_where_all_addresses_have_a_prefix() -> None:
    """It is told at each request, and may be another each time."""
    plain = link("listing", account=3, number=4)
    set_script_prefix("/mum/100%/")
    try:
        assert link("listing", account=3, number=4) == reverse("listing", args=[3, 4])
        assert link("account_login") == reverse("account_login") != plain
    finally:
        clear_script_prefix()
    assert link("listing", account=3, number=4) == plain == "/a/3/listings/4/"


TEMPLATES = (
    "{% url 'listing' account 7 %}",
    "{% url 'server' account name %}",
    "{% url 'listing' account=account number=7 %}",
    "{% url 'live' account as live %}<{{ live }}>",
    "{% url 'nowhere' account as live %}<{{ live }}>",
    "{% autoescape off %}{% url 'server' account name %}{% endautoescape %}",
    "{% url 'account_login' %}",
)


@pytest.mark.parametrize("source", TEMPLATES)
def test_the_tag_is_as_django_has_it(source: str) -> None:
    """With places, names, `as`, and what has to be escaped."""
    ours = Engine(builtins=["mailmum.web.templatetags.links"])
    given = {"account": 12, "name": "mx&1 <é>"}
    made = [one.from_string(source).render(Context(given)) for one in (ours, Engine())]
    assert made[0] == made[1]
    with pytest.raises(NoReverseMatch):
        ours.from_string("{% url 'nowhere' account %}").render(Context(given))


def test_what_stands_twice_is_made_once_for_a_page() -> None:
    """And anew for the next page, whoever asks for that."""
    engine = Engine(libraries={"pages": "mailmum.web.templatetags.pages"})
    source = "{% load pages %}{% for one in all %}{% twice a %}{{ one }}{% endtwice %}{% endfor %}"
    template = engine.from_string(source)
    assert template.render(Context({"all": "xyz"})) == "xxx"
    assert template.render(Context({"all": "abc"})) == "aaa"


@override_settings(ALLOWED_HOSTS=["testserver"])
def test_the_frame_is_the_accounts_own(site: Visitors, world: World) -> None:
    """Both bars tell of one's own servers and accounts, whoever was here before."""
    add_server(world.owner, "mx-of-owner")
    add_server(world.outsider, "mx-of-outsider")
    theirs = site.outsider.client.get(f"/a/{world.outsider.account.pk}/settings/").content.decode()
    mine = site.owner.get("settings").content.decode()
    for page, own, other in (
        (mine, "mx-of-owner", "mx-of-outsider"),
        (theirs, "mx-of-outsider", "mx-of-owner"),
    ):
        assert page.count(f"/server/{own}/") == 2
        assert other not in page
    assert mine.count(">Example</b>") == 2
    assert theirs.count(">Other</b>") == 2
