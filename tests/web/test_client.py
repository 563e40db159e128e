"""The verdict on one client, in the browser."""

import time

import pytest

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import list_targets
from mailmum.control.servers.services import add_server
from mailmum.domain.listings import Action
from tests.support.world import World
from tests.web.conftest import Visitors, text_of


@pytest.fixture
def lists(world: World) -> None:
    """A network blocked, an exception on one server, a feed that says otherwise."""
    for name in ("mx1", "mx2", "shop"):
        add_server(world.admin, name)
    block, allow = (
        make_wish(action, now=time.time(), reason=reason)
        for action, reason in ((Action.BLOCK, "Dictionary attack"), (Action.ALLOW, "Prints"))
    )
    list_targets(world.admin, ["203.0.113.0/24"], block)
    list_targets(world.admin, ["203.0.113.77"], allow, server="shop")
    list_targets(world.admin, ["203.0.113.64/27", ".spam.example"], block)
    Version.objects.filter(target="203.0.113.64/27").update(source="feed", origin="Some feed")


@pytest.mark.usefixtures("lists")
def test_the_verdict_and_why(site: Visitors) -> None:
    """Servers told the same for the same reason share a row; each overruled listing says why."""
    response = site.viewer.get("client", query={"q": "203.0.113.77"})
    rows = response.context["rows"]
    assert [(row.servers, row.word) for row in rows] == [
        (("mx1", "mx2"), "block"),
        (("shop",), "allow"),
    ]
    text = text_of(response)
    assert "203.0.113.0/24 blocked for the account by admin@example.net" in text
    assert "“Dictionary attack”" in text
    assert "203.0.113.64/27 blocked by Some feed ; a person outranks a feed" in text
    assert "203.0.113.77 allowed on shop by admin@example.net" in text
    assert "203.0.113.0/24 blocked by admin@example.net ; less specific" in text


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize(
    ("client", "words"),
    [("mail.spam.example", {"block"}), ("198.51.100.1", {"none"}), ("127.0.0.1", {"none"})],
)
def test_other_clients(site: Visitors, client: str, words: set[str]) -> None:
    """A name, one that nothing covers, and the mail server itself."""
    response = site.viewer.get("client", query={"q": client})
    assert {row.word for row in response.context["rows"]} == words
    assert ("never a verdict" in text_of(response)) == (client == "127.0.0.1")


def test_an_account_without_servers_gets_an_answer_too(site: Visitors, world: World) -> None:
    """What any server of it would be told."""
    list_targets(world.admin, ["203.0.113.7"], make_wish(Action.BLOCK, now=0))
    response = site.viewer.get("client", query={"q": "203.0.113.7"})
    assert [row.word for row in response.context["rows"]] == ["block"]
    assert "any server, once there is one" in text_of(response)


def test_two_machines_that_differ(site: Visitors, world: World) -> None:
    """An allow outranks every block among them."""
    for action, target in ((Action.BLOCK, "203.0.113.7"), (Action.ALLOW, "203.0.113.0/24")):
        list_targets(world.admin, [target], make_wish(action, now=0))
    Version.objects.update(source="feed", origin="Some feed")
    text = text_of(site.viewer.get("client", query={"q": "203.0.113.7"}))
    assert "an allow outranks every block here" in text


def test_a_server_that_differs_from_its_account(site: Visitors, world: World) -> None:
    """At the same target the server's own decides."""
    add_server(world.admin, "mx1")
    list_targets(world.admin, ["203.0.113.7"], make_wish(Action.BLOCK, now=0))
    list_targets(world.admin, ["203.0.113.7"], make_wish(Action.ALLOW, now=0), server="mx1")
    text = text_of(site.viewer.get("client", query={"q": "203.0.113.7"}))
    assert "a server's own outranks the account's" in text


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ("203.0.113.7/24", "did you mean 203.0.113.0/24?"),
        ("x y", "may only have letters"),
        ("300.1.1.1", "is not an address"),
        ("a\x00b", "may only have letters"),
    ],
)
def test_what_is_no_client(site: Visitors, client: str, says: str) -> None:
    """The domain's words beside the field."""
    response = site.viewer.get("client", query={"q": client})
    assert says in "".join(response.context["form"]["q"].faults)
    assert 'aria-invalid="true"' in response.content.decode()


def test_who_may_list_it_from_here(site: Visitors) -> None:
    """An admin finds Block and Allow, a viewer does not."""
    query = {"q": "203.0.113.7"}
    wanted = "listings/add/?action=block&amp;target=203.0.113.7"
    assert wanted in site.admin.get("client", query=query).content.decode()
    assert wanted not in site.viewer.get("client", query=query).content.decode()
