"""What all reading of traffic has in common: a filter, its conditions, and a database that is away.

Traffic is worth less than rules.  A query lets the error of a database that cannot be read through,
since an empty answer could be taken for "nobody was seen"; whoever shows traffic beside something
else asks through `tolerant` and goes on without.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.db import DatabaseError
from django.db.models import Q

from mailmum.control.traffic.models import Zone
from mailmum.control.traffic.terms import terms_of
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.traffic.batches import AHEAD
from mailmum.traffic.codes import ASKED, OUTCOMES, SOURCES
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY, Span, cover
from mailmum.traffic.sightings import Outcome, Source

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


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
        outcomes: any of these.
        sources: any of these.
        rbl: name of the public list that decided.
        since: Unix time in seconds, inclusive.
        until: Unix time in seconds, exclusive.
    """

    servers: frozenset[int] | None = None
    client: NetworkTarget | None = None
    name: NameTarget | None = None
    sender: str = ""
    recipient: str = ""
    helo: str = ""
    outcomes: frozenset[Outcome] = frozenset()
    sources: frozenset[Source] = frozenset()
    rbl: str | None = None
    since: float | None = None
    until: float | None = None


def tolerant(query: Callable[[], _Result], default: _Result) -> _Result:
    """What a query finds, or the default when traffic cannot be read; that is logged."""
    try:
        return query()
    except DatabaseError as error:
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
    if wanted.outcomes:
        meant &= Q(outcome__in=codes_of(wanted.outcomes))
    return meant


def decided(account: int, wanted: Wanted) -> Q | None:
    """The condition on the list that decided; None when the account does not know it."""
    if wanted.rbl is None:
        return Q()
    numbers = Zone.objects.filter(account=account, name=wanted.rbl).values_list("id", flat=True)
    number = numbers.first()
    return None if number is None else Q(rbl=number)


def spans_of(account: int, wanted: Wanted, now: float) -> list[Span]:
    """The hours and days that hold the time that is meant; without a beginning, all days."""
    terms = terms_of(account)
    since = now - terms.day_days * DAY if wanted.since is None else wanted.since
    until = now + AHEAD if wanted.until is None else wanted.until
    return cover(since, until, now - terms.hour_days * DAY)


def codes_of(outcomes: frozenset[Outcome]) -> list[int]:
    """The numbers by which outcomes are kept."""
    codes = [OUTCOMES[outcome] for outcome in outcomes]
    return sorted([*codes, ASKED] if Outcome.UNLISTED in outcomes else codes)


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
    if wanted.name is not None:
        meant &= _named("client_name", wanted.name) | _named("helo", wanted.name)
    return meant


def _named(field: str, target: NameTarget) -> Q:
    same = Q(**{f"{field}__iexact": target.name})
    return same | Q(**{f"{field}__iendswith": f".{target.name}"}) if target.whole else same
