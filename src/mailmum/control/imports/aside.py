"""Rows of an import between its two passes: put aside, and drawn in the order of the database.

Rows come in any order.  Written like that each would touch another page of every index of the
listings; in order they touch the same pages again and again, which halves the time of a large
import.  So rows are sorted by the ten thousand, each lot is written to a temporary file, and the
lots are merged when they are drawn: in memory there is one lot, or later a few rows of each.

Rows with the same place come one after another, the first of the file first.
"""

import heapq
import marshal
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from struct import Struct
from typing import IO, Any, NamedTuple

LOT = 50_000
BLOCK = 1000
_SIZE = Struct("=Q")


class Row(NamedTuple):
    """A checked listing on its way to the second pass."""

    kind: str
    target: str
    first: bytes | None
    last: bytes | None
    reversed_name: str | None
    scope: int
    action: str
    source: str
    origin: str
    reason: str
    note: str
    code: int | None
    expires: int | None
    enabled: bool


# An address's first byte comes before its text, so that numbers are in order, not digits.
_WHERE = itemgetter(
    *map(Row._fields.index, ("first", "target", "scope", "source", "origin")),
)


def _order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    first, *rest = _WHERE(row)
    return (first or b"", *rest)


class Aside:
    """Takes rows one by one, then gives them back in order.

    Args:
        file: a temporary file that nobody else reads or writes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lot: list[tuple[Any, ...]] = []
        # Of each lot, where its blocks begin and how many there are.
        self._lots: list[tuple[int, int]] = []

    def add(self, row: Row) -> None:
        """Take a row."""
        self._lot.append(tuple(row))
        if len(self._lot) >= LOT:
            self._write()

    def batches(self, size: int) -> Iterator[list[Row]]:
        """All rows in order; afterwards no more can be added."""
        self._write()
        rows = map(Row._make, heapq.merge(*map(self._read, range(len(self._lots))), key=_order))
        while batch := list(islice(rows, size)):
            yield batch

    def _write(self) -> None:
        self._lot.sort(key=_order)
        blocks = range(0, len(self._lot), BLOCK)
        self._lots.append((self._file.tell(), len(blocks)))
        for start in blocks:
            # Whole, since reading a value straight from a file asks for a few bytes at a time.
            data = marshal.dumps(self._lot[start : start + BLOCK])
            self._file.write(_SIZE.pack(len(data)) + data)
        self._lot = []

    def _read(self, number: int) -> Iterator[tuple[Any, ...]]:
        place, blocks = self._lots[number]
        for _ in range(blocks):
            self._file.seek(place)
            (size,) = _SIZE.unpack(self._file.read(_SIZE.size))
            # What it reads it has written itself.
            block = marshal.loads(self._file.read(size))  # noqa: S302
            place += _SIZE.size + size
            yield from block
