"""Worlds, questions and times, close enough together that they often meet."""

from hypothesis import strategies as st

from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.index.entries import built
from mailmum.index.records import FeedRecord
from tests.dns.world import KEY, NOW, World

_BITS = {4: 32, 6: 128}
_SEEDS = {
    4: [0x01020304, 0xCB007107, 0xC0000201, 0x00000000, 0x7F000002, 0xFFFFFFFF],
    6: [0x20010DB8 << 96, 0x20010DB8 << 96 | 1, 0x1234 << 112, 0, 0xFFFF7F000002, 0xFFFFCB007107],
}
REASONS = [
    *("", "", "Sent spam", "Überfüllt", "It said: stop.", "x" * 200, "ä" * 200, 'a\tb\\c"\0'),
    # With a key in it, once only for those who know that the Kelvin sign is a letter.
    *(f"Asked by {KEY.upper()}", f"\u212a{KEY[1:]}", "\u0130"),
]
_LABELS = ["mail", "spam", "example", "test", "invalid", "top", "a_b", "x1"]


@st.composite
def addresses(draw: st.DrawFn, version: int) -> int:
    """An address that differs from a seed in a few bits."""
    value = draw(st.sampled_from(_SEEDS[version]))
    for _ in range(draw(st.integers(0, 2))):
        value ^= 1 << draw(st.integers(0, _BITS[version] - 1))
    return value


names = st.lists(st.sampled_from(_LABELS), min_size=1, max_size=4).map(".".join)


@st.composite
def targets(draw: st.DrawFn) -> Target:
    """Any of the four kinds."""
    if draw(st.booleans()):
        return NameTarget(draw(names), draw(st.booleans()))
    version = draw(st.sampled_from([4, 6]))
    bits = _BITS[version]
    prefix = draw(st.sampled_from([bits, bits, bits - 1, bits - 8, bits // 2, 16, 8]))
    first = draw(addresses(version)) >> (bits - prefix) << (bits - prefix)
    if version == 6 and first >> 32 == 0xFFFF:
        # Such a target is IPv4 by the time it is a value.
        return NetworkTarget(4, first & 0xFFFF_FFFF, max(prefix - 96, 0))
    return NetworkTarget(version, first, prefix)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few listings and feeds of accounts 1 and 2, in all scopes."""
    world, persons = World(), set()
    for _ in range(draw(st.integers(0, 12))):
        target, source = draw(targets()), draw(st.sampled_from(Source))
        scope = draw(st.sampled_from([0, 0, 1, 2]))
        # One person's listing for a target and scope, one of a feed by this origin.
        if (source, scope, target) in persons:
            continue
        persons.add((source, scope, target))
        world.listings.append(
            Listing(
                id=len(world.listings) + 1,
                account=draw(st.sampled_from([1, 1, 1, 2])),
                scope=scope,
                action=draw(st.sampled_from(Action)),
                target=target,
                source=source,
                origin="" if source is Source.PERSON else "origin",
                reason=draw(st.sampled_from(REASONS)),
                code=draw(st.sampled_from([None, None, 0x7F00000A])),
                expires=draw(st.sampled_from([None, None, int(NOW), int(NOW) + 1, int(NOW) + 90])),
                enabled=draw(st.sampled_from([True, True, True, False])),
            )
        )
    world.feeds += [draw(feeds(number)) for number in range(1, draw(st.integers(1, 4)))]
    return world


@st.composite
def feeds(draw: st.DrawFn, number: int = 0) -> tuple[FeedRecord, list[Target]]:
    """A subscription of account 1 or 2, in any scope, with the entries of its feed."""
    entries = draw(st.lists(targets(), min_size=1, max_size=6))
    record = FeedRecord(
        number or draw(st.integers(1, 12)),
        draw(st.sampled_from([1, 1, 1, 2])),
        draw(st.sampled_from([0, 0, 1, 2])),
        draw(st.sampled_from(Action)),
        "drop",
        draw(st.sampled_from(REASONS)),
        draw(st.sampled_from([None, None, 0x7F00000B])),
        built(entries),
    )
    return record, entries


@st.composite
def spellings(draw: st.DrawFn) -> list[str]:
    """Labels before an address zone: addresses, what is above and below them, and nonsense."""
    version = draw(st.sampled_from([4, 4, 6]))
    value = draw(addresses(version))
    if version == 4:
        labels = [str(value >> shift & 255) for shift in (0, 8, 16, 24)]
    else:
        labels = list(f"{value:032x}"[::-1])
    cut = draw(st.sampled_from([0, 0, 0, 1, len(labels) - 4, len(labels) - 1]))
    extra = draw(st.sampled_from([[], [], [], ["7"], ["a"], ["x"], ["007"], ["256"]]))
    return extra + labels[cut:]


times = st.sampled_from([NOW - 10, NOW, NOW + 0.5, NOW + 30, NOW + 89.5, NOW + 90])
