"""What a rule would have done: the judge that runs live, over what is kept of the past.

Of the past there are counts by the hour, for very many clients of which hardly any comes near the
threshold.  So they are sifted first: in one pass in the order of time those are found that could
reach it at all, whatever the minutes were.  Only for them the single contacts are looked at, where
these are still kept.

    >>> sieve = Sieve(threshold=4, window=600)
    >>> sieve.take([(0, "a", 3), (0, "b", 1), (3600, "a", 2), (9000, "b", 1)])
    >>> sieve.found
    {'a': [(0, 'a', 3), (3600, 'a', 2)]}

What no later row can add to is taken from it and judged while the rest is still being read, so that
the rows of who is listed by then need not be read at all until the listing ends.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from mailmum.traffic.periods import HOUR
from mailmum.triggers.contacts import Contact
from mailmum.triggers.decisions import Decision, Kind
from mailmum.triggers.judge import Judge

Row = tuple[Any, ...]


@dataclass(slots=True)
class Outcome:
    """What a rule would have done.

    Attributes:
        listed: the listings that it would have made, in the order in which they begin.
        spared: whom it would have listed but for a protection.
    """

    listed: list[Decision] = field(default_factory=list)
    spared: list[Decision] = field(default_factory=list)

    def note(self, decision: Decision) -> None:
        """Take a decision in."""
        if decision.kind is Kind.LIST:
            self.listed.append(decision)
        elif decision.kind is Kind.SPARE:
            self.spared.append(decision)


class Sieve:
    """Finds who can have reached a threshold, with the rows that matter.

    Args:
        threshold: how many are enough.
        window: within which time, in seconds.
        each: whether a row counts once, whatever its count says.
    """

    def __init__(self, threshold: int, window: int, *, each: bool = False) -> None:
        self.found: dict[Any, list[Row]] = {}
        # The last row of everybody else, and all that matter of who came several times.  Plain
        # tuples cost the garbage collector nothing; a list for each of millions is half the time.
        self._last: dict[Any, Row] = {}
        self._several: dict[Any, list[Row]] = {}
        self._threshold, self._each = threshold, each
        # Two contacts within the window are in hours that begin less than this apart.
        self._apart = window + HOUR
        self._newest = 0

    def take(self, rows: Iterable[Row]) -> None:
        """Sift rows: beginning of an hour, group, count, and whatever else; in order of time."""
        self._tidy()
        found, last, apart = self.found, self._last, self._apart
        # One row is enough when its count is, and never when each counts once.
        enough = math.inf if self._each and self._threshold > 1 else self._threshold
        row: Row = (self._newest,)
        for row in rows:
            key = row[1]
            before = last.get(key)
            if before is not None and before[0] > row[0] - apart:
                self._again(key, before, row)
            elif key in found:
                found[key].append(row)
            elif row[2] >= enough:
                found[key] = [row]
                last.pop(key, None)
            else:
                # Most come back much later, if at all: nothing before can matter any more.
                last[key] = row
        self._newest = row[0]

    def taken(self, until: float = math.inf) -> list[Row]:
        """Rows that were found, each told once: those to which later ones cannot add any before.

        Args:
            until: where the rows that come next begin.
        """
        ready: list[Row] = []
        edge = until - self._apart
        for key, rows in self.found.items():
            if rows and rows[0][0] <= edge:
                place = bisect_right(rows, edge, key=itemgetter(0))
                ready += rows[:place]
                self.found[key] = rows[place:]
        return ready

    def _again(self, key: Any, before: Row, row: Row) -> None:
        """Take a row of somebody who came shortly before."""
        until = row[0] - self._apart
        kept = self._several.pop(key, None)
        # Those of an earlier time do not end with the row before this one.
        rows = [before] if kept is None or kept[-1] is not before else kept
        rows = [*(one for one in rows if one[0] > until), row]
        many = len(rows) if self._each else sum(one[2] for one in rows)
        if many >= self._threshold:
            self.found[key] = rows
            del self._last[key]
        else:
            self._several[key] = rows
            self._last[key] = row

    def _tidy(self) -> None:
        """Forget who has not come for so long that it matters no more."""
        until = self._newest - self._apart
        self._last = {key: row for key, row in self._last.items() if row[0] > until}
        self._several = {key: rows for key, rows in self._several.items() if key in self._last}


def run(
    judge: Judge, contacts: Iterable[Contact], outcome: Outcome | None = None
) -> Iterator[Outcome]:
    """Judge contacts; the outcome so far after each, the same object every time.

    Args:
        judge: what decides; its rule has no brake, which would end it (see `brake.first_stop`).
        contacts: the next ones, in the order of time.
        outcome: of those before them, which is added to.
    """
    outcome = Outcome() if outcome is None else outcome
    for contact in contacts:
        for decision in judge.take(contact):
            outcome.note(decision)
        yield outcome
    yield outcome
