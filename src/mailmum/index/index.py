"""The index: all accounts' listings, prepared so that a lookup is a few searches in small tables.

What must be quick is decided beforehand.  Listings are parted by account, by scope (the whole
account or one server), by tier (people, what machines allow, what machines block) and by kind of
target (IPv4, IPv6, names), each part a table; every server knows the tables that hold for it, in
the order in which they decide.  Most servers have one: what people have listed for the account.

Lookups, `apply`, `image` and the beginning and end of a merge belong to one thread.  What they hand
out to be worked on elsewhere (`MergePlan`, `Image`) never changes under its reader.

    >>> from mailmum.domain.listings import Action, Listing
    >>> from mailmum.domain.targets import parse_target
    >>> from mailmum.index.records import Everything, KeyRecord, ServerRecord
    >>> server = ServerRecord(1, 1, "ref", (KeyRecord("k7f3q9x2m4t8"),))
    >>> block = Listing(9, 1, 0, Action.BLOCK, parse_target("203.0.113.0/24"))
    >>> index = Index.build(Everything(5, (server,), [block]))
    >>> found = index.key(b"k7f3q9x2m4t8", now=0.0)
    >>> index.find_address(found.server, 4, 0xCB007107, now=0.0).id
    9
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from mailmum.domain.clients import NameSubject, Subject
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.addresses import AddressTable
from mailmum.index.base import Base, Replaced
from mailmum.index.names import CapturedNames, NameTable
from mailmum.index.records import Changes, Everything, FeedRecord, ServerRecord
from mailmum.index.servers import KeyState, ServerEntry, decide_address, decide_name
from mailmum.index.tables import Merged, MergePlan, Settled, TableKey, Tables, build_tables
from mailmum.index.terms import Hit

__all__ = ["Hit", "Image", "Index", "KeyState", "ServerEntry"]


@dataclass(frozen=True, slots=True)
class Image:
    """The whole index at one moment, for a snapshot.

    Attributes:
        position: journal sequence number.
        servers: all servers.
        bases: the settled part of every table of addresses.
        replaced: the overlays over some of them.
        names: every table of names.
        feeds: all subscriptions.
    """

    position: int
    servers: tuple[ServerRecord, ...]
    bases: Mapping[TableKey, Base]
    replaced: Mapping[TableKey, Replaced]
    names: Mapping[TableKey, CapturedNames]
    feeds: tuple[FeedRecord, ...]


class Watcher(Protocol):
    """Keeps something in step with an index; told in the thread that changes that."""

    def prepared(self, entry: ServerEntry) -> None:
        """A server is new, or has other tables than before."""
        ...

    def removed(self, entry: ServerEntry) -> None:
        """A server is no more, or about to be put in anew."""
        ...

    def applied(self, index: "Index", changes: Changes) -> None:
        """The changes are in the index."""
        ...

    def merged(self, merged: Merged) -> None:
        """These are about to be put in place; told in the thread that merged them."""
        ...

    def settled(self, index: "Index", settled: Settled) -> None:
        """The merged tables are in place."""
        ...


class Index:
    """All servers and listings; without arguments an empty one.

    Args:
        tables: the listings.
        servers: the servers.
        position: the journal sequence number of this state.

    Attributes:
        position: the journal sequence number up to which changes are applied.
        watcher: is told of every change, if there is one.
    """

    __slots__ = ("_keys", "_of_account", "_servers", "_tables", "position", "watcher")

    def __init__(
        self,
        tables: Tables | None = None,
        servers: Iterable[ServerRecord] = (),
        position: int = 0,
    ) -> None:
        self.position = position
        self.watcher: Watcher | None = None
        self._tables = Tables() if tables is None else tables
        self._servers: dict[int, ServerEntry] = {}
        self._of_account: dict[int, dict[int, ServerEntry]] = {}
        # Until when each key counts, and the two answers of `key`.
        self._keys: dict[bytes, tuple[int | None, KeyState, KeyState]] = {}
        for record in servers:
            self._put_server(record)

    @classmethod
    def build(cls, everything: Everything) -> "Index":
        """An index of everything; the listings are read once."""
        return cls(
            build_tables(everything.listings, everything.feeds),
            everything.servers,
            position=everything.position,
        )

    def key(self, label: bytes, now: float) -> KeyState | None:
        """The server behind a zone key (lower case), and whether the key is revoked."""
        found = self._keys.get(label)
        if found is None:
            return None
        until, current, revoked = found
        return current if until is None or now < until else revoked

    def find_address(
        self, server: ServerEntry, version: int, address: int, now: float
    ) -> Hit | None:
        """The listing in force that decides about an address on a server, whatever its action.

        None while blocking is paused, if it is a block.
        """
        if version != 4:
            hit = decide_address(server.stages6, address, now)
        elif server.only4 is not None:
            hit = server.only4.find(address, now)
        else:
            hit = decide_address(server.stages4, address, now)
        if hit is None or now >= server.ends:
            return None
        if now < server.blocks_from and hit.action is Action.BLOCK:
            return None
        # Loopback, as `AddressSubject.is_loopback` has it: 127.0.0.0/8 and ::1.
        return None if (address >> 24 == 127 if version == 4 else address == 1) else hit

    def find_name(self, server: ServerEntry, name: str, now: float) -> Hit | None:
        """The same about a canonical name."""
        hit = decide_name(server.stages_of_names, name, now)
        if hit is None or now >= server.ends or NameSubject(name).is_loopback:
            return None
        return None if now < server.blocks_from and hit.action is Action.BLOCK else hit

    def address_below(
        self,
        server: ServerEntry,
        version: int,
        first: int,
        prefix: int,
        action: Action,
        now: float,
    ) -> bool:
        """Whether a listing in force with that action overlaps a network.

        When there are thousands of others there the answer may be yes without one, see
        `AddressTable.overlaps`.
        """
        target = NetworkTarget(version, first, prefix)
        return _answers(server, action, now) and any(
            table.overlaps(target, action, now) for table in server.address_tables(version)
        )

    def name_below(self, server: ServerEntry, name: str, action: Action, now: float) -> bool:
        """Whether a listing in force with that action is of a name strictly below `name`."""
        return _answers(server, action, now) and any(
            table.any_below(name, action, now) for table in server.name_tables()
        )

    def covering(self, account: int, server: int, subject: Subject, now: float) -> list[Listing]:
        """All listings in force that cover a subject on a server, in no particular order."""
        if subject.is_loopback:
            return []
        return list(self._tables.covering(account, server, subject, now))

    def apply(self, changes: Changes) -> None:
        """Take over changes; the same again, or older ones, change nothing."""
        if changes.position < self.position:
            return
        for listing in changes.gone:
            self._tables.remove(listing)
        for number in changes.gone_servers:
            self._remove_server(number)
        for record in changes.servers:
            self._put_server(record)
        for account, feeds in changes.feeds:
            if self._tables.put_feeds(account, feeds):
                self._refresh(account, WHOLE_ACCOUNT)
        for listing in changes.listings:
            if self._tables.put(listing):
                self._refresh(listing.account, listing.scope)
        self.position = changes.position
        if self.watcher is not None:
            self.watcher.applied(self, changes)

    @property
    def overlay_size(self) -> int:
        """How many changed targets a merge would settle; lookups pay for them, if little."""
        return self._tables.overlay_size

    def begin_merge(self) -> MergePlan:
        """Note what a merge works on.

        `run` the plan in any thread, have `prepare_merge` there too, then call `finish_merge`.
        """
        return self._tables.begin_merge()

    def prepare_merge(self, merged: Merged) -> None:
        """Have made beforehand, in any thread, what `finish_merge` would have to make."""
        if self.watcher is not None:
            self.watcher.merged(merged)

    def finish_merge(self, merged: Merged) -> None:
        """Put merged tables in place; what was applied meanwhile stays in the overlay."""
        settled = self._tables.finish_merge(merged)
        for account in settled.lost:
            self._refresh(account, WHOLE_ACCOUNT)
        if self.watcher is not None:
            self.watcher.settled(self, settled)

    @property
    def servers(self) -> Iterable[ServerEntry]:
        """All servers, with the tables that hold for each."""
        return self._servers.values()

    @property
    def keys(self) -> Iterator[tuple[bytes, ServerEntry, int | None]]:
        """All zone keys, the server of each, and from when it is revoked."""
        for label, (until, current, _) in self._keys.items():
            yield label, current.server, until

    def table_of(self, listing: Listing) -> AddressTable | NameTable | None:
        """The table that a listing is in, or would be."""
        return self._tables.table_of(listing)

    def image(self) -> Image:
        """Everything as it is now."""
        return Image(
            self.position,
            tuple(entry.record for entry in self._servers.values()),
            self._tables.bases(),
            {key: captured.replaced for key, captured in self._tables.begin_merge().tables},
            self._tables.capture_names(),
            self._tables.feeds,
        )

    def _put_server(self, record: ServerRecord) -> None:
        self._remove_server(record.id)
        entry = ServerEntry(record)
        self._prepare(entry)
        self._servers[record.id] = entry
        self._of_account.setdefault(record.account, {})[record.id] = entry
        current, revoked = KeyState(entry, revoked=False), KeyState(entry, revoked=True)
        for key in record.keys:
            self._keys[key.key.encode("ascii")] = key.until, current, revoked

    def _remove_server(self, number: int) -> None:
        entry = self._servers.pop(number, None)
        if entry is None:
            return
        account = self._of_account[entry.record.account]
        del account[number]
        if not account:
            del self._of_account[entry.record.account]
        for key in entry.record.keys:
            label = key.key.encode("ascii")
            held = self._keys.get(label)
            if held is not None and held[1].server is entry:
                del self._keys[label]
        if self.watcher is not None:
            self.watcher.removed(entry)

    def _refresh(self, account: int, scope: int) -> None:
        """Look up the tables anew for the servers that a scope concerns."""
        for entry in self._of_account.get(account, {}).values():
            if scope in (WHOLE_ACCOUNT, entry.record.id):
                self._prepare(entry)

    def _prepare(self, entry: ServerEntry) -> None:
        account, server = entry.record.account, entry.record.id
        entry.prepare(
            self._tables.stages(account, server, 4),
            self._tables.stages(account, server, 6),
            self._tables.stages_of_names(account, server),
        )
        if self.watcher is not None:
            self.watcher.prepared(entry)


def _answers(server: ServerEntry, action: Action, now: float) -> bool:
    """Whether listings with that action count on a server at all."""
    return now < server.ends and (action is Action.ALLOW or now >= server.blocks_from)
