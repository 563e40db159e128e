"""What all reading of traffic has in common: a filter, its conditions, and a database that is away.

Traffic is worth less than rules.  A query lets the error of a database that cannot be read through,
since an empty answer could be taken for "nobody was seen"; whoever shows traffic beside something
else asks through `tolerant` and goes on without.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, TypeVar

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, BooleanField, CharField, F, Func, Q, Sum, Value
from django.db.models.functions import Cast, Concat
from django.db.models.sql.compiler import SQLCompiler

from mailmum.control import config
from mailmum.control.traffic.models import Zone
from mailmum.control.traffic.terms import terms_of
from mailmum.daemons.seldom import Seldom
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.traffic.batches import AHEAD
from mailmum.traffic.codes import ASKED, KEPT_BACK, OUTCOMES, SOURCES
from mailmum.traffic.groups import Group, group_of, is_own
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY, Span, cover
from mailmum.traffic.sightings import Outcome, Source
from mailmum.traffic.turns import ALWAYS

log = logging.getLogger(__name__)
_SELDOM = Seldom(60.0)
_Result = TypeVar("_Result")


class Best(NamedTuple):
    """A stretch of days in which one source sees a server best.

    Attributes:
        server: its number.
        source: which.
        since, until: when it begins and ends, Unix time in seconds; both begin a day.
    """

    server: int
    source: Source
    since: int = ALWAYS[0]
    until: int = ALWAYS[1]

    @property
    def times(self) -> tuple[int, int]:
        """Both ends."""
        return self.since, self.until

    def holds(self, server: int, source: Source, time: float) -> bool:
        """Whether what a source saw of a server at a time counts."""
        return (server, source) == (self.server, self.source) and self.since <= time < self.until


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sightings are meant; what is left out does not matter.

    Attributes:
        servers: numbers of servers; None for all of the account.
        client: an address or a network.
        name: a host or domain, that is the client's verified name or what it called itself.
        sender: part of the envelope sender, in any case of letters.
        recipient: likewise.
        helo: likewise.
        text: part of the client's name, of what it called itself, of sender or recipient.
        outcomes: any of these.
        groups: any of these; which lists are our own shows in their names.
        sources: any of these.
        best: only what these sources saw in their stretches of days, and no lookups of names that
            are not listed, so that nothing is seen twice; None for all.
        rbl: name of the public list that decided.
        alone: whether it is known that no other list named the client.
        since: Unix time in seconds, inclusive.
        until: Unix time in seconds, exclusive.
    """

    servers: frozenset[int] | None = None
    client: NetworkTarget | None = None
    name: NameTarget | None = None
    sender: str = ""
    recipient: str = ""
    helo: str = ""
    text: str = ""
    outcomes: frozenset[Outcome] = frozenset()
    groups: frozenset[Group] = frozenset()
    sources: frozenset[Source] = frozenset()
    best: tuple[Best, ...] | None = None
    rbl: str | None = None
    alone: bool = False
    since: float | None = None
    until: float | None = None


def tolerant(query: Callable[[], _Result], default: _Result) -> _Result:
    """What a query finds, or the default when traffic cannot be read; that is logged."""
    try:
        return query()
    except DatabaseError as error:
        # A page asks several times, and pages are many.
        if _SELDOM.due("away"):
            log.warning("traffic cannot be read: %s", error)
        return default


def counted(account: int, wanted: Wanted) -> Q | None:
    """The condition on what both sightings and roll-ups have; None when nothing can fulfil it."""
    meant = decided(account, wanted)
    return None if meant is None else Q(account=account) & of_kind(wanted) & meant


def of_kind(wanted: Wanted) -> Q:
    """The condition on servers, sources and outcomes."""
    meant = Q()
    if wanted.servers is not None:
        meant &= Q(server__in=sorted(wanted.servers))
    if wanted.sources:
        meant &= Q(source__in=sorted(SOURCES[source] for source in wanted.sources))
    if wanted.best is not None:
        # Of one client a mail server asks for several names.  When each source counts is decided
        # by `in_best_time`: here the tables have different names for it.
        anytime = {Best(one.server, one.source) for one in wanted.best}
        meant &= of_best(anytime, "") & ~Q(outcome=ASKED)
    if wanted.outcomes:
        meant &= Q(outcome__in=codes_of(wanted.outcomes))
    return meant


def decided(account: int, wanted: Wanted) -> Q | None:
    """The condition on who decided; None when the account does not know the list."""
    meant = _grouped(account, wanted.groups) if wanted.groups else Q()
    if wanted.rbl is None:
        return meant
    numbers = Zone.objects.filter(account=account, name=wanted.rbl).values_list("id", flat=True)
    number = numbers.first()
    return None if number is None else meant & Q(rbl=number)


def in_best_time(wanted: Wanted) -> Q:
    """The condition that a sighting's server was seen best by its source then."""
    if wanted.best is None or all(one.times == ALWAYS for one in wanted.best):
        return Q()
    return of_best(wanted.best, "hour")


def of_best(best: Iterable[Best], field: str) -> Q:
    """The condition that a row is of the source that counts; `field` has its time in seconds."""
    servers: dict[tuple[Source, int, int], list[int]] = {}
    for one in sorted(best):
        servers.setdefault((one.source, *one.times), []).append(one.server)
    meant = Q(server__in=[])  # nothing, when no server was seen
    for (source, since, until), numbers in servers.items():
        # Else PostgreSQL would look by each of the servers in each period, or, as that is dear, not
        # by the period at all.
        part = one_of("server", numbers, unindexed=True) & Q(source=SOURCES[source])
        if since != ALWAYS[0]:
            part &= Q(**{f"{field}__gte": since})
        if until != ALWAYS[1]:
            part &= Q(**{f"{field}__lt": until})
        meant |= part
    return meant


def one_of(field: str, numbers: Iterable[int], *, unindexed: bool = False) -> Q:
    """The condition that a column holds one of some numbers.

    They are written out: Django looks at each parameter a dozen times, and a page may ask about
    hundreds of servers or hours a dozen times.  A sum is in no index: with `unindexed` nothing is
    looked up by this column.
    """
    given = ", ".join(str(int(one)) for one in numbers)
    if not given:
        return Q(**{f"{field}__in": []})
    column = "(%(expressions)s + 0)" if unindexed else "%(expressions)s"
    template = f"{column} IN ({given})"
    return Q(Func(F(field), template=template, output_field=BooleanField()))


def among(field: str, numbers: Iterable[int]) -> Q:
    """The same for a column late in a key, where the numbers shall not be looked up one by one.

    PostgreSQL before 17 goes through a stretch of an index as often as there are pairs of numbers
    listed for two of its columns.  Between the least and the greatest it goes through once, and
    leaves out what lies outside before it looks at the row.
    """
    wanted = sorted({int(one) for one in numbers})
    return Q(_Among(F(field), wanted=wanted)) if wanted else Q(**{f"{field}__in": []})


class _Among(Func):
    """One of some numbers, in words that each database takes well."""

    template = "%(expressions)s IN (%(numbers)s)"
    output_field = BooleanField()

    def __init__(self, column: F, *, wanted: Sequence[int]) -> None:
        super().__init__(column, wanted=wanted, numbers=", ".join(map(str, wanted)))

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, Sequence[Any]]:
        """Between two numbers, and one of them where there are others in between."""
        wanted = self.extra["wanted"]
        template = f"%(expressions)s BETWEEN {wanted[0]} AND {wanted[-1]}"
        if wanted[-1] - wanted[0] + 1 != len(wanted):
            template = f"({template} AND %(expressions)s + 0 IN (%(numbers)s))"
        return self.as_sql(compiler, connection, template=template)


def _grouped(account: int, groups: frozenset[Group]) -> Q:
    """The condition that an outcome, with the list that decided, is in one of the groups."""
    base, meant = config.current().zone, Q(outcome__in=[])
    own = [
        number
        for number, name in Zone.objects.filter(account=account).values_list("pk", "name")
        if is_own(name, base)
    ]
    for outcome in Outcome:
        codes = codes_of(frozenset({outcome}))
        alone = group_of(outcome, None, base)
        if group_of(outcome, base, base) is alone:  # lists make no difference
            meant |= Q(outcome__in=codes) if alone in groups else Q()
            continue
        # The number 0 stands for no list.
        conditions = {
            alone: Q(rbl=0),
            Group.OWN: Q(rbl__in=own),
            Group.RBL: Q(rbl__gt=0) & ~Q(rbl__in=own),
        }
        for group in groups & set(conditions):
            meant |= Q(outcome__in=codes) & conditions[group]
    return meant


def total(field: str = "count") -> Cast:
    """The sum of a column as a whole number: PostgreSQL would make a decimal of it."""
    return Cast(Sum(field), BigIntegerField())


def spans_of(account: int, wanted: Wanted, now: float) -> list[Span]:
    """The hours and days that hold the time that is meant; without a beginning, all days."""
    terms = terms_of(account)
    since = now - terms.day_days * DAY if wanted.since is None else wanted.since
    until = now + AHEAD if wanted.until is None else wanted.until
    return cover(since, until, now - terms.hour_days * DAY)


def codes_of(outcomes: frozenset[Outcome]) -> list[int]:
    """The numbers by which outcomes are kept."""
    codes = [OUTCOMES[outcome] for outcome in outcomes]
    codes += [ASKED] if Outcome.UNLISTED in outcomes else []
    codes += [KEPT_BACK] if Outcome.ACCEPTED in outcomes else []
    return sorted(codes)


def within(network: NetworkTarget) -> Q:
    """The condition that a client lies in a network."""
    first, last = bounds(network)
    return Q(client=first) if first == last else Q(client__gte=first, client__lte=last)


def spelled(wanted: Wanted) -> Q:
    """The condition on texts, which only a look at each row can decide."""
    meant = Q()
    for field in ("sender", "recipient", "helo"):
        if text := getattr(wanted, field):
            meant &= Q(**{f"{field}__icontains": text})
    if wanted.text:
        anywhere = ("client_name", "helo", "sender", "recipient")
        parts = (Q(**{f"{field}__icontains": wanted.text}) for field in anywhere)
        meant &= reduce(or_, parts)
    if wanted.alone:
        meant &= Q(named=Concat(Value(","), Cast("rbl", CharField()), Value(",")))
    if wanted.name is not None:
        meant &= spelled_as("client_name", wanted.name) | spelled_as("helo", wanted.name)
    return meant


def spelled_as(field: str, target: NameTarget) -> Q:
    """The condition that a text is this host or a name under this domain, in any case."""
    same = Q(**{f"{field}__iexact": target.name})
    return same | Q(**{f"{field}__iendswith": f".{target.name}"}) if target.whole else same
