"""The policy protocol: requests fed whole, byte by byte, and with garbage."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.policy.requests import REQUEST_LIMIT, Fault, Parser, Request

# As SMTPD_POLICY_README shows it, with documentation values.
SENT_BY_POSTFIX = b"""\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=203.0.113.7
client_name=mail.visitor.example
client_port=1234
reverse_client_name=mail.visitor.example
server_address=192.0.2.25
server_port=25
helo_name=helo.visitor.example
sender=someone@sender.example
recipient=owner@example.net
recipient_count=0
queue_id=
instance=123.456.7
size=12345
etrn_domain=
stress=
sasl_method=
sasl_username=
sasl_sender=
ccert_subject=solaris9.example+20net
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
policy_context=k7f3q9x2m4t8aaaa

"""
READ = Request(
    kind="smtpd_access_policy",
    context="k7f3q9x2m4t8aaaa",
    address="203.0.113.7",
    name="mail.visitor.example",
    reverse="mail.visitor.example",
    helo="helo.visitor.example",
    instance="123.456.7",
    sender="someone@sender.example",
    recipient="owner@example.net",
)
NAMES = {
    "request": "kind",
    "policy_context": "context",
    "client_address": "address",
    "client_name": "name",
    "reverse_client_name": "reverse",
    "helo_name": "helo",
    "instance": "instance",
    "sender": "sender",
    "recipient": "recipient",
    "size": None,
    "stress": None,
}

VALUES = st.text(st.characters(exclude_characters="\n\0", codec="utf-8"), max_size=12)
ATTRIBUTES = st.lists(st.tuples(st.sampled_from(sorted(NAMES)), VALUES), min_size=1, max_size=8)
# Bytes of which requests consist, so that garbage comes close to them.
NEARLY = st.lists(
    st.sampled_from([b"\n", b"\n\n", b"=", b"request=", b"client_name=", b"a", b"\0", b"\xff\xfe"]),
    max_size=25,
).map(b"".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut at some places."""
    borders = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


def feed(parts: list[bytes]) -> tuple[list[Request], Fault | None]:
    """What a parser makes of pieces."""
    parser = Parser()
    found = [request for part in parts for request in parser.feed(part)]
    return found, parser.fault


def test_what_postfix_sends() -> None:
    """Whole, byte by byte, and two in one piece."""
    assert feed([SENT_BY_POSTFIX]) == ([READ], None)
    assert feed([bytes([byte]) for byte in SENT_BY_POSTFIX]) == ([READ], None)
    assert feed([SENT_BY_POSTFIX * 2]) == ([READ, READ], None)


@given(st.lists(ATTRIBUTES, max_size=4), st.lists(st.integers(0, 1000), max_size=6))
def test_requests_however_they_are_cut(sent: list[list[tuple[str, str]]], cuts: list[int]) -> None:
    """Of an attribute that comes twice the first counts; an equals sign may stand in a value."""
    data, expected = b"", []
    for attributes in sent:
        data += "".join(f"{name}={value}\n" for name, value in attributes).encode() + b"\n"
        known = {NAMES[name]: value for name, value in reversed(attributes)}
        known.pop(None, None)
        expected.append(Request(**{str(name): value for name, value in known.items()}))
    assert feed([data]) == (expected, None)
    assert feed(pieces(data, cuts)) == (expected, None)


@given(st.one_of(NEARLY, st.binary(max_size=60)), st.lists(st.integers(0, 100), max_size=8))
def test_garbage_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    """Never an exception, and the same outcome for whole and split."""
    whole = feed([data])
    assert feed(pieces(data, cuts)) == whole
    assert feed([bytes([byte]) for byte in data]) == whole


@pytest.mark.parametrize(
    "garbage", [b"\n", b"\n\n", b"no equals sign\n\n", b"=no name\n\n", b"a=b\n{\n\n"]
)
def test_a_fault_ends_it(garbage: bytes) -> None:
    """What came before is given, what comes after is not read."""
    parser = Parser()
    assert parser.feed(SENT_BY_POSTFIX + garbage) == [READ]
    assert parser.fault is Fault.MALFORMED
    assert parser.feed(SENT_BY_POSTFIX) == []
    assert not parser.unfinished


@pytest.mark.parametrize("step", [1000, 65_536, 1_000_000])
@pytest.mark.parametrize(("excess", "fits"), [(0, True), (1, False)])
def test_a_request_is_bounded(excess: int, fits: bool, step: int) -> None:
    """To the byte, in one line or in many, however it arrives."""
    head = b"client_address=203.0.113.7\n"
    for line in (b"size=%b\n" % (b"x" * 50_000), b"size=x\n" * 5000):
        fill = REQUEST_LIMIT + excess - len(head) - len(line)
        data = head + line + b"queue_id=".ljust(fill - 1, b"y") + b"\n\n"
        found, fault = feed([data[at : at + step] for at in range(0, len(data), step)])
        assert found == ([Request(address="203.0.113.7")] if fits else [])
        assert fault is (None if fits else Fault.TOO_LONG)


def test_a_line_without_end_takes_no_memory() -> None:
    """The connection is broken at the limit and what came is let go."""
    parser = Parser()
    for _ in range(100):
        assert parser.feed(b"x" * 10_000) == []
    assert parser.fault is Fault.TOO_LONG
    assert not parser.unfinished


def test_a_request_that_has_begun_is_known_as_such() -> None:
    """So that a client that does not go on can be told from an idle one."""
    parser = Parser()
    known = [parser.unfinished]
    for piece in (SENT_BY_POSTFIX[:1], SENT_BY_POSTFIX[1:-1], SENT_BY_POSTFIX[-1:]):
        parser.feed(piece)
        known.append(parser.unfinished)
    assert known == [False, True, True, False]


def test_values_that_are_no_utf8() -> None:
    """They are read with replacement characters: no name and no key has one."""
    parsed = Parser().feed(b"helo_name=\xff.example\n\n")
    assert parsed == [Request(helo="\ufffd.example")]
