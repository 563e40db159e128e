"""Subjects: what a verdict can be asked about."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, parse_subject, subject_of
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import parse_target

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@given(st.ip_addresses())
def test_an_address_is_read_as_the_standard_library_reads_it(address: Address) -> None:
    """From text, in brackets, or parsed already; mapped addresses are IPv4 in every case."""
    v4 = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    plain = address if v4 is None else v4
    expected = AddressSubject(plain.version, int(plain))
    assert parse_subject(str(address)) == expected
    assert parse_subject(f"[{address}]") == expected
    assert subject_of(address) == expected
    assert expected.text == str(plain)


@given(st.ip_addresses())
def test_loopback_is_what_the_standard_library_calls_so(address: Address) -> None:
    """127.0.0.0/8 and ::1, and what is mapped to them."""
    subject = subject_of(address)
    assert subject.is_loopback == ipaddress.ip_address(subject.text).is_loopback


@pytest.mark.parametrize("text", ["127.0.0.2", "127.255.255.255", "::1", "::ffff:127.0.0.1"])
def test_loopback_addresses(text: str) -> None:
    """The machine itself in every way of writing it."""
    assert parse_subject(text).is_loopback


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("mail.localhost", True),
        ("mylocalhost", False),
        ("localhost.example", False),
        ("spam.example", False),
    ],
)
def test_loopback_names(name: str, expected: bool) -> None:
    """RFC 6761 section 6.3."""
    assert NameSubject(name).is_loopback is expected


def test_names() -> None:
    """A name is canonical, and is covered by hosts and domains but never by networks."""
    subject = parse_subject("MAIL.spam.example.")
    assert subject == NameSubject("mail.spam.example")
    assert subject.text == "mail.spam.example"
    covering = ["mail.spam.example", ".spam.example", ".example"]
    others = ["spam.example", ".a.mail.spam.example", "0.0.0.0/0", "::/0"]
    assert all(subject.covered_by(parse_target(text)) for text in covering)
    assert not any(subject.covered_by(parse_target(text)) for text in others)


def test_addresses_are_covered_by_networks_only() -> None:
    """Of their own version."""
    subject = parse_subject("203.0.113.7")
    covering = ["203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", "::ffff:0:0/96"]
    others = ["203.0.113.8", "203.0.112.0/24", "::/0", ".example", "mail.example"]
    assert all(subject.covered_by(parse_target(text)) for text in covering)
    assert not any(subject.covered_by(parse_target(text)) for text in others)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("203.0.113.0/24", "is a network, and a verdict is about one client; give one address"),
        ("203.0.113.7/32", "is a network"),
        ("2001:db8::/32", "such as 2001:db8::"),
        ("203.0.113", "is not an address"),
        ("", "the client is empty"),
        ("a b", "may only have letters"),
    ],
)
def test_what_is_no_subject_is_refused(text: str, message: str) -> None:
    """Networks too, with a hint."""
    with pytest.raises(BadInput, match=message):
        parse_subject(text)


@given(st.text(max_size=60))
def test_any_text_is_a_subject_or_refused(text: str) -> None:
    """Nothing else is raised, and what is read reads back from its text."""
    try:
        subject = parse_subject(text)
    except BadInput:
        return
    assert parse_subject(subject.text) == subject
