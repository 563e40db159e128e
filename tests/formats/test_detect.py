"""Telling formats apart: right, or a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.formats.detect import DETECT_BYTES, detect
from mailmum.formats.registry import FORMATS
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.strategies import NOW, export_rows


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ('[{"target": "203.0.113.7"}]', "", "json"),
        ("[ ]", "x.json", "json"),
        ('\n{"target": "203.0.113.7"}\n', "x.ndjson", "json"),
        ("target\n203.0.113.7\n", "", "csv"),
        ("action;target\n", "list.csv", "csv"),
        ('"target"\t"reason"\n', "x.tsv", "csv"),
        ("203.0.113.7\n.spam.example # x\n2001:db8::/32\n", "drop.txt", "plain"),
        ("198.51.100.0/24 ; SBL1\n; end\n", "", "plain"),
        ("[2001:db8::1]\n", "", "plain"),
        ("203.0.113.7\n", "list.ip4set", "ip4set"),
        ("203.0.113.7 # all is well\n", "", "plain"),
        (":127.0.0.2:Listed\n203.0.113.7\n", "", "rbldnsd"),
        ("$DATASET ip4set a\n203.0.113.7\n", "zone", "rbldnsd"),
        ("#$NS 60 ns.example.net\n203.0.113.7\n", "", "rbldnsd"),
        ("203.0.113.0/24\n!203.0.113.7\n", "", "rbldnsd"),
        ("203.0.113.1-203.0.113.9\n", "", "rbldnsd"),
        ("203.0.113.7 :2:OK\n", "", "rbldnsd"),
        ("2001:db8::1 :2:x\n", "x.ip6trie", "ip6trie"),
        ("203.0.113.0/24 REJECT spam\n", "", "postfix-cidr"),
        ("203.0.113.7 REJECT spam,\n  and more\n# c\n198.51.100.0/24 ok\n", "", "postfix-cidr"),
        ("!203.0.113.0/24 REJECT\n", "", "postfix-cidr"),
        ("if 203.0.113.0/24\n203.0.113.7 OK\nendif\n", "", "postfix-cidr"),
        ("203.0.113.7 550 no\n2001:db8::1 OK\n", "", "postfix-cidr"),
        ("203.0.113 REJECT\nspam.example REJECT\n203.0.112.9 DUNNO\n", "access", "postfix-access"),
        ("spam.example 450 later\n", "", "postfix-access"),
    ],
)
def test_formats_are_told(text: str, name: str, found: str) -> None:
    """By what is in the file; the name helps where both agree."""
    assert detect(text.encode(), name) == found
    assert detect(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), name) == found
    assert found in FORMATS


@pytest.mark.parametrize(
    ("data", "name", "problem"),
    [
        (b"", "x.csv", "empty"),
        (b" \n\t\n", "", "empty"),
        (b"\x1f\x8b\x08\x00", "x.csv.gz", "compressed"),
        (b"PK\x03\x04", "x.zip", "compressed"),
        ("target\n".encode("utf-16"), "x.csv", "UTF-16"),
        (b"203.0.113.7\n\0", "", "NUL"),
        (b"# only a comment\n", "", "unclear"),
        (b"203.0.113.7,spam\n", "", "unclear"),
        (b"203.0.113.7,spam\n", "x.csv", "its name says csv"),
        (b"203.0.113.7 a spammer\n", "", "unclear"),
        (b"0.0.0.0 spam.example\n", "hosts", "unclear"),
        (b"203.0.113\n", "", "unclear"),
        (b"203.0.113.0/24 REJECT\nspam.example REJECT\n", "", "unclear"),
        (b"203.0.113.7 REJECT\n203.0.113.8\n", "", "unclear"),
        (b"<html><body>404</body></html>\n", "list.txt", "unclear"),
        (b"203.0.113.7\n*.a.example\n", "", "a plain list has no line like *.a.example"),
        (b"203.0.113.7\n", "x.json", "looks like plain inside"),
        (b'[{"target": 1}]', "x.csv", "looks like json inside"),
        (b"target\n203.0.113.7\n", "x.ip4set", "looks like csv inside"),
    ],
)
def test_what_is_unclear_is_refused(data: bytes, name: str, problem: str) -> None:
    """The message says what was seen and how to go on."""
    with pytest.raises(BadInput) as caught:
        detect(data, name)
    assert problem in caught.value.problem
    assert caught.value.fix


def test_the_last_line_of_a_long_file_does_not_count() -> None:
    """It may be cut anywhere."""
    data = b"203.0.113.77\n" * (DETECT_BYTES // 13 + 1)
    assert detect(data[:DETECT_BYTES]) == "plain"


@given(st.lists(export_rows(), min_size=1, max_size=6), st.sampled_from(sorted(FORMATS)))
def test_our_own_files_are_never_mistaken(rows: list[ExportRow], name: str) -> None:
    """They are told, or refused, or read as a format that gives the same."""
    text = "".join(FORMATS[name].write(rows, WriteOptions(now=NOW)))
    same = {"plain": {"plain"}, "csv": {"csv"}, "json": {"json"}}
    tables = ("postfix-cidr", "postfix-access")
    same |= {table: set(tables) for table in tables}
    try:
        found = detect(text.encode())
    except BadInput:
        assert name not in ("csv", "json")
    else:
        assert found in same.get(name, {"rbldnsd"}), text


@given(st.binary(max_size=200), st.text(max_size=10))
def test_garbage_is_told_or_refused(data: bytes, name: str) -> None:
    """Any other exception fails the test."""
    try:
        assert detect(data, name) in FORMATS
    except BadInput:
        return
