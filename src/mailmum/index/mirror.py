"""A compiled world kept in step with an index: what the hot path answers from (`compiled.hot`).

The index stays the one that knows.  The world looks at the columns of settled tables where they
lie; what stands over them, and names, it holds as *entries* of its own, and this module packs them:

- a target that was changed since the last merge: nothing left, the one listing, or "ask Python"
  when there are several;
- a listed name likewise, and for every name with listings below "ask Python" at that name.

Public reasons go with them, each packed once: see `wording`.

Views of feeds are tables whose columns it looks at where they lie, like those of settled tables,
one for all views that are alike.  Names of feeds are left to Python: they would have to be entries,
a million at once.  So are addresses on servers with more tables in a tier than the world has room
for.

Every change of the index comes here after it was made, in the same thread, and becomes one change
of the world, so that whoever asks sees all of it or nothing.  Building the first world takes long
where there are many names, and may be done in any thread while nobody else has the index.

A fault in here must cost speed and nothing else: the first one ends the mirroring, and `broken` is
called, which has to take the world out of use.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any

from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.names import parents
from mailmum.domain.targets import NameTarget
from mailmum.index.addresses import AddressTable
from mailmum.index.base import Base, Place, place_of
from mailmum.index.feeds import FeedAddresses, FeedNames
from mailmum.index.index import Index
from mailmum.index.names import NameTable
from mailmum.index.records import Changes
from mailmum.index.rows import NEVER, NetworkRows, Rows
from mailmum.index.servers import AddressStages, NameStages, ServerEntry
from mailmum.index.tables import Merged, Settled
from mailmum.index.wording import packed, pool_of, said_by

if TYPE_CHECKING:
    from mailmum.compiled import hot

Table = AddressTable | NameTable | FeedAddresses

_ENTRY = struct.Struct("=QQqIIBBBBI")
_TERMS = struct.Struct("=IBB2xI")
_LOW = (1 << 64) - 1
_NOTHING, _FOUND, _ASK = range(3)
_HOST, _DOMAIN = range(2)
_BELOW = {Action.BLOCK: 2, Action.ALLOW: 3}
_ACTIONS = {Action.BLOCK: 0, Action.ALLOW: 1}
MOST_TABLES = 8
"""So many tables of one tier there are in the world; the same number stands in `tables.pxi`."""

_SOURCES = {Source.PERSON: 0, Source.TRIGGER: 1, Source.FEED: 2}

# What goes wrong when a value is not what the world can hold, or memory ends.
_FAULTS = (ValueError, OverflowError, MemoryError, struct.error)


class _Pending:
    """Parts of the world's next change."""

    __slots__ = ("bases", "drop", "levels", "prepared", "put", "rekey")

    def __init__(self) -> None:
        self.put: list[bytes] = []
        self.drop: list[bytes] = []
        self.levels: dict[hot.Table, tuple[int, int, int]] = {}
        self.bases: dict[hot.Table, hot.Base] = {}
        self.prepared: dict[ServerEntry, None] = {}
        self.rekey = False


class Mirror:
    """Makes a world of an index, and watches it from then on.

    Args:
        index: the index; its `watcher` is to be set to this once nothing else changes it.
        world: an empty world.
        compiled: the extension.
        broken: called with the first fault of ours.
    """

    def __init__(
        self, index: Index, world: hot.World, compiled: Any, broken: Callable[[Exception], None]
    ) -> None:
        self.world = world
        self._hot = compiled
        self._broken: Callable[[Exception], None] | None = broken
        self._tables: dict[Table, hot.Table] = {}
        # Those of feeds, by the likeness of their views.
        self._alike: dict[Any, hot.Table] = {}
        self._servers: dict[ServerEntry, hot.Server] = {}
        # Of merged tables that are about to be put in place.
        self._made: dict[Base, hot.Base] = {}
        self._pending = _Pending()
        for entry in index.servers:
            self.prepared(entry)
        self._commit(index)

    @property
    def is_whole(self) -> bool:
        """Whether the world has all that the index has."""
        return self._broken is not None

    def prepared(self, entry: ServerEntry) -> None:
        """A server is new, or has other tables than before."""
        self._pending.prepared[entry] = None

    def removed(self, entry: ServerEntry) -> None:
        """A server is no more."""
        self._pending.prepared.pop(entry, None)
        self._pending.rekey = True
        self._servers.pop(entry, None)

    def applied(self, index: Index, changes: Changes) -> None:
        """Take over what the changes have changed."""
        if self._broken is None:
            return
        try:
            for listing in chain(changes.gone, changes.listings):
                self._note(index, listing)
        except _FAULTS as error:
            self._break(error)
        self._commit(index)
        if changes.feeds:
            self._forget_tables()

    def merged(self, merged: Merged) -> None:
        """Check and lay out their columns here, which takes milliseconds, and not in the loop."""
        try:
            self._made = {base: self._base(base) for _, _, base in merged.tables}
        except _FAULTS:
            # It comes again where they are put in place.
            self._made = {}

    def settled(self, index: Index, settled: Settled) -> None:
        """Take over merged tables."""
        if self._broken is None:
            return
        try:
            for table, was in settled.tables:
                ours = self._tables.get(table)
                if ours is not None:
                    self._settle(table, ours, was)
        except _FAULTS as error:
            self._break(error)
        self._made = {}
        self._commit(index)
        if settled.lost:
            self._forget_tables()

    def _note(self, index: Index, listing: Listing) -> None:
        """A listing was changed: see what there is at its target now."""
        table, target = index.table_of(listing), listing.target
        ours = None if table is None else self._tables.get(table)
        if ours is None:
            # Of no server that there is; should one come, the whole table is taken.
            return
        if isinstance(table, NameTable):
            assert isinstance(target, NameTarget)
            self._note_name(ours, table, target)
        elif isinstance(table, AddressTable):
            assert not isinstance(target, NameTarget)
            place = place_of(target)
            listings = table.replaced_at(place)
            # What was not there to be removed has not come into the overlay.
            if listings is not None:
                self._put_place(ours, place, listings)
            self._pending.levels[ours] = _levels(table)

    def _note_name(self, ours: hot.Table, table: NameTable, target: NameTarget) -> None:
        number, pending = self.world.number_of(target.name.encode()), self._pending
        listings = table.listings_at(target)
        level = _DOMAIN if target.whole else _HOST
        entry = _packed(ours, level, number, listings, self._text(listings))
        (pending.put if listings else pending.drop).append(entry)
        for parent in parents(target.name)[1:]:
            number = self.world.number_of(parent.encode())
            for action, level in _BELOW.items():
                there = parent in table.below(action)
                (pending.put if there else pending.drop).append(_asked(ours, level, number))

    def _put_place(self, ours: hot.Table, place: Place, listings: Iterable[Listing]) -> None:
        shift, number = place
        found = tuple(listings)
        place_of_it = number >> 64, number & _LOW
        self._pending.put.append(_packed(ours, shift, place_of_it, found, self._text(found)))

    def _text(self, listings: Sequence[Listing]) -> int:
        """The number of the public reason of a target with these listings."""
        reason = listings[0].reason if len(listings) == 1 else ""
        return self.world.text_of(packed(reason)) if reason else 0

    def _settle(self, table: AddressTable, ours: hot.Table, was: Iterable[Place]) -> None:
        pending = self._pending
        pending.bases[ours] = self._made.get(table.base) or self._base(table.base)
        pending.levels[ours] = _levels(table)
        for shift, number in was:
            if table.replaced_at((shift, number)) is None:
                pending.drop.append(_packed(ours, shift, (number >> 64, number & _LOW), ()))

    def _commit(self, index: Index) -> None:
        """Make all that is pending one change of the world."""
        if self._broken is None:
            return
        try:
            servers = [self._staged(entry) for entry in self._pending.prepared]
            pending, self._pending = self._pending, _Pending()
            keys = None
            if pending.rekey:
                keys = [
                    (label, self._servers[entry], inf if until is None else until)
                    for label, entry, until in index.keys
                ]
            self.world.change(
                index.position & 0xFFFF_FFFF,
                put=b"".join(pending.put),
                drop=b"".join(pending.drop),
                levels=list(pending.levels.items()),
                bases=list(pending.bases.items()),
                servers=servers,
                keys=keys,
            )
        except _FAULTS as error:
            self._break(error)

    def _staged(self, entry: ServerEntry) -> tuple[hot.Server, Any, Any, Any]:
        """A server and its tables; None for a sort of tables that Python is to be asked about."""
        server = self._servers.get(entry)
        if server is None:
            record = entry.record
            # Close to its end an account's answers hold for less than the TTL.
            until = inf if record.ends is None else record.ends - record.ttl - 1
            times = entry.ends, until, entry.blocks_from
            server = self._hot.Server(
                *(record.id, record.ttl, record.code or 0, *times),
                *(list(record.askers), said_by(record)),
            )
            self._servers[entry] = server
            self._pending.rekey = True
        sorts: tuple[AddressStages | NameStages, ...]
        sorts = (entry.stages4, entry.stages6, entry.stages_of_names)
        four, six, names = (
            [[self._table(table) for table in tables] for tables in stages]
            if _fits(stages)
            else None
            for stages in sorts
        )
        return server, four, six, names

    def _table(self, table: Any) -> hot.Table:
        """Ours for a table of the index; a new one is taken over whole."""
        held = self._tables.get(table)
        if held is not None:
            return held
        ours: hot.Table
        if isinstance(table, FeedAddresses):
            ours = self._table_of_feed(table)
        elif isinstance(table, NameTable):
            ours = self._hot.Table(0)
            self._pending.put.extend(self._all_names(ours, table))
        else:
            ours = self._hot.Table(table.base.bits)
            self._pending.bases[ours] = self._base(table.base)
            self._pending.levels[ours] = _levels(table)
            for place, listings in table.replaced():
                self._put_place(ours, place, listings)
        self._tables[table] = ours
        return ours

    def _table_of_feed(self, view: FeedAddresses) -> hot.Table:
        """One table for all views that are alike."""
        held = self._alike.get(view.likeness)
        if held is not None:
            return held
        record, base = view.record, view.base
        decided = _ACTIONS[record.action], _SOURCES[Source.FEED]
        (start,), texts = pool_of([record.reason])
        terms = _TERMS.pack(record.code or 0, *decided, start)
        ours: hot.Table = self._hot.Table(base.bits)
        self._pending.bases[ours] = self._base_of(base, terms, texts)
        self._alike[view.likeness] = ours
        return ours

    def _all_names(self, ours: hot.Table, table: NameTable) -> Iterator[bytes]:
        number_of, table_number = self.world.number_of, ours.number
        for name, whole, said, ends in table.rows():
            level = _DOMAIN if whole else _HOST
            high, low = number_of(name.encode())
            if said is None:
                yield _asked(ours, level, (high, low))
                continue
            decided = _ACTIONS[said.action], _SOURCES[said.source]
            code = said.code or 0
            text = self.world.text_of(packed(said.reason)) if said.reason else 0
            yield _ENTRY.pack(high, low, ends, table_number, code, level, _FOUND, *decided, text)
        for action, level in _BELOW.items():
            for name in table.below(action):
                yield _asked(ours, level, number_of(name.encode()))

    def _forget_tables(self) -> None:
        """Let go of tables that no server has any more."""
        held = {
            table
            for entry in self._servers
            for stages in (entry.stages4, entry.stages6, entry.stages_of_names)
            for tables in stages
            for table in tables
        }
        for table in self._tables.keys() - held:
            del self._tables[table]
        likenesses = {table.likeness for table in held if isinstance(table, FeedAddresses)}
        for likeness in self._alike.keys() - likenesses:
            del self._alike[likeness]

    def _base(self, base: Base) -> hot.Base:
        starts, texts = pool_of(said.reason for said in base.terms)
        terms = b"".join(
            _TERMS.pack(said.code or 0, _ACTIONS[said.action], _SOURCES[said.source], start)
            for said, start in zip(base.terms, starts, strict=True)
        )
        return self._base_of(base, terms, texts)

    def _base_of(self, base: Base, terms: bytes, texts: bytes) -> hot.Base:
        hosts, networks = _columns(base.hosts), _columns(base.networks)
        parts = (base.networks.shifts, base.networks.parents)
        made: hot.Base = self._hot.Base(base.bits, terms, texts, hosts, (*networks, *parts))
        return made

    def _break(self, error: Exception) -> None:
        broken, self._broken = self._broken, None
        if broken is not None:
            broken(error)


def _fits(stages: AddressStages | NameStages) -> bool:
    return not any(
        len(tables) > MOST_TABLES or any(isinstance(table, FeedNames) for table in tables)
        for tables in stages
    )


def _columns(rows: Rows | NetworkRows) -> tuple[Any, ...]:
    arrays, details = rows.firsts.arrays(), rows.details
    buckets, shift = rows.firsts.buckets
    kinds = details.kinds
    low = arrays[1] if len(arrays) > 1 else None
    return arrays[0], low, buckets, shift, kinds, kinds.itemsize, details.expires


def _levels(table: AddressTable) -> tuple[int, int, int]:
    bits = 0
    for shift in table.levels:
        bits |= 1 << shift
    return bits & _LOW, bits >> 64 & _LOW, bits >> 128


def _packed(
    ours: hot.Table, level: int, number: tuple[int, int], listings: Sequence[Listing], text: int = 0
) -> bytes:
    """The entry of a target with these listings; `text` is the number of the only one's reason."""
    if len(listings) != 1:
        state = _ASK if listings else _NOTHING
        return _ENTRY.pack(*number, NEVER, ours.number, 0, level, state, 0, 0, 0)
    one = listings[0]
    return _ENTRY.pack(
        *number,
        NEVER if one.expires is None else one.expires,
        ours.number,
        one.code or 0,
        level,
        _FOUND,
        _ACTIONS[one.action],
        _SOURCES[one.source],
        text,
    )


def _asked(ours: hot.Table, level: int, number: tuple[int, int]) -> bytes:
    return _ENTRY.pack(*number, NEVER, ours.number, 0, level, _ASK, 0, 0, 0)
