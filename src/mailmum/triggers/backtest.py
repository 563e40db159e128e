"""What a rule would have done: the judge that runs live, over what is kept of the past.

Of the past there are counts by the hour, for very many clients of which hardly any comes near the
threshold.  So they are sifted first: in one pass in the order of time those are found that could
reach it at all, whatever the minutes were.  Only for them the single contacts are looked at, where
these are still kept.

    >>> sieve = Sieve(threshold=4, window=600)
    >>> sieve.take([(0, "a", 3), (0, "b", 1), (3600, "a", 2), (9000, "b", 1)])
    >>> sieve.found
    {'a': [(0, 'a', 3), (3600, 'a', 2)]}
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
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
        stopped: when the brake would have stopped it first, None for never.
    """

    listed: list[Decision] = field(default_factory=list)
    spared: list[Decision] = field(default_factory=list)
    stopped: Decision | None = None


class Sieve:
    """Finds who can have reached a threshold, with the rows that matter.

    Args:
        threshold: how many are enough.
        window: within which time, in seconds.
    """

    def __init__(self, threshold: int, window: int) -> None:
        self.found: dict[Any, list[Row]] = {}
        self._waiting: dict[Any, list[Row]] = {}
        self._threshold = threshold
        # Two contacts within the window are in hours that begin less than this apart.
        self._apart = window + HOUR

    def take(self, rows: Iterable[Row]) -> None:
        """Sift rows: beginning of an hour, group, count, and whatever else; in order of time."""
        found, waiting = self.found, self._waiting
        self._tidy()
        threshold, apart = self._threshold, self._apart
        for row in rows:
            start, key, count = row[0], row[1], row[2]
            if key in found:
                found[key].append(row)
            elif (hours := waiting.get(key)) is None:
                if count >= threshold:
                    found[key] = [row]
                else:
                    waiting[key] = [row]
            elif hours[-1][0] <= start - apart:
                # Most come back much later, if at all: nothing before can matter any more.
                if count >= threshold:
                    del waiting[key]
                    found[key] = [row]
                else:
                    hours[:] = [row]
            else:
                hours.append(row)
                if _reaches(hours, start - apart, threshold):
                    found[key] = waiting.pop(key)

    def _tidy(self) -> None:
        """Forget who has not come for so long that it matters no more."""
        newest = max((rows[-1][0] for rows in self._waiting.values()), default=0)
        until = newest - self._apart
        old = [key for key, rows in self._waiting.items() if rows[-1][0] <= until]
        for key in old:
            del self._waiting[key]


def _reaches(hours: list[Row], until: int, threshold: int) -> bool:
    while hours[0][0] <= until:
        del hours[0]
    reached: bool = sum(row[2] for row in hours) >= threshold
    return reached


def run(judge: Judge, contacts: Iterable[Contact]) -> Iterator[Outcome]:
    """Judge contacts; the outcome so far after each, the same object every time."""
    outcome = Outcome()
    for contact in contacts:
        for decision in judge.take(contact):
            if decision.kind is Kind.LIST:
                outcome.listed.append(decision)
            elif decision.kind is Kind.SPARE:
                outcome.spared.append(decision)
            elif outcome.stopped is None:
                outcome.stopped = decision
        yield outcome
    yield outcome
