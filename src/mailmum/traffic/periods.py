"""Minutes, hours and days, in seconds; days are those of UTC.

>>> start_of(7265, HOUR), end_of(7265, HOUR)
(7200, 10800)
"""

from dataclasses import dataclass

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (MINUTE, HOUR, DAY)


@dataclass(frozen=True, slots=True)
class Span:
    """Whole periods: from `first`, which begins one, up to but not including `last`."""

    step: int
    first: int
    last: int

    @property
    def starts(self) -> range:
        """When each of them begins."""
        return range(self.first, self.last, self.step)


def start_of(seconds: float, step: int) -> int:
    """When the minute, hour or day begins that holds this moment."""
    return int(seconds // step) * step


def end_of(seconds: float, step: int) -> int:
    """When the minute, hour or day ends that holds what is just before this moment."""
    return -int(-seconds // step) * step


def cover(since: float, until: float, hours_since: float) -> list[Span]:
    """The fewest periods that hold a stretch of time: days, with hours at both ends.

    The ends are widened to whole hours, and to whole days where there are no hours any more.

    >>> [(span.step, span.first, span.last) for span in cover(18_000, 180_000, 0)]
    [(3600, 18000, 86400), (86400, 86400, 172800), (3600, 172800, 180000)]

    Args:
        since: Unix time in seconds, inclusive.
        until: likewise, exclusive.
        hours_since: from when on there are hours.
    """
    first, last = start_of(since, HOUR), end_of(until, HOUR)
    horizon = end_of(hours_since, DAY)
    if first < horizon:
        first = start_of(first, DAY)
    if start_of(last, DAY) < horizon:
        last = end_of(last, DAY)
    whole, rest = end_of(first, DAY), start_of(last, DAY)
    if whole > rest:  # within one day
        spans = [Span(HOUR, first, last)]
    else:
        spans = [Span(HOUR, first, whole), Span(DAY, whole, rest), Span(HOUR, rest, last)]
    return [span for span in spans if span.first < span.last]
