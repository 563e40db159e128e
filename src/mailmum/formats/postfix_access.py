"""Postfix access tables, access(5), in the source form that postmap(1) and texthash take.

What patterns and results mean stands in `mailmum.postfix.maps`.  The order of lines does not
matter; of two lines with one pattern Postfix keeps the first, and both are given.  A client that
matches by name and by address gets what its name gets.

Writing: IPv4 networks are spelled out in whole octets (at most 256 lines for one); where such lines
of two listings coincide, the narrower listing has it.  An IPv6 network that is blocked is left out,
like those that have no pattern, when something inside it is allowed for which there is no pattern.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.formats.effective import Node, walk_names, walk_networks
from mailmum.formats.entries import Item, ReadOptions, bad_line, remark
from mailmum.formats.postfix_cidr import is_inside_a_row
from mailmum.formats.postfix_tables import Entries, logical_lines, pattern_and_result
from mailmum.formats.rows import ExportRow, WriteOptions, in_force
from mailmum.formats.tidy import left_out, one_line, split_rows
from mailmum.postfix.maps import (
    access_keys,
    octet_key,
    octet_level,
    octet_units,
    parse_access_pattern,
    parse_result,
    result_text,
)

_BELOW = "in Postfix a pattern with a leading dot covers only names below it; here the domain too"


def read_access(chunks: Iterable[bytes], options: ReadOptions) -> Iterator[Item]:
    """Read an access table; its lines say themselves what they block and allow."""
    del options
    entries = Entries()
    said_below = False
    for line in logical_lines(chunks):
        if not isinstance(line, tuple):
            yield line
            continue
        number, text = line
        pattern, right = pattern_and_result(text)
        try:
            target, result = parse_access_pattern(pattern), parse_result(right)
        except BadInput as error:
            yield bad_line(number, text, error)
            continue
        if pattern.startswith(".") and not said_below:
            said_below = True
            yield remark(number, text, _BELOW)
        yield from entries.of(number, text, target, result)


def write_access(rows: Iterable[ExportRow], options: WriteOptions) -> Iterator[str]:
    """Write what is in force.

    Raises:
        BadInput: the rows are of several servers.
    """
    networks, names = split_rows(in_force(rows, options.now))
    yield "# Postfix access table of MailMum: blocked and allowed clients\n"
    writer = _Networks()
    for node, entering in walk_networks(networks, presorted=options.presorted):
        yield from writer.visit(node, entering)
    yield from _names(names)
    yield from left_out(writer.unfit, "IPv6 that only a CIDR table can hold")


class _Networks:
    """Writes nodes as they are left, the inner before the outer."""

    def __init__(self) -> None:
        self.unfit = 0
        # For each open node what those inside it ask of it: in IPv4 the patterns that they have
        # taken, in IPv6 whether one is allowed that no pattern can stand for.
        self._taken: list[set[int]] = []
        self._must_pass: list[bool] = []

    def visit(self, node: Node, entering: bool) -> Iterator[str]:
        target = node.target
        assert isinstance(target, NetworkTarget)
        if entering:
            self._taken.append(set())
            self._must_pass.append(False)
            return
        taken, must_pass = self._taken.pop(), self._must_pass.pop()
        if target.version == 6:
            yield from self._ipv6(node, must_pass)
        elif node.row is not None or is_inside_a_row(node):
            yield from self._ipv4(node, target, taken)

    def _ipv4(self, node: Node, target: NetworkTarget, taken: set[int]) -> Iterator[str]:
        level, units = octet_level(target), octet_units(target)
        yield from _lines([octet_key(unit, level) for unit in units if unit not in taken], node)
        outer = node.parent.target if node.parent is not None else None
        if isinstance(outer, NetworkTarget) and octet_level(outer) == level:
            self._taken[-1].update(units)

    def _ipv6(self, node: Node, must_pass: bool) -> Iterator[str]:
        if node.row is None:
            # Postfix writes such addresses as IPv4, and a table is not asked about loopback.
            return
        keys = access_keys(node.target)
        allows = node.action is Action.ALLOW
        if keys is not None and (allows or not must_pass):
            yield from _lines(keys, node)
            must_pass = must_pass and not allows
        else:
            self.unfit += 1
            must_pass = must_pass or allows
        if must_pass and self._must_pass:
            self._must_pass[-1] = True


def _names(rows: Iterable[ExportRow]) -> Iterator[str]:
    nodes: list[Node | None] = [node for node, entering in walk_names(rows) if entering]
    for node, following in pairwise([*nodes, None]):
        assert node is not None
        assert isinstance(node.target, NameTarget)
        twin = following is not None and following.target == NameTarget(node.target.name, False)
        yield from _lines(access_keys(node.target, host_too=twin) or [], node)


def _lines(keys: Iterable[str], node: Node) -> Iterator[str]:
    result = "DUNNO"
    if node.row is not None:
        listing = node.row.listing
        result = result_text(listing.action, one_line(listing.reason))
    for key in keys:
        yield f"{key}\t{result}\n"
