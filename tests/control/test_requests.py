"""Removal requests: bounded when they are asked, whole when they are answered."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import Account
from mailmum.control.accounts.services import Told, set_parameters
from mailmum.control.journal.models import Record
from mailmum.control.listings.queries import explain
from mailmum.control.listings.services import remove_server
from mailmum.control.listings.undo import undo, why_not
from mailmum.control.requests import asking, queries, services
from mailmum.control.requests.asking import ask, grouped, told
from mailmum.control.requests.models import RemovalRequest, State
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import pause
from mailmum.control.servers.queries import current_key, find_server
from mailmum.control.servers.services import add_server
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.verdicts import Word
from tests.control.test_listings import block
from tests.support.world import World, granted


@pytest.fixture
def mx1(world: World) -> Server:
    """A server that refuses a network, a host and a domain."""
    block(world.admin, "203.0.113.0/24", "203.0.113.9", ".spam.example")
    add_server(world.admin, "mx2")
    return add_server(world.admin, "mx1")


def asked(server: Server, client: str = "203.0.113.7", **more: object) -> RemovalRequest:
    """A request, as the public page takes it."""
    values = {"text": "We closed the relay.", "reply_to": "", "address": "192.0.2.1"}
    token = ask(server.ref, client, **(values | more))  # type: ignore[arg-type]
    return RemovalRequest.objects.get(token=token)


def verdict(world: World, client: str, server: str) -> Word:
    """The verdict at a server."""
    found = explain(world.viewer, parse_subject(client), find_server(world.viewer, server))
    return found.verdict.word


def test_a_request_lands_in_the_account_and_no_other(world: World, mx1: Server) -> None:
    """The journal is as it was: strangers do not write there."""
    before = Record.objects.count()
    made = asked(mx1, reply_to="Postmaster@Sender.example", text=" We closed\r\nthe relay. ")
    assert (made.text, made.reply_to) == ("We closed\nthe relay.", "Postmaster@Sender.example")
    assert Record.objects.count() == before
    assert queries.count_open(world.viewer) == 1
    assert queries.count_open(world.outsider) == 0
    with pytest.raises(NotFound):
        queries.find_request(world.outsider, made.pk)
    for act in (services.allow_client, services.unlist_client, services.decline):
        with pytest.raises(NotFound):
            act(world.outsider, made.pk)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": "  "}, "text"),
        ({"text": "x" * 1001}, "text"),
        ({"text": "a\x1b[2J"}, "text"),
        ({"text": "a\u202eb"}, "text"),
        ({"reply_to": "nobody"}, "reply_to"),
        ({"reply_to": "a" * 250 + "@b.example"}, "reply_to"),
    ],
)
def test_what_is_not_plain_is_refused(mx1: Server, wrong: dict[str, str], field: str) -> None:
    """With the field; nothing is kept."""
    with pytest.raises(BadInput) as refusal:
        asked(mx1, **wrong)
    assert refusal.value.field == field
    assert not RemovalRequest.objects.exists()


def test_only_who_is_refused_may_ask_and_once(world: World, mx1: Server) -> None:
    """Spelt in whatever way; what is answered may be asked about again."""
    with pytest.raises(Conflict, match="is not refused"):
        asked(mx1, "192.0.2.7")
    first = asked(mx1, "MAIL.Spam.example")
    with pytest.raises(Conflict, match="already"):
        asked(mx1, "mail.spam.example", address="192.0.2.2")
    services.decline(world.admin, first.pk)
    asked(mx1, "mail.spam.example", address="192.0.2.2")
    pause(world.admin)
    with pytest.raises(Conflict, match="is not refused"):
        asked(mx1)


def set_told(world: World, told: Told) -> None:
    """Change what rejected senders are told, and nothing else."""
    set_parameters(world.owner, ttl=60, code=None, key_keep=0, told=told)


def test_an_account_that_takes_none(world: World, mx1: Server) -> None:
    """Like an address that there is not; a removed server likewise."""
    set_told(world, Told(takes_requests=False))
    for ref in (mx1.ref, "nowhere"):
        with pytest.raises(NotFound):
            ask(ref, "203.0.113.7", text="x", reply_to="", address="192.0.2.1")
    set_told(world, Told())
    assert not Account.objects.get(pk=world.owner.account.pk).takes_requests
    set_told(world, Told(takes_requests=True))
    remove_server(world.admin, "mx1")
    with pytest.raises(NotFound):
        asked(mx1)


def clients() -> Iterator[str]:
    """Refused clients, each another."""
    return (f"203.0.113.{number}" for number in range(1, 255))


def test_one_address_asks_little(mx1: Server) -> None:
    """In an hour and in a day, by its network where it has one; another address still may."""
    more, now = clients(), 1_000_000.0
    for _ in range(asking.ADDRESS_HOURLY):
        asked(mx1, next(more), address="2001:db8::1", now=now)
    with pytest.raises(Conflict, match="many requests"):
        asked(mx1, next(more), address="2001:db8::2", now=now + 3599)
    asked(mx1, next(more), address="2001:db8:0:1::1", now=now)
    taken = asking.ADDRESS_HOURLY
    for hour in range(1, 9):
        for _ in range(asking.ADDRESS_HOURLY):
            if taken < asking.ADDRESS_DAILY:
                asked(mx1, next(more), address="2001:db8::1", now=now + hour * 3601)
                taken += 1
    with pytest.raises(Conflict, match="many requests"):
        asked(mx1, next(more), address="2001:db8::1", now=now + 12 * 3600)
    asked(mx1, next(more), address="2001:db8::1", now=now + 86_401)


def test_one_account_is_asked_little(
    world: World, mx1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks: so many a day, so many open; of answered ones the latest are kept."""
    monkeypatch.setattr(asking, "ACCOUNT_DAILY", 4)
    monkeypatch.setattr(asking, "ACCOUNT_OPEN", 6)
    monkeypatch.setattr(asking, "ACCOUNT_KEPT", 3)
    more, now = clients(), 1_000_000.0
    made = [asked(mx1, next(more), address=f"192.0.2.{n}", now=now) for n in range(4)]
    with pytest.raises(Conflict, match="many requests"):
        asked(mx1, next(more), address="192.0.2.9", now=now)
    made += [asked(mx1, next(more), address=f"192.0.2.{n}", now=now + 90_000) for n in range(2)]
    with pytest.raises(Conflict, match="many requests"):
        asked(mx1, next(more), address="192.0.2.9", now=now + 90_000)
    for one in made:
        services.decline(world.admin, one.pk)
    asked(mx1, next(more), address="192.0.2.9", now=now + 90_000)
    kept = RemovalRequest.objects.filter(state=State.DECLINED)
    assert set(kept.values_list("pk", flat=True)) == {one.pk for one in made[-3:]}


def test_allowing(world: World, mx1: Server) -> None:
    """At the server that refused, or everywhere; undone in the journal like any allow."""
    made = asked(mx1)
    done = services.allow_client(world.admin, made.pk, lifetime="30d")
    assert (done.request.state, done.still) == (State.ALLOWED, None)
    assert verdict(world, "203.0.113.7", "mx1") is Word.ALLOW
    assert verdict(world, "203.0.113.7", "mx2") is Word.BLOCK
    assert done.change == Record.objects.latest("seq").seq
    undo(world.admin, done.change or 0)
    assert verdict(world, "203.0.113.7", "mx1") is Word.BLOCK
    services.allow_client(world.admin, made.pk, everywhere=True)
    assert verdict(world, "203.0.113.7", "mx2") is Word.ALLOW


def test_unlisting(world: World, mx1: Server) -> None:
    """What decides goes; where a wider one blocks all the same, that is told."""
    made = asked(mx1, "203.0.113.9")
    done = services.unlist_client(world.admin, made.pk)
    assert done.still is not None
    assert done.still.target == "203.0.113.0/24"
    services.unlist_client(world.admin, made.pk)
    assert verdict(world, "203.0.113.9", "mx1") is Word.NONE
    with pytest.raises(Conflict, match="no listing blocks"):
        services.unlist_client(world.admin, made.pk)


def test_a_block_under_a_pause_is_unlisted_too(world: World, mx1: Server) -> None:
    """The pause conceals it, and it would be back afterwards."""
    made = asked(mx1, "mail.spam.example")
    pause(world.admin)
    done = services.unlist_client(granted("admin@example.net"), made.pk)  # type: ignore[arg-type]
    assert done.request.state == State.UNLISTED
    assert Record.objects.latest("seq").what == "listing.unlist"


def test_declining(world: World, mx1: Server) -> None:
    """A record of its own; who asked reads the answer, without a key that was pasted into it."""
    made = asked(mx1)
    key = current_key(find_server(world.admin, "mx1"))
    services.decline(world.admin, made.pk, f"Ask again in May; not {key.upper()}")
    record = Record.objects.latest("seq")
    assert (record.what, record.server) == ("request.decline", mx1.pk)
    assert why_not(record) == "answer the request anew instead"
    found = told(mx1.ref, "203.0.113.7", made.token)
    assert found is not None
    assert (found.state, found.answer) == (State.DECLINED, "Ask again in May; not …")
    for wrong in ("", made.token[:-1], made.token.lower(), "\0", "ü"):
        assert told(mx1.ref, "203.0.113.7", wrong) is None
    assert told(mx1.ref, "203.0.113.8", made.token) is None
    assert told(find_server(world.admin, "mx2").ref, "203.0.113.7", made.token) is None


def test_after_its_server_is_gone(world: World, mx1: Server) -> None:
    """Allowed everywhere or declined; there is no server to allow it at."""
    made = asked(mx1)
    remove_server(world.admin, "mx1")
    with pytest.raises(NotFound, match="has been removed"):
        services.allow_client(world.admin, made.pk)
    assert RemovalRequest.objects.get().state == State.OPEN
    services.allow_client(world.admin, made.pk, everywhere=True)
    assert verdict(world, "203.0.113.7", "mx2") is Word.ALLOW


def test_viewers_may_read(world: World, mx1: Server) -> None:
    """As everything of the account."""
    asked(mx1)
    reading: Reading = world.viewer
    (one,) = queries.requests_of(reading)
    shown = queries.as_dict(one, {mx1.pk: "mx1"})
    assert (shown["server"], shown["from"]) == ("mx1", "192.0.2.1")
    assert one.token not in str(shown)
    assert abs(time.time() - one.created) < 600


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str), st.text(max_size=60))
def test_an_address_is_grouped_whatever_it_is(address: str, other: str) -> None:
    """Never raises, and is never longer than there is room; grouping twice changes no address."""
    assert 0 < len(grouped(address)) <= 45
    assert len(grouped(other)) <= 45
    if "/" not in grouped(address):
        assert grouped(grouped(address)) == grouped(address)
