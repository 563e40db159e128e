"""Stretches of time that pages show, in minutes, hours or days.

>>> found = range_of("week", now=1_790_000_000.0)
>>> found.step, len(found.starts), found.until > 1_790_000_000
(3600, 168, True)
>>> found.before.until == found.since
True
"""

from dataclasses import dataclass

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.traffic.periods import DAY, HOUR, MINUTE, end_of, start_of

WORDS = {"hour": (MINUTE, 60), "day": (HOUR, 24), "week": (HOUR, 168), "month": (DAY, 31)}
"""What can be chosen: the step, and how many of them."""
_MOST = 400


@dataclass(frozen=True, slots=True)
class Range:
    """From `since` up to but not including `until`, both whole steps."""

    since: int
    until: int
    step: int

    @property
    def starts(self) -> range:
        """When each step begins."""
        return range(self.since, self.until, self.step)

    @property
    def before(self) -> "Range":
        """The stretch of the same length before this."""
        return Range(2 * self.since - self.until, self.since, self.step)


def range_of(word: str, *, now: float) -> Range:
    """The last hour, day, week or month; the step that has begun is the last.

    Raises:
        BadInput: it is none of these words.
    """
    if word not in WORDS:
        raise BadInput(
            f"{shown(word)} is no stretch of time", fix=f"one of {', '.join(WORDS)}", field="range"
        )
    step, count = WORDS[word]
    until = start_of(now, step) + step
    return Range(until - count * step, until, step)


def between(since: float, until: float) -> Range:
    """Any stretch, in the steps that show it best.

    Raises:
        BadInput: it ends before it begins, or has too many days.
    """
    if not since < until:
        raise BadInput("the time ends before it begins", fix="exchange them", field="until")
    step = next((one for one in (MINUTE, HOUR) if until - since <= 200 * one), DAY)
    found = Range(start_of(since, step), end_of(until, step), step)
    if len(found.starts) > _MOST:
        raise BadInput(f"that is more than {_MOST} days", fix="choose fewer", field="since")
    return found
