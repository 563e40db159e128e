"""The protocol around the answers: headers, EDNS, cookies, truncation, counting, any bytes."""

from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
from dns.edns import GenericOption, OptionType
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.dns.engine import Engine
from mailmum.domain.listings import Action
from tests.dns.world import BASE, NOW, World, ask, make_engine, reverse, zone_of

NAME = f"7.113.0.203.{zone_of('bl')}"
CLIENT = ("192.0.2.1", 4711)


def listed(**options: Any) -> Engine:
    """An engine with one blocked address whose text is long."""
    world = World()
    world.add("203.0.113.7", reason="r" * 300 + "ü" * 200)
    return make_engine(world, **options)


def send(engine: Engine, packet: bytes, *, tcp: bool = False) -> dns.message.Message:
    """The response to raw bytes."""
    wire = engine.handle(packet, CLIENT, NOW, tcp)
    assert wire is not None
    return dns.message.from_wire(wire)


@settings(max_examples=500)
@given(st.data())
def test_any_bytes_get_silence_or_a_response(data: st.DataObject) -> None:
    """Never an exception; a response parses, has the same identifier and QR set."""
    engine = data.draw(st.sampled_from([ENGINE, NO_INDEX, STRICT]))
    packet = bytearray(data.draw(st.sampled_from(SEEDS) | st.binary(max_size=120)))
    for _ in range(data.draw(st.integers(0, 4))):
        if packet:
            packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(packet[: data.draw(st.just(len(packet)) | st.integers(0, len(packet)))])
    tcp = data.draw(st.booleans())
    wire = engine.handle(raw, data.draw(st.sampled_from([CLIENT, None])), NOW, tcp)
    assert (wire is None) == (len(raw) < 12 or bool(raw[2] & 0x80))
    if wire is None:
        return
    response = dns.message.from_wire(wire)
    assert wire[:2] == raw[:2]
    assert response.flags & dns.flags.QR
    assert not response.flags & (dns.flags.RA | dns.flags.AD | dns.flags.CD | 0x0040)
    assert wire[2] & 0x79 == raw[2] & 0x79
    assert tcp or len(wire) <= 1232
    if response.question:
        assert wire[12:].startswith(raw[12 : 12 + len(response.question[0].name.to_wire() or b"")])


ENGINE, STRICT = listed(), listed(require_cookies=True)
NO_INDEX = make_engine(World())
NO_INDEX.index = None
SEEDS = [
    dns.message.make_query(name, type_, **options).to_wire()
    for name in (NAME, f"{reverse('2001:db8::1')}.{zone_of('wl')}", f"a.b.{zone_of('dbl')}", BASE)
    for type_ in ("A", "TXT", "ANY")
    for options in (
        {},
        {"use_edns": 0},
        {"use_edns": 0, "options": [GenericOption(OptionType.COOKIE, b"12345678")]},
        {"use_edns": 0, "want_dnssec": True, "payload": 4096},
    )
]


@given(st.integers(0, 0xFFFF), st.booleans())
def test_only_rd_is_copied_of_the_flags(identifier: int, recursion: bool) -> None:
    """QR and AA set, RA, AD, CD and Z clear, whatever was sent."""
    packet = bytearray(dns.message.make_query(NAME, "A").to_wire())
    packet[:4] = identifier.to_bytes(2, "big") + bytes((0x06 | recursion, 0xF0))
    wire = ENGINE.handle(bytes(packet), CLIENT, NOW, False)
    assert wire is not None
    assert wire[:4] == identifier.to_bytes(2, "big") + bytes((0x84 | recursion, 0))


@pytest.mark.parametrize("opcode", [1, 2, 3, 4, 5, 6, 15])
def test_other_opcodes(opcode: int) -> None:
    """NOTIMP with the opcode copied (RFC 8906 section 8.1.4), also without anything after it."""
    packet = b"\x12\x34" + bytes((opcode << 3, 0)) + bytes(8)
    wire = ENGINE.handle(packet, CLIENT, NOW, False)
    assert wire is not None
    assert wire == b"\x12\x34" + bytes((0x80 | opcode << 3, 4)) + bytes(8)


def test_what_is_not_answered() -> None:
    """Responses and packets shorter than a header: silence, counted."""
    engine = listed()
    query = bytearray(dns.message.make_query(NAME, "A").to_wire())
    for packet in (b"", bytes(query[:11]), bytes([*query[:2], query[2] | 0x80, *query[3:]])):
        assert engine.handle(packet, CLIENT, NOW, False) is None
    assert dict(engine.counters.take().faults) == {"ignored": 3}


@pytest.mark.parametrize("klass", ["CH", "HS", "ANY", "NONE", "CLASS77"])
def test_other_classes_are_refused(klass: str) -> None:
    """Also `version.bind`, which would tell an attacker what to try."""
    for name in ("version.bind", NAME, BASE):
        response = ask(listed(), name, "TXT", rdclass=klass)
        assert response.rcode() == dns.rcode.REFUSED
        assert not response.answer


@pytest.mark.parametrize("type_", ["AXFR", "IXFR"])
@pytest.mark.parametrize("name", [BASE, zone_of("bl"), "example.org"])
def test_transfers_are_refused(name: str, type_: str) -> None:
    """REFUSED, over UDP and TCP."""
    for tcp in (False, True):
        assert ask(listed(), name, type_, tcp=tcp).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(("type_", "rcode"), [(41, 1), (249, 4), (250, 4), (253, 4), (254, 4)])
def test_types_that_cannot_be_asked_for(type_: int, rcode: int) -> None:
    """OPT is no question; TSIG and TKEY need what we do not do; MAILA and MAILB are gone."""
    response = ask(listed(), NAME, dns.rdatatype.to_text(dns.rdatatype.RdataType(type_)))
    assert response.rcode() == rcode


def test_no_opt_in_none_out() -> None:
    """RFC 6891 section 7."""
    assert ask(listed(), NAME, use_edns=-1).edns == -1


@pytest.mark.parametrize("name", [NAME, f"8.113.0.203.{zone_of('bl')}", "example.org", BASE])
@pytest.mark.parametrize("dnssec", [False, True])
def test_opt_in_opt_out(name: str, dnssec: bool) -> None:
    """RFC 6891 section 6.1.1; DO copied, other flags zero, our payload announced."""
    for _ in range(2):
        response = ask(listed(max_udp=1400), name, use_edns=0, want_dnssec=dnssec, ednsflags=0x7ABC)
        assert response.edns == 0
        assert response.ednsflags == (0x8000 if dnssec else 0)
        assert response.payload == 1400


def test_unknown_options_are_ignored() -> None:
    """RFC 6891 section 6.1.2."""
    options = [
        GenericOption(OptionType.make(65001), b"x" * 50),
        GenericOption(OptionType.NSID, b""),
    ]
    response = ask(listed(), NAME, use_edns=0, options=options)
    assert response.answer
    assert not response.options


@pytest.mark.parametrize("version", [1, 2, 255])
def test_higher_edns_versions(version: int) -> None:
    """BADVERS, with our version and without an answer (RFC 6891 section 6.1.3)."""
    response = ask(listed(), NAME, use_edns=version)
    assert response.rcode() == dns.rcode.BADVERS
    assert response.edns == 0
    assert response.question
    assert not response.answer
    assert not response.authority


def test_format_errors_echo_the_question_as_far_as_it_was_read() -> None:
    """FORMERR has the question when that was sound, and an OPT when one was understood."""
    cookie = GenericOption(OptionType.COOKIE, b"123456789")
    response = ask(listed(), NAME, use_edns=0, options=[cookie])
    assert response.rcode() == dns.rcode.FORMERR
    assert response.edns == 0
    short = send(listed(), dns.message.make_query(NAME, "A").to_wire()[:20])
    assert short.rcode() == dns.rcode.FORMERR
    assert not short.question


@pytest.mark.parametrize(
    ("edns", "payload", "whole"),
    [(-1, 0, False), (0, 0, False), (0, 512, False), (0, 900, True), (0, 4096, True)],
)
def test_truncation(edns: int, payload: int, whole: bool) -> None:
    """Over UDP at most what the client takes, below 512 meaning 512; TCP gives the rest."""
    engine = listed()
    options: dict[str, Any] = {"use_edns": edns}
    if edns >= 0:
        options["payload"] = payload
    response = ask(engine, NAME, "TXT", **options)
    assert bool(response.flags & dns.flags.TC) == (not whole)
    assert bool(response.answer) == whole
    assert not response.authority
    by_tcp = ask(engine, NAME, "TXT", tcp=True, **options)
    assert by_tcp.answer
    assert not by_tcp.flags & dns.flags.TC


def test_a_server_never_sends_more_than_it_was_told_over_udp() -> None:
    """max_udp holds although the client would take more."""
    response = ask(listed(max_udp=600), NAME, "TXT", use_edns=0, payload=4096)
    assert response.flags & dns.flags.TC


def cookie_of(response: dns.message.Message) -> bytes:
    """The COOKIE option of a response."""
    (option,) = [option for option in response.options if option.otype == 10]
    return bytes(option.to_wire() or b"")


def with_cookie(cookie: bytes) -> dict[str, Any]:
    """Arguments of make_query for a COOKIE option."""
    return {"use_edns": 0, "options": [GenericOption(OptionType.COOKIE, cookie)]}


def test_cookies_are_given_and_known_again() -> None:
    """A client cookie comes back with ours after it; ours comes back unchanged."""
    engine = listed()
    first = ask(engine, NAME, **with_cookie(b"12345678"))
    assert first.answer
    cookie = cookie_of(first)
    assert cookie[:8] == b"12345678"
    assert len(cookie) == 24
    assert cookie_of(ask(engine, NAME, now=NOW + 5, **with_cookie(cookie))) == cookie


def test_a_bad_server_cookie_is_answered_all_the_same() -> None:
    """Unless it was configured otherwise: with a good one (RFC 7873 section 5.2.4)."""
    response = ask(listed(), NAME, **with_cookie(b"12345678" + bytes(16)))
    assert response.answer
    assert cookie_of(response) != b"12345678" + bytes(16)


def test_cookies_can_be_required() -> None:
    """Then BADCOOKIE over UDP until the client shows ours; TCP and clients without are answered."""
    engine = listed(require_cookies=True)
    refused = ask(engine, NAME, **with_cookie(b"12345678"))
    assert refused.rcode() == dns.rcode.BADCOOKIE
    assert not refused.answer
    assert ask(engine, NAME, **with_cookie(cookie_of(refused))).answer
    assert ask(engine, NAME, tcp=True, **with_cookie(b"12345678")).answer
    assert ask(engine, NAME).answer


def test_a_cookie_alone() -> None:
    """RFC 7873 section 5.4: QDCOUNT 0 and a COOKIE option get NOERROR and a server cookie."""
    query = dns.message.make_query(NAME, "A", **with_cookie(b"12345678"))
    query.question = []
    response = send(listed(), query.to_wire())
    assert response.rcode() == dns.rcode.NOERROR
    assert not response.question
    assert len(cookie_of(response)) == 24


def test_case_is_kept() -> None:
    """The question and the owner of the answer are spelt as they were asked (0x20)."""
    name = "".join(c.upper() if i % 3 else c for i, c in enumerate(NAME))
    for type_ in ("A", "TXT", "AAAA"):
        response = ask(listed(), name, type_, tcp=True)
        assert response.question[0].name.to_text() == f"{name}."
        for rrset in response.answer:
            assert rrset.name.to_text() == f"{name}."
        for rrset in response.authority:
            assert f"{name}.".endswith(rrset.name.to_text())


def test_verdicts_are_counted_by_server_list_and_word() -> None:
    """A queries about a client count, whatever the list; TXT and test entries do not."""
    world = World()
    world.add("203.0.113.7")
    world.add("203.0.113.8", Action.ALLOW)
    engine = make_engine(world)
    for labels in ("7", "7", "8", "9"):
        for kind in ("bl", "wl"):
            ask(engine, f"{labels}.113.0.203.{zone_of(kind)}")
            ask(engine, f"{labels}.113.0.203.{zone_of(kind)}", "TXT")
    ask(engine, f"2.0.0.127.{zone_of('bl')}")
    ask(engine, f"113.0.203.{zone_of('bl')}")
    ask(engine, f"mail.spam.example.{zone_of('dwl')}")
    counted = {(v.list, v.verdict): v.count for v in engine.counters.take().verdicts}
    assert counted == {
        (kind, word): count
        for kind in ("bl", "wl")
        for word, count in (("block", 2), ("allow", 1), ("none", 1))
    } | {("dwl", "none"): 1}
    assert not engine.counters.take()
