"""The compiled hot path against the Python engine: the same bytes, or nothing."""

import socket
from dataclasses import replace
from typing import Any

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmum.daemons.dnsd_fast import Packed
from mailmum.dns.counters import LISTS, NOBODY, Key, mark_of
from mailmum.domain.listings import Action, Listing, Source
from mailmum.index.feeds import FeedAddresses
from mailmum.index.mirror import MOST_TABLES
from mailmum.index.records import Changes, FeedRecord, KeyRecord
from tests.dns.both import SENDER, Both
from tests.dns.strategies import feeds, names, spellings, times, worlds
from tests.dns.world import (
    BASE,
    ENDING_KEY,
    KEY,
    MAIN,
    NOW,
    OLD_KEY,
    OTHER,
    OTHER_KEY,
    PAUSED_KEY,
    QUIET_KEY,
    World,
    a_record,
    make_engine,
    reverse,
    zone_of,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
ZONE, NAMES = zone_of("bl"), zone_of("dbl")


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """EDNS in all forms."""
    if draw(st.booleans()):
        return {}
    found: dict[str, Any] = {
        "use_edns": draw(st.sampled_from([0, 0, 0, 1])),
        "payload": draw(st.sampled_from([0, 512, 1232, 4096])),
        "want_dnssec": draw(st.booleans()),
    }
    if draw(st.booleans()):
        code = st.sampled_from([3, 8, 10, 12, 65001]).map(dns.edns.OptionType.make)
        made = draw(st.lists(st.tuples(code, st.binary(max_size=24)), max_size=2))
        found["options"] = [dns.edns.GenericOption(*one) for one in made]
    return found


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Queries about anything near the worlds, some of them damaged."""
    kind = draw(st.sampled_from(["bl", "bl", "wl", "dbl", "dwl", "xx"]))
    keys = [KEY, KEY, OTHER_KEY, OLD_KEY, PAUSED_KEY, ENDING_KEY, QUIET_KEY, "unknownkey12"]
    labels = draw(spellings()) if kind in ("bl", "wl") else draw(names).split(".")
    name = ".".join([*labels, draw(st.sampled_from(keys)), kind, BASE])
    name = draw(st.sampled_from([name, name, name.upper(), name.title()]))
    type_ = draw(st.sampled_from(["A", "A", "A", "TXT", "TXT", "AAAA", "ANY", "MX"]))
    query = dns.message.make_query(name, type_, **draw(options()))
    query.flags |= draw(st.sampled_from([0, 0, dns.flags.CD, dns.flags.AD, dns.flags.TC]))
    packet = bytearray(query.to_wire())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        packet[draw(st.integers(0, len(packet) - 1))] = draw(st.integers(0, 255))
    return bytes(packet[: len(packet) - draw(st.sampled_from([0, 0, 0, 0, 1, 4, 11]))])


questions = st.lists(st.tuples(packets(), times), min_size=1, max_size=6)


@settings(max_examples=250, suppress_health_check=SLOW)
@given(worlds(), questions)
def test_the_same_bytes_or_nothing(world: World, asked: list[tuple[bytes, float]]) -> None:
    """Whatever is listed, asked, and at which time."""
    both = Both(world)
    for packet, now in asked:
        both.check(packet, now)


@settings(max_examples=40, suppress_health_check=SLOW)
@given(worlds(), st.lists(packets(), min_size=1, max_size=64), times)
def test_a_batch_is_answered_like_its_packets(world: World, asked: list[bytes], now: float) -> None:
    """No packet takes anything over from one beside it."""
    both = Both(world)
    together = both.check_all(asked, now)
    for packet, answer in zip(asked, together, strict=True):
        # A cookie may have been found good since.
        assert both.check(packet, now) == answer or answer is None


@pytest.mark.parametrize("at", range(0, 32, 3))
def test_only_letters_have_two_cases(at: int) -> None:
    """Of KEY, list and BASE; any other byte that differs makes another name."""
    both = Both(usual())
    packet = bytearray(dns.message.make_query(f"7.113.0.203.{ZONE}", "A").to_wire())
    place = packet.index(KEY.encode()) + at
    before = packet[place]
    for byte in range(256):
        packet[place] = byte
        same = bytes((byte,)).lower() == bytes((before,)).lower()
        assert (both.check(bytes(packet), NOW) is not None) == same, byte


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """A history of listings that come and go, of servers that change, of merges."""
    pool = draw(worlds()).listings
    kinds = st.sampled_from(
        ["put", "put", "remove", "merge", "begin", "end", "server", "gone", "feed", "unfeed"]
    )
    return [
        (kind, draw(feeds()) if kind == "feed" else draw(st.sampled_from(pool)) if pool else None)
        for kind in draw(st.lists(kinds, max_size=12))
    ]


class History:
    """Makes what `steps` tells happen to an index."""

    def __init__(self, both: Both) -> None:
        self.both = both
        self.there: dict[int, Listing] = {}
        self.feeds: dict[int, FeedRecord] = {one.id: one for one in both.index.image().feeds}
        self.plan: Any = None

    def step(self, kind: str, listing: Any) -> None:
        """One step."""
        index = self.both.index
        if kind == "merge":
            index.finish_merge(index.begin_merge().run())
        elif kind == "begin":
            self.plan = index.begin_merge()
        elif kind == "end" and self.plan is not None:
            merged = self.plan.run()
            index.prepare_merge(merged)
            index.finish_merge(merged)
            self.plan = None
        elif kind in ("feed", "unfeed"):
            self._change_feeds(listing[0] if kind == "feed" else None)
        else:
            self._change(kind, listing)

    def _change_feeds(self, record: FeedRecord | None) -> None:
        """Put a feed, perhaps in the place of another; without one remove the first."""
        if record is not None:
            self.feeds[record.id] = record
        elif self.feeds:
            del self.feeds[min(self.feeds)]
        index = self.both.index
        accounts = {one.account for one in index.image().feeds}
        accounts |= {record.account} if record else set()
        found = {
            account: tuple(one for one in self.feeds.values() if one.account == account)
            for account in accounts
        }
        index.apply(Changes(index.position + 1, feeds=tuple(found.items())))

    def _change(self, kind: str, listing: Listing | None) -> None:
        index = self.both.index
        position = index.position + 1
        if kind == "server":
            other = replace(OTHER, code=None, ttl=5, keys=(KeyRecord(OTHER_KEY, int(NOW) + 1),))
            index.apply(Changes(position, servers=(other,)))
        elif kind == "gone":
            index.apply(Changes(position, gone_servers=(OTHER.id,)))
        elif listing is not None:
            before = self.there.pop(listing.id, None)
            if kind == "put":
                self.there[listing.id] = listing
            now = (listing,) if kind == "put" else ()
            index.apply(Changes(position, listings=now, gone=(before,) if before else ()))


@settings(max_examples=200, suppress_health_check=SLOW)
@given(worlds(), steps(), questions)
def test_the_same_after_every_change(
    world: World, history: list[tuple[str, Any]], asked: list[tuple[bytes, float]]
) -> None:
    """Overlays, merges that overtake each other, servers and keys that come and go."""
    both = Both(world)
    making = History(both)
    # What the history brings has other numbers than what was there before.
    shift = len(world.listings) + 1
    for kind, listing in history:
        own = listing
        if isinstance(listing, Listing):
            own = replace(listing, id=listing.id + shift, origin="history")
        making.step(kind, own)
        for packet, now in asked:
            both.check(packet, now)


def usual() -> World:
    """Something of every sort."""
    world = World()
    world.add("203.0.113.7")
    world.add("198.51.100.0/24")
    world.add("198.51.100.9", Action.ALLOW)
    world.add("2001:db8:1::/48", code=0x7F000010)
    world.add("192.0.2.0/24", source=Source.FEED, origin="feed")
    world.add("192.0.2.8", source=Source.TRIGGER, origin="trigger", expires=int(NOW) + 500)
    world.add(".spam.example")
    world.add("host.example")
    world.add("good.spam.example", Action.ALLOW)
    return world


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"7.113.0.203.{ZONE}", "127.0.0.2"),
        (f"77.100.51.198.{ZONE}", "127.0.0.3"),
        (f"9.100.51.198.{ZONE}", None),
        (f"9.100.51.198.{zone_of('wl')}", "127.0.0.2"),
        (f"77.2.0.192.{ZONE}", "127.0.0.5"),
        (f"8.2.0.192.{ZONE}", "127.0.0.4"),
        (f"8.2.0.192.{zone_of('bl', OTHER_KEY)}", "127.0.0.9"),
        (f"{reverse('2001:db8:1::1')}.{ZONE}", "127.0.0.16"),
        (f"{reverse('2001:db8:2::1')}.{ZONE}", None),
        (f"10.9.8.77.{zone_of('bl', PAUSED_KEY)}", None),
        (f"spam.example.{NAMES}", "127.0.1.3"),
        (f"a.b.Spam.Example.{NAMES}", "127.0.1.3"),
        (f"host.example.{NAMES}", "127.0.1.2"),
        (f"below.host.example.{NAMES}", None),
        (f"good.spam.example.{zone_of('dwl')}", "127.0.1.2"),
    ],
)
@pytest.mark.parametrize("edns", [False, True])
def test_plain_questions_are_answered(name: str, expected: str | None, edns: bool) -> None:
    """The compiled engine does not leave the work to the other one."""
    response = Both(usual()).ask(name, use_edns=0 if edns else -1)
    assert response is not None
    assert a_record(response) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"7.113.0.203.{ZONE}", "127.0.0.5"),
        (f"9.113.0.203.{ZONE}", None),
        (f"9.113.0.203.{zone_of('wl')}", "127.0.0.5"),
        (f"7.113.0.203.{zone_of('bl', OTHER_KEY)}", "127.0.0.9"),
        (f"{reverse('2001:db8:1::1')}.{ZONE}", "127.0.0.11"),
    ],
)
def test_feeds_are_answered_where_they_lie(name: str, expected: str | None) -> None:
    """Shared columns, no entries of the world's own."""
    world = World()
    world.subscribe("203.0.113.0/24", "203.0.113.7")
    world.subscribe("203.0.113.9", action=Action.ALLOW)
    world.subscribe("2001:db8::/32", code=0x7F00000B)
    both = Both(world)
    response = both.ask(name)
    assert response is not None
    assert a_record(response) == expected
    assert both.mirror.world.size[0] == 0


def test_alike_feeds_are_one_table() -> None:
    """Of however many accounts; it goes when the last of them is gone."""
    world = World()
    for account in (1, 2, 1):
        world.subscribe("203.0.113.0/24", account=account)
    both = Both(world)
    assert len(both.mirror._alike) == 1
    records = tuple(record for record, _ in world.feeds[::2])
    both.index.apply(Changes(50, feeds=((2, ()),)))
    assert len(both.mirror._alike) == 1
    both.index.apply(Changes(51, feeds=((1, records[:1]),)))
    assert len(both.mirror._alike) == 1
    both.index.apply(Changes(52, feeds=((1, ()),)))
    assert not both.mirror._alike
    assert not any(isinstance(table, FeedAddresses) for table in both.mirror._tables)


@pytest.mark.parametrize("count", [MOST_TABLES, MOST_TABLES + 1])
def test_more_feeds_than_there_is_room_for(count: int) -> None:
    """Python is asked then, and only about what has so many."""
    world = World()
    for number in range(count):
        world.subscribe(f"203.0.113.{number}")
    world.add("2001:db8::1")
    both = Both(world)
    response = both.ask(f"{count - 1}.113.0.203.{ZONE}")
    assert (response is None) == (count > MOST_TABLES)
    assert both.ask(f"{reverse('2001:db8::1')}.{ZONE}") is not None


def test_names_of_feeds_are_left_to_python() -> None:
    """Those of servers without such a feed are not."""
    world = World()
    world.subscribe(".spam.example", scope=MAIN.id)
    world.add("host.example")
    both = Both(world)
    assert both.ask(f"a.spam.example.{NAMES}") is None
    assert both.ask(f"host.example.{NAMES}") is None
    assert both.ask(f"host.example.{zone_of('dbl', OTHER_KEY)}") is not None


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        (f"2.0.0.127.{ZONE}", "A"),
        (f"1.2.3.4.{ZONE}", "A"),
        (f"{reverse('::ffff:203.0.113.7')[:-1]}0.{ZONE}", "A"),
        (f"test.{NAMES}", "A"),
        (f"invalid.{NAMES}", "A"),
        (f"a.localhost.{NAMES}", "A"),
        (f"example.{NAMES}", "A"),
        (f"2.0.0.127.{ZONE}", "TXT"),
        (f"7.113.0.203.{ZONE}", "ANY"),
        (f"7.113.0.203.{zone_of('bl', OLD_KEY)}", "A"),
        (f"7.113.0.203.{zone_of('bl', 'unknownkey12')}", "A"),
        (f"7.113.0.203.{zone_of('bl', ENDING_KEY)}", "A"),
        (ZONE, "A"),
    ],
)
def test_the_rest_is_left_to_python(name: str, type_: str) -> None:
    """Test entries, other types, keys that are not good: whatever has rules of its own."""
    now = NOW + 30
    assert Both(usual()).ask(name, type_, now=now) is None


def test_a_cookie_is_good_for_as_long_as_python_says() -> None:
    """Sent back as it came once Python has seen it, for half an hour, and to its sender only."""
    both, name = Both(usual()), f"7.113.0.203.{ZONE}"
    cookie = both.cookie(NOW)
    assert len(cookie) == 24

    def ask(data: bytes, now: float, sender: bytes = SENDER) -> bool:
        option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, data)
        query = dns.message.make_query(name, "A", use_edns=0, options=[option]).to_wire()
        if sender == SENDER:
            return both.check(query, now) is not None
        return both.clerk.answer(both.mirror.world, query, now, sender) is not None

    assert not ask(cookie, NOW)
    assert ask(cookie, NOW)
    assert ask(cookie, NOW + 1799.9)
    assert not ask(cookie, NOW + 1800)
    assert ask(cookie, NOW - 300)
    assert not ask(cookie, NOW - 300.1)
    assert not ask(cookie[:-1] + bytes((cookie[-1] ^ 1,)), NOW)
    assert not ask(b"87654321" + cookie[8:], NOW)
    assert not ask(cookie[:8], NOW)
    elsewhere = SENDER[:4] + socket.inet_aton("192.0.2.2") + bytes(8)
    assert not ask(cookie, NOW, elsewhere)
    assert not ask(cookie, NOW, b"")
    assert ask(cookie, NOW)


def test_expiry_is_to_the_second() -> None:
    """Close to the end Python shortens the TTL; from the end on it is not listed."""
    both, name = Both(usual()), f"8.2.0.192.{zone_of('bl')}"
    far = both.ask(name, now=NOW + 400)
    assert far is not None
    assert a_record(far) == "127.0.0.4"
    assert both.ask(name, now=NOW + 499.9) is None
    gone = both.ask(name, now=NOW + 500)
    assert gone is not None
    assert a_record(gone) == "127.0.0.5"


@pytest.mark.parametrize(
    ("name", "paused", "after"),
    [
        (f"7.113.0.203.{zone_of('bl', QUIET_KEY)}", None, "127.0.0.2"),
        (f"77.100.51.198.{zone_of('bl', QUIET_KEY)}", None, "127.0.0.3"),
        (f"{reverse('2001:db8:1::1')}.{zone_of('bl', QUIET_KEY)}", None, "127.0.0.16"),
        (f"9.100.51.198.{zone_of('wl', QUIET_KEY)}", "127.0.0.2", "127.0.0.2"),
        (f"spam.example.{zone_of('dbl', QUIET_KEY)}", None, "127.0.1.3"),
        (f"good.spam.example.{zone_of('dwl', QUIET_KEY)}", "127.0.1.2", "127.0.1.2"),
        (f"7.113.0.203.{ZONE}", "127.0.0.2", "127.0.0.2"),
    ],
)
def test_a_pause_ends_at_its_time(name: str, paused: str | None, after: str) -> None:
    """Until then blocks are not listed and counted as no verdict; what is allowed stays so."""
    both = Both(usual())
    first, then = both.ask(name, now=NOW + 29.9), both.ask(name, now=NOW + 30)
    if "spam.example" not in name:
        # Names above others are for Python.
        assert first is not None
        assert then is not None
    seen = [None if one is None else a_record(one) for one in (first, then)]
    assert seen == [paused if first else None, after if then else None]
    verdicts = [counted[3] for counted in both.counted()[0]]
    if paused is None and first is not None:
        assert sorted(verdicts) == ["block", "none"]


def test_a_pause_that_begins_and_one_that_is_ended_take_effect_with_the_change() -> None:
    """In both engines, for an account's whole space, and kept through a merge."""
    both, name = Both(usual()), f"7.113.0.203.{ZONE}"
    for number, (blocks_from, expected) in enumerate(
        [(None, None), (0, "127.0.0.2"), (int(NOW) + 1, None), (int(NOW), "127.0.0.2")], start=43
    ):
        both.index.apply(Changes(number, servers=(replace(MAIN, blocks_from=blocks_from),)))
        both.index.finish_merge(both.index.begin_merge().run())
        answer = both.ask(name)
        assert answer is not None
        assert a_record(answer) == expected


def test_a_change_is_seen_at_once_and_whole() -> None:
    """By the serial of the SOA record too."""
    both, name = Both(usual()), f"5.113.0.203.{ZONE}"
    before = both.ask(name)
    assert before is not None
    assert before.authority[0][0].serial == 42
    new = World().add("203.0.113.5", account=1)
    both.index.apply(Changes(43, listings=(replace(new, id=100),)))
    listed = both.ask(name)
    assert listed is not None
    assert a_record(listed) == "127.0.0.2"
    both.index.apply(Changes(44, gone=(replace(new, id=100),)))
    after = both.ask(name)
    assert after is not None
    assert after.authority[0][0].serial == 44


def test_nothing_is_left_of_what_has_gone() -> None:
    """Places are given back by merges, names and servers that go: the memory is bounded."""
    both = Both(World())
    used = both.mirror.world.size[0]
    world = World()
    for number in range(300):
        world.add(f"203.0.113.{number % 256}" if number < 256 else f"h{number}.spam.example")
    many = tuple(world.listings)
    for turn in range(3):
        both.index.apply(Changes(43 + 2 * turn, listings=many))
        assert both.mirror.world.size[0] > used + 250
        both.index.apply(Changes(44 + 2 * turn, gone=many))
        both.index.finish_merge(both.index.begin_merge().run())
        assert both.mirror.world.size[0] == used


def test_a_fault_ends_the_mirroring_and_nothing_else() -> None:
    """What the world cannot hold is told once; the index goes on."""
    both = Both(usual())
    odd = replace(World().add("203.0.113.5"), id=100, expires=1 << 70)
    both.index.apply(Changes(43, listings=(odd,)))
    assert len(both.faults) == 1
    assert not both.mirror.is_whole
    both.index.apply(Changes(44, gone=(odd,)))
    both.index.apply(Changes(45, servers=(replace(MAIN, ttl=1),)))
    both.index.finish_merge(both.index.begin_merge().run())
    assert len(both.faults) == 1


def test_verdicts_are_counted_by_client() -> None:
    """By server, list, client and code; only those of A queries that were answered."""
    both = Both(usual())
    for _ in range(3):
        both.ask(f"7.113.0.203.{ZONE}")
    both.ask(f"77.100.51.198.{ZONE}")
    both.ask(f"9.100.51.198.{ZONE}")
    both.ask(f"{reverse('2001:db8:2::1')}.{ZONE}")
    both.ask(f"A.spam.example.{NAMES}")
    both.ask(f"unlisted.example.{NAMES}")
    both.ask(f"unlisted.example.{NAMES}", "TXT")
    both.ask(f"2.0.0.127.{ZONE}")
    found, lost = both.counted()
    assert lost == 0
    assert found == {
        (1, "bl", (4, 0xCB007107), "block", False): 3,
        (1, "bl", (4, 0xC633644D), "block", True): 1,
        (1, "bl", (4, 0xC6336409), "allow", False): 1,
        (1, "bl", (6, 0x20010DB8 << 96 | 2 << 80 | 1), "none", False): 1,
        (1, "dbl", "a.spam.example", "block", True): 1,
        (1, "dbl", "unlisted.example", "none", False): 1,
    }
    assert both.counted() == ({}, 0)


@settings(max_examples=100, suppress_health_check=SLOW)
@given(worlds(), questions)
def test_what_is_counted_is_what_python_counts(
    world: World, asked: list[tuple[bytes, float]]
) -> None:
    """Of the packets that are answered; client, verdict and whether the target was wide."""
    both, other = Both(world), make_engine(world)
    for packet, now in asked:
        if both.check(packet, now) is not None:
            other.handle(packet, None, now, False)
    batch = other.counters.take()
    expected = {
        (one.server, one.list, one.subject, one.verdict, one.wide): one.count
        for one in batch.clients
    }
    assert both.counted() == (expected, 0)


def test_counts_that_were_taken_stay_as_they_are() -> None:
    """Whatever is counted since; and they can be read a few at a time, as often as one likes."""
    both = Both(usual())
    for last in range(20):
        both.ask(f"{last}.113.0.203.{ZONE}")
        both.ask(f"h{last}.spam.example.{NAMES}")
    taken, _, _ = both.clerk.take()
    for last in range(10, 30):
        both.ask(f"{last}.113.0.203.{ZONE}")
        both.ask(f"g{last}.spam.example.{NAMES}")
    whole = Packed(taken).read()
    assert len(taken) == len(whole) == sum(whole.values()) == 40
    for most in (1, 7, 39, 40, 41):
        found: dict[Key, int] = {}
        for start in range(0, 50, most):
            taken.read(
                found, start, most, lambda *code: mark_of(code[0], LISTS[code[1]], code[2]), NOBODY
            )
        assert found == whole
    assert sum(both.counted()[0].values()) == 40


def test_counts_are_exact_when_there_is_no_room() -> None:
    """The sum over clients, those without room and what is lost is that of the answers."""
    both, answers = Both(World()), 0
    query = bytearray(dns.message.make_query(f"{reverse('2001:db8::1')}.{ZONE}", "A").to_wire())
    for number in range(100_400):
        digits = f"{number:05x}"
        for at, digit in enumerate(digits):
            query[13 + 2 * at] = ord(digit)
        packet = bytes(query)
        assert both.clerk.answer(both.mirror.world, packet, NOW) is not None
        answers += 1
    found, lost = both.counted()
    assert found[1, "bl", None, "none", False] == 400
    assert sum(found.values()) + lost == answers
