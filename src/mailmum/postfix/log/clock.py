"""Stamps of log lines as Unix times.

BSD stamps (`Nov 25 10:00:07`) have neither year nor zone.  The zone is a setting; the year is the
latest that does not put the line more than a day into the future, each line by itself, so that logs
across New Year and lines out of order need no special care.  A 29 February is in a leap year.

A log has few different minutes and many lines: what a minute means is worked out once.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_SLACK = 86400.0
_KEPT = 4096
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_BSD = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d(?:[.,]\d{1,12})?)"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
_SECONDS = re.compile(r"\d\d(?:\.\d{1,12})?", re.ASCII)


class Clock:
    """Reads stamps, given the time of reading and the zone of stamps that name none."""

    def __init__(self, now: float, zone: tzinfo) -> None:
        self._now = now
        self._zone = zone
        self._minutes: dict[str, float] = {}

    @property
    def now(self) -> float:
        """The latest time of reading told so far."""
        return self._now

    def set(self, now: float) -> None:
        """It is later now: followed logs go on for years."""
        if now > self._now:
            self._now = now
            self._minutes.clear()

    def read(self, stamp: str) -> float | None:
        """Unix time of a stamp, BSD or RFC 3339; None for what is neither."""
        if stamp[:1].isalpha():
            return self._bsd(stamp)
        if len(stamp) == 32 and stamp[19] == ".":
            # rsyslog's own: all but seconds and fraction is the same for many lines.
            minute = stamp[:17] + stamp[26:]
            base = self._minutes.get(minute)
            if base is not None and _SECONDS.fullmatch(stamp, 17, 26):
                return base + float(stamp[17:26])
        return self._iso(stamp)

    def _bsd(self, stamp: str) -> float | None:
        base = self._minutes.get(stamp[:13])
        if base is None:
            found = _BSD.match(stamp)
            month = _MONTHS.get(found[1]) if found else None
            if found is None or month is None:
                return None
            base = self._minute(month, int(found[2]), int(found[3]), int(found[4]))
            if base is None:
                return None
            self._keep(stamp[:13], base)
        seconds = stamp[13:]
        return base + float(seconds) if _SECONDS.fullmatch(seconds) else None

    def _minute(self, month: int, day: int, hour: int, minute: int) -> float | None:
        latest = self._now + _SLACK
        year = datetime.fromtimestamp(latest, self._zone).year
        # Nine years hold a leap year, also around 2100.
        for past in range(9):
            try:
                moment = datetime(year - past, month, day, hour, minute, tzinfo=self._zone)
            except ValueError:
                continue
            if moment.timestamp() <= latest:
                return moment.timestamp()
        return None

    def _iso(self, stamp: str) -> float | None:
        found = _ISO.fullmatch(stamp)
        if found is None:
            return None
        year, month, day, hour, minute, seconds, utc, sign, hours, minutes = found.groups()
        zone = self._zone
        if utc:
            zone = UTC
        elif sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            if offset >= timedelta(days=1):
                return None
            zone = timezone(-offset if sign == "-" else offset)
        try:
            moment = datetime(
                int(year), int(month), int(day), int(hour), int(minute), tzinfo=zone
            ).timestamp()
        except (ValueError, OverflowError):
            return None
        if len(stamp) == 32:
            self._keep(stamp[:17] + stamp[26:], moment)
        return moment + float(seconds.replace(",", "."))

    def _keep(self, minute: str, base: float) -> None:
        if len(self._minutes) >= _KEPT:
            self._minutes.clear()
        self._minutes[minute] = base


def stamp_of(time: float) -> str:
    """A stamp that reads as this time, for lines whose header tells it in another form.

    >>> stamp_of(1764154807.25)
    '2025-11-26T11:00:07.250000+00:00'
    """
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds")
