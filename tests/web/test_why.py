"""The public page behind the link in a reject."""

import time
from typing import Any

import pytest
from django.test import Client

from mailmum.control.accounts.models import Account
from mailmum.control.accounts.services import Told, set_parameters
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import list_targets, remove_server
from mailmum.control.servers.answers import clean_answers
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import current_key, find_server
from mailmum.control.servers.services import add_server, edit_server
from mailmum.domain.listings import Action
from tests.support.world import World
from tests.web.conftest import text_of


@pytest.fixture
def server(world: World) -> Server:
    """A server with a telling name, in an account with a telling name, and listings."""
    made = add_server(world.admin, "secret-name", ["192.0.2.25"])
    key = current_key(find_server(world.admin, "secret-name"))
    other = add_server(world.admin, "another")
    reason = f"Sent spam, see {key.upper()}.bl and {current_key(other)}.bl <b>now</b>"
    wish = make_wish(Action.BLOCK, now=time.time(), reason=reason, note="private note")
    list_targets(world.admin, ["203.0.113.0/24", ".spam.example"], wish)
    list_targets(world.outsider, ["198.51.100.7"], wish)
    return made


def ask(server: Server | str, client: str) -> Any:
    """Follow the link of a reject, not signed in."""
    ref = server if isinstance(server, str) else server.ref
    return Client().get(f"/why/{ref}/{client}")


@pytest.mark.parametrize(
    "client", ["203.0.113.7", "203.0.113.7/", "mail.spam.example", "MAIL.spam.example"]
)
def test_it_says_whose_decision_it_was(server: Server, world: World, client: str) -> None:
    """The reason, and how to reach somebody; robots stay away."""
    told = Told(contact="postmaster@example.net")
    set_parameters(world.owner, ttl=60, code=None, key_keep=0, told=told)
    response = ask(server, client)
    text = text_of(response)
    assert "The administrator of this mail server does not accept mail" in text
    assert "Sent spam, see" in text
    assert "write to postmaster@example.net" in text
    assert "noindex" in response["X-Robots-Tag"]
    assert '<meta name="robots" content="noindex' in response.content.decode()
    assert "no-store" in response["Cache-Control"]


def test_it_tells_nothing_else(server: Server, world: World) -> None:
    """No key even where the reason has one, no note, no names, no target, nobody who listed it."""
    page = ask(server, "203.0.113.7").content.decode()
    keys = [current_key(find_server(world.admin, name)) for name in ("secret-name", "another")]
    for private in (
        *keys,
        keys[0].upper(),
        "private note",
        "secret-name",
        "another",
        "Example",
        "admin@",
        "203.0.113.0/24",
        "192.0.2.25",
    ):
        assert private not in page
    assert "&lt;b&gt;now" in page


@pytest.mark.parametrize("client", ["192.0.2.1", "198.51.100.7", "127.0.0.1", "mail.other.example"])
def test_what_is_not_listed_here_says_so(server: Server, client: str) -> None:
    """Also what only another account blocks; no contact is handed out for nothing."""
    response = ask(server, client)
    assert "is not refused here" in text_of(response)
    assert "Contact" not in text_of(response)


def test_what_is_listed_no_more_says_so(server: Server, world: World) -> None:
    """Run out, or the account suspended: DNS lists nothing then either."""
    Account.objects.filter(pk=world.owner.account.pk).update(suspended=True)
    assert "is not refused here" in text_of(ask(server, "203.0.113.7"))
    Account.objects.update(suspended=False)
    assert "is refused here" in text_of(ask(server, "203.0.113.7"))
    Version.objects.update(expires=int(time.time()) - 1)
    assert "is not refused here" in text_of(ask(server, "203.0.113.7"))


def test_an_allow_is_not_told(server: Server, world: World) -> None:
    """Who is allowed learns only that nothing refuses them."""
    list_targets(world.admin, ["203.0.113.9"], make_wish(Action.ALLOW, now=0, reason="Partner"))
    assert "is not refused here" in text_of(ask(server, "203.0.113.9"))
    assert "Partner" not in text_of(ask(server, "203.0.113.9"))


@pytest.mark.parametrize("client", ["x%20y", "203.0.113.0/24", "%00", "300.1.1.1", "a" * 300])
def test_what_is_no_client_and_unknown_references_look_alike(server: Server, client: str) -> None:
    """The page of any unknown address, so that nobody learns which references there are."""
    texts = {
        text_of(response)
        for response in (
            ask(server, client),
            ask("unknownref", "203.0.113.7"),
            Client().get("/nowhere"),
        )
    }
    assert len(texts) == 1
    assert ask(server, client).status_code == ask("unknownref", "1.2.3.4").status_code == 404


def test_a_removed_server_is_unknown(server: Server, world: World) -> None:
    """Its reference explains nothing any more."""
    remove_server(world.admin, "secret-name")
    assert ask(server, "203.0.113.7").status_code == 404


def test_a_block_without_a_reason_says_what_the_account_does(server: Server, world: World) -> None:
    """Unless the server has a text of its own."""
    wish = make_wish(Action.BLOCK, now=time.time())
    list_targets(world.admin, ["192.0.2.99"], wish)
    told = Told(text="We take no mail from there")
    set_parameters(world.owner, ttl=60, code=None, key_keep=0, told=told)
    assert "We take no mail from there" in text_of(ask(server, "192.0.2.99"))
    edit_server(world.admin, server.name, answers=clean_answers(None, None, "Not to this one"))
    text = text_of(ask(server, "192.0.2.99"))
    assert "Not to this one" in text
    assert "We take no mail" not in text
