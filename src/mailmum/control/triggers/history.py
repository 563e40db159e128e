"""The past of an account as contacts: counts by the hour, and the sightings that are still kept.

Counts are sifted, first by the database (`sifting`), then in the order of time
(`mailmum.triggers.backtest`), piece by piece, and judged in between: who is listed by then is left
out until the listing ends.  For those that are left the single sightings take the place of the
counts where they are still kept; before that a count stands for that many contacts at the beginning
of its hour, so a window shorter than an hour is then reached a little too easily: what is shown is
rather too much than too little.

Scores, recipients and names are with sightings only, so rules by these look no further back.

Of counts it may be part of the clients that is read (`slices`): then there is the past of these.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db.models import CharField, Q, QuerySet, Value

from mailmum.control.traffic.models import ClientHour, Seen
from mailmum.control.traffic.reading import Best, among, of_best
from mailmum.control.triggers.contexts import COLUMNS, contact_of
from mailmum.control.triggers.heard import words
from mailmum.control.triggers.sifting import fetched, sifted
from mailmum.control.triggers.slices import LENGTHS, Slice, stretch
from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.codes import ASKED, SOURCES, source_of
from mailmum.traffic.packing import MAPPED, bounds
from mailmum.traffic.periods import DAY, HOUR, end_of, start_of
from mailmum.traffic.sightings import Source
from mailmum.traffic.turns import ALWAYS, within
from mailmum.triggers.backtest import Sieve
from mailmum.triggers.contacts import COUNTED, Contact, Context, outcomes_of
from mailmum.triggers.decisions import Decision
from mailmum.triggers.rules import Group, Metric, Rule, Where
from mailmum.triggers.singles import Singles

SIGHTINGS_LIMIT = 500_000
"""Single sightings that are looked at, of all clients together."""
_AT_ONCE = 400
_STEP = 20_000
_NEVER = -math.inf
_NUMBER, _AT, _CLIENT = map(Contact._fields.index, ("number", "at", "client"))

Chunk = list[tuple[Any, ...]]


@dataclass(slots=True)
class Past:
    """What is found of the past.

    Attributes:
        since, until: the time that is meant, Unix seconds.
        slices: the clients that are meant.
        room: so many single sightings are looked at; beyond, counts stand for the rest.
        counting: whether it is counted how many counts there are.
        exact: from when on single sightings were looked at; None for not at all.
        rows: counts that were sifted, and sightings that were looked at.
        found: what is next, contacts in the order of time, as plain tuples: the garbage collector
            goes through hundreds of thousands of anything else again and again.
        settled: up to when the hours of a group lead to nothing, by what was found before.
        singles: what is found instead for rules that go by single sightings, when all is read.
    """

    since: float
    until: float
    slices: Sequence[Slice] = ()
    room: int = SIGHTINGS_LIMIT
    counting: bool = True
    exact: float | None = None
    rows: int = 0
    found: list[tuple[Any, ...]] = field(default_factory=list)
    settled: dict[Any, float] = field(default_factory=dict)
    singles: Singles | None = None

    def contacts(self, rule: Rule) -> Iterator[Contact]:
        """Take what was found, without those that are settled by the time it is their turn."""
        found, self.found = self.found, []
        if not _is_plain(rule):
            yield from map(Contact._make, found)
            return
        settled = self.settled
        for one in found:
            if one[_AT] > settled.get(one[_CLIENT], _NEVER) * 1000:
                yield Contact._make(one)

    def clients(self) -> set[bytes]:
        """All clients among them."""
        return {one[_CLIENT] for one in self.found if one[_CLIENT]}

    def settle(self, rule: Rule, listed: Decision, until: int) -> None:
        """Leave out who was listed up to a time in milliseconds."""
        if isinstance(listed.target, NetworkTarget):
            client, _ = bounds(listed.target)
            # Of the last hour part is later: it is read.
            self.settled[_key(rule, listed.scope, client)] = until / 1000 - HOUR


def read(account: int, rule: Rule, context: Context, past: Past) -> Iterator[float]:
    """Fill `past`; how much is done, from 0 to 1, now and then.

    What is found by then may be taken, and who is listed be settled; the rest is there at the end.
    """
    if rule.metric is Metric.ASKED:
        yield from words(account, past)
        return
    if by_sighting(rule):
        yield from _by_sighting(account, rule, context, past)
        return
    # Each list counts once, and a row is of one list.
    sieve = Sieve(rule.threshold, rule.window, each=rule.metric is Metric.LISTS)
    past.exact = _exact_since(account, past)
    yield from _sift(account, rule, context, past, sieve)


def by_sighting(rule: Rule) -> bool:
    """Whether a rule needs what only sightings have."""
    return rule.metric in (Metric.SCORE, Metric.TRAP) or rule.group is Group.DOMAIN


def _sift(account: int, rule: Rule, context: Context, past: Past, sieve: Sieve) -> Iterator[float]:
    """Put the counts that can matter through a sieve, a piece of time after the other."""
    first, last = start_of(past.since, HOUR), end_of(past.until, HOUR)
    counts, single = (_meant(rule, context, past, one) for one in (("start", DAY), ("hour", HOUR)))
    origin, begin = None, last
    for end, rows, reached in sifted(account, rule, counts, past.slices, first, last, past.settled):
        # Where nothing is kept nothing is done.
        origin, begin = (end, end) if origin is None else (origin, begin)
        if end > begin:
            past.rows += _kept(account, past, range(begin, end, HOUR)) if past.counting else 0
            sieve.take(_unsettled(_keyed(rows, rule), past.settled))
            _put_together(account, single, past, sieve.taken(end if end < last else math.inf))
            begin = end
        yield (reached - origin) / (last - origin)


def _kept(account: int, past: Past, hours: range) -> int:
    """How many counts of those meant there are in these hours."""
    within = stretch(hours, (past.slices[0][0], past.slices[-1][1]))
    return ClientHour.objects.filter(within, account=account).count()


def _unsettled(
    rows: Iterator[Iterable[tuple[Any, ...]]], settled: dict[Any, float]
) -> Iterator[tuple[Any, ...]]:
    for some in rows:
        if not settled:
            yield from some
        else:
            yield from (row for row in some if row[0] > settled.get(row[1], _NEVER))


def _keyed(rows: Iterator[Chunk], rule: Rule) -> Iterator[Iterable[tuple[Any, ...]]]:
    """Rows with the group that they count for in second place, and how many in third."""
    return rows if _is_plain(rule) else (_grouped(chunk, rule) for chunk in rows)


def _is_plain(rule: Rule) -> bool:
    """Whether each client counts for itself, wherever it comes."""
    return rule.group is Group.ADDRESS and rule.where is Where.ACCOUNT


def _grouped(chunk: Chunk, rule: Rule) -> Iterator[tuple[Any, ...]]:
    for start, client, many, server, *rest in chunk:
        yield start, _key(rule, server, client), many, server, *rest, client


def _key(rule: Rule, server: int, client: bytes) -> Any:
    """The group that a client counts for."""
    four, six = LENGTHS[rule.group]
    group = client[:four] if client[:12] == MAPPED else client[:six]
    return (server, group) if rule.where is Where.SERVER else group


def _meant(rule: Rule, context: Context, past: Past, by: tuple[str, int]) -> Q:
    """The condition on counts or sightings that a rule can count them.

    Args:
        rule: what is counted.
        context: what counting takes besides.
        past: the time that is meant.
        by: the column that has the time, and how long a period is: where another source takes its
            turn within one both are meant, and the judge leaves one of them out.
    """
    meant = Q()
    if rule.server:
        meant &= Q(server=rule.server)
    if rule.metric is Metric.CONNECTIONS:
        field, step = by
        return meant & of_best(_best(context, past, step), field) & ~Q(outcome=ASKED)
    meant &= Q(source=SOURCES[Source.LOG])
    if (outcomes := outcomes_of(rule)) is not None:
        meant &= among("outcome", outcomes)
    if rule.metric in (Metric.RBL, Metric.LISTS):
        meant &= among("rbl", context.public)
    return meant


def _best(context: Context, past: Past, step: int) -> Iterator[Best]:
    """By which source each server is seen best, in whole periods."""
    first, last = round(past.since * 1000), round(past.until * 1000)
    for server, turns in context.best.items():
        for turn in within(turns, first, last):
            since = ALWAYS[0] if turn.since <= first else start_of(turn.since / 1000, step)
            until = ALWAYS[1] if turn.until >= last else end_of(turn.until / 1000, step)
            yield Best(server, source_of(turn.source), since, until)


def _exact_since(account: int, past: Past) -> float | None:
    """From when on sightings are kept of all that is counted; None where none are."""
    first = Seen.objects.filter(account=account).order_by("time").values_list("time", flat=True)
    found = first.first()
    # They go by whole days.
    kept = None if found is None else max(start_of(found / 1000, HOUR), past.since)
    end = end_of(past.until, HOUR) if kept is None else start_of(kept, HOUR)
    begin = start_of(past.since, HOUR)
    before = ClientHour.objects.filter(account=account, start__gte=begin, start__lt=end)
    # Of a new installation nothing is older: then no count stands for single sightings.
    return kept if before.exists() else past.since


def _put_together(account: int, meant: Q, past: Past, rows: list[tuple[Any, ...]]) -> None:
    """Sightings where they are kept and there is room, else counts; all in the order of time."""
    exact: dict[int, set[bytes]] = {}
    made: list[tuple[Any, ...]] = []
    for row in rows:
        if past.exact is not None and row[0] >= past.exact and past.room > 0:
            exact.setdefault(row[0], set()).add(bytes(row[7] if len(row) > 7 else row[1]))
            past.room -= row[2]
        else:
            made.append(_counted(row))
    for hour, clients in sorted(exact.items()):
        made += _sightings(account, meant, hour, sorted(clients))
    past.rows += sum(one[_NUMBER] > 0 for one in made)
    first, last = past.since * 1000, past.until * 1000
    found = [one for one in made if first <= one[_AT] < last]
    found.sort(key=itemgetter(_AT, _NUMBER, _CLIENT))
    past.found += found


def _counted(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A count by the hour as a contact at its beginning."""
    start, key, many, server, source, outcome, rbl, *rest = row
    client = rest[0] if rest else key
    return (
        COUNTED,
        start * 1000,
        server,
        source,
        outcome,
        bytes(client),
        rbl,
        many,
        None,
        None,
        None,
    )


def _sightings(
    account: int, meant: Q, hour: int, clients: list[bytes]
) -> Iterator[tuple[Any, ...]]:
    for at in range(0, len(clients), _AT_ONCE):
        some = clients[at : at + _AT_ONCE]
        rows = Seen.objects.filter(meant, account=account, hour=hour, client__in=some)
        yield from (tuple(contact_of(row)) for row in rows.values_list(*COLUMNS))


def _by_sighting(account: int, rule: Rule, context: Context, past: Past) -> Iterator[float]:
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
    singles, origin, told = Singles(rule, context), past.until, 0
    for chunk in fetched(_columns(rows.order_by("time", "id"), rule)):
        origin = min(origin, chunk[0][_AT] / 1000)
        singles.take(map(_packed, chunk))
        past.rows += len(chunk)
        # After each step garbage is searched for, so these are long.
        if past.rows >= told + _STEP:
            told = past.rows
            yield (chunk[-1][_AT] / 1000 - origin) / max(past.until - origin, 1)
    past.singles = singles


def _columns(rows: QuerySet[Seen], rule: Rule) -> QuerySet[Seen, tuple[Any, ...]]:
    """The columns of contacts; those of which the rule needs nothing are empty."""
    needed = {
        "client_name": rule.group is Group.DOMAIN,
        "score": rule.metric is Metric.SCORE,
        "recipient": rule.metric is Metric.TRAP,
    }
    without = {f"no_{one}": Value(None, CharField()) for one, meant in needed.items() if not meant}
    names = (one if needed.get(one, True) else f"no_{one}" for one in COLUMNS)
    return rows.annotate(**without).values_list(*names)


def _packed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of `COLUMNS` as a contact; SQLite gives it as it is."""
    client = row[_CLIENT]
    return row if client is None or type(client) is bytes else tuple(contact_of(row))
