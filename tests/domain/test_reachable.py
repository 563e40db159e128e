"""Which addresses requests may go to, held against the tables of Python's `ipaddress`."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.reachable import PUBLIC_ONLY, parse_reachable, why_closed

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
_NAT64 = int(ipaddress.IPv6Address("64:ff9b::"))
_MAPPED = int(ipaddress.IPv6Address("::ffff:0:0"))


@given(ADDRESSES)
@example(ipaddress.ip_address("169.254.169.254"))
@example(ipaddress.ip_address("100.100.100.200"))
@example(ipaddress.ip_address("fd00:ec2::254"))
@example(ipaddress.ip_address("0.0.0.0"))
@example(ipaddress.ip_address("255.255.255.255"))
@example(ipaddress.ip_address("::"))
@example(ipaddress.ip_address("fec0::1"))
def test_nothing_is_reached_that_python_calls_not_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Python's tables and ours come from the same registries, read by different people."""
    if why_closed(address) is None:
        assert address.is_global or getattr(address, "ipv4_mapped", None) or _is_nat64(address)
        assert not address.is_multicast
        assert (
            not address.is_reserved or getattr(address, "ipv4_mapped", None) or (_is_nat64(address))
        )


def _is_nat64(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.version == 6 and int(address) >> 32 == _NAT64 >> 32


@given(st.ip_addresses(v=4))
def test_an_address_that_carries_another_is_judged_by_it(address: ipaddress.IPv4Address) -> None:
    """A mapped address and one of NAT64 reach what the IPv4 address reaches."""
    for prefix in (_MAPPED, _NAT64):
        assert why_closed(ipaddress.IPv6Address(prefix | int(address))) == why_closed(address)


@pytest.mark.parametrize(
    "public", ["8.8.8.8", "1.1.1.1", "193.0.6.139", "2606:4700::1111", "2a00:1450:4001::1"]
)
def test_the_public_internet_is_reached(public: str) -> None:
    """Else nothing would be."""
    assert why_closed(ipaddress.ip_address(public)) is None


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("127.8.8.8", "loopback space"),
        ("172.31.255.255", "private space"),
        ("2002:7f00:1::1", "tunnel space"),
        ("2001:0:7f00:1::1", "tunnel space"),
        ("64:ff9b:1::1", "reserved space"),
        ("64:ff9b::10.0.0.1", "private space"),
        ("::127.0.0.1", "reserved space"),
        ("3fff::1", "documentation space"),
    ],
)
def test_the_kind_of_space_is_named(text: str, space: str) -> None:
    """So that a refusal can say why."""
    assert why_closed(ipaddress.ip_address(text)) == space


def test_what_is_named_is_reached() -> None:
    """A host by its name whatever its address, a network by its addresses, mapped ones too."""
    reach = parse_reachable("Lists.Internal, 10.1.0.0/16,2001:db8::/32,127.0.0.1")
    inside = ipaddress.ip_address("192.168.3.4")
    assert reach.why_not("lists.internal", inside) is None
    assert reach.why_not("other.internal", inside) == "private space"
    assert reach.why_not("x", ipaddress.ip_address("10.1.2.3")) is None
    assert reach.why_not("x", ipaddress.ip_address("::ffff:10.1.2.3")) is None
    assert reach.why_not("x", ipaddress.ip_address("10.2.2.3")) == "private space"
    assert PUBLIC_ONLY.why_not("localhost", ipaddress.ip_address("127.0.0.1")) == "loopback space"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "a b", "300.1.1.1", "-x.example"])
def test_what_is_neither_is_refused(text: str) -> None:
    """A slip opens nothing."""
    with pytest.raises(BadInput, match="neither a host"):
        parse_reachable(text)
