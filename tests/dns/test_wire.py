"""The reader of queries and the writer of responses, held against dnspython."""

from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailmum.dns import wire
from mailmum.dns.wire import Query, Settled

LABELS = st.binary(min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=8).filter(lambda labels: sum(len(x) + 1 for x in labels) < 255)
TYPES = st.integers(0, 0xFFFF)
OTHER_OPTIONS = st.builds(dns.edns.GenericOption, st.integers(20, 0xFFFF), st.binary(max_size=40))
COOKIES = st.binary(min_size=8, max_size=8) | st.binary(min_size=16, max_size=40)


def cookie_option(data: bytes) -> dns.edns.GenericOption:
    """A COOKIE option with any data."""
    return dns.edns.GenericOption(dns.edns.OptionType.COOKIE, data)


@st.composite
def edns(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of make_query for an OPT record, and the cookie that is in it."""
    cookie = draw(st.none() | COOKIES)
    options = draw(st.lists(OTHER_OPTIONS, max_size=3))
    if cookie is not None:
        options.insert(
            draw(st.integers(0, len(options))),
            cookie_option(cookie),
        )
    return {
        "use_edns": 0,
        "want_dnssec": draw(st.booleans()),
        "payload": draw(st.integers(0, 0xFFFF)),
        "options": options,
    }


def header(flags: int = 0, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    """A header with identifier 0x1234."""
    return b"\x12\x34" + b"".join(number.to_bytes(2, "big") for number in (flags, *counts))


QUESTION = b"\x04mail\x04spam\x07example\x00\x00\x01\x00\x01"
RECORD = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x02"
OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


@given(NAMES, TYPES, TYPES, st.none() | edns())
def test_a_query_is_read_as_dnspython_wrote_it(
    labels: list[bytes], type_: int, klass: int, options: dict[str, Any] | None
) -> None:
    """Name, type, class, OPT fields and cookie come back as dnspython was given them."""
    message = dns.message.Message()
    message.flags = dns.flags.RD
    name = dns.name.Name([*labels, b""])
    message.question = [
        dns.rrset.RRset(name, dns.rdataclass.RdataClass(klass), dns.rdatatype.RdataType(type_))
    ]
    if options is not None:
        message.use_edns(
            0,
            int(bool(options["want_dnssec"])) << 15,
            options["payload"],
            options=options["options"],
        )
    query = wire.parse(message.to_wire())
    assert isinstance(query, Query)
    assert query.labels == tuple(labels)
    assert (query.type, query.klass) == (type_, klass)
    assert query.records == (options is not None)
    if options is None:
        assert query.opt is None
        return
    assert query.opt is not None
    cookies = [option.data for option in message.options if option.otype == 10]
    assert query.opt.cookie == (cookies[0] if cookies else None)
    assert query.opt.size == max(512, message.payload)
    assert query.opt.dnssec == bool(options["want_dnssec"])
    assert query.opt.bare == (not message.options)


@given(st.lists(LABELS, min_size=1, max_size=6))
def test_offsets_name_each_suffix(labels: list[bytes]) -> None:
    """`at(n)` is where the last n labels begin, as dnspython reads a name from there."""
    if sum(len(label) + 1 for label in labels) >= 255:
        return
    packet = dns.message.make_query(dns.name.Name([*labels, b""]), "A").to_wire()
    query = wire.parse(packet)
    assert isinstance(query, Query)
    for count in range(len(labels) + 1):
        name, _ = dns.name.from_wire(packet, query.at(count))
        assert name.labels[:-1] == tuple(labels[len(labels) - count :])


@given(st.binary(max_size=80), st.binary(max_size=60))
@example(b"", b"\x00")
def test_garbage_is_answered_or_ignored_but_never_raises(head: bytes, tail: bytes) -> None:
    """Any bytes give a query, a return code, or silence; silence exactly for what is no query."""
    packet = head + tail
    parsed = wire.parse(packet)
    assert (parsed is None) == (len(packet) < 12 or bool(packet[2] & 0x80))


@given(st.data())
def test_a_damaged_query_never_raises(data: st.DataObject) -> None:
    """A valid query cut short or with bytes changed is a query of the same shape or a fault."""
    packet = bytearray(header(counts=(1, 0, 0, 1)) + QUESTION + OPT)
    for _ in range(data.draw(st.integers(0, 3))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(packet[: data.draw(st.integers(0, len(packet)))])
    parsed = wire.parse(cut)
    if isinstance(parsed, Query):
        name, used = dns.name.from_wire(cut, 12)
        assert name.labels[:-1] == parsed.labels
        assert parsed.end == 12 + used + 4


@pytest.mark.parametrize("size", range(12, 12 + len(QUESTION) + len(OPT)))
def test_every_truncation_is_a_format_error(size: int) -> None:
    """A query cut anywhere after its header is FORMERR."""
    parsed = wire.parse((header(counts=(1, 0, 0, 1)) + QUESTION + OPT)[:size])
    assert isinstance(parsed, Settled)
    assert parsed.rcode == wire.FORMERR


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (header(counts=(0, 0, 0, 0)), "no question"),
        (header(counts=(2, 0, 0, 0)) + QUESTION * 2, "two questions"),
        (header() + b"\xc0\x0c\x00\x01\x00\x01", "a pointer as name"),
        (header() + b"\x04mail\xc0\x0c\x00\x01\x00\x01", "a pointer after a label"),
        (header() + b"\x40" + b"a" * 64 + b"\x00\x00\x01\x00\x01", "a label type of 64"),
        (header() + (b"\x3f" + b"a" * 63) * 4 + b"\x00\x00\x01\x00\x01", "a name of 257 bytes"),
        (header() + QUESTION + b"x", "a byte too many"),
        (header(counts=(1, 0, 0, 2)) + QUESTION + OPT * 2, "two OPT records"),
        (header(counts=(1, 0, 0, 1)) + QUESTION + b"\x01a" + OPT, "an OPT record with an owner"),
        (header(counts=(1, 0, 1, 0)) + QUESTION + OPT, "OPT in the authority section"),
        (header(counts=(1, 1, 0, 0)) + QUESTION + RECORD, "a record in the answer section"),
        (
            header(counts=(1, 1, 0, 0)) + QUESTION,
            "a record in the answer section that is not there",
        ),
        (header(counts=(1, 0, 0, 1)) + QUESTION + OPT[:-1] + b"\x03\x00\x0a\x00", "half an option"),
        (
            header(counts=(1, 0, 0, 1)) + QUESTION + OPT[:-1] + b"\x05\x00\x14\x00\x09x",
            "an option longer than the record",
        ),
    ],
)
def test_malformed_queries(packet: bytes, why: str) -> None:
    """What RFC 1035, 6891 and 7873 forbid is FORMERR."""
    parsed = wire.parse(packet)
    assert isinstance(parsed, Settled), why
    assert parsed.rcode == wire.FORMERR, why


@pytest.mark.parametrize("size", [*range(8), *range(9, 16), 41, 60])
def test_a_cookie_of_a_wrong_length_is_malformed(size: int) -> None:
    """RFC 7873 section 5.2.2: 8 bytes, or 16 to 40."""
    message = dns.message.make_query(
        "mail.spam.example",
        "A",
        use_edns=0,
        options=[cookie_option(bytes(size))],
    )
    parsed = wire.parse(message.to_wire())
    assert isinstance(parsed, Settled)
    assert parsed.rcode == wire.FORMERR
    assert parsed.opt is not None


def test_of_several_cookies_the_first_counts() -> None:
    """RFC 7873 section 5.2; the others must be well-formed all the same."""
    first, second = cookie_option(b"12345678"), cookie_option(b"87654321")
    message = dns.message.make_query("mail.example", "A", use_edns=0, options=[first, second])
    query = wire.parse(message.to_wire())
    assert isinstance(query, Query)
    assert query.opt is not None
    assert query.opt.cookie == b"12345678"


def test_records_in_other_sections_are_stepped_over() -> None:
    """An IXFR query has a SOA record in its authority section."""
    query = wire.parse(header(counts=(1, 0, 1, 1)) + QUESTION + RECORD + RECORD)
    assert isinstance(query, Query)
    assert query.records == 2


def test_the_longest_name_is_read() -> None:
    """A name of 255 bytes is allowed, one of 256 is not."""
    labels = [b"a" * 63] * 3 + [b"b" * 61]
    packet = dns.message.make_query(dns.name.Name([*labels, b""]), "A").to_wire()
    assert isinstance(wire.parse(packet), Query)
    longer = packet.replace(b"\x3d" + b"b" * 61, b"\x3e" + b"b" * 62)
    assert isinstance(wire.parse(longer), Settled)


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_are_not_implemented(opcode: int) -> None:
    """NOTIMP, whatever follows the header."""
    parsed = wire.parse(header(opcode << 11) + b"garbage")
    assert parsed == Settled(wire.NOTIMP, "notimp")


def test_a_higher_edns_version_is_refused_without_reading_its_options() -> None:
    """BADVERS; what the options of another version look like is unknown."""
    opt = b"\x00\x00\x29\x04\xd0\x00\x01\x80\x00\x00\x03abc"
    parsed = wire.parse(header(counts=(1, 0, 0, 1)) + QUESTION + opt)
    assert isinstance(parsed, Settled)
    assert parsed.rcode == wire.BADVERS
    assert parsed.opt is not None
    assert parsed.opt.dnssec


def test_a_query_for_a_cookie_alone() -> None:
    """RFC 7873 section 5.4: no question, but a COOKIE option."""
    cookie = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x0812345678"
    parsed = wire.parse(header(counts=(0, 0, 0, 1)) + cookie)
    assert isinstance(parsed, Settled)
    assert (parsed.rcode, parsed.kind) == (wire.NOERROR, "cookie")
    bare = wire.parse(header(counts=(0, 0, 0, 1)) + OPT)
    assert isinstance(bare, Settled)
    assert bare.rcode == wire.FORMERR


def test_signed_queries_are_read_as_if_unsigned() -> None:
    """A TSIG record is an additional record like any other."""
    message = dns.message.make_query("mail.spam.example", "A", use_edns=0)
    message.use_tsig(dns.tsigkeyring.from_text({"name.example": "c2VjcmV0"}), "name.example")
    query = wire.parse(message.to_wire())
    assert isinstance(query, Query)
    assert query.records == 2


@given(st.text(max_size=900))
def test_text_is_split_into_strings(text: str) -> None:
    """Character strings join to the text, none is over 255 bytes, each is UTF-8 of its own."""
    encoded = text.encode("utf-8", "replace")
    data = wire.strings(encoded)
    parts, at = [], 0
    while at < len(data):
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    assert b"".join(parts) == encoded
    for part in parts:
        part.decode("utf-8")


@given(st.binary(max_size=900))
def test_any_bytes_are_split_into_strings(text: bytes) -> None:
    """The same for bytes that are no UTF-8, without the last promise."""
    data = wire.strings(text)
    joined, at = b"", 0
    while at < len(data):
        joined += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    assert joined == text


def test_a_response_too_long_is_cut_to_its_question() -> None:
    """TC is set, AA and OPT stay, the records go."""
    packet = header(0x0100) + QUESTION
    record = wire.answer(wire.TXT, 60, wire.strings(b"x" * 250))
    opt = wire.opt_record(1232, 0, dnssec=False)
    end = len(packet)
    whole = wire.write(packet, end, 0, answers=(record, record), opt=opt, limit=1000)
    exact = wire.write(packet, end, 0, answers=(record, record), opt=opt, limit=len(whole))
    short = wire.write(packet, end, 0, answers=(record, record), opt=opt, limit=len(whole) - 1)
    assert exact == whole
    message = dns.message.from_wire(short)
    assert message.flags & dns.flags.TC
    assert message.flags & dns.flags.AA
    assert not message.answer
    assert message.edns == 0
    assert len(short) < 512


@pytest.mark.parametrize("labels", [[b""], [b"a", b"", b"b"], [b"a" * 64], [b"a" * 63] * 4])
def test_impossible_names_are_not_encoded(labels: list[bytes]) -> None:
    """Empty and overlong labels and overlong names raise ValueError."""
    with pytest.raises(ValueError, match="must"):
        wire.encode_labels(labels)
