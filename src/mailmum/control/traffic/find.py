"""Finding sightings: newest first by pages, and as they come.

How much is looked at for one page is bounded, whatever is asked for: roll-ups tell in which hours
there is anything at all, hours are gone through from the latest back, and when too many rows had to
be looked at, the page ends early.  It then says how far it got and where to go on.

A cursor holds the time and number of the last sighting of a page, so pages stay right while
sightings arrive.  Following what comes goes by number, which rises in the order of commits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Max, Q, QuerySet, Sum

from mailmum.control.traffic.models import ClientHour, Seen, Total
from mailmum.control.traffic.reading import Wanted, counted, reading, spelled, within
from mailmum.control.traffic.values import Kept, to_kept
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.rollups import HOUR, start_of

PAGE_LIMIT = 1000
BUDGET = 40_000
"""Rows that are looked at for one page; entries of an index count a tenth."""
STEP = 20_000
"""Numbers that are gone through for one look at what is new."""
_NARROW = {4: 16, 6: 32}
_FEW = 4000


@dataclass(frozen=True, slots=True)
class Page:
    """Some sightings, newest first.

    Attributes:
        found: the sightings.
        older: the cursor of what comes next; None when there is nothing more.
        reached: Unix time in seconds down to which everything was looked at.
    """

    found: tuple[Kept, ...]
    older: str | None
    reached: float | None


@dataclass(frozen=True, slots=True)
class News:
    """What has come since, in the order in which it was kept.

    Attributes:
        found: the sightings.
        cursor: where to go on.
        more: whether to go on at once.
    """

    found: tuple[Kept, ...]
    cursor: int
    more: bool


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A place in the order of sightings: time in milliseconds, number."""

    time: int
    number: int

    @property
    def text(self) -> str:
        return f"{self.time:x}-{self.number:x}"


def find(account: int, wanted: Wanted, *, before: str | None = None, limit: int = 100) -> Page:
    """Sightings of an account, newest first.

    Args:
        account: number of the account; whoever calls has proved that it may be read.
        wanted: which.
        before: the cursor of the page before this.
        limit: at most so many, up to `PAGE_LIMIT`.

    Raises:
        BadInput: the cursor is none.
        SourceUnavailable: traffic cannot be read.
    """
    place = None if before is None else _place(before)
    with reading():
        return _Search(account, wanted, place, min(max(limit, 1), PAGE_LIMIT)).page()


def latest() -> int:
    """The cursor from which everything is new that is kept from now on."""
    with reading():
        return Seen.objects.aggregate(last=Max("id"))["last"] or 0


def news(account: int, wanted: Wanted, after: int, *, limit: int = 200) -> News:
    """Sightings that were kept after a cursor of `latest` or of earlier news; none is left out."""
    with reading():
        top = latest()
        meant = counted(account, wanted)
        end = min(after + STEP, top)
        if meant is None or top <= after:
            return News((), max(after, top), more=False)
        meant &= _times(wanted) & _row_filter(wanted)
        rows = Seen.objects.filter(meant, id__gt=after, id__lte=end).order_by("id")
        found = to_kept(list(rows[:limit]))
        reached = found[-1].number if len(found) == limit else end
        return News(tuple(found), reached, more=reached < top)


class _Search:
    """One page in the making."""

    def __init__(self, account: int, wanted: Wanted, place: _Place | None, limit: int) -> None:
        self._account, self._wanted, self._place = account, wanted, place
        self._left = limit
        self._budget = BUDGET * 10
        self._found: list[Seen] = []
        self._narrow = wanted.client is not None and _is_narrow(wanted.client)

    def page(self) -> Page:
        meant = counted(self._account, self._wanted)
        if meant is None:
            return Page((), None, None)
        for hour, count, entries in self._hours(meant):
            stopped = self._hour(meant, hour, count, entries)
            if stopped is not None:
                return self._page(stopped)
        return Page(tuple(to_kept(self._found)), None, None)

    def _page(self, stopped: _Place) -> Page:
        return Page(tuple(to_kept(self._found)), stopped.text, stopped.time / 1000)

    def _hours(self, meant: Q) -> Iterator[tuple[int, int, int]]:
        """Hours that hold something, the latest first, with what there is to look at."""
        times = _starts(self._wanted, self._place)
        totals = Total.objects.filter(times, step=HOUR)
        all_of = _sums(totals.filter(account=self._account))
        if self._narrow and self._wanted.client is not None:
            some = _clients(meant, sorted(all_of), within(self._wanted.client))
        else:
            some = _sums(totals.filter(meant))
        return ((hour, some[hour], all_of.get(hour, 0)) for hour in sorted(some, reverse=True))

    def _hour(self, meant: Q, hour: int, count: int, entries: int) -> _Place | None:
        """Look through an hour; where the page ends, if it ends in this hour."""
        direct = self._narrow and count <= _FEW
        rows = Seen.objects.filter(meant & _times(self._wanted)).order_by("-time", "-id")
        if direct:
            rows = rows.filter(hour=hour, client__isnull=False)
        else:
            rows = rows.filter(time__gte=hour * 1000, time__lt=(hour + HOUR) * 1000)
        rows = _below(rows, self._place)
        spends = self._spends(count, entries, direct=direct)
        floor = None
        if spends > self._budget and not direct:
            floor = self._floor(rows)
        filtered = (rows if floor is None else _from(rows, floor)).filter(_row_filter(self._wanted))
        taken = list(filtered[: self._left])
        self._found += taken
        self._left -= len(taken)
        self._budget -= spends
        if self._left == 0:
            return _Place(taken[-1].time, taken[-1].pk)
        if floor is not None:
            return floor
        return _Place(hour * 1000, 0) if self._budget <= 0 else None

    def _spends(self, count: int, entries: int, *, direct: bool) -> int:
        if direct or _row_filter(self._wanted):
            return 10 * count + (0 if direct else entries)
        return 10 * min(count, self._left) + entries

    def _floor(self, rows: QuerySet[Seen]) -> _Place | None:
        """The sighting at which what may be looked at ends; from the index alone."""
        at = max(self._budget // 10, 1000) - 1
        found = rows.values_list("time", "id")[at : at + 1]
        return next((_Place(time, number) for time, number in found), None)


def _place(text: str) -> _Place:
    time, dash, number = text.partition("-")
    try:
        if not dash or len(text) > 40:
            raise ValueError
        return _Place(int(time, 16), int(number, 16))
    except ValueError:
        raise BadInput("that is no place in the sightings", fix="start anew without it") from None


def _is_narrow(client: NetworkTarget) -> bool:
    return client.prefix >= _NARROW[client.version]


def _row_filter(wanted: Wanted) -> Q:
    meant = spelled(wanted)
    return meant & within(wanted.client) if wanted.client is not None else meant


def _times(wanted: Wanted) -> Q:
    meant = Q()
    if wanted.since is not None:
        meant &= Q(time__gte=round(wanted.since * 1000))
    if wanted.until is not None:
        meant &= Q(time__lt=round(wanted.until * 1000))
    return meant


def _starts(wanted: Wanted, place: _Place | None) -> Q:
    meant = Q()
    if wanted.since is not None:
        meant &= Q(start__gte=start_of(int(wanted.since), HOUR))
    if wanted.until is not None:
        meant &= Q(start__lt=wanted.until)
    return meant if place is None else meant & Q(start__lte=place.time // 1000)


def _sums(totals: QuerySet[Total]) -> dict[int, int]:
    return dict(totals.values_list("start").annotate(sum=Sum("count")).order_by())


def _clients(meant: Q, hours: list[int], client: Q) -> dict[int, int]:
    rows = ClientHour.objects.filter(meant & client, start__in=hours)
    return dict(rows.values_list("start").annotate(sum=Sum("count")).order_by())


def _below(rows: QuerySet[Seen], place: _Place | None) -> QuerySet[Seen]:
    if place is None:
        return rows
    # The first condition is what the index goes by.
    return rows.filter(Q(time__lte=place.time), Q(time__lt=place.time) | Q(id__lt=place.number))


def _from(rows: QuerySet[Seen], place: _Place) -> QuerySet[Seen]:
    return rows.filter(Q(time__gte=place.time), Q(time__gt=place.time) | Q(id__gte=place.number))
