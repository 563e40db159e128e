"""Limits on answers: the compiled limiter against the plain one, and what engines make of it."""

import socket
import sys
from dataclasses import replace
from typing import Any

import dns.edns
import dns.flags
import dns.message
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.daemons.dnsd_fast import Packed
from mailmum.dns.engine import Engine
from mailmum.dns.limits import (
    DROP,
    KNOWN,
    PASS,
    SLIP,
    SPARED,
    Limiter,
    Limits,
    packed,
    parse_networks,
)
from mailmum.domain.ranges import holds
from mailmum.index.records import Changes
from tests.dns.both import Both, extension
from tests.dns.world import BASE, MAIN, NOW, World, make_engine, reverse, zone_of

ZONE = zone_of("bl")
SENDERS = [
    *(packed(text) for text in ("192.0.2.1", "192.0.2.2", "198.51.100.1", "2001:db8::1")),
    *(packed(text) for text in ("2001:db8:0:ff::1", "2001:db8:1::1", "127.0.0.1")),
]


def compiled_limiter(limits: Limits) -> Any:
    """The other one."""
    secret = bytes(range(16))
    return extension().Limiter(limits.rate, limits.slip, list(limits.spared), secret)


@st.composite
def limits_of(draw: st.DrawFn) -> Limits:
    """Any limits."""
    spared = draw(st.sampled_from(["", SPARED, "198.51.100.0/24", "2001:db8::/32"]))
    rate = draw(st.sampled_from([1, 2, 3, 500, 999_983, 2_000_000]))
    return Limits(rate, draw(st.integers(0, 3)), parse_networks(spared))


steps = st.tuples(
    st.sampled_from(SENDERS),
    # Forwards, for days, and back.
    st.sampled_from([0.0, 0.0, 0.0, 0.0, 1e-6, 0.4, 1.0, 2.1, 3600.0, 90_000.0, -1.0, -90_000.0]),
    st.sampled_from([1, 1, 1, 5, 0]),
)


@settings(max_examples=300)
@given(limits_of(), st.lists(steps, max_size=40))
def test_both_limiters_decide_alike(limits: Limits, asked: list[tuple[bytes, float, int]]) -> None:
    """Whoever asks how often, while the clock goes on or jumps."""
    ours, theirs, now = compiled_limiter(limits), Limiter(limits), NOW
    for sender, step, count in asked:
        now += step
        for _ in range(count):
            assert ours.check(sender, now) == theirs.check(sender, now)
        if not count:
            ours.know(sender, now)
            theirs.know(sender, now)


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 400), st.floats(0, 5))
def test_no_more_than_the_rate_in_the_long_run(rate: int, count: int, seconds: float) -> None:
    """And never less: what has been quiet gets two seconds' worth at once."""
    limiter = Limiter(Limits(rate, 0))
    sender, step = SENDERS[0], seconds / count
    passed = [limiter.check(sender, NOW + step * at) for at in range(count)].count(PASS)
    assert passed <= rate * (seconds + 2) + 2
    assert passed >= min(count, 2 * rate)


@pytest.mark.parametrize("make", [Limiter, compiled_limiter])
def test_who_is_known_is_never_limited(make: Any) -> None:
    """For a day; its neighbour in the same network is not known."""
    limiter, (one, other) = make(Limits(1, 0)), SENDERS[:2]
    limiter.know(one, NOW)
    for at in (0, 1, KNOWN - 1):
        assert [limiter.check(one, NOW + at) for _ in range(10)] == [PASS] * 10
        assert limiter.check(other, NOW + at) == DROP
    assert [limiter.check(one, NOW + KNOWN + 1) for _ in range(10)][-1] == DROP


@pytest.mark.parametrize("make", [Limiter, compiled_limiter])
def test_one_network_does_not_use_up_what_another_has(make: Any) -> None:
    """However many there are."""
    limiter = make(Limits(1, 1))
    flood = (at.to_bytes(4, "big") for at in range(0x0A000000, 0x0A000000 + 256 * 30_000, 256))
    for sender in flood:
        assert limiter.check(sender, NOW) == PASS
    assert [limiter.check(SENDERS[0], NOW) for _ in range(5)][-1] == SLIP


def test_networks_are_read() -> None:
    """Addresses, and networks of both versions; anything else is an error."""
    found = parse_networks("192.0.2.0/24, 2001:db8::/32,::1")
    assert holds(found, packed("192.0.2.200"))
    assert holds(found, packed("::1"))
    assert not holds(found, packed("192.0.3.1"))
    assert not holds(found, packed("::2"))
    with pytest.raises(ValueError, match="not-a-network"):
        parse_networks("not-a-network")


def sender_name(address: str) -> bytes:
    """A sender as the kernel tells it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    head = family.to_bytes(2, sys.byteorder) + (4711).to_bytes(2, "big")
    return head + (bytes(4) if ":" in address else b"") + packed(address) + bytes(8)


def question(address: str, type_: str = "A", **options: Any) -> bytes:
    """A plain question."""
    return dns.message.make_query(f"{reverse(address)}.{ZONE}", type_, **options).to_wire()


ASKED = st.tuples(
    st.sampled_from(["192.0.2.1", "192.0.2.77", "198.51.100.1", "2001:db8::1"]),
    st.sampled_from(["203.0.113.7", "203.0.113.88", "2001:db8::7"]),
    st.sampled_from([{}, {"use_edns": 0}, {"use_edns": 0, "want_dnssec": True}]),
    st.sampled_from([0.0, 0.0, 0.3, 1.5]),
)


@settings(max_examples=100)
@given(st.lists(ASKED, max_size=30), st.integers(0, 2))
def test_both_engines_send_the_same(asked: list[Any], slip: int) -> None:
    """The answer, what is left of it, or nothing; and count what they have answered."""
    world = World()
    world.add("203.0.113.7")
    both, limits = Both(world), Limits(1, slip)
    clerk, engine = extension().Clerk(), make_engine(world, limit=Limiter(limits))
    clerk.limit(compiled_limiter(limits))
    now, sent, whole = NOW, 0, 0
    for sender, client, options, step in asked:
        now += step
        packet = question(client, **options)
        ours = clerk.answer(both.mirror.world, packet, now, sender_name(sender))
        theirs = engine.handle(packet, (sender, 4711), now, False)
        assert ours == (theirs or b"")
        sent += 1
        whole += bool(ours) and not dns.message.from_wire(ours).flags & dns.flags.TC
    batch = engine.counters.take()
    assert sum(one.count for one in batch.verdicts) == whole
    faults = dict(batch.faults)
    assert faults.get("limited", 0) + faults.get("slipped", 0) == sent - whole
    counted, _, _ = clerk.take()
    assert sum(Packed(counted).read().values()) == whole


def exhausted(engine: Engine) -> None:
    """Use up what a network gets."""
    for _ in range(10):
        engine.handle(question("203.0.113.7"), ("192.0.2.1", 4711), NOW, False)


def test_cookies_and_tcp_are_spared() -> None:
    """And whoever has asked that way is spared from then on, without a cookie and over UDP."""
    world = World()
    world.add("203.0.113.7")
    for proof in ("cookie", "tcp"):
        engine = make_engine(world, limit=Limiter(Limits(1, 0)))
        client, plain = ("192.0.2.1", 4711), question("203.0.113.7")
        fresh = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
        first = engine.handle(question("203.0.113.7", options=[fresh]), client, NOW, False)
        assert first is not None
        exhausted(engine)
        assert engine.handle(plain, client, NOW, False) is None
        cookie = dns.message.from_wire(first).options[0]
        shown = plain if proof == "tcp" else question("203.0.113.7", options=[cookie])
        for _ in range(10):
            assert engine.handle(shown, client, NOW, proof == "tcp") is not None
            assert engine.handle(plain, client, NOW, False) is not None
        assert engine.handle(plain, ("192.0.2.2", 4711), NOW, False) is None


def test_a_proof_needs_a_key() -> None:
    """Whoever asks nothing about a client is not known by it."""
    world = World()
    engine = make_engine(world, limit=Limiter(Limits(1, 0)))
    client = ("192.0.2.1", 4711)
    other = dns.message.make_query(f"1.2.0.192.unknownkey12.bl.{BASE}", "A").to_wire()
    for _ in range(10):
        assert engine.handle(other, client, NOW, True) is not None
    exhausted(engine)
    assert engine.handle(question("203.0.113.7"), client, NOW, False) is None


def test_refusals_are_limited_too() -> None:
    """Whatever is sent back, a victim would get it."""
    engine = make_engine(World(), limit=Limiter(Limits(1, 0)))
    packet = dns.message.make_query("mail.example", "A").to_wire()
    answers = [engine.handle(packet, ("192.0.2.1", 53), NOW, False) for _ in range(10)]
    assert sum(answer is not None for answer in answers) == 3


@pytest.mark.parametrize("inside", [True, False])
def test_who_may_ask_a_server(inside: bool) -> None:
    """Those it names, without a limit; the others are refused and counted."""
    world = World()
    world.add("203.0.113.7")
    both = Both(world)
    askers = parse_networks("192.0.2.0/24,2001:db8::/32")
    both.index.apply(Changes(43, servers=(replace(MAIN, askers=askers),)))
    limits = Limits(1, 0)
    engine = make_engine(world, index=both.index, limit=Limiter(limits))
    clerk = extension().Clerk()
    clerk.limit(compiled_limiter(limits))
    senders = ["192.0.2.9", "2001:db8::9"] if inside else ["192.0.3.9", "2001:db9::9"]
    for sender in senders * 6:
        packet = question("203.0.113.7")
        ours = clerk.answer(both.mirror.world, packet, NOW, sender_name(sender))
        theirs = engine.handle(packet, (sender, 4711), NOW, inside)
        if inside:
            assert ours == engine.handle(packet, (sender, 4711), NOW, False)
            assert theirs is not None
            assert dns.message.from_wire(ours).answer
        else:
            assert ours is None
            assert theirs is None or dns.message.from_wire(theirs).rcode() == 5
    barred = engine.counters.take().barred
    if inside:
        assert not barred
    else:
        (one,) = barred
        assert (one.server, one.sender, one.count) == (MAIN.id, senders[-1], 12)
    assert both.clerk.answer(both.mirror.world, question("203.0.113.7"), NOW) is None
