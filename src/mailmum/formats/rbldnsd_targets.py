"""Targets as rbldnsd's data files write them (rbldnsd(8), "DATASET TYPES AND FORMATS").

Each function takes the beginning of an entry and gives its targets and what stands behind them.

- IPv4: `203.0.113.7`, first octets (`203.0.113` is a /24), `203.0.113.0/24`, `203.0/16`, and in an
  ip4set ranges: `203.0.113.8-203.0.113.19`, `203.0.113.8-19`, `203.0-31`.  The manual also shows
  boundaries of different length; the program refuses them, and so do we.  Octets are decimal,
  leading zeros or not.
- IPv6: an address, its first groups (`2001:db8:1` is a /48), or either with a prefix length.
- Names: `host.example`, `.example` (the domain and all under it) and `*.example` (only what is
  under it).
"""

import re
from dataclasses import dataclass
from enum import Enum

from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NetworkTarget, Target, parse_network, parse_target
from mailmum.domain.texts import shown

_OCTETS = r"[0-9]{1,10}(?:\.[0-9]{1,10}){0,3}"
_IP4 = re.compile(rf"({_OCTETS})(?:-({_OCTETS})|/([0-9]{{1,10}}))?(?=[ \t#;:]|$)", re.ASCII)
_IP6 = re.compile(r"([0-9a-fA-F:]+)(?:/([0-9]{1,10}))?(?=[ \t#;:]|$)", re.ASCII)
_FULL = 0xFFFF_FFFF
_GROUPS = 8
_ALL_IP4 = NetworkTarget(4, 0, 0)


class Shape(Enum):
    """The kinds of entry, by the data sets that hold them."""

    IP4 = "IPv4"
    IP6 = "IPv6"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The beginning of an entry.

    Attributes:
        targets: one target, several for a range, none for the whole of IPv4 written as IPv6.
        rest: the remaining text.
        size: the number of IPv4 addresses covered, 0 for others.
        is_range: whether it was written as a range.
        below: whether only what is under the domain was meant.
    """

    targets: tuple[Target, ...]
    rest: str
    size: int = 0
    is_range: bool = False
    below: bool = False


def shape_of(text: str) -> Shape:
    """The kind of an entry, by its looks."""
    ip4, ip6 = _IP4.match(text), _IP6.match(text)
    # A bare number before a colon is the first group of an IPv6 address.
    if ip6 and ":" in ip6[1] and (ip4 is None or ip4[0].isdigit()):
        return Shape.IP6
    return Shape.IP4 if ip4 else Shape.NAME


def parse_entry(text: str, shape: Shape) -> Parsed:
    """Read the beginning of an entry of the given kind.

    Raises:
        BadInput: it is none, with the reason.
    """
    if shape is Shape.IP4:
        return _parse_ip4(text)
    return _parse_ip6(text) if shape is Shape.IP6 else _parse_name(text)


def networks_between(first: int, last: int) -> list[NetworkTarget]:
    """The fewest IPv4 networks that cover a range exactly; never more than 62."""
    networks = []
    while first <= last:
        aligned = (first & -first).bit_length() - 1 if first else 32
        bits = min(aligned, (last - first + 1).bit_length() - 1)
        networks.append(NetworkTarget(4, first, 32 - bits))
        first += 1 << bits
    return networks


def _parse_ip4(text: str) -> Parsed:
    found = _IP4.match(text)
    if found is None:
        raise BadInput(f"{_word(text)} is no IPv4 address, network or range")
    start, end, prefix = found.groups()
    rest = text[found.end() :]
    first, bits = _octets(start)
    if end is not None:
        last = _range_end(end, first, bits)
        return Parsed(tuple(networks_between(first, last)), rest, last - first + 1, is_range=True)
    if prefix is not None:
        network = parse_network(f"{_dotted(first)}/{int(prefix)}")
        return Parsed((network,), rest, 1 << (32 - network.prefix))
    if bits == 8:
        raise BadInput(f"{shown(start)} is a bare number", fix=f"write {shown(start)}/8 if meant")
    return Parsed((NetworkTarget(4, first, bits),), rest, 1 << (32 - bits))


def _range_end(text: str, first: int, bits: int) -> int:
    last, last_bits = _octets(text)
    if last_bits == 8:
        # One number is the last octet of the other boundary: 203.0.113.8-19.
        kept = first & (_FULL << (40 - bits)) & _FULL
        last, last_bits = kept | (last >> (bits - 8)), bits
    if last_bits != bits:
        raise BadInput(
            "the two ends of the range have a different number of octets",
            fix="write both in full, such as 203.0.113.8-203.0.113.19",
        )
    last |= _FULL >> bits
    if last < first:
        raise BadInput("the range ends before it begins", fix="swap its two ends")
    return last


def _octets(text: str) -> tuple[int, int]:
    """First octets of an address as a 32-bit integer, and how many bits were given."""
    octets = [int(part) for part in text.split(".")]
    if max(octets) > 255:
        raise BadInput(f"{shown(text)} has an octet above 255")
    value = 0
    for octet in octets:
        value = value << 8 | octet
    bits = 8 * len(octets)
    return value << (32 - bits), bits


def _dotted(address: int) -> str:
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _parse_ip6(text: str) -> Parsed:
    found = _IP6.match(text)
    if found is None:
        raise BadInput(f"{_word(text)} is no IPv6 address or network")
    address, prefix = found.groups()
    if ":" not in address and prefix is None:
        raise BadInput(
            f"{shown(address)} is a bare number", fix="write all groups, or a prefix length"
        )
    groups = address.split(":")
    bits = 128
    if "::" not in address and len(groups) < _GROUPS:
        bits = 16 * len(groups)
        address += "::"
    length = bits if prefix is None else int(prefix)
    network = parse_network(f"{address}/{length}")
    return Parsed(() if network == _ALL_IP4 else (network,), text[found.end() :])


def _parse_name(text: str) -> Parsed:
    word = re.split(r"[ \t]", text, maxsplit=1)[0]
    below = word.startswith("*.")
    target = parse_target(word[1:] if below else word)
    if isinstance(target, NetworkTarget):
        raise BadInput(f"{_word(text)} is an address, where a name is expected")
    return Parsed((target,), text[len(word) :], below=below)


def _word(text: str) -> str:
    return shown(re.split(r"[ \t]", text, maxsplit=1)[0])
