"""Every page of an account, with everybody."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.services import add_token
from mailmum.control.alerts.models import Channel
from mailmum.control.feeds.services import add_feed
from mailmum.control.feeds.wishes import make_wish as feed_wish
from mailmum.control.journal.models import Record
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.requests.asking import ask
from mailmum.control.requests.queries import requests_of
from mailmum.control.servers.queries import find_server
from mailmum.control.servers.services import add_server
from mailmum.control.suggestions.ideas import Idea
from mailmum.control.suggestions.inbox import put
from mailmum.control.suggestions.models import Suggestion
from mailmum.control.triggers.services import add_trigger
from mailmum.domain.listings import Action
from tests.control.alerts.kit import called, compared, holds
from tests.support.undone import undone
from tests.support.world import World
from tests.web.conftest import Visitor, Visitors, text_of


def _patterns(
    entries: list[URLPattern | URLResolver], before: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    for entry in entries:
        here = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, here)
        else:
            yield here, entry


PAGES = {
    str(pattern.name): (path, cast(Any, pattern.callback))
    for path, pattern in _patterns(get_resolver().url_patterns)
    if path.startswith("a/")
}

SHARES = [list(PAGES)[first::6] for first in range(6)]
"""Pages that are walked with the same things, since to make these takes longer than to ask."""


@pytest.fixture
def site(site: Visitors) -> Visitors:
    """Everybody signs in first, since what is done later is undone."""
    assert all((site.owner, site.admin, site.viewer, site.outsider))
    return site


@pytest.fixture
def things(world: World) -> dict[str, Any]:
    """What addresses name: a server and a feed, a listing and its change, a token."""
    add_server(world.admin, "mx1")
    add_feed(world.admin, feed_wish("mx1", ""))
    add_trigger(world.admin, "mx1", {}, preset="two-lists")
    wish = make_wish(Action.BLOCK, now=0, reason="spam", note="private note")
    listed = list_targets(world.admin, ["203.0.113.7"], wish)
    assert listed.change is not None
    suggested = _suggested(world)
    return {
        "name": "mx1",
        "part": "servers",
        "number": listed.outcomes[0].version.number,
        "seq": listed.change,
        "suggestion-accept": {"number": suggested},
        "suggestion-dismiss": {"number": suggested},
        "alert-acknowledge": {"number": compared(world.owner, holds()).opened[0].pk},
        "alert-channel": {"number": _channel(world)},
        "alert-channel-key": {"number": _channel(world)},
        "request": {"number": _request(world)},
        "request-answer": {"number": _request(world)},
        "token-revoke": {"number": add_token(world.owner, "ci", writes=False).token.pk},
    }


def _channel(world: World) -> int:
    return called(world.owner, "https://hook.example/in", f"hook {Channel.objects.count()}").pk


def _request(world: World) -> int:
    ref = find_server(world.admin, "mx1").ref
    if not requests_of(world.admin).exists():
        ask(ref, "203.0.113.7", text="private note of a sender", reply_to="", address="192.0.2.1")
    return requests_of(world.admin)[0].pk


def _suggested(world: World) -> int:
    put(world.owner.account, [Idea("block", "203.0.113.9", "why")], now=0)
    return Suggestion.objects.get().pk


def _arguments(page: str, things: dict[str, Any]) -> dict[str, Any]:
    wanted = re.findall(r"<(?:\w+:)?(\w+)>", PAGES[page][0])
    found = {key: things[key] for key in wanted if key != "account"}
    return {**found, **things.get(page, {})}


def _permission(page: str) -> Any:
    return PAGES[page][1].permission


def _methods(page: str) -> Any:
    return PAGES[page][1].methods


def _ask(visitor: Visitor, method: str, name: str, things: dict[str, Any]) -> Any:
    path = visitor.path(name, **_arguments(name, things))
    return visitor.client.generic(method, path)


def test_every_page_of_an_account_stands_behind_the_gate() -> None:
    """Nobody can add a page under /a/ that forgets to ask who may see it."""
    assert len(PAGES) > 28
    for name, (_, view) in PAGES.items():
        permission = getattr(view, "permission", None)
        assert permission is not None, f"{name} is not wrapped by account_view"
        assert issubclass(permission, Reading)


@pytest.mark.parametrize("names", SHARES)
def test_signed_out_one_signs_in_first(
    site: Visitors, things: dict[str, Any], names: list[str], subtests: pytest.Subtests
) -> None:
    """Whatever the method, and one comes back to where one wanted to go."""
    for name in names:
        with subtests.test(name), undone():
            for method in ("GET", "POST"):
                response = _ask(site.nobody, method, name, things)
                assert response.status_code == 302
                assert response["Location"].startswith("/accounts/login/?next=/a/")


@pytest.mark.parametrize("names", SHARES)
def test_for_an_outsider_the_account_does_not_exist(
    site: Visitors, things: dict[str, Any], names: list[str], subtests: pytest.Subtests
) -> None:
    """404 on every page, the same as for an account that was never made, and nothing changes."""
    for name in names:
        with subtests.test(name), undone():
            before = Record.objects.count()
            for method in ("GET", "POST"):
                response = _ask(site.outsider, method, name, things)
                missing = _ask(Visitor(site.outsider.client, 987654321), method, name, things)
                assert response.status_code == missing.status_code == 404
                assert text_of(response) == text_of(missing)
            assert Record.objects.count() == before


@pytest.mark.parametrize("names", SHARES)
def test_a_viewer_looks_and_changes_nothing(
    site: Visitors, things: dict[str, Any], names: list[str], subtests: pytest.Subtests
) -> None:
    """Pages that ask for reading open; all others say that the role does not allow it."""
    for name in names:
        with subtests.test(name), undone():
            before = Record.objects.count()
            for method in ("GET", "POST"):
                _a_viewer_gets_what_is_theirs(name, method, _ask(site.viewer, method, name, things))
            # A viewer's own tokens are the one thing that is theirs to change; the walk names
            # none of them.
            assert Record.objects.count() == before


def _a_viewer_gets_what_is_theirs(name: str, method: str, response: Any) -> None:
    if _permission(name) is not Reading:
        assert response.status_code == 403
        assert "Not allowed" in text_of(response)
    elif method not in _methods(name):
        assert response.status_code == 405
    elif method == "GET":
        assert response.status_code in (200, 302)


@pytest.mark.parametrize("names", SHARES)
def test_an_owner_opens_every_page(
    site: Visitors, things: dict[str, Any], names: list[str], subtests: pytest.Subtests
) -> None:
    """Every page that can be opened opens, and none is kept by caches."""
    for name in names:
        with subtests.test(name), undone():
            response = _ask(site.owner, "GET", name, things)
            if "GET" not in _methods(name):
                assert (response.status_code, response["Allow"]) == (405, "POST")
                assert "Only by its button" in text_of(response)
            else:
                assert response.status_code in (200, 302)
                assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("names", SHARES)
def test_a_form_from_elsewhere_is_refused(
    site: Visitors,
    world: World,
    things: dict[str, Any],
    names: list[str],
    subtests: pytest.Subtests,
) -> None:
    """Without the token that proves where the form came from, nothing is done."""
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = site.owner.client.cookies
    visitor = Visitor(strict, world.owner.account.pk)
    for name in names:
        if "POST" not in _methods(name):
            continue
        with subtests.test(name), undone():
            before = Record.objects.count()
            response = _ask(visitor, "POST", name, things)
            assert response.status_code == 403
            assert "did not come from this site" in text_of(response)
            assert Record.objects.count() == before


def test_a_fragment_does_not_become_a_sign_in_page(site: Visitors) -> None:
    """Htmx is sent to the sign-in page with the whole window, and back to the page it was on."""
    response = site.nobody.client.get(
        site.nobody.path("listings"),
        headers={
            "HX-Request": "true",
            "HX-Current-URL": "http://testserver/a/1/listings/?q=x",
        },
    )
    assert response.status_code == 200
    assert response["HX-Redirect"] == "/accounts/login/?next=/a/1/listings/%3Fq%3Dx"


def test_numbers_too_long_for_a_database_are_no_address(site: Visitors) -> None:
    """They get the page of any unknown address, not a fault of ours."""
    for path in ("/a/9999999999999999999/", f"/a/{site.owner.account}/listings/{10**30}/"):
        assert site.owner.client.get(path).status_code == 404
