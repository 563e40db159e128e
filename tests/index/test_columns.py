"""Columns and bases: searches, widths of columns, what merging keeps and drops."""

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget, parse_network
from mailmum.index.base import Base, BaseBuilder, empty_base, no_pause, place_of
from mailmum.index.firsts import Firsts, new_firsts, restored_firsts
from mailmum.index.rows import code_for, wider

BITS = [32, 128]


def column(bits: int, values: list[int]) -> Firsts:
    """A sealed column."""
    firsts = new_firsts(bits)
    for value in values:
        firsts.append(value)
    firsts.seal(no_pause)
    return firsts


@st.composite
def columns(draw: st.DrawFn) -> tuple[int, list[int]]:
    """Sorted values with repeats, crowded at either end or spread, some at the very limits."""
    bits = draw(st.sampled_from(BITS))
    top = (1 << bits) - 1
    value = st.one_of(
        st.integers(0, top), st.integers(0, 5), st.integers(top - 5, top),
        st.integers((1 << bits // 2) - 3, (1 << bits // 2) + 3),
    )  # fmt: skip
    return bits, sorted(draw(st.lists(value, max_size=40)))


@given(columns(), st.data())
def test_searches_are_bisections(drawn: tuple[int, list[int]], data: st.DataObject) -> None:
    """In IPv4 and in IPv6 columns, for values that are there and others."""
    bits, values = drawn
    firsts = column(bits, values)
    anywhere = st.integers(0, (1 << bits) - 1)
    asked = st.one_of(anywhere, st.sampled_from(values)) if values else anywhere
    one, other = sorted([data.draw(asked), data.draw(asked)])
    assert firsts.locate(one) == bisect_right(values, one) - 1
    assert firsts.span(one) == (bisect_left(values, one), bisect_right(values, one))
    start, end = firsts.reach(one, other)
    assert values[start:end] == [value for value in values if one <= value <= other]
    restored = restored_firsts(bits, firsts.arrays())
    assert list(restored.values) == values


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("spread", [1, 1 << 12, 1 << 20])
def test_searches_in_columns_with_buckets(bits: int, spread: int) -> None:
    """Buckets that are empty, crowded, first and last."""
    values = [number * spread for number in range(4000)]
    firsts = column(bits, values)
    for value in values[::37]:
        for asked in (value - 1, value, value + 1):
            if asked >= 0:
                assert firsts.locate(asked) == bisect_right(values, asked) - 1
    assert firsts.locate((1 << bits) - 1) == 3999


@given(st.integers(0, (1 << 64) - 1))
def test_the_narrowest_type_holds_the_number(largest: int) -> None:
    """And no narrower one does."""
    code = code_for(largest)
    array(code, [largest])
    narrower = "BHIQ"["BHIQ".index(code) - 1]
    if narrower != "Q":
        with pytest.raises(OverflowError):
            array(narrower, [largest])
    assert wider(code, "B") == code
    assert wider("B", code) == code


def listing(number: int, text: str, reason: str = "", expires: int | None = None) -> Listing:
    """A block of account 1."""
    target = parse_network(text)
    return Listing(number, 1, 0, Action.BLOCK, target, reason=reason, expires=expires)


def built(*listings: Listing) -> Base:
    """A base of IPv4 listings."""
    builder = BaseBuilder(32)
    for one in listings:
        assert isinstance(one.target, NetworkTarget)
        builder.add(one, one.target)
    return builder.build()


def merged(base: Base, *listings: Listing) -> Base:
    """A base in which each of these is the only listing of its target."""
    replaced = {
        place_of(one.target): (one,) for one in listings if isinstance(one.target, NetworkTarget)
    }
    return base.merged(replaced)


def all_of(base: Base) -> list[Listing]:
    """Every listing of a base."""
    return [
        rows.listing(row, 32, 1, 0)
        for rows in (base.hosts, base.networks)
        for row in range(len(rows))
    ]


def test_a_million_plain_rows_would_take_nine_bytes_each() -> None:
    """Four for the address, four for the number, one for the terms; nothing for no expiry."""
    base = built(*(listing(70000 + number, f"203.0.113.{number}") for number in range(200)))
    details = base.hosts.details
    assert (details.ids.itemsize, details.kinds.itemsize, details.expires) == (4, 1, None)
    assert sum(values.itemsize for values in base.hosts.firsts.arrays()) == 4


def test_columns_widen_as_a_merge_demands() -> None:
    """Numbers, terms and lifetimes that did not fit before."""
    old = [listing(number, f"203.0.113.{number}") for number in range(1, 4)]
    base = built(*old)
    assert base.hosts.details.ids.itemsize == 1
    new = [
        listing(1 << 40, "203.0.113.9", expires=1 << 40),
        *(listing(1000 + number, f"198.51.100.{number}", f"why {number}") for number in range(256)),
    ]
    wide = merged(base, *new)
    assert sorted(all_of(wide), key=repr) == sorted([*old, *new], key=repr)
    details = wide.hosts.details
    assert (details.ids.itemsize, details.kinds.itemsize) == (8, 2)
    assert all_of(base) == old


def test_terms_that_nothing_uses_are_dropped() -> None:
    """However often the reason of one listing changes."""
    base = built(listing(1, "203.0.113.7"), listing(2, "203.0.113.0/24", "stays"))
    for count in range(500):
        base = merged(base, listing(1, "203.0.113.7", f"reason {count}"))
    assert len(base.terms) < 100
    assert [one.reason for one in all_of(base)] == ["reason 499", "stays"]


def test_a_merge_stops_for_breath() -> None:
    """At least once for every few hundred changes, whatever the size of the base."""
    base = built(
        *(listing(number + 1, f"203.0.{number >> 8}.{number & 255}") for number in range(9000))
    )
    pauses: list[None] = []
    new = [
        listing(20000 + number, f"198.51.{number >> 8}.{number & 255}") for number in range(3000)
    ]
    replaced = {
        place_of(one.target): (one,) for one in new if isinstance(one.target, NetworkTarget)
    }
    wide = base.merged(replaced, pause=lambda: pauses.append(None))
    assert len(wide) == 12000
    assert len(pauses) >= 12


def test_networks_that_begin_at_one_address() -> None:
    """Each is found and replaced on its own, the narrowest one decides."""
    nested = [listing(number, f"203.0.112.0/{prefix}") for number, prefix in
              enumerate([20, 24, 21, 30, 32, 22], start=1)]  # fmt: skip
    base = built(*nested)
    changed = [replace(one, id=one.id + 10) for one in nested[1::2]]
    for wide, numbers in (
        (base, {1, 2, 3, 4, 5, 6}),
        (merged(base, *changed), {1, 12, 3, 14, 5, 16}),
    ):
        assert {one.id for one in all_of(wide)} == numbers
        around = wide.around(parse_network("203.0.112.0").first)
        order = [rows.listing(row, 32, 1, 0).target.specificity for rows, row in around]
        assert order == [32, 30, 24, 22, 21, 20]
    for one in changed:
        assert isinstance(one.target, NetworkTarget)
        assert merged(base, *changed).exactly(place_of(one.target), 1, 0) == (one,)


@pytest.mark.parametrize("bits", BITS)
def test_an_empty_base(bits: int) -> None:
    """Finds nothing and merges to nothing."""
    base = empty_base(bits)
    assert (len(base), base.find(0, 0.0), base.find((1 << bits) - 1, 0.0)) == (0, None, None)
    assert len(base.merged({(0, 1): ()})) == 0


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(20, 31)), max_size=40))
def test_a_parent_is_the_next_network_around(drawn: list[tuple[int, int]]) -> None:
    """So that a search takes as many steps as networks nest, not as many as there are."""
    targets = {NetworkTarget(4, low << 8 >> (32 - prefix) << (32 - prefix), prefix)
               for low, prefix in drawn}  # fmt: skip
    base = built(*(listing(number, one.text) for number, one in enumerate(targets, start=1)))
    rows = base.networks
    known = [rows.listing(row, 32, 1, 0).target for row in range(len(rows))]
    for row, target in enumerate(known):
        assert isinstance(target, NetworkTarget)
        around = [
            other
            for other in known
            if isinstance(other, NetworkTarget)
            if other.prefix < target.prefix and other.covers(4, target.first)
        ]
        parent = rows.parents[row]
        expected = max(around, key=lambda other: other.prefix, default=None)
        assert (None if parent < 0 else known[parent]) == expected
