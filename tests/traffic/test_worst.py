"""Picking the worst in one pass, held against sorting them all."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.codes import STOPPED
from mailmum.traffic.packing import pack_client
from mailmum.traffic.worst import ALL, pick

CLIENTS = [f"203.0.{n % 3}.{n}" for n in range(12)] + [f"2001:db8:0:{n % 2}::{n}" for n in range(8)]


def network(client: bytes) -> bytes:
    """The /24 or /64 that a client lies in."""
    return client[:15] + b"\0" if client[10:12] == b"\xff\xff" else client[:8] + bytes(8)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(CLIENTS).map(pack_client),
            st.integers(1, 3),
            st.integers(1, 3),
            st.integers(1, 14),
            st.integers(1, 9),
        ),
        max_size=60,
    ),
    st.integers(1, 8),
)
def test_the_worst_are_picked(rows: list[tuple[bytes, int, int, int, int]], limit: int) -> None:
    """Of each server and of all together; whoever is left out has no more than the last."""
    best = {1: 1, 2: 2}
    found = pick(sorted(rows), best, limit)
    sums: dict[tuple[int, bool], Counter[bytes]] = {}
    for client, server, source, outcome, count in rows:
        if best.get(server) == source and outcome in STOPPED:
            for place in (server, ALL):
                sums.setdefault((place, False), Counter())[client] += count
                sums.setdefault((place, True), Counter())[network(client)] += count
    for (server, wide), counts in sums.items():
        picked = [one for one in found if (one.server, one.network) == (server, wide)]
        assert [one.stopped for one in picked] == sorted(counts.values(), reverse=True)[:limit]
        assert all(counts[one.first] == one.stopped for one in picked)
    assert {(one.server, one.network) for one in found} == set(sums)
