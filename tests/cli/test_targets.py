"""Targets from words and from standard input."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.cli.failures import Failure
from mailmum.cli.targets import MOST, read_targets


def test_words_and_lines_keep_their_order() -> None:
    """`-` stands for the lines, wherever it stands."""
    stdin = BytesIO(b"b\nc\r\n\n  d  \n# nothing\n")
    assert read_targets(["a", "-", "e"], stdin) == ["a", "b", "c", "d", "e"]


def test_comments_and_byte_order_mark_are_dropped() -> None:
    """A comment may follow a target; editors of other systems begin a file with a mark."""
    assert read_targets(["-"], BytesIO(b"\xef\xbb\xbfa # since May\n#b\nc#d")) == ["a", "c"]


def test_a_target_named_twice_is_one() -> None:
    """So that a list with repetitions is no contradiction."""
    assert read_targets(["a", "-", "a"], BytesIO(b"a\nb\n")) == ["a", "b"]


def test_standard_input_is_left_alone_without_a_dash() -> None:
    """A command in a loop must not eat the loop's input."""
    stdin = BytesIO(b"b\n")
    read_targets(["a"], stdin)
    assert stdin.read() == b"b\n"


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    """The number of the line helps to find it."""
    with pytest.raises(Failure, match="line 2 is not UTF-8"):
        read_targets(["-"], BytesIO(b"a\n\xff\n"))


def test_an_endless_line_is_refused() -> None:
    """A binary file by mistake costs no memory."""
    with pytest.raises(Failure, match="line 1 is longer"):
        read_targets(["-"], BytesIO(b"x" * 1_000_000))


def test_more_than_one_change_takes_leads_to_import() -> None:
    """The message says what to use instead."""
    stdin = BytesIO(b"\n".join(b"h%d.example" % n for n in range(MOST + 1)))
    with pytest.raises(Failure, match="mailmum import --format plain"):
        read_targets(["-"], stdin)


@given(st.binary(max_size=200))
def test_any_input_gives_targets_or_a_failure(data: bytes) -> None:
    """Never an empty target, never a comment, never another exception."""
    try:
        found = read_targets(["-"], BytesIO(data))
    except Failure:
        return
    assert all(target and target == target.strip() and "#" not in target for target in found)
    assert len(set(found)) == len(found)
