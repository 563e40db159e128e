"""When to tell: gathered for a while, and not in the quiet hours of the account's zone.

Quiet hours are minutes of the day there, from one to another; from 22:00 to 07:00 goes over
midnight.  Days with a change of clocks have hours twice or not at all: what counts is what the
clock on the wall shows.

>>> from zoneinfo import ZoneInfo
>>> berlin = ZoneInfo("Europe/Berlin")
>>> night = Quiet(22 * 60, 7 * 60, berlin)
>>> night.ends(datetime(2026, 11, 27, 23, 30, tzinfo=berlin).timestamp()) == (
...     datetime(2026, 11, 28, 7, 0, tzinfo=berlin).timestamp())
True
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown

_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours; with the same beginning and end there are none."""

    start: int
    end: int
    zone: ZoneInfo

    def holds(self, at: float) -> bool:
        """Whether a moment lies in them."""
        local = datetime.fromtimestamp(at, self.zone)
        minute = local.hour * 60 + local.minute
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def ends(self, at: float) -> float:
        """When they end that a moment lies in; the moment itself outside of them."""
        if not self.holds(at):
            return at
        # To the next whole minute, then minute by minute in real time: however clocks change,
        # this is the first moment that the wall clock shows outside.
        moment = float(int(at) // 60 * 60)
        for _ in range(3 * _DAY):
            moment += 60
            if not self.holds(moment):
                return moment
        return at


def quiet_hours(start: int | None, end: int | None, zone: str) -> Quiet | None:
    """Quiet hours, None when there are none."""
    if start is None or end is None or start == end:
        return None
    return Quiet(start, end, ZoneInfo(zone))


def latest_weekly(now: float, zone: str, day: int, hour: int) -> float:
    """The latest moment up to now of a weekday (0: Monday) and hour in a zone."""
    where = ZoneInfo(zone)
    local = datetime.fromtimestamp(now, where)
    back = (local.weekday() - day) % 7
    wanted = datetime(local.year, local.month, local.day, hour, tzinfo=where) - timedelta(days=back)
    if wanted.timestamp() > now:
        wanted -= timedelta(days=7)
    return wanted.astimezone(UTC).timestamp()


def parse_minute(text: str, *, field: str) -> int:
    """Read a time of day, in minutes.

    >>> parse_minute("22:30", field="quiet_from")
    1350

    Raises:
        BadInput: it is none.
    """
    hours, colon, minutes = text.strip().partition(":")
    digits = hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()
    if not (colon and digits and len(hours) <= 2 and len(minutes) == 2):
        raise _no_time(text, field)
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute >= _DAY:
        raise _no_time(text, field)
    return minute


def minute_text(minute: int | None) -> str:
    """A time of day; empty for None.

    >>> minute_text(1350)
    '22:30'
    """
    return "" if minute is None else f"{minute // 60:02}:{minute % 60:02}"


def _no_time(text: str, field: str) -> BadInput:
    return BadInput(f"{shown(text)} is no time of day", fix="write for example 22:00", field=field)
