"""Sorted columns of addresses, and the one search on them: which row starts last at or before.

IPv4 addresses fit an array of 32-bit integers.  A bisection of a million of them takes twenty
steps, most of them a cache miss; a table of where the rows of each of the top bits begin leaves one
or two.  IPv6 addresses take two arrays of 64 bits, since the standard library has none of 128.
"""

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Protocol

Pause = Callable[[], None]
"""Called between steps of bounded length, so that other work can go on."""

_LOW = (1 << 64) - 1
_SMALL = 256
_MOST_BUCKETS = 20
_BUCKETS_AT_ONCE = 1024


class Numbers(Protocol):
    """What is read of a column: numbers by row."""

    def __getitem__(self, row: int, /) -> int: ...
    def __iter__(self) -> Iterator[int]: ...
    def __len__(self) -> int: ...


class Firsts(ABC):
    """The first addresses of a table's rows, in ascending order.

    Attributes:
        bits: 32 or 128.
        values: the addresses by row.
    """

    __slots__ = ()
    bits: int
    values: Numbers

    @abstractmethod
    def append(self, first: int) -> None:
        """Add a row that sorts last."""

    @abstractmethod
    def copy(self, other: "Firsts", start: int, end: int) -> None:
        """Add rows of another column of the same kind."""

    @abstractmethod
    def seal(self, pause: Pause) -> None:
        """Prepare for `locate` once all rows are there."""

    @abstractmethod
    def locate(self, address: int) -> int:
        """The last row whose first address is not above the address, or -1."""

    @abstractmethod
    def span(self, first: int) -> tuple[int, int]:
        """The rows that begin at exactly this address, as a range."""

    @abstractmethod
    def reach(self, first: int, last: int) -> tuple[int, int]:
        """The rows that begin at `first`, at `last` or between, as a range."""

    @abstractmethod
    def arrays(self) -> "tuple[array[int], ...]":
        """The arrays behind it."""

    @property
    def buckets(self) -> "tuple[array[int] | None, int]":
        """Where the rows of each value of the top bits begin, and how many bits lie below these."""
        return None, self.bits


class Firsts32(Firsts):
    """IPv4 addresses."""

    __slots__ = ("_buckets", "_shift", "values")
    bits = 32
    values: "array[int]"

    def __init__(self, values: "array[int] | None" = None) -> None:
        self.values = array("I") if values is None else values
        # Where the rows of each value of the top bits begin; a small column needs no such help.
        self._buckets: array[int] | None = None
        self._shift = 32

    def append(self, first: int) -> None:
        """Add a row that sorts last."""
        self.values.append(first)

    def copy(self, other: Firsts, start: int, end: int) -> None:
        """Add rows of another IPv4 column."""
        assert isinstance(other, Firsts32)
        self.values.extend(other.values[start:end])

    def seal(self, pause: Pause) -> None:
        """Note where the rows of each of the top bits begin."""
        size = len(self.values)
        if size < _SMALL:
            return
        # A quarter to half as many buckets as rows: one or two bytes a row, two steps a search.
        bits = min(size.bit_length() - 2, _MOST_BUCKETS)
        # Halved again and again, each search is between the ends of the half before: half the time
        # of searching for each bucket among all rows that follow.
        buckets = array("I", [0, size])
        for shift in range(31, 31 - bits, -1):
            buckets = _interleaved(buckets, self._halves(buckets, shift, pause))
        self._buckets, self._shift = buckets, 32 - bits

    def _halves(self, buckets: "array[int]", shift: int, pause: Pause) -> "array[int]":
        """Where the upper halves of buckets begin, which are `1 << shift` addresses wide."""
        halves = array("I")
        for at in range(0, len(buckets) - 1, _BUCKETS_AT_ONCE):
            ends = buckets[at : at + _BUCKETS_AT_ONCE + 1]
            wanted = range((2 * at + 1) << shift, 1 << 32, 2 << shift)
            halves.extend(map(bisect_left, repeat(self.values), wanted, ends, ends[1:]))
            pause()
        return halves

    def locate(self, address: int) -> int:
        """The last row whose first address is not above the address, or -1."""
        buckets = self._buckets
        if buckets is None:
            return bisect_right(self.values, address) - 1
        bucket = address >> self._shift
        return bisect_right(self.values, address, buckets[bucket], buckets[bucket + 1]) - 1

    def span(self, first: int) -> tuple[int, int]:
        """The rows that begin at exactly this address, as a range."""
        return self.reach(first, first)

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """The rows that begin at `first`, at `last` or between, as a range."""
        start = bisect_left(self.values, first)
        return start, bisect_right(self.values, last, start)

    def arrays(self) -> "tuple[array[int], ...]":
        """One array."""
        return (self.values,)

    @property
    def buckets(self) -> "tuple[array[int] | None, int]":
        """None for a small column."""
        return self._buckets, self._shift


def _interleaved(even: "array[int]", odd: "array[int]") -> "array[int]":
    """The numbers of both in turns."""
    both = array("I", bytes(even.itemsize * (len(even) + len(odd))))
    both[::2], both[1::2] = even, odd
    return both


class Wide:
    """128-bit numbers in two arrays."""

    __slots__ = ("highs", "lows")

    def __init__(self, highs: "array[int]", lows: "array[int]") -> None:
        self.highs = highs
        self.lows = lows

    def __len__(self) -> int:
        return len(self.highs)

    def __getitem__(self, row: int) -> int:
        return self.highs[row] << 64 | self.lows[row]

    def __iter__(self) -> Iterator[int]:
        for high, low in zip(self.highs, self.lows, strict=True):
            yield high << 64 | low


class Firsts128(Firsts):
    """IPv6 addresses."""

    __slots__ = ("values",)
    bits = 128
    values: Wide

    def __init__(self, values: Wide | None = None) -> None:
        self.values = Wide(array("Q"), array("Q")) if values is None else values

    def append(self, first: int) -> None:
        """Add a row that sorts last."""
        self.values.highs.append(first >> 64)
        self.values.lows.append(first & _LOW)

    def copy(self, other: Firsts, start: int, end: int) -> None:
        """Add rows of another IPv6 column."""
        assert isinstance(other, Firsts128)
        self.values.highs.extend(other.values.highs[start:end])
        self.values.lows.extend(other.values.lows[start:end])

    def seal(self, pause: Pause) -> None:
        """Nothing to prepare: IPv6 addresses crowd in 2000::/3, top bits tell little."""

    def locate(self, address: int) -> int:
        """The last row whose first address is not above the address, or -1."""
        values = self.values
        high = address >> 64
        end = bisect_right(values.highs, high)
        start = bisect_left(values.highs, high, 0, end)
        return bisect_right(values.lows, address & _LOW, start, end) - 1

    def span(self, first: int) -> tuple[int, int]:
        """The rows that begin at exactly this address, as a range."""
        return self.reach(first, first)

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """The rows that begin at `first`, at `last` or between, as a range."""
        start = self.locate(first - 1) + 1 if first else 0
        return start, self.locate(last) + 1

    def arrays(self) -> "tuple[array[int], ...]":
        """The upper halves, then the lower."""
        return self.values.highs, self.values.lows


def new_firsts(bits: int) -> Firsts:
    """An empty column for addresses of 32 or 128 bits."""
    return Firsts32() if bits == 32 else Firsts128()


def restored_firsts(bits: int, arrays: "Sequence[array[int]]") -> Firsts:
    """A column from what `arrays` gave; not yet sealed."""
    return Firsts32(arrays[0]) if bits == 32 else Firsts128(Wide(arrays[0], arrays[1]))
