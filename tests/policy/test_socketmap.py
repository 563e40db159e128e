"""Netstrings of socketmap: fed whole, in pieces and with garbage; and what is looked up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.policy.requests import Fault
from mailmum.policy.socketmap import LOOKUP_LIMIT, Lookup, Lookups, found, request_of

KEY = "k7dqpmw2x4hnt9ab"
words = st.text(st.characters(codec="utf-8", exclude_characters=" "), max_size=30)


def netstring(text: bytes) -> bytes:
    """As the specification of netstrings has it."""
    return str(len(text)).encode() + b":" + text + b","


@given(st.lists(st.tuples(words, st.text(max_size=60)), max_size=5), st.data())
def test_lookups_come_whole_in_whatever_pieces(
    sent: list[tuple[str, str]], data: st.DataObject
) -> None:
    """A stream cut anywhere gives what went in."""
    stream = b"".join(netstring(f"{name} {key}".encode()) for name, key in sent)
    lookups, seen, at = Lookups(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        seen += lookups.feed(stream[at : at + size])
        at += size
    assert seen == [Lookup(*one) for one in sent]
    assert lookups.fault is None
    assert not lookups.unfinished


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_garbage_breaks_the_connection_or_waits(pieces: list[bytes]) -> None:
    """Nothing raises, and nothing is kept of what is broken."""
    lookups = Lookups()
    for piece in pieces:
        lookups.feed(piece)
        assert len(lookups._buffer) <= LOOKUP_LIMIT + 10
    if lookups.fault is not None:
        assert lookups.feed(netstring(b"map key")) == []
        assert not lookups.unfinished


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"x", Fault.MALFORMED),
        (b":", Fault.MALFORMED),
        (b"-1:", Fault.MALFORMED),
        (b"99999", Fault.MALFORMED),
        (b"123456:", Fault.MALFORMED),
        (b"4097:", Fault.TOO_LONG),
        (b"7:map key;", Fault.MALFORMED),
        (b"3:map,", Fault.MALFORMED),
        (b"7:map key,7:map", None),
    ],
)
def test_faults(stream: bytes, fault: Fault | None) -> None:
    """As soon as they can be told."""
    lookups = Lookups()
    lookups.feed(stream)
    assert lookups.fault == fault


@pytest.mark.parametrize(
    ("key", "address", "name"),
    [
        ("203.0.113.7", "203.0.113.7", "unknown"),
        ("2001:db8::7", "2001:db8::7", "unknown"),
        ("mail.spam.example", "", "mail.spam.example"),
        ("203.0.113", None, None),
        ("203", None, None),
        ("2001:db8", None, None),
        (".spam.example", None, None),
        ("", None, None),
        ("[203.0.113.7]", None, None),
    ],
)
def test_what_is_looked_up(key: str, address: str | None, name: str | None) -> None:
    """Addresses and names; what lies around them is not found."""
    request = request_of(Lookup(KEY, key), None)
    assert (request and request.address, request and request.name) == (address, name)
    if request is not None:
        assert request.context == KEY


def test_domains_above_a_name_that_was_looked_up() -> None:
    """They are asked for its sake; for another map or a name that is no parent they are names."""
    before = Lookup(KEY, "a.Spam.example")
    assert request_of(Lookup(KEY, "spam.example"), before) is None
    assert request_of(Lookup(KEY, "example"), Lookup(KEY, "spam.example")) is None
    assert request_of(Lookup("other", "spam.example"), before) is not None
    assert request_of(Lookup(KEY, "pam.example"), before) is not None
    assert request_of(Lookup(KEY, "a.spam.example"), before) is not None


@given(st.binary(max_size=500))
def test_replies_are_netstrings(action: bytes) -> None:
    """With the length of what they carry."""
    reply = found(action)
    size, _, rest = reply.partition(b":")
    assert rest == b"OK " + action + b","
    assert int(size) == len(action) + 3
