"""Time cut into buckets that people recognise: minutes, hours, days, weeks, months of their zone.

From an hour on buckets follow the clock on the wall, so a day on which it is put back has 25 hours.

    >>> from datetime import UTC
    >>> cut(0, 7200, UTC, most=4).names()
    ('Thu 1 Jan 00:00', 'Thu 1 Jan 01:00', 'Thu 1 Jan 02:00')
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import Enum
from itertools import islice
from typing import NamedTuple

DAY = 86400


class Step(Enum):
    """The length of a bucket in seconds; of a month at least, since months differ."""

    MINUTE = 60
    FIVE_MINUTES = 300
    QUARTER = 900
    HOUR = 3600
    THREE_HOURS = 3 * 3600
    SIX_HOURS = 6 * 3600
    DAY = DAY
    WEEK = 7 * DAY
    MONTH = 28 * DAY
    YEAR = 365 * DAY
    # No log lasts so long, but a clock that was never set can make it seem so.
    DECADE = 3652 * DAY
    CENTURY = 36524 * DAY

    @property
    def per(self) -> str:
        """What follows a count of one bucket."""
        return _PER[self]


_YEARS = {Step.YEAR: 1, Step.DECADE: 10, Step.CENTURY: 100}
_PER = {
    Step.MINUTE: "a minute",
    Step.FIVE_MINUTES: "in 5 minutes",
    Step.QUARTER: "in 15 minutes",
    Step.HOUR: "an hour",
    Step.THREE_HOURS: "in 3 hours",
    Step.SIX_HOURS: "in 6 hours",
    Step.DAY: "a day",
    Step.WEEK: "a week",
    Step.MONTH: "a month",
    Step.YEAR: "a year",
    Step.DECADE: "in 10 years",
    Step.CENTURY: "in 100 years",
}


class Tick(NamedTuple):
    """A label below the axis: at the beginning of which bucket; `minor` ones may be hidden."""

    bucket: int
    text: str
    minor: bool


@dataclass(frozen=True, slots=True)
class Buckets:
    """A stretch of time in buckets.

    Attributes:
        step: how long each is.
        edges: Unix times at which they begin, and at last the end of the last.
        zone: whose clock labels show.
    """

    step: Step
    edges: tuple[float, ...]
    zone: tzinfo

    def __len__(self) -> int:
        return len(self.edges) - 1

    def find(self, time: float) -> int:
        """The bucket of a moment; outside of the stretch the nearest."""
        return min(max(bisect_right(self.edges, time) - 1, 0), len(self) - 1)

    def local(self, bucket: int) -> datetime:
        """When a bucket begins, by the clock."""
        return datetime.fromtimestamp(self.edges[bucket], self.zone)

    def names(self) -> tuple[str, ...]:
        """Each bucket in words."""
        return tuple(_name(self.step, self.local(at)) for at in range(len(self)))

    def ticks(self, most: int = 9) -> tuple[Tick, ...]:
        """Labels for the axis, at most so many.

        Hours between days are minor, else every second label is.
        """
        moments = [self.local(at) for at in range(len(self))]
        for rule in _RULES:
            found = list(islice(self._labels(rule, moments), most + 1))
            if 1 <= len(found) <= most:
                break
        else:
            return ()
        clock = [":" in text for _, text in found]
        mixed = any(clock) and not all(clock)
        return tuple(
            Tick(at, text, clock[number] if mixed else number % 2 == 1)
            for number, (at, text) in enumerate(found)
        )

    def _labels(self, rule: "_Rule", moments: list[datetime]) -> Iterator[tuple[int, str]]:
        for at, moment in enumerate(moments):
            text = rule(self.step, moment)
            if text:
                yield at, text


def cut(first: float, last: float, zone: tzinfo, most: int = 170) -> Buckets:
    """The time from `first` to `last` in the shortest buckets of which `most` are enough.

    Calendars end with the year 9999: `last` must lie a century before that.
    """
    step = next((step for step in Step if (last - first) / step.value <= most - 2), Step.CENTURY)
    return Buckets(step, tuple(_edges(step, first, last, zone)), zone)


def _edges(step: Step, first: float, last: float, zone: tzinfo) -> Iterator[float]:
    moment = _floor(step, datetime.fromtimestamp(first, zone))
    edge = moment.timestamp()
    if step.value <= Step.HOUR.value:
        while edge <= last:
            yield edge
            edge += step.value
        yield edge
        return
    before = edge - 1
    while edge <= last:
        if edge > before:
            yield edge
            before = edge
        moment = _next(step, moment)
        edge = moment.timestamp()
    yield edge


def _floor(step: Step, moment: datetime) -> datetime:
    if step.value <= Step.HOUR.value:
        minutes = step.value // 60
        return moment.replace(minute=moment.minute // minutes * minutes, second=0, microsecond=0)
    hours = step.value // 3600
    hour = moment.hour // hours * hours if step.value < DAY else 0
    floor = moment.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    if step is Step.WEEK:
        return floor - timedelta(days=floor.weekday())
    if step is Step.MONTH:
        return floor.replace(day=1)
    years = _YEARS.get(step)
    if years is None:
        return floor
    return floor.replace(year=max(floor.year // years * years, 1), month=1, day=1)


def _next(step: Step, moment: datetime) -> datetime:
    # By the clock on the wall: adding to a local time leaves the zone's offset out.
    if step is Step.MONTH:
        return (moment + timedelta(days=31)).replace(day=1)
    years = _YEARS.get(step)
    if years is not None:
        return moment.replace(year=moment.year // years * years + years)
    return moment + timedelta(seconds=step.value)


def _name(step: Step, moment: datetime) -> str:
    if step in _YEARS:
        last = moment.year + _YEARS[step] - 1
        return str(moment.year) if step is Step.YEAR else f"{moment.year} to {last}"
    if step is Step.MONTH:
        return f"{moment:%b} {moment.year}"
    day = day_text(moment)
    if step is Step.WEEK:
        return f"week from {day} {moment.year}"
    return day if step is Step.DAY else f"{day} {moment:%H:%M}"


def day_text(moment: datetime) -> str:
    """A day in words.

    >>> day_text(datetime(2026, 11, 6))
    'Fri 6 Nov'
    """
    return f"{moment:%a} {moment.day} {moment:%b}"


class _Rule(NamedTuple):
    """Which buckets are labelled: those that begin at such minutes, hours, days or months."""

    minutes: int = 0
    days: int = 0
    months: int = 0

    def __call__(self, step: Step, moment: datetime) -> str:
        """The label of a bucket that begins then, or nothing."""
        if self.minutes:
            return _clock_label(step, moment, self.minutes)
        if moment.hour or moment.minute:
            return ""
        if self.days:
            on = moment.toordinal() % self.days == 1 % self.days
            return _day_label(moment, self.days) if on and step.value <= Step.WEEK.value else ""
        return _month_label(step, moment, self.months)


def _clock_label(step: Step, moment: datetime, minutes: int) -> str:
    minute = 60 * moment.hour + moment.minute
    if step.value >= DAY or minute % minutes:
        return ""
    return f"{moment:%H:%M}" if minute else _day_label(moment)


def _day_label(moment: datetime, apart: int = 1) -> str:
    if apart > 2:
        return f"{moment.day} {moment:%b}"
    return day_text(moment) if moment.day == 1 else f"{moment:%a} {moment.day}"


def _month_label(step: Step, moment: datetime, months: int) -> str:
    begins = moment.day <= (7 if step is Step.WEEK else 1)
    years = max(months // 12, 1)
    if not begins or (moment.month - 1) % min(months, 12) or moment.year % years:
        return ""
    return str(moment.year) if moment.month == 1 else f"{moment:%b}"


# From the closest to the widest: the first that leaves few enough labels is taken.
_RULES = (
    *(_Rule(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(_Rule(days=days) for days in (1, 2, 7, 14)),
    *(_Rule(months=months) for months in (1, 2, 3, 6, 12, 24, 60, 120, 600, 2400, 12000)),
)
