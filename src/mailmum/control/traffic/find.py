"""Finding sightings: newest first by pages, and as they come.

How much is looked at for one page is bounded, whatever is asked for: roll-ups tell in which hours
there is anything at all, hours are gone through from the latest back, and when too many rows had to
be looked at, the page ends early.  It then says how far it got and where to go on.

A cursor holds the time and number of the last sighting of a page, so pages stay right while
sightings arrive.  Following what comes goes by number, which rises in the order of commits.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import BigIntegerField, ExpressionWrapper, F, Max, Q, QuerySet

from mailmum.control.once import once
from mailmum.control.traffic.models import ClientHour, Seen, Total
from mailmum.control.traffic.reading import (
    Wanted,
    counted,
    decided,
    in_best_time,
    of_kind,
    one_of,
    spelled,
    total,
    within,
)
from mailmum.control.traffic.values import Kept, Row, rows_of, to_kept
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.periods import HOUR, start_of

PAGE_LIMIT = 1000
BUDGET = 40_000
"""Rows that are looked at for one page; entries of an index count a tenth."""
STEP = 20_000
"""Numbers that are gone through for one look at what is new."""
LEAST = 1000
"""Rows that are looked at in any case, so that each page gets on."""
_LAST = (1 << 63) - 1
_UNINDEXED_TIME = ExpressionWrapper(F("time") + 0, output_field=BigIntegerField())
_NARROW = {4: 16, 6: 32}
_FEW = 4000
_AT_FIRST = 48
"""Hours in which a client is looked for at first, the latest."""


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
    """
    place = None if before is None else _place(before)
    return _Search(account, wanted, place, min(max(limit, 1), PAGE_LIMIT)).page()


def latest() -> int:
    """The cursor from which everything is new that is kept from now on."""
    return Seen.objects.aggregate(last=Max("id"))["last"] or 0


def news(account: int, wanted: Wanted, after: int, *, limit: int = 200) -> News:
    """Sightings that were kept after a cursor of `latest` or of earlier news; none is left out."""
    top = latest()
    meant = decided(account, wanted)
    end = min(after + STEP, top)
    if meant is None or top <= after:
        return News((), max(after, top), more=False)
    meant &= of_kind(wanted) & _times(wanted) & _row_filter(wanted)
    # A sum is in no index: else SQLite would take the one by account and sort all that it holds.
    rows = Seen.objects.annotate(of=F("account") + 0).filter(of=account)
    rows = rows.filter(meant, id__gt=after, id__lte=end).order_by("id")
    found = to_kept(rows_of(rows[:limit]))
    reached = found[-1].number if len(found) == limit else end
    return News(tuple(found), reached, more=reached < top)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Hours that are looked through at once.

    Attributes:
        hours: when they begin, the latest first; there may be gaps, which hold nothing.
        count: how many sightings in them fulfil what roll-ups know.
        entries: how many there are altogether.
    """

    hours: tuple[int, ...]
    count: int
    entries: int


class _Search:
    """One page in the making."""

    def __init__(self, account: int, wanted: Wanted, place: _Place | None, limit: int) -> None:
        self._account, self._wanted, self._place = account, wanted, place
        self._left = limit
        self._budget = BUDGET * 10
        self._found: list[Row] = []
        self._filter = _row_filter(wanted)
        self._narrow = wanted.client is not None and _is_narrow(wanted.client)
        # Of a narrow client roll-ups know how many there are, unless texts are asked for.
        texts = spelled(wanted) & in_best_time(wanted)
        self._many = limit if self._narrow and not texts else _FEW

    def page(self) -> Page:
        meant = counted(self._account, self._wanted)
        stopped = None
        for stretch in () if meant is None else self._stretches(meant):
            stopped = self._look(Q() if meant is None else meant, stretch)
            if stopped is not None:
                break
        found = tuple(to_kept(self._found))
        if stopped is None:
            return Page(found, None, None)
        return Page(found, stopped.text, stopped.time / 1000)

    def _stretches(self, meant: Q) -> Iterator[_Stretch]:
        """Hours that hold something, from the latest back, as many at once as a page takes."""
        stretch = _Stretch((), 0, 0)
        for hour, count, entries in self._hours(meant):
            stretch = _Stretch(
                (*stretch.hours, hour), stretch.count + count, stretch.entries + entries
            )
            if self._is_enough(stretch):
                yield stretch
                # One row may count for many.
                stretch, self._many = _Stretch((), 0, 0), min(4 * self._many, _FEW)
        if stretch.hours:
            yield stretch

    def _hours(self, meant: Q) -> Iterator[tuple[int, int, int]]:
        """Each hour that holds something, the latest first, with counts as in `_Stretch`."""
        if self._narrow and self._wanted.client is not None:
            before = None if self._place is None else self._place.time
            each = _hours_seen(self._account, self._wanted.since, self._wanted.until, before)
            yield from _clients(meant, each, within(self._wanted.client))
            return
        totals = Total.objects.filter(_starts(self._wanted, self._place), step=HOUR)
        some = _sums(totals.filter(meant))
        entries = _sums(totals.filter(account=self._account)) if self._selective else some
        for hour in sorted(some, reverse=True):
            yield hour, some[hour], entries.get(hour, some[hour])

    @property
    def _selective(self) -> bool:
        wanted = self._wanted
        kinds = wanted.sources or wanted.best or wanted.outcomes or wanted.groups
        return bool(wanted.servers or kinds or wanted.rbl)

    def _is_enough(self, stretch: _Stretch) -> bool:
        if not self._filter:
            return stretch.count >= self._left or stretch.entries >= self._budget
        return stretch.count >= self._many or stretch.entries >= self._budget

    def _look(self, meant: Q, stretch: _Stretch) -> _Place | None:
        """Look through some hours; where the page ends, if it ends within them."""
        last, first = stretch.hours[0], stretch.hours[-1]
        direct = self._narrow and stretch.count <= _FEW
        rows = Seen.objects.filter(meant)
        if direct:
            # A sum is in no index: by time, SQLite would rather walk through all sightings in the
            # order that is wanted, or through all of the hours, than sort a few.
            rows = rows.annotate(at=_UNINDEXED_TIME).filter(_times(self._wanted, "at"))
            rows = rows.filter(one_of("hour", stretch.hours), client__isnull=False)
            rows = rows.order_by(F("at").desc(), "-id")
        else:
            rows = rows.filter(_times(self._wanted))
            rows = rows.filter(time__gte=first * 1000, time__lt=(last + HOUR) * 1000)
            rows = rows.order_by("-time", "-id")
        rows, floor = _below(rows, self._place), None
        spends = self._spends(stretch, direct=direct)
        if spends > self._budget and not direct:
            floor = self._floor(rows)
        filtered = (rows if floor is None else _from(rows, floor)).filter(self._filter)
        taken = rows_of(filtered[: self._left])
        self._found += taken
        self._left -= len(taken)
        self._budget -= spends
        if self._left == 0:
            return _Place(taken[-1].time, taken[-1].id)
        if floor is not None:
            return floor
        # All of these hours is done: go on with the last number of the moment before.
        return _Place(first * 1000 - 1, _LAST) if self._budget <= 0 else None

    def _spends(self, stretch: _Stretch, *, direct: bool) -> int:
        if direct or self._filter:
            return 10 * stretch.count + (0 if direct else stretch.entries)
        return 10 * min(stretch.count, self._left) + stretch.entries

    def _floor(self, rows: QuerySet[Seen]) -> _Place | None:
        """The sighting at which what may be looked at ends; from the index alone."""
        at = max(self._budget // 10, LEAST) - 1
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
    meant = spelled(wanted) & in_best_time(wanted)
    return meant & within(wanted.client) if wanted.client is not None else meant


def _times(wanted: Wanted, field: str = "time") -> Q:
    meant = Q()
    if wanted.since is not None:
        meant &= Q(**{f"{field}__gte": round(wanted.since * 1000)})
    if wanted.until is not None:
        meant &= Q(**{f"{field}__lt": round(wanted.until * 1000)})
    return meant


@once
def _hours_seen(
    account: int, since: float | None, until: float | None, before: int | None
) -> list[int]:
    """The hours in which anything was seen in an account, the latest first."""
    place = None if before is None else _Place(before, 0)
    meant = _starts(Wanted(since=since, until=until), place)
    starts = Total.objects.filter(meant, account=account, step=HOUR)
    return sorted(starts.values_list("start", flat=True).distinct(), reverse=True)


def _starts(wanted: Wanted, place: _Place | None) -> Q:
    meant = Q()
    if wanted.since is not None:
        meant &= Q(start__gte=start_of(int(wanted.since), HOUR))
    if wanted.until is not None:
        meant &= Q(start__lt=wanted.until)
    return meant if place is None else meant & Q(start__lte=place.time // 1000)


def _sums(totals: QuerySet[Total]) -> dict[int, int]:
    return dict(totals.values_list("start").annotate(sum=total()).order_by())


def _clients(meant: Q, hours: list[int], client: Q) -> Iterator[tuple[int, int, int]]:
    """Hours in which a client was seen; more and more at once, since a page is soon full."""
    done, many = 0, _AT_FIRST
    while done < len(hours):
        some = hours[done : done + many]
        rows = ClientHour.objects.filter(meant & client & one_of("start", some))
        counts = dict(rows.values_list("start").annotate(sum=total()).order_by())
        yield from ((hour, counts[hour], counts[hour]) for hour in some if hour in counts)
        done, many = done + many, 16 * many


def _below(rows: QuerySet[Seen], place: _Place | None) -> QuerySet[Seen]:
    if place is None:
        return rows
    # The first condition is what the index goes by.
    return rows.filter(Q(time__lte=place.time), Q(time__lt=place.time) | Q(id__lt=place.number))


def _from(rows: QuerySet[Seen], place: _Place) -> QuerySet[Seen]:
    return rows.filter(Q(time__gte=place.time), Q(time__gt=place.time) | Q(id__gte=place.number))
