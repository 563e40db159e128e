"""What the two Postfix table formats share: logical lines and entries.

A line that begins with white space continues the one before it, across comments and empty lines
(the reader of Postfix, readllines(3), does it so).
"""

from collections.abc import Iterable, Iterator

from mailmum.domain.targets import Target
from mailmum.formats.entries import BadLine, Entry, Remark, bad_line, is_loopback, remark
from mailmum.formats.lines import LINE_LIMIT, text_lines
from mailmum.postfix.maps import Result

_BLANK = " \t"
_LOOPBACK = "left out: the machine itself (loopback), about which there is never a verdict"
_SKIPS = "DUNNO only ends the search of this table; the allow listing overrides other lists too"


def logical_lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, str] | BadLine]:
    """Logical lines with the number of their first line, comments and empty lines left out."""
    number, parts, size = 0, list[str](), 0
    for line in text_lines(chunks):
        if not isinstance(line, tuple):
            yield line
            continue
        here, text = line
        stripped = text.strip(_BLANK)
        if not stripped or stripped[0] == "#":
            continue
        if text[0] not in _BLANK:
            yield from _finished(number, parts, size)
            number, parts, size = here, [text], len(text)
        elif not parts:
            yield bad_line(here, text, "the line begins with a blank and continues no other line")
        elif size <= LINE_LIMIT:
            parts.append(text)
            size += len(text)
    yield from _finished(number, parts, size)


def pattern_and_result(text: str) -> tuple[str, str]:
    """The two halves of a logical line."""
    pattern, *rest = text.split(None, 1)
    return pattern, rest[0].strip() if rest else ""


class Entries:
    """Makes entries of patterns and results; says once in a file what `DUNNO` becomes."""

    def __init__(self) -> None:
        self._said = False

    def of(self, line: int, text: str, target: Target, result: Result) -> Iterator[Entry | Remark]:
        """The entry of one line, or a remark that it is left out."""
        if is_loopback(target):
            yield remark(line, text, _LOOPBACK)
            return
        if result.only_skips and not self._said:
            self._said = True
            yield remark(line, text, _SKIPS)
        yield Entry(line, result.action, target, result.reason)


def _finished(number: int, parts: list[str], size: int) -> Iterator[tuple[int, str] | BadLine]:
    if not parts:
        return
    text = "".join(parts).strip(_BLANK)
    if size > LINE_LIMIT:
        yield bad_line(
            number, text, f"the line and its continuations exceed {LINE_LIMIT} characters"
        )
    else:
        yield number, text
