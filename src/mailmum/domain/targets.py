"""Targets: what a listing is about.

Four kinds, two shapes.  An address is a network of full length; a host is a name that covers only
itself, a domain a name that covers itself and everything under it.  A target is parsed once, here;
everything below trusts the value: host bits are zero, names are lower-case A-labels.

    >>> parse_target("203.0.113.0/24").text
    '203.0.113.0/24'
    >>> parse_target(".Spam.Example").kind
    <Kind.DOMAIN: 'domain'>

Addresses are plain integers, because the index and the database work on integers.  An IPv4-mapped
IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address: mail servers log either form for the
same client, and one listing must cover both.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailmum.domain.errors import BadInput
from mailmum.domain.names import NAME_LIMIT, parents, parse_name
from mailmum.domain.texts import shown

MAPPED_PREFIX = 96
MAPPED_FIRST = 0xFFFF_0000_0000
_OCTETS = [str(value) for value in range(256)]


class Kind(StrEnum):
    """The four kinds of target."""

    ADDRESS = "address"
    NETWORK = "network"
    HOST = "host"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True, order=True)
class NetworkTarget:
    """An address or a network: `first` has no bits set beyond `prefix`.

    Attributes:
        version: 4 or 6.
        first: the lowest address, as an integer of 32 or 128 bits.
        prefix: length of the network part in bits.
    """

    version: int
    first: int
    prefix: int

    @property
    def bits(self) -> int:
        """Bits in an address of this version: 32 or 128."""
        return 32 if self.version == 4 else 128

    @property
    def last(self) -> int:
        """The highest address covered."""
        return self.first | ((1 << (self.bits - self.prefix)) - 1)

    @property
    def kind(self) -> Kind:
        """Address or network."""
        return Kind.ADDRESS if self.prefix == self.bits else Kind.NETWORK

    @property
    def specificity(self) -> int:
        """Longer prefixes decide first."""
        return self.prefix

    @property
    def text(self) -> str:
        """Canonical text; IPv6 as RFC 5952 has it."""
        address = address_text(self.version, self.first)
        return address if self.prefix == self.bits else f"{address}/{self.prefix}"

    def covers(self, version: int, address: int) -> bool:
        """Whether the address lies inside."""
        if version != self.version:
            return False
        return (address ^ self.first) >> (self.bits - self.prefix) == 0

    def around(self, prefix: int) -> "NetworkTarget":
        """The network in which it lies that has this prefix, no longer than its own."""
        free = self.bits - prefix
        return NetworkTarget(self.version, self.first >> free << free, prefix)

    def overlaps(self, other: "NetworkTarget") -> bool:
        """Whether one contains the other."""
        return self.covers(other.version, other.first) or other.covers(self.version, self.first)


@dataclass(frozen=True, slots=True, order=True)
class NameTarget:
    """A host name, or with `whole` a domain with all under it (a top-level domain too).

    Attributes:
        name: lower-case A-labels without a trailing dot.
        whole: whether names below are covered.
    """

    name: str
    whole: bool

    @property
    def kind(self) -> Kind:
        """Host or domain."""
        return Kind.DOMAIN if self.whole else Kind.HOST

    @property
    def specificity(self) -> int:
        """More labels decide first; a host outranks the domain of the same name."""
        return 2 * (self.name.count(".") + 1) + (not self.whole)

    @property
    def text(self) -> str:
        """Canonical text: a leading dot marks a domain."""
        return f".{self.name}" if self.whole else self.name

    def covers(self, name: str) -> bool:
        """Whether the canonical `name` is this host, or is or lies under this domain."""
        return name == self.name or (self.whole and name.endswith(f".{self.name}"))


Target = NetworkTarget | NameTarget


def all_around(target: Target) -> Iterator[Target]:
    """All targets that cover a target, the narrowest first, which is itself: at most 129.

    >>> [one.text for one in all_around(NameTarget("mx.spam.example", whole=False))]
    ['mx.spam.example', '.mx.spam.example', '.spam.example', '.example']
    """
    if isinstance(target, NetworkTarget):
        yield from map(target.around, range(target.prefix, -1, -1))
        return
    if not target.whole:
        yield target
    yield from (NameTarget(name, whole=True) for name in parents(target.name))


def address_text(version: int, address: int) -> str:
    """The canonical text of an address given as an integer."""
    if version == 4:
        return ".".join(map(_OCTETS.__getitem__, address.to_bytes(4, "big")))
    return str(ipaddress.IPv6Address(address))


def mapped(target: NetworkTarget) -> tuple[int, int]:
    """First and last address in the 128-bit space, where IPv4 lives at ::ffff:0:0/96."""
    base = MAPPED_FIRST if target.version == 4 else 0
    return base | target.first, base | target.last


def parse_target(text: str) -> Target:
    """Read a target as people write it.

    Args:
        text: an address, a network in CIDR notation, a host name, or `.` and a domain.

    Raises:
        BadInput: it is none of these; the message says why and proposes what was meant.
    """
    given = text.strip()
    if not given:
        raise BadInput("the target is empty", fix=_EXAMPLES, field="target")
    if len(given) > NAME_LIMIT + 2:
        raise BadInput(f"{shown(given)} is too long for an address or a name", field="target")
    bare = given[1:-1] if given.startswith("[") and given.endswith("]") else given
    if looks_like_address(bare):
        return parse_network(bare)
    return _parse_name_target(given)


def parse_network(text: str) -> NetworkTarget:
    """Read an address or a network.

    Raises:
        BadInput: not an address, host bits set, or a prefix out of range.
    """
    if (quick := plain_address(text)) is not None:
        return quick
    if "%" in text:
        raise BadInput(
            f"{shown(text)} has a zone identifier, which means nothing beyond one machine",
            fix="give the address without what follows %",
            field="target",
        )
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise BadInput(_why_no_network(text), fix=_guess(text), field="target") from None
    _, slash, prefix = text.partition("/")
    if slash and not (prefix.isascii() and prefix.isdigit()):
        # The standard library takes netmasks and their inverse, which are easily mixed up.
        raise BadInput(
            f"{shown(text)}: {shown(prefix)} is a mask, not a prefix length",
            fix=f"did you mean {network}?",
            field="target",
        )
    target = _from_stdlib(network)
    written = int(ipaddress.ip_address(text.partition("/")[0]))
    if written != int(network.network_address):
        raise BadInput(
            f"{shown(text)} is not a network: bits beyond /{network.prefixlen} are set",
            fix=f"did you mean {network}?",
            field="target",
        )
    return target


_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}", re.ASCII)
"""Exactly the IPv4 addresses that the standard library takes, an octet in each group."""

_VALUES = {text: value for value, text in enumerate(_OCTETS)}


def plain_address(text: str) -> NetworkTarget | None:
    """An IPv4 address as nearly all lists have it; None for all else, which may be right too.

    Imports hold little but such addresses, and this reads them eight times as fast as the standard
    library, which still reads all else and words every refusal.
    """
    octets = text.split(".", 4)
    if len(octets) != 4:
        return None
    try:
        # What is written otherwise, with a leading zero say, is no key.
        value = int.from_bytes(map(_VALUES.__getitem__, octets), "big")
    except KeyError:
        return None
    return NetworkTarget(4, value, 32)


def looks_like_address(text: str) -> bool:
    """Whether the text is meant as an address or network rather than as a name."""
    if ":" in text or "/" in text:
        return True
    last = text.rstrip(".").rpartition(".")[2]
    return last.isascii() and last.isdigit()


def _from_stdlib(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> NetworkTarget:
    first, prefix = int(network.network_address), network.prefixlen
    if network.version == 6 and prefix >= MAPPED_PREFIX and first >> 32 == 0xFFFF:
        return NetworkTarget(4, first & 0xFFFF_FFFF, prefix - MAPPED_PREFIX)
    return NetworkTarget(network.version, first, prefix)


def _parse_name_target(given: str) -> NameTarget:
    if given.startswith("*."):
        raise BadInput(
            f"{shown(given)} is a pattern",
            fix=f"write {shown(given[1:])} for the domain and all under it",
            field="target",
        )
    whole = given.startswith(".")
    name = parse_name(given[1:] if whole else given, field="target")
    if not whole and "." not in name:
        raise BadInput(
            f"{shown(given)} is a single label, which is no host on the Internet",
            fix=f"write .{shown(name)} for the top-level domain and all under it",
            field="target",
        )
    return NameTarget(name, whole)


def _why_no_network(text: str) -> str:
    address, slash, prefix = text.partition("/")
    if slash and not (prefix.isascii() and prefix.isdigit()):
        return f"{shown(text)}: {shown(prefix)} is not a prefix length"
    if slash and is_address(address):
        limit = 128 if ":" in address else 32
        return f"{shown(text)}: the prefix length must be between 0 and {limit}"
    if _has_leading_zero(address):
        return f"{shown(text)}: an octet with a leading zero could be read as octal"
    return f"{shown(text)} is not an address"


def _has_leading_zero(address: str) -> bool:
    octets = address.split(".")
    return all(octet.isascii() and octet.isdigit() for octet in octets) and any(
        len(octet) > 1 and octet.startswith("0") for octet in octets
    )


def is_address(text: str) -> bool:
    """Whether the text is an address, of either version."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _guess(text: str) -> str:
    octets = text.partition("/")[0].rstrip(".").split(".")
    digits = all(part.isascii() and part.isdigit() and int(part) < 256 for part in octets if part)
    if "/" not in text and digits and 1 <= len(octets) < 4 and all(octets):
        whole = ".".join([*octets, *["0"] * (4 - len(octets))])
        return f"did you mean {whole}/{8 * len(octets)}?"
    return _EXAMPLES


_EXAMPLES = "write 203.0.113.7, 203.0.113.0/24, 2001:db8::/32, mail.spam.example or .spam.example"
