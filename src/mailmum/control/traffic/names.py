"""Everything about a host name or a domain: whom a listing of it would have met.

A top-level domain can have millions of rows, so what is read of them is bounded: totals come from
roll-ups of their own, and names and clients from the latest days until enough has been read.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet

from mailmum.control.traffic.clients import Client, Sums, grouped, target_of
from mailmum.control.traffic.models import DomainDay, NameDay
from mailmum.control.traffic.reading import Wanted, of_kind, one_of, spans_of
from mailmum.control.traffic.totals import Outcomes, preferred
from mailmum.domain.targets import NameTarget
from mailmum.traffic.codes import VERIFIED, outcome_of
from mailmum.traffic.packing import plain_name, reversed_name
from mailmum.traffic.periods import DAY, start_of

ROWS_LIMIT = 10_000
"""Rows that are read for names and clients."""
NAMES_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Name:
    """A name under which clients came.

    Attributes:
        name: the name.
        verified: whether the mail server verified it; else the client called itself so, or a mail
            server asked for it.
        clients: how many clients came under it.
        outcomes: sightings by outcome.
    """

    name: str
    verified: bool
    clients: int
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Under:
    """What came under a host name, or under the names of a domain.

    Attributes:
        verified: sightings whose name the mail server had verified, by outcome.
        claimed: sightings where the client called itself so, or a mail server asked for the name.
        names: the names with the most sightings, at most `NAMES_LIMIT`.
        clients: the clients, in the order of addresses, with what became of them.
        complete: whether all rows were read; else names and clients are those of the latest days.
    """

    verified: Outcomes
    claimed: Outcomes
    names: tuple[Name, ...]
    clients: tuple[Client, ...]
    complete: bool


def named(target: NameTarget) -> Q:
    """The condition that a name is this host, or under this domain."""
    first, end = ends_of(target)
    return Q(name=first) if end is None else Q(name__gte=first, name__lt=end)


def ends_of(target: NameTarget) -> tuple[bytes, bytes | None]:
    """The name as it is kept; of a domain the first, and what all of its names lie before."""
    prefix = reversed_name(target.name).encode()
    # No byte of UTF-8 is 0xff: all that begins with the prefix lies before this.
    return prefix, prefix + b"\xff" if target.whole else None


def name_text(raw: bytes) -> str:
    """A name from its labels in reverse, as it is kept."""
    return plain_name(raw.decode("utf-8", "replace"))


def under(account: int, target: NameTarget, wanted: Wanted, *, now: float | None = None) -> Under:
    """What came under a name, each server counted by its best source; in whole days."""
    clock = time.time() if now is None else now
    meant = Q(account=account) & of_kind(wanted) & preferred(account, wanted, clock)
    days = _days(account, wanted, clock)
    rows = NameDay.objects.filter(meant & named(target))
    read = list(islice(_latest_first(rows, days), ROWS_LIMIT + 1))
    complete = len(read) <= ROWS_LIMIT
    totals = Sums()
    if complete:
        for _, kind, _, outcome, count in read:
            totals.add(kind == VERIFIED, outcome_of(outcome), count)
    else:
        for kind, outcome, count in _summed(meant, target, days):
            totals.add(kind == VERIFIED, outcome_of(outcome), count)
    names, clients = _gathered(read[:ROWS_LIMIT])
    return Under(
        verified=totals.by.get(True, {}),
        claimed=totals.by.get(False, {}),
        names=names,
        clients=clients,
        complete=complete,
    )


def _latest_first(rows: QuerySet[NameDay], days: list[int]) -> Iterable[tuple[Any, ...]]:
    keys = ("name", "kind", "client", "outcome", "count")
    for day in reversed(days):
        yield from rows.filter(start=day).values_list(*keys)[: ROWS_LIMIT + 1]


def _summed(meant: Q, target: NameTarget, days: list[int]) -> Iterable[tuple[Any, ...]]:
    packed = reversed_name(target.name).encode()
    if target.whole and packed.count(b".") <= 2:
        rows: QuerySet[Any] = DomainDay.objects.filter(meant, name=packed)
    else:
        rows = NameDay.objects.filter(meant & named(target))
    return grouped(rows.filter(one_of("start", days)), "kind", "outcome")


def _gathered(read: list[tuple[Any, ...]]) -> tuple[tuple[Name, ...], tuple[Client, ...]]:
    names, clients, under = Sums(), Sums(), dict[tuple[bytes, int], set[bytes]]()
    for packed, kind, address, outcome, count in read:
        name, client = (bytes(packed), kind), bytes(address)
        names.add(name, outcome_of(outcome), count)
        under.setdefault(name, set()).add(client)
        if client:
            clients.add(client, outcome_of(outcome), count)
    most = sorted(names.by.items(), key=lambda item: -sum(item[1].values()))[:NAMES_LIMIT]
    return (
        tuple(
            Name(
                name=name_text(name),
                verified=kind == VERIFIED,
                clients=len(under[name, kind] - {b""}),
                outcomes=outcomes,
            )
            for (name, kind), outcomes in most
        ),
        tuple(Client(target_of(client), clients.by[client]) for client in sorted(clients.by)),
    )


def _days(account: int, wanted: Wanted, now: float) -> list[int]:
    spans = spans_of(account, wanted, now)
    return sorted({start_of(start, DAY) for span in spans for start in (span.first, *span.starts)})
