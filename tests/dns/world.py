"""A small world to ask about, and a naive reading of what DNS answers.

`expect` says what the zones hold, the slow and obvious way: gather, decide, and look through all
listings for what lies below a name.  It shares no code with mailmum.dns.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from mailmum.dns.counters import Counters
from mailmum.dns.engine import Engine
from mailmum.dns.zones import Zone, ZoneConfig
from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NameTarget, NetworkTarget, Target, parse_target
from mailmum.domain.verdicts import Verdict, decide, gather, paused
from mailmum.index.entries import built
from mailmum.index.index import Index
from mailmum.index.records import Everything, FeedRecord, KeyRecord, ServerRecord

BASE = "rbl.example.net"
NOW = 1_700_000_000.0
KEY = "k7f3q9x2m4t8aaaa"
OLD_KEY = "zzzzzzzzzzzzzzzz"
OTHER_KEY = "m1m1m1m1m1m1m1m1"
PAUSED_KEY = "pppppppppppppppp"
ENDING_KEY = "eeeeeeeeeeeeeeee"
QUIET_KEY = "qqqqqqqqqqqqqqqq"
CONFIG = ZoneConfig(
    BASE,
    addresses=("192.0.2.53", "2001:db8::53"),
    hostmaster="dns.admin@example.net",
    public_url="https://mx.example.net/",
)

MAIN = ServerRecord(1, 1, "ref1ref1", (KeyRecord(KEY), KeyRecord(OLD_KEY, int(NOW) - 5)), ttl=60)
OTHER = ServerRecord(2, 1, "ref2ref2", (KeyRecord(OTHER_KEY),), ttl=120, code=0x7F000009)
PAUSED = ServerRecord(3, 2, "ref3ref3", (KeyRecord(PAUSED_KEY),), active=False)
ENDING = ServerRecord(4, 1, "ref4ref4", (KeyRecord(ENDING_KEY),), ends=int(NOW) + 80)
QUIET = ServerRecord(5, 1, "ref5ref5", (KeyRecord(QUIET_KEY),), blocks_from=int(NOW) + 30)
"""Blocks nothing for another half minute."""

SERVERS = (MAIN, OTHER, PAUSED, ENDING, QUIET)
KEYS = {
    KEY: MAIN,
    OTHER_KEY: OTHER,
    PAUSED_KEY: PAUSED,
    ENDING_KEY: ENDING,
    QUIET_KEY: QUIET,
}


@dataclass
class World:
    """Servers and listings at one time."""

    listings: list[Listing] = field(default_factory=list)
    servers: tuple[ServerRecord, ...] = SERVERS
    position: int = 42
    feeds: list[tuple[FeedRecord, list[Target]]] = field(default_factory=list)

    def subscribe(self, *entries: str, action: Action = Action.BLOCK, **fields: Any) -> None:
        """Subscribe account 1, or another, to a feed of these entries."""
        targets = list(map(parse_target, entries))
        values: dict[str, Any] = {"account": 1, "scope": 0, "code": None} | fields
        number = len(self.feeds) + 1
        record = FeedRecord(
            number, action=action, name="drop", reason="", entries=built(targets), **values
        )
        self.feeds.append((record, targets))

    def all_listings(self) -> Iterator[Listing]:
        """The listings, and the entries of feeds as if they were some."""
        yield from self.listings
        for record, targets in self.feeds:
            yield from entries_as_listings(record, targets)

    def add(self, target: str, action: Action = Action.BLOCK, **fields: Any) -> Listing:
        """List a target, by default blocked by a person for the whole of account 1."""
        values: dict[str, Any] = {"account": 1, "scope": 0} | fields
        number = len(self.listings) + 1
        listing = Listing(
            id=number,
            action=action,
            target=parse_target(target),
            **values,
        )
        self.listings.append(listing)
        return listing

    def everything(self) -> Everything:
        """The same as an index is built from."""
        feeds = tuple(record for record, _ in self.feeds)
        return Everything(self.position, self.servers, iter(self.listings), feeds)


def entries_as_listings(record: FeedRecord, targets: list[Target]) -> Iterator[Listing]:
    """Each entry of a feed as the listing that it counts as."""
    said = Listing(
        -record.id,
        record.account,
        record.scope,
        record.action,
        targets[0],
        Source.FEED,
        record.name,
        record.reason,
        record.code,
    )
    for target in dict.fromkeys(targets):
        yield replace(said, target=target)


def make_engine(
    world: World, config: ZoneConfig = CONFIG, *, index: Index | None = None, **options: Any
) -> Engine:
    """An engine that answers from an index of the world, or from this one."""
    return Engine(
        Index.build(world.everything()) if index is None else index,
        Zone(config),
        counters=Counters(),
        cookie_secret=b"a secret",
        **options,
    )


def ask(
    engine: Engine,
    name: str,
    type_: str = "A",
    *,
    now: float = NOW,
    tcp: bool = False,
    **options: Any,
) -> dns.message.Message:
    """Ask the engine through dnspython; the answer is checked to belong to the question."""
    query = dns.message.make_query(name, type_, **options)
    wire = engine.handle(query.to_wire(), ("192.0.2.1", 4711), now, tcp)
    assert wire is not None
    response = dns.message.from_wire(wire)
    assert query.is_response(response)
    return response


def reverse(address: str) -> str:
    """The labels of an address before a zone."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def zone_of(kind: str, key: str = KEY) -> str:
    """The name of a key's zone."""
    return f"{key}.{kind}.{BASE}"


@dataclass(frozen=True)
class Expected:
    """What an A query should get: a return code, and an address or nothing."""

    rcode: str
    address: str | None = None


def expect(
    world: World, server: ServerRecord, kind: str, labels: list[str], now: float
) -> Expected:
    """What an A query for these labels in a zone of this server's should get."""
    action = Action.BLOCK if kind in ("bl", "dbl") else Action.ALLOW
    if kind in ("dbl", "dwl"):
        return _expect_name(world, server, action, ".".join(labels).lower(), now)
    return _expect_address(world, server, action, [label.lower() for label in labels], now)


def _expect_address(
    world: World, server: ServerRecord, action: Action, labels: list[str], now: float
) -> Expected:
    text = _spelt(labels)
    if text is None:
        return Expected("NOERROR" if _above(labels) else "NXDOMAIN")
    address = ipaddress.ip_address(text)
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    if str(address) == "127.0.0.2":
        return Expected("NOERROR", "127.0.0.2")
    verdict = _verdict(world, server, AddressSubject(address.version, int(address)), now)
    if verdict.because is not None and verdict.because.action is action:
        return Expected("NOERROR", _code(verdict.because, server, names=False))
    if len(labels) == 4 and all(_is_nibble(label) for label in labels):
        below = ipaddress.IPv6Network((int("".join(reversed(labels)), 16) << 112, 16))
        if below.overlaps(ipaddress.IPv6Network("::ffff:127.0.0.2/128")):
            return Expected("NOERROR")
        if any(_reaches(listing, below) for listing in _in_force(world, server, action, now)):
            return Expected("NOERROR")
    return Expected("NXDOMAIN")


def _reaches(listing: Listing, network: ipaddress.IPv6Network) -> bool:
    target = listing.target
    if not isinstance(target, NetworkTarget) or target.version == 4:
        return False
    return network.overlaps(ipaddress.IPv6Network((target.first, target.prefix)))


def _expect_name(
    world: World, server: ServerRecord, action: Action, name: str, now: float
) -> Expected:
    if name == "test":
        return Expected("NOERROR", "127.0.0.2")
    verdict = _verdict(world, server, NameSubject(name), now)
    because = verdict.because
    if because is not None and because.action is action and name != "invalid":
        return Expected("NOERROR", _code(because, server, names=True))
    # Any name below that has another verdict than this one: a name listed there, or one that no
    # listing can be about in particular.
    for listing in _in_force(world, server, action, now):
        if isinstance(listing.target, NameTarget) and listing.target.name.endswith(f".{name}"):
            return Expected("NOERROR")
    below = _verdict(world, server, NameSubject(f"no-such-label.{name}"), now).because
    if below is not None and below.action is action:
        return Expected("NOERROR")
    return Expected("NXDOMAIN")


def _in_force(world: World, server: ServerRecord, action: Action, now: float) -> list[Listing]:
    if not _is_active(server, now):
        return []
    if action is Action.BLOCK and not _blocks(server, now):
        return []
    return [
        listing
        for listing in world.all_listings()
        if listing.holds_for(server.account, server.id)
        and listing.in_force(now)
        and listing.action is action
    ]


def _blocks(server: ServerRecord, now: float) -> bool:
    return server.blocks_from is not None and now >= server.blocks_from


def _is_active(server: ServerRecord, now: float) -> bool:
    return server.active and (server.ends is None or now < server.ends)


def _verdict(world: World, server: ServerRecord, subject: Subject, now: float) -> Verdict:
    if not _is_active(server, now):
        return decide([])
    verdict = decide(gather(world.all_listings(), subject, server.account, server.id, now))
    return verdict if _blocks(server, now) else paused(verdict)


def _code(listing: Listing, server: ServerRecord, *, names: bool) -> str:
    for own in (listing.code, server.code):
        if own is not None:
            return str(ipaddress.IPv4Address(own))
    if listing.source is not Source.PERSON:
        last = {Source.TRIGGER: 4, Source.FEED: 5}[listing.source]
    else:
        last = 2 if listing.target.kind.value in ("address", "host") else 3
    return f"127.0.{int(names)}.{last}"


def _is_octet(label: str) -> bool:
    return label.isdecimal() and str(int(label)) == label and int(label) < 256


def _is_nibble(label: str) -> bool:
    return len(label) == 1 and label in "0123456789abcdef"


def _spelt(labels: list[str]) -> str | None:
    """The address that the labels spell."""
    if len(labels) == 4 and all(map(_is_octet, labels)):
        return ".".join(reversed(labels))
    if len(labels) == 32 and all(map(_is_nibble, labels)):
        digits = "".join(reversed(labels))
        return ":".join(digits[at : at + 4] for at in range(0, 32, 4))
    return None


def _above(labels: list[str]) -> bool:
    if len(labels) < 4 and all(map(_is_octet, labels)):
        return True
    return len(labels) < 32 and all(map(_is_nibble, labels))


def shape(response: dns.message.Message) -> tuple[str, list[str], list[str]]:
    """Return code, answers, and owners of the SOA records in the authority section."""
    answers = [str(item) for rrset in response.answer for item in rrset]
    soas = [str(rrset.name).lower() for rrset in response.authority]
    assert all(rrset.rdtype == dns.rdatatype.SOA for rrset in response.authority)
    return dns.rcode.to_text(response.rcode()), answers, soas


def a_record(response: dns.message.Message) -> str | None:
    """The one address of a response."""
    _, answers, _ = shape(response)
    assert len(answers) < 2
    return answers[0] if answers else None
