"""What the DNS servers are measured with: listings and queries, the same every time.

`one` is a single account with a million addresses and 20,000 networks, from /16 to /28; `ten` has
ten times as many, `small` a hundredth, `few` next to none.  In `told` each has one of a thousand
short public texts, in `texts` one of its own.  `many` is 10,000 accounts, each with a zone of its
own and 100 listings, a fifth of them networks; `thousand` has a tenth of them.  Half of
all queries or so are for something listed.
"""

import random
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.records import Changes, Everything, KeyRecord, ServerRecord

BASE = "rbl.example.net"
FIRST, LAST = 0x01000000, 0xDF000000
SOA = f"$SOA 60 ns.{BASE} hostmaster.{BASE} 1 600 120 604800 60\n:127.0.0.2:Listed\n"
Network = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a world is: accounts, what each of them lists, and public texts."""

    accounts: int
    addresses: int
    networks: int
    texts: int = 0


SIZES = {
    "one": Sizes(1, 1_000_000, 20_000),
    "told": Sizes(1, 1_000_000, 20_000, 1_000),
    "texts": Sizes(1, 1_000_000, 20_000, 1_020_000),
    "ten": Sizes(1, 10_000_000, 200_000),
    "small": Sizes(1, 10_000, 200),
    "few": Sizes(1, 100, 2),
    "many": Sizes(10_000, 80, 20),
    "thousand": Sizes(1_000, 80, 20),
}


def key_of(account: int) -> str:
    """The zone key of an account, counted from 0."""
    return f"k{account:015}"


def networks_of(sizes: Sizes, account: int) -> list[Network]:
    """What an account lists: first addresses and prefixes, an address with 32."""
    chance = random.Random(42 + account)
    found = {(chance.randrange(FIRST, LAST), 32) for _ in range(sizes.addresses)}
    while len(found) < sizes.addresses + sizes.networks:
        prefix = chance.randrange(16, 29)
        found.add((chance.randrange(FIRST, LAST) >> 32 - prefix << 32 - prefix, prefix))
    return sorted(found)


def text_of(sizes: Sizes, number: int) -> str:
    """The public text of a listing by its number."""
    return f"Sent spam, case {number % sizes.texts}" if sizes.texts else ""


class FixedSource:
    """A database in which nothing ever happens."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes

    def load(self) -> Everything:
        """All listings; each account has one server."""
        servers = tuple(
            ServerRecord(
                account + 1, account + 1, f"ref{account:07}", (KeyRecord(key_of(account)),)
            )
            for account in range(self._sizes.accounts)
        )
        return Everything(1, servers, self._listings())

    def changes(self, after: int) -> Iterator[Changes]:
        """None."""
        return iter(())

    def wait(self, seconds: float) -> bool:
        """Wait in vain."""
        time.sleep(seconds)
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _listings(self) -> Iterator[Listing]:
        number = 0
        for account in range(self._sizes.accounts):
            for first, prefix in networks_of(self._sizes, account):
                number += 1
                target = NetworkTarget(4, first, prefix)
                reason = text_of(self._sizes, number)
                yield Listing(number, account + 1, 0, Action.BLOCK, target, reason=reason)


def write_zones(folder: Path, sizes: Sizes, kind: str = "ip4trie") -> list[str]:
    """The same listings for rbldnsd, one file an account; what to name on its command line."""
    zones = []
    for account in range(sizes.accounts):
        with (folder / f"zone{account}").open("w") as file:
            file.write(SOA)
            for number, (first, prefix) in enumerate(networks_of(sizes, account)):
                said = f" :127.0.0.2:{text_of(sizes, number)}" if sizes.texts else ""
                file.write(f"{IPv4Address(first)}{'' if prefix == 32 else f'/{prefix}'}{said}\n")
        zones.append(f"{key_of(account)}.bl.{BASE}:{kind}:zone{account}")
    return zones


def write_zone_files(folder: Path, sizes: Sizes) -> list[str]:
    """The same as ordinary zones, networks as wildcards as far as those go; the zones' names."""
    zones = []
    for account in range(sizes.accounts):
        zones.append(f"{key_of(account)}.bl.{BASE}")
        with (folder / f"file{account}").open("w") as file:
            file.write(f"$TTL 60\n@ SOA ns.{BASE}. hostmaster.{BASE}. 1 600 120 604800 60\n")
            file.write(f"@ NS ns.{BASE}.\n")
            names = {name for one in networks_of(sizes, account) for name in _names_of(*one)}
            file.writelines(f"{name} A 127.0.0.2\n" for name in sorted(names))
    return zones


def _names_of(first: int, prefix: int) -> Iterator[str]:
    """Names that together are a network: of addresses, or wildcards of a whole octet."""
    step = 32 if prefix > 24 else 24 if prefix > 16 else 16
    for at in range(1 << step - prefix):
        octets = str(IPv4Address(first + (at << 32 - step))).split(".")[: step // 8]
        yield ".".join([*(["*"] if step < 32 else []), *octets[::-1]])


def write_names(path: Path, queries: Path) -> None:
    """The names of some queries as text, a line each, as dnsperf reads them."""
    data, at = queries.read_bytes(), 0
    with path.open("w") as file:
        while at < len(data):
            size = data[at] << 8 | data[at + 1]
            packet, place, labels = data[at + 2 : at + 2 + size], 12, []
            while packet[place]:
                labels.append(packet[place + 1 : place + 1 + packet[place]].decode())
                place += 1 + packet[place]
            file.write(f"{'.'.join(labels)} A\n")
            at += 2 + size


def write_queries(path: Path, sizes: Sizes, count: int) -> None:
    """A queries: half of them for something listed, the rest at random."""
    chance = random.Random(7)
    held: dict[int, list[Network]] = {}
    with path.open("wb") as file:
        for _ in range(count):
            account = chance.randrange(sizes.accounts)
            if account not in held:
                held[account] = networks_of(sizes, account)
            address = chance.randrange(FIRST, LAST)
            if chance.random() < 0.5:
                first, prefix = chance.choice(held[account])
                address = first + chance.randrange(1 << 32 - prefix)
            packet = query(address, account)
            file.write(struct.pack(">H", len(packet)) + packet)


def query(address: int, account: int = 0) -> bytes:
    """A query about an address in the zone of an account."""
    labels = [*str(IPv4Address(address)).split(".")[::-1], key_of(account), "bl", *BASE.split(".")]
    name = b"".join(bytes((len(label),)) + label.encode() for label in labels)
    return struct.pack(">6H", 0, 0, 1, 0, 0, 0) + name + b"\0\0\1\0\1"
