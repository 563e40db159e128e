"""DNS messages: one bounds-checked reader of queries, one writer of responses.

A name server reads what anybody on the network sends, so the rules of this file are:

- `parse` never raises, whatever it is given.  It says what to do with a packet: answer it
  (`Query`), send back a return code that needs no zone (`Settled`), or keep silent (None).
- Every index into a packet is checked first.  Names are read label by label and end at a root
  label; a query has nothing that a compression pointer in its question could point to, so one
  there is a format error.
- Names keep the case that they were asked in (resolvers put entropy into it); the question is
  copied back byte for byte, and every name in a response that lies below our base is written as a
  pointer into the question.

The reader is generous where the standards ask for it (unknown options and unknown additional
records are skipped) and strict where a lenient answer would hide a fault: bytes after the message,
records in the answer section, two OPT records are format errors.

    >>> query = parse(bytes.fromhex("04d2 0100 0001 0000 0000 0000 03 6e5361 00 0001 0001"))
    >>> query.labels, query.type
    ((b'nSa',), 1)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

HEADER = 12
NAME_LIMIT = 255
LABEL_LIMIT = 63
TTL_LIMIT = 0x7FFF_FFFF

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
BADVERS, BADCOOKIE = 16, 23

A, NS, SOA, TXT, AAAA, OPT, DS = 1, 2, 6, 16, 28, 41, 43
TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY = 249, 250, 251, 252, 253, 254, 255
CLASS_IN = 1

OPTION_COOKIE, OPTION_EDE = 10, 15

_COUNTS = Struct(">4H")
_TWO = Struct(">HH")
_RECORD = Struct(">HHIH")
_LONG_HEADER = Struct(">HH4H")
_OWNER_OF_QUESTION = b"\xc0\x0c"


@dataclass(frozen=True, slots=True)
class Opt:
    """The OPT record of a query (RFC 6891 section 6.1).

    Attributes:
        size: UDP payload the sender takes, in bytes; below 512 is raised to 512.
        version: EDNS version.
        dnssec: the DO bit.
        cookie: data of the first COOKIE option (RFC 7873), or None.
        bare: whether there were no options at all.
    """

    size: int
    version: int = 0
    dnssec: bool = False
    cookie: bytes | None = None
    bare: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """A well-formed query with one question.

    Attributes:
        packet: the whole message.
        labels: of the name asked about, in the case they were sent in, without the root.
        offsets: where each label begins in the packet (at its length byte).
        end: where the question ends.
        type: QTYPE.
        klass: QCLASS.
        opt: the OPT record, if there was one.
        records: how many records the message has besides the question.
    """

    packet: bytes
    labels: tuple[bytes, ...]
    offsets: tuple[int, ...]
    end: int
    type: int
    klass: int
    opt: Opt | None
    records: int

    def at(self, labels_from_end: int) -> int:
        """Where the name of the last so many labels begins; 0 gives the root label."""
        return self.offsets[-labels_from_end] if labels_from_end else self.end - 5


@dataclass(frozen=True, slots=True)
class Settled:
    """A packet whose answer needs no zone: a fault of the sender's, or only a cookie asked for.

    Attributes:
        rcode: the return code, 12 bits.
        kind: a word to count it under.
        end: where the question to copy back ends; `HEADER` when there is none.
        opt: the OPT record as far as it was understood.
    """

    rcode: int
    kind: str
    end: int = HEADER
    opt: Opt | None = None


class _MalformedError(Exception):
    """The packet is not what RFC 1035 section 4.1 describes."""


def parse(packet: bytes) -> Query | Settled | None:
    """Read one packet.

    Returns None for what must not be answered: less than a header, and responses (answering one
    would let two servers talk to each other for ever).
    """
    if len(packet) < HEADER or packet[2] & 0x80:
        return None
    if packet[2] & 0x78:
        return Settled(NOTIMP, "notimp")
    reader = _Reader(packet)
    try:
        return reader.read()
    except _MalformedError:
        return Settled(FORMERR, "formerr", reader.question_end, reader.opt)


class _Reader:
    """Reads one packet from front to back; what was read so far survives a fault."""

    __slots__ = ("at", "labels", "offsets", "opt", "packet", "question_end")

    def __init__(self, packet: bytes) -> None:
        self.packet = packet
        self.at = HEADER
        self.labels: list[bytes] = []
        self.offsets: list[int] = []
        self.question_end = HEADER
        self.opt: Opt | None = None

    def read(self) -> Query | Settled:
        questions, answers, authority, additional = _COUNTS.unpack_from(self.packet, 4)
        if questions > 1 or answers:
            raise _MalformedError
        type_ = klass = 0
        if questions:
            type_, klass = self._read_question()
        for _ in range(authority):
            if self._skip_record() == OPT:
                raise _MalformedError
        for _ in range(additional):
            self._read_additional()
        if self.at != len(self.packet):
            raise _MalformedError
        if self.opt is not None and self.opt.version:
            return Settled(BADVERS, "badvers", self.question_end, self.opt)
        if not questions:
            return self._cookie_only()
        return Query(
            self.packet,
            tuple(self.labels),
            tuple(self.offsets),
            self.question_end,
            type_,
            klass,
            self.opt,
            authority + additional,
        )

    def _cookie_only(self) -> Settled:
        # RFC 7873 section 5.4: the one query without a question asks for a server cookie.
        if self.opt is None or self.opt.cookie is None:
            raise _MalformedError
        return Settled(NOERROR, "cookie", HEADER, self.opt)

    def _read_question(self) -> tuple[int, int]:
        packet, at, size = self.packet, HEADER, len(self.packet)
        while True:
            length = packet[at] if at < size else LABEL_LIMIT + 1
            if length == 0:
                break
            if length > LABEL_LIMIT:
                raise _MalformedError
            self.offsets.append(at)
            self.labels.append(packet[at + 1 : at + 1 + length])
            at += 1 + length
        at += 1
        if at - HEADER > NAME_LIMIT or at + 4 > size:
            raise _MalformedError
        self.at = self.question_end = at + 4
        type_, klass = _TWO.unpack_from(packet, at)
        return type_, klass

    def _skip_owner(self) -> None:
        packet, at, size = self.packet, self.at, len(self.packet)
        while at < size:
            length = packet[at]
            if length >= 0xC0:
                self.at = at + 2
                return
            if length > LABEL_LIMIT:
                break
            at += 1 + length
            if length == 0:
                self.at = at
                return
        raise _MalformedError

    def _skip_record(self) -> int:
        """Step over one record and return its type."""
        self._skip_owner()
        if self.at + 10 > len(self.packet):
            raise _MalformedError
        type_, _, _, length = _RECORD.unpack_from(self.packet, self.at)
        self.at += 10 + length
        if self.at > len(self.packet):
            raise _MalformedError
        return int(type_)

    def _read_additional(self) -> None:
        start = self.at
        if self._skip_record() != OPT:
            return
        if self.opt is not None or self.packet[start]:
            raise _MalformedError
        _, size, flags, length = _RECORD.unpack_from(self.packet, start + 1)
        version, dnssec, size = flags >> 16 & 0xFF, bool(flags & 0x8000), max(size, 512)
        # Known so far, should the options turn out to be malformed.
        self.opt = Opt(size, version, dnssec, None, not length)
        if length and not version:
            cookie = _find_cookie(self.packet[self.at - length : self.at])
            self.opt = Opt(size, version, dnssec, cookie, False)


def _find_cookie(options: bytes) -> bytes | None:
    """The data of the first COOKIE option; of several all but the first are ignored."""
    at, cookie = 0, None
    while at < len(options):
        if at + 4 > len(options):
            raise _MalformedError
        code, length = _TWO.unpack_from(options, at)
        at += 4 + length
        if at > len(options):
            raise _MalformedError
        if code == OPTION_COOKIE and cookie is None:
            # RFC 7873 section 5.2.2: 8 bytes of the client's, then none or 8 to 32 of the server's.
            if length != 8 and not 16 <= length <= 40:
                raise _MalformedError
            cookie = options[at - length : at]
    return cookie


def write(
    packet: bytes,
    end: int,
    rcode: int,
    *,
    answers: Sequence[bytes] = (),
    authority: Sequence[bytes] = (),
    opt: bytes = b"",
    limit: int = 0xFFFF,
) -> bytes:
    """A response to `packet`, whose question ends at `end`.

    The AA bit is set when there are records: all that are ever sent are from zones of ours.

    Args:
        packet: the query; its identifier, opcode, RD bit and question are copied.
        end: `HEADER` to copy no question.
        rcode: the return code; its upper bits go into the OPT record.
        answers: whole records.
        authority: whole records.
        opt: an OPT record, or empty when the query had none.
        limit: bytes that may be sent; a longer response is cut to its question, with TC set.
    """
    counts = (len(answers), len(authority))
    flags = 0x8000 | (packet[2] & 0x79) << 8 | any(counts) << 10 | rcode & 15
    body = b"".join((*answers, *authority))
    if end + len(body) + len(opt) > limit:
        flags, body, counts = flags | 0x0200, b"", (0, 0)
    identifier = packet[0] << 8 | packet[1]
    header = _LONG_HEADER.pack(identifier, flags, end > HEADER, *counts, bool(opt))
    return header + packet[HEADER:end] + body + opt


def record(owner: bytes, type_: int, ttl: int, data: bytes) -> bytes:
    """One resource record of class IN; `owner` is a wire name or a pointer."""
    return owner + _RECORD.pack(type_, CLASS_IN, min(max(ttl, 0), TTL_LIMIT), len(data)) + data


def answer(type_: int, ttl: int, data: bytes) -> bytes:
    """A record whose owner is the name asked about."""
    return record(_OWNER_OF_QUESTION, type_, ttl, data)


def pointer(at: int) -> bytes:
    """A compression pointer to an offset below 16384 (RFC 1035 section 4.1.4)."""
    return bytes((0xC0 | at >> 8, at & 0xFF))


def opt_record(
    size: int, rcode: int, *, dnssec: bool, options: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """An OPT record for a response: our UDP payload size, version 0, DO as it was asked."""
    data = b"".join(_TWO.pack(code, len(value)) + value for code, value in options)
    flags = rcode >> 4 << 24 | dnssec << 15
    return b"\0" + _RECORD.pack(OPT, size, flags, len(data)) + data


def option_head(code: int, size: int) -> bytes:
    """How an option of so many bytes begins in an OPT record."""
    return _TWO.pack(code, size)


def strings(text: bytes) -> bytes:
    """TXT RDATA: the text in character strings of at most 255 bytes.

    UTF-8 sequences are not torn apart, for readers that decode string by string.
    """
    parts, at = [], 0
    while at < len(text):
        end = min(at + 255, len(text))
        while at + 252 < end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(bytes((end - at,)) + text[at:end])
        at = end
    return b"".join(parts) or b"\0"


def encode_labels(labels: Sequence[bytes]) -> bytes:
    """The wire form of labels, the root added.

    Raises:
        ValueError: an empty or overlong label, or an overlong name.
    """
    if not all(0 < len(label) <= LABEL_LIMIT for label in labels):
        raise ValueError("a label must have 1 to 63 bytes")
    encoded = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(encoded) > NAME_LIMIT:
        raise ValueError("a name must not have more than 255 bytes")
    return encoded
