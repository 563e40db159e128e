"""Picking the worst in one pass, held against sorting them all."""

from collections import Counter
from functools import partial
from ipaddress import IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.codes import STOPPED
from mailmum.traffic.packing import pack_client
from mailmum.traffic.worst import ALL, by_network, pick, wide_key

CLIENTS = [f"203.0.{n % 3}.{n}" for n in range(12)] + [f"2001:db8:0:{n % 2}::{n}" for n in range(8)]


def network(client: bytes) -> bytes:
    """The /24 or /64 that a client lies in."""
    return client[:15] + b"\0" if client[10:12] == b"\xff\xff" else client[:8] + bytes(8)


Row = tuple[bytes, int, int, int, int, int]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(CLIENTS).map(pack_client),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(1, 14),
        st.integers(0, 2),
        st.integers(1, 9),
    ),
    max_size=60,
)


@given(ROWS, st.integers(1, 8))
def test_the_worst_are_picked(rows: list[Row], limit: int) -> None:
    """Of each server and of all together; whoever is left out has no more than the last."""
    best = {1: 1, 2: 2}
    found = pick(sorted(rows), best, limit)
    sums: dict[tuple[int, bool], Counter[bytes]] = {}
    for client, server, source, outcome, _, count in rows:
        if best.get(server) == source and outcome in STOPPED:
            for place in (server, ALL):
                sums.setdefault((place, False), Counter())[client] += count
                sums.setdefault((place, True), Counter())[network(client)] += count
    for (server, wide), counts in sums.items():
        picked = [one for one in found if (one.server, one.network) == (server, wide)]
        assert [one.stopped for one in picked] == sorted(counts.values(), reverse=True)[:limit]
        assert all(counts[one.first] == one.stopped for one in picked)
    assert {(one.server, one.network) for one in found} == set(sums)


@given(ROWS)
def test_networks_are_summed_up(rows: list[Row]) -> None:
    """Each kind of row of a network once, in order."""
    found = list(by_network(sorted(rows)))
    sums = Counter[tuple[object, ...]]()
    for client, *kind, count in rows:
        sums[network(client), *kind] += count
    assert found == sorted((*key, count) for key, count in sums.items())


@given(ROWS, st.integers(0, 3))
def test_wide_networks_are_summed_up(rows: list[Row], depth: int) -> None:
    """From the sums by network, which lie in the same order."""
    narrow = by_network(sorted(rows))
    found = list(by_network(narrow, partial(wide_key, depth=depth)))
    sums = Counter[tuple[object, ...]]()
    for client, *kind, count in rows:
        address = IPv6Address(client)
        prefix = 96 + (4, 8, 12, 16)[depth] if address.ipv4_mapped else (16, 32, 40, 48)[depth]
        wide = IPv6Network((client, prefix), strict=False).network_address
        sums[wide.packed, *kind] += count
    assert found == sorted((*key, count) for key, count in sums.items())
