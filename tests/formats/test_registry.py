"""All formats alike: garbage, chunks, memory."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.formats.entries import BadLine, Entry, ReadOptions, Remark
from mailmum.formats.registry import FORMATS, find_format
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.strategies import NOW, export_rows

OPTIONS = ReadOptions()
each_format = pytest.mark.parametrize("name", sorted(FORMATS))

fragments = st.lists(
    st.one_of(
        st.sampled_from(
            """203.0.113.7|203.0.113.0/24|2001:db8::/32|:2:x|!|-|/|:|::|$DATASET dnset x|$1 a|$=|$|
            target|reason|"|""|,|;|#|OK|REJECT 5.7.1|550 x|if|endif|{"target": |}|{|[|]|\\|null|
            spam.example|*.|.|test|1e999|\\ud800|$TIMESTAMP 2030:01:01 +9w|$MAXRANGE4 /8|
            99999999999999|"target":"203.0.113.7"|@|<>|unknown|a:b|'=""".replace(
                "\n            ", ""
            ).split("|")
        ),
        st.sampled_from(["\n", "\n", " ", "\t", "\r\n", "\n ", "\ufeff", "\0"]),
        st.text(max_size=3),
    ),
    max_size=25,
)


@each_format
@given(parts=fragments, broken=st.binary(max_size=4))
def test_no_input_makes_a_reader_raise(name: str, parts: list[str], broken: bytes) -> None:
    """Garbage of the formats' own words gives items with sensible lines and bounded texts."""
    data = "".join(parts).encode("utf-8", "replace")
    data = data[: len(data) // 2] + broken + data[len(data) // 2 :]
    last = data.count(b"\n") + 1
    for item in FORMATS[name].read([data], OPTIONS):
        assert 1 <= item.line <= last
        if isinstance(item, BadLine):
            assert item.problem
            assert len(item.text) < 1000
            assert item.text.isprintable()
        else:
            assert isinstance(item, (Entry, Remark))


@each_format
@given(parts=fragments, rows=st.lists(export_rows(), max_size=4), size=st.integers(1, 7))
def test_the_cut_into_chunks_does_not_matter(
    name: str, parts: list[str], rows: list[ExportRow], size: int
) -> None:
    """Whole, and byte by byte: the same items."""
    written = "".join(FORMATS[name].write(rows, WriteOptions(now=NOW)))
    data = (written + "".join(parts)).encode("utf-8", "replace")
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert list(FORMATS[name].read(chunks, OPTIONS)) == list(FORMATS[name].read([data], OPTIONS))


LINES = {
    "csv": ("target,reason,note\n", '203.0.{}.{},"spam, or worse",note {}\n', ""),
    "json": ("[\n", '{{"target": "203.0.{}.{}", "reason": "spam", "note": "n {}"}},\n', "{}]"),
    "plain": ("", "203.0.{}.{} # {}\n", ""),
    "postfix-access": ("", "203.0.{}.{} REJECT spam {}\n", ""),
    "postfix-cidr": ("", "203.0.{}.{} REJECT spam {}\n", ""),
    "dnset": ("", "h{}-{}.spam.example :2:spam {}\n", ""),
    "ip6trie": ("", "2001:db8:{}:{}::1 :2:spam {}\n", ""),
}


def many(name: str, count: int) -> Iterator[bytes]:
    """A long file of good lines, line by line."""
    head, line, tail = LINES.get(name, ("", "203.0.{}.{} :2:spam {}\n", ""))
    yield head.encode()
    for number in range(count):
        yield line.format(number >> 8 & 255, number & 255, number).encode()
    yield tail.encode()


@each_format
def test_a_long_file_is_read_in_bounded_memory(name: str) -> None:
    """Thousands of lines with no more memory than a few pieces of the file take."""
    count = 8_000
    tracemalloc.start()
    entries = sum(
        isinstance(item, Entry) for item in FORMATS[name].read(many(name, count), OPTIONS)
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert entries == count
    assert peak < 2_000_000


def test_formats_are_found_by_name() -> None:
    """In any case; an unknown one is refused with the names."""
    assert find_format(" CSV ").name == "csv"
    with pytest.raises(BadInput, match="postfix-cidr"):
        find_format("xml\x1b")
