"""The stretch of time that the address of a page asks for.

`?range=week` is one of four words and ends now, so that an address can be kept;
`?since=...&until=...` is any time, and what zooming leads to.  Moments are RFC 3339, or without a
zone as a form field gives them, in the reader's.

>>> moment_text(1_790_000_000)
'2026-09-21T14:13:20Z'
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from mailmum.control.monitor.ranges import WORDS, Range, between, range_of
from mailmum.domain.errors import BadInput
from mailmum.domain.moments import parse_moment
from mailmum.traffic.periods import DAY, HOUR, end_of, start_of

USUAL = "week"
CHOICES = (("hour", "Hour"), ("day", "Day"), ("week", "Week"), ("month", "Month"))
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time.

    Attributes:
        word: one of the four, empty for another.
        range: the time itself, in the steps that show it.
        now: our own clock.
    """

    word: str
    range: Range
    now: float

    @property
    def query(self) -> dict[str, str]:
        """What asks for it."""
        if self.word:
            return {} if self.word == USUAL else {"range": self.word}
        return {"since": moment_text(self.range.since), "until": moment_text(self.range.until)}

    @property
    def before(self) -> str:
        """What comes before it, in words."""
        return f"the {self.word} before" if self.word else "the same time before"

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.range.until > self.now

    @property
    def elapsed(self) -> float:
        """How much of it is over, up to 1."""
        whole = self.range.until - self.range.since
        return min(max((self.now - self.range.since) / whole, 0.001), 1.0)

    @property
    def hours(self) -> Range:
        """The same in whole hours: by server, client and list there is nothing shorter."""
        found = self.range
        return Range(start_of(found.since, HOUR), end_of(found.until, HOUR), HOUR)

    @property
    def widened(self) -> bool:
        """Whether those are more."""
        return (self.range.since, self.range.until) != (self.hours.since, self.hours.until)

    @property
    def zone(self) -> tzinfo:
        """Whose clock its steps are shown by: days are those of UTC."""
        local = timezone.get_current_timezone()
        offset = datetime.fromtimestamp(self.range.since, local).utcoffset()
        odd = offset is not None and offset.total_seconds() % 3600 and self.range.step >= 3600
        return UTC if self.range.step == DAY or odd else local

    @property
    def is_utc(self) -> bool:
        """Whether that is UTC though the reader's clock is another."""
        return self.zone is UTC and timezone.get_current_timezone_name() != "UTC"

    @property
    def earlier(self) -> str:
        """The address's part for the stretch before this one."""
        before = self.range.before
        return _dates(before.since, before.until)

    @property
    def later(self) -> str:
        """Likewise for the one after, empty when this one has not ended."""
        length = self.range.until - self.range.since
        return "" if self.running else _dates(self.range.until, self.range.until + length)

    @property
    def wider(self) -> str:
        """Likewise for three times as much around it, ending now at the latest."""
        length = self.range.until - self.range.since
        until = min(self.range.until + length, int(self.now))
        return _dates(until - 3 * length, until) if length <= 100 * DAY else ""


def stretch_of(data: QueryDict, *, now: float | None = None) -> Stretch:
    """The stretch that an address asks for.

    Raises:
        BadInput: it cannot be understood; the message names what of it.
    """
    clock = time.time() if now is None else now
    since, until = data.get("since", ""), data.get("until", "")
    if since or until:
        end = read_moment(until, clock, "until") if until else clock
        begin = read_moment(since, clock, "since") if since else end - DAY
        return Stretch("", between(begin, end), clock)
    word = data.get("range", "") or USUAL
    return Stretch(word, range_of(word, now=clock), clock)


def usual(*, now: float | None = None) -> Stretch:
    """The stretch that is shown when none is asked for."""
    clock = time.time() if now is None else now
    return Stretch(USUAL, range_of(USUAL, now=clock), clock)


def since_of(word: str, now: float) -> float:
    """When the last hour, day, week or month began, to the second."""
    step, count = WORDS[word]
    return now - step * count


def read_moment(text: str, now: float, field: str) -> float:
    """A moment as people or forms write it; without a zone it is in the reader's.

    Raises:
        BadInput: it is none.
    """
    given = text.strip()
    try:
        naive = datetime.fromisoformat(given) if len(given) <= _LONGEST and "T" in given else None
    except ValueError:
        naive = None
    if naive is None or naive.tzinfo is not None:
        found = parse_moment(given, now=now, field=field)
    else:
        found = _instant(naive.replace(tzinfo=timezone.get_current_timezone()))
    if not 0 < found < 2**33:
        raise BadInput("that is no time of ours", fix="choose another", field=field)
    return found


def moment_at(text: str) -> datetime:
    """A moment as people or forms write it.

    Raises:
        BadInput: it is none.
    """
    return datetime.fromtimestamp(read_moment(text, time.time(), "since"), UTC)


def moment_text(at: float) -> str:
    """A moment as addresses carry it."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _instant(moment: datetime) -> float:
    try:
        return moment.timestamp()
    except (OverflowError, ValueError):
        return 0.0


def _dates(since: float, until: float) -> str:
    return urlencode({"since": moment_text(max(since, 1)), "until": moment_text(max(until, 2))})
