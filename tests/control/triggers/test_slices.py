"""Slices hold every client once, and no group is in two of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.triggers.slices import LENGTHS, cut, divided, is_ipv4
from mailmum.traffic.packing import MAPPED

clients = st.one_of(
    st.binary(min_size=16, max_size=16), st.binary(min_size=4, max_size=4).map(MAPPED.__add__)
)


@given(st.lists(clients, max_size=50), st.sets(st.integers(0, 49)))
def test_slices_hold_every_client_once(found: list[bytes], places: set[int]) -> None:
    """From the lowest address to the highest, whoever was looked at; IPv4 apart."""
    slices = cut(sorted(found), {place for place in places if place < len(found)})
    assert (slices[0][0], slices[-1][1]) == (bytes(16), b"\xff" * 16)
    for (low, high), (following, _) in pairwise(slices):
        assert low <= high
        assert int.from_bytes(high) + 1 == int.from_bytes(following)
    for low, high in slices:
        assert is_ipv4((low, high)) == (low[:12] == MAPPED == high[:12])
    for client in found:
        if not any(client[:6]) and client[:12] != MAPPED:
            continue
        four, six = map(min, zip(*LENGTHS.values(), strict=True))
        group = client[:four] if client[:12] == MAPPED else client[:six]
        lowest, highest = group.ljust(16, b"\0"), group.ljust(16, b"\xff")
        assert sum(low <= lowest and highest <= high for low, high in slices) == 1


@given(st.lists(clients, min_size=1, max_size=50), st.integers(1, 6))
def test_shares_leave_nothing_out(found: list[bytes], pairs: int) -> None:
    """They lie beside each other, and the second begins no later than wanted."""
    shares = divided(sorted(found), 0.45, pairs)
    ends = [share[-1][1] for share in shares]
    slices = [one for share in shares for one in share]
    assert (slices[0][0], slices[-1][1]) == (bytes(16), b"\xff" * 16)
    for (_, high), (following, _) in pairwise(slices):
        assert int.from_bytes(high) + 1 == int.from_bytes(following)
    assert len(shares) == 1 or ends[0] < sorted(found)[int(len(found) * 0.45)]
