"""Exceptions taken out of lists, held against asking every address."""

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.carving import carve
from mailmum.domain.targets import NameTarget, NetworkTarget, Target, parse_target

_FIRST = 0xC0000200
NETWORKS = st.builds(
    lambda low, prefix: NetworkTarget(4, (_FIRST | low) >> (32 - prefix) << (32 - prefix), prefix),
    st.integers(0, 31),
    st.integers(26, 32),
)


def decides(address: int, targets: list[NetworkTarget]) -> int:
    """The longest prefix that covers an address, -1 for none."""
    return max((one.prefix for one in targets if one.covers(4, address)), default=-1)


@given(st.lists(NETWORKS, max_size=6), st.lists(NETWORKS, max_size=4))
def test_the_narrowest_decides(listed: list[NetworkTarget], holes: list[NetworkTarget]) -> None:
    """An address is left exactly where an entry is narrower than every exception."""
    left = list(carve(listed, holes))
    for address in range(_FIRST, _FIRST + 64):
        expected = decides(address, listed) > decides(address, holes)
        assert any(one.covers(4, address) for one in left if not isinstance(one, NameTarget)) == (
            expected
        )


def test_without_exceptions_all_stays_as_it_is() -> None:
    """Not one row more."""
    listed: list[Target] = [parse_target(text) for text in ("192.0.2.0/24", ".top", "a.example")]
    assert list(carve(listed, [])) == listed


def test_names_with_an_exception_are_left_out() -> None:
    """A domain cannot be had without a name below it."""
    listed = [parse_target(text) for text in (".spam.example", ".other.example", "b.spam.example")]
    left = carve(listed, [parse_target("good.a.spam.example")])
    assert [one.text for one in left] == [".other.example", "b.spam.example"]
    left = carve(listed, [parse_target("other.example"), parse_target("b.spam.example")])
    assert [one.text for one in left] == []


def test_a_hole_in_a_wide_ipv6_network_leaves_few_rows() -> None:
    """One for each bit between."""
    left = list(carve([parse_target("2001:db8::/32")], [parse_target("2001:db8::1")]))
    assert len(left) == 96
