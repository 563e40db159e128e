"""What the data plane is told: servers, listings, feeds, and changes of them.

This is the seam between the control plane, which owns the database, and the data plane, which
must answer without it.  `control` implements `ListingSource`; the index and the daemons know only
this protocol.  Positions are journal sequence numbers: a batch of changes takes an index from one
position to the next, and applying the same batch twice changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mailmum.domain.listings import Action, Listing
from mailmum.domain.ranges import Range, holds
from mailmum.index.entries import Entries


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A zone key of a server.

    Attributes:
        key: the label, lower case.
        until: Unix time in seconds from which the key is revoked, or None while it is current.
    """

    key: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server as the data plane knows it.

    Attributes:
        id: number of the server, never 0.
        account: number of its account.
        ref: public reference, for links.
        keys: every key it has or had; a revoked one is kept to be counted.
        ttl: TTL of answers and SOA MINIMUM, in seconds.
        code: return code of listings without their own, a 32-bit integer, or None for the defaults.
        text: what is said where a block gives no reason, or empty for the default.
        active: False when nothing may be listed (account suspended, server removed).
        ends: Unix time in seconds from which nothing may be listed (the account expires), or None.
        blocks_from: Unix time in seconds before which nothing is blocked (`domain.pauses`): 0 when
            there is no pause, None for one without an end.
        name: as its account calls it.
        askers: networks from which it may be asked about over DNS, each as version, first and last
            address; none for anywhere.
    """

    id: int
    account: int
    ref: str
    keys: tuple[KeyRecord, ...]
    ttl: int = 60
    code: int | None = None
    active: bool = True
    ends: int | None = None
    blocks_from: int | None = 0
    askers: tuple[Range, ...] = ()
    name: str = ""
    text: str = ""

    def may_be_asked_by(self, sender: bytes) -> bool:
        """Whether a sender of queries (packed address, empty when unknown) is let."""
        return not self.askers or holds(self.askers, sender)


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """A subscription to a feed, with the entries that hold for it.

    Attributes:
        id: number of the subscription, never 0.
        account: number of its account.
        scope: `WHOLE_ACCOUNT` or the number of a server.
        action: whether its entries are blocked or allowed.
        name: what the account calls it.
        reason: public text.
        code: own return code as a 32-bit integer, or None.
        entries: shared with everybody whose feed says the same.
    """

    id: int
    account: int
    scope: int
    action: Action
    name: str
    reason: str
    code: int | None
    entries: Entries


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened between two positions.

    A listing that changed is in `gone` as it was and in `listings` as it is; the target of a
    listing never changes.  Apply `gone` first.

    Attributes:
        position: the journal sequence number after these changes.
        servers: servers that are new or changed, whole.
        gone_servers: numbers of servers that are no more.
        listings: listings as they now are.
        gone: listings as they were.
        feeds: accounts whose feeds have changed, each with all that it now has.
    """

    position: int
    servers: tuple[ServerRecord, ...] = ()
    gone_servers: tuple[int, ...] = ()
    listings: tuple[Listing, ...] = ()
    gone: tuple[Listing, ...] = ()
    feeds: tuple[tuple[int, tuple[FeedRecord, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Everything:
    """The whole state at one position; `listings` is an iterator that is read once.

    `feeds` are all subscriptions, of all accounts.
    """

    position: int
    servers: tuple[ServerRecord, ...]
    listings: Iterable[Listing] = field(default=())
    feeds: tuple[FeedRecord, ...] = ()


class ListingSource(Protocol):
    """Where a data plane daemon gets its listings from.

    Every method raises `SourceUnavailable` when the database cannot be asked; the daemon then goes
    on with what it has and tries again.  `changes` raises `SourceRewound` when the journal ends
    before the position asked for (a backup was restored); the daemon then loads anew.
    """

    def load(self) -> Everything:
        """The whole state, read in one transaction."""
        ...

    def changes(self, after: int) -> Iterator[Changes]:
        """Batches of bounded size from position `after` to the newest, in order."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait for news, at most so many seconds; whether there may be some."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class SourceUnavailable(Exception):
    """The database cannot be asked just now, with the reason as text."""


class SourceRewound(Exception):
    """The journal ends before the position that was asked for: load everything anew."""
