"""Texts made fit for a line of an exported file.

What was listed through MailMum has no control characters.  Exports replace them all the same: one
reason must never be able to forge a second line, wherever it came from.
"""

import re
from collections.abc import Iterable, Iterator

from mailmum.domain.targets import NetworkTarget
from mailmum.formats.rows import ExportRow

_UNFIT = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_UNFIT_BUT_BREAKS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def one_line(text: str) -> str:
    """The text with a space for everything that could end or reorder the line."""
    return _UNFIT.sub(" ", text).strip()


def several_lines(text: str) -> str:
    """The text with a space for control characters other than line breaks and tabs."""
    return _UNFIT_BUT_BREAKS.sub(" ", text).strip()


def split_rows(rows: Iterable[ExportRow]) -> tuple[Iterator[ExportRow], list[ExportRow]]:
    """Rows of networks as an iterator, and a list that fills with rows of names as it is read."""
    names: list[ExportRow] = []

    def networks() -> Iterator[ExportRow]:
        for row in rows:
            if isinstance(row.listing.target, NetworkTarget):
                yield row
            else:
                names.append(row)

    return networks(), names


def left_out(count: int, why: str) -> Iterator[str]:
    """A comment that says how many listings a file does not hold, if any."""
    if count:
        yield f"# left out: {count} {'listing' if count == 1 else 'listings'} ({why})\n"
