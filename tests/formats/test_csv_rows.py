"""CSV tables."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.listings import Action, Source
from mailmum.formats.csv_rows import read_csv, write_csv
from mailmum.formats.entries import ReadOptions
from mailmum.formats.fields import NAMES
from mailmum.formats.lines import RECORD_LIMIT
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.strategies import entry_of, export_rows, only_entries, sorted_out

OPTIONS = ReadOptions()


def problems(text: str) -> list[tuple[int, str]]:
    """Number and problem of each bad line."""
    return [(bad.line, bad.problem) for bad in sorted_out(read_csv([text.encode()], OPTIONS))[1]]


@given(st.lists(export_rows(), max_size=8))
def test_what_is_written_is_read_again(rows: list[ExportRow]) -> None:
    """Every field of every listing, whatever stands in its texts."""
    text = "".join(write_csv(rows, WriteOptions()))
    entries = only_entries(read_csv([text.encode()], OPTIONS))
    expected = [entry_of(row, entry.line) for row, entry in zip(rows, entries, strict=True)]
    assert entries == expected


@given(st.lists(export_rows(), max_size=5))
def test_the_standard_library_reads_what_is_written(rows: list[ExportRow]) -> None:
    """An independent reader finds the same columns, and no cell begins a formula."""
    text = "".join(write_csv(rows, WriteOptions()))
    table = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert [cells["target"] for cells in table] == [row.listing.target.text for row in rows]
    for cells, row in zip(table, rows, strict=True):
        assert tuple(cells) == NAMES
        assert cells["note"] in (row.note, f"'{row.note}")
        assert not any(cell[:1] in "=+-@" for cell in cells.values() if cell)


@given(
    st.lists(st.lists(st.text('ab,;"\n\t', max_size=5), min_size=2, max_size=2), max_size=5),
    st.sampled_from(",;\t"),
)
def test_what_the_standard_library_writes_is_read(rows: list[list[str]], delimiter: str) -> None:
    """Quotes, line breaks and delimiters in texts, with each delimiter."""
    made = io.StringIO(newline="")
    writer = csv.writer(made, delimiter=delimiter)
    writer.writerow(["target", "note", "reason"])
    for first, second in rows:
        writer.writerow(["203.0.113.7", first, second.replace("\n", "").replace("\t", "")])
    entries = only_entries(read_csv([made.getvalue().encode()], OPTIONS))
    assert [(entry.note, entry.reason) for entry in entries] == [
        (first.strip(), second.replace("\n", "").replace("\t", "").strip())
        for first, second in rows
    ]


def test_all_fields_are_read() -> None:
    """By the names in the header, in any order and case."""
    header = "Target;ACTION;reason;note;code;expires;source;origin;scope;enabled;id;created\n"
    full = '203.0.113.7;allow;"a; ""b""";"two\nlines";127.0.0.9;2030-01-31T12:00:00Z'
    text = f"{header}{full};feed;droplist;mx1;no;17;2024-01-01\n203.0.113.8;;;;;1893456000;;;;;;\n"
    first, second = only_entries(read_csv([text.encode()], ReadOptions(Action.BLOCK)))
    assert (first.line, first.action, first.target.text) == (2, Action.ALLOW, "203.0.113.7")
    assert (first.reason, first.note) == ('a; "b"', "two\nlines")
    assert (first.code, first.expires) == (0x7F000009, 1896091200)
    assert (first.source, first.origin, first.scope) == (Source.FEED, "droplist", "mx1")
    assert first.enabled is False
    assert (second.line, second.action, second.expires) == (4, Action.BLOCK, 1893456000)
    assert second.enabled is True
    assert second.source is None


def test_unknown_columns_are_ignored_with_one_remark() -> None:
    """A table of another program needs no editing."""
    entries, bad, remarks = sorted_out(
        read_csv([b"target,country,asn\n203.0.113.7,XX,64496\n203.0.113.8,XX,64496\n"], OPTIONS)
    )
    assert len(entries) == 2
    assert bad == []
    assert [(each.line, each.remark) for each in remarks] == [
        (1, "columns that are not known and ignored: country, asn")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("address,action\n203.0.113.7,block\n", "names no column target"),
        ("target,reason,reason\n203.0.113.7,a,b\n", "names the column reason twice"),
        ('target,"reason\n203.0.113.7,a\n', "not closed"),
        ("", ""),
    ],
)
def test_without_a_header_nothing_is_read(text: str, problem: str) -> None:
    """One bad line about the header instead of one for each row."""
    entries, bad, _ = sorted_out(read_csv([text.encode()], OPTIONS))
    assert entries == []
    assert len(bad) == bool(problem)
    assert all(problem in each.problem for each in bad)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("203.0.113.7/24,block", "did you mean 203.0.113.0/24?"),
        (",block", "the target is empty"),
        ("203.0.113.7,refuse", "refuse is no action"),
        ("203.0.113.7,block,a\u202eb", "control character"),
        ("203.0.113.7,block," + "x" * 301, "301 characters"),
        ("203.0.113.7,block,,127.255.255.1", "means an error"),
        ("203.0.113.7,block,,,31.1.2030", "is no time"),
        ("203.0.113.7,block,,,20300131", "is no time"),
        ("203.0.113.7,block,,,1893456000000", "is no time"),
        ("203.0.113.7,block,,,2030-02-30", "is no time"),
        ("203.0.113.7,block,,,1969-01-01", "is no time"),
        ("203.0.113.7,block,,,,maybe", "enabled is maybe"),
        ("203.0.113.7,block,,,,,robot", "robot is no source"),
        ("203.0.113.7,block,,,,,,more", "8 fields, and there are 7 columns"),
        ('203.0.113.7,block,a "b" c" ,"', "not CSV"),
    ],
)
def test_bad_rows_say_why(row: str, problem: str) -> None:
    """Each with its number, and reading goes on behind it."""
    text = f"target,action,reason,code,expires,enabled,source\n{row}\n192.0.2.1,block\n"
    entries, bad, _ = sorted_out(read_csv([text.encode()], OPTIONS))
    assert [each.line for each in bad] == [2]
    assert problem in bad[0].problem
    assert [entry.line for entry in entries] == [3]


def test_empty_rows_and_missing_fields_at_the_end_are_fine() -> None:
    """Spreadsheets leave rows of delimiters, and leave off what is empty."""
    text = "target,reason,note\n,,\n\n203.0.113.7\n203.0.113.8,x,,,\n"
    assert [e.target.text for e in only_entries(read_csv([text.encode()], OPTIONS))] == [
        "203.0.113.7",
        "203.0.113.8",
    ]


def test_an_open_quote_does_not_swallow_the_file() -> None:
    """The row is refused, and those behind it are read."""
    rows = "".join(f"203.0.113.{number % 256},x\n" for number in range(20_000))
    text = f'target,reason\n192.0.2.1,"x\n{rows}'
    entries, bad, _ = sorted_out(read_csv([text.encode()], OPTIONS))
    assert [(each.line, "not closed" in each.problem) for each in bad] == [(2, True)]
    assert [entry.line for entry in entries] == list(range(3, 20_003))


def test_a_bad_line_inside_quotes_ends_the_row() -> None:
    """Both are reported, and reading goes on."""
    text = b'target,note\n192.0.2.1,"a\n\xff\n",\n192.0.2.2,b\n'
    entries, bad, _ = sorted_out(read_csv([text], OPTIONS))
    assert [each.line for each in bad] == [2, 3, 4]
    assert [entry.line for entry in entries] == [5]


def test_the_largest_note_fits() -> None:
    """A note of the greatest length, of quotes alone, comes back."""
    text = "target,note\n203.0.113.7," + '"' + '""' * 2000 + '"\n'
    (entry,) = only_entries(read_csv([text.encode()], OPTIONS))
    assert entry.note == '"' * 2000
    assert problems("target,note\n203.0.113.7," + "x" * RECORD_LIMIT)[0][0] == 2


@pytest.mark.parametrize("reason", ["=1+1", "'=1+1", "''@x", "+", "-a", "'quoted'", "@", "' ="])
def test_formulas_are_disarmed_and_restored(reason: str) -> None:
    """One apostrophe more on the way out, one less on the way in."""
    text = f'target,reason\n203.0.113.7,"{reason}"\n'
    (entry,) = only_entries(read_csv([text.encode()], OPTIONS))
    guarded = reason.startswith("'") and reason.lstrip("'")[:1] in "=+-@"
    assert entry.reason == (reason[1:] if guarded else reason).strip()
