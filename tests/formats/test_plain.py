"""Plain lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import parse_target
from mailmum.formats.entries import ReadOptions
from mailmum.formats.plain import read_plain, write_plain
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.strategies import NOW, export_rows, only_entries, sorted_out


def test_targets_and_comments() -> None:
    """One target a line, comments of both kinds, blanks and CR LF."""
    text = b"""\xef\xbb\xbf# a list\r
203.0.113.7\r
  203.0.113.0/24   # comment
198.51.100.0/24 ; SBL1
2001:db8::/32
\t
; another comment
.spam.example
mail.spam.example\t#x
"""
    entries = only_entries(read_plain([text], ReadOptions(Action.ALLOW)))
    assert [(entry.line, entry.target.text) for entry in entries] == [
        (2, "203.0.113.7"),
        (3, "203.0.113.0/24"),
        (4, "198.51.100.0/24"),
        (5, "2001:db8::/32"),
        (8, ".spam.example"),
        (9, "mail.spam.example"),
    ]
    assert {entry.action for entry in entries} == {Action.ALLOW}
    assert {entry.source for entry in entries} == {None}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("203.0.113.7 spammer", "spammer stands behind the target"),
        ("203.0.113.7#x", "the label 7#x"),
        ("203.0.113.7/24", "did you mean 203.0.113.0/24?"),
        ("*.spam.example", "write .spam.example"),
        ("203.0.113", "did you mean 203.0.113.0/24?"),
        ("!203.0.113.7", "not an address"),
    ],
)
def test_bad_lines_say_why(line: str, problem: str) -> None:
    """Each with its number, and reading goes on."""
    entries, bad, _ = sorted_out(read_plain([f"\n{line}\n192.0.2.1\n".encode()], ReadOptions()))
    assert [each.line for each in bad] == [2]
    assert problem in bad[0].problem
    assert [entry.line for entry in entries] == [3]


@given(st.lists(export_rows()), st.sampled_from(Action))
def test_what_is_written_is_read_again(rows: list[ExportRow], action: Action) -> None:
    """The targets of one action that are in force, in their order."""
    options = WriteOptions(action, NOW)
    text = "".join(write_plain(rows, options))
    expected = [
        (action, row.listing.target)
        for row in rows
        if row.listing.in_force(NOW) and row.listing.action is action
    ]
    entries = only_entries(read_plain([text.encode()], ReadOptions(action)))
    assert [(entry.action, entry.target) for entry in entries] == expected


def test_what_is_left_out_is_said() -> None:
    """A plain list cannot say that something is allowed inside what it blocks."""
    rows = [ExportRow(Listing(1, 1, 0, Action.ALLOW, parse_target("203.0.113.7")))]
    assert list(write_plain(rows, WriteOptions())) == [
        "# block list of MailMum\n",
        "# left out: 1 listing (this file holds only what to block)\n",
    ]


def test_listings_of_two_servers_are_refused() -> None:
    """One list is one server's."""
    rows = [
        ExportRow(Listing(1, 1, scope, Action.BLOCK, parse_target("203.0.113.7")))
        for scope in (1, 2)
    ]
    with pytest.raises(BadInput, match="name one of them"):
        list(write_plain(rows, WriteOptions()))
