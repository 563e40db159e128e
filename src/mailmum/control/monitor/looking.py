"""Looking back at all clients of a target, day by day, in bounded time.

A wide network or a top-level domain may have millions of rows in a month.  They are read from today
backwards, and when there are too many, the look ends with the last day that was read whole; it then
says how far it got.  What was seen of these days is right, and of such a target enough.

A contact may be seen by several sources: what a mail server asked over DNS, it also logged.  So of
one client at one server on one day the best source counts: the log, else the policy service, else
DNS.  Of names that were only asked for nobody knows the client: they count at a server on a day on
which no log and no better source saw a client under them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connections

from mailmum.control.monitor.scope import Scope
from mailmum.control.traffic.models import ClientDay, NameDay
from mailmum.control.traffic.names import ends_of
from mailmum.control.traffic.router import traffic_database
from mailmum.domain.targets import NetworkTarget, Target
from mailmum.traffic.codes import OUTCOMES, SOURCES, STOPPED, VERIFIED
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome, Source

BUDGET = 20_000
"""Rows that are read for one network, and half as many for a name: they take twice the time."""
_LOG = SOURCES[Source.LOG]
_BEST = (_LOG, SOURCES[Source.POLICY], SOURCES[Source.DNS])
_ACCEPTED = OUTCOMES[Outcome.ACCEPTED]

Row = tuple[bytes, int, int, int, int, int]
"""Client, server, source, outcome, list, count."""
Raw = tuple[Any, ...]
"""The columns of a row as they were asked for."""


@dataclass(slots=True)
class Sum:
    """What was seen of a client, a server or a name: contacts, and what became of them."""

    contacts: int = 0
    accepted: int = 0
    stopped: int = 0
    unlogged: int = 0

    @property
    def known_accepted(self) -> int | None:
        """Accepted messages; None when of all contacts only lookups are known."""
        return None if self.contacts and self.contacts == self.unlogged else self.accepted

    def add(self, source: int, outcome: int, count: int) -> None:
        """Count a row."""
        self.contacts += count
        if source != _LOG:
            self.unlogged += count
        if outcome == _ACCEPTED:
            self.accepted += count
        elif outcome in STOPPED:
            self.stopped += count


@dataclass(slots=True)
class Look:
    """What was seen of a target.

    Attributes:
        since: when the first day begins that was looked at.
        complete: whether that is as far back as was asked.
        total: of all.
        clients: by client, 16 bytes.
        servers: by number of the server.
        here: the clients of each server.
        outcomes: contacts by outcome and list, in numbers.
        daily: the same by the day's beginning.
        names: for names only: by name, its labels in reverse, and kind.
        under: likewise: the verified names under which a client's mail was accepted.
    """

    since: int
    complete: bool = True
    total: Sum = field(default_factory=Sum)
    clients: dict[bytes, Sum] = field(default_factory=dict)
    servers: dict[int, Sum] = field(default_factory=dict)
    here: dict[int, set[bytes]] = field(default_factory=dict)
    outcomes: dict[tuple[int, int], int] = field(default_factory=dict)
    daily: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    names: dict[tuple[bytes, int], Sum] = field(default_factory=dict)
    under: dict[bytes, set[bytes]] = field(default_factory=dict)

    def add(self, day: int, rows: Iterable[Row]) -> None:
        """Count what counts of a day."""
        few: dict[tuple[int, int, int, int], int] = {}
        clients, here = self.clients, self.here
        for client, server, source, outcome, rbl, count in rows:
            key = (server, source, outcome, rbl)
            few[key] = few.get(key, 0) + count
            if client:
                one = clients.get(client)
                if one is None:
                    one = clients[client] = Sum()
                # As `Sum.add` does: of all that is done here, calling it takes a third.
                one.contacts += count
                if source != _LOG:
                    one.unlogged += count
                if outcome == _ACCEPTED:
                    one.accepted += count
                elif outcome in STOPPED:
                    one.stopped += count
                if server not in here:
                    here[server] = set()
                here[server].add(client)
        for (server, source, outcome, rbl), count in few.items():
            self.total.add(source, outcome, count)
            self.servers.setdefault(server, Sum()).add(source, outcome, count)
            self.outcomes[outcome, rbl] = self.outcomes.get((outcome, rbl), 0) + count
            self.daily[day, outcome, rbl] += count


def look(scope: Scope, target: Target, days: range) -> Look:
    """Look back at a target.

    Args:
        scope: whose traffic.
        target: the clients of a network, or those that came under a name.
        days: when each day begins, in the order of time.
    """
    found, reader = Look(since=days[-1]), _Reader(scope, target)
    left = BUDGET if isinstance(target, NetworkTarget) else BUDGET // 2
    for day in reversed(days):
        read = reader.read(day, left + 1)
        found.complete = len(read) <= left
        if found.complete or day == days[-1]:
            # The latest day is better than nothing, even in part.
            found.since = day
            found.add(day, _counting(found, target, read))
        if not found.complete:
            break
        left -= len(read)
    return found


def last_days(now: float, days: int) -> range:
    """When the days begin that hold the last so many times 24 hours."""
    today = int(now // DAY) * DAY
    return range(int((now - days * DAY) // DAY) * DAY, today + DAY, DAY)


class _Reader:
    """Reads the rows of a target, one day after the other.

    The statement is written once: for a month of a client Django takes longer to write thirty of
    them than the database to answer them.
    """

    def __init__(self, scope: Scope, target: Target) -> None:
        network = isinstance(target, NetworkTarget)
        model, keys = (ClientDay, _CLIENT_KEYS) if network else (NameDay, _NAME_KEYS)
        meant, self._meant = _between(target)
        self._scope = [scope.account] + ([] if scope.server is None else [scope.server])
        self._connection = connections[traffic_database()]
        columns = ", ".join(keys)
        self._statement = f"""
            SELECT {columns}, count FROM {self._connection.ops.quote_name(model._meta.db_table)}
            WHERE account = %s {"" if scope.server is None else "AND server = %s"}
            AND start = %s AND {meant} ORDER BY {columns} LIMIT %s
        """  # noqa: S608 (names of our own)

    def read(self, day: int, limit: int) -> list[Raw]:
        """The first rows of a day, in the order of the key."""
        with self._connection.cursor() as cursor:
            cursor.execute(self._statement, [*self._scope, day, *self._meant, limit])
            return list(cursor.fetchall())


_CLIENT_KEYS = ("client", "server", "source", "outcome", "rbl")
_NAME_KEYS = ("name", "kind", "client", "server", "source", "outcome")


def _between(target: Target) -> tuple[str, list[bytes]]:
    """The condition on clients or names, and its parameters."""
    if isinstance(target, NetworkTarget):
        ends = list(bounds(target))
        one = ends[0] == ends[1]
        return ("client = %s", ends[:1]) if one else ("client >= %s AND client <= %s", ends)
    first, end = ends_of(target)
    return ("name = %s", [first]) if end is None else ("name >= %s AND name < %s", [first, end])


def _counting(found: Look, target: Target, read: list[Raw]) -> Iterable[Row]:
    if isinstance(target, NetworkTarget):
        return best_of_clients(read)
    return under_names(found, read)


def best_of_clients(rows: list[Raw]) -> Iterable[Row]:
    """The rows of the best source, of each client at each server."""
    # PostgreSQL's driver may hand out views, which no dictionary finds again.
    rows = rows if not rows or type(rows[0][0]) is bytes else [(bytes(r[0]), *r[1:]) for r in rows]
    if len({row[2] for row in rows}) <= 1:
        return rows
    return _best_of_each(rows)


def _best_of_each(rows: list[Row]) -> Iterator[Row]:
    for _, same in groupby(rows, key=itemgetter(0, 1)):
        group = list(same)
        best = min((row[2] for row in group), key=_BEST.index)
        yield from (row for row in group if row[2] == best)


def under_names(found: Look, read: Iterable[Raw]) -> Iterator[Row]:
    """The contacts behind names, each once.

    One contact has a verified name and one that it claims, and both may lie under the target: of a
    client at a server with an outcome, the kind of name with the most counts.
    """
    verified: dict[tuple[bytes, int, int, int], int] = {}
    claimed: dict[tuple[bytes, int, int, int], int] = {}
    best: dict[int, int] = {}
    known, last_name, last_kind = Sum(), b"", 0
    for raw, kind, client, server, source, outcome, count in read:
        name, packed = bytes(raw), bytes(client)
        key = (packed, server, source, outcome)
        sums = verified if kind == VERIFIED else claimed
        sums[key] = sums.get(key, 0) + count
        if best.get(server) != source:
            best[server] = min(best.get(server, source), source, key=_BEST.index)
        # Rows come in the order of names.
        if kind != last_kind or name != last_name:
            last_name, last_kind = name, kind
            known = found.names.setdefault((name, kind), Sum())
        known.add(source, outcome, count)
        if kind == VERIFIED and outcome == _ACCEPTED:
            found.under.setdefault(packed, set()).add(name)
    for key, count in verified.items():
        claimed[key] = max(claimed.get(key, 0), count)
    for (packed, server, source, outcome), count in claimed.items():
        if source == best[server]:
            yield packed, server, source, outcome, 0, count
