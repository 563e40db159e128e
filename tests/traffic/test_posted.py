"""Bodies that programs post: lines come out, bounded, and nothing else happens."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.traffic.posted import TooLarge, inflate, list_lines


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_gzip_is_undone(parts: list[bytes]) -> None:
    """Also in several members, as appending programs write it."""
    body = b"".join(gzip.compress(part) for part in parts)
    assert inflate(body, "gzip") == b"".join(parts)
    assert inflate(b"".join(parts), "") == b"".join(parts)


def test_a_bomb_is_refused() -> None:
    """However many members it has; what is made of it stays small."""
    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(TooLarge, match="more than 1 MiB"):
        inflate(bomb, "gzip", most=1024 * 1024)
    with pytest.raises(TooLarge):
        inflate(gzip.compress(bytes(700_000)) * 2, "gzip", most=1024 * 1024)
    assert len(inflate(gzip.compress(bytes(500_000)) * 2, "gzip", most=1024 * 1024)) == 1_000_000
    with pytest.raises(TooLarge):
        inflate(bytes(2000), "", most=1000)


def test_very_many_empty_members_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a member is copied by zlib: all of it each time would be minutes of work."""
    copied = 0

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._inner = decompressobj(wbits=wbits)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def decompress(self, data: bytes, most: int) -> bytes:
            nonlocal copied
            found = self._inner.decompress(data, most)
            copied += len(self._inner.unused_data)
            return found

    decompressobj = zlib.decompressobj
    monkeypatch.setattr("mailmum.traffic.posted.zlib.decompressobj", Counting)
    body = gzip.compress(b"") * 5000 + gzip.compress(b"line\n")
    assert inflate(body, "gzip") == b"line\n"
    assert copied < 200 * len(body)


@pytest.mark.parametrize("body", [b"", b"x", gzip.compress(b"x" * 100, mtime=0)[:-9], b"\x1f\x8b"])
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    """An empty body is no lines; a cut one is not taken in part."""
    if not body:
        assert inflate(body, "gzip") == b""
        return
    with pytest.raises(BadInput, match="not gzip"):
        inflate(body, "gzip")


def test_other_encodings_are_refused() -> None:
    """By name."""
    with pytest.raises(BadInput, match="only gzip"):
        inflate(b"x", "br")


@given(st.binary(max_size=300), st.sampled_from(("", "gzip")))
def test_any_body_is_taken_or_refused(body: bytes, encoding: str) -> None:
    """Nothing else is raised, and lines end."""
    try:
        plain = inflate(body, encoding)
    except BadInput:
        return
    for kind in ("text/plain", "application/json", "application/x-ndjson; charset=utf-8"):
        lines = list_lines(plain, kind)
        assert not lines or lines.endswith(b"\n")


def test_objects_hold_lines() -> None:
    """One a line, or in an array; what is not understood is passed on for the reader to count."""
    given = [{"message": "one", "file": "/var/log/mail.log"}, {"message": "two\nthree"}, {"x": 1}]
    expected = b'one\ntwo three\n{"x": 1}\n'
    by_line = b"\n".join(json.dumps(one).encode() for one in given)
    assert list_lines(by_line, "application/x-ndjson") == expected
    assert list_lines(json.dumps(given).encode(), "application/json") == expected
    assert list_lines(b'{"message":"a"}\n{"mess\n', "application/x-ndjson") == b'a\n{"mess\n'


def test_entries_of_the_journal_stay_as_they_are() -> None:
    """The reader of the log knows them."""
    line = b'{"MESSAGE":"connect","SYSLOG_IDENTIFIER":"postfix/smtpd"}'
    assert list_lines(line, "application/json") == line + b"\n"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        # Vector's source journald.
        (
            {
                "SYSLOG_IDENTIFIER": "postfix/smtpd",
                "_PID": "411",
                "host": "mx1.example.net",
                "timestamp": "2025-11-26T11:00:07.120000Z",
            },
            "2025-11-26T11:00:07.120000Z mx1.example.net postfix/smtpd[411]: hello",
        ),
        # Vector's source syslog.
        (
            {
                "appname": "postfix/smtpd",
                "procid": 411,
                "hostname": "mx1",
                "timestamp": "2025-11-26T11:00:07Z",
            },
            "2025-11-26T11:00:07Z mx1 postfix/smtpd[411]: hello",
        ),
        # Vector's source file: the line is whole, whatever else it says.
        (
            {"timestamp": "2025-11-26T11:00:07Z", "host": "mx1", "file": "/var/log/mail.log"},
            "hello",
        ),
        ({"appname": "two words", "timestamp": "2025-11-26T11:00:07Z"}, "hello"),
        ({"appname": ["x"], "timestamp": {}}, "hello"),
    ],
)
def test_a_header_in_other_fields_is_put_together(fields: dict[str, object], line: str) -> None:
    """As syslog would have written it; never of what a stranger could put there."""
    body = json.dumps({"message": "hello", **fields}).encode()
    assert list_lines(body, "application/x-ndjson") == line.encode() + b"\n"
