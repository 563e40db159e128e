r"""Clients as 16 bytes, names with their labels reversed: what a range scan can find.

An IPv4 address lies in ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), so a network of either version is
one stretch of values; and all names under a domain begin with the domain's own labels.

    >>> client_text(pack_client("203.0.113.7")), client_text(pack_client("2001:db8::1"))
    ('203.0.113.7', '2001:db8::1')
    >>> address_of(bounds(NetworkTarget(4, 0xCB007100, 24))[0]).text
    '203.0.113.0'
    >>> reversed_name("mail.spam.example"), plain_name("example.spam.mail.")
    ('example.spam.mail.', 'mail.spam.example')
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from mailmum.domain.targets import IPV4, MAPPED_FIRST, NetworkTarget, address_text, mapped

MAPPED: Final = bytes(10) + b"\xff\xff"
"""How every packed IPv4 address begins."""
_MEMORY = 65_536


class Packer:
    """Packs addresses and remembers those it has seen: the same clients come again and again."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str | None, bytes | None] = {}

    def pack_all(self, texts: Iterable[str | None]) -> list[bytes | None]:
        """Addresses as 16 bytes each, None for what is none."""
        known = self._known
        if len(known) > _MEMORY:
            known.clear()
        packed = []
        for text in texts:
            if text not in known:
                known[text] = pack_client(text) if text else None
            packed.append(known[text])
        return packed


def pack_client(text: str) -> bytes | None:
    """An address as 16 bytes, None when the text is none."""
    if (octets := IPV4.fullmatch(text)) is not None:
        return MAPPED + bytes(map(int, octets.groups()))
    try:
        return ipaddress.IPv6Address(text).packed
    except ValueError:
        return None


def client_text(packed: bytes) -> str:
    """The canonical text of a packed address."""
    value = int.from_bytes(packed, "big")
    if value >> 32 == MAPPED_FIRST >> 32:
        return address_text(4, value & 0xFFFF_FFFF)
    return address_text(6, value)


def address_of(packed: bytes) -> NetworkTarget:
    """The address of 16 bytes."""
    version, address = number_of(packed)
    return NetworkTarget(version, address, 32 if version == 4 else 128)


def number_of(packed: bytes) -> tuple[int, int]:
    """The same as version and number, for those who look up many."""
    if packed[:12] == MAPPED:
        return 4, int.from_bytes(packed[12:], "big")
    return 6, int.from_bytes(packed, "big")


def bounds(network: NetworkTarget) -> tuple[bytes, bytes]:
    """The first and the last client of a network."""
    first, last = mapped(network)
    return first.to_bytes(16, "big"), last.to_bytes(16, "big")


def reversed_name(name: str) -> str:
    """Labels in reverse, each with a dot, lower case: `example.spam.` for spam.example."""
    return ".".join(reversed(name.lower().rstrip(".").split("."))) + "."


def plain_name(reverse: str) -> str:
    """The name of reversed labels."""
    return ".".join(reversed(reverse[:-1].split(".")))
