"""The prepared way answers byte for byte what the ordinary way answers, and counts the same."""

from dataclasses import replace

import dns.edns
import dns.flags
import dns.message
import dns.rcode
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.dns import quick
from mailmum.dns.counters import CountBatch
from mailmum.domain.listings import Action, Source
from mailmum.index.records import Changes
from tests.dns import strategies
from tests.dns.world import (
    BASE,
    ENDING_KEY,
    KEY,
    MAIN,
    NOW,
    OLD_KEY,
    OTHER_KEY,
    PAUSED_KEY,
    QUIET_KEY,
    World,
    ask,
    make_engine,
    reverse,
    zone_of,
)

ZONE_KEYS = [KEY, KEY, OTHER_KEY, PAUSED_KEY, ENDING_KEY, QUIET_KEY, OLD_KEY, "n0suchkey0000000"]


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Queries about addresses, most of them of the usual form."""
    key = draw(st.sampled_from(ZONE_KEYS))
    kind = draw(st.sampled_from(["bl", "bl", "wl", "dbl"]))
    name = ".".join([*draw(strategies.spellings()), key, kind, BASE])
    if draw(st.booleans()):
        flips = draw(st.integers(0, 2**64))
        name = "".join(c.upper() if flips >> i % 64 & 1 else c for i, c in enumerate(name))
    query = dns.message.make_query(name, draw(st.sampled_from(["A", "A", "A", "TXT", "AAAA"])))
    query.flags = dns.flags.Flag(draw(st.sampled_from([0, 0x0100, 0x0120, 0x0110, 0x0300])))
    edns = draw(st.sampled_from(["none", "none", "plain", "dnssec", "cookie", "small"]))
    if edns != "none":
        options: list[dns.edns.Option] = []
        if edns == "cookie":
            options.append(dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678"))
        flags = 0x8000 if edns == "dnssec" else 0
        query.use_edns(0, flags, 100 if edns == "small" else 1232, options=options)
    wire = query.to_wire()
    if draw(st.integers(0, 19)) == 0:
        wire = wire[: draw(st.integers(0, len(wire)))] + draw(st.binary(max_size=3))
    return wire


def total(batches: list[CountBatch]) -> dict[object, int]:
    """All counts of several batches."""
    sums: dict[object, int] = {}
    for batch in batches:
        for seen in batch.clients:
            key = (seen.server, seen.list, seen.subject, seen.verdict, seen.wide)
            sums[key] = sums.get(key, 0) + seen.count
        for use in batch.revoked:
            sums[use.server, use.key] = sums.get((use.server, use.key), 0) + use.count
        for kind, count in batch.faults:
            sums[kind] = sums.get(kind, 0) + count
    return sums


@settings(max_examples=300)
@given(
    strategies.worlds(),
    st.lists(st.tuples(packets(), strategies.times, st.booleans()), max_size=12),
)
def test_both_ways_give_the_same_bytes(
    world: World, asked: list[tuple[bytes, float, bool]]
) -> None:
    """An engine that has answered before answers as one that has not; so do their counts."""
    warm = make_engine(world)
    cold_counts = []
    for packet, now, tcp in asked * 2:
        cold = make_engine(world, index=warm.index)
        expected = cold.handle(packet, ("192.0.2.1", 53), now, tcp)
        cold_counts.append(cold.counters.take())
        assert warm.handle(packet, ("192.0.2.1", 53), now, tcp) == expected
    assert total([warm.counters.take()]) == total(cold_counts)


def test_the_usual_queries_are_answered_the_quick_way() -> None:
    """Else the test above would compare the ordinary way with itself."""
    world = World()
    world.add("203.0.113.0/24")
    world.add("203.0.113.9", Action.ALLOW)
    world.add("2001:db8::/32")
    engine = make_engine(world)
    for address in ("203.0.113.7", "203.0.113.9", "198.51.100.1", "2001:db8::1", "2001:db9::1"):
        for edns in (-1, 0):
            name = f"{reverse(address)}.{zone_of('bl')}"
            ask(engine, name, use_edns=edns)
            for variant in (name, name.upper()):
                packet = dns.message.make_query(variant, "A", use_edns=edns).to_wire()
                assert engine._index is not None
                assert engine._quick.answer(packet, engine._index, NOW) is not None, variant


def test_mapped_addresses_stay_ipv4_on_the_quick_way() -> None:
    """A plan for IPv6 is there; ::ffff:203.0.113.7 is looked up as IPv4 all the same."""
    world = World()
    world.add("203.0.113.7")
    engine = make_engine(world)
    for address in ("2001:db8::1", "::ffff:203.0.113.7", "::ffff:203.0.113.8"):
        listed = bool(ask(engine, f"{reverse(address)}.{zone_of('bl')}").answer)
        assert listed == address.endswith(".7")


def test_sorts_of_listings_keep_their_codes_on_the_quick_way() -> None:
    """One after another in one zone, by sources, kinds and own codes."""
    world = World()
    world.add("203.0.113.0/24")
    world.add("203.0.113.7")
    world.add("203.0.113.8", code=0x7F000011)
    world.add("198.51.100.0/24", source=Source.FEED)
    world.add("198.51.101.0/24", source=Source.TRIGGER)
    engine = make_engine(world)
    codes = {
        "203.0.113.7": "127.0.0.2",
        "203.0.113.9": "127.0.0.3",
        "203.0.113.8": "127.0.0.17",
        "198.51.101.9": "127.0.0.4",
        "198.51.100.9": "127.0.0.5",
    }
    for address, code in [*codes.items()] * 3:
        (rrset,) = ask(engine, f"{reverse(address)}.{zone_of('bl')}").answer
        assert str(rrset[0]) == code


def test_a_change_of_the_index_is_seen_at_once() -> None:
    """New listings, serial and TTL show in the next answer, changed in place or replaced."""
    world = World()
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl')}"
    for _ in range(3):
        (rrset,) = ask(engine, name).authority
        assert rrset[0].serial == 42
    listing = world.add("203.0.113.7")
    engine.apply(Changes(43, listings=(listing,)))
    assert str(ask(engine, name).answer[0][0]) == "127.0.0.2"
    engine.apply(Changes(44, gone=(listing,)))
    (rrset,) = ask(engine, name).authority
    assert rrset[0].serial == 44
    other = World(position=43)
    other.add("203.0.113.7")
    engine.index = make_engine(other).index
    assert str(ask(engine, name).answer[0][0]) == "127.0.0.2"
    (rrset,) = ask(engine, f"8.113.0.203.{zone_of('bl')}").authority
    assert rrset[0].serial == 43


def test_a_change_of_a_server_is_seen_although_the_position_stays() -> None:
    """A change of a million listings comes in many batches of one position."""
    world = World()
    world.add("203.0.113.7")
    engine = make_engine(world)
    name = f"7.113.0.203.{zone_of('bl')}"
    for _ in range(2):
        assert str(ask(engine, name).answer[0][0]) == "127.0.0.2"
    engine.apply(Changes(42, servers=(replace(MAIN, code=0x7F000011, ttl=9),)))
    (rrset,) = ask(engine, name).answer
    assert (str(rrset[0]), rrset.ttl) == ("127.0.0.17", 9)
    engine.apply(Changes(42, gone_servers=(MAIN.id,)))
    assert ask(engine, name).rcode() == dns.rcode.NXDOMAIN


def test_the_table_of_plans_is_bounded() -> None:
    """Queries with ever new tails do not fill the memory, and go on being answered."""
    engine = make_engine(World())
    original, quick.PLANS = quick.PLANS, 10
    try:
        for payload in range(512, 600):
            ask(engine, f"7.113.0.203.{zone_of('bl')}", use_edns=0, payload=payload)
            assert engine._quick._count <= 10
            assert sum(map(len, engine._quick._tables.values())) == engine._quick._count
    finally:
        quick.PLANS = original


def test_names_in_any_case_share_a_plan() -> None:
    """A resolver that varies case (0x20) makes no plans of its own."""
    engine = make_engine(World())
    name = f"7.113.0.203.{zone_of('bl')}"
    for variant in (name, name.upper(), name.title(), name.swapcase()):
        response = ask(engine, variant)
        assert response.question[0].name.to_text() == f"{variant}."
    assert engine._quick._count == 1
