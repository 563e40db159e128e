"""Thousands of random listings against a naive search with `ipaddress`.

Large enough for the bucket table of IPv4 columns, and for chains of networks some levels deep.
"""

import ipaddress
import random
from collections.abc import Iterable

import pytest

from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NetworkTarget
from mailmum.index.index import Index
from mailmum.index.records import Changes, Everything
from mailmum.index.snapshot import dump, load
from tests.index.model import key_of, record_of

LISTINGS = 4000
QUERIES = 600
NOW = 50.0
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class World:
    """Random nested networks of one version of IP, all in account 1."""

    def __init__(self, version: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.version = version
        self.bits = 32 if version == 4 else 128
        self.listings: dict[int, Listing] = {}
        for number in range(1, LISTINGS + 1):
            self.listings[number] = self.listing(number)

    def address(self) -> int:
        """Often near a listed network, else anywhere."""
        if self.listings and self.random.random() < 0.7:
            target = self.listings[self.random.choice(list(self.listings))].target
            assert isinstance(target, NetworkTarget)
            near = target.first ^ self.random.getrandbits(self.random.randrange(self.bits // 2))
            return min(max(near + self.random.choice([-1, 0, 0, 0, 1]), 0), (1 << self.bits) - 1)
        # Within a quarter of the space, so that bits above it do not decide everything.
        return self.random.getrandbits(self.bits) >> 2 | 1 << (self.bits - 2)

    def listing(self, number: int) -> Listing:
        """Half of them single addresses; few sources, scopes and lifetimes."""
        narrow = max(self.random.randint(4, self.bits) for _ in range(6))
        prefix = self.bits if self.random.random() < 0.5 else narrow
        first = self.address() >> (self.bits - prefix) << (self.bits - prefix)
        source = self.random.choice(list(Source))
        return Listing(
            id=number,
            account=1,
            scope=self.random.choice([0, 0, 11]),
            action=self.random.choice(list(Action)),
            target=NetworkTarget(self.version, first, prefix),
            source=source,
            reason=f"reason {number % 300}",
            expires=self.random.choice([None, None, 49, 51]),
        )

    def ids_by_network(self) -> list[tuple[Network, Listing]]:
        """Every listing in force with its network as the standard library knows it."""
        return [
            (ipaddress.ip_network(one.target.text), one)
            for one in self.listings.values()
            if one.expires is None or one.expires > NOW
        ]


def naive(networks: Iterable[tuple[Network, Listing]], text: str) -> int | None:
    """The number of the listing that decides, by the rules in their plainest form."""
    address = ipaddress.ip_address(text)
    if address.is_loopback:
        return None
    covering = [(network, one) for network, one in networks if address in network]
    people = [pair for pair in covering if pair[1].source == "person"]
    machines = [pair for pair in covering if pair[1].source != "person"]
    allows = [pair for pair in machines if pair[1].action == "allow"]
    for deciding in (people, allows, machines):
        if deciding:
            longest = max(network.prefixlen for network, _ in deciding)
            last = [one for network, one in deciding if network.prefixlen == longest]
            last.sort(key=lambda one: (one.scope == 0, one.action == "block", one.id))
            return last[0].id
    return None


def compare(index: Index, world: World) -> None:
    """Ask index and naive search about the same addresses."""
    networks = world.ids_by_network()
    state = index.key(key_of(11).encode(), NOW)
    assert state is not None
    hits = 0
    for _ in range(QUERIES):
        address = world.address()
        text = str(
            (ipaddress.IPv4Address if world.version == 4 else ipaddress.IPv6Address)(address)
        )
        hit = index.find_address(state.server, world.version, address, NOW)
        assert (None if hit is None else hit.id) == naive(networks, text), text
        hits += hit is not None
    # A world in which nearly everything or nothing is listed would show little.
    assert QUERIES * 0.1 < hits < QUERIES * 0.98


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("version", [4, 6])
def test_a_large_index_finds_what_a_naive_search_finds(version: int, seed: int) -> None:
    """When built, with an overlay, merged, and read from a snapshot."""
    world = World(version, seed)
    index = Index.build(Everything(1, (record_of(1, 11),), world.listings.values()))
    compare(index, world)
    gone = tuple(world.listings.pop(number) for number in range(1, LISTINGS, 7))
    new = tuple(world.listing(number) for number in range(LISTINGS + 1, LISTINGS + 500))
    world.listings.update({one.id: one for one in new})
    index.apply(Changes(2, listings=new, gone=gone))
    assert index.overlay_size > 900
    compare(index, world)
    snapshot = b"".join(dump(index))
    index.finish_merge(index.begin_merge().run())
    assert index.overlay_size == 0
    compare(index, world)
    compare(load(snapshot), world)
