"""How much there was: by outcome, by server, by public list, over time.

Sources are kept apart, since one contact is seen by several of them: what a mail server asked over
DNS, it also logged.  Where none are named, each server counts by its best source in the time that
is meant: its log if there is any, else the policy service, else DNS.

Times are widened to whole hours, and to whole days (UTC) where hours have run out.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from mailmum.control.traffic.models import LastSeen, ListsCount, Total, Zone
from mailmum.control.traffic.reading import Wanted, counted, spans_of, total
from mailmum.traffic.batches import numbers_in
from mailmum.traffic.codes import ASKED, SOURCES, outcome_of, source_of
from mailmum.traffic.periods import DAY, HOUR, MINUTE, Span, start_of
from mailmum.traffic.sightings import Outcome, Source

_BEST = (SOURCES[Source.LOG], SOURCES[Source.POLICY], SOURCES[Source.DNS])

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


def by_list(account: int, wanted: Wanted, *, now: float | None = None) -> dict[str, Outcomes]:
    """Sightings by the list that decided and outcome; what no list decided is left out."""
    found = _by(account, wanted, "rbl", now)
    names = Zone.objects.filter(account=account, pk__in=list(found))
    return {name: found[number] for number, name in names.values_list("pk", "name")}


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
    found = best_pairs(account, wanted, time.time() if now is None else now)
    return {server: source_of(source) for server, source in found.items()}


def last_seen(servers: list[int]) -> dict[int, dict[Source, float]]:
    """When each server's latest sighting was, by each source; Unix time in seconds."""
    rows = LastSeen.objects.filter(server__in=servers)
    found: dict[int, dict[Source, float]] = {}
    for server, source, at in rows.values_list("server", "source", "time"):
        found.setdefault(server, {})[source_of(source)] = at / 1000
    return found


def preferred(account: int, wanted: Wanted, now: float) -> Q:
    """The condition that a row counts: of the sources that are named, or of each server's best."""
    if wanted.sources:
        return Q()
    best: dict[int, list[int]] = {}
    for server, source in best_pairs(account, wanted, now).items():
        best.setdefault(source, []).append(server)
    meant = Q(server__in=[])  # nothing, when no server was seen
    for source, servers in best.items():
        meant |= Q(source=source, server__in=servers)
    return meant


def best_of(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Of pairs of server and source, the best source of each server."""
    found: dict[int, int] = {}
    for server, source in pairs:
        found[server] = min(found.get(server, source), source, key=_BEST.index)
    return found


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


def best_pairs(account: int, wanted: Wanted, now: float) -> dict[int, int]:
    """The best source of each server, as numbers."""
    if wanted.until is None or wanted.until > now:
        seen = LastSeen.objects.filter(account=account)
        if wanted.since is not None:
            seen = seen.filter(time__gte=wanted.since * 1000)
        pairs = set(seen.values_list("server", "source"))
    else:
        pairs = set()
        for span in spans_of(account, wanted, now):
            rows = Total.objects.filter(_in(span), account=account)
            pairs |= set(rows.values_list("server", "source").distinct())
    return best_of(pairs)


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
