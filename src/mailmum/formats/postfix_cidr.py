"""Postfix CIDR tables, cidr_table(5): addresses and networks, the first match decides.

MailMum goes by the longest prefix instead.  Reading keeps what the table does: an entry behind a
wider one never matches in Postfix, so it is left out, with a remark.  (Of the same single address
twice the first holds; both are given.)  Writing puts the narrower before the wider.

Postfix writes IPv4 clients as IPv4 whatever the socket says, so the table needs no word about them
in IPv6 form.  Loopback is left out when read: `127.0.0.0/8 OK` is there for other reasons.

`if` and `!pattern` have no counterpart; an `if` and all up to its `endif` are bad lines.
"""

from collections.abc import Iterable, Iterator

from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NetworkTarget
from mailmum.formats.effective import MAPPED, Node, walk_networks
from mailmum.formats.entries import Item, ReadOptions, bad_line, remark
from mailmum.formats.postfix_tables import Entries, logical_lines, pattern_and_result
from mailmum.formats.rows import ExportRow, WriteOptions, in_force
from mailmum.formats.tidy import left_out, one_line, split_rows
from mailmum.postfix.maps import parse_cidr_pattern, parse_result, result_text

ORDER_LIMIT = 500_000
"""So many networks are remembered to find what stands behind a wider one."""


def read_cidr(chunks: Iterable[bytes], options: ReadOptions) -> Iterator[Item]:
    """Read a CIDR table; its lines say themselves what they block and allow."""
    del options
    reader = _Reader()
    for line in logical_lines(chunks):
        if isinstance(line, tuple):
            yield from reader.read(*line)
        else:
            yield line


def write_cidr(rows: Iterable[ExportRow], options: WriteOptions) -> Iterator[str]:
    """Write what is in force, narrow before wide, so that the first match decides as MailMum does.

    Raises:
        BadInput: the rows are of several servers.
    """
    networks, names = split_rows(in_force(rows, options.now))
    yield "# Postfix CIDR table of MailMum: blocked and allowed addresses and networks\n"
    for node, entering in walk_networks(networks, presorted=options.presorted):
        if entering:
            continue
        if node.row is not None:
            reason = one_line(node.row.listing.reason)
            yield f"{node.target.text}\t{result_text(node.row.listing.action, reason)}\n"
        elif is_inside_a_row(node) and node.target != MAPPED:
            yield f"{node.target.text}\tDUNNO\n"
    yield from left_out(len(names), "a CIDR table holds no names")


def is_inside_a_row(hole: Node) -> bool:
    """Whether anything is listed around a hole."""
    return hole.parent is not None and hole.parent.row is not None


class _Earlier:
    """The networks read so far, and on which line."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int, int], int] = {}
        self._prefixes: dict[int, set[int]] = {4: set(), 6: set()}

    @property
    def full(self) -> bool:
        return len(self._lines) >= ORDER_LIMIT

    def line_covering(self, target: NetworkTarget) -> int | None:
        for prefix in self._prefixes[target.version]:
            if prefix <= target.prefix:
                first = target.first >> (target.bits - prefix) << (target.bits - prefix)
                line = self._lines.get((target.version, first, prefix))
                if line is not None:
                    return line
        return None

    def add(self, target: NetworkTarget, line: int) -> None:
        # Single addresses are left out: a million of them would fill the memory for little.
        if target.prefix < target.bits and not self.full:
            self._lines[target.version, target.first, target.prefix] = line
            self._prefixes[target.version].add(target.prefix)


class _Reader:
    def __init__(self) -> None:
        self._earlier = _Earlier()
        self._entries = Entries()
        self._ifs: list[int] = []
        self._said_full = False

    def read(self, number: int, text: str) -> Iterator[Item]:
        try:
            if self._conditional(number, text):
                return
            yield from self._rule(number, text)
        except BadInput as error:
            yield bad_line(number, text, error)

    def _conditional(self, number: int, text: str) -> bool:
        """Whether it is an `endif`; all else that depends on a condition is refused."""
        word = text[:5].lower()
        if word == "endif" and not text[5:6].isalnum() and self._ifs:
            self._ifs.pop()
            return True
        if word[:2] == "if" and not text[2:3].isalnum():
            self._ifs.append(number)
            raise BadInput(
                "a table with conditions cannot be read", fix="write the rules without if and endif"
            )
        if self._ifs:
            raise BadInput(f"the line depends on the condition of line {self._ifs[-1]}")
        return False

    def _rule(self, number: int, text: str) -> Iterator[Item]:
        if text.startswith("!"):
            raise BadInput(
                "the line is about every address but these, and a listing cannot say that",
                fix="list the addresses that are meant",
            )
        pattern, right = pattern_and_result(text)
        target = parse_cidr_pattern(pattern)
        result = parse_result(right)
        if line := self._earlier.line_covering(target):
            yield remark(number, text, f"left out: line {line} comes first, so this never matches")
            return
        self._earlier.add(target, number)
        yield from self._entries.of(number, text, target, result)
        if self._earlier.full and not self._said_full:
            self._said_full = True
            words = f"the order is watched for the first {ORDER_LIMIT} networks only"
            yield remark(number, text, words)
