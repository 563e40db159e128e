"""From the bytes of a list to its entries.

What the guards never let a feed list (private space, very wide networks, loopback) is left out and
told; published lists have such entries for their own reasons.  An entry that says the opposite of
the feed is an exception, which is taken out of the others.  Lines that cannot be read are told, and
with more than a few of them it is not the list that it was; neither is one whose end is missing.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from mailmum.daemons.outgoing_http import gunzip
from mailmum.domain import guards
from mailmum.domain.carving import MOST_HOLES, carve
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import Target
from mailmum.formats.detect import DETECT_BYTES, Unclear
from mailmum.formats.entries import BadLine, Entry, ReadOptions, is_loopback
from mailmum.formats.feeds import detect_feed, find_reader
from mailmum.index.entries import Builder

BYTES_LIMIT = 64 * 1024**2
ENTRIES_LIMIT = 2_000_000
TOLD = 20
TERM_LIMIT = 100
_PIECE = 65536
_BAD_PERCENT = 1


@dataclass(slots=True)
class Found:
    """What was read.

    Attributes:
        format: the format it was read as.
        builder: the entries.
        lines: how many lines there were.
        exceptions: how many entries say the opposite, and were taken out.
        left_out: how many entries a feed can never list, by reason.
        bad: how many lines could not be read.
        told: the first of these, with line, text and problem.
        cut: what tells that its end is missing.
        missing: what the source allows besides, depending on the sender.
        undenied: what the source denies among the entries, depending on the sender.
    """

    format: str
    builder: Builder
    lines: int = 0
    exceptions: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    told: list[dict[str, object]] = field(default_factory=list)
    cut: str = ""
    missing: tuple[str, ...] = ()
    undenied: tuple[str, ...] = ()

    def details(self) -> dict[str, object]:
        """What is kept of it with a version."""
        return {
            "format": self.format,
            "lines": self.lines,
            "exceptions": self.exceptions,
            "left_out": dict(self.left_out),
            "bad": self.bad,
            "bad_lines": self.told,
            "missing": [term[:TERM_LIMIT] for term in self.missing[:TOLD]],
            "undenied": [term[:TERM_LIMIT] for term in self.undenied[:TOLD]],
        }


def digest_of(body: bytes) -> str:
    """Tells one body from another."""
    return blake2b(body, digest_size=16).hexdigest()


def read_list(
    body: bytes, format_: str, action: Action, filename: str = "", *, before: str = ""
) -> Found:
    """Read a list.

    Args:
        body: what came, packed with gzip or not.
        format_: name of its format, empty to find out.
        action: what the feed does with its entries.
        filename: for finding out.
        before: the format of the version before; a line that is none does not make a list unclear
            of which most is what it was.

    Raises:
        BadInput: it is no list that can be used; the reason is told.
    """
    pieces = list(_pieces(body))
    begin = b"".join(pieces[: DETECT_BYTES // _PIECE + 1])[:DETECT_BYTES]
    try:
        name = format_ or detect_feed(begin, filename)
    except Unclear:
        if not before:
            raise
        found, holes = _read(pieces, before, action)
        if found.bad >= len(found.builder):
            raise
    else:
        found, holes = _read(pieces, name, action)
    _refuse_odd(found)
    if holes:
        found.builder = Builder(carve(found.builder.targets(), holes))
        found.exceptions = len(holes)
    return found


def _read(pieces: list[bytes], name: str, action: Action) -> tuple[Found, set[Target]]:
    """What there is, and what is to be taken out of it."""
    found = Found(name, Builder())
    holes: set[Target] = set()
    for item in find_reader(name)(pieces, ReadOptions(action=action)):
        found.lines = max(found.lines, item.line)
        if isinstance(item, BadLine) and item.cut:
            found.cut = found.cut or item.problem
        elif isinstance(item, BadLine):
            _note_bad(found, item)
        elif isinstance(item, Entry) and item.enabled:
            _take(found, holes, item, action)
    return found, holes


def _pieces(body: bytes) -> Iterator[bytes]:
    whole = (body[at : at + _PIECE] for at in range(0, len(body), _PIECE))
    if not body.startswith(b"\x1f\x8b"):
        yield from whole
        return
    size = 0
    try:
        for piece in gunzip(whole):
            size += len(piece)
            if size > BYTES_LIMIT:
                raise BadInput(f"it has more than {BYTES_LIMIT // 1024**2} MB when unpacked")
            yield piece
    except zlib.error as error:
        raise BadInput(f"it is packed with gzip, and damaged: {error}") from None


def _note_bad(found: Found, item: BadLine) -> None:
    found.bad += 1
    if len(found.told) < TOLD:
        found.told.append({"line": item.line, "text": item.text, "problem": item.problem})


def _take(found: Found, holes: set[Target], entry: Entry, action: Action) -> None:
    target = entry.target
    if entry.action is not action:
        holes.add(target)
        if len(holes) > MOST_HOLES:
            # Here, not at the end: a list of nothing else would fill the memory first.
            raise BadInput(f"it has more than {MOST_HOLES} exceptions", fix="choose another list")
        return
    if is_loopback(target):
        found.left_out["is loopback"] += 1
        return
    danger = guards.find_danger(target)
    if danger is not None:
        found.left_out[danger] += 1
        return
    try:
        guards.check(target, action, Source.FEED)
    except Refusal as refusal:
        found.left_out[str(refusal)] += 1
        return
    found.builder.add(target)
    if len(found.builder) > ENTRIES_LIMIT:
        raise BadInput(f"it has more than {ENTRIES_LIMIT} entries", fix="choose a smaller list")


def _refuse_odd(found: Found) -> None:
    if found.bad * 100 > _BAD_PERCENT * (len(found.builder) + found.bad):
        first = found.told[0]
        raise BadInput(
            f"{found.bad} of {found.lines} lines cannot be read as {found.format}, the first is "
            f"line {first['line']}: {first['problem']}",
            fix="check that the address is the right one, and name its format",
            field="format",
        )
    if found.cut:
        raise BadInput(
            f"its end is missing: {found.cut}",
            fix="see that the whole list is there; one that is fetched is tried again",
        )
    if not len(found.builder):
        some = ", ".join(f"{count} left out: {why}" for why, count in found.left_out.items())
        raise BadInput(
            f"there is nothing to list in it{some and f' ({some})'}",
            fix="check that it is the right list",
        )
