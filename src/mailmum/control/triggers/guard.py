"""Whom a trigger must not list, whatever it counts.

    guarded           private space, own servers, very wide networks (`domain.guards`), and public
                      suffixes (`domain.suffixes`)
    allowed           covered by an allow listing in force there
    protected         a provider of the kind that many share (`feeds.providers`)
    delivers mail     so many accepted messages in so many days

Accepted is what was delivered: mail that was held, discarded or bounced says nothing for anybody,
and neither does what the spam filter took for spam, or what the trigger itself counts: else a trap
or a score would spare whoever sends enough of it.  Of days whose sightings are kept no more only
numbers are known, and all of it speaks for the client.
For a network all clients in it count together, for a domain all hosts under verified names.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import connections
from django.db.models import Count, Q, QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.feeds.providers import Providers, protecting
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current, wider
from mailmum.control.servers.queries import own_servers
from mailmum.control.traffic.models import ClientCount, ClientDay, ClientHour, NameDay, Seen
from mailmum.control.traffic.names import named
from mailmum.control.traffic.reading import spelled_as, within
from mailmum.control.traffic.router import traffic_database
from mailmum.control.triggers.contexts import traps_of
from mailmum.domain import guards
from mailmum.domain.errors import BadInput
from mailmum.domain.guards import OwnServer
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.suffixes import is_shared
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.traffic.codes import DELIVERIES, OUTCOMES, VERIFIED
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.sightings import Delivery, Outcome
from mailmum.triggers.contacts import unit_of
from mailmum.triggers.rules import Group, Metric, Rule

_ACCEPTED = OUTCOMES[Outcome.ACCEPTED]
_UNWANTED = (
    Q(delivery=DELIVERIES[Delivery.BOUNCED])
    | Q(reason__startswith="hold:")
    | Q(reason__startswith="discard:")
    | Q(spam=True)
)

_AHEAD = 40 * DAY
NEVER = 2**62
Moment = tuple[float, int]
"""When contacts were judged, by our clock, and the number up to which they go."""
# As many parameters as any SQLite takes in one statement.
_HOURS = _AT_ONCE = 800
_FORESEEN = 2 * _AT_ONCE


@dataclass(slots=True, eq=False, weakref_slot=True)
class AccountGuard:
    """The guard of one trigger, or of several that ask the same.

    Attributes:
        reading: the account.
        rule: of the trigger.
        asks_often: whether thousands of clients are asked about, as in a backtest.
    """

    reading: Reading
    rule: Rule
    asks_often: bool = False
    _own: list[OwnServer] | None = None
    _providers: Providers | None = None
    _allows: bool | None = None
    _mail: dict[Target, list[tuple[int, int]]] = field(default_factory=dict)
    _foreseen: set[Target] = field(default_factory=set)
    _today: dict[tuple[Target, int], list[tuple[int, int]]] = field(default_factory=dict)
    _lost: dict[Target, list[float]] = field(default_factory=dict)
    _kept: int | None = None
    _asked: Moment | None = None

    def forget_since(self, moment: Moment) -> None:
        """Look everything up anew, unless that has been done for the same contacts."""
        if moment != self._asked:
            self.forget()
            self._asked = moment

    def forget(self) -> None:
        """Look everything up anew from now on."""
        self._own = self._providers = self._allows = self._kept = None
        for known in (self._mail, self._today, self._lost, self._foreseen):
            known.clear()

    def foresee(self, clients: Iterable[bytes], since: float, until: float) -> Iterator[None]:
        """Look up the mail of all clients at once of whom it may be asked in this time, by and by.

        For the many of a backtest; who is not among them is looked up when it is asked of him.
        """
        if not self.rule.accepted or self.rule.group is not Group.ADDRESS:
            return
        account = self.reading.account.pk
        first, last = start_of(since - self.rule.days * DAY, DAY), start_of(until, DAY)
        found: dict[bytes, list[tuple[int, int]]] = {}
        for client in clients:
            target = unit_of(Group.ADDRESS, client, None)
            if target is not None and target not in self._mail:
                found[client] = self._mail[target] = []
                self._foreseen.add(target)
        packed = sorted(found)
        for at in range(0, len(packed), _FORESEEN):
            some = packed[at : at + _FORESEEN]
            for day, client, count in accepted_by(account, some, first, last + DAY):
                found[client].append((day, count))
            yield

    def foreseen(self, target: Target) -> list[tuple[int, int]] | None:
        """Its mail by day for all the time that was foreseen; None for whom that was not done."""
        return self._mail[target] if target in self._foreseen else None

    def spared(self, scope: int, target: Target, at: float) -> str:
        """Why it must not be listed, empty when it may be."""
        return (
            self._guarded(target)
            or self._allowed(scope, target, at)
            or self._protected(target)
            or self._delivers(target, at)
        )

    def _guarded(self, target: Target) -> str:
        if is_shared(target):
            return "is a public suffix: strangers have names of their own below it"
        if self._own is None:
            self._own = own_servers(self.reading)
        try:
            guards.check(target, Action.BLOCK, Source.TRIGGER, self._own)
        except BadInput as refusal:
            return guards.find_danger(target, self._own) or refusal.problem
        return ""

    def _allowed(self, scope: int, target: Target, at: float) -> str:
        if self.asks_often and self._allows is None:
            # One look at all listings, for that of thousands of clients is asked.
            self._allows = self._all_allows().exists()
        if self._allows is False:
            return ""
        found = self._all_allows().filter(
            Q(expires=None) | Q(expires__gt=int(at)),
            target__in=wider(target),
            scope__in={WHOLE_ACCOUNT, scope},
        )
        # Without an order SQLite looks these few up; with one it would read all listings in it.
        texts = sorted(found.order_by().values_list("target", flat=True))
        return f"is allowed by {texts[0]}" if texts else ""

    def _all_allows(self) -> QuerySet[Version]:
        return current(self.reading).filter(action=Action.ALLOW.value, enabled=True)

    def _protected(self, target: Target) -> str:
        if not isinstance(target, NetworkTarget):
            return ""
        if self._providers is None:
            self._providers = protecting(self.reading.account.pk)
        name = self._providers.of_network(target)
        return f"belongs to the mail provider {name}" if name else ""

    def _delivers(self, target: Target, at: float) -> str:
        wanted, days = self.rule.accepted, self.rule.days
        if not wanted:
            return ""
        account, today = self.reading.account.pk, start_of(at, DAY)
        since = start_of(at - days * DAY, DAY)
        if target not in self._mail:
            # A backtest asks again about later days.
            self._mail[target] = accepted_by_day(account, target, since, today + _AHEAD)
        count = sum(many for day, many in self._mail[target] if since <= day < today)
        if count < wanted:
            count += self._so_far(target, today, at)
        if count >= wanted:
            # As far as what was accepted is counted: whole hours, of names whole days.
            end = today + DAY if isinstance(target, NameTarget) else start_of(at, HOUR) + HOUR
            count -= sum(since <= one < end for one in self._unwanted(target, since))
        if count < wanted:
            return ""
        return f"delivered {count:,} accepted messages in {days:,} days"

    def _so_far(self, target: Target, today: int, at: float) -> int:
        """What was accepted today; of names days are known as a whole only."""
        whole = sum(many for day, many in self._mail[target] if day == today)
        if isinstance(target, NameTarget) or not whole:
            return whole
        if (target, today) not in self._today:
            hours = range(today, today + DAY, HOUR)
            account = self.reading.account.pk
            self._today[target, today] = _accepted(ClientHour, account, target, hours)
        return sum(many for hour, many in self._today[target, today] if hour <= at)

    def _unwanted(self, target: Target, since: float) -> list[float]:
        if target not in self._lost:
            account = self.reading.account.pk
            if self._kept is None:
                self._kept = kept_since(account)
            days = [day for day, _ in self._mail[target]]
            hours = _hours(days, self._kept)
            self._lost[target] = _when_for_nobody(account, self.rule, target, since, hours)
        return self._lost[target]


def accepted_by_day(account: int, target: Target, since: int, until: int) -> list[tuple[int, int]]:
    """How many messages of a target were accepted on each day from one to before another."""
    starts = range(since, until, DAY)
    if isinstance(target, NetworkTarget):
        return _accepted(ClientDay, account, target, starts)
    names = NameDay.objects.filter(
        named(target), account=account, outcome=_ACCEPTED, kind=VERIFIED, start__in=starts
    )
    return list(names.values_list("start", "count"))


def kept_since(account: int) -> int:
    """The first hour of which sightings are kept, or one that never comes."""
    first = Seen.objects.filter(account=account).order_by("time").values_list("hour", flat=True)
    return first.first() or NEVER


def _counted_by(account: int, rule: Rule) -> Q:
    """Accepted messages that the rule itself counts."""
    if rule.metric is Metric.SCORE:
        return Q(score__gte=rule.score)
    found = Q()
    for trap in traps_of(account, rule) if rule.metric is Metric.TRAP else ():
        # As one domain or address, in whatever case the sender wrote it.
        found |= Q(recipient__iendswith=trap) if trap[0] == "@" else Q(recipient__iexact=trap)
    return found


def _for_nobody(account: int, rule: Rule | None) -> QuerySet[Seen]:
    """Accepted messages that speak for nobody, of those kept one by one; `rule` may count such."""
    meant = _UNWANTED if rule is None else _UNWANTED | _counted_by(account, rule)
    return Seen.objects.filter(meant, account=account, outcome=_ACCEPTED).order_by()


def _when_for_nobody(
    account: int, rule: Rule, target: Target, since: float, hours: Sequence[int]
) -> list[float]:
    """When such messages of a target were accepted: in these hours, of names since a time."""
    rows = _for_nobody(account, rule)
    if isinstance(target, NetworkTarget):
        rows = rows.filter(within(target), hour__in=hours)
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
    rows = _for_nobody(account, rule).filter(within(network), hour__in=_hours(days, kept))
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
    rows = _for_nobody(account, rule).filter(
        client__isnull=False, time__gte=since * 1000, time__lt=until * 1000
    )
    sums = rows.values_list("client").annotate(many=Count("*"))
    return Counter({bytes(client): many for client, many in sums})


def _hours(days: Sequence[int], kept: int) -> list[int]:
    """The hours of these days: the index of sightings begins with the hour."""
    late = (day for day in days if day + DAY > kept)
    hours = [hour for day in late for hour in range(day, day + DAY, HOUR) if hour >= kept]
    return hours[-_HOURS:]


def accepted_by(
    account: int, clients: Sequence[bytes], since: int, until: int
) -> Iterator[tuple[int, bytes, int]]:
    """Day, client and how many were accepted, of many clients at once."""
    connection = connections[traffic_database()]
    first = ClientDay.objects.filter(account=account).order_by("start").values_list("start")
    (earliest,) = first.first() or (until,)
    days = range(max(since, earliest), until, DAY)
    table = connection.ops.quote_name(ClientDay._meta.db_table)
    for at in range(0, len(clients) if days else 0, _AT_ONCE):
        some = clients[at : at + _AT_ONCE]
        statement = f"""
            SELECT start, client, count FROM {table} WHERE account = %s
            AND start IN ({", ".join(map(str, days))})
            AND client IN ({", ".join(["%s"] * len(some))}) AND outcome = %s
        """  # noqa: S608 (names of our own, and whole numbers)
        with connection.cursor() as cursor:
            cursor.execute(statement, [account, *some, _ACCEPTED])
            for day, client, count in cursor.fetchall():
                yield day, bytes(client), count


def _accepted(
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
        cursor.execute(statement, [account, *bounds(target), _ACCEPTED])
        return [(start, count) for start, count in cursor.fetchall()]
