"""From chunks to lines."""

import tracemalloc
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from mailmum.formats.entries import BadLine
from mailmum.formats.lines import LINE_LIMIT, coalesce, split_lines, text_lines

pieces = st.lists(
    st.sampled_from([b"a", b"\r", b"\n", b"\xef\xbb\xbf", b"#", b"\xff", b"  ", b"\0"])
)


def split_up(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The data in chunks of the given sizes, the rest byte by byte."""
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    for index in range(start, len(data)):
        yield data[index : index + 1]


@given(pieces, st.lists(st.integers(0, 5)))
def test_the_cut_into_chunks_does_not_matter(parts: list[bytes], sizes: list[int]) -> None:
    """Whole, byte by byte or in between: the same lines."""
    data = b"".join(parts)
    whole = list(text_lines([data]))
    assert list(text_lines(split_up(data, sizes))) == whole
    assert b"".join(coalesce(split_up(data, sizes))) == data.removeprefix(b"\xef\xbb\xbf")


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=300))
def test_lines_are_those_of_the_text(text: str) -> None:
    """Lines and numbers as an editor shows them."""
    expected = list(enumerate(text.replace("a", "\n").split("\n"), start=1))
    if expected[-1][1] == "":
        expected.pop()
    data = text.replace("a", "\n").encode()
    if not data.startswith(b"\xef\xbb\xbf"):
        assert list(text_lines([data])) == expected


def test_a_line_may_have_the_limit_and_no_more() -> None:
    """The limit counts bytes and not the line end."""
    for end in (b"\n", b"\r\n", b""):
        assert list(text_lines([b"x" * LINE_LIMIT + end])) == [(1, "x" * LINE_LIMIT)]
        (bad,) = text_lines([b"x" * (LINE_LIMIT + 1) + end])
        assert isinstance(bad, BadLine)
        assert "more than 4096 bytes" in bad.problem
        assert len(bad.text) <= 100
    after = list(text_lines([b"x" * 5000 + b"\nnext"]))
    assert after[1] == (2, "next")


def test_a_cut_within_a_character_is_reported_as_too_long() -> None:
    """Not as a fault of the encoding."""
    (bad,) = text_lines(["ä".encode() * LINE_LIMIT])
    assert isinstance(bad, BadLine)
    assert "more than" in bad.problem


def test_what_is_no_text_is_a_bad_line() -> None:
    """Other encodings and control characters are refused with a reason."""
    one, two, three, four, five = text_lines([b"\xfc\nok\na\0b\na\rb\n\xef\xbf\xbd"])
    assert isinstance(one, BadLine)
    assert "not UTF-8" in one.problem
    assert two == (2, "ok")
    assert isinstance(three, BadLine)
    assert three.problem == ("the line has a control character (U+0000) at position 2; remove it")
    assert isinstance(four, BadLine)
    assert five == (5, "\ufffd")


def test_comments_are_never_refused() -> None:
    """An old encoding or a page break in a comment is nobody's problem."""
    assert list(text_lines([b"# J\xf6rg\n  #\0\n"])) == [(1, "# J\ufffdrg"), (2, "  #\0")]
    assert isinstance(next(text_lines([b"; J\xf6rg"])), BadLine)
    assert next(text_lines([b"; J\xf6rg"], comments=b"#;")) == (1, "; J\ufffdrg")


def test_memory_is_bounded_however_long_line_and_file_are() -> None:
    """A file without line ends, and one that comes in a single chunk per megabyte."""
    tracemalloc.start()
    chunks = (b"x" * 1_000_000 for _ in range(20))
    assert [number for number, _ in split_lines(chunks)] == [1]
    lines = (b"203.0.113.7\n" * 80_000 for _ in range(4))
    assert sum(1 for _ in split_lines(lines)) == 320_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A piece of 64 KiB makes some 5500 small lines at a time, and the chunks are the test's own.
    assert peak < 6_000_000
