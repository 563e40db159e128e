"""Counts by the hour that can matter to a rule: who cannot have reached the threshold is not read.

Of millions of clients hardly any comes near a threshold, and a row costs many times more here than
in the database.  So the database sums up first, in pieces of time that overlap by as many hours as
one window can touch: whoever reaches the threshold within a window does so within one piece, and
has at least as much in the whole of it.  Of those all rows are read, of the others none.  That may
be too many, never too few; what is read goes through the finer `Sieve`, and then to the judge.

Where a window is a day or longer, whole days are summed up: of them there is a table with a third
of the rows, kept as long as the hours at least.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BinaryField, Count, F, Func, Max, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import Substr

from mailmum.control.traffic.models import ClientDay, ClientHour
from mailmum.control.traffic.router import traffic_database
from mailmum.control.triggers.slices import IPV4, LENGTHS, Slice, is_ipv4, stretch
from mailmum.traffic.packing import MAPPED
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.triggers.rules import Group, Metric, Rule

Row = tuple[Any, ...]
KEYS = ("start", "client", "count", "server", "source", "outcome", "rbl")

_PIECE, _SHORTEST = 8, DAY
"""A piece is so many overlaps long, besides the overlap itself, an eighth is then summed up twice;
and so many seconds at least, since each takes several statements."""
_BY_DAY = DAY
"""So long a window is summed up by whole days."""
_READ = DAY
"""So much is read at once: in between those are listed whose rows need not be read then."""
_SEEKS = 20_000
"""So many looks into the key cost less than reading all of a piece."""
_STATEMENT = 8
"""A statement of its own costs as much as so many looks for each hour."""
_GROUPS = 20_000
"""More groups are not named to the database: then all rows are read, and sifted here.  Every SQLite
that can be used takes more parameters than that."""
_ROWS = 5000


def period_of(rule: Rule) -> int:
    """The period by which is summed up, `HOUR` or `DAY`."""
    return DAY if rule.window >= _BY_DAY else HOUR


def pieces(rule: Rule) -> tuple[int, int]:
    """How long a piece of time is in which is summed up, and by how much the next one overlaps."""
    period = period_of(rule)
    overlap = (rule.window + period - 1) // period * period
    return max(_PIECE * overlap, _SHORTEST), overlap


def sifted(
    account: int,
    rule: Rule,
    meant: Q,
    slices: Sequence[Slice],
    first: int,
    last: int,
    settled: Mapping[Any, float],
) -> Iterator[tuple[int, Iterator[list[Row]], float]]:
    """Rows of `KEYS` in the order of time, piece by piece: where one ends, and its rows.

    The third is how far it is by then, as a time.  While sums are made there are no new rows, and
    nothing ends later than before.

    Args:
        account: number of the account.
        rule: what is counted.
        meant: the condition on rows that the rule counts.
        slices: the clients that are looked at.
        first, last: hours, from one to before the other.
        settled: up to which hour a group need not be read; it may grow in between.
    """
    (step, overlap), period = pieces(rule), period_of(rule)
    counted = ClientHour.objects.filter(meant, account=account)
    summed = ClientDay.objects.filter(meant, account=account) if period == DAY else counted
    before: set[bytes] | None = set()
    kept = ClientHour.objects.filter(account=account, start__gte=first, start__lt=last)
    origin = kept.order_by("start").values_list("start", flat=True).first()
    # Of many an account nothing is kept yet, or but a few days.
    if origin is None:
        return
    for piece in range(start_of(origin, period), last, step):
        begin, end, now = max(piece, origin), min(piece + step, last), set[bytes]()
        middle = (begin + end) / 2
        periods = range(piece, min(end + overlap, last), period)
        for place, one in enumerate(slices):
            yield begin, iter(()), begin + (middle - begin) * place / len(slices)
            now |= _able(summed.filter(stretch(periods, one)), rule, one)
        named = None if rule.threshold <= 1 or len(now) > _GROUPS else now
        able = None if before is None or named is None else before | named
        for at in range(begin, end, _READ):
            hours = range(at, min(at + _READ, end), HOUR)
            some = able and {one for one in able if settled.get(one, 0) < hours[-1]}
            rows = _rows(counted, rule.group, slices, some, hours)
            yield hours.stop, rows, middle + (hours.stop - begin) / 2
        before = named


def _able(counted: QuerySet[Any], rule: Rule, within: Slice) -> set[bytes]:
    """Groups in a slice that can have reached the threshold, by the rows of a piece of time."""
    if rule.threshold <= 1:
        return set()
    four, six = LENGTHS[rule.group]
    unit = F("client") if rule.group is Group.ADDRESS else _start(four if is_ipv4(within) else six)
    sums = counted.values(unit=unit)
    if rule.metric is Metric.LISTS:
        # Each list counts once: several rows, and not all of one list.
        sums = sums.annotate(many=Count("*"), least=Min("rbl"), most=Max("rbl"))
        sums = sums.filter(many__gte=rule.threshold, most__gt=F("least"))
    else:
        sums = sums.annotate(many=Sum("count")).filter(many__gte=rule.threshold)
    return {
        bytes(row[0]) for chunk in fetched(sums.values_list("unit").order_by()) for row in chunk
    }


def _rows(
    counted: QuerySet[Any],
    group: Group,
    slices: Sequence[Slice],
    able: set[bytes] | None,
    hours: range,
) -> Iterator[list[Row]]:
    """The rows of some groups in these hours, None for all; in the order of time."""
    whole = counted.filter(_all_of(hours, (slices[0][0], slices[-1][1])))
    if able is None:
        yield from raw(whole.order_by("start", "client"))
    elif len(able) * len(hours) * (1 if group is Group.ADDRESS else _STATEMENT) > _SEEKS:
        yield from _read_through(whole, group, able)
    elif group is Group.ADDRESS:
        # Both named: then the database looks for each client in each hour.
        named = Q(start__in=list(hours), client__in=sorted(able))
        yield from raw(counted.filter(named).order_by("start", "client"))
    else:
        found: list[Row] = []
        for unit in able:
            part = stretch(hours, (unit.ljust(16, b"\0"), unit.ljust(16, b"\xff")))
            for chunk in raw(counted.filter(part)):
                found += chunk
        yield sorted(found, key=lambda row: (row[0], bytes(row[1])))


def _all_of(hours: range, within: Slice) -> Q:
    """The condition on counts to be of these hours and clients, where all of them are read."""
    if connections[traffic_database()].vendor == "sqlite":
        return stretch(hours, within)
    # PostgreSQL takes it that hours named one by one lie apart, and rather reads the whole table.
    low, high = within
    return Q(start__gte=hours.start, start__lt=hours.stop, client__gte=low, client__lte=high)


def _read_through(rows: QuerySet[Any], group: Group, able: set[bytes]) -> Iterator[list[Row]]:
    if group is Group.ADDRESS:
        rows = rows.annotate(unit=_as_it_is("client")).filter(unit__in=sorted(able))
    else:
        four, six = LENGTHS[group]
        short = Q(four__in=[one for one in able if one[:12] == MAPPED]) & IPV4
        long = Q(six__in=[one for one in able if one[:12] != MAPPED]) & ~IPV4
        rows = rows.annotate(four=_start(four), six=_start(six))
        rows = rows.filter(short | long)
    yield from _few(rows)


def _as_it_is(column: str) -> Any:
    """A column in such a way that the database does not look up each value that it may have.

    PostgreSQL would do so, in each hour, or look at whole rows to leave most of them out.
    """
    if connections[traffic_database()].vendor == "sqlite":
        return F(column)
    nothing = Value(b"", output_field=BinaryField())
    return Func(F(column), nothing, template="(%(expressions)s)", arg_joiner=" || ")


def _start(length: int) -> Substr:
    """So many first bytes of a client."""
    return Substr("client", 1, length, output_field=BinaryField())


def raw(rows: QuerySet[Any]) -> Iterator[list[Row]]:
    """Columns `KEYS` of rows, in pieces."""
    return fetched(rows.values_list(*KEYS))


def _few(rows: QuerySet[Any]) -> Iterator[list[Row]]:
    """The same where most that is gone through is left out; in the order of time.

    The number of a row stands beside its key, not in it.  On SQLite both are one; for PostgreSQL
    the key is gone through by itself, and only the rows of those that are left are looked at.
    """
    if connections[traffic_database()].vendor == "sqlite":
        yield from raw(rows.order_by("start", "client"))
        return
    table, key = ClientHour._meta.db_table, ("account", *(one for one in KEYS if one != "count"))
    same = " AND ".join(f"kept.{one} = found.{one}" for one in key)
    columns = ", ".join(f"{'kept' if one == 'count' else 'found'}.{one}" for one in KEYS)
    yield from fetched(
        rows.values_list(*key),
        f"""
        WITH found AS MATERIALIZED ({{}}) SELECT {columns} FROM found
        CROSS JOIN LATERAL (SELECT count FROM {table} kept WHERE {same} LIMIT 1) kept
        ORDER BY found.start, found.client
        """,  # noqa: S608 (names of our own)
    )


def fetched(wanted: QuerySet[Any, Any], around: str = "{}") -> Iterator[list[Row]]:
    """Without the ORM: there are many of them."""
    alias = traffic_database()
    try:
        statement, given = wanted.query.get_compiler(using=alias).as_sql()
    except EmptyResultSet:
        # Where no public list is known yet, say, none can be asked for.
        return
    with connections[alias].chunked_cursor() as cursor:
        cursor.execute(around.format(statement), given)
        while chunk := cursor.fetchmany(_ROWS):
            yield chunk
