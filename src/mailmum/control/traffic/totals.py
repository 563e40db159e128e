"""How much there was: by outcome, by server, by public list, over time.

Sources are kept apart, since one contact is seen by several of them: what a mail server asked over
DNS, it also logged.  Where none are named, each server counts on each day (UTC) by its best source
in the part of it that is meant: its log if there is any, else the policy service, else DNS.  So
what was seen before a log was read does not vanish with the log's first line.

Times are widened to whole hours, and to whole days (UTC) where hours have run out.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Min, Q, QuerySet

from mailmum.control.once import once
from mailmum.control.traffic.models import LastSeen, ListsCount, Total, Zone
from mailmum.control.traffic.reading import Best, Wanted, counted, of_best, one_of, spans_of, total
from mailmum.traffic.batches import numbers_in
from mailmum.traffic.codes import ASKED, SOURCES, outcome_of, source_of
from mailmum.traffic.periods import DAY, HOUR, MINUTE, Span, start_of
from mailmum.traffic.sightings import Outcome, Source
from mailmum.traffic.turns import BEST, best_of

_MOST_STRETCHES = 40
"""Of a server with more the best source of all counts: a condition has to stay short."""

Outcomes = Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Point:
    """What there was in the minute, hour or day that begins at `start`."""

    start: int
    outcomes: Outcomes


def by_outcome(account: int, wanted: Wanted, *, now: float | None = None) -> Outcomes:
    """Sightings by outcome."""
    return _by(account, wanted, None, now).get(None, {})


def by_server(account: int, wanted: Wanted, *, now: float | None = None) -> dict[int, Outcomes]:
    """Sightings by server and outcome."""
    return dict(_by(account, wanted, "server", now))


def by_list(
    account: int, wanted: Wanted, *, now: float | None = None
) -> dict[str | None, Outcomes]:
    """Sightings by the list that decided and outcome; None stands for no list."""
    found = _by(account, wanted, "rbl", now)
    names = Zone.objects.filter(account=account, pk__in=list(found))
    by: dict[str | None, Outcomes] = {None: found[0]} if 0 in found else {}
    return by | {name: found[number] for number, name in names.values_list("pk", "name")}


def by_lists(
    account: int, wanted: Wanted, *, now: float | None = None
) -> Mapping[frozenset[int], Outcomes]:
    """Contacts at which all lists that name the client are known, by numbers of these lists."""
    clock = time.time() if now is None else now
    found: dict[frozenset[int], dict[Outcome, int]] = {}
    meant = counted(account, wanted)
    if meant is None:
        return {}
    rows = ListsCount.objects.filter(meant & preferred(account, wanted, clock))
    for span in spans_of(account, wanted, clock):
        for lists, outcome, count in _summed(rows.filter(_in(span)), "lists"):
            outcomes = found.setdefault(frozenset(numbers_in(lists)), {})
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    return found


def over_time(account: int, wanted: Wanted, step: int, *, now: float | None = None) -> list[Point]:
    """Sightings by minute, hour or day (60, 3600, 86400) and outcome; empty ones are left out."""
    if step not in (MINUTE, HOUR, DAY):
        raise ValueError(f"{step} is not 60, 3600 or 86400 seconds")
    rows = _rows(account, wanted, time.time() if now is None else now)
    if rows is None:
        return []
    meant = rows.filter(step=step, **_between(wanted, step))
    points: dict[int, dict[Outcome, int]] = {}
    for start, outcome, count in _summed(meant, "start"):
        points.setdefault(start, {})[outcome] = count
    return [Point(start, points[start]) for start in sorted(points)]


def best_sources(account: int, wanted: Wanted, *, now: float | None = None) -> dict[int, Source]:
    """By which source each server is best seen in a time; servers that were not are missing."""
    clock = time.time() if now is None else now
    if wanted.until is None or wanted.until > clock:
        seen = LastSeen.objects.filter(account=account)
        if wanted.since is not None:
            seen = seen.filter(time__gte=wanted.since * 1000)
        pairs = set(seen.values_list("server", "source"))
    else:
        pairs = set()
        for span in spans_of(account, wanted, clock):
            rows = Total.objects.filter(_in(span), account=account)
            pairs |= set(rows.values_list("server", "source").distinct())
    return {server: source_of(source) for server, source in best_of(pairs).items()}


def last_seen(servers: list[int]) -> dict[int, dict[Source, float]]:
    """When each server's latest sighting was, by each source; Unix time in seconds."""
    return _last_seen(tuple(servers))


@once
def _last_seen(servers: tuple[int, ...]) -> dict[int, dict[Source, float]]:
    rows = LastSeen.objects.filter(one_of("server", servers))
    found: dict[int, dict[Source, float]] = {}
    for server, source, at in rows.values_list("server", "source", "time"):
        found.setdefault(server, {})[source_of(source)] = at / 1000
    return found


def first_days(account: int, since: float) -> dict[int, int]:
    """The first day (UTC) from a time on on which anything was seen of each server."""
    rows = Total.objects.filter(account=account, step=DAY, start__gte=start_of(since, DAY))
    return dict(rows.values_list("server").annotate(first=Min("start")).order_by())


def on_days(
    account: int,
    servers: Iterable[int],
    days: Iterable[int],
    sources: Iterable[Source] | None = None,
) -> dict[int, dict[int, int]]:
    """How much was seen of some servers on some days (UTC), of each day by its best source.

    Of all sources, or of those that are named.
    """
    rows = Total.objects.filter(
        account=account, step=DAY, start__in=sorted(days), server__in=sorted(servers)
    ).exclude(outcome=ASKED)
    if sources is not None:
        rows = rows.filter(source__in=sorted(SOURCES[one] for one in sources))
    sums: dict[tuple[int, int], dict[int, int]] = {}
    keys = ("server", "start", "source")
    for server, day, source, count in rows.values_list(*keys).annotate(sum=total()).order_by():
        sums.setdefault((server, day), {})[source] = count
    found: dict[int, dict[int, int]] = {}
    for (server, day), counts in sums.items():
        found.setdefault(server, {})[day] = counts[min(counts, key=BEST.index)]
    return found


def preferred(account: int, wanted: Wanted, now: float) -> Q:
    """The condition that a row counts: of the sources that are named, or of each day's best."""
    if wanted.sources:
        return Q()
    always = _always_preferred(account)
    return of_best(best_by_day(account, wanted, now), "start") if always is None else always


def best_by_day(account: int, wanted: Wanted, now: float) -> tuple[Best, ...]:
    """By which source each server is seen best, in stretches of days, the servers in order.

    A day on which nothing was seen goes with those before it, and what comes with the last.
    """
    if (always := _always(account)) is not None:
        return always
    sources = _sources(account)
    daily = _daily(account, wanted, now, [one for one in sources if len(sources[one]) > 1])
    found: list[Best] = []
    for server in sorted(sources):
        if (days := daily.get(server)) is None:
            found.append(Best(server, source_of(min(sources[server], key=BEST.index))))
            continue
        stretches = _stretches(server, days)
        if len(stretches) > _MOST_STRETCHES:
            best = min(days.values(), key=BEST.index)
            stretches = [Best(server, source_of(best))]
        found += stretches
    return tuple(found)


@once
def _always(account: int) -> tuple[Best, ...] | None:
    """The source of each server, where none was ever seen by several; None where one was."""
    sources = _sources(account)
    if any(len(some) > 1 for some in sources.values()):
        return None
    return tuple(Best(server, source_of(min(sources[server]))) for server in sorted(sources))


@once
def _always_preferred(account: int) -> Q | None:
    always = _always(account)
    return None if always is None else of_best(always, "start")


@once
def _sources(account: int) -> dict[int, set[int]]:
    """By which sources each server was ever seen."""
    sources: dict[int, set[int]] = {}
    for server, source in LastSeen.objects.filter(account=account).values_list("server", "source"):
        sources.setdefault(server, set()).add(source)
    return sources


def _daily(
    account: int, wanted: Wanted, now: float, servers: list[int]
) -> dict[int, dict[int, int]]:
    """Of servers that several sources see the best of each day on which they were seen."""
    pairs: dict[int, list[tuple[int, int]]] = {}
    for span in spans_of(account, wanted, now) if servers else ():
        rows = Total.objects.filter(_in(span), account=account, server__in=servers)
        for start, server, source in rows.values_list("start", "server", "source").distinct():
            pairs.setdefault(start_of(start, DAY), []).append((server, source))
    daily: dict[int, dict[int, int]] = {}
    for day in sorted(pairs):
        for server, source in best_of(pairs[day]).items():
            daily.setdefault(server, {})[day] = source
    return daily


def _stretches(server: int, days: Mapping[int, int]) -> list[Best]:
    """Days with the same source, one after the other, as one; `days` are in order."""
    made: list[Best] = []
    for day, source in days.items():
        word = source_of(source)
        if not made:
            made.append(Best(server, word))
        elif made[-1].source is not word:
            made[-1] = made[-1]._replace(until=day)
            made.append(Best(server, word, day))
    return made


def _by(
    account: int, wanted: Wanted, group: str | None, now: float | None
) -> dict[Any, dict[Outcome, int]]:
    clock = time.time() if now is None else now
    sums: dict[Any, dict[Outcome, int]] = {}
    rows = _rows(account, wanted, clock)
    if rows is None:
        return {}
    for span in spans_of(account, wanted, clock):
        for key, outcome, count in _summed(rows.filter(_in(span)), group):
            outcomes = sums.setdefault(key, {})
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    return sums


def _rows(account: int, wanted: Wanted, now: float) -> QuerySet[Total] | None:
    meant = counted(account, wanted)
    if meant is None:
        return None
    return Total.objects.filter(meant & preferred(account, wanted, now)).exclude(outcome=ASKED)


def _in(span: Span) -> Q:
    return Q(step=span.step, start__gte=span.first, start__lt=span.last)


def _between(wanted: Wanted, step: int) -> dict[str, float]:
    meant: dict[str, float] = {}
    if wanted.since is not None:
        meant["start__gte"] = start_of(wanted.since, step)
    if wanted.until is not None:
        meant["start__lt"] = wanted.until
    return meant


def _summed(rows: QuerySet[Any], group: str | None) -> Iterator[tuple[Any, Outcome, int]]:
    names = [group, "outcome"] if group else ["outcome"]
    for *key, outcome, count in rows.values_list(*names).annotate(sum=total()).order_by():
        yield (key[0] if key else None), outcome_of(outcome), count
