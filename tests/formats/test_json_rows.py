"""JSON, as an array and line by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.listings import Action, Source
from mailmum.formats.entries import ReadOptions
from mailmum.formats.json_objects import DEPTH_LIMIT, split_objects
from mailmum.formats.json_rows import read_json, write_json
from mailmum.formats.lines import RECORD_LIMIT
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.strategies import entry_of, export_rows, only_entries, sorted_out

OPTIONS = ReadOptions()
GOOD = '{"target": "192.0.2.1"}'

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=6,
)
objects = st.dictionaries(st.text('ab"{}[]\\,\n é', max_size=6), values, max_size=4)


@given(st.lists(export_rows(), max_size=8))
def test_what_is_written_is_read_again(rows: list[ExportRow]) -> None:
    """Every field of every listing; the file is ASCII and JSON to the standard library too."""
    text = "".join(write_json(rows, WriteOptions()))
    assert text.isascii()
    assert [each["target"] for each in json.loads(text)] == [r.listing.target.text for r in rows]
    assert len(text.splitlines()) == (len(rows) + 2 if rows else 1)
    entries = only_entries(read_json([text.encode()], OPTIONS))
    assert entries == [entry_of(row, number) for number, row in enumerate(rows, start=2)]


@given(
    st.lists(objects, max_size=4),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 9),
)
def test_objects_are_cut_out_of_any_array(
    made: list[dict[str, object]], indent: int | None, ascii_only: bool, size: int
) -> None:
    """Nested, pretty-printed or not, in chunks of any size: what the standard library reads."""
    text = json.dumps(made, indent=indent, ensure_ascii=ascii_only).encode()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    raws = list(split_objects(chunks))
    assert [raw.problem for raw in raws] == [""] * len(made)
    assert [json.loads(raw.text) for raw in raws] == made
    lines = [text[: text.find(raw.text)].count(b"\n") + 1 for raw in raws[:1]]
    assert [raw.line for raw in raws[:1]] == lines


@pytest.mark.parametrize(
    ("end", "cut"),
    [
        ('{"target": "192', True),
        ('{"target": "192.0.2.1",', True),
        # What is wrong with these is not that something is missing.
        ('{"target": "192\n', False),
        ('{"target": }', False),
        ("192.0.2.1", False),
        (GOOD, False),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_last_line_that_ends_early_is_told(end: str, cut: bool, size: int) -> None:
    """Only where its line break is missing, too; in chunks of any size."""
    text = f"{GOOD}\n{end}".encode()
    raws = list(split_objects(text[at : at + size] for at in range(0, len(text), size)))
    assert [raw.cut for raw in raws] == [False, cut]


@given(st.lists(objects, max_size=4))
def test_objects_are_read_line_by_line(made: list[dict[str, object]]) -> None:
    """One object a line, with empty lines between."""
    text = "\n\n" + "\n\n".join(json.dumps(each) for each in made)
    raws = list(split_objects([text.encode()]))
    assert [(raw.line, json.loads(raw.text)) for raw in raws] == [
        (3 + 2 * index, each) for index, each in enumerate(made)
    ]


@pytest.mark.parametrize("form", ["[{}]", "[\n{}\n]", "{}", "\ufeff{}\r\n"])
def test_all_fields_are_read(form: str) -> None:
    """Texts, numbers and truth values where they belong; null is like nothing."""
    made = json.dumps(
        {
            "id": 4,
            "target": "203.0.113.0/24",
            "action": "allow",
            "reason": "ü",
            "note": None,
            "code": "127.0.0.9",
            "expires": 1893456000,
            "enabled": False,
            "source": "person",
            "scope": "mx1",
            "created": "2024-01-01T00:00:00Z",
        }
    )
    (entry,) = only_entries(read_json([form.replace("{}", made).encode()], OPTIONS))
    assert (entry.action, entry.target.text) == (Action.ALLOW, "203.0.113.0/24")
    assert (entry.reason, entry.note, entry.code) == ("ü", "", 0x7F000009)
    assert (entry.expires, entry.enabled, entry.source) == (1893456000, False, Source.PERSON)
    assert entry.scope == "mx1"


@pytest.mark.parametrize(
    ("element", "problem"),
    [
        ('{"target": 5}', "target has the wrong type"),
        ('{"target": true}', "target has the wrong type"),
        ('{"target": ["203.0.113.7"]}', "target has the wrong type"),
        ('{"target": "203.0.113.7", "reason": 5}', "reason has the wrong type"),
        ('{"target": "203.0.113.7", "code": 2}', "code has the wrong type"),
        ('{"target": "203.0.113.7", "expires": 1.5}', "expires has the wrong type"),
        ('{"target": "203.0.113.7", "expires": NaN}', "expires has the wrong type"),
        ('{"target": "203.0.113.7", "expires": true}', "expires has the wrong type"),
        ('{"target": "203.0.113.7", "enabled": "perhaps"}', "enabled is perhaps"),
        ('{"target": "203.0.113.7", "reason": "a\\u0000b"}', "control character"),
        ('{"target": "203.0.113.7", "reason": "\\ud800"}', "control character"),
        ('{"target": "\\ud800.example"}', "internationalised"),
        ("{}", "the target is empty"),
        ('{"target" "203.0.113.7"}', "not JSON"),
        ('{"target": "203.0.113.7",}', "not JSON"),
        ('{"id": ' + "9" * 5000 + "}", "not JSON"),
        ('{"target": "' + "x" * RECORD_LIMIT + '"}', "more than 65536 bytes"),
    ],
)
def test_bad_objects_say_why(element: str, problem: str) -> None:
    """In an array and line by line, each with its number, and reading goes on behind it."""
    for text in (f"[\n{element},\n{GOOD}\n]\n", f"\n{element}\n{GOOD}\n"):
        entries, bad, _ = sorted_out(read_json([text.encode()], OPTIONS))
        assert [each.line for each in bad] == [2]
        assert problem in bad[0].problem
        assert [entry.line for entry in entries] == [3]


@pytest.mark.parametrize(
    ("text", "bad_lines", "entries"),
    [
        (f"[{GOOD}", [1], 1),
        (f"[{GOOD},", [1], 1),
        ('[{"target": "192.0.2.1"', [1, 1], 0),
        ('[{"target": "192.0.2.1', [1, 1], 0),
        ("[", [1], 0),
        ("[]", [], 0),
        (f"[]\n{GOOD}", [2], 0),
        (f'["203.0.113.7", {GOOD}]', [1], 1),
        (f"[1, 2, 3,\n4, {GOOD}]", [1, 2], 1),
        (f'[{{"target": "192.0.2.9\n{GOOD}]', [1], 1),
        (f"[[{GOOD}]]", [1, 1], 1),
        ("null", [1], 0),
        ("203.0.113.7\n203.0.113.8", [1, 2], 0),
        (f'{{"a": 1\n{GOOD}', [1], 1),
        ("[" + '{"a":' * (DEPTH_LIMIT + 1) + "1" + "}" * (DEPTH_LIMIT + 1) + f", {GOOD}]", [1], 1),
        ("{" + '"a":[' * 30_000, [1], 0),
        ("[" * 100_000, [1, 1], 0),
        ("", [], 0),
        (" \n ", [], 0),
    ],
)
def test_broken_input_is_reported_and_survived(
    text: str, bad_lines: list[int], entries: int
) -> None:
    """Cut off, unbalanced, of other types: bad lines, and what is whole is read."""
    found, bad, _ = sorted_out(read_json([text.encode()], OPTIONS))
    assert [each.line for each in bad] == bad_lines, bad
    assert len(found) == entries


def test_invalid_utf_8_spoils_one_object() -> None:
    """The others are read."""
    text = b'[{"target": "192.0.2.1", "reason": "\xff"},\n' + GOOD.encode() + b"]"
    entries, bad, _ = sorted_out(read_json([text], OPTIONS))
    assert [(each.line, each.problem[:24]) for each in bad] == [(1, "the object is not UTF-8;")]
    assert len(entries) == 1


def test_unknown_fields_are_remarked_once() -> None:
    """Each name once, and not without bound."""
    text = "".join(
        json.dumps({"target": "192.0.2.1", "geo": {"cc": "XX"}, f"x{number}": 1}) + "\n"
        for number in range(100)
    )
    entries, bad, remarks = sorted_out(read_json([text.encode()], OPTIONS))
    assert (len(entries), bad) == (100, [])
    assert len(remarks) <= 20
    assert "geo" in remarks[0].remark
    assert not any("geo" in each.remark for each in remarks[1:])
