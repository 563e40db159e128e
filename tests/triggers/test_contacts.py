"""Whom a contact counts for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.targets import parse_network
from mailmum.traffic.packing import pack_client
from mailmum.triggers.contacts import above, domain_of, unit_of
from mailmum.triggers.rules import Group


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("a.pool.spam.example", ".pool.spam.example"),
        ("mail.spam.example", ".spam.example"),
        ("spam.example", ".spam.example"),
        ("mx.shop.co.uk", ".shop.co.uk"),
        ("shop.co.uk", ".shop.co.uk"),
        ("a.github.io", ".a.github.io"),
        ("mx.a.github.io", ".a.github.io"),
        ("github.io", None),
        ("co.uk", None),
        ("mail.shop.io", ".shop.io"),
        ("example", None),
        ("192.0.2.1", None),
        ("", None),
        (None, None),
        ("a b.example", None),
        ("x" * 300, None),
    ],
)
def test_domains(name: str | None, domain: str | None) -> None:
    """Never a public suffix, never what is no name."""
    found = domain_of(name)
    assert (None if found is None else found.text) == domain


@given(st.text(max_size=300))
def test_whatever_a_name_server_writes(name: str) -> None:
    """A name is a domain of two labels or more, or nothing."""
    found = domain_of(name)
    assert found is None or (found.whole and "." in found.name)


def test_groups_and_what_is_above_them() -> None:
    """Networks as the group has them, and those into which they merge."""
    four, six = pack_client("203.0.113.77"), pack_client("2001:db8:1:2:3::4")
    found = {group: [unit_of(group, one, None) for one in (four, six)] for group in Group}
    assert [one and one.text for one in found[Group.ADDRESS]] == [
        "203.0.113.77",
        "2001:db8:1:2:3::4",
    ]
    assert [one and one.text for one in found[Group.NETWORK]] == [
        "203.0.113.0/24",
        "2001:db8:1:2::/64",
    ]
    assert [one and one.text for one in found[Group.WIDE]] == ["203.0.113.0/24", "2001:db8:1::/48"]
    assert found[Group.DOMAIN] == [None, None]
    assert unit_of(Group.ADDRESS, None, "mail.spam.example") is None
    chain, one = [], above(parse_network("2001:db8:1:2:3::4"))
    while one is not None:
        chain.append(one.text)
        one = above(one)
    assert chain == ["2001:db8:1:2::/64", "2001:db8:1::/48"]
    assert above(parse_network("203.0.113.0/24")) is None
