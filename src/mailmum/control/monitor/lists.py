"""Check before you subscribe: whom a whole list would have hit.

A list may have a million entries, too many to look back at each.  So it goes the other way round:
what was seen is read day by day, from today backwards, and each client, and each name that one came
under, is looked up in the list.  There is a bound on how much is read; where it is reached the look
ends with the last day that was read whole, as that at a wide network does (`monitor.looking`).
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.feeds.models import Use
from mailmum.control.feeds.refreshing import format_before
from mailmum.control.feeds.services import Brought, bring, find_uploaded
from mailmum.control.feeds.wishes import FeedWish, make_wish
from mailmum.control.journal.moments import moment
from mailmum.control.listings.search import covers_each
from mailmum.control.listings.values import ACCOUNT_SCOPE, scope_name
from mailmum.control.monitor.impact import DAYS, has_log
from mailmum.control.monitor.looking import Look, Raw, Row, best_of_clients, last_days, under_names
from mailmum.control.monitor.scope import Scope, scope_of
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.traffic.clients import target_of
from mailmum.control.traffic.models import ClientDay, NameDay
from mailmum.control.traffic.names import name_text
from mailmum.domain.listings import WHOLE_ACCOUNT, Action
from mailmum.index.entries import Entries
from mailmum.traffic.impact import Client, Facts, judge
from mailmum.traffic.packing import number_of

BUDGET = 500_000
"""Rows that are read for the clients, and as many for the names."""
SHOWN = 20
ASKED = 2000
"""Clients with accepted mail of which it is looked whether an allow keeps them."""
_CHUNK, _TOGETHER = 5000, 100
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
    return _told(access, wish, bring(access, wish, body, filename), now)


def preview_renewal(
    access: Writing, name: str, body: bytes, filename: str = "", *, now: float | None = None
) -> dict[str, Any]:
    """The same of what would renew a feed of uploads: read as that feed would read it.

    Raises:
        NotFound: no such feed, or the server that it is for was removed.
        BadInput: it comes from elsewhere, or this is no list.
    """
    feed = find_uploaded(access, name)
    server = scope_name(feed.scope, names_of_servers(access)) if feed.scope else None
    wish = make_wish(
        feed.name, "", kind=feed.kind, format_=feed.format, action=feed.action, server=server
    )
    return _told(access, wish, bring(access, wish, body, filename, before=format_before(feed)), now)


def _told(access: Writing, wish: FeedWish, brought: Brought, now: float | None) -> dict[str, Any]:
    told, impact = brought.told(), None
    if wish.action is Action.BLOCK and wish.use is Use.LIST:
        clock = time.time() if now is None else now
        impact = meet(access, brought.entries, wish.server, now=clock).told()
    return told | {"impact": impact}


def meet(
    reading: Reading, entries: Entries, server: str | None = None, *, days: int = DAYS, now: float
) -> Met:
    """What a block of all these would have met.

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
    seen = _look(scope, entries, last_days(now, days))
    clients = [
        Client(target_of(packed), one.stopped, one.accepted) for packed, one in seen.clients.items()
    ]
    clients.sort(key=_rank)
    return Met(days, seen, _with_allows(reading, scope, clients), has_log(scope, seen.since))


def _rank(client: Client) -> tuple[int, int, int]:
    return -client.accepted, -client.stopped, client.address.first


def _with_allows(reading: Reading, scope: Scope, clients: list[Client]) -> list[Client]:
    """Which of those with accepted mail an allow keeps: people's, or a machine's.

    It has to hold wherever the list would: one for a single server keeps nobody at the others.
    Allows of names are left out: which name a contact had is not known here.
    """
    scopes = (WHOLE_ACCOUNT, scope.server)
    for start in range(0, ASKED, _TOGETHER):
        some = [one for one in clients[start : start + _TOGETHER] if one.accepted]
        if not some:
            break
        around = covers_each(reading, [one.address for one in some], scope.server)
        for at, (one, found) in enumerate(zip(some, around, strict=True), start):
            kept = any(
                version.action == Action.ALLOW.value and version.scope in scopes
                for version in found
            )
            clients[at] = one._replace(kept=kept)
    return clients


def _look(scope: Scope, entries: Entries, days: range) -> Look:
    found, left = Look(since=days[-1]), [BUDGET, BUDGET]
    for day in reversed(days):
        clients = _Counted(_rows(ClientDay, scope, day, _CLIENT_KEYS, left[0]))
        names = _Counted(_rows(NameDay, scope, day, _NAME_KEYS, left[1]) if entries.names else ())
        of_day = best_of_clients(list(_of_clients(entries, clients)))
        named = list(_of_names(entries, names))
        found.complete = clients.count <= left[0] and names.count <= left[1]
        if found.complete or day == days[-1]:
            # The latest day is better than nothing, even in part.
            found.since = day
            found.add(day, [*of_day, *_under_names_only(found, entries, named)])
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


def _of_clients(entries: Entries, rows: Iterable[Raw]) -> Iterator[Raw]:
    """The rows of those clients that the list has."""
    for raw, same in groupby(rows, key=itemgetter(0)):
        client = bytes(raw)
        if _has_client(entries, client):
            yield from ((client, *row[1:]) for row in same)


def _of_names(entries: Entries, rows: Iterable[Raw]) -> Iterator[Raw]:
    """The rows of those names that the list has."""
    for raw, same in groupby(rows, key=itemgetter(0)):
        if next(iter(entries.names.around(name_text(bytes(raw)))), None) is not None:
            yield from same


def _under_names_only(found: Look, entries: Entries, named: list[Raw]) -> Iterator[Row]:
    """The contacts behind names, but for those of clients that the list has by their address.

    These are left out last: where a log has them, lookups of the names are no further contacts.
    """
    for row in under_names(found, named):
        if not row[0] or not _has_client(entries, row[0]):
            yield row


def _has_client(entries: Entries, client: bytes) -> bool:
    version, address = number_of(client)
    return next(entries.bases[version].around(address), None) is not None
