"""Clients as bytes and names reversed, held against the standard library."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.targets import parse_network
from mailmum.traffic.packing import (
    Packer,
    bounds,
    client_text,
    pack_client,
    plain_name,
    reversed_name,
)

ADDRESSES = st.ip_addresses(v=4) | st.ip_addresses(v=6)
LABELS = st.text("abcxyz0129-_", min_size=1, max_size=8)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)


@given(ADDRESSES)
def test_an_address_comes_back(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """In canonical text; a mapped one as the IPv4 address that it is."""
    packed = pack_client(str(address))
    assert packed is not None
    assert len(packed) == 16
    mapped = address.ipv4_mapped if address.version == 6 else None
    assert client_text(packed) == str(mapped or address)


@given(st.text() | st.text("0123456789.:abcdef%/ ", max_size=20))
def test_what_is_no_address_is_none(text: str) -> None:
    """Exactly what the standard library refuses, and zone identifiers."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert pack_client(text) is None
    else:
        assert pack_client(text) is not None or "%" in text


@given(ADDRESSES, st.integers(0, 128), ADDRESSES)
def test_a_network_is_one_stretch(
    base: ipaddress.IPv4Address | ipaddress.IPv6Address,
    prefix: int,
    other: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """A client lies in it exactly when it lies between the bounds."""
    net = ipaddress.ip_network((base, min(prefix, base.max_prefixlen)), strict=False)
    if net.version == 6 and net.overlaps(ipaddress.ip_network("::ffff:0:0/96")):
        return  # IPv4 in IPv6's clothes
    first, last = bounds(parse_network(str(net)))
    packed = pack_client(str(other))
    assert packed is not None
    if other.version == 6 and other.ipv4_mapped is not None:
        other = other.ipv4_mapped
    assert (first <= packed <= last) == (other in net)


def test_a_packer_remembers_and_forgets() -> None:
    """It answers the same whether it knows the client or not, in bounded memory."""
    packer = Packer()
    many = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(70_000)]
    assert packer.pack_all(many) == [pack_client(text) for text in many]
    assert packer.pack_all(["203.0.113.7", None, "", "x", "203.0.113.7"]) == [
        pack_client("203.0.113.7"),
        None,
        None,
        None,
        pack_client("203.0.113.7"),
    ]


@given(NAMES)
def test_a_name_comes_back(name: str) -> None:
    """And lies under its own domain as text, too."""
    reverse = reversed_name(name)
    assert plain_name(reverse) == name
    assert reverse == reversed_name(f"{name.upper()}.")
    assert reversed_name(f"www.{name}").startswith(reverse)
