"""The narrowest networks, held against trying every set of networks there is."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.traffic.narrow import EACH, MOST, SHARE, Network, heaviest, narrowest

BITS = 4
EVERY = [(first, length) for length in range(BITS + 1) for first in range(0, 16, 16 >> length)]


def covered(network: Network, bits: int = BITS) -> range:
    """The values in a network."""
    first, length = network
    return range(first, first + (1 << (bits - length)))


def worth(networks: list[Network], counts: dict[int, int]) -> tuple[int, int]:
    """Minus what networks stop, and what they cost: the least is the best."""
    stopped = sum(counts.get(value, 0) for one in networks for value in covered(one))
    cost = sum(len(covered(one)) + EACH for one in networks)
    return -stopped, cost


def allowed(networks: tuple[Network, ...], spared: set[int]) -> bool:
    """Whether networks do not overlap and touch nobody who is spared."""
    values = [value for one in networks for value in covered(one)]
    return len(values) == len(set(values)) and not spared & set(values)


@settings(max_examples=60)
@given(
    st.dictionaries(st.integers(0, 15), st.integers(1, 9), max_size=8),
    st.sets(st.integers(0, 15), max_size=4),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_nothing_is_better(
    abuse: dict[int, int], spared: set[int], at_most: int, least: int
) -> None:
    """Of all sets of at most so many networks, none stops more, and none of the same costs less."""
    counts = dict(heaviest(abuse.items()))
    sizes = {1, *(1 << free for free in range(least, BITS + 1))}
    every = [one for one in EVERY if len(covered(one)) in sizes]
    clean = [one for one in every if not spared & set(covered(one))]
    best = min(
        worth(list(chosen), counts)
        for size in range(at_most + 1)
        for chosen in combinations(clean, size)
        if allowed(chosen, spared)
    )
    found = narrowest(abuse.items(), spared, BITS, at_most=at_most, least=least)
    assert len(found) <= at_most
    assert allowed(tuple(found), spared)
    assert set(found) <= set(every)
    assert worth(found, counts) == best


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.integers(1, 10**6), max_size=300))
def test_the_heaviest_make_up_most(abuse: dict[int, int]) -> None:
    """And no more of them than that takes, nor than is bounded."""
    found = list(heaviest(abuse.items()))
    total = sum(abuse.values())
    assert len(found) <= MOST
    assert sum(count for _, count in found[:-1]) < SHARE * total or not abuse
    assert len(found) == MOST or sum(count for _, count in found) >= SHARE * total
    assert min((count for _, count in found), default=0) >= max(
        (count for value, count in abuse.items() if (value, count) not in found), default=0
    )


@pytest.mark.parametrize("bits", [32, 64, 128])
def test_it_ends_soon_whatever_was_seen(bits: int) -> None:
    """Thousands of clients, spread so that nothing can be joined or all of it could."""
    step = (1 << bits) // 4096
    abuse = [(number * step, 1) for number in range(4096)]
    spared = [number * step + step // 2 for number in range(0, 4096, 2)]
    found = narrowest(abuse, spared, bits, at_most=8)
    assert len(found) == 8
    assert not any(value in covered(one, bits) for one in found for value in spared)
    assert narrowest(abuse, [], bits, at_most=1)


def test_nobody_is_nothing() -> None:
    """Nor is there anything where all of them are spared."""
    assert narrowest([], [], 32, at_most=8) == []
    assert narrowest([(7, 5)], [7], 32, at_most=8) == []
    assert narrowest([(7, 5)], [], 32, at_most=0) == []
