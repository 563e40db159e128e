"""Servers in the browser."""

import re
import time

import pytest

from mailmum.control.alerts.models import Manner
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.queries import current
from mailmum.control.listings.services import list_targets
from mailmum.control.servers.answers import answers_of
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import current_key, find_server, servers_of
from mailmum.control.servers.services import add_server, rotate_key
from mailmum.control.traffic.models import BarredUse, RevokedUse, ServerUse
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import Traffic, traffic
from tests.support.world import World
from tests.web.conftest import Visitors, text_of, undo_address

__all__ = ["traffic"]


@pytest.fixture
def mx1(world: World) -> Server:
    """A server with an address of its own."""
    return add_server(world.admin, "mx1", ["192.0.2.25"])


def test_without_servers_the_list_says_what_to_do(site: Visitors) -> None:
    """Who may add one gets a button for it, a viewer the reason why there is none."""
    assert "Add the first mail server" in text_of(site.admin.get("servers"))
    page = site.viewer.get("servers")
    assert "owners and admins can add servers" in text_of(page)
    assert site.viewer.path("server-add") not in page.content.decode()


def test_adding_a_server(site: Visitors, world: World) -> None:
    """It leads to the server's page, where its Postfix lines are, and can be undone there."""
    response = site.admin.post(
        "server-add", {"name": "mx2", "addresses": "192.0.2.26\n\n mx2.example.net \n"}
    )
    assert response.redirect_chain[-1][0] == site.admin.path("server", name="mx2")
    assert find_server(world.admin, "mx2").addresses == ["192.0.2.26", "mx2.example.net"]
    text = text_of(response)
    assert "Added the server mx2." in text
    assert "mailmum postfix setup --server mx2" in text
    undo = site.admin.client.post(undo_address(response), {}, follow=True)
    assert undo.redirect_chain[-1][0] == site.admin.path("servers")
    assert not servers_of(world.admin).exists()


@pytest.mark.parametrize(
    ("name", "addresses", "says"),
    [
        ("", "", "cannot be the name of a server"),
        ("mx 2", "", "use up to 80 letters"),
        ("account", "", "cannot be the name of a server"),
        ("mx1", "", "there is a server mx1 already; choose another name"),
        ("mx2", "192.0.2.0/24", "is a network"),
        ("mx2", "a b", "may only have letters"),
        ("<b>mx</b>", "", "cannot be the name of a server"),
    ],
)
def test_a_server_that_cannot_be_added(
    site: Visitors, world: World, mx1: Server, name: str, addresses: str, says: str
) -> None:
    """The domain's words stand beside the field, what was typed stays, nothing is added."""
    response = site.admin.post("server-add", {"name": name, "addresses": addresses})
    assert says in text_of(response)
    assert 'aria-invalid="true"' in response.content.decode()
    assert "<b>mx</b>" not in response.content.decode()
    assert servers_of(world.admin).count() == 1


def test_the_list_tells_how_servers_are(site: Visitors, world: World, mx1: Server) -> None:
    """One that asks, one that seldom did, one that never asked; each with its key to copy."""
    seldom, fresh = add_server(world.admin, "mx2"), add_server(world.admin, "mx3")
    now = int(time.time())
    ServerUse.objects.create(server=mx1.pk, queries=1234, blocked=7, last=now - 13)
    ServerUse.objects.create(server=seldom.pk, queries=5, last=now - 3 * 86400)
    response = site.viewer.get("servers")
    text = text_of(response)
    assert "2 of 3 ask this MailMum" in text
    for words in ("Works", "Quiet", "No lookup yet", "1,234", "3 days ago"):
        assert words in text
    for server in (mx1, seldom, fresh):
        assert f">{current_key(server)}</mark>" in response.content.decode()


def test_every_page_marks_a_server_alike(site: Visitors, traffic: Traffic) -> None:
    """One that is usually busy, within the hour; by what alerts go by, as the account sets it."""
    busy = [traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=3600 + 40 * n) for n in range(2000)]
    traffic.log(*busy)
    traffic.log(*busy, server="mx2")
    pages = [site.viewer.path("servers"), site.viewer.path("account")]
    pages += [site.viewer.path("server", name="mx1")]
    for patience, mark in ((900, "late"), (7200, "")):
        Manner.objects.update_or_create(
            account=traffic.world.owner.account, defaults={"silent_after": patience}
        )
        for page in pages:
            source = site.viewer.client.get(page).content.decode()
            assert set(re.findall(r'class="st ([a-z]*)"', source)) == {mark}, page
            assert ("silent: seen 1 h ago, usually one every" in source) is bool(mark)
    assert site.outsider.get("servers").status_code == 404


def test_the_page_of_a_server(site: Visitors, world: World, mx1: Server) -> None:
    """Its zones, its old keys and until when, a revoked key in use, lines for Postfix."""
    first = current_key(mx1)
    rotate_key(world.admin, "mx1", keep=0)
    second = current_key(find_server(world.admin, "mx1"))
    rotate_key(world.admin, "mx1", keep=3600)
    RevokedUse.objects.create(key=first, server=mx1.pk, queries=212, last=int(time.time()) - 60)
    response = site.viewer.get("server", name="mx1")
    text, key = text_of(response), current_key(find_server(world.admin, "mx1"))
    for name in ("bl", "wl", "dbl", "dwl"):
        assert f"<mark>{key}</mark>.{name}.mailmum.internal" in response.content.decode()
    assert f"{second} lives on until" in text
    assert f"{first} revoked" in text
    assert "A revoked key is still in use. 212 lookups" in text
    assert "reject_rbl_client" in text
    assert "Waiting for the first lookup" in text
    assert 'hx-trigger="every' in response.content.decode()
    ServerUse.objects.create(server=mx1.pk, queries=1, last=int(time.time()))
    asking = site.viewer.get("server", name="mx1")
    assert "It asks" in text_of(asking)
    assert 'hx-trigger="every' not in asking.content.decode()


def test_an_unknown_server_is_not_found(site: Visitors) -> None:
    """On every page of it, with the words of the domain."""
    for page in ("server", "server-edit", "server-rotate", "server-remove"):
        response = site.owner.get(page, name="nowhere")
        assert response.status_code == 404
        assert "no server nowhere" in text_of(response)
        assert site.owner.post(page, {}, name="nowhere").status_code in (404, 405)


def test_editing_a_server(site: Visitors, world: World, mx1: Server) -> None:
    """A new name and other addresses; the key stays; undone it is as it was."""
    key = current_key(mx1)
    page = site.admin.get("server-edit", name="mx1").content.decode()
    assert 'value="mx1"' in page
    assert "192.0.2.25" in page
    response = site.admin.post("server-edit", {"name": "mx9", "addresses": ""}, name="mx1")
    assert response.redirect_chain[-1][0] == site.admin.path("server", name="mx9")
    assert current_key(find_server(world.admin, "mx9")) == key
    site.admin.client.post(undo_address(response), {})
    assert find_server(world.admin, "mx1").addresses == ["192.0.2.25"]


def test_an_edit_that_changes_nothing_or_cannot_be(
    site: Visitors, world: World, mx1: Server
) -> None:
    """Both say so, and the journal has no word of either."""
    add_server(world.admin, "mx2")
    same = site.admin.post("server-edit", {"name": "mx1", "addresses": "192.0.2.25"}, name="mx1")
    assert "Nothing was changed on the server mx1." in text_of(same)
    assert "Undo" not in text_of(same)
    taken = site.admin.post("server-edit", {"name": "mx2", "addresses": ""}, name="mx1")
    assert "there is a server mx2 already" in text_of(taken)
    assert find_server(world.admin, "mx1").addresses == ["192.0.2.25"]


@pytest.mark.parametrize(
    ("form", "lives"),
    [
        ({"keep": ""}, 7 * 86400),
        ({"keep": "0s"}, 0),
        ({"keep": "30d"}, 30 * 86400),
        ({"keep": "other", "other": "1d12h"}, 129_600),
    ],
)
def test_a_new_key(
    site: Visitors, world: World, mx1: Server, form: dict[str, str], lives: int
) -> None:
    """The old one lives on for as long as was chosen."""
    old = current_key(mx1)
    response = site.admin.post("server-rotate", form, name="mx1")
    assert "mx1 has a new key." in text_of(response)
    assert ("The old one is revoked." in text_of(response)) == (lives == 0)
    keys = find_server(world.admin, "mx1").keys.all()
    until = next(key.until for key in keys if key.label == old)
    assert until is not None
    assert abs(until - time.time() - lives) < 30


@pytest.mark.parametrize("other", ["", "soon", "2000d", "-1d"])
def test_a_time_that_is_none_makes_no_key(
    site: Visitors, world: World, mx1: Server, other: str
) -> None:
    """The refusal stands beside the field it was typed into."""
    response = site.admin.post("server-rotate", {"keep": "other", "other": other}, name="mx1")
    assert 'id="f-other-e"' in response.content.decode()
    assert find_server(world.admin, "mx1").keys.count() == 1


def test_removing_a_server(site: Visitors, world: World, mx1: Server) -> None:
    """It says how many listings go; undone, the server is back with them and with its key."""
    key = current_key(mx1)
    wish = make_wish(Action.BLOCK, now=0)
    list_targets(world.admin, ["203.0.113.7", "203.0.113.8"], wish, server="mx1")
    list_targets(world.admin, ["203.0.113.9"], wish)
    assert "2 listings of its own go with it." in text_of(
        site.admin.get("server-remove", name="mx1")
    )
    response = site.admin.post("server-remove", {}, name="mx1")
    assert "Removed the server mx1 with 2 listings of its own." in text_of(response)
    assert current(world.admin).count() == 1
    site.admin.client.post(undo_address(response), {})
    assert current(world.admin).count() == 3
    assert current_key(find_server(world.admin, "mx1")) == key


def test_who_may_ask(site: Visitors, world: World, mx1: Server) -> None:
    """A field of the form, shown on the page, with those who were refused."""
    faulty = site.admin.post("server-edit", {"name": "mx1", "askers": "mail.example"}, name="mx1")
    assert "neither an address nor a network" in text_of(faulty)
    fields = {"name": "mx1", "addresses": "", "askers": "192.0.2.53\n192.0.2.128/25"}
    site.admin.post("server-edit", fields, name="mx1")
    assert find_server(world.viewer, "mx1").askers == ["192.0.2.53", "192.0.2.128/25"]
    assert "192.0.2.128/25" in text_of(site.admin.get("server-edit", name="mx1"))
    text = text_of(site.viewer.get("server", name="mx1"))
    assert "Asked from" in text
    assert "who may not" not in text
    BarredUse.objects.create(server=mx1.pk, queries=7, sender="203.0.113.9", last=int(time.time()))
    text = text_of(site.viewer.get("server", name="mx1"))
    assert "Somebody asks who may not. 7 lookups refused, the last from 203.0.113.9" in text


def test_what_a_server_answers_with(site: Visitors, world: World, mx1: Server) -> None:
    """What differs from the account is shown; faults stand beside their field; empty takes back."""
    fields = {"name": "mx1", "addresses": "", "askers": ""}
    faulty = {"ttl": "1h", "code": "10.0.0.1", "text": "a\x00"}
    for name, value in faulty.items():
        page = site.admin.post("server-edit", {**fields, name: value}, name="mx1")
        assert page.context["form"][name].faults, name
    own = {"ttl": "30", "code": "127.0.0.9", "text": "<b>Not from there</b>"}
    site.admin.post("server-edit", fields | own, name="mx1")
    page = site.viewer.get("server", name="mx1")
    for words in ("TTL 30 s", "Return code 127.0.0.9", "<b>Not from there</b>"):
        assert words in text_of(page)
    assert "<b>Not from there" not in page.content.decode()
    for visitor in (site.viewer, site.outsider):
        refused = visitor.post("server-edit", fields | {"ttl": "5"}, name="mx1")
        assert refused.status_code in {403, 404}
    assert answers_of(find_server(world.viewer, "mx1")).ttl == 30
    site.admin.post("server-edit", fields, name="mx1")
    assert "TTL 30 s" not in text_of(site.viewer.get("server", name="mx1"))
