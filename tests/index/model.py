"""The index's oracle: a plain list of listings, asked through `gather` and `decide`."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mailmum.domain.clients import AddressSubject, Subject
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import Kind, NameTarget, NetworkTarget, Target
from mailmum.domain.verdicts import decide, gather, paused
from mailmum.index.entries import built
from mailmum.index.index import Hit, Index
from mailmum.index.records import Everything, FeedRecord, KeyRecord, ServerRecord
from tests.domain.worlds import SERVERS


def key_of(server: int) -> str:
    """The zone key of a server in these tests."""
    return f"k{server:011}"


def record_of(account: int, server: int) -> ServerRecord:
    """An active server with one key."""
    return ServerRecord(server, account, f"ref{server}", (KeyRecord(key_of(server)),))


def feed_record(said: Listing, entries: list[Target]) -> FeedRecord:
    """A subscription as the index is told of it."""
    return FeedRecord(
        said.id,
        said.account,
        said.scope,
        said.action,
        said.origin,
        said.reason,
        said.code,
        built(entries),
    )


@dataclass
class Model:
    """What an index should know, kept in the plainest way."""

    listings: dict[int, Listing] = field(default_factory=dict)
    servers: dict[int, ServerRecord] = field(
        default_factory=lambda: {server: record_of(account, server) for account, server in SERVERS}
    )
    position: int = 0
    feeds: dict[int, tuple[Listing, list[Target]]] = field(default_factory=dict)

    def feeds_of(self, account: int) -> tuple[FeedRecord, ...]:
        """The subscriptions of an account."""
        return tuple(
            feed_record(said, entries)
            for said, entries in self.feeds.values()
            if said.account == account
        )

    def all_listings(self) -> Iterator[Listing]:
        """The listings, and each entry of each feed as if it were one."""
        yield from self.listings.values()
        for said, entries in self.feeds.values():
            for target in dict.fromkeys(entries):
                yield replace(said, id=-said.id, target=target)

    def everything(self) -> Everything:
        """The whole state, for `Index.build`."""
        feeds = tuple(feed_record(*feed) for feed in self.feeds.values())
        servers = tuple(self.servers.values())
        return Everything(self.position, servers, self.listings.values(), feeds)

    def covering(self, server: ServerRecord, subject: Subject, now: float) -> list[Listing]:
        """The listings in force that cover a subject."""
        return gather(self.all_listings(), subject, server.account, server.id, now)

    def deciding(self, server: ServerRecord, subject: Subject, now: float) -> Listing | None:
        """The listing that decides, None where nothing may be listed."""
        if not server.active or (server.ends is not None and now >= server.ends):
            return None
        verdict = decide(self.covering(server, subject, now))
        return verdict.because if _blocks(server, now) else paused(verdict).because

    def name_below(self, server: ServerRecord, name: str, action: Action, now: float) -> bool:
        """Whether a listing in force is of a name below."""
        return any(
            isinstance(one.target, NameTarget) and one.target.name.endswith(f".{name}")
            for one in self._in_force(server, action, now)
        )

    def address_below(
        self, server: ServerRecord, target: NetworkTarget, action: Action, now: float
    ) -> bool:
        """Whether a listing in force overlaps a network."""
        return any(
            isinstance(one.target, NetworkTarget) and one.target.overlaps(target)
            for one in self._in_force(server, action, now)
        )

    def _in_force(self, server: ServerRecord, action: Action, now: float) -> list[Listing]:
        if not server.active or (server.ends is not None and now >= server.ends):
            return []
        if action is Action.BLOCK and not _blocks(server, now):
            return []
        return [
            one
            for one in self.all_listings()
            if one.holds_for(server.account, server.id) and one.in_force(now)
            if one.action is action
        ]


def _blocks(server: ServerRecord, now: float) -> bool:
    """Whether no pause lasts."""
    return server.blocks_from is not None and now >= server.blocks_from


def as_hit(listing: Listing | None) -> Hit | None:
    """The hit that the index should give for a listing that decides."""
    if listing is None:
        return None
    return Hit(
        id=listing.id,
        action=listing.action,
        source=listing.source,
        single=listing.target.kind in (Kind.ADDRESS, Kind.HOST),
        code=listing.code,
        reason=listing.reason,
        expires=listing.expires,
        origin=listing.origin,
        specificity=listing.target.specificity,
    )


def check(index: Index, model: Model, subject: Subject, now: float) -> None:
    """Hold every answer about a subject, on every server, against the model."""
    for server in model.servers.values():
        found = index.key(server.keys[0].key.encode(), now)
        assert found is not None
        assert found.server.record == server
        expected = model.deciding(server, subject, now)
        if isinstance(subject, AddressSubject):
            hit = index.find_address(found.server, subject.version, subject.address, now)
        else:
            hit = index.find_name(found.server, subject.name, now)
        assert hit == as_hit(expected)
        covering = index.covering(server.account, server.id, subject, now)
        assert sorted(covering, key=repr) == sorted(model.covering(server, subject, now), key=repr)
        check_below(index, model, server, subject, now)


def check_below(
    index: Index, model: Model, server: ServerRecord, subject: Subject, now: float
) -> None:
    """The answers about what lies below the subject's name or around its address."""
    found = index.key(server.keys[0].key.encode(), now)
    assert found is not None
    for action in Action:
        if not isinstance(subject, AddressSubject):
            expected = model.name_below(server, subject.name, action, now)
            assert index.name_below(found.server, subject.name, action, now) == expected
            continue
        bits = 32 if subject.version == 4 else 128
        for open_bits in (0, 2, bits // 2, bits):
            first = subject.address >> open_bits << open_bits
            network = NetworkTarget(subject.version, first, bits - open_bits)
            expected = model.address_below(server, network, action, now)
            answer = index.address_below(
                found.server, network.version, network.first, network.prefix, action, now
            )
            assert answer == expected
