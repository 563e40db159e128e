"""Everything about a client, a network or a name; and all clients, in the order of time.

Counts come from roll-ups by hour and day, so they reach far beyond the sightings that are still
kept.  A query goes from day to day and hour to hour to the clients that are meant, so what it costs
follows what is found, not what is kept.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connections
from django.db.models import Max, Min, QuerySet

from mailmum.control.traffic.models import (
    Changed,
    ClientCount,
    ClientDay,
    ClientHour,
    NetworkDay,
    WideDay,
    Zone,
)
from mailmum.control.traffic.reading import Best, Wanted, counted, one_of, spans_of, total, within
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.totals import Outcomes, best_by_day, preferred
from mailmum.domain.targets import Kind, NetworkTarget
from mailmum.traffic.codes import SOURCES, outcome_of, source_of
from mailmum.traffic.packing import address_of, bounds
from mailmum.traffic.periods import DAY, HOUR
from mailmum.traffic.sightings import Outcome, Source
from mailmum.traffic.worst import DEPTHS, network_key

CLIENTS_LIMIT = 10_000
_SUMMED = {4: 24, 6: 64}
_PAIRS = 2000
"""Servers that a statement may name."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a client or of the clients of a network.

    Attributes:
        outcomes: sightings by outcome, each server by its best source.
        servers: the same by server and source, of all sources.
        lists: by the public list that decided.
        clients: how many different clients there were, counted up to `CLIENTS_LIMIT`.
        first: when the hour or day began in which one was first seen, Unix time; None for never.
        last: likewise when one was seen last.
    """

    outcomes: Outcomes
    servers: Mapping[tuple[int, Source], Outcomes]
    lists: Mapping[str, int]
    clients: int
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Client:
    """A client, or with a prefix shorter than an address a network, and what became of it."""

    network: NetworkTarget
    outcomes: Outcomes

    @property
    def text(self) -> str:
        """The address or network."""
        return self.network.text


@dataclass(slots=True)
class Sums:
    """Sums in the making, by anything and by outcome."""

    by: dict[Any, dict[Outcome, int]] = field(default_factory=dict)

    def add(self, key: Any, outcome: Outcome, count: int) -> None:
        """Add to a sum."""
        outcomes = self.by.setdefault(key, {})
        outcomes[outcome] = outcomes.get(outcome, 0) + count


def about(
    account: int, client: NetworkTarget, wanted: Wanted, *, now: float | None = None
) -> About:
    """What is known of an address, or of all addresses of a network together."""
    clock = time.time() if now is None else now
    best, servers, lists = Sums(), Sums(), dict[int, int]()
    firsts, lasts = list[int](), list[int]()
    here = replace(wanted, client=client)
    tables = _tables(account, here, clock, _sums_of(client) if is_wide(client) else None)
    counts = _Counts(account, wanted, clock)
    # By period only where what counts is not the same in all of them.
    keys = ("server", "source", "outcome", "rbl", *(["start"] if counts.changes else []))
    for table in tables:
        rows = table.values_list(*keys).annotate(sum=total(), first=Min("start"), last=Max("start"))
        for server, source, code, rbl, *_, count, first, last in rows.order_by():
            outcome = outcome_of(code)
            servers.add((server, source_of(source)), outcome, count)
            if counts.has(server, source, first):
                best.add(None, outcome, count)
            if rbl:
                lists[rbl] = lists.get(rbl, 0) + count
            firsts.append(first)
            lasts.append(last)
    names = dict(Zone.objects.filter(account=account, pk__in=lists).values_list("pk", "name"))
    return About(
        outcomes=best.by.get(None, {}),
        servers=servers.by,
        lists={names[number]: count for number, count in lists.items() if number in names},
        clients=min(len(firsts), 1)
        if client.kind is Kind.ADDRESS
        else _different(account, here, clock),
        first=min(firsts, default=None),
        last=max(lasts, default=None),
    )


def clients_in(
    account: int, network: NetworkTarget | None, wanted: Wanted, *, now: float | None = None
) -> list[Client]:
    """Every client of a network (None: of everywhere), in the order of addresses."""
    clock = time.time() if now is None else now
    sums = Sums()
    prefer = preferred(account, wanted, clock)
    for table in _tables(account, replace(wanted, client=network), clock):
        for client, outcome, count in grouped(table.filter(prefer), "client", "outcome"):
            sums.add(bytes(client), outcome_of(outcome), count)
    return [Client(target_of(client), sums.by[client]) for client in sorted(sums.by)]


def networks_in(
    account: int, network: NetworkTarget | None, wanted: Wanted, *, now: float | None = None
) -> list[Client]:
    """Every /24, and /64 of IPv6, of a network no narrower than that, in the order of addresses."""
    clock = time.time() if now is None else now
    sums = Sums()
    prefer, networks = preferred(account, wanted, clock), NetworkDay.objects.all()
    for table in _tables(account, replace(wanted, client=network), clock, networks):
        for client, outcome, count in grouped(table.filter(prefer), "client", "outcome"):
            sums.add(network_key(bytes(client)), outcome_of(outcome), count)
    return [Client(target_of(first, network=True), sums.by[first]) for first in sorted(sums.by)]


def in_order(
    account: int, wanted: Wanted, step: int, *, now: float | None = None
) -> Iterator[tuple[int, bytes, int, int, int, int, int]]:
    """All counts by client, hour by hour or day by day, as they are kept.

    Millions of them, so they come as plain tuples: start, client as 16 bytes, server, source,
    outcome, list, count, in numbers as `mailmum.traffic.codes` has them.
    """
    clock = time.time() if now is None else now
    table: QuerySet[Any] = ClientHour.objects.all() if step == HOUR else ClientDay.objects.all()
    meant = counted(account, wanted)
    if meant is None:
        return
    since = 0 if wanted.since is None else wanted.since
    until = clock + DAY if wanted.until is None else wanted.until
    rows = table.filter(meant, start__gt=since - step, start__lt=until)
    keys = ("start", "client", "server", "source", "outcome", "rbl", "count")
    yield from rows.order_by("start", "client").values_list(*keys).iterator(chunk_size=5000)


def counts_of(
    account: int, targets: Sequence[NetworkTarget], wanted: Wanted, now: float
) -> list[Client]:
    """How often each of some clients or networks was seen, each server by its best source."""
    by_first = {bounds(one)[0]: one for one in targets}
    counts, sums = _Counts(account, wanted, now), Sums()
    networks = all(map(is_wide, targets))
    for model, starts in _periods(account, wanted, now, networks=networks):
        kept: Iterable[tuple[Any, ...]]
        if counts.changes or wanted.sources or len(counts.pairs) > _PAIRS:
            rows = _joined(model, account, targets, starts, _DATED)
            kept = ((one[0], *one[4:]) for one in rows if counts.has(*one[1:4]))
        else:
            kept = _joined(model, account, targets, starts, _SUMS, counts.pairs)
        for first, outcome, count in kept:
            sums.add(by_first[bytes(first)], outcome_of(outcome), count)
    return [Client(target, outcomes) for target, outcomes in sums.by.items()]


class _Counts:
    """Which rows count: those of the sources that are named, or of each day's best."""

    def __init__(self, account: int, wanted: Wanted, now: float) -> None:
        self._sources, self._servers = wanted.sources, wanted.servers
        self._best: dict[int, list[Best]] = {}
        for one in () if wanted.sources else best_by_day(account, wanted, now):
            self._best.setdefault(one.server, []).append(one)

    @property
    def changes(self) -> bool:
        """Whether it depends on the day."""
        return any(len(stretches) > 1 for stretches in self._best.values())

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The servers with their sources, where it does not depend on the day."""
        return [
            (server, SOURCES[one.source])
            for server, stretches in self._best.items()
            for one in stretches
            if self._servers is None or server in self._servers
        ]

    def has(self, server: int, source: int, start: int) -> bool:
        """Whether a row counts; `start` matters only where it changes."""
        word = source_of(source)
        if self._servers is not None and server not in self._servers:
            return False
        if self._sources:
            return word in self._sources
        return any(one.holds(server, word, start) for one in self._best.get(server, ()))


_DATED = ("server", "source", "start", "outcome")
_SUMS = ("outcome",)


def _joined(
    model: type[ClientCount],
    account: int,
    targets: Sequence[NetworkTarget],
    starts: Sequence[int],
    keys: Sequence[str],
    pairs: Sequence[tuple[int, int]] | None = None,
) -> list[Any]:
    """The first address, the keys and the sum, of the servers and sources of `pairs`; None: all.

    One statement for all: a look into each period for each target.
    """
    if not (targets and starts) or pairs == []:
        return []
    connection = connections[traffic_database()]
    packed = model._meta.get_field("client").db_type(connection)
    places = ", ".join([f"(CAST(%s AS {packed}), CAST(%s AS {packed}))"] * len(targets))
    periods = ", ".join(["(%s)"] * len(starts))
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(["place.first", *(f"one.{key}" for key in keys)])
    # With a sign before them they are no key to look by: that is the client, in each period.
    named = ", ".join(["(%s, %s)"] * len(pairs or ()))
    among = f"AND (+one.server, +one.source) IN (VALUES {named})" if pairs else ""
    meant = f"""one.account = %s AND one.start = period.start
        AND one.client >= place.first AND one.client <= place.last {among}"""
    rows = f"{table} one WHERE {meant}"
    if connection.vendor == "postgresql":
        # It would rather read the whole table and compare each row with each place; a part with an
        # offset is planned by itself, for one place in one period, and so by the key.
        rows = f"LATERAL (SELECT one.* FROM {rows} OFFSET 0) one"  # noqa: S608 (names of our own)
    statement = f"""
        WITH place (first, last) AS (VALUES {places}), period (start) AS (VALUES {periods})
        SELECT {columns}, CAST(SUM(one.count) AS bigint)
        FROM place CROSS JOIN period CROSS JOIN {rows}
        GROUP BY {columns}
    """  # noqa: S608 (names of our own)
    given = [end for target in targets for end in bounds(target)]
    counting = [number for pair in pairs or () for number in pair]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*given, *starts, account, *counting])
        return list(cursor.fetchall())


def target_of(first: bytes, *, network: bool = False) -> NetworkTarget:
    """The address of 16 bytes as a target, or the /24 or /64 that begins there."""
    host = address_of(first)
    return host.around(_SUMMED[host.version]) if network else host


def is_wide(network: NetworkTarget) -> bool:
    """Whether it is made up of the networks that are summed up by the day."""
    return network.prefix <= _SUMMED[network.version]


def _sums_of(network: NetworkTarget) -> QuerySet[Any]:
    """The sums by network, of those that make up a network the widest."""
    for depth, prefix in enumerate(DEPTHS[network.version]):
        if network.prefix <= prefix:
            return WideDay.objects.filter(depth=depth)
    return NetworkDay.objects.all()


def _periods(
    account: int, wanted: Wanted, now: float, *, networks: bool
) -> list[tuple[type[ClientCount], list[int]]]:
    """When the days and hours begin that are meant, with the table of each.

    With `networks` from sums by network where there are any, which are rows of the same form.
    """
    days, hours = list[int](), list[int]()
    for span in spans_of(account, wanted, now):
        (days if span.step == DAY else hours).extend(span.starts)
    summed = _summed_up(account, days) if networks else []
    tables: list[tuple[type[ClientCount], list[int]]] = [
        (NetworkDay, summed),
        (ClientDay, sorted(set(days) - set(summed))),
        (ClientHour, hours),
    ]
    return [(model, starts) for model, starts in tables if starts]


def _summed_up(account: int, days: list[int]) -> list[int]:
    """Of some days those whose sums by network are up to date."""
    changed = Changed.objects.filter(account=account, step=DAY).values_list("start", flat=True)
    return sorted(set(days) - set(changed))


def _tables(
    account: int, wanted: Wanted, now: float, summed: QuerySet[Any] | None = None
) -> list[QuerySet[Any]]:
    """The rows that are meant: in the table of days, in that of hours, or some in each.

    Those of `summed` instead of days by client, where there are any.
    """
    meant = counted(account, wanted)
    if meant is None:
        return []
    if wanted.client is not None:
        meant &= within(wanted.client)
    return [
        (
            summed if summed is not None and model is NetworkDay else model._default_manager.all()
        ).filter(meant & one_of("start", starts))
        for model, starts in _periods(account, wanted, now, networks=summed is not None)
    ]


def grouped(rows: QuerySet[Any], *keys: str) -> Iterable[tuple[Any, ...]]:
    """The sums of counts by some fields, each row of the fields and the sum."""
    yield from rows.values_list(*keys).annotate(sum=total()).order_by()


def _different(account: int, wanted: Wanted, now: float) -> int:
    found: set[bytes] = set()
    for rows in _little_by_little(account, wanted, now):
        if len(found) >= CLIENTS_LIMIT:
            break
        found.update(map(bytes, rows.values_list("client", flat=True).distinct()[:CLIENTS_LIMIT]))
    return min(len(found), CLIENTS_LIMIT)


def _little_by_little(account: int, wanted: Wanted, now: float) -> Iterator[QuerySet[Any]]:
    """The rows that are meant, from the latest period back, of more and more of them at once.

    Of all at once PostgreSQL would read every row, limit or not.
    """
    meant = counted(account, wanted)
    if meant is None or wanted.client is None:
        return
    meant &= within(wanted.client)
    for model, starts in _periods(account, wanted, now, networks=False):
        end, step = len(starts), 1
        while end > 0:
            some = starts[max(end - step, 0) : end]
            yield model._default_manager.filter(meant & one_of("start", some)).order_by()
            end, step = end - step, 4 * step
