"""Rows as pages show them: a listing, a server, what a server is told, a record of the journal.

Templates decide nothing; what depends on a value is worked out here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Explained, target_of
from mailmum.control.monitor.hits import Hits
from mailmum.control.requests.models import RemovalRequest, State
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import Pause
from mailmum.control.traffic.models import ServerUse
from mailmum.control.traffic.queries import Logged
from mailmum.domain.codes import code_text
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing, Source
from mailmum.web.links import link
from mailmum.web.states import ServerState
from mailmum.web.words import describe


@dataclass(slots=True)
class ListingRow:
    """A listing.

    Attributes:
        version: the listing itself.
        server: name of the server it holds for, empty for all.
        expired: whether it has run out.
        hits: how often it decided; None where nobody looked, or traffic cannot be read.
    """

    version: Version
    server: str
    expired: bool
    hits: Hits | None = None

    @property
    def blocks(self) -> bool:
        """Whether it blocks rather than allows."""
        return self.version.action == Action.BLOCK

    @property
    def done(self) -> str:
        """What it does to its target, as a participle."""
        return "blocked" if self.blocks else "allowed"

    @property
    def machine(self) -> str:
        """`trigger` or `feed`, empty for a person's."""
        return "" if self.version.source == Source.PERSON else self.version.source

    @property
    def made_by(self) -> str:
        """Who or what made it."""
        return self.version.origin or self.version.created_by

    @property
    def code(self) -> str:
        """Its own return code, empty for the default."""
        return "" if self.version.code is None else code_text(self.version.code)

    @property
    def page(self) -> str:
        """The address of its page; for an entry of a feed that is the feed's."""
        account, number = self.version.account_id, self.version.number
        if number < 0:
            return link("feed", account=account, name=self.version.origin)
        return link("listing", account=account, number=number)

    @property
    def what(self) -> str:
        """What its target is."""
        return describe(target_of(self.version))


def listing_rows(
    versions: Iterable[Version], servers: dict[int, str], now: float
) -> list[ListingRow]:
    """Listings as rows, with the names of servers by number."""
    return [_listing_row(version, servers, now) for version in versions]


def _listing_row(version: Version, servers: dict[int, str], now: float) -> ListingRow:
    whole = version.scope == WHOLE_ACCOUNT
    server = "" if whole else servers.get(version.scope, f"server {version.scope}")
    return ListingRow(version, server, version.expires is not None and version.expires <= now)


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A removal request, with the name of the server that refused (empty: removed)."""

    request: RemovalRequest
    server: str

    @property
    def open(self) -> bool:
        """Whether it waits for an answer."""
        return self.request.state == State.OPEN

    @property
    def words(self) -> str:
        """What became of it."""
        return _ANSWERED[State(self.request.state)]


_ANSWERED = {
    State.OPEN: "waits for an answer",
    State.ALLOWED: "allowed",
    State.UNLISTED: "block removed",
    State.DECLINED: "declined",
}


def request_rows(requests: Iterable[RemovalRequest], servers: dict[int, str]) -> list[RequestRow]:
    """Requests as rows, with the names of servers by number."""
    return [RequestRow(one, servers.get(one.server, "")) for one in requests]


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A server in the list."""

    server: Server
    key: str
    state: ServerState
    use: ServerUse | None
    logged: Logged | None
    revoked: bool
    paused: bool
    old_keys: int


@dataclass(frozen=True, slots=True)
class Overruled:
    """A listing that did not decide, and why."""

    row: ListingRow
    why: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """Servers that are told the same about a client for the same reason."""

    servers: tuple[str, ...]
    word: str
    because: ListingRow | None
    overruled: tuple[Overruled, ...]
    paused: Pause | None = None


def verdict_rows(
    names: Sequence[str], found: Sequence[Explained], servers: dict[int, str], now: float
) -> list[VerdictRow]:
    """What each server is told; those told the same for the same reason share a row."""
    groups: dict[Any, tuple[list[str], Explained]] = {}
    for name, one in zip(names, found, strict=True):
        numbers = (
            one.paused,
            one.because and one.because.number,
            *(v.number for v in one.overruled),
        )
        groups.setdefault(numbers, ([], one))[0].append(name)
    return [_verdict_row(tuple(told), one, servers, now) for told, one in groups.values()]


def _verdict_row(
    names: tuple[str, ...], one: Explained, servers: dict[int, str], now: float
) -> VerdictRow:
    verdict = one.verdict
    overruled = tuple(
        Overruled(
            _listing_row(version, servers, now),
            "blocking is paused" if verdict.because is None else _why(verdict.because, listing),
        )
        for version, listing in zip(one.overruled, verdict.overruled, strict=True)
        if verdict.because is not None or one.paused is not None
    )
    because = _listing_row(one.because, servers, now) if one.because else None
    return VerdictRow(names, verdict.word.value, because, overruled, one.paused)


def _why(first: Listing | None, other: Listing) -> str:
    """Why `first` decided and not `other`."""
    assert first is not None
    if first.source is Source.PERSON and other.source is not Source.PERSON:
        return f"a person outranks a {other.source.value}"
    if first.source is not Source.PERSON and first.action is not other.action:
        return "an allow outranks every block here"
    if first.target.specificity != other.target.specificity:
        return "less specific"
    if first.scope != other.scope:
        return "a server's own outranks the account's"
    return "says the same" if first.action is other.action else "allow outranks block"
