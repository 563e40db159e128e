"""Entries of feeds: kept as bytes, told apart, looked up by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.targets import NameTarget, Target, parse_target
from mailmum.index.entries import Builder, Entries, built, packed, unpacked
from mailmum.index.snapshot import SnapshotDamaged
from tests.domain.worlds import names, targets


@given(st.lists(targets()))
def test_order_and_repetition_make_no_difference(some: list[Target]) -> None:
    """Entries are a set; the digest tells other sets apart."""
    shuffled = [*reversed(some), *some]
    assert built(shuffled) == built(some)
    assert len(built(some)) == len(set(some))
    assert built([*some, parse_target("198.51.100.1")]) != built(some) or (
        parse_target("198.51.100.1") in some
    )


@given(st.lists(targets()))
def test_entries_come_back_from_their_bytes(some: list[Target]) -> None:
    """With the same bytes again."""
    data = packed(built(some))
    again = unpacked(data)
    assert again == built(some)
    assert packed(again) == data


SAMPLE = packed(built(map(parse_target, ["203.0.113.7", "2001:db8::/32", ".top", "192.0.2.0/24"])))


@given(st.integers(0, len(SAMPLE) * 8 - 1))
def test_a_bit_that_is_wrong_is_noticed(bit: int) -> None:
    """Whichever it is."""
    data = bytearray(SAMPLE)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SnapshotDamaged):
        unpacked(bytes(data))


@given(st.integers(0, len(SAMPLE) - 1))
def test_what_is_cut_off_is_noticed(size: int) -> None:
    """Wherever it ends."""
    with pytest.raises(SnapshotDamaged):
        unpacked(SAMPLE[:size])


@given(st.lists(st.builds(NameTarget, names(), st.booleans())), names())
def test_names_are_found_by_hash(some: list[NameTarget], name: str) -> None:
    """Held against the targets' own word."""
    found = built(some).names
    covering = {target for target in some if target.covers(name)}
    assert list(found.around(name)) == sorted(covering, key=lambda one: -one.specificity)
    assert found.any_below(name) == any(one.name.endswith(f".{name}") for one in some)


def test_an_address_of_a_large_list_takes_little_room() -> None:
    """What a row costs in columns: an address, a byte of details, and its share of the buckets."""
    entries: Entries = built(parse_target(f"10.{at >> 8}.{at & 255}.9") for at in range(20_000))
    base = entries.bases[4]
    (firsts,) = base.hosts.firsts.arrays()
    buckets, _ = base.hosts.firsts.buckets
    assert buckets is not None
    columns = [firsts, buckets, base.hosts.details.ids]
    assert base.hosts.details.ids is base.hosts.details.kinds
    assert sum(len(column) * column.itemsize for column in columns) < 8 * 20_000


@given(st.lists(targets()), targets())
def test_what_is_among_them(some: list[Target], other: Target) -> None:
    """Exactly the targets that were given, and all of them come out again."""
    made, builder = built(some), Builder(some)
    assert all(made.holds(one) for one in some)
    assert made.holds(other) == (other in some)
    assert set(builder.targets()) == set(some)
    assert {*made.networks(), *builder.names()} == set(some)
    assert len(builder) == len(made)
