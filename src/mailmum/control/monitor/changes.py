"""What changed: what a person would want to be told who has not looked for a day.

    silent     a server of which nothing is seen any more, though it usually is (`silence`)
    spike      far more of one kind at a server in a whole hour than is usual there: in the last
               one, and for who looks once a day in any of the day before, where a week is known
    offender   a network that was never seen before, and of which nothing was accepted
    ending     a listing that ends soon

What is usual is the mean of the seven days before, or of those since a server was first seen.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.listings.search import covers_each
from mailmum.control.monitor.overview import Offender, grouped, offender
from mailmum.control.monitor.scope import Scope, scope_of
from mailmum.control.monitor.silence import QUIET, Silent, silent
from mailmum.control.traffic import totals
from mailmum.control.traffic import worst as ranked
from mailmum.control.traffic.clients import counts_of
from mailmum.control.traffic.models import Total
from mailmum.control.traffic.reading import Wanted, total
from mailmum.traffic.codes import ASKED
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY, HOUR, start_of

DAYS = 7
LEAST_SPIKE, LEAST_OFFENCE = 50, 20
FEWEST_DAYS = 2
"""Days that a server must have been seen before more than usual can be told."""
TIMES = 4
"""How many times the usual is a spike."""
SHOWN, SPIKES = 5, 10
SOON = 7 * DAY


@dataclass(frozen=True, slots=True)
class Spike:
    """Far more of a kind than usual.

    Attributes:
        server: its name.
        group: of what.
        start: when the hour began, Unix time.
        count: how many in that hour.
        usual: how many in an hour, usually.
    """

    server: str
    group: Group
    start: int
    count: int
    usual: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What traffic tells of it, each the gravest first; `ending` is asked on its own."""

    silent: tuple[Silent, ...]
    spikes: tuple[Spike, ...]
    offenders: tuple[Offender, ...]


def changes(reading: Reading, *, quiet: float = QUIET, now: float | None = None) -> Changes:
    """What changed lately in an account; `quiet` seconds any server may be silent."""
    clock = time.time() if now is None else now
    scope = scope_of(reading)
    return Changes(
        silent=silent(reading, quiet=quiet, now=clock),
        spikes=_of_the_day(reading, scope, clock),
        offenders=tuple(_offenders(reading, scope, clock)),
    )


def spikes(
    reading: Reading, *, times: int = TIMES, least: int = LEAST_SPIKE, now: float | None = None
) -> tuple[Spike, ...]:
    """What there was far more of than usual: `times` as much, and `least` in the hour."""
    clock = time.time() if now is None else now
    found = _spikes(scope_of(reading), clock, times, least)
    return tuple(sorted(found, key=lambda one: -one.count / (one.usual + 1)))


def _of_the_day(reading: Reading, scope: Scope, now: float) -> tuple[Spike, ...]:
    """Those of the last whole hour and of the day before it, of each kind the highest."""
    highest: dict[tuple[str, Group], Spike] = {}
    for one in (*spikes(reading, now=now), *_earlier(scope, now)):
        key = one.server, one.group
        if key not in highest or one.count > highest[key].count:
            highest[key] = one
    return tuple(sorted(highest.values(), key=lambda one: -one.count / (one.usual + 1))[:SPIKES])


def ending(
    reading: Reading, *, within: int = SOON, limit: int = 10, now: float | None = None
) -> tuple[Version, ...]:
    """Listings that end soon, the first to end first."""
    clock = int(time.time() if now is None else now)
    soon = current(reading).filter(enabled=True, expires__gt=clock, expires__lte=clock + within)
    return tuple(soon.order_by("expires", "number")[:limit])


def _spikes(scope: Scope, now: float, times: int, least: int) -> Iterator[Spike]:
    hour = start_of(now, HOUR) - HOUR
    day = start_of(hour, DAY)
    latest = _by_kind(scope, HOUR, hour, hour + HOUR, now)
    high = {key: count for key, count in latest.items() if key[1].stopped and count >= least}
    if not high:
        return
    usually = _Usual.before(scope, day, now)
    for (server, group), count in high.items():
        usual = usually.hourly(server, group)
        if usual is not None and count >= times * usual:
            yield Spike(scope.name(server), group, hour, count, usual)


def _earlier(scope: Scope, now: float) -> Iterator[Spike]:
    """Hours of the day before the last whole one.

    Each kind and list is weighed by itself, so that the database drops the many small sums.
    """
    last = start_of(now, HOUR) - HOUR
    first = last - DAY + HOUR
    day = start_of(first, DAY)
    rows = _told(scope, HOUR, first, last, now)
    sums = rows.values_list("start", "server", "outcome", "rbl").annotate(sum=total()).order_by()
    high = list(sums.filter(sum__gte=LEAST_SPIKE))
    if not high:
        return
    usually = _Usual.before(scope, day, now)
    keyed = (((start, server), *row) for start, server, *row in high)
    for (start, server), group, count in grouped(scope, keyed):
        usual = usually.hourly(server, group)
        if usual is not None and group.stopped and count >= TIMES * usual:
            yield Spike(scope.name(server), group, start, count, usual)


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual before a day: sums of the week, and the first day of each server in it."""

    day: int
    sums: Counter[tuple[int, Group]]
    first: dict[int, int]

    @classmethod
    def before(cls, scope: Scope, day: int, now: float) -> "_Usual":
        since = day - DAYS * DAY
        sums = _by_kind(scope, DAY, since, day, now)
        return cls(day, sums, totals.first_days(scope.account, since))

    def hourly(self, server: int, group: Group) -> float | None:
        """How many in an hour; None for a new server, of which all would be new."""
        days = (self.day - self.first.get(server, self.day)) / DAY
        return self.sums[server, group] / (days * 24) if days >= FEWEST_DAYS else None


def _by_kind(
    scope: Scope, step: int, since: int, until: int, now: float
) -> Counter[tuple[int, Group]]:
    rows = _told(scope, step, since, until, now)
    keys = ("server", "outcome", "rbl")
    sums: Counter[tuple[int, Group]] = Counter()
    for server, group, count in grouped(
        scope, rows.values_list(*keys).annotate(sum=total()).order_by()
    ):
        sums[server, group] += count
    return sums


def _told(scope: Scope, step: int, since: int, until: int, now: float) -> QuerySet[Total]:
    """The sums of a time, but for lookups of which no more is known."""
    preferred = totals.preferred(scope.account, Wanted(since=since, until=until), now)
    return Total.objects.filter(
        scope.condition & preferred, step=step, start__gte=since, start__lt=until
    ).exclude(outcome=ASKED)


def _offenders(reading: Reading, scope: Scope, now: float) -> Iterator[Offender]:
    """Networks of the last day that were not seen in the days before, and are not listed."""
    day = Wanted(since=now - DAY)
    found = [
        offender(one.network, one.outcomes)
        for one in ranked.worst(scope.account, day, networks=True, limit=50, now=now)
    ]
    fresh = [one for one in found if not one.accepted and one.stopped >= LEAST_OFFENCE]
    earlier = Wanted(since=now - (DAYS + 1) * DAY, until=now - DAY)
    known = {
        one.network
        for one in counts_of(scope.account, [one.network for one in fresh], earlier, now)
    }
    new = [one for one in fresh if one.network not in known]
    listed = covers_each(reading, [one.network for one in new])
    free = [one for one, covering in zip(new, listed, strict=True) if not covering]
    yield from free[:SHOWN]
