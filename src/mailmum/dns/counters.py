"""What the engine counts: verdicts by server and list, uses of revoked keys, faults by kind.

Counting must cost next to nothing and can never be allowed to fill the memory, so the hot path adds
to a small list it already holds (`cell`), tables have limits, and what does not fit is counted as
lost.  `take` hands a batch over and begins anew; it runs in the thread that answers, so that
nothing is added in between.

A verdict is counted for each A query about one client: mail servers ask for TXT only after that,
and counting both would count clients twice.  Test entries are not counted.

    >>> counters = Counters()
    >>> counters.cell(7, "bl")[BLOCK] += 1
    >>> counters.take().verdicts
    (VerdictCount(server=7, list='bl', verdict='block', count=1),)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

_Key = TypeVar("_Key")

NONE, BLOCK, ALLOW = range(3)
WORDS = ("none", "block", "allow")

LIMIT = 200_000
"""Most cells, and most of anything else, that are kept between two batches."""


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """So many clients got this verdict in answers of this list to this server."""

    server: int
    list: str
    verdict: str
    count: int


@dataclass(frozen=True, slots=True)
class RevokedCount:
    """So many queries came with this revoked key of a server."""

    server: int
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class CountBatch:
    """Counts of a stretch of time.

    Attributes:
        verdicts: at most one entry for each server, list and word.
        revoked: at most one entry for each key.
        faults: pairs of kind and count, such as `("formerr", 3)`.
        lost: counts that found no room.
    """

    verdicts: tuple[VerdictCount, ...] = ()
    revoked: tuple[RevokedCount, ...] = ()
    faults: tuple[tuple[str, int], ...] = ()
    lost: int = 0

    def __bool__(self) -> bool:
        return bool(self.verdicts or self.revoked or self.faults or self.lost)


class Counters:
    """Running counts of one engine."""

    __slots__ = ("_cells", "_faults", "_limit", "_lost", "_revoked")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._cells: dict[tuple[int, str], list[int]] = {}
        self._revoked: dict[tuple[int, str], int] = {}
        self._faults: dict[str, int] = {}
        self._lost = [0, 0, 0]

    def cell(self, server: int, list_: str) -> list[int]:
        """The counts of one server and list, to be added to in place, indexed by `NONE` and so on.

        It stays valid for the life of the counters.
        """
        key = (server, list_)
        cell = self._cells.get(key)
        if cell is None:
            if len(self._cells) >= self._limit:
                return self._lost
            cell = self._cells[key] = [0, 0, 0]
        return cell

    def revoked(self, server: int, key: str) -> None:
        """A query with a revoked key."""
        use = (server, key)
        if use in self._revoked or len(self._revoked) < self._limit:
            self._revoked[use] = self._revoked.get(use, 0) + 1
        else:
            self._lost[NONE] += 1

    def fault(self, kind: str, count: int = 1) -> None:
        """A packet that got no ordinary answer; `kind` is one of a few words of our own."""
        self._faults[kind] = self._faults.get(kind, 0) + count

    def take(self) -> CountBatch:
        """The counts since the last call, which begin at zero again."""
        verdicts: list[VerdictCount] = []
        for (server, list_), cell in self._cells.items():
            for word, count in zip(WORDS, cell, strict=True):
                if count:
                    verdicts.append(VerdictCount(server, list_, word, count))
            cell[:] = (0, 0, 0)
        revoked = tuple(RevokedCount(*use, count) for use, count in self._revoked.items())
        batch = CountBatch(tuple(verdicts), revoked, tuple(self._faults.items()), sum(self._lost))
        self._revoked, self._faults = {}, {}
        self._lost[:] = (0, 0, 0)
        return batch


def merge(batches: Iterable[CountBatch], limit: int = LIMIT) -> CountBatch:
    """One batch with the sums of several, of at most `limit` entries of each sort."""
    verdicts: dict[tuple[int, str, str], int] = {}
    revoked: dict[tuple[int, str], int] = {}
    faults: dict[tuple[str], int] = {}
    lost = 0
    for batch in batches:
        lost += batch.lost
        for verdict in batch.verdicts:
            key = (verdict.server, verdict.list, verdict.verdict)
            lost += _add(verdicts, key, verdict.count, limit)
        for use in batch.revoked:
            lost += _add(revoked, (use.server, use.key), use.count, limit)
        for kind, count in batch.faults:
            lost += _add(faults, (kind,), count, limit)
    return CountBatch(
        tuple(VerdictCount(*key, count) for key, count in verdicts.items()),
        tuple(RevokedCount(*use, count) for use, count in revoked.items()),
        tuple((kind, count) for (kind,), count in faults.items()),
        lost,
    )


def _add(sums: dict[_Key, int], key: _Key, count: int, limit: int) -> int:
    """Add up; how much found no room."""
    if key not in sums and len(sums) >= limit:
        return count
    sums[key] = sums.get(key, 0) + count
    return 0
