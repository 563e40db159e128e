"""The client of a request: what it says becomes something that can be looked up, or nothing."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject
from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.policy.clients import Client, client_of, name_of
from mailmum.policy.requests import Request


@given(st.ip_addresses())
def test_addresses(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """In every spelling, both versions."""
    for text in {str(address), address.exploded, str(address).upper()}:
        found = client_of(Request(address=text)).address
        mapped = address.ipv4_mapped if address.version == 6 else None
        assert found is not None
        assert found.address == int(mapped or address)
        assert found.version == (4 if mapped else address.version)


def test_a_mapped_address_is_the_ipv4_address() -> None:
    """As everywhere else."""
    found = client_of(Request(address="::ffff:203.0.113.7")).address
    assert found == AddressSubject(4, 0xCB007107)


@pytest.mark.parametrize(
    "text", ["", "unknown", "203.0.113", "203.0.113.7/32", "[203.0.113.7]", "1" * 5000, "::g"]
)
def test_what_is_no_address(text: str) -> None:
    """Left out."""
    assert client_of(Request(address=text)).address is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mail.spam.example", "mail.spam.example"),
        ("MAIL.Spam.Example.", "mail.spam.example"),
        (" mail.spam.example ", "mail.spam.example"),
        ("-a_.spam.example", "-a_.spam.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("ΣΑΣ.example", "xn--mxa9ab.example"),
        # A domain covers these all the same.
        ("a b.spam.example", "?.spam.example"),
        ("a..spam.example", "a.?.spam.example"),
        ("ü*.spam.example", "?.spam.example"),
        ("\0.top", "?.top"),
        ("x" * 70 + ".top", "x" * 70 + ".top"),
        # No names.
        ("", None),
        (".", None),
        ("[203.0.113.7]", None),
        ("[IPv6:2001:db8::1]", None),
        ("203.0.113.7", None),
        ("x." * 127 + "top", None),
    ],
)
def test_names(text: str, name: str | None) -> None:
    """As a listing would have them, odd labels replaced."""
    assert name_of(text) == (None if name is None else NameSubject(name))


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Never an exception; a name that could be listed is what the listing would say."""
    found = name_of(text)
    try:
        expected = parse_name(text)
    except BadInput:
        assert found is None or found.name == found.name.strip().lower()
    else:
        assert found == NameSubject(expected)


def test_unknown_is_no_name_of_a_client() -> None:
    """It is Postfix's word for none; a HELO may be anything."""
    client = client_of(Request(name="unknown", reverse="unknown", helo="unknown"))
    assert client == Client(None, None, (NameSubject("unknown"),))


def test_which_name_is_which() -> None:
    """The verified name, then the claimed ones, none of them twice."""
    client = client_of(Request(name="a.example", reverse="b.example", helo="A.example"))
    assert client == Client(None, NameSubject("a.example"), (NameSubject("b.example"),))
