"""All tables, by account, scope, tier and kind of target, and the changes and merges of them.

A table is made when the first listing for it comes and dropped when a merge finds it empty.  Both
are reported to the caller, who keeps the servers' lists of tables.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from mailmum.domain.clients import AddressSubject, Subject
from mailmum.domain.listings import WHOLE_ACCOUNT, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.addresses import AddressTable, Captured
from mailmum.index.base import Base, BaseBuilder, Replaced, empty_base, no_pause
from mailmum.index.feeds import Feeds
from mailmum.index.firsts import Pause
from mailmum.index.names import CapturedNames, NameTable
from mailmum.index.records import FeedRecord
from mailmum.index.servers import AddressStages, NameStages
from mailmum.index.terms import Tier, tier_of

NAMES = 0
_Table = TypeVar("_Table")


class TableKey(NamedTuple):
    """What a table holds: 4 or 6 stand for addresses of that version of IP, `NAMES` for names."""

    account: int
    scope: int
    tier: Tier
    kind: int


@dataclass(frozen=True, slots=True)
class Merged:
    """What `MergePlan.run` gives, to be put in place."""

    tables: tuple[tuple[TableKey, Captured, Base], ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """What a merge has changed.

    Attributes:
        tables: those with another base now, each with what was in its overlay when it began.
        lost: the accounts that lost a table because it was empty.
    """

    tables: tuple[tuple[AddressTable, Replaced], ...]
    lost: frozenset[int]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """Tables with an overlay, as they were when the merge began."""

    tables: tuple[tuple[TableKey, Captured], ...]

    def run(self, pause: Pause = no_pause) -> Merged:
        """Compute the new bases, in any thread.

        Args:
            pause: called after every few hundred rows' work.  In a thread beside one that answers
                queries let it sleep for a moment: that hands over the interpreter's lock.
        """
        return Merged(
            tuple(
                (key, captured, captured.base.merged(captured.replaced, pause))
                for key, captured in self.tables
            )
        )


class Tables:
    """The tables of all accounts.

    Args:
        addresses: tables of addresses that are ready.
        names: tables of names that are ready.
        feeds: all subscriptions.

    Attributes:
        overlay_size: how many targets the next merge would settle.
    """

    __slots__ = ("_addresses", "_emptied", "_feeds", "_names", "_unsettled", "overlay_size")

    def __init__(
        self,
        addresses: Mapping[TableKey, AddressTable] | None = None,
        names: Mapping[TableKey, NameTable] | None = None,
        feeds: Iterable[FeedRecord] = (),
    ) -> None:
        self._addresses = dict(addresses or {})
        self._names = dict(names or {})
        self._unsettled: dict[TableKey, AddressTable] = {}
        self._emptied: set[TableKey] = set()
        self.overlay_size = 0
        self._feeds = Feeds()
        for account, records in _by_account(feeds).items():
            self._feeds.put(account, records)

    def put_feeds(self, account: int, records: tuple[FeedRecord, ...]) -> bool:
        """Make these the feeds of an account; whether that changes anything."""
        return self._feeds.put(account, records)

    @property
    def feeds(self) -> tuple[FeedRecord, ...]:
        """All subscriptions."""
        return tuple(record for records in self._feeds.records.values() for record in records)

    def put(self, listing: Listing) -> bool:
        """Add or replace a listing; whether that took a new table.  A disabled one is removed."""
        if not listing.enabled:
            self.remove(listing)
            return False
        key = key_of(listing)
        if isinstance(listing.target, NetworkTarget):
            table = self._addresses.get(key)
            made = table is None
            if table is None:
                table = AddressTable(empty_base(listing.target.bits), key.account, key.scope)
                self._addresses[key] = table
            before = table.overlay_size
            table.put(listing, listing.target)
            self._note_overlay(key, table, before)
            return made
        names = self._names.get(key)
        made = names is None
        if names is None:
            names = self._names[key] = NameTable(key.account, key.scope)
        names.put(listing, listing.target)
        return made

    def remove(self, listing: Listing) -> None:
        """Remove a listing as it was, if it is there."""
        key = key_of(listing)
        if isinstance(listing.target, NetworkTarget):
            table = self._addresses.get(key)
            if table is not None:
                before = table.overlay_size
                table.remove(listing.id, listing.target)
                self._note_overlay(key, table, before)
        elif (names := self._names.get(key)) is not None:
            names.remove(listing.id, listing.target)
            if names.is_empty:
                self._emptied.add(key)

    def table_of(self, listing: Listing) -> AddressTable | NameTable | None:
        """The table that a listing is in, or would be."""
        key = key_of(listing)
        if key.kind == NAMES:
            return self._names.get(key)
        return self._addresses.get(key)

    def stages(self, account: int, server: int, version: int) -> AddressStages:
        """The tables that hold for a server, for addresses of one version of IP."""
        found = (
            tuple(self._of_tier(self._addresses, account, server, tier, version)) for tier in Tier
        )
        return tuple(tables for tables in found if tables)

    def stages_of_names(self, account: int, server: int) -> NameStages:
        """The tables that hold for a server, for names."""
        found = (tuple(self._of_tier(self._names, account, server, tier, NAMES)) for tier in Tier)
        return tuple(tables for tables in found if tables)

    def covering(
        self, account: int, server: int, subject: Subject, now: float
    ) -> Iterator[Listing]:
        """The listings in force that cover the subject on this server."""
        if isinstance(subject, AddressSubject):
            for tables in self.stages(account, server, subject.version):
                for table in tables:
                    yield from table.covering(subject.address, now)
        else:
            for named in self.stages_of_names(account, server):
                for names in named:
                    yield from names.covering(subject.name, now)

    def begin_merge(self) -> MergePlan:
        """Note what a merge works on."""
        return MergePlan(tuple((key, table.capture()) for key, table in self._unsettled.items()))

    def finish_merge(self, merged: Merged) -> Settled:
        """Put merged tables in place."""
        lost, settled = set(), []
        for key, captured, base in merged.tables:
            table = self._addresses.get(key)
            if table is None:
                continue
            before = table.overlay_size
            if table.settle(captured, base):
                settled.append((table, captured.replaced))
            self._note_overlay(key, table, before)
            if table.is_empty:
                del self._addresses[key]
                lost.add(key.account)
        for key in self._emptied:
            if self._names[key].is_empty:
                del self._names[key]
                lost.add(key.account)
        self._emptied.clear()
        return Settled(tuple(settled), frozenset(lost))

    def bases(self) -> dict[TableKey, Base]:
        """The settled part of every table of addresses."""
        return {key: table.base for key, table in self._addresses.items()}

    def capture_names(self) -> dict[TableKey, CapturedNames]:
        """Every table of names as it is now."""
        return {key: names.capture() for key, names in self._names.items()}

    def _of_tier(
        self,
        tables: Mapping[TableKey, _Table],
        account: int,
        server: int,
        tier: Tier,
        kind: int,
    ) -> Iterator[Any]:
        for scope in dict.fromkeys((server, WHOLE_ACCOUNT)):
            yield from self._feeds.of(account, scope, tier, kind)
            table = tables.get(TableKey(account, scope, tier, kind))
            if table is not None:
                yield table

    def _note_overlay(self, key: TableKey, table: AddressTable, before: int) -> None:
        self.overlay_size += table.overlay_size - before
        if table.overlay_size:
            self._unsettled[key] = table
        else:
            self._unsettled.pop(key, None)


def _by_account(feeds: Iterable[FeedRecord]) -> dict[int, tuple[FeedRecord, ...]]:
    found: dict[int, tuple[FeedRecord, ...]] = {}
    for record in feeds:
        found[record.account] = (*found.get(record.account, ()), record)
    return found


def key_of(listing: Listing) -> TableKey:
    """The table that a listing belongs to."""
    target = listing.target
    kind = target.version if isinstance(target, NetworkTarget) else NAMES
    return TableKey(listing.account, listing.scope, tier_of(listing), kind)


def build_tables(listings: Iterable[Listing], feeds: Iterable[FeedRecord] = ()) -> Tables:
    """Tables of many listings, which are read once, and of feeds."""
    builders: dict[TableKey, BaseBuilder] = {}
    names: dict[TableKey, NameTable] = {}
    for listing in listings:
        if not listing.enabled:
            continue
        key, target = key_of(listing), listing.target
        if isinstance(target, NetworkTarget):
            builder = builders.get(key)
            if builder is None:
                builder = builders[key] = BaseBuilder(target.bits)
            builder.add(listing, target)
        else:
            table = names.get(key)
            if table is None:
                table = names[key] = NameTable(key.account, key.scope)
            table.put(listing, target)
    addresses = {}
    # One at a time, so that what a builder collected is free before the next table is built.
    for key in list(builders):
        addresses[key] = AddressTable(builders.pop(key).build(), key.account, key.scope)
    return Tables(addresses, names, feeds)
