"""Counts by the hour that can matter to a rule: who cannot have reached the threshold is not read.

Of millions of clients hardly any comes near a threshold, and a row costs many times more here than
in the database.  So the database sums up first, in pieces of time that overlap by as many hours as
one window can touch: whoever reaches the threshold within a window does so within one piece, and
has at least as much in the whole of it.  Of those all rows are read, of the others none.  That may
be too many, never too few; what is read goes through the finer `Sieve`, and then to the judge.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import BinaryField, Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Substr

from mailmum.control.traffic.models import ClientHour
from mailmum.control.traffic.router import traffic_database
from mailmum.traffic.packing import MAPPED
from mailmum.traffic.periods import DAY, HOUR
from mailmum.triggers.rules import Group, Metric, Rule

Row = tuple[Any, ...]
KEYS = ("start", "client", "count", "server", "source", "outcome", "rbl")
LENGTHS = {Group.ADDRESS: (16, 16), Group.NETWORK: (15, 8), Group.WIDE: (15, 6)}
"""By how many bytes of a client, IPv4 and IPv6, a group is known."""

_PIECE, _SHORTEST = 8, DAY
"""A piece is so many overlaps long, besides the overlap itself, an eighth is then summed up twice;
and so many seconds at least, since each takes several statements."""
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
_FIRST, _LAST = MAPPED + bytes(4), MAPPED + b"\xff\xff\xff\xff"
_IPV4 = Q(client__gte=_FIRST, client__lte=_LAST)
_IPV6 = (Q(client__lt=_FIRST), Q(client__gt=_LAST))


def sifted(
    account: int, rule: Rule, meant: Q, first: int, last: int, settled: Mapping[Any, float]
) -> Iterator[tuple[int, Iterator[list[Row]]]]:
    """Rows of `KEYS` in the order of time, piece by piece: where a piece ends, and its rows.

    Args:
        account: number of the account.
        rule: what is counted.
        meant: the condition on rows that the rule counts.
        first, last: hours, from one to before the other.
        settled: up to which hour a group need not be read; it may grow in between.
    """
    overlap = (rule.window + HOUR - 1) // HOUR * HOUR
    step = max(_PIECE * overlap, _SHORTEST)
    counted = ClientHour.objects.filter(meant, account=account)
    before: set[bytes] | None = set()
    kept = ClientHour.objects.filter(account=account, start__gte=first, start__lt=last)
    earliest = kept.order_by("start").values_list("start", flat=True).first()
    # Of many an account nothing is kept yet, or but a few days.
    for begin in range(last if earliest is None else earliest, last, step):
        end = min(begin + step, last)
        now = _able(counted, rule, begin, min(end + overlap, last))
        able = None if before is None or now is None else before | now
        for at in range(begin, end, _READ):
            hours = range(at, min(at + _READ, end), HOUR)
            some = able and {one for one in able if settled.get(one, 0) < hours[-1]}
            yield hours.stop, _rows(counted, rule.group, some, hours)
        before = now


def _able(counted: QuerySet[Any], rule: Rule, begin: int, end: int) -> set[bytes] | None:
    """Groups that can have reached the threshold in a piece of time; None for anybody."""
    if rule.threshold <= 1:
        return None
    found: set[bytes] = set()
    for part, unit in _units(rule.group, range(begin, end, HOUR)):
        sums = counted.filter(part).values(unit=unit)
        if rule.metric is Metric.LISTS:
            # Each list counts once: several rows, and not all of one list.
            sums = sums.annotate(many=Count("*"), least=Min("rbl"), most=Max("rbl"))
            sums = sums.filter(many__gte=rule.threshold, most__gt=F("least"))
        else:
            sums = sums.annotate(many=Sum("count")).filter(many__gte=rule.threshold)
        for chunk in _fetched(sums.values_list("unit").order_by()):
            found.update(bytes(row[0]) for row in chunk)
    return found if len(found) <= _GROUPS else None


def _units(group: Group, hours: range) -> Iterator[tuple[Q, Combinable]]:
    """Parts of the clients, each with the bytes by which a group is known there."""
    four, six = LENGTHS[group]
    if group is Group.ADDRESS:
        yield Q(start__gte=hours.start, start__lt=hours.stop), F("client")
        return
    # The hours are named one by one: then the part of the key that follows bounds what is read.
    named = Q(start__in=list(hours))
    yield named & _IPV4, _start(four)
    for part in _IPV6:
        yield named & part, _start(six)


def _rows(
    counted: QuerySet[Any], group: Group, able: set[bytes] | None, hours: range
) -> Iterator[list[Row]]:
    """The rows of some groups in these hours, None for all; in the order of time."""
    within = Q(start__gte=hours.start, start__lt=hours.stop)
    if able is None:
        yield from raw(counted.filter(within).order_by("start", "client"))
    elif len(able) * len(hours) * (1 if group is Group.ADDRESS else _STATEMENT) > _SEEKS:
        yield from _read_through(counted.filter(within), group, able)
    elif group is Group.ADDRESS:
        # Both named: then the database looks for each client in each hour.
        named = Q(start__in=list(hours), client__in=sorted(able))
        yield from raw(counted.filter(named).order_by("start", "client"))
    else:
        found: list[Row] = []
        for unit in able:
            lowest, highest = unit.ljust(16, b"\0"), unit.ljust(16, b"\xff")
            part = Q(start__in=list(hours), client__gte=lowest, client__lte=highest)
            for chunk in raw(counted.filter(part)):
                found += chunk
        yield sorted(found, key=lambda row: (row[0], bytes(row[1])))


def _read_through(rows: QuerySet[Any], group: Group, able: set[bytes]) -> Iterator[list[Row]]:
    if group is Group.ADDRESS:
        rows = rows.filter(client__in=sorted(able))
    else:
        four, six = LENGTHS[group]
        short = Q(four__in=[one for one in able if one[:12] == MAPPED]) & _IPV4
        long = Q(six__in=[one for one in able if one[:12] != MAPPED]) & (_IPV6[0] | _IPV6[1])
        rows = rows.annotate(four=_start(four), six=_start(six))
        rows = rows.filter(short | long)
    yield from raw(rows.order_by("start", "client"))


def _start(length: int) -> Substr:
    """So many first bytes of a client."""
    return Substr("client", 1, length, output_field=BinaryField())


def raw(rows: QuerySet[Any]) -> Iterator[list[Row]]:
    """Columns `KEYS` of rows, in pieces."""
    return _fetched(rows.values_list(*KEYS))


def _fetched(wanted: QuerySet[Any, Any]) -> Iterator[list[Row]]:
    """Without the ORM: there are many of them."""
    alias = traffic_database()
    try:
        statement, given = wanted.query.get_compiler(using=alias).as_sql()
    except EmptyResultSet:
        # Where no public list is known yet, say, none can be asked for.
        return
    with connections[alias].chunked_cursor() as cursor:
        cursor.execute(statement, given)
        while chunk := cursor.fetchmany(_ROWS):
            yield chunk
