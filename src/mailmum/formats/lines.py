"""From chunks of bytes to lines, in bounded memory.

Chunks may be of any size, a whole file or single bytes.  Lines end with LF or CR LF; a byte order
mark at the start is dropped.  A line that is too long, is not UTF-8 or holds a control character
becomes a `BadLine`, and reading goes on behind it.  Comments are never refused: nobody should have
to mend the spelling of a name in a comment of 1999.
"""

import re
from collections.abc import Iterable, Iterator

from mailmum.formats.entries import BadLine, bad_line

LINE_LIMIT = 4096
RECORD_LIMIT = 65536
_CHUNK = 65536
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def coalesce(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of a sensible size, without a byte order mark.

    Later stages may then work piece by piece without a cost that grows with the number of chunks
    or a memory that grows with their size.
    """
    waiting: list[bytes] = []
    size = 0
    first = True
    for chunk in chunks:
        for start in range(0, len(chunk), _CHUNK):
            piece = chunk[start : start + _CHUNK]
            waiting.append(piece)
            size += len(piece)
            if size >= _CHUNK:
                joined = b"".join(waiting)
                yield joined.removeprefix(_BOM) if first else joined
                waiting, size, first = [], 0, False
    joined = b"".join(waiting)
    yield joined.removeprefix(_BOM) if first else joined


def split_lines(chunks: Iterable[bytes], limit: int = LINE_LIMIT) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, without their ends.

    A line of more than `limit` bytes is cut to `limit + 1`, so that it can be told from one that
    just fits.
    """
    number = 1
    rest = b""
    for chunk in coalesce(chunks):
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            yield number, _ended(raw)[: limit + 1]
            number += 1
        rest = rest[: limit + 2]
    if rest:
        yield number, _ended(rest)[: limit + 1]


def text_lines(
    chunks: Iterable[bytes], *, limit: int = LINE_LIMIT, comments: bytes = b"#"
) -> Iterator[tuple[int, str] | BadLine]:
    """Lines as text.  `comments` holds the characters that start a comment."""
    starts = tuple(bytes([value]) for value in comments)
    for number, raw in split_lines(chunks, limit):
        if raw.lstrip(b" \t").startswith(starts):
            yield number, raw.decode("utf-8", "replace")
        else:
            yield _text(number, raw, limit)


def _ended(raw: bytes) -> bytes:
    return raw.removesuffix(b"\r")


def _text(number: int, raw: bytes, limit: int) -> tuple[int, str] | BadLine:
    text = raw.decode("utf-8", "replace")
    if len(raw) > limit:
        return bad_line(number, text, f"the line has more than {limit} bytes")
    if "\ufffd" in text and text.encode() != raw:
        return bad_line(number, text, "the line is not UTF-8; save the file as UTF-8")
    if found := _CONTROL.search(text):
        place = f"(U+{ord(found[0]):04X}) at position {found.start() + 1}"
        return bad_line(number, text, f"the line has a control character {place}; remove it")
    return number, text
