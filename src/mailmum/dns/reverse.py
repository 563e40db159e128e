"""Reversed addresses as names: what the labels before `KEY.bl.BASE` mean.

An IPv4 address is four octets, an IPv6 address 32 nibbles, both reversed (RFC 5782 sections 2.1
and 2.4).  One zone holds both, so a name of fewer labels may lie above either kind of entry, and
such a name exists although it has no records (RFC 4592 section 2.2.2): a resolver that minimises
query names (RFC 9156) asks for it first, and would take NXDOMAIN for the end of the branch.

    >>> read((b"7", b"113", b"0", b"203"))
    Address(version=4, value=3405803783, nibbles=None)
    >>> read((b"0", b"203"))
    <Where.ABOVE: 1>
"""

from dataclasses import dataclass
from enum import Enum

OCTETS = {str(value).encode(): value for value in range(256)}
NIBBLES = {b"%x" % value: value for value in range(16)}
_MAPPED = 0xFFFF


class Where(Enum):
    """Where names lie that are no address."""

    ABOVE = 1
    """Above possible entries."""
    NOWHERE = 2
    """Neither an entry nor above one."""


@dataclass(frozen=True, slots=True)
class Address:
    """A name that spells an address.

    Attributes:
        version: 4 or 6.
        value: the address as an integer.
        nibbles: the first 16 bits of IPv6 addresses below this name, when four octets can also be
            read as four nibbles; else None.
    """

    version: int
    value: int
    nibbles: int | None = None


def read(labels: tuple[bytes, ...]) -> Address | Where:
    """What the lower-case labels before the zone mean; an IPv4-mapped address is IPv4."""
    count = len(labels)
    nibbles = count <= 32 and all(label in NIBBLES for label in labels)
    if count <= 4 and all(label in OCTETS for label in labels):
        if count < 4:
            return Where.ABOVE
        value = _join(labels, OCTETS, 8)
        return Address(4, value, _join(labels, NIBBLES, 4) if nibbles else None)
    if not nibbles:
        return Where.NOWHERE
    if count < 32:
        return Where.ABOVE
    return plain(_join(labels, NIBBLES, 4))


def plain(value: int) -> Address:
    """An IPv6 address, or the IPv4 address that is mapped into it (RFC 4291 section 2.5.5.2)."""
    if value >> 32 == _MAPPED:
        return Address(4, value & 0xFFFF_FFFF)
    return Address(6, value)


def _join(labels: tuple[bytes, ...], digits: dict[bytes, int], bits: int) -> int:
    value = 0
    for label in reversed(labels):
        value = value << bits | digits[label]
    return value
