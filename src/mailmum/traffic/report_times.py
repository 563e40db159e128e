"""Contacts over time, in bounded memory whatever the period.

They are counted by the minute at first.  When there are too many minutes the rows are added up to
longer ones, and so on: nothing is lost but detail that no chart of such a period could show.
"""

from bisect import bisect_right
from collections.abc import Sequence

from mailmum.traffic.kinds import KINDS, Kind

_MOST = 10_000
# Each a multiple of the one before; a quarter of an hour suits every zone's days.
_STEPS = (60, 300, 900, 3600, 21600, 86400)
# The year 9000: a clock that was never set may say anything, and calendars end with 9999.
_LATEST = 221_845_392_000


class Times:
    """Contacts by kind and time.

    Attributes:
        step: seconds of a row.
    """

    def __init__(self, most: int = _MOST) -> None:
        self.step = _STEPS[0]
        self._most = most
        self._rows: dict[int, list[int]] = {}
        self._row = [0] * len(KINDS)
        self._begin = self._end = 0
        self._low, self._high = float("inf"), float("-inf")

    def add(self, time: float, kind: int) -> None:
        """Count a contact; `kind` is its place in `KINDS`."""
        if self._begin <= time < self._end:
            # Most contacts come in the same row as the one before.
            self._row[kind] += 1
            if time > self._high:
                self._high = time
            elif time < self._low:
                self._low = time
            return
        time = min(max(time, 0.0), _LATEST)
        self._low, self._high = min(self._low, time), max(self._high, time)
        key = int(time) // self.step
        while key not in self._rows and len(self._rows) >= self._most:
            self._coarsen()
            key = int(time) // self.step
        self._row = self._rows.setdefault(key, [0] * len(KINDS))
        self._row[kind] += 1
        self._begin, self._end = key * self.step, (key + 1) * self.step

    @property
    def first(self) -> float | None:
        """Unix time of the earliest contact."""
        return self._low if self._rows else None

    @property
    def last(self) -> float | None:
        """Unix time of the latest."""
        return self._high if self._rows else None

    def counts(self, edges: Sequence[float]) -> dict[Kind, list[int]]:
        """Contacts of each kind between the edges; what lies outside counts in the nearest."""
        found = [[0] * (len(edges) - 1) for _ in KINDS]
        for key, row in self._rows.items():
            at = bisect_right(edges, key * self.step) - 1
            at = min(max(at, 0), len(edges) - 2)
            for kind, count in enumerate(row):
                found[kind][at] += count
        return dict(zip(KINDS, found, strict=True))

    def _coarsen(self) -> None:
        place = _STEPS.index(self.step) + 1 if self.step in _STEPS else len(_STEPS)
        step = _STEPS[place] if place < len(_STEPS) else self.step * 4
        rows: dict[int, list[int]] = {}
        for key, row in self._rows.items():
            into = rows.setdefault(key * self.step // step, [0] * len(KINDS))
            for kind, count in enumerate(row):
                into[kind] += count
        self.step, self._rows = step, rows


def gaps(totals: Sequence[int], least: int = 30) -> list[tuple[int, int]]:
    """Stretches where nothing was seen though much was to be expected.

    A run of empty buckets between others counts when at least `least` contacts would have come in
    it at the average of the buckets that are not empty.

    >>> gaps([40, 0, 0, 38, 0])
    [(1, 3)]
    """
    busy = [count for count in totals if count]
    if not busy:
        return []
    average = sum(busy) / len(busy)
    first = next(at for at, count in enumerate(totals) if count)
    found = []
    begin: int | None = None
    for at, count in enumerate(totals):
        if count and begin is not None:
            if average * (at - begin) >= least:
                found.append((begin, at))
            begin = None
        elif not count and begin is None and at > first:
            begin = at
    return found
