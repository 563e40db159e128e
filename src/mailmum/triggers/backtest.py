"""What a rule would have done: the judge that runs live, over what is kept of the past.

Of the past there are counts by the hour, for very many clients of which hardly any comes near the
threshold.  So they are sifted first: in one pass in the order of time those are found that could
reach it at all, whatever the minutes were.  Only for them the single contacts are looked at, where
these are still kept.

    >>> rows = [(0, "a", 3), (0, "b", 1), (3600, "a", 2), (9000, "b", 1)]
    >>> sift(rows, threshold=4, window=600)
    {'a': [(0, 3), (3600, 2)]}
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from mailmum.traffic.periods import HOUR
from mailmum.triggers.contacts import Contact
from mailmum.triggers.decisions import Decision, Kind
from mailmum.triggers.judge import Judge

Key = TypeVar("Key", bound=Hashable)


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


def sift(
    rows: Iterable[tuple[int, Key, int]], threshold: int, window: int
) -> dict[Key, list[tuple[int, int]]]:
    """Who can have reached a threshold, with the hours and counts that matter.

    Args:
        rows: beginning of an hour, group and count, in the order of time.
        threshold: how many are enough.
        window: within which time, in seconds.
    """
    # Two contacts within the window are in hours that begin less than this apart.
    apart = window + HOUR
    found: dict[Key, list[tuple[int, int]]] = {}
    waiting: dict[Key, list[tuple[int, int]]] = {}
    for start, key, count in rows:
        if (taken := found.get(key)) is not None:
            taken.append((start, count))
        elif count >= threshold and key not in waiting:
            found[key] = [(start, count)]
        elif (hours := waiting.get(key)) is None:
            waiting[key] = [(start, count)]
        else:
            while hours and hours[0][0] <= start - apart:
                del hours[0]
            hours.append((start, count))
            if sum(one for _, one in hours) >= threshold:
                found[key] = waiting.pop(key)
    return found


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
