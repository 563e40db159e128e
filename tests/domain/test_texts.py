"""Texts that people and attackers write."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import clean_line, clean_text, shown

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text(max_size=200))
def test_shown_text_is_harmless(text: str) -> None:
    """Whatever it is made of: one line, printable, of bounded length, and never empty."""
    escaped = shown(text)
    assert escaped
    assert escaped.isprintable()
    assert len(escaped) <= 10 * 80 + 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail.spam.example", "mail.spam.example"),
        ("bücher.example", "bücher.example"),
        ("", "''"),
        ("two words", "'two words'"),
        ("a\nb", "'a\\nb'"),
        ("\u202eelpmaxe", "'\\u202eelpmaxe'"),
        ("\u200b", "'\\u200b'"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_shown(text: str, expected: str) -> None:
    """Plain text stands as it is; the rest is quoted, escaped and cut."""
    assert shown(text) == expected


@given(st.text(max_size=60))
def test_a_clean_line_is_one_line(text: str) -> None:
    """Accepted text has no control character in it; a refusal says where one stands."""
    try:
        line = clean_line(text, field="reason", limit=40)
    except BadInput:
        return
    assert line == text.strip()
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in line)
    line.encode()


@pytest.mark.parametrize("character", ["\0", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028"])
def test_control_characters_in_a_line(character: str) -> None:
    """Refused rather than repaired, with their number and place."""
    with pytest.raises(BadInput) as caught:
        clean_line(f"ab{character}c", field="reason", limit=40)
    assert str(caught.value) == (
        f"the reason has a control character (U+{ord(character):04X}) at position 3; remove it"
    )


@pytest.mark.parametrize("character", [*BIDI, "\ud800", "\uffff"])
def test_marks_that_reorder_and_half_characters_are_refused(character: str) -> None:
    """A reason must read as it stands (UAX 9), and must be fit for UTF-8."""
    for clean in (clean_line, clean_text):
        with pytest.raises(BadInput, match="control character"):
            clean(f"a{character}b", field="note", limit=40)


def test_a_text_may_have_lines_and_tabs() -> None:
    """Line ends become one character; other control characters are refused as in a line."""
    assert clean_text(" one\r\n\ttwo\n ", field="note", limit=40) == "one\n\ttwo"
    for bad in ("a\rb", "a\x0bb", "a\x1b[2J"):
        with pytest.raises(BadInput, match="control character"):
            clean_text(bad, field="note", limit=40)


@pytest.mark.parametrize("clean", [clean_line, clean_text])
def test_length_is_counted_after_trimming(clean: type) -> None:
    """Exactly the limit is allowed."""
    assert clean(f" {'ä' * 40} ", field="reason", limit=40) == "ä" * 40
    with pytest.raises(BadInput, match="the reason has 41 characters, 40 are allowed; shorten it"):
        clean("ä" * 41, field="reason", limit=40)
