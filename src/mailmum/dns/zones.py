r"""The zones that are served: what configuration says, and what can be prepared from it.

BASE is a zone of ours, and below it `KEY.LIST.BASE` is one for every key and each of four lists.
All of them have the same name servers and contact.  Names below BASE are written as pointers into
the question, so the wire form of a record depends on where BASE begins in the packet; everything
else of it is prepared here.

    >>> zone = Zone(ZoneConfig("rbl.example.net", addresses=("192.0.2.53",)))
    >>> zone.hosts[(b"ns",)].v4
    (b'\xc0\x00\x025',)
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct

from mailmum.dns import wire
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action
from mailmum.domain.names import parse_name

REFRESH, RETRY, EXPIRE = 600, 120, 604800
"""SOA timers in seconds: secondaries look every ten minutes and hold out for a week."""

BASE_LIMIT = 160
"""Bytes of BASE on the wire; with more, no reversed IPv6 address and key would fit before it."""

_SOA_NUMBERS = Struct(">5I")
_SOA_TIMERS = Struct(">3I")


class Kind(StrEnum):
    """The four lists of a key, by the label they have in names."""

    BL = "bl"
    WL = "wl"
    DBL = "dbl"
    DWL = "dwl"

    @property
    def names(self) -> bool:
        """Whether it is asked with host names; else with reversed addresses."""
        return self in (Kind.DBL, Kind.DWL)

    @property
    def action(self) -> Action:
        """The action that is answered here."""
        return Action.BLOCK if self in (Kind.BL, Kind.DBL) else Action.ALLOW


KINDS = {kind.value.encode(): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class ZoneConfig:
    """What is configured about the zones.

    Attributes:
        base: the name all zones lie below, such as `rbl.example.net`.
        ns: names of the name servers; empty for `ns.BASE`.
        addresses: addresses that name servers below BASE answer with.  Leave them out when DNS is
            not answered on port 53 there: a resolver that learns them would ask that port.
        hostmaster: e-mail address of the contact; empty for `hostmaster@BASE`.
        public_url: where the pages are, for the link in TXT records; empty for no link.
        ttl: TTL of BASE's own records and of negative answers from it, in seconds.
    """

    base: str
    ns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    hostmaster: str = ""
    public_url: str = ""
    ttl: int = 60


@dataclass(frozen=True, slots=True)
class Host:
    """Addresses of a name server, as RDATA."""

    v4: tuple[bytes, ...]
    v6: tuple[bytes, ...]


class Zone:
    """The zones' fixed parts, ready to be written.

    Raises:
        BadInput: a name or address in the configuration is not one, or BASE is too long.
    """

    def __init__(self, config: ZoneConfig) -> None:
        self.config = config
        name = parse_name(config.base, field="zone")
        self.base = tuple(name.encode("ascii").split(b"."))
        if len(wire.encode_labels(self.base)) > BASE_LIMIT:
            raise BadInput(
                f"the zone {name} is too long: a reversed IPv6 address has to fit before it",
                fix=f"choose a name of fewer than {BASE_LIMIT - 1} characters",
                field="zone",
            )
        self.ttl = config.ttl
        # What the links in TXT records begin with; server and client follow.
        url = config.public_url.rstrip("/")
        self.why = f"{url}/why/" if url else ""
        servers = [_labels(server, "ns") for server in config.ns] or [(b"ns", *self.base)]
        self._ns = [self._relative(server) for server in servers]
        self._contact = self._relative(_mailbox(config.hostmaster or f"hostmaster@{name}"))
        self.hosts = self._find_hosts(servers)
        self.above_hosts = {
            host[at:] for host in self.hosts for at in range(1, len(host))
        } - self.hosts.keys()

    @property
    def soa_names(self) -> tuple[tuple[bytes, bool], tuple[bytes, bool]]:
        """Primary server and contact: labels before BASE and True, or a whole name and False."""
        return self._ns[0], self._contact

    @property
    def soa_timers(self) -> bytes:
        """Refresh, retry and expire, as they stand in SOA records."""
        return _SOA_TIMERS.pack(REFRESH, RETRY, EXPIRE)

    def soa(self, owner: bytes, base_at: int, serial: int, ttl: int, minimum: int) -> bytes:
        """An SOA record.

        Args:
            owner: the zone's name, mostly a pointer.
            base_at: where BASE begins in the packet.
            serial: position of the index.
            ttl: TTL of this record; shorter than `minimum` when less is known to hold.
            minimum: how long a negative answer may be kept (RFC 2308 section 4).
        """
        numbers = _SOA_NUMBERS.pack(serial & 0xFFFF_FFFF, REFRESH, RETRY, EXPIRE, minimum)
        names = _place(self._ns[0], base_at) + _place(self._contact, base_at)
        return wire.record(owner, wire.SOA, ttl, names + numbers)

    def ns(self, owner: bytes, base_at: int, ttl: int) -> tuple[bytes, ...]:
        """The NS records of a zone."""
        return tuple(
            wire.record(owner, wire.NS, ttl, _place(server, base_at)) for server in self._ns
        )

    def _relative(self, labels: tuple[bytes, ...]) -> tuple[bytes, bool]:
        """Labels before BASE encoded, and whether BASE follows; or a whole name and False."""
        encoded = wire.encode_labels(labels)
        if not _ends_with(labels, self.base):
            return encoded, False
        return wire.encode_labels(labels[: -len(self.base)])[:-1], True

    def _find_hosts(self, servers: list[tuple[bytes, ...]]) -> dict[tuple[bytes, ...], Host]:
        host = _host(self.config.addresses)
        inside = [labels[: -len(self.base)] for labels in servers if _ends_with(labels, self.base)]
        for labels in inside:
            if not labels or labels[-1] in KINDS:
                name = b".".join((*labels, *self.base)).decode("ascii")
                raise BadInput(
                    f"the name server {name} has a name that the lists need",
                    fix=f"call it ns.{self.config.base}",
                    field="ns",
                )
        return dict.fromkeys(inside, host)


def _place(name: tuple[bytes, bool], base_at: int) -> bytes:
    encoded, inside = name
    return encoded + wire.pointer(base_at) if inside else encoded


def _ends_with(labels: Sequence[bytes], ending: Sequence[bytes]) -> bool:
    return tuple(labels[-len(ending) :]) == tuple(ending)


def _labels(name: str, field: str) -> tuple[bytes, ...]:
    return tuple(parse_name(name, field=field).encode("ascii").split(b"."))


def _mailbox(address: str) -> tuple[bytes, ...]:
    """A mailbox as a name: the local part is one label, dots and all (RFC 1035 section 8)."""
    local, at, domain = address.rpartition("@")
    if not (local and at and local.isascii() and len(local) <= wire.LABEL_LIMIT):
        raise BadInput(
            f"{address!r} is not an e-mail address",
            fix="write for example hostmaster@example.net",
            field="hostmaster",
        )
    return (local.encode("ascii"), *_labels(domain, "hostmaster"))


def _host(addresses: tuple[str, ...]) -> Host:
    found: dict[int, list[bytes]] = {4: [], 6: []}
    for text in addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise BadInput(
                f"{text!r} is not an address of a name server",
                fix="write for example 192.0.2.53",
                field="ns",
            ) from None
        found[address.version].append(address.packed)
    return Host(tuple(found[4]), tuple(found[6]))
