"""Reversed addresses, held against the standard library."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.dns.reverse import Address, Where, read


def labels_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[bytes, ...]:
    """The labels that the standard library gives for a reverse lookup."""
    return tuple(address.reverse_pointer.encode().split(b".")[:-2])


@given(st.ip_addresses())
def test_addresses_are_read(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Every address comes back from its reverse pointer, mapped ones as IPv4."""
    expected = address
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        expected = address.ipv4_mapped
    found = read(labels_of(address))
    assert isinstance(found, Address)
    assert (found.version, found.value) == (expected.version, int(expected))


@given(st.ip_addresses(), st.data())
def test_names_above_addresses(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    """Without its first labels an address is above entries; four nibbles may be both."""
    labels = labels_of(address)
    above = labels[data.draw(st.integers(1, len(labels) - 1)) :]
    found = read(above)
    if len(above) == 4 and all(label.isdigit() for label in above):
        assert isinstance(found, Address)
        assert found.nibbles == int("".join(map(bytes.decode, reversed(above))), 16)
    else:
        assert found is Where.ABOVE


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40))
def test_nonsense_is_nowhere_or_above(labels: list[bytes]) -> None:
    """Any labels are read without an exception; an address has four or 32."""
    found = read(tuple(labels))
    assert not isinstance(found, Address) or len(labels) in (4, 32)


@pytest.mark.parametrize("label", [b"", b"01", b"256", b"+1", b"1_0", b" 1", b"0x1", b"\xd9\xa1"])
def test_octets_are_written_one_way(label: bytes) -> None:
    """No leading zeros, no sign, no digits of other scripts."""
    assert read((label, b"2", b"3", b"4")) is Where.NOWHERE


def test_nibbles_are_told_only_where_they_can_be_meant() -> None:
    """Four octets of one digit each may be the first 16 bits of IPv6 addresses."""
    assert read((b"1", b"0", b"0", b"2")) == Address(4, 0x02000001, 0x2001)
    assert read((b"10", b"0", b"0", b"2")) == Address(4, 0x0200000A, None)
