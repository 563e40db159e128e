"""Check before you subscribe, or import: whom a whole list would have hit.

A list may have a million entries, too many to look back at each.  So it goes the other way round:
what was seen is read day by day, from today backwards, and each client, and each name that one came
under, is looked up in the list.  There is a bound on how much is read; where it is reached the look
ends with the last day that was read whole, as that at a wide network does (`monitor.looking`).

A feed is one list that holds in one place.  An import may be several: for all servers and for
single ones, of people and of machines, and with allows of its own.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.feeds.models import Use
from mailmum.control.feeds.services import bring, bring_renewal
from mailmum.control.feeds.wishes import FeedWish
from mailmum.control.journal.moments import moment
from mailmum.control.listings.values import ACCOUNT_SCOPE
from mailmum.control.monitor.impact import DAYS, has_log
from mailmum.control.monitor.looking import Look, Raw, Row, best_of_clients, last_days, under_names
from mailmum.control.monitor.parts import NOTHING, Allows, Listed, Part, Renewed
from mailmum.control.monitor.scope import Scope, scope_of
from mailmum.control.traffic.clients import target_of
from mailmum.control.traffic.models import ClientDay, NameDay
from mailmum.control.traffic.names import name_text
from mailmum.domain.listings import WHOLE_ACCOUNT, Action
from mailmum.index.entries import Entries
from mailmum.traffic.impact import Client, Facts, judge

BUDGET = 500_000
"""Rows that are read for the clients, and as many for the names."""
SHOWN = 20
_CHUNK = 5000
_CLIENT_KEYS = ("client", "server", "source", "outcome", "rbl")
_NAME_KEYS = ("name", "kind", "client", "server", "source", "outcome")


@dataclass(frozen=True, slots=True)
class Met:
    """What a list would have met.

    Attributes:
        days: how many days were looked back.
        seen: all that was seen of its clients.
        clients: these, those with accepted mail first, then the worst.
        logged: whether a log was read in this time.
    """

    days: int
    seen: Look
    clients: Sequence[Client]
    logged: bool

    def told(self) -> dict[str, Any]:
        """As pages, API and command line show it."""
        total, lost = self.seen.total, [one for one in self.clients if one.lost]
        since = datetime.fromtimestamp(self.seen.since, UTC)
        facts = Facts(
            "it",
            self.days,
            clients=len(self.clients),
            senders=len(lost),
            accepted=sum(one.accepted for one in lost),
            unlogged=total.unlogged,
            logged=self.logged or total.contacts > total.unlogged,
            reaches="" if self.seen.complete else since.strftime("%d %b"),
        )
        word, warnings = judge(facts)
        return {
            "verdict": word.value,
            "warnings": warnings,
            "days": self.days,
            "since": moment(self.seen.since),
            "complete": self.seen.complete,
            "contacts": total.contacts,
            "clients": len(self.clients),
            "accepted": total.known_accepted,
            "rejected": total.stopped,
            "kept": sum(one.accepted for one in self.clients if one.kept),
            "hits": [
                {
                    "client": one.address.text,
                    "accepted": one.accepted,
                    "rejected": one.stopped,
                    "kept": one.kept,
                }
                for one in self.clients[:SHOWN]
            ],
        }


def preview(
    access: Writing,
    wish: FeedWish,
    body: bytes | None = None,
    filename: str = "",
    *,
    now: float | None = None,
) -> dict[str, Any]:
    """What a feed would bring and whom that would have hit, fetched now and not kept.

    Raises:
        Refusal: as `bring`.
    """
    brought = bring(access, wish, body, filename)
    told, impact = brought.told(), None
    if wish.action is Action.BLOCK and wish.use is Use.LIST:
        clock = time.time() if now is None else now
        impact = meet(access, brought.entries, wish.server, now=clock).told()
    return told | {"impact": impact}


def preview_renewal(
    access: Writing, name: str, body: bytes, filename: str = "", *, now: float | None = None
) -> dict[str, Any]:
    """The same of what would renew a feed of uploads, with what would come and go; not kept.

    Raises:
        Refusal: as `bring_renewal`.
    """
    feed, brought = bring_renewal(access, name, body, filename)
    told, impact = brought.told(), None
    if feed.action == Action.BLOCK.value and feed.use == Use.LIST.value:
        clock = time.time() if now is None else now
        impact = meet_parts(access, [Part(brought.entries, feed.scope)], now=clock).told()
    return told | {"impact": impact}


def meet(
    reading: Reading, entries: Entries, server: str | None = None, *, days: int = DAYS, now: float
) -> Met:
    """What a block of all these by a feed would have met.

    Args:
        reading: proof that the asker may read.
        entries: what is to be blocked.
        server: name of the server that it is to hold for; None for all.
        days: how far to look back, from today.
        now: our own clock.

    Raises:
        NotFound: there is no such server.
    """
    scope = scope_of(reading, None if server == ACCOUNT_SCOPE else server)
    part = Part(entries, WHOLE_ACCOUNT if scope.server is None else scope.server)
    return meet_parts(reading, [part], days=days, now=now)


def meet_parts(
    reading: Reading,
    blocks: Sequence[Part],
    *,
    allows: Sequence[Part] = (),
    renewed: Renewed = NOTHING,
    days: int = DAYS,
    now: float,
) -> Met:
    """What a block of all these would have met.

    Args:
        reading: proof that the asker may read.
        blocks: what is to be blocked, and where; at least one.
        allows: what is allowed together with it.
        renewed: what is allowed now and would be so no more.
        days: how far to look back, from today.
        now: our own clock.
    """
    servers = {part.server for part in blocks}
    one = servers.pop() if len(servers) == 1 else WHOLE_ACCOUNT
    scope = replace(scope_of(reading), server=None if one == WHOLE_ACCOUNT else one)
    seen = _look(scope, Listed(blocks), last_days(now, days))
    clients = [
        Client(target_of(packed), one.stopped, one.accepted) for packed, one in seen.clients.items()
    ]
    clients.sort(key=_rank)
    with_allows = Allows(reading, scope, blocks, allows, renewed).of(clients)
    return Met(days, seen, with_allows, has_log(scope, seen.since))


def _rank(client: Client) -> tuple[int, int, int]:
    return -client.accepted, -client.stopped, client.address.first


def _look(scope: Scope, listed: Listed, days: range) -> Look:
    found, left = Look(since=days[-1]), [BUDGET, BUDGET]
    for day in reversed(days):
        clients = _Counted(_rows(ClientDay, scope, day, _CLIENT_KEYS, left[0]))
        names = _Counted(_rows(NameDay, scope, day, _NAME_KEYS, left[1]) if listed.names else ())
        of_day = best_of_clients(list(_of_clients(listed, clients)))
        named = list(_of_names(listed, names))
        found.complete = clients.count <= left[0] and names.count <= left[1]
        if found.complete or day == days[-1]:
            # The latest day is better than nothing, even in part.
            found.since = day
            found.add(day, [*of_day, *_under_names_only(found, listed, named)])
        if not found.complete:
            break
        left = [left[0] - clients.count, left[1] - names.count]
    return found


class _Counted:
    """Rows, counted as they are drawn."""

    def __init__(self, rows: Iterable[Raw]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Raw]:
        for row in self._rows:
            self.count += 1
            yield row


def _rows(
    model: type[ClientDay] | type[NameDay], scope: Scope, day: int, keys: tuple[str, ...], left: int
) -> Iterator[Raw]:
    """The first rows of a day in the order of the key, one more than are left to be read."""
    of_day = model.objects.filter(scope.condition, start=day).order_by(*keys)
    return of_day.values_list(*keys, "count")[: left + 1].iterator(chunk_size=_CHUNK)


def _of_clients(listed: Listed, rows: Iterable[Raw]) -> Iterator[Raw]:
    """The rows of those clients that the list has."""
    for raw, same in groupby(rows, key=itemgetter(0)):
        client = bytes(raw)
        if listed.everywhere.has_client(client):
            yield from ((client, *row[1:]) for row in same)
        elif listed.at:
            yield from (
                (client, *row[1:]) for row in same if listed.at_server(row[1]).has_client(client)
            )


def _of_names(listed: Listed, rows: Iterable[Raw]) -> Iterator[Raw]:
    """The rows of those names that the list has."""
    for raw, same in groupby(rows, key=itemgetter(0)):
        name = name_text(bytes(raw))
        if listed.everywhere.has_name(name):
            yield from same
        elif listed.at:
            yield from (row for row in same if listed.at_server(row[3]).has_name(name))


def _under_names_only(found: Look, listed: Listed, named: list[Raw]) -> Iterator[Row]:
    """The contacts behind names, but for those of clients that the list has by their address.

    These are left out last: where a log has them, lookups of the names are no further contacts.
    """
    for row in under_names(found, named):
        if not row[0] or not listed.has_client(*row[:2]):
            yield row
