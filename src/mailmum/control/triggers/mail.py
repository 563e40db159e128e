"""Whose mail was accepted, and which of it speaks for nobody.

By day and by hour it is known of all time that is kept as counts; which of it was held, discarded,
bounced, taken for spam, or is what a rule itself counts, only single sightings tell.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from django.db import connections
from django.db.models import Count, Q, QuerySet, Sum

from mailmum.control.traffic.models import ClientCount, ClientDay, NameDay, Seen, Total
from mailmum.control.traffic.names import named
from mailmum.control.traffic.reading import one_of, spelled_as, within
from mailmum.control.traffic.router import traffic_database
from mailmum.control.triggers.contexts import traps_of
from mailmum.control.triggers.sifting import fetched
from mailmum.domain.targets import NetworkTarget, Target
from mailmum.traffic.codes import DELIVERIES, OUTCOMES, VERIFIED
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY, HOUR
from mailmum.traffic.sightings import Delivery, Outcome
from mailmum.triggers.rules import Metric, Rule

ACCEPTED = OUTCOMES[Outcome.ACCEPTED]
UNWANTED = (
    Q(delivery=DELIVERIES[Delivery.BOUNCED])
    | Q(reason__startswith="hold:")
    | Q(reason__startswith="discard:")
    | Q(spam=True)
)
NEVER = 2**62
# As many parameters as any SQLite takes in one statement.
AT_ONCE = 800


def accepted_by_day(account: int, target: Target, since: int, until: int) -> list[tuple[int, int]]:
    """How many messages of a target were accepted on each day from one to before another."""
    starts = range(since, until, DAY)
    if isinstance(target, NetworkTarget):
        return accepted(ClientDay, account, target, starts)
    names = NameDay.objects.filter(
        named(target), account=account, outcome=ACCEPTED, kind=VERIFIED, start__in=starts
    )
    return list(names.values_list("start", "count"))


def sightings_of_days(account: int, since: int, until: int, outcome: int | None = None) -> int:
    """How many sightings there were on days (UTC): no fewer than counts of clients."""
    meant = {} if outcome is None else {"outcome": outcome}
    rows = Total.objects.filter(account=account, step=DAY, start__gte=since, **meant)
    found = rows.filter(start__lt=until).aggregate(sum=Sum("count"))["sum"]
    return int(found or 0)


def accepted_of_all(account: int, day: int) -> Iterator[tuple[int, bytes, int]]:
    """Day, client and how many were accepted, of all clients on a day."""
    kept = ClientDay.objects.filter(account=account, start=day, outcome=ACCEPTED)
    for rows in fetched(kept.order_by().values_list("client", "count")):
        for client, count in rows:
            yield day, bytes(client), count


def first_day(account: int, none: int) -> int:
    """The first day (UTC) of which clients are counted, or what is told for none."""
    first = ClientDay.objects.filter(account=account).order_by("start").values_list("start")
    (earliest,) = first.first() or (none,)
    return int(earliest)


def kept_since(account: int) -> int:
    """The first hour of which sightings are kept, or one that never comes."""
    first = Seen.objects.filter(account=account).order_by("time").values_list("hour", flat=True)
    return first.first() or NEVER


def for_nobody(account: int, rule: Rule | None) -> Q:
    """The condition that an accepted message speaks for nobody; a rule may count such."""
    return UNWANTED if rule is None else UNWANTED | _counted_by(account, rule)


def _counted_by(account: int, rule: Rule) -> Q:
    """Accepted messages that the rule itself counts."""
    if rule.metric is Metric.SCORE:
        return Q(score__gte=rule.score)
    found = Q()
    for trap in traps_of(account, rule) if rule.metric is Metric.TRAP else ():
        # As one domain or address, in whatever case the sender wrote it.
        found |= Q(recipient__iendswith=trap) if trap[0] == "@" else Q(recipient__iexact=trap)
    return found


def _kept(account: int, meant: Q) -> QuerySet[Seen]:
    """Accepted messages of some kind, of those kept one by one."""
    return Seen.objects.filter(meant, account=account, outcome=ACCEPTED).order_by()


def accepted_of(
    meant: Q, account: int, target: Target, since: float, days: Sequence[int], kept: int
) -> list[float]:
    """When messages of some kind were accepted, of those kept one by one.

    Args:
        meant: which ones.
        account: number of the account.
        target: whose.
        since: Unix time.
        days: those on which anything of it was accepted.
        kept: the first hour of which sightings are kept.
    """
    rows = _kept(account, meant)
    if isinstance(target, NetworkTarget):
        rows = rows.filter(within(target), one_of("hour", hours_of(days, kept)))
    else:
        rows = rows.filter(spelled_as("client_name", target), time__gte=since * 1000)
    return [at / 1000 for at in rows.values_list("time", flat=True)]


def unheard(
    account: int, rule: Rule | None, network: NetworkTarget, days: Sequence[int], kept: int
) -> Counter[tuple[bytes, int]]:
    """How many accepted messages of each client at each server speak for nobody.

    Args:
        account: number of the account.
        rule: of the trigger that lists it, None for none.
        network: whose.
        days: those on which anything of it was accepted.
        kept: the first hour of which sightings are kept.
    """
    rows = _kept(account, for_nobody(account, rule))
    rows = rows.filter(within(network), one_of("hour", hours_of(days, kept)))
    sums = rows.values_list("client", "server").annotate(many=Count("*"))
    return Counter({(bytes(client), server): many for client, server, many in sums})


def counted_mail(account: int, rule: Rule, since: int, until: int) -> Counter[bytes]:
    """How many accepted messages of each client speak for nobody, by a rule that counts such.

    Args:
        account: number of the account.
        rule: which; for any that counts no accepted mail nothing is looked up.
        since, until: Unix time, from one to before the other.
    """
    if rule.metric not in (Metric.SCORE, Metric.TRAP):
        return Counter()
    rows = _kept(account, for_nobody(account, rule)).filter(
        client__isnull=False, time__gte=since * 1000, time__lt=until * 1000
    )
    sums = rows.values_list("client").annotate(many=Count("*"))
    return Counter({bytes(client): many for client, many in sums})


def hours_of(days: Iterable[int], kept: int) -> list[int]:
    """The hours of these days: the index of sightings begins with the hour."""
    late = sorted({day for day in days if day + DAY > kept})
    return [hour for day in late for hour in range(day, day + DAY, HOUR) if hour >= kept]


def first_hour(days: Iterable[int], kept: int) -> int:
    """The first of `hours_of` these days."""
    return max(min((day for day in days if day + DAY > kept), default=NEVER), kept)


def accepted_by(
    account: int, clients: Sequence[bytes], since: int, until: int
) -> Iterator[tuple[int, bytes, int]]:
    """Day, client and how many were accepted, of many clients at once."""
    connection = connections[traffic_database()]
    days = range(max(since, first_day(account, until)), until, DAY)
    table = connection.ops.quote_name(ClientDay._meta.db_table)
    for at in range(0, len(clients) if days else 0, AT_ONCE):
        some = clients[at : at + AT_ONCE]
        statement = f"""
            SELECT start, client, count FROM {table} WHERE account = %s
            AND start IN ({", ".join(map(str, days))})
            AND client IN ({", ".join(["%s"] * len(some))}) AND outcome = %s
        """  # noqa: S608 (names of our own, and whole numbers)
        with connection.cursor() as cursor:
            cursor.execute(statement, [account, *some, ACCEPTED])
            for day, client, count in cursor.fetchall():
                yield day, bytes(client), count


def accepted(
    model: type[ClientCount], account: int, target: NetworkTarget, starts: Sequence[int]
) -> list[tuple[int, int]]:
    """How many were accepted in each of these periods, by a look into each of them.

    Without the ORM: a backtest asks this of thousands of clients.
    """
    if not starts:
        return []
    connection = connections[traffic_database()]
    table = connection.ops.quote_name(model._meta.db_table)
    periods = ", ".join(map(str, starts))
    statement = f"""
        SELECT start, count FROM {table} WHERE account = %s AND start IN ({periods})
        AND client >= %s AND client <= %s AND outcome = %s
    """  # noqa: S608 (names of our own, and whole numbers)
    with connection.cursor() as cursor:
        cursor.execute(statement, [account, *bounds(target), ACCEPTED])
        return [(start, count) for start, count in cursor.fetchall()]
