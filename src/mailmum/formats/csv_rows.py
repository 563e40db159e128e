"""CSV, RFC 4180: a header that names the columns, then one listing a row.

Columns may come in any order; those that are not known are ignored with a remark.  Fields are
parted by comma, semicolon or tab, whichever the header uses.  A quoted field may hold line breaks.
Lines end with LF when written, since that is what the tools of a mail server expect.

Spreadsheets run what begins with `=`, `+`, `-` or `@` as a formula.  Texts that begin so are
written with an apostrophe before them, and one apostrophe before such a character is dropped when
read, so what was exported comes back as it was.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown
from mailmum.formats.entries import BadLine, Item, ReadOptions, bad_line, remark
from mailmum.formats.fields import NAMES, entry_from, fields_of
from mailmum.formats.lines import RECORD_LIMIT, text_lines
from mailmum.formats.rows import ExportRow, WriteOptions

DELIMITERS = ",;\t"
_FORMULA = re.compile("'*[=+@-]")
_GUARDED = re.compile("'+[=+@-]")
_LINES_LIMIT = 2100
_UNKNOWN_SHOWN = 10


def read_csv(chunks: Iterable[bytes], options: ReadOptions) -> Iterator[Item]:
    """Read a table; without a column `target` in its header there is one bad line and no more."""
    records = _records(chunks)
    columns: list[str] | None = None
    delimiter = ","
    for record in records:
        if isinstance(record, BadLine):
            yield record
            if columns is None:
                return
            continue
        number, text = record
        try:
            if columns is None:
                delimiter, columns = parse_header(text)
                yield from _unknown_columns(number, text, columns)
            elif text.strip(" \t,;"):
                fields = _named(_split(text, delimiter), columns)
                yield entry_from(number, fields, options)
        except BadInput as error:
            yield bad_line(number, text, error)
            if columns is None:
                return


def write_csv(rows: Iterable[ExportRow], options: WriteOptions) -> Iterator[str]:
    """Write all rows as they are, in force or not."""
    del options
    yield ",".join(NAMES) + "\n"
    for row in rows:
        yield ",".join(_written(value) for value in fields_of(row).values()) + "\n"


def parse_header(text: str) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns, in lower case.

    Raises:
        BadInput: no column `target`, or a column twice.
    """
    found = next((d for d in DELIMITERS if "target" in _column_names(text, d)), None)
    if found is None:
        raise BadInput(
            "the first line names no column target", fix=f"the columns are {', '.join(NAMES)}"
        )
    columns = _column_names(text, found)
    twice = [name for name in NAMES if columns.count(name) > 1]
    if twice:
        raise BadInput(f"the first line names the column {twice[0]} twice")
    return found, columns


def _column_names(text: str, delimiter: str) -> list[str]:
    try:
        return [name.strip().lower() for name in _split(text, delimiter)]
    except BadInput:
        # Quotes around a name are in the wrong place for any but the right delimiter.
        return []


def _records(chunks: Iterable[bytes]) -> Iterator[tuple[int, str] | BadLine]:
    """Rows with the number of their first line; a quoted field may go on over several lines.

    A quote that is never closed must not swallow the file: behind a bounded number of lines the
    first is refused, and the others are read again by themselves.
    """
    lines = text_lines(chunks, limit=RECORD_LIMIT, comments=b"")
    again: deque[tuple[int, str] | BadLine] = deque()
    while True:
        line = again.popleft() if again else next(lines, None)
        if line is None:
            return
        if not isinstance(line, tuple) or line[1].count('"') % 2 == 0:
            yield line
            continue
        more = _rest_of(line[1], again, lines)
        if more is None:
            words = (
                'a quote (") is opened and not closed; close it, or write "" for one in the text'
            )
            yield bad_line(*line, words)
        else:
            yield line[0], "\n".join([line[1], *more])


def _rest_of(
    text: str, again: deque[tuple[int, str] | BadLine], lines: Iterator[tuple[int, str] | BadLine]
) -> list[str] | None:
    """The lines up to the closing quote, taken off the input; None when it does not come."""
    taken: list[tuple[int, str] | BadLine] = []
    size, closed = len(text), False
    while not closed and size <= RECORD_LIMIT and len(taken) < _LINES_LIMIT:
        line = again.popleft() if again else next(lines, None)
        if line is None:
            break
        taken.append(line)
        if isinstance(line, BadLine):
            break
        size += len(line[1]) + 1
        closed = line[1].count('"') % 2 == 1
    if closed:
        return [line[1] for line in taken if isinstance(line, tuple)]
    again.extendleft(reversed(taken))
    return None


def _split(text: str, delimiter: str) -> list[str]:
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadInput(
            f"the row is not CSV: {error}", fix='write "" for a quote in a text'
        ) from None


def _named(values: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    if any(values[len(columns) :]):
        raise BadInput(
            f"the row has {len(values)} fields, and there are {len(columns)} columns",
            fix="put a text that holds the delimiter in quotes",
        )
    return {
        name: value[1:] if _GUARDED.match(value) else value
        for name, value in zip(columns, values, strict=False)
    }


def _unknown_columns(number: int, text: str, columns: Sequence[str]) -> Iterator[Item]:
    unknown = [shown(name) for name in columns if name not in NAMES]
    if unknown:
        names = ", ".join(unknown[:_UNKNOWN_SHOWN]) + (
            ", …" if len(unknown) > _UNKNOWN_SHOWN else ""
        )
        yield remark(number, text, f"columns that are not known and ignored: {names}")


def _written(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    if _FORMULA.match(text):
        text = f"'{text}"
    if any(character in text for character in '",;\t\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
