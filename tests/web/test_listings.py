"""The table of listings, its search and what is done from it."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.listings.services import Result, list_targets
from mailmum.control.servers.services import add_server
from mailmum.domain.listings import Action
from tests.support.world import World
from tests.web.conftest import Response, Visitors, text_of, undo_address

BLOCK, ALLOW = Action.BLOCK, Action.ALLOW


def listed(
    world: World, action: Action, targets: Sequence[str], server: str | None = None, **more: Any
) -> Result:
    """List something as the admin does."""
    wish = make_wish(action, now=time.time(), **more)
    return list_targets(world.admin, targets, wish, server=server)


def shown(response: Response) -> list[str]:
    """The targets in the table, in order."""
    return [row.version.target for row in response.context["rows"]]


@pytest.fixture
def lists(world: World) -> None:
    """Some of everything."""
    add_server(world.admin, "mx1")
    listed(world, BLOCK, ["203.0.113.0/24"], reason="Dictionary attack")
    listed(world, BLOCK, ["203.0.113.64/27"], "mx1", note="ticket 4302")
    listed(world, ALLOW, ["203.0.113.77"])
    listed(world, BLOCK, ["2001:db8:4f::/48", "198.51.100.9"])
    listed(world, BLOCK, [".spam.example", "mail.spam.example"])
    listed(world, BLOCK, ["192.0.2.250"], lifetime="1h")
    ended = Version.objects.filter(target="192.0.2.250")
    ended.update(expires=int(time.time()) - 5)
    Version.objects.filter(target="198.51.100.9").update(source="feed", origin="Some list")


def test_nothing_listed_yet(site: Visitors) -> None:
    """The page says what to do next, to those who may."""
    assert "Nothing is listed yet" in text_of(site.admin.get("listings"))
    assert "Add a mail server" in text_of(site.admin.get("listings"))
    assert "owners and admins can add" in text_of(site.viewer.get("listings"))


@pytest.mark.usefixtures("lists")
def test_the_table(site: Visitors) -> None:
    """Newest first, those that have ended apart, with counts; a viewer gets no way to change."""
    response = site.viewer.get("listings")
    assert shown(response) == [
        "mail.spam.example",
        ".spam.example",
        "198.51.100.9",
        "2001:db8:4f::/48",
        "203.0.113.77",
        "203.0.113.64/27",
        "203.0.113.0/24",
    ]
    text = text_of(response)
    assert "7 in force: 6 block, 1 allow. 1 ended." in text
    assert "Some list feed" in text
    assert "1 to 7 of 7" in text
    assert "Remove" not in text
    assert "Remove" in text_of(site.admin.get("listings"))


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "203.0.113.77"}, ["203.0.113.77", "203.0.113.64/27", "203.0.113.0/24"]),
        ({"q": "203.0.113.64/26"}, ["203.0.113.77", "203.0.113.64/27", "203.0.113.0/24"]),
        ({"q": "203.0.0.0/16"}, ["203.0.113.77", "203.0.113.64/27", "203.0.113.0/24"]),
        ({"q": "::ffff:203.0.113.1"}, ["203.0.113.0/24"]),
        ({"q": "2001:DB8:4f:1::25"}, ["2001:db8:4f::/48"]),
        ({"q": "mail.spam.example"}, ["mail.spam.example", ".spam.example"]),
        ({"q": "deep.mail.spam.example"}, [".spam.example"]),
        ({"q": "spam.example"}, ["mail.spam.example", ".spam.example"]),
        ({"q": ".EXAMPLE"}, ["mail.spam.example", ".spam.example"]),
        ({"q": "dictionary"}, ["203.0.113.0/24"]),
        ({"q": "ticket 43"}, ["203.0.113.64/27"]),
        ({"q": "203.0.113"}, ["203.0.113.77", "203.0.113.64/27", "203.0.113.0/24"]),
        ({"q": "203.0.113.77", "action": "allow"}, ["203.0.113.77"]),
        ({"server": "account", "q": "203.0.113.70"}, ["203.0.113.0/24"]),
        ({"server": "mx1", "q": "203.0.113.70"}, ["203.0.113.64/27", "203.0.113.0/24"]),
        ({"source": "feed"}, ["198.51.100.9"]),
        ({"state": "ended"}, ["192.0.2.250"]),
        ({"q": "100.64.0.1"}, []),
        ({"q": "%", "action": "nonsense", "server": "nowhere", "source": "x"}, []),
    ],
)
def test_searching(site: Visitors, query: dict[str, str], found: list[str]) -> None:
    """An address or a name finds what covers it and what lies inside; the rest is text."""
    assert shown(site.viewer.get("listings", query=query)) == found


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[2J", "x" * 301])
def test_a_search_that_cannot_be(site: Visitors, text: str) -> None:
    """It is refused beside the field, not answered with a fault of ours."""
    response = site.viewer.get("listings", query={"q": text})
    assert response.status_code == 200
    assert 'id="f-q-e"' in response.content.decode()


@pytest.mark.usefixtures("lists")
def test_a_search_that_finds_nothing_offers_what_is_next(site: Visitors) -> None:
    """Show all, or list it."""
    response = site.admin.get("listings", query={"q": "192.0.2.1"})
    assert "No listing fits" in text_of(response)
    assert "add/?target=192.0.2.1" in response.content.decode()
    assert (
        "add/?target=" not in site.viewer.get("listings", query={"q": "192.0.2.1"}).content.decode()
    )


@pytest.mark.usefixtures("lists")
def test_a_fragment_has_only_the_table_and_a_clean_address(site: Visitors) -> None:
    """As htmx asks while one types; going back in the history loads the whole page."""
    query = {"q": "203.0.113.70", "action": "", "state": "", "server": "mx1"}
    part = site.viewer.fragment("listings", query)
    assert "<html" not in part.content.decode()
    assert len(shown(part)) == 2
    assert part["HX-Push-Url"] == site.viewer.path("listings") + "?q=203.0.113.70&server=mx1"
    assert "HX-Request" in part["Vary"]
    bare = site.viewer.fragment("listings", {"q": ""})
    assert bare["HX-Push-Url"] == site.viewer.path("listings")
    whole = site.viewer.client.get(
        site.viewer.path("listings"),
        headers={"HX-Request": "true", "HX-History-Restore-Request": "true"},
    )
    assert "<html" in whole.content.decode()


def test_pages_of_a_long_list(site: Visitors, world: World) -> None:
    """Fifty at a time; following the links shows each listing once and keeps the filter."""
    listed(world, BLOCK, [f"198.51.100.{i}" for i in range(120)])
    listed(world, ALLOW, ["203.0.113.7"])
    address, seen, texts = "?action=block", [], []
    while address:
        response = site.viewer.client.get(site.viewer.path("listings") + address)
        seen += shown(response)
        texts.append(text_of(response))
        following = response.content.decode().partition('rel="next"')[0]
        has_next = 'rel="next"' in response.content.decode()
        address = following.rpartition('href="')[2].partition('"')[0] if has_next else ""
        address = address.replace("&amp;", "&")
    assert seen == [f"198.51.100.{i}" for i in reversed(range(120))]
    assert "1 to 50 of 120" in texts[0]
    assert "101 to 120 of 120" in texts[2]
    assert site.viewer.get("listings", query={"before": "nonsense"}).status_code == 200
    assert site.viewer.get("listings", query={"before": "9" * 30}).status_code == 200


@pytest.mark.usefixtures("lists")
def test_removing_what_was_ticked(site: Visitors, world: World) -> None:
    """One change with a way back, and one is where one was."""
    numbers = list(current(world.admin).filter(target__contains="spam").values_list("number"))
    here = site.admin.path("listings") + "?q=spam.example"
    form = {"number": [number for (number,) in numbers], "next": here}
    response = site.admin.post("listings-remove", form)
    assert response.redirect_chain[-1][0] == here
    assert "Removed 2 listings." in text_of(response)
    assert current(world.admin).count() == 6
    undo = undo_address(response)
    back = site.admin.client.post(undo, {"next": here}, follow=True)
    assert back.redirect_chain[-1][0] == here
    assert shown(back) == ["mail.spam.example", ".spam.example"]
    assert "Undid " in text_of(back)


@pytest.mark.usefixtures("lists")
def test_the_button_of_a_row_removes_that_row_only(site: Visitors, world: World) -> None:
    """Whatever else is ticked."""
    one, other = current(world.admin).order_by("number")[:2]
    response = site.admin.post("listings-remove", {"number": [other.number], "only": one.number})
    assert "Removed 203.0.113.0/24." in text_of(response)
    assert current(world.admin).filter(number=other.number).exists()


@pytest.mark.usefixtures("lists")
def test_removing_nothing_or_what_is_gone(site: Visitors, world: World) -> None:
    """The first says so; the second removes none of the others either."""
    assert "Nothing was chosen" in text_of(site.admin.post("listings-remove", {"number": "x"}))
    some = current(world.admin).first()
    assert some is not None
    gone = site.admin.post("listings-remove", {"number": [some.number, 987654]})
    assert gone.status_code == 404
    assert "no listing 987654" in text_of(gone)
    assert current(world.admin).filter(number=some.number).exists()


def test_the_way_back_stays_on_this_site(site: Visitors) -> None:
    """A form that names another one ends at the list."""
    for elsewhere in ("https://evil.example/", "//evil.example/", "/\\evil.example", "x"):
        response = site.admin.post("listings-remove", {"next": elsewhere})
        assert response.redirect_chain[-1][0] == site.admin.path("listings")


@pytest.mark.usefixtures("lists")
def test_the_page_of_a_listing(site: Visitors, world: World) -> None:
    """What it is, what it meets, what happened to it; another account's is not found."""
    version = current(world.admin).get(target="203.0.113.64/27")
    response = site.viewer.get("listing", number=version.number)
    text = text_of(response)
    for words in (
        "IPv4 network, 32 addresses",
        "ticket 4302",
        "until removed",
        "admin@example.net",
    ):
        assert words in text
    assert [row.version.target for row in response.context["met"]] == [
        "203.0.113.77",
        "203.0.113.0/24",
    ]
    assert "admin@example.net blocked 203.0.113.64/27 mx1" in text
    assert site.viewer.get("listing", number=987654).status_code == 404
    machine = {"source": "trigger", "origin": "guesses", "created_by": "trigger guesses"}
    Version.objects.filter(pk=version.pk).update(**machine)
    text = text_of(site.viewer.get("listing", number=version.number))
    assert "by trigger guesses Changed" in text  # said once


@pytest.mark.usefixtures("lists")
def test_what_strangers_and_people_write_stays_text(site: Visitors, world: World) -> None:
    """Markup in reasons, notes and origins is shown as it was written, on every page."""
    evil = "<script>alert(1)</script><b>&quot;"
    result = listed(world, BLOCK, ["192.0.2.66"], reason=evil, note=evil)
    Version.objects.filter(target="192.0.2.66").update(origin=evil)
    number = result.outcomes[0].version.number
    for response in (
        site.owner.get("listings"),
        site.owner.get("listing", number=number),
        site.owner.get("listing-edit", number=number),
        site.owner.get("journal"),
        site.owner.get("client", query={"q": "192.0.2.66"}),
        site.owner.get("listing-add", query={"target": "192.0.2.66"}),
        site.owner.get("listings", query={"q": evil}),
        site.owner.get("client", query={"q": evil}),
        site.owner.get("journal", query={"target": evil}),
    ):
        page = response.content.decode()
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        assert "<b>&quot;" not in page


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("203.0.113.7", "client"),
        ("[2001:db8::1]", "client"),
        ("mail.spam.example", "client"),
        ("203.0.113.0/24", "client"),
        ("2001:db8::/32", "client"),
        (".spam.example", "client"),
        ("203.0.113.7/24", "listings"),
        ("203.0.113.300", "listings"),
        ("anna@office.example", "search"),
        ("ticket", "listings"),
        ("", "listings"),
    ],
)
def test_the_search_of_every_page(site: Visitors, text: str, page: str) -> None:
    """What has a page gets it, mail its sightings; for anything else listings are looked for."""
    response = site.viewer.get("find", query={"q": text})
    assert response.status_code == 302
    assert response["Location"].partition("?")[0] == site.viewer.path(page)
    assert site.viewer.client.get(response["Location"]).status_code == 200
