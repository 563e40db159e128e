"""The narrowest networks that stop most of the abuse and touch no sender whose mail was accepted.

Of the clients seen in a network some only abused and some delivered mail that was accepted.  Wanted
are a few networks without any of the latter.  What is best is said exactly, so that it can be held
against trying everything:

1.  The clients that count are the heaviest ones, that make up nine tenths of the abuse together.
2.  Of all sets of at most so many networks without an accepted sender, the one that stops the
    most of theirs is best; of those that stop the same, the cheapest.
3.  A network costs the addresses it covers, and `EACH` more for being one: a listing more must save
    more addresses than that.
4.  A network of several addresses may have a least size: somebody's site is no /125.

A network that is worth choosing ends where the clients in it end: it is the common prefix of some
of them, or the least network around that.  So the choice is among the nodes of the trie of these
clients, and since what networks below two halves of a node stop and cost simply adds up, the best
of each node follows from the best of its halves, for each number of networks.

    >>> clean = [(0b0100, 5), (0b0101, 7), (0b1111, 1)]
    >>> narrowest(clean, [0b0110], 4, at_most=1)
    [(4, 3)]
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

EACH = 8
"""What a network costs beside its addresses."""
SHARE = 0.9
SITE = {4: 3, 6: 64}
"""Bits that a network of several addresses leaves open at least: a /29, a /64 of IPv6.  Hardly
anybody is given less, so a narrower one misses the next address of the same site."""
MOST = 200
"""Clients that count at most: the time it takes grows with them."""

Network = tuple[int, int]
"""First value and length of the prefix."""
_Best = tuple[int, int, tuple[Network, ...]]
"""Minus what the networks stop, what they cost, and the networks: the least is the best."""

_NOTHING: _Best = (0, 0, ())


def narrowest(
    abuse: Iterable[tuple[int, int]],
    spared: Iterable[int],
    bits: int,
    *,
    at_most: int,
    least: int = 0,
) -> list[Network]:
    """The best networks, in the order of addresses.

    Args:
        abuse: addresses as numbers of `bits` bits, each with how often it was turned away.
        spared: addresses that no network may touch.
        bits: length of an address.
        at_most: how many networks there may be.
        least: so many bits a network leaves open at least, but for a single address.
    """
    keep = sorted(set(spared))
    counts = sorted(heaviest(abuse))
    if not counts or at_most < 1:
        return []
    best = _Trie(counts, keep, bits, at_most, least).best(0, len(counts))
    return sorted(best[-1][2])


def heaviest(abuse: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those that make up most of the abuse, the heaviest first."""
    ranked = sorted(abuse, key=lambda one: (-one[1], one[0]))
    wanted = SHARE * sum(count for _, count in ranked)
    reached = 0
    for value, count in ranked[:MOST]:
        if reached >= wanted:
            return
        reached += count
        yield value, count


class _Trie:
    """The trie of sorted values; a node is a stretch of them."""

    def __init__(
        self,
        counts: Sequence[tuple[int, int]],
        keep: Sequence[int],
        bits: int,
        at_most: int,
        least: int,
    ) -> None:
        self._counts, self._keep, self._bits = counts, keep, bits
        self._at_most, self._least = at_most, least

    def best(self, begin: int, end: int) -> list[_Best]:
        """The best with at most 0, 1, 2 ... networks."""
        value, free = self._prefix(begin, end)
        if end - begin == 1:
            found = [_NOTHING, _NOTHING]
        else:
            half = value | 1 << (free - 1)
            middle = bisect_left(self._counts, (half, 0), begin, end)
            found = _joined(self.best(begin, middle), self.best(middle, end), self._at_most)
        if 0 < free < self._least:
            # Of two halves that grow into one another both would never be chosen: the node around
            # them grows into the same network, or is no wider, and costs less.
            free = self._least
            value = value >> free << free
        if self._is_clean(value, free):
            stopped = sum(count for _, count in self._counts[begin:end])
            whole = (-stopped, (1 << free) + EACH, ((value, self._bits - free),))
            found[1:] = [min(whole, one) for one in found[1:]]
        return found

    def _prefix(self, begin: int, end: int) -> tuple[int, int]:
        first, last = self._counts[begin][0], self._counts[end - 1][0]
        free = (first ^ last).bit_length()
        return first >> free << free, free

    def _is_clean(self, value: int, free: int) -> bool:
        at = bisect_left(self._keep, value)
        return at == len(self._keep) or self._keep[at] >= value + (1 << free)


def _joined(left: list[_Best], right: list[_Best], at_most: int) -> list[_Best]:
    """The best of both halves together; lists end where more networks do not help."""
    most = min(len(left) + len(right) - 2, at_most)
    found = []
    for number in range(most + 1):
        ways = (
            (left[few], right[number - few])
            for few in range(max(0, number - len(right) + 1), min(number, len(left) - 1) + 1)
        )
        one, other = min(ways, key=lambda way: (way[0][0] + way[1][0], way[0][1] + way[1][1]))
        found.append((one[0] + other[0], one[1] + other[1], one[2] + other[2]))
    return found
