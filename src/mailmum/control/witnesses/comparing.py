"""What each public list, and one's own, caught: alone, together, and wrongly perhaps.

All of it comes from what was seen: which list decided is told by mail logs, and a contact has one
list that decided.  So "together" means that two lists both stopped the same client in that time, be
it at different contacts; what a list would have said without being asked nobody knows.  Clients
that were stopped by a list and also delivered accepted mail are what one should look at.

What is read is bounded: of very much traffic only the latest days are compared; `since` says so.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Q

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.looking import last_days
from mailmum.control.monitor.scope import Scope, own_zones, scope_of, zones_of
from mailmum.control.traffic.models import ClientDay
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.totals import preferred
from mailmum.traffic.codes import OUTCOMES, STOPPED
from mailmum.traffic.packing import client_text
from mailmum.traffic.sightings import Outcome

DAYS, LONGEST = 30, 400
BUDGET = 400_000
"""Rows that are read of clients stopped, and so many of clients accepted."""
SHOWN = 10
_ACCEPTED, _LISTED = OUTCOMES[Outcome.ACCEPTED], OUTCOMES[Outcome.LISTED]
_OWN = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """A client that a list stopped and that delivered accepted mail, too."""

    client: str
    stopped: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Caught:
    """What one list caught.

    Attributes:
        zone: the list; our own zones together are one.
        own: whether it is that one.
        stopped: contacts it decided.
        clients: different clients among them.
        alone: those of them that no other list stopped.
        together: for other lists, how many of its clients they stopped, too; the most first.
        senders: how many of its clients delivered accepted mail.
        accepted: messages of those.
        examples: some of those, the one with the most accepted mail first.
    """

    zone: str
    own: bool
    stopped: int
    clients: int
    alone: int
    together: tuple[tuple[str, int], ...]
    senders: int
    accepted: int
    examples: tuple[Sender, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What all lists caught, the one with the most first; `since` is when the first day began."""

    since: int
    complete: bool
    lists: tuple[Caught, ...]


@dataclass(slots=True)
class _Client:
    by: Counter[int] = field(default_factory=Counter)
    accepted: int = 0


def compare(
    reading: Reading, *, days: int = DAYS, budget: int = BUDGET, now: float | None = None
) -> Comparison:
    """What each list caught in the last days; `budget` rows are read at most, and as many more."""
    clock = time.time() if now is None else now
    scope = scope_of(reading)
    found: dict[bytes, _Client] = {}
    read, since, complete = 0, int(clock), True
    counts = _Reader(scope, clock)
    for day in reversed(last_days(clock, days)):
        stopped = list(counts.stopped(day, budget - read))
        if read + len(stopped) >= budget:
            complete = False
            break
        read, since = read + len(stopped), day
        for client, rbl, count in stopped:
            found.setdefault(client, _Client()).by[rbl] += count
    counts.add_accepted(found, since, budget)
    return Comparison(since, complete, tuple(_caught(found, counts.names)))


class _Reader:
    """Reads the counts of an account, each server by its best source."""

    def __init__(self, scope: Scope, now: float) -> None:
        zones = zones_of(scope)
        own = own_zones(zones)
        self.names = {number: name for number, name in zones.items() if number not in own}
        self.names[_OWN] = config.current().zone
        self._number = {number: _OWN if number in own else number for number in zones}
        best = preferred(scope.account, Wanted(since=now - LONGEST * 86_400), now)
        self._rows = ClientDay.objects.filter(scope.condition & best)

    def stopped(self, day: int, most: int) -> Iterator[tuple[bytes, int, int]]:
        """Each client and list of a day."""
        decided = Q(rbl__gt=0, outcome__in=sorted(STOPPED)) | Q(outcome=_LISTED)
        rows = self._rows.filter(decided, start=day).values_list("client", "rbl", "count")
        for client, rbl, count in rows[: max(most, 0)].iterator(chunk_size=5000):
            yield bytes(client), self._number.get(rbl, _OWN), count

    def add_accepted(self, found: dict[bytes, _Client], since: int, most: int) -> None:
        """Add what was accepted of the clients that were found."""
        rows = self._rows.filter(outcome=_ACCEPTED, start__gte=since)
        pairs = rows.order_by("-start").values_list("client", "count")
        for client, count in pairs[:most].iterator(chunk_size=5000):
            if (known := found.get(bytes(client))) is not None:
                known.accepted += count


def _caught(found: dict[bytes, _Client], names: dict[int, str]) -> list[Caught]:
    lists: dict[int, list[bytes]] = {}
    for client, one in found.items():
        for rbl in one.by:
            lists.setdefault(rbl, []).append(client)
    made = [_one(rbl, clients, found, names) for rbl, clients in lists.items()]
    return sorted(made, key=lambda one: (-one.stopped, one.zone))


def _one(
    rbl: int, clients: list[bytes], found: dict[bytes, _Client], names: dict[int, str]
) -> Caught:
    together: Counter[int] = Counter()
    for client in clients:
        together.update(other for other in found[client].by if other != rbl)
    senders = sorted(
        (client for client in clients if found[client].accepted),
        key=lambda client: (-found[client].accepted, client),
    )
    return Caught(
        zone=names.get(rbl, "?"),
        own=rbl == _OWN,
        stopped=sum(found[client].by[rbl] for client in clients),
        clients=len(clients),
        alone=sum(len(found[client].by) == 1 for client in clients),
        together=tuple((names.get(other, "?"), count) for other, count in together.most_common()),
        senders=len(senders),
        accepted=sum(found[client].accepted for client in senders),
        examples=tuple(
            Sender(client_text(client), found[client].by[rbl], found[client].accepted)
            for client in senders[:SHOWN]
        ),
    )
