"""Subjects: the addresses and names that verdicts are asked for.

>>> parse_subject("::ffff:203.0.113.7").text
'203.0.113.7'
"""

import ipaddress
from dataclasses import dataclass

from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.domain.targets import (
    NameTarget,
    NetworkTarget,
    Target,
    address_text,
    looks_like_address,
    parse_network,
)
from mailmum.domain.texts import shown

_LOOPBACK = (NetworkTarget(4, 127 << 24, 8), NetworkTarget(6, 1, 128))


@dataclass(frozen=True, slots=True)
class AddressSubject:
    """One address: version 4 or 6 and its integer value."""

    version: int
    address: int

    @property
    def text(self) -> str:
        """Canonical text."""
        return address_text(self.version, self.address)

    @property
    def target(self) -> NetworkTarget:
        """The address as a target."""
        return NetworkTarget(self.version, self.address, 32 if self.version == 4 else 128)

    @property
    def is_loopback(self) -> bool:
        """Whether it is the machine itself, about which there is never a verdict."""
        return any(net.covers(self.version, self.address) for net in _LOOPBACK)

    def covered_by(self, target: Target) -> bool:
        """Whether the target is an address or network that holds it."""
        return isinstance(target, NetworkTarget) and target.covers(self.version, self.address)


@dataclass(frozen=True, slots=True)
class NameSubject:
    """One host name in canonical form."""

    name: str

    @property
    def text(self) -> str:
        """The name."""
        return self.name

    @property
    def target(self) -> NameTarget:
        """The host as a target, without what is under it."""
        return NameTarget(self.name, whole=False)

    @property
    def is_loopback(self) -> bool:
        """Whether it is `localhost` or below (RFC 6761 section 6.3)."""
        return self.name == "localhost" or self.name.endswith(".localhost")

    def covered_by(self, target: Target) -> bool:
        """Whether the target is this host or a domain that holds it."""
        return not isinstance(target, NetworkTarget) and target.covers(self.name)


Subject = AddressSubject | NameSubject


def parse_subject(text: str) -> Subject:
    """Read an address or a host name.

    Raises:
        BadInput: neither; a network is refused with a hint, since a verdict is about one client.
    """
    given = text.strip()
    if not given:
        raise BadInput("the client is empty", fix=_EXAMPLES, field="client")
    bare = given[1:-1] if given.startswith("[") and given.endswith("]") else given
    if not looks_like_address(bare):
        return NameSubject(parse_name(given, field="client"))
    network = _network(bare)
    if network.prefix != network.bits or "/" in bare:
        raise BadInput(
            f"{shown(given)} is a network, and a verdict is about one client",
            fix=f"give one address of it, such as {address_text(network.version, network.first)}",
            field="client",
        )
    return AddressSubject(network.version, network.first)


_EXAMPLES = "write 203.0.113.7, 2001:db8::7 or mail.spam.example"


def _network(text: str) -> NetworkTarget:
    try:
        return parse_network(text)
    except BadInput as refusal:
        # What is said of targets holds for clients too, but for the proposal of a network.
        fix = _EXAMPLES if "/" in refusal.fix else refusal.fix
        raise BadInput(refusal.problem, fix=fix, field="client") from None


def subject_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> AddressSubject:
    """The subject of an address that the standard library has parsed."""
    if address.version == 6 and (v4 := address.ipv4_mapped) is not None:
        return AddressSubject(4, int(v4))
    return AddressSubject(address.version, int(address))
