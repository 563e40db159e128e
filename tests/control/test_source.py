"""The data plane's source: whatever happens, following gives what loading anew would give."""

import random
import time
from collections.abc import Callable

import pytest

from mailmum.control.accounts.services import Told, set_parameters
from mailmum.control.dataplane.source import DatabaseSource
from mailmum.control.journal.models import Record
from mailmum.control.listings.draft import KEEP, make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import (
    edit_listing,
    remove_listings,
    remove_server,
    unlist_targets,
)
from mailmum.control.listings.undo import undo, why_not
from mailmum.control.servers.answers import clean_answers
from mailmum.control.servers.pauses import pause, resume
from mailmum.control.servers.queries import current_key, find_server
from mailmum.control.servers.services import add_server, edit_server, rotate_key
from mailmum.domain.errors import Refusal
from mailmum.domain.listings import Listing
from mailmum.index.records import ServerRecord, SourceRewound
from tests.control.test_listings import allow, block
from tests.support.world import World


class Follower:
    """Keeps the state that a daemon would have."""

    def __init__(self) -> None:
        self.source = DatabaseSource()
        everything = self.source.load()
        self.position = everything.position
        self.servers = {server.id: server for server in everything.servers}
        self.listings = {listing.id: listing for listing in everything.listings}

    def follow(self) -> None:
        """Apply what has happened since, checking that each change fits."""
        for changes in self.source.changes(self.position):
            for gone in changes.gone:
                # One that came and went in between may never have been seen.
                assert self.listings.pop(gone.id, gone).target == gone.target
            for listing in changes.listings:
                assert listing.id not in self.listings
                self.listings[listing.id] = listing
            self.servers |= {server.id: server for server in changes.servers}
            self.position = changes.position

    def state(self) -> tuple[dict[int, ServerRecord], dict[int, Listing]]:
        """Servers, and listings that are enabled: a load leaves the others out."""
        enabled = {n: listing for n, listing in self.listings.items() if listing.enabled}
        return self.servers, enabled


def test_following_is_loading(world: World) -> None:
    """A random history of every kind of change, followed now and then."""
    chance = random.Random(7)
    follower = Follower()
    add_server(world.admin, "mx1")
    for step in range(150):
        _something(world, chance)
        if chance.random() < 0.3:
            follower.follow()
            assert follower.state() == Follower().state(), step
    follower.follow()
    assert follower.state() == Follower().state()
    assert follower.position == Record.objects.latest("seq").seq


def _something(world: World, chance: random.Random) -> None:
    targets = [f"203.0.113.{chance.randrange(12)}" for _ in range(chance.randrange(1, 4))]
    server = chance.choice([None, None, "mx1"])
    numbers = list(Version.objects.filter(until=None).values_list("number", flat=True)) or [0]
    seqs = list(Record.objects.values_list("seq", flat=True))
    reason = str(chance.random())
    actions: list[Callable[[], object]] = [
        lambda: block(world.admin, *targets, server=server, reason=reason),
        lambda: allow(world.admin, *targets, server=server),
        lambda: unlist_targets(world.admin, targets, server=server),
        lambda: remove_listings(world.admin, [chance.choice(numbers)]),
        lambda: edit_listing(
            world.admin,
            chance.choice(numbers),
            make_wish(KEEP, now=time.time(), reason=reason, enabled=chance.random() < 0.7),
        ),
        lambda: rotate_key(world.admin, "mx1", keep=chance.choice([0, 60])),
        lambda: remove_server(world.admin, "mx1"),
        lambda: add_server(world.admin, "mx1"),
        lambda: _undo(world, chance.choice(seqs)),
        lambda: pause(world.admin, server, until=chance.choice([None, int(time.time()) + 60])),
        lambda: resume(world.admin, server),
    ]
    try:
        chance.choice(actions)()
    except Refusal:
        return  # not everything can be done at any time


def _undo(world: World, seq: int) -> None:
    if not why_not(Record.objects.get(seq=seq)):
        undo(world.admin, seq)


def test_a_big_change_comes_in_pieces(world: World) -> None:
    """No batch grows with the change; only the last moves the position."""
    follower = Follower()
    block(world.admin, *[f"203.0.{i // 250}.{i % 250}" for i in range(5_000)])
    batches = list(follower.source.changes(follower.position))
    assert len(batches) > 1
    assert max(len(batch.listings) for batch in batches) <= 2_000
    assert [batch.position for batch in batches[:-1]] == [follower.position] * (len(batches) - 1)
    follower.follow()
    assert follower.state() == Follower().state()


def test_a_journal_that_ends_early_is_noticed(world: World) -> None:
    """A restored backup: the daemon must load anew."""
    source = DatabaseSource()
    with pytest.raises(SourceRewound):
        list(source.changes(Record.objects.latest("seq").seq + 1))


def test_servers_tell_keys_and_parameters(world: World) -> None:
    """A removed server stays known, with its key revoked, so that its use is noticed."""
    add_server(world.admin, "mx1")
    key = current_key(find_server(world.admin, "mx1"))
    remove_server(world.admin, "mx1")
    (server,) = DatabaseSource().load().servers
    assert not server.active
    assert [record.key for record in server.keys] == [key]
    assert server.keys[0].until is not None


def test_nothing_seen_by_a_load_outlives_its_removal(world: World) -> None:
    """A load reads the position first: what it shows may be newer, and be gone at the next look."""
    follower = Follower()
    everything = follower.source.load()
    block(world.admin, "203.0.113.7")
    follower.listings = {listing.id: listing for listing in everything.listings}
    assert len(follower.listings) == 1
    unlist_targets(world.admin, ["203.0.113.7"])
    follower.follow()
    assert follower.state() == Follower().state()
    assert not follower.listings


def test_a_batch_that_breaks_off_leaves_nothing(world: World) -> None:
    """What the first batches of a big change brought is taken away when it was removed since."""
    follower = Follower()
    targets = [f"203.0.{i // 250}.{i % 250}" for i in range(5_000)]
    block(world.admin, *targets)
    first = next(iter(follower.source.changes(follower.position)))
    follower.listings |= {listing.id: listing for listing in first.listings}
    unlist_targets(world.admin, targets)
    follower.follow()
    assert not follower.listings


def test_servers_tell_who_may_ask(world: World) -> None:
    """As ranges of addresses, at the start and when that changes."""
    add_server(world.admin, "mx1", askers=["192.0.2.0/24"])
    source = DatabaseSource()
    (server,) = source.load().servers
    assert server.askers == ((4, 0xC0000200, 0xC00002FF),)
    position = Record.objects.latest("seq").seq
    edit_server(world.admin, "mx1", askers=["2001:db8::/127"])
    (changes,) = source.changes(position)
    assert changes.servers[0].askers == ((6, 0x20010DB8 << 96, (0x20010DB8 << 96) + 1),)


def test_a_server_answers_as_it_says_or_as_its_account(world: World) -> None:
    """TTL, code and text; undo brings back what was."""
    add_server(world.admin, "mx1")
    told = Told(text="Not from there")
    set_parameters(world.owner, ttl=90, code=None, key_keep=0, told=told)
    source = DatabaseSource()

    def answers() -> tuple[int, int | None, str]:
        (server,) = source.load().servers
        return server.ttl, server.code, server.text

    assert answers() == (90, None, "Not from there")
    edit_server(world.admin, "mx1", answers=clean_answers(5, "127.0.0.9", "Ask mx1"))
    record = Record.objects.latest("seq")
    (changes,) = source.changes(record.seq - 1)
    assert [(one.ttl, one.code, one.text) for one in changes.servers] == [answers()]
    assert answers() == (5, 0x7F000009, "Ask mx1")
    assert record.after == {
        "name": "mx1",
        "addresses": [],
        "ttl": 5,
        "code": "127.0.0.9",
        "text": "Ask mx1",
    }
    edit_server(world.admin, "mx1", answers=clean_answers(None, "", ""))
    assert answers() == (90, None, "Not from there")
    undo(world.admin, Record.objects.latest("seq").seq)
    assert answers() == (5, 0x7F000009, "Ask mx1")
