"""What public DNS lists are asked, and what their answers mean (RFC 5782).

The rules of a careful asker:

- Listed is an address in 127.0.0.0/8, and nothing else: a zone that was given up and sold answers
  with the address of a web server.
- 127.255.255.x is no listing but a word of the list to its asker: that it does not answer him.
- A list has to list 127.0.0.2 and must not list 127.0.0.1 (section 5).  One that lists the second
  lists everything, one that does not list the first is dead or empty; neither is believed.

    >>> from mailmum.domain.targets import parse_network
    >>> question("rbl.example", parse_network("203.0.113.7"))
    '7.113.0.203.rbl.example'
    >>> meaning(["127.0.0.2"]), meaning([]), meaning(["127.255.255.254"]), meaning(["192.0.2.1"])
    (<Meaning.LISTED: 'listed'>, <Meaning.UNLISTED: 'unlisted'>, <Meaning.REFUSED: 'refused'>, \
<Meaning.STRANGE: 'strange'>)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from mailmum.domain.targets import NetworkTarget

_LISTED = IPv4Network("127.0.0.0/8")
_WORDS = IPv4Network("127.255.255.0/24")
# Given an unlisted name, a list says nothing; one that answers it answers every name.
_NEVER = "invalid"
_TEST_V6 = 0xFFFF_7F00_0002


class Meaning(StrEnum):
    """What an answer says of a client."""

    LISTED = "listed"
    UNLISTED = "unlisted"
    REFUSED = "refused"
    STRANGE = "strange"
    SILENT = "silent"


class State(StrEnum):
    """How a list fares."""

    WORKS = "works"
    SILENT = "silent"
    EMPTY = "empty"
    WILDCARD = "wildcard"
    REFUSED = "refused"

    @property
    def believed(self) -> bool:
        """Whether what it says of a client counts."""
        return self is State.WORKS


SAYS = {
    State.WORKS: "it works",
    State.SILENT: "it does not answer",
    State.EMPTY: "it does not list its own test entry, so it lists nothing: given up, perhaps",
    State.WILDCARD: "it lists everything: given up, perhaps, and sold",
    State.REFUSED: "it does not answer this resolver (127.255.255.x): ask through a resolver of "
    "your own, or with a key of its operator",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for a name.

    Attributes:
        addresses: of its A records; none when there are none.
        ttl: seconds for which that holds, as far as it was said.
        fault: why nothing is known; empty when something is.
    """

    addresses: tuple[str, ...] = ()
    ttl: int | None = None
    fault: str = ""

    @property
    def meaning(self) -> Meaning:
        """What it says."""
        return Meaning.SILENT if self.fault else meaning(self.addresses)


@dataclass(frozen=True, slots=True)
class Probes:
    """The names that tell how a list fares: its test entries, and three that nobody lists.

    A list of IPv6 addresses alone has the second test entry only (section 5).  One of the three is
    another each time: the resolver keeps what it heard of the others, for hours perhaps, and a list
    that lists the world since a minute ago would look well.
    """

    listed: str
    listed6: str
    unlisted: str
    never: str
    fresh: str


def question(zone: str, client: NetworkTarget) -> str:
    """The name that a list is asked for about one address."""
    if client.version == 4:
        octets = client.first.to_bytes(4, "big")
        return ".".join([*map(str, reversed(octets)), zone])
    return ".".join([*reversed(f"{client.first:032x}"), zone])


def meaning(addresses: Sequence[str]) -> Meaning:
    """What the A records of a name say of the client it stands for."""
    found = [IPv4Address(one) for one in addresses]
    if any(one in _WORDS for one in found):
        return Meaning.REFUSED
    if any(one in _LISTED for one in found):
        return Meaning.LISTED
    return Meaning.STRANGE if found else Meaning.UNLISTED


def probes(zone: str, chance: int = 0) -> Probes:
    """What a list is asked to see how it fares.

    Args:
        zone: the list.
        chance: any number, another each time.
    """
    # Of loopback, which nobody lists, beyond what lists use for tests and for words.
    fresh = 0x7F01_0000 + chance % 0xFD_0000
    return Probes(
        f"2.0.0.127.{zone}",
        ".".join([*reversed(f"{_TEST_V6:032x}"), zone]),
        f"1.0.0.127.{zone}",
        f"{_NEVER}.{zone}",
        ".".join([*map(str, reversed(fresh.to_bytes(4, "big"))), zone]),
    )


def judge(replies: Mapping[str, Reply], asked: Probes) -> State:
    """How a list fares by its answers to the probes."""
    entries = [replies[asked.listed].meaning, replies[asked.listed6].meaning]
    others = [replies[name].meaning for name in (asked.unlisted, asked.never, asked.fresh)]
    if Meaning.REFUSED in (*entries, *others):
        return State.REFUSED
    if Meaning.LISTED in others or Meaning.STRANGE in (*entries, *others):
        return State.WILDCARD
    if Meaning.LISTED in entries:
        return State.WORKS
    # Its test entries have no answer, or are not there.
    return State.SILENT if Meaning.SILENT in entries else State.EMPTY
