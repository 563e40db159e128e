"""The past of an account as contacts: counts by the hour, and the sightings that are still kept.

Counts of all clients are read once, in the order of time, and sifted (`mailmum.triggers.backtest`).
For those that are left the single sightings take the place of the counts where they are still kept;
before that a count stands for that many contacts at the beginning of its hour, so a window shorter
than an hour is then reached a little too easily: what is shown is rather too much than too little.

Scores, recipients and names are with sightings only, so rules by these look no further back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connections
from django.db.models import Q, QuerySet

from mailmum.control.traffic.models import ClientHour, Seen
from mailmum.control.traffic.router import traffic_database
from mailmum.control.triggers.contexts import COLUMNS, contact_of
from mailmum.control.triggers.heard import words
from mailmum.traffic.codes import ASKED, SOURCES
from mailmum.traffic.packing import MAPPED
from mailmum.traffic.periods import DAY, HOUR, end_of, start_of
from mailmum.traffic.sightings import Source
from mailmum.triggers.backtest import Sieve
from mailmum.triggers.contacts import Contact, Context, outcomes_of
from mailmum.triggers.rules import Group, Metric, Rule, Where

SIGHTINGS_LIMIT = 500_000
"""Single sightings that are looked at; beyond, counts stand for the rest."""
_AT_ONCE = 400
_STEP = 50_000
_ROWS = 5000
_KEYS = ("start", "client", "count", "server", "source", "outcome", "rbl")
_LENGTHS = {Group.ADDRESS: (16, 16), Group.NETWORK: (15, 8), Group.WIDE: (15, 6)}

Chunk = list[tuple[Any, ...]]


@dataclass(slots=True)
class Past:
    """What is found of the past.

    Attributes:
        since, until: the time that is meant, Unix seconds.
        exact: from when on single sightings were looked at; None for not at all.
        rows: counts and sightings that were looked at.
        contacts: in the order of time.
    """

    since: float
    until: float
    exact: float | None = None
    rows: int = 0
    contacts: list[Contact] = field(default_factory=list)


def read(account: int, rule: Rule, context: Context, past: Past) -> Iterator[float]:
    """Fill `past`; how much is done, from 0 to 1, now and then."""
    if rule.metric is Metric.ASKED:
        yield from words(account, past)
        return
    if by_sighting(rule):
        yield from _by_sighting(account, rule, past)
        return
    # Each list counts once, and a row is of one list.
    sieve = Sieve(rule.threshold, rule.window, each=rule.metric is Metric.LISTS)
    yield from _sift(account, rule, context, past, sieve)
    kept = _kept_since(account)
    past.exact = None if kept is None else max(kept, past.since)
    _put_together(account, rule, context, past, sieve.found.values())


def by_sighting(rule: Rule) -> bool:
    """Whether a rule needs what only sightings have."""
    return rule.metric in (Metric.SCORE, Metric.TRAP) or rule.group is Group.DOMAIN


def _sift(account: int, rule: Rule, context: Context, past: Past, sieve: Sieve) -> Iterator[float]:
    """Put all counts through a sieve, a day at a time."""
    meant = ClientHour.objects.filter(_meant(rule, context), account=account)
    first, last = start_of(past.since, HOUR), end_of(past.until, HOUR)
    for day in range(first, last, DAY):
        rows = meant.filter(start__gte=day, start__lt=min(day + DAY, last))
        sieve.take(_keyed(_raw(rows.order_by("start", "client")), rule, past))
        yield min((day + DAY - first) / (last - first), 1.0)


def _keyed(rows: Iterator[Chunk], rule: Rule, past: Past) -> Iterator[tuple[Any, ...]]:
    """Rows with the group that they count for in second place, and how many in third."""
    plain = rule.group is Group.ADDRESS and rule.where is Where.ACCOUNT
    for chunk in rows:
        past.rows += len(chunk)
        if plain:
            yield from chunk
        else:
            yield from _grouped(chunk, rule)


def _grouped(chunk: Chunk, rule: Rule) -> Iterator[tuple[Any, ...]]:
    four, six = _LENGTHS[rule.group]
    by_server = rule.where is Where.SERVER
    for start, client, many, server, *rest in chunk:
        group = client[:four] if client[:12] == MAPPED else client[:six]
        yield start, (server, group) if by_server else group, many, server, *rest, client


def _raw(rows: QuerySet[Any]) -> Iterator[Chunk]:
    """Rows without the ORM, in pieces: there are millions of them."""
    alias = traffic_database()
    statement, given = rows.values_list(*_KEYS).query.get_compiler(using=alias).as_sql()
    with connections[alias].chunked_cursor() as cursor:
        cursor.execute(statement, given)
        while chunk := cursor.fetchmany(_ROWS):
            yield chunk


def _meant(rule: Rule, context: Context) -> Q:
    """The condition on counts and sightings alike that a rule can count them."""
    meant = Q()
    if rule.server:
        meant &= Q(server=rule.server)
    if rule.metric is Metric.CONNECTIONS:
        best = Q(server__in=[])
        for server, source in context.best.items():
            best |= Q(server=server, source=source)
        return meant & best & ~Q(outcome=ASKED)
    meant &= Q(source=SOURCES[Source.LOG])
    if (outcomes := outcomes_of(rule)) is not None:
        meant &= Q(outcome__in=outcomes)
    if rule.metric in (Metric.RBL, Metric.LISTS):
        meant &= Q(rbl__in=sorted(context.public))
    return meant


def _kept_since(account: int) -> float | None:
    """The first hour of which sightings are kept; they go by whole days."""
    first = Seen.objects.filter(account=account).order_by("time").values_list("time", flat=True)
    found = first.first()
    return None if found is None else start_of(found / 1000, HOUR)


def _put_together(
    account: int,
    rule: Rule,
    context: Context,
    past: Past,
    found: Iterable[list[tuple[Any, ...]]],
) -> None:
    """Sightings where they are kept, counts before; all in the order of time."""
    exact: dict[int, set[bytes]] = {}
    room = SIGHTINGS_LIMIT
    made: list[Contact] = []
    for rows in found:
        for row in rows:
            counted = _counted(row)
            start = row[0]
            if past.exact is not None and start >= past.exact and room > 0:
                assert counted.client is not None
                exact.setdefault(start, set()).add(counted.client)
                room -= counted.many
            else:
                made.append(counted)
    meant = _meant(rule, context)
    for hour, clients in sorted(exact.items()):
        made += _sightings(account, meant, hour, sorted(clients))
    made.sort(key=lambda one: (one.at, one.number))
    past.rows += sum(one.number > 0 for one in made)
    past.contacts = [one for one in made if past.since * 1000 <= one.at < past.until * 1000]


def _counted(row: tuple[Any, ...]) -> Contact:
    """A count by the hour as a contact at its beginning."""
    start, key, many, server, source, outcome, rbl, *rest = row
    client = rest[0] if rest else key
    return Contact(-1, start * 1000, server, source, outcome, bytes(client), rbl, many)


def _sightings(account: int, meant: Q, hour: int, clients: list[bytes]) -> Iterator[Contact]:
    for at in range(0, len(clients), _AT_ONCE):
        some = clients[at : at + _AT_ONCE]
        rows = Seen.objects.filter(meant, account=account, hour=hour, client__in=some)
        yield from map(contact_of, rows.values_list(*COLUMNS))


def _by_sighting(account: int, rule: Rule, past: Past) -> Iterator[float]:
    outcomes = outcomes_of(rule)
    meant = Q() if outcomes is None else Q(outcome__in=outcomes)
    if rule.server:
        meant &= Q(server=rule.server)
    if rule.metric is Metric.SCORE:
        meant &= Q(score__gte=rule.score)
    if rule.metric is Metric.TRAP:
        meant &= Q(recipient__isnull=False)
    rows = Seen.objects.filter(
        meant, account=account, time__gte=past.since * 1000, time__lt=past.until * 1000
    )
    # The newest that there is room for; of these, the oldest first.
    edge = rows.order_by("-time").values_list("time", flat=True)[
        SIGHTINGS_LIMIT : SIGHTINGS_LIMIT + 1
    ]
    first = next(iter(edge), None)
    if first is not None:
        past.since = first / 1000
        rows = rows.filter(time__gt=first)
    past.exact = past.since
    chosen = rows.order_by("time", "id").values_list(*COLUMNS)
    for row in chosen.iterator(chunk_size=5000):
        past.contacts.append(contact_of(row))
        past.rows += 1
        if past.rows % _STEP == 0:
            yield (row[1] / 1000 - past.since) / max(past.until - past.since, 1)
