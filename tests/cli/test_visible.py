"""Untrusted text on a terminal."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mailmum.cli.visible import visible

DANGEROUS = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Cn", "L", "N", "P", "S", "Z"])))
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    """No control, no direction mark, no line break; everything else stays as it is."""
    shown = visible(text)
    assert {unicodedata.category(character) for character in shown}.isdisjoint(DANGEROUS)
    kept = all(
        unicodedata.category(c)[0] in "LNPS" or unicodedata.category(c) == "Zs" for c in text
    )
    assert (shown == text) is kept


@given(st.text(st.characters(blacklist_characters="\\")))
def test_what_was_there_can_be_read_back(text: str) -> None:
    """An escape is the one of Python and JSON, so nothing is lost."""
    shown = visible(text)
    assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text


def test_examples() -> None:
    """An escape sequence, a right-to-left override, and plain text of another script."""
    assert visible("\x1b]0;x\x07") == "\\x1b]0;x\\x07"
    assert visible("a\u202eb") == "a\\u202eb"
    assert visible("Müller спам") == "Müller спам"
