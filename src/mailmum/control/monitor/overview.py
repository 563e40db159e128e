"""What the first page shows: how much there was and what became of it, by time, server and list.

Each part is a query of its own, so that one that fails takes no other with it.  All come from
roll-ups, each server counted by its best source.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db.models import QuerySet

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.countries import country_of
from mailmum.control.monitor.ranges import Range
from mailmum.control.monitor.scope import Scope, scope_of, zones_of
from mailmum.control.servers.queries import present_servers
from mailmum.control.traffic import totals
from mailmum.control.traffic import worst as ranked
from mailmum.control.traffic.models import Total
from mailmum.control.traffic.reading import Wanted, one_of, spans_of, total
from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.codes import ASKED, outcome_of
from mailmum.traffic.groups import Group, group_of, is_own
from mailmum.traffic.periods import HOUR, MINUTE, Span, start_of
from mailmum.traffic.sightings import Outcome, Source

Groups = Mapping[Group, int]


@dataclass(frozen=True, slots=True)
class Bucket:
    """What there was in a minute, hour or day.

    Attributes:
        start: when it begins, Unix time.
        groups: contacts by what became of them; empty where nothing was seen.
        ended: whether it is over.
    """

    start: int
    groups: Groups
    ended: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """Traffic over time.

    Attributes:
        range: the stretch of time.
        buckets: every minute, hour or day of it.
        groups: all of it together.
        before: the stretch of the same length before it; None when nothing was seen in that.
            Whether the two can be compared `alike` tells.
    """

    range: Range
    buckets: tuple[Bucket, ...]
    groups: Groups
    before: Groups | None

    @property
    def contacts(self) -> int:
        """How many there were."""
        return sum(self.groups.values())


@dataclass(frozen=True, slots=True)
class ServerLine:
    """A server in a stretch of time.

    Attributes:
        number: of the server.
        server: its name.
        contacts, accepted, stopped: how many.
        source: by which it is seen best; None when it was not.
        last: when it was seen last by any source, Unix time; None for never.
        spark: for each hour of the last day accepted and stopped.
    """

    number: int
    server: str
    contacts: int
    accepted: int
    stopped: int
    source: Source | None
    last: float | None
    spark: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ListHits:
    """How many contacts a list decided; `own` are our own zones, together."""

    name: str
    own: bool
    hits: int


@dataclass(frozen=True, slots=True)
class Alone:
    """What one list caught of the contacts at which all that named the client are known.

    Attributes:
        name: the list; of our own it is the base of the zones, all together.
        own: whether it is ours.
        named: contacts turned away at which it named the client.
        alone: those of them at which no other list did.
    """

    name: str
    own: bool
    named: int
    alone: int


@dataclass(frozen=True, slots=True)
class Together:
    """What lists caught alone, and what together.

    Attributes:
        lists: those that caught most alone first.
        contacts: turned away, with all lists known.
        several: those of them that more than one list named.
        pairs: contacts that two lists named, most first.
    """

    lists: tuple[Alone, ...]
    contacts: int
    several: int
    pairs: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Offender:
    """A client or network that was turned away often.

    Attributes:
        network: the address or network.
        country: two letters, None when unknown.
        stopped, accepted, contacts: what was seen of it.
    """

    network: NetworkTarget
    country: str | None
    stopped: int
    accepted: int
    contacts: int


def overview(
    reading: Reading, wanted: Range, server: str | None = None, *, now: float | None = None
) -> Overview:
    """Traffic over a stretch of time, beside the one before.

    Raises:
        NotFound: there is no such server.
    """
    clock = time.time() if now is None else now
    scope = scope_of(reading, server)
    buckets: dict[int, Counter[Group]] = {}
    for start, group, count in _over_time(scope, wanted, clock):
        buckets.setdefault(start, Counter())[group] += count
    groups: Counter[Group] = Counter()
    for one in buckets.values():
        groups.update(one)
    return Overview(
        range=wanted,
        buckets=tuple(
            Bucket(start, dict(buckets.get(start, {})), start + wanted.step <= clock)
            for start in wanted.starts
        ),
        groups=dict(groups),
        before=sums(scope, wanted.before, clock) or None,
    )


def by_server(
    reading: Reading, wanted: Range, *, now: float | None = None
) -> tuple[ServerLine, ...]:
    """Each server of the account, by name."""
    clock = time.time() if now is None else now
    scope = scope_of(reading)
    meant = _wanted(scope, wanted)
    counts = totals.by_server(scope.account, meant, now=clock)
    best = totals.best_sources(scope.account, meant, now=clock)
    servers = present_servers(reading)
    seen = totals.last_seen(list(servers))
    sparks = _sparks(scope, clock)
    return tuple(
        ServerLine(
            number=number,
            server=name,
            contacts=sum(counts.get(number, {}).values()),
            accepted=counts.get(number, {}).get(Outcome.ACCEPTED, 0),
            stopped=_stopped(counts.get(number, {})),
            source=best.get(number),
            last=max(seen.get(number, {}).values(), default=None),
            spark=sparks.get(number, ((0, 0),) * 24),
        )
        for number, name in servers.items()
    )


def by_list(
    reading: Reading, wanted: Range, server: str | None = None, *, now: float | None = None
) -> tuple[ListHits, ...]:
    """Our own lists beside the public ones, by how much each stopped.

    Where only lookups are seen, what we answered as listed are the hits of our own.
    """
    clock = time.time() if now is None else now
    scope, base = scope_of(reading, server), config.current().zone
    meant = _wanted(scope, wanted)
    hits: Counter[str] = Counter()
    own = 0
    for name, outcomes in totals.by_list(scope.account, meant, now=clock).items():
        if name is None:
            own += outcomes.get(Outcome.LISTED, 0)
        elif is_own(name, base):
            own += _stopped(outcomes)
        else:
            hits[name] += _stopped(outcomes)
    found = [ListHits(name, False, count) for name, count in hits.items() if count]
    found += [ListHits(base, True, own)] if own else []
    return tuple(sorted(found, key=lambda one: (-one.hits, one.name)))


def alone(
    reading: Reading, wanted: Range, server: str | None = None, *, now: float | None = None
) -> Together:
    """What each list caught that no other would have, where the mail server asked all at once."""
    clock = time.time() if now is None else now
    scope, base = scope_of(reading, server), config.current().zone
    names = {
        number: base if is_own(name, base) else name for number, name in zones_of(scope).items()
    }
    named: Counter[str] = Counter()
    sole: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    contacts = several = 0
    for numbers, outcomes in totals.by_lists(
        scope.account, _wanted(scope, wanted), now=clock
    ).items():
        lists = sorted({names[number] for number in numbers if number in names})
        count = _stopped(outcomes)
        contacts += count
        named.update(dict.fromkeys(lists, count))
        pairs.update(dict.fromkeys(combinations(lists, 2), count))
        if len(lists) == 1:
            sole[lists[0]] += count
        else:
            several += count
    rows = [Alone(name, name == base, count, sole[name]) for name, count in named.items() if count]
    return Together(
        tuple(sorted(rows, key=lambda one: (-one.alone, -one.named, one.name))),
        contacts,
        several,
        tuple((one, two, count) for (one, two), count in pairs.most_common() if count),
    )


def worst(
    reading: Reading,
    wanted: Range,
    server: str | None = None,
    *,
    networks: bool = True,
    limit: int = 10,
    now: float | None = None,
) -> tuple[Offender, ...]:
    """The networks (or clients) that were turned away most often."""
    clock = time.time() if now is None else now
    scope = scope_of(reading, server)
    found = ranked.worst(
        scope.account, _wanted(scope, wanted), networks=networks, limit=limit, now=clock
    )
    return tuple(offender(one.network, one.outcomes) for one in found)


def offender(network: NetworkTarget, outcomes: Mapping[Outcome, int]) -> Offender:
    """What is shown of a client or network."""
    return Offender(
        network=network,
        country=country_of(network),
        stopped=_stopped(outcomes),
        accepted=outcomes.get(Outcome.ACCEPTED, 0),
        contacts=sum(outcomes.values()),
    )


def grouped(scope: Scope, rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, Group, int]]:
    """Rows that end in outcome, list and count, in words."""
    zones, base = zones_of(scope), config.current().zone
    for *key, outcome, rbl, count in rows:
        yield (key[0] if key else None), group_of(outcome_of(outcome), zones.get(rbl), base), count


def _over_time(scope: Scope, wanted: Range, now: float) -> Iterable[tuple[Any, Group, int]]:
    rows = _rows(scope, wanted, now).filter(
        step=wanted.step, start__gte=wanted.since, start__lt=wanted.until
    )
    keys = ("start", "outcome", "rbl")
    return grouped(scope, rows.values_list(*keys).annotate(sum=total()).order_by())


def sums(scope: Scope, wanted: Range, now: float, servers: Collection[int] | None = None) -> Groups:
    """A whole stretch of time together; of some servers only where they are named."""
    found: Counter[Group] = Counter()
    rows = _rows(scope, wanted, now)
    if servers is not None:
        rows = rows.filter(one_of("server", sorted(servers), unindexed=True))
    # Whole days are a twentieth of the rows; of minutes there are no others.
    whole = spans_of(scope.account, _wanted(scope, wanted), now)
    for span in [Span(MINUTE, wanted.since, wanted.until)] if wanted.step == MINUTE else whole:
        some = rows.filter(step=span.step, start__gte=span.first, start__lt=span.last)
        counts = some.values_list("outcome", "rbl").annotate(sum=total()).order_by()
        for _, group, count in grouped(scope, counts):
            found[group] += count
    return dict(found)


def _rows(scope: Scope, wanted: Range, now: float) -> QuerySet[Total]:
    best = totals.preferred(scope.account, _wanted(scope, wanted), now)
    return Total.objects.filter(scope.condition & best).exclude(outcome=ASKED)


def _sparks(scope: Scope, now: float) -> dict[int, tuple[tuple[int, int], ...]]:
    last = start_of(now, HOUR)
    day = Range(last - 23 * HOUR, last + HOUR, HOUR)
    rows = _rows(scope, day, now).filter(step=HOUR, start__gte=day.since, start__lt=day.until)
    places = {start: at for at, start in enumerate(day.starts)}
    found: dict[int, list[list[int]]] = {}
    keys = ("server", "start", "outcome")
    for server, start, code, count in rows.values_list(*keys).annotate(sum=total()).order_by():
        pair = found.setdefault(server, [[0, 0] for _ in day.starts])[places[start]]
        outcome = outcome_of(code)
        if outcome is Outcome.ACCEPTED:
            pair[0] += count
        elif outcome.stopped:
            pair[1] += count
    return {server: tuple((a, s) for a, s in pairs) for server, pairs in found.items()}


def _wanted(scope: Scope, wanted: Range) -> Wanted:
    return Wanted(servers=scope.servers, since=wanted.since, until=wanted.until)


def _stopped(outcomes: Mapping[Outcome, int]) -> int:
    return sum(count for outcome, count in outcomes.items() if outcome.stopped)
