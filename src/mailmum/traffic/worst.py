"""The worst clients and networks of an hour or day, picked in one pass in the order of addresses.

Ranked is by what was turned away, each server counted by its best source.  For each server and for
all together the worst clients are kept, and the worst networks (/24, and /64 of IPv6).

    >>> from mailmum.traffic.packing import pack_client
    >>> rows = [(pack_client(f"203.0.113.{last}"), 4, 1, 2, 0, 5) for last in (7, 9)]
    >>> [(one.network, one.stopped) for one in pick(rows, {4: 1}, 10) if one.server == ALL]
    [(False, 5), (False, 5), (True, 10)]
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailmum.traffic.codes import STOPPED
from mailmum.traffic.packing import MAPPED

ALL = 0
"""Stands for all servers of an account."""


@dataclass(frozen=True, slots=True)
class Worst:
    """One of the worst.

    Attributes:
        server: number of the server, or `ALL`.
        network: whether it is a network; else a client.
        first: the client, or the first address of the network, as 16 bytes.
        stopped: how often it was turned away.
    """

    server: int
    network: bool
    first: bytes
    stopped: int


@dataclass(slots=True)
class _Ranks:
    """The highest of a run of keys, each of which is complete when the next begins."""

    limit: int
    heaps: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    key: bytes = b""
    sums: dict[int, int] = field(default_factory=dict)

    def add(self, key: bytes, server: int, count: int) -> None:
        if key != self.key:
            self.settle()
            self.key = key
        sums = self.sums
        sums[server] = sums.get(server, 0) + count

    def settle(self) -> None:
        total = sum(self.sums.values())
        for server, count in (*self.sums.items(), (ALL, total)):
            if count:
                heap = self.heaps.setdefault(server, [])
                if len(heap) < self.limit:
                    heapq.heappush(heap, (count, self.key))
                elif count > heap[0][0]:
                    heapq.heapreplace(heap, (count, self.key))
        self.sums = {}

    def worst(self, *, network: bool) -> Iterable[Worst]:
        self.settle()
        for server, heap in sorted(self.heaps.items()):
            for count, key in sorted(heap, key=lambda one: (-one[0], one[1])):
                yield Worst(server, network, key, count)


def network_key(client: bytes) -> bytes:
    """The first address of the network that a client is counted in."""
    return client[:15] + b"\0" if client[:12] == MAPPED else client[:8] + bytes(8)


DEPTHS = {4: (4, 8, 12, 16), 6: (16, 32, 40, 48)}
"""Prefixes of the wide networks that are summed up, too, by depth."""


def wide_key(client: bytes, depth: int) -> bytes:
    """The first address of the wide network of that depth that a client lies in.

    >>> from mailmum.traffic.packing import client_text, pack_client
    >>> [client_text(wide_key(pack_client("203.0.113.7"), depth)) for depth in (0, 1, 3)]
    ['192.0.0.0', '203.0.0.0', '203.0.0.0']
    >>> [client_text(wide_key(pack_client("2001:db8:1::7"), depth)) for depth in (0, 1, 3)]
    ['2001::', '2001:db8::', '2001:db8:1::']
    """
    kept = 96 + DEPTHS[4][depth] if client[:12] == MAPPED else DEPTHS[6][depth]
    whole, half = divmod(kept, 8)
    first = client[:whole] + bytes((client[whole] & 0xF0,)) if half else client[:whole]
    return first + bytes(16 - len(first))


def by_network(
    rows: Iterable[tuple[bytes, int, int, int, int, int]],
    key_of: Callable[[bytes], bytes] = network_key,
) -> Iterator[tuple[bytes, int, int, int, int, int]]:
    """Sums by network, of rows and in rows like those of `pick`: in the place of the client."""
    sums: dict[tuple[int, int, int, int], int] = {}
    key = b""
    for client, *kind, count in rows:
        if (network := key_of(client)) != key:
            yield from ((key, *one, sums[one]) for one in sorted(sums))
            sums, key = {}, network
        place = (kind[0], kind[1], kind[2], kind[3])
        sums[place] = sums.get(place, 0) + count
    yield from ((key, *one, sums[one]) for one in sorted(sums))


def pick(
    rows: Iterable[tuple[bytes, int, int, int, int, int]], best: Mapping[int, int], limit: int
) -> list[Worst]:
    """The worst of an hour or day.

    Args:
        rows: client, server, source, outcome, list, count; in the order of clients.
        best: the source by which each server counts.
        limit: how many clients and how many networks are kept, for each server and for all.
    """
    clients, networks = _Ranks(limit), _Ranks(limit)
    for client, server, source, outcome, _, count in rows:
        if outcome in STOPPED and best.get(server) == source:
            clients.add(client, server, count)
            networks.add(network_key(client), server, count)
    return [*clients.worst(network=False), *networks.worst(network=True)]
