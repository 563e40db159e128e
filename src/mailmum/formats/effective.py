"""What one server's listings come to, as a tree in which the innermost target decides.

`decide` ranks the listings that cover one client.  Files for rbldnsd and Postfix know only nesting:
the longest prefix, or the first line that matches.  This module turns one into the other by leaving
out every listing that never decides:

- of the listings of one target all but the first by rank,
- a machine's listing inside any target that a person has listed,
- a machine's block inside a machine's allow.

What is left is a forest in which the innermost node that covers a client names the verdict, with
the same listing as `decide`.  The walk holds only the nodes that are open at the moment, so it
needs no memory beyond the sorting of its input.

Space about which there is never a verdict (loopback), and IPv4 addresses in IPv6 disguise, appear
as holes: nodes without a row.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby

from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import MAPPED_FIRST, MAPPED_PREFIX, NameTarget, NetworkTarget, Target
from mailmum.domain.verdicts import rank
from mailmum.formats.rows import ExportRow

MAPPED = NetworkTarget(6, MAPPED_FIRST, MAPPED_PREFIX)
LOOPBACK_4 = NetworkTarget(4, 127 << 24, 8)
_HOLES = (LOOPBACK_4, NetworkTarget(6, 1, 128), MAPPED)

_Group = tuple[Target, list[ExportRow]]


class Node:
    """A target that decides, or a hole.

    Attributes:
        target: the target.
        row: the row that decides for it, None for a hole.
        parent: the node around it, or None.
        by_person: whether a person has listed this target or one around it.
        by_machine: whether a machine allows this target or one around it.
    """

    __slots__ = ("by_machine", "by_person", "parent", "row", "target")

    def __init__(self, target: Target, row: ExportRow | None, parent: "Node | None") -> None:
        self.target = target
        self.row = row
        self.parent = parent
        source = None if row is None else row.listing.source
        allows = row is not None and row.listing.action is Action.ALLOW
        self.by_person = source is Source.PERSON
        self.by_machine = allows and source is not Source.PERSON
        if parent is not None:
            self.by_person |= parent.by_person
            self.by_machine |= parent.by_machine

    @property
    def action(self) -> Action | None:
        """Block or allow, None for a hole."""
        return None if self.row is None else self.row.listing.action

    def leaves(self, row: ExportRow) -> bool:
        """Whether the row of a target inside may still decide."""
        if self.row is None:
            return False
        if row.listing.source is Source.PERSON:
            return True
        blocks = row.listing.action is Action.BLOCK
        return not self.by_person and not (self.by_machine and blocks)


Visit = tuple[Node, bool]
"""A node and whether it is entered (before those inside it) or left (after them)."""


def walk_networks(rows: Iterable[ExportRow], *, presorted: bool = False) -> Iterator[Visit]:
    """Visit the addresses and networks, IPv4 before IPv6, holes included.

    Raises:
        ValueError: the rows were said to be sorted and are not.
    """
    ordered = rows if presorted else sorted(rows, key=_network_key)
    holes: Iterable[_Group] = ((hole, []) for hole in _HOLES)
    merged = heapq.merge(holes, _groups(ordered), key=lambda group: _order(group[0]))
    return _walk(merged)


def walk_names(rows: Iterable[ExportRow]) -> Iterator[Visit]:
    """Visit the names: a domain before its host of the same name before those below."""
    return _walk(_groups(sorted(rows, key=_name_key)))


def covers(outer: Target, inner: Target) -> bool:
    """Whether a target later in the order of a walk lies inside an earlier one."""
    if isinstance(outer, NetworkTarget):
        return isinstance(inner, NetworkTarget) and outer.covers(inner.version, inner.first)
    return isinstance(inner, NameTarget) and outer.covers(inner.name)


def _walk(groups: Iterable[_Group]) -> Iterator[Visit]:
    open_nodes: list[Node] = []
    for target, rows in groups:
        while open_nodes and not covers(open_nodes[-1].target, target):
            yield open_nodes.pop(), False
        parent = open_nodes[-1] if open_nodes else None
        candidates = [row for row in rows if parent is None or parent.leaves(row)]
        if rows and not candidates:
            continue
        deciding = min(candidates, key=lambda row: rank(row.listing), default=None)
        node = Node(target, deciding, parent)
        open_nodes.append(node)
        yield node, True
    while open_nodes:
        yield open_nodes.pop(), False


def _groups(rows: Iterable[ExportRow]) -> Iterator[_Group]:
    last = -1
    for target, group in groupby(rows, key=lambda row: row.listing.target):
        if isinstance(target, NetworkTarget):
            order = _order(target)
            if order <= last:
                raise ValueError(f"{target.text} comes after a target that it should precede")
            last = order
        yield target, list(group)


def _order(target: Target) -> int:
    """Networks in the order of (version, first, prefix), as one integer."""
    assert isinstance(target, NetworkTarget)
    return (target.version << 136) | (target.first << 8) | target.prefix


def _network_key(row: ExportRow) -> int:
    return _order(row.listing.target)


def _name_key(row: ExportRow) -> tuple[list[str], bool]:
    target = row.listing.target
    assert isinstance(target, NameTarget)
    return target.name.split(".")[::-1], not target.whole
