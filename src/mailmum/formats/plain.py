"""Plain lists: one target a line.

`#` starts a comment at the beginning of a line or after a blank, and so does `;`, as published drop
lists have it.  The file does not say what its entries mean, so the reader is told, and the writer
writes the targets of one action.  It cannot say that a listing is an exception to another.
"""

import re
from collections.abc import Iterable, Iterator

from mailmum.domain.errors import BadInput
from mailmum.domain.targets import parse_target, plain_address
from mailmum.domain.texts import shown
from mailmum.formats.entries import Entry, Item, ReadOptions, bad_line
from mailmum.formats.lines import text_lines
from mailmum.formats.rows import ExportRow, WriteOptions, in_force
from mailmum.formats.tidy import left_out

_COMMENT = re.compile(r"(?:^|[ \t])[#;].*")


def read_plain(chunks: Iterable[bytes], options: ReadOptions) -> Iterator[Item]:
    """Read a plain list; every entry gets the action of the options."""
    for line in text_lines(chunks, comments=b"#;"):
        if not isinstance(line, tuple):
            yield line
            continue
        number, whole = line
        if (address := plain_address(whole)) is not None:
            yield Entry(number, options.action, address)
            continue
        text = _COMMENT.sub("", whole).strip()
        if not text:
            continue
        try:
            yield Entry(number, options.action, parse_target(_only_word(text)))
        except BadInput as error:
            yield bad_line(number, text, error)


def write_plain(rows: Iterable[ExportRow], options: WriteOptions) -> Iterator[str]:
    """Write the targets of one action that are in force, in the order of the rows.

    Raises:
        BadInput: the rows are of several servers.
    """
    yield f"# {options.action} list of MailMum\n"
    others = 0
    for row in in_force(rows, options.now):
        if row.listing.action is options.action:
            yield f"{row.listing.target.text}\n"
        else:
            others += 1
    yield from left_out(others, f"this file holds only what to {options.action}")


def _only_word(text: str) -> str:
    word, *more = text.split(None, 1)
    if more:
        raise BadInput(
            f"{shown(more[0])} stands behind the target",
            fix="one target a line; put # before a comment, or name the format of the file",
        )
    return word
