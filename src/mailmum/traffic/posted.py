r"""What programs post that ship logs, as plain lines of a log.

    text/plain                              lines as they stand in the log
    application/octet-stream                the same, cut anywhere: the next body goes on with it
    application/x-ndjson, application/json  an object a line, or an array of them: as Vector and
                                            journalctl write them

An object with `MESSAGE` is an entry of the systemd journal and stays as it is.  One with `message`
holds a line, or its text alone with the header in other fields; then the header is put together
again.  Whatever is not understood is passed on as it came: whoever reads the lines counts it, and
one bad line costs no other.

    >>> list_lines(b'{"message":"a"}\n{"message":"b"}', "application/x-ndjson")
    b'a\nb\n'
"""

import json
import zlib
from typing import Any

from mailmum.domain.errors import BadInput

INFLATED = 16 * 1024 * 1024
"""Bytes that a body may have at most when it has been decompressed."""
_PIECE = 4096
_HEADER_LIMIT = 255
_JSON = ("application/json", "application/x-ndjson", "application/jsonl", "application/ndjson")


class TooLarge(BadInput):
    """The body holds more than is taken at once."""

    code = "too-large"


def inflate(body: bytes, encoding: str, most: int = INFLATED) -> bytes:
    """The body as it was before its content encoding; never more than `most` bytes are made of it.

    Raises:
        BadInput: the encoding is not known, or the body is not of it.
        TooLarge: it holds more.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _bounded(body, most)
    if encoding not in ("gzip", "x-gzip"):
        raise BadInput("only gzip is taken as a content encoding", fix="send gzip, or plain text")
    try:
        return _bounded(_gunzip(body, most + 1), most)
    except zlib.error:
        raise _not_gzip() from None


def _gunzip(body: bytes, most: int) -> bytes:
    """At most so many bytes of what gzip has packed (RFC 1952, several members too).

    It is read in small pieces: what follows a member is copied by the library, and with thousands
    of empty members in one piece that would take minutes.

    Raises:
        zlib.error: it is not whole, or not packed by gzip.
    """
    found = bytearray()
    member = zlib.decompressobj(wbits=31)
    for at in range(0, len(body), _PIECE):
        rest = body[at : at + _PIECE]
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            found += member.decompress(rest, most - len(found))
            if len(found) >= most:
                return bytes(found)
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if body and not member.eof:
        raise zlib.error("it breaks off")
    return bytes(found)


def list_lines(body: bytes, content_type: str) -> bytes:
    """What stands in the log that a body holds."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _JSON:
        return b"".join(_line_of(item) + b"\n" for item in _items(body))
    whole = kind == "application/octet-stream" or body.endswith(b"\n") or not body
    return body if whole else body + b"\n"


def _bounded(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise TooLarge(
            f"the body holds more than {most // (1024 * 1024)} MiB", fix="send smaller batches"
        )
    return body


def _not_gzip() -> BadInput:
    return BadInput("the body is not gzip, or is cut off", fix="send it again")


def _items(body: bytes) -> list[tuple[bytes, Any]]:
    """Each object as it came and as it was read, None for what is no JSON."""
    if body.lstrip()[:1] == b"[":
        whole = _parsed(body)
        if isinstance(whole, list):
            return [(json.dumps(one).encode(), one) for one in whole]
    return [(line, _parsed(line)) for line in body.split(b"\n") if line.strip()]


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _line_of(item: tuple[bytes, Any]) -> bytes:
    raw, given = item
    if not isinstance(given, dict) or "MESSAGE" in given:
        return raw
    message = given.get("message")
    if not isinstance(message, str):
        return raw
    text = _header(given) + " ".join(message.splitlines())
    return text.encode(errors="replace")


def _header(given: dict[str, Any]) -> str:
    """The header of a message whose parts stand in fields of their own, as syslog writes it."""
    program = _word(given, "SYSLOG_IDENTIFIER", "appname")
    moment = _word(given, "timestamp")
    if not (program and moment):
        return ""
    host = _word(given, "hostname", "host", "_HOSTNAME") or "-"
    number = _word(given, "SYSLOG_PID", "procid", "_PID")
    return f"{moment} {host} {program}[{number}]: " if number else f"{moment} {host} {program}: "


def _word(given: dict[str, Any], *names: str) -> str:
    """The first of these fields that is a single word."""
    for name in names:
        value = given.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value)
            if 0 < len(text) <= _HEADER_LIMIT and len(text.split()) == 1:
                return text
    return ""
