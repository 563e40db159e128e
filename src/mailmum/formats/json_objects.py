"""Cutting JSON input into its objects, without reading all of it.

The first character decides: `[` begins an array, whose elements are found by counting braces
outside strings; anything else is read line by line, one object each.  A JSON string never holds a
raw line break (RFC 8259 section 7), so a line break inside one shows that a quote is missing: the
object is given up there and reading goes on behind it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from mailmum.formats.lines import RECORD_LIMIT, coalesce, split_lines

DEPTH_LIMIT = 20
_BLANK = b" \t\r\n"
# An object without others inside, whole in one piece: nearly all are, and the rest takes the long
# way.  Possessive, so that a failure costs no more than a match.
_FLAT = re.compile(rb'\{(?:[^{}\[\]"]++|"(?:[^"\\\n]++|\\.)*+")*+\}')
_OUTSIDE = re.compile(rb'[{}\[\]"\n]')
_INSIDE = re.compile(rb'["\\\n]')
_BETWEEN = re.compile(rb"[^ \t\r,]")
_NO_ELEMENT = re.compile(rb"[^{\]\n]+")
_TOO_LARGE = f"the object has more than {RECORD_LIMIT} bytes"
_TOO_DEEP = f"the object is nested more than {DEPTH_LIMIT} deep"


@dataclass(frozen=True, slots=True)
class Raw:
    """One object, or what could not be one.

    Attributes:
        line: number of the line that it begins on.
        text: its bytes, cut when there is a problem.
        problem: why it is no object, empty when it may be one.
        cut: whether that is because the file ends too early.
    """

    line: int
    text: bytes
    problem: str = ""
    cut: bool = False


def split_objects(chunks: Iterable[bytes]) -> Iterator[Raw]:
    """The objects of an array or of lines, with their line numbers, and what lies between."""
    pieces = coalesce(chunks)
    blank = 0
    for piece in pieces:
        if not piece.strip(_BLANK):
            blank += piece.count(b"\n")
            continue
        everything = chain([piece], pieces)
        if piece.lstrip(_BLANK)[:1] == b"[":
            yield from _split_array(everything, 1 + blank)
        else:
            yield from _split_by_line(everything, blank)
        return


def _split_by_line(chunks: Iterable[bytes], before: int) -> Iterator[Raw]:
    tail, last = b"", None

    def noted() -> Iterator[bytes]:
        nonlocal tail
        for chunk in chunks:
            tail = chunk[-1:] or tail
            yield chunk

    for number, text in split_lines(noted(), RECORD_LIMIT):
        raw = _of_line(number + before, text)
        if raw is not None:
            if last is not None:
                yield last
            last = raw
    if last is not None:
        yield _ended_early(last) if tail != b"\n" else last


def _of_line(line: int, text: bytes) -> Raw | None:
    if len(text) > RECORD_LIMIT:
        return Raw(line, text, _TOO_LARGE)
    if text[:1] == b"{":
        return Raw(line, text)
    if text.strip(_BLANK):
        return Raw(line, text, "no object begins here: an array of objects, or one a line")
    return None


def _ended_early(last: Raw) -> Raw:
    """The last line, of which the line break is missing: it may have been written without one."""
    if last.problem or last.text.rstrip(_BLANK).endswith(b"}"):
        return last
    return replace(last, problem="the file ends inside this object: it seems cut off", cut=True)


def _split_array(pieces: Iterable[bytes], line: int) -> Iterator[Raw]:
    array = _Array(line)
    for piece in pieces:
        yield from array.feed(piece)
    yield from array.close()


class _Array:
    """Where in an array the input has got to: between elements, in one, or behind the end."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._begun = self._ended = self._refused = False
        self._depth = 0
        self._in_string = self._escaped = False
        self._text = bytearray()
        self._start_line = line
        self._problem = ""

    def feed(self, piece: bytes) -> Iterator[Raw]:
        """Take the next bytes; give what is complete."""
        position = 0
        while position < len(piece):
            if self._depth == 0:
                raw, position = self._between(piece, position)
            elif self._in_string:
                raw, position = self._inside_string(piece, position)
            else:
                raw, position = self._outside_string(piece, position)
            if raw is not None:
                yield raw

    def close(self) -> Iterator[Raw]:
        """What is amiss at the end of the input."""
        if self._depth:
            yield self._finished(self._problem or "the file ends inside this object")
        if not self._ended:
            problem = "the file ends before the closing ]: it seems cut off"
            yield Raw(self._line, b"", problem, cut=True)

    def _between(self, piece: bytes, position: int) -> tuple[Raw | None, int]:
        found = _BETWEEN.search(piece, position)
        if found is None:
            return None, len(piece)
        start, character = found.start(), found[0]
        if character == b"\n":
            self._line += 1
            self._refused = self._refused and self._ended
            return None, start + 1
        if not self._begun:
            self._begun = True
            return None, start + 1
        if character == b"{" and not self._ended:
            return self._begin(piece, start)
        if character == b"]" and not self._ended:
            self._ended = True
            return None, start + 1
        return self._refuse(piece, start)

    def _begin(self, piece: bytes, start: int) -> tuple[Raw | None, int]:
        self._refused = False
        line = self._line
        flat = _FLAT.match(piece, start)
        if flat is not None and flat.end() - start <= RECORD_LIMIT:
            self._line += flat[0].count(b"\n")
            return Raw(line, flat[0]), flat.end()
        self._start_line, self._depth = line, 1
        self._text[:] = b"{"
        return None, start + 1

    def _refuse(self, piece: bytes, start: int) -> tuple[Raw | None, int]:
        """What is no element: said once until something else comes."""
        skipped = _NO_ELEMENT.match(piece, start)
        end = skipped.end() if skipped else start + 1
        if self._refused:
            return None, end
        self._refused = True
        where = "behind the closing ]" if self._ended else "where an object should begin"
        return Raw(self._line, piece[start:end], f"this stands {where}"), end

    def _outside_string(self, piece: bytes, position: int) -> tuple[Raw | None, int]:
        found = _OUTSIDE.search(piece, position)
        end = found.end() if found else len(piece)
        self._keep(piece[position:end])
        character = found[0] if found else b""
        if character == b"\n":
            self._line += 1
        elif character == b'"':
            self._in_string = True
        elif character in (b"{", b"["):
            self._depth += 1
            if self._depth > DEPTH_LIMIT:
                self._problem = self._problem or _TOO_DEEP
        elif character:
            self._depth -= 1
            if self._depth == 0:
                return self._finished(self._problem), end
        return None, end

    def _inside_string(self, piece: bytes, position: int) -> tuple[Raw | None, int]:
        if self._escaped:
            self._escaped = False
            # Behind a backslash even a quote is text; a line break is none there either.
            if piece[position : position + 1] != b"\n":
                self._keep(piece[position : position + 1])
                return None, position + 1
        found = _INSIDE.search(piece, position)
        end = found.end() if found else len(piece)
        self._keep(piece[position:end])
        character = found[0] if found else b""
        if character == b"\n":
            self._line += 1
            return self._finished(self._problem or "a text does not end on its line"), end
        self._escaped = character == b"\\"
        self._in_string = character != b'"'
        return None, end

    def _keep(self, some: bytes) -> None:
        if len(self._text) + len(some) > RECORD_LIMIT:
            self._problem = self._problem or _TOO_LARGE
        else:
            self._text += some

    def _finished(self, problem: str) -> Raw:
        raw = Raw(self._start_line, bytes(self._text), problem)
        self._depth, self._in_string, self._escaped = 0, False, False
        self._problem = ""
        self._text.clear()
        return raw
