"""The listing source of the DNS daemons: the whole state, then the journal, change by change.

A reader here never locks a writer out: each query reads on its own.  The position is read first,
so what is read afterwards may be newer, never older; the newer part arrives once more as a change,
and applying it twice changes nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import structlog
from django.db import Error, connection
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from mailmum.control.accounts.models import Account
from mailmum.control.dataplane.news import News, news_of
from mailmum.control.feeds.contents import Shelf
from mailmum.control.feeds.lookups import in_force
from mailmum.control.feeds.models import Content, Feed
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.listings.values import stored_network
from mailmum.control.servers.answers import answers_of
from mailmum.control.servers.models import Server
from mailmum.daemons.descriptors import with_cause
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.pauses import later
from mailmum.domain.targets import Kind, NameTarget, NetworkTarget, Target, parse_target
from mailmum.index.coding import SnapshotDamaged
from mailmum.index.records import (
    Changes,
    Everything,
    FeedRecord,
    KeyRecord,
    ServerRecord,
    SourceRewound,
    SourceUnavailable,
)

RECORDS_AT_ONCE = 1000
LISTINGS_AT_ONCE = 2000
_BREATH = 0.0002

log = structlog.get_logger()


class _Row(NamedTuple):
    number: int
    account_id: int
    scope: int
    action: str
    kind: str
    target: str
    first: bytes | None
    last: bytes | None
    source: str
    origin: str
    reason: str
    code: int | None
    expires: int | None
    enabled: bool
    since: int
    until: int | None


class DatabaseSource:
    """Implements `ListingSource` on the database of this installation."""

    def __init__(self) -> None:
        self._news: News = news_of(connection)
        self._shelf = Shelf()

    def load(self) -> Everything:
        """The whole state; listings are read while they are iterated."""
        with _availability():
            position = _newest()
            servers = tuple(_servers(Server.objects.all()))
            feeds = tuple(self._feeds(in_force()))
        return Everything(position, servers, self._listings(), feeds)

    def changes(self, after: int) -> Iterator[Changes]:
        """What has happened after a position, in batches."""
        with _availability():
            if self._news.take_replaced():
                connection.close()
                raise SourceRewound("the database has been replaced by another")
            newest = _newest()
            if newest < after:
                raise SourceRewound(f"the journal ends at {newest}, before {after}")
            while after < newest:
                upto = min(newest, after + RECORDS_AT_ONCE)
                yield from self._window(after, upto)
                after = upto

    def wait(self, seconds: float) -> bool:
        """Wait for a commit."""
        with _availability():
            return self._news.wait(seconds)

    def close(self) -> None:
        """Close this thread's connections."""
        self._news.close()
        connection.close()

    def _window(self, after: int, upto: int) -> Iterator[Changes]:
        feeds = tuple(self._changed_feeds(after, upto))
        for changes in _window(after, upto):
            # With the last batch: nothing of a change counts before all of it is there.
            yield replace(changes, feeds=feeds) if changes.position == upto else changes

    def _changed_feeds(self, after: int, upto: int) -> Iterator[tuple[int, tuple[FeedRecord, ...]]]:
        records = Record.objects.filter(seq__gt=after, seq__lte=upto, what__contains="feed.")
        for account in set(records.values_list("account_id", flat=True)):
            yield account, tuple(self._feeds(in_force().filter(account_id=account)))

    def _feeds(self, found: QuerySet[Feed]) -> Iterator[FeedRecord]:
        """Subscriptions; entries that are in use already are not read again."""
        for feed in found.select_related("content").defer("content__data", "content__names"):
            content = feed.content
            assert content is not None
            try:
                entries = self._shelf.get(content.pk, content.digest, _breathe)
            except (Content.DoesNotExist, SnapshotDamaged) as error:
                log.warning("feed.unreadable", feed=feed.pk, reason=str(error))
                continue
            yield FeedRecord(
                id=feed.pk,
                account=feed.account_id,
                scope=feed.scope,
                action=Action(feed.action),
                name=feed.name,
                reason=feed.reason,
                code=feed.code,
                entries=entries,
            )

    def _listings(self) -> Iterator[Listing]:
        now = int(timezone.now().timestamp())
        in_force = Q(enabled=True) & (Q(expires=None) | Q(expires__gt=now))
        with _availability():
            for row in _rows(in_force & Q(until=None), "pk"):
                yield _listing(row)


def _breathe() -> None:
    """Beside a thread that answers, long work lets go of the interpreter now and then."""
    time.sleep(_BREATH)


def _window(after: int, upto: int) -> Iterator[Changes]:
    """The changes in (after, upto].

    Rows are read by listing, so that a listing that changed is taken away and put back in one
    batch; of the steps between, only the first and the last matter.
    """
    servers = tuple(_changed_servers(after, upto))
    gone: list[Listing] = []
    listings: list[Listing] = []
    for _, versions in groupby(_touched(after, upto), key=attrgetter("number")):
        for row in versions:
            if row.since <= after:
                gone.append(_listing(row))
            elif row.until is None or row.until > upto:
                listings.append(_listing(row))
            else:
                # Began and ended in between; a load or a batch that broke off may have shown it.
                gone.append(_listing(row))
        if len(gone) + len(listings) >= LISTINGS_AT_ONCE:
            yield Changes(after, (), (), tuple(listings), tuple(gone))
            gone, listings = [], []
    yield Changes(upto, servers, (), tuple(listings), tuple(gone))


def _touched(after: int, upto: int) -> Iterator[_Row]:
    """Versions that began or ended in (after, upto], by listing.

    Two queries, each on its index: for one with OR, SQLite reads the whole table.
    """
    began = Q(since__gt=after, since__lte=upto)
    ended = Q(until__gt=after, until__lte=upto)
    # One that began and ended in between comes twice, and once is enough.
    before = (row for row in _rows(ended, "number") if row.since <= after)
    return merge(_rows(began, "number"), before, key=attrgetter("number"))


def _rows(wanted: Q, order: str) -> Iterator[_Row]:
    found = Version.objects.filter(wanted).order_by(order).values_list(*_Row._fields)
    for values in found.iterator(chunk_size=5000):
        yield _Row._make(values)


def _listing(row: _Row) -> Listing:
    return Listing(
        id=row.number,
        account=row.account_id,
        scope=row.scope,
        action=Action(row.action),
        target=_target(row),
        source=Source(row.source),
        origin=row.origin,
        reason=row.reason,
        code=row.code,
        expires=row.expires,
        enabled=row.enabled,
    )


def _target(row: _Row) -> Target:
    if row.first is not None and row.last is not None:
        return stored_network(bytes(row.first), bytes(row.last))
    if row.kind == Kind.DOMAIN:
        return NameTarget(row.target[1:], whole=True)
    return NameTarget(row.target, whole=False)


def _changed_servers(after: int, upto: int) -> Iterator[ServerRecord]:
    records = Record.objects.filter(seq__gt=after, seq__lte=upto)
    about = records.filter(Q(what__contains="server.") | Q(what__contains="account."))
    accounts = set(about.values_list("account_id", flat=True))
    if accounts:
        yield from _servers(Server.objects.filter(account_id__in=accounts))


def _servers(found: Any) -> Iterator[ServerRecord]:
    for server in found.select_related("account").prefetch_related("keys"):
        account: Account = server.account
        answers = answers_of(server)
        yield ServerRecord(
            id=server.pk,
            account=account.pk,
            ref=server.ref,
            keys=tuple(KeyRecord(key.label, key.until) for key in server.keys.all()),
            ttl=account.ttl if answers.ttl is None else answers.ttl,
            code=answers.code,
            text=answers.text,
            active=server.removed is None and not account.suspended,
            ends=account.expires,
            blocks_from=later(account.blocks_from, server.blocks_from),
            askers=_askers(server.askers),
            name=server.name,
        )


def _askers(texts: list[str]) -> tuple[tuple[int, int, int], ...]:
    targets = (parse_target(text) for text in texts)
    return tuple(
        (target.version, target.first, target.last)
        for target in targets
        if isinstance(target, NetworkTarget)
    )


def _newest() -> int:
    return Record.objects.aggregate(newest=Max("seq"))["newest"] or 0


@contextmanager
def _availability() -> Iterator[None]:
    """Turn a database that cannot be asked into `SourceUnavailable`, ready for another try."""
    try:
        yield
    except (Error, OSError) as error:
        connection.close()
        raise SourceUnavailable(with_cause(str(error).strip() or type(error).__name__)) from error
