"""How often listings decided, and which no longer do.

A lookup tells that something was answered as listed or allowed, a log that one of our own lists
rejected; neither names the listing.  So the hits of a listing are those of the clients and names in
its target: what two listings cover counts for both.  Of each server counts the source that knows of
the most, since one hit is seen by several.

What is read is bounded: of a wide target with much traffic the hits are those of the latest days,
and `at_least` says so.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Max, Q

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, find_listings, target_of
from mailmum.control.listings.search import search
from mailmum.control.monitor.looking import last_days
from mailmum.control.monitor.scope import Scope, own_zones, scope_of, zones_of
from mailmum.control.traffic.models import ClientDay, NameDay
from mailmum.control.traffic.names import named
from mailmum.control.traffic.reading import one_of, total, within
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.targets import Kind, NetworkTarget, Target
from mailmum.traffic.codes import OUTCOMES
from mailmum.traffic.packing import bounds
from mailmum.traffic.sightings import Outcome

DAYS = 30
BUDGET = 20_000
"""Rows that are read for all targets together, beside those of single addresses."""
EACH = 2_000
"""Rows that are read for one target."""
CANDIDATES = 500
"""Listings that are looked at in search of stale ones."""
ROUNDS = 20
"""How often so many are, for all that are stale."""
_CHUNK = 200
_NEAR = {4: 24, 6: 64}


@dataclass(frozen=True, slots=True)
class Hits:
    """How often a listing decided.

    Attributes:
        count: how often.
        last: when the last day begins on which it did, Unix time; None for not at all.
        at_least: whether there may be more.
    """

    count: int = 0
    last: int | None = None
    at_least: bool = False


@dataclass(slots=True)
class _Count:
    by: dict[tuple[int, int], int] = field(default_factory=dict)
    last: int | None = None
    at_least: bool = False

    def add(self, server: int, source: int, day: int, count: int) -> None:
        self.by[server, source] = self.by.get((server, source), 0) + count
        self.last = day if self.last is None else max(self.last, day)

    def hits(self) -> Hits:
        best: dict[int, int] = {}
        for (server, _), count in self.by.items():
            best[server] = max(best.get(server, 0), count)
        return Hits(sum(best.values()), self.last, self.at_least)


def hits_of(
    reading: Reading, versions: Iterable[Version], *, days: int = DAYS, now: float | None = None
) -> dict[int, Hits]:
    """The hits of some listings of the account, by number; a page of them at a time.

    Args:
        reading: proof that the asker may read.
        versions: listings that were read with it.
        days: how far to look back.
        now: our own clock.
    """
    clock = time.time() if now is None else now
    mine = [one for one in versions if one.account_id == reading.account.pk]
    return _Counting(scope_of(reading), list(last_days(clock, days))).of(mine)


@dataclass(frozen=True, slots=True)
class Stale:
    """Listings without a hit, oldest first.

    Attributes:
        rows: these.
        looked: how many were looked at.
        next: the number after which the following ones begin, None when all were looked at.
    """

    rows: tuple[Version, ...]
    looked: int
    next: int | None


def stale(
    reading: Reading, *, days: int = DAYS, limit: int = 50, now: float | None = None
) -> tuple[Version, ...]:
    """People's listings that are older than so many days and had no hit in them, oldest first.

    Of accounts with very many listings the oldest are looked at.
    """
    wanted = Filter(source=Source.PERSON.value)
    return stale_among(reading, wanted, days=days, limit=limit, now=now).rows


def stale_among(
    reading: Reading,
    wanted: Filter,
    *,
    text: str = "",
    days: int = DAYS,
    after: int = 0,
    limit: int = 50,
    now: float | None = None,
) -> Stale:
    """Listings of a filter that are older than so many days and had no hit in them.

    Args:
        reading: proof that the asker may read.
        wanted: among which.
        text: what they have to fit, too; see `listings.search`.
        days: how far to look back.
        after: begin behind this number, from an earlier `next`.
        limit: how many to find.
        now: our own clock.

    Raises:
        BadInput: the text cannot be looked for.
    """
    clock = time.time() if now is None else now
    before = datetime.fromtimestamp(clock, UTC) - timedelta(days=days)
    among = search(reading, text, wanted) if text else find_listings(reading, wanted)
    found = among.filter(enabled=True, changed__lt=before)
    most = max(CANDIDATES * DAYS // max(days, DAYS), limit)
    old = list(found.filter(number__gt=after).order_by("number")[: most + 1])
    looked, more = old[:most], len(old) > most
    hits = hits_of(reading, looked, days=days, now=clock)
    # Where reading broke off nobody knows: that is no reason to take a listing away.
    idle = [one for one in looked if hits[one.number] == Hits()]
    if len(idle) > limit:
        last = idle[limit - 1].number
        return Stale(tuple(idle[:limit]), sum(1 for one in looked if one.number <= last), last)
    return Stale(tuple(idle), len(looked), looked[-1].number if more else None)


def all_stale(
    reading: Reading, wanted: Filter, *, text: str = "", days: int = DAYS, now: float | None = None
) -> tuple[Version, ...]:
    """All of `stale_among`, as far as so many are looked at.

    Raises:
        BadInput: the text cannot be looked for.
    """
    rows: list[Version] = []
    after: int | None = 0
    for _ in range(ROUNDS):
        if after is None:
            break
        found = stale_among(
            reading, wanted, text=text, days=days, after=after, limit=CANDIDATES, now=now
        )
        rows.extend(found.rows)
        after = found.next
    return tuple(rows)


class _Counting:
    """Counts hits for several listings at once."""

    def __init__(self, scope: Scope, days: Sequence[int]) -> None:
        self._scope, self._days = scope, days
        self._left = BUDGET
        own = sorted(own_zones(zones_of(scope)))
        rejected = Q(outcome=OUTCOMES[Outcome.REJECTED], rbl__in=own)
        self._blocked = Q(outcome=OUTCOMES[Outcome.LISTED]) | rejected
        self._allowed = Q(outcome=OUTCOMES[Outcome.ALLOWED])

    def of(self, versions: Sequence[Version]) -> dict[int, Hits]:
        """The hits of listings."""
        found = {one.number: _Count() for one in versions}
        addresses = [one for one in versions if one.kind == Kind.ADDRESS]
        for start in range(0, len(addresses), _CHUNK):
            self._addresses(addresses[start : start + _CHUNK], found)
        for one in versions:
            if one.kind != Kind.ADDRESS:
                self._wider(one, target_of(one), found[one.number])
        return {number: count.hits() for number, count in found.items()}

    def _addresses(self, versions: Sequence[Version], found: dict[int, _Count]) -> None:
        by_client: dict[bytes, list[Version]] = {}
        for one in versions:
            target = target_of(one)
            assert isinstance(target, NetworkTarget)
            by_client.setdefault(bounds(target)[0], []).append(one)
        rows = ClientDay.objects.filter(
            self._scope.condition & (self._blocked | self._allowed),
            one_of("start", self._days),
            client__in=list(by_client),
        )
        keys = ("client", "server", "source", "outcome")
        sums = rows.values_list(*keys).annotate(sum=total(), last=Max("start"))
        for client, server, source, outcome, count, last in sums.order_by():
            for one in by_client[bytes(client)]:
                if _holds(one, server) and _decides(one, outcome):
                    found[one.number].add(server, source, last, count)

    def _wider(self, version: Version, target: Target, found: _Count) -> None:
        rows = self._rows(version, target)
        if self._narrow(rows, target, found):
            return
        for day in reversed(self._days):
            most = min(EACH, self._left)
            read = list(rows.filter(start=day)[: most + 1])
            self._left -= min(len(read), most)
            for server, source, count, _ in read[:most]:
                found.add(server, source, day, count)
            if len(read) > most:
                found.at_least = True
                return

    def _narrow(self, rows: Any, target: Target, found: _Count) -> bool:
        """Count all days at once, of what has few clients; False when there were too many."""
        if isinstance(target, NetworkTarget):
            few = target.prefix >= _NEAR[target.version]
        else:
            few = not target.whole
        if not few:
            return False
        most = min(EACH, self._left)
        read = list(rows.filter(one_of("start", self._days))[: most + 1])
        if len(read) > most:
            return False
        self._left -= len(read)
        for server, source, count, day in read:
            found.add(server, source, day, count)
        return True

    def _rows(self, version: Version, target: Target) -> Any:
        meant = self._scope.condition
        if version.scope != WHOLE_ACCOUNT:
            meant &= Q(server=version.scope)
        if isinstance(target, NetworkTarget):
            decided = self._blocked if version.action == Action.BLOCK else self._allowed
            rows = ClientDay.objects.filter(meant & within(target) & decided)
            return rows.values_list("server", "source", "count", "start")
        # Names are kept without the list that decided: of them only lookups tell.
        answer = Outcome.LISTED if version.action == Action.BLOCK else Outcome.ALLOWED
        names = NameDay.objects.filter(meant & named(target), outcome=OUTCOMES[answer])
        return names.values_list("server", "source", "count", "start")


def _holds(version: Version, server: int) -> bool:
    return version.scope in {WHOLE_ACCOUNT, server}


def _decides(version: Version, outcome: int) -> bool:
    return (outcome == OUTCOMES[Outcome.ALLOWED]) == (version.action == Action.ALLOW)
