"""The tree in which the innermost target decides, against `decide`."""

from collections.abc import Iterable
from itertools import filterfalse
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, Subject, parse_subject
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NetworkTarget, parse_target
from mailmum.domain.verdicts import decide, gather
from mailmum.formats.effective import Node, Visit, covers, walk_names, walk_networks
from mailmum.formats.rows import ExportRow
from tests.formats.strategies import ACCOUNT, SERVER, export_rows, names, networks, subjects_near

IN_FORCE = 0.0


def row(target: str, action: Action, source: Source = Source.PERSON, number: int = 1) -> ExportRow:
    """A row of the account."""
    return ExportRow(Listing(number, ACCOUNT, 0, action, parse_target(target), source))


def innermost(nodes: list[Node], subject: Subject) -> Node | None:
    """The last entered node that covers the subject: walks go from the outer to the inner."""
    found = None
    for node in nodes:
        if subject.covered_by(node.target):
            found = node
    return found


def entered(visits: Iterable[Visit]) -> list[Node]:
    """The nodes of a walk in their order."""
    return [node for node, entering in visits if entering]


def is_network(row: ExportRow) -> bool:
    """Whether the row is about addresses."""
    return isinstance(row.listing.target, NetworkTarget)


@given(st.lists(export_rows(st.one_of(networks, names)), max_size=25), st.randoms())
def test_the_innermost_node_is_what_decides(rows: list[ExportRow], source: Random) -> None:
    """For every client near a boundary the innermost node has the listing that `decide` names."""
    kept = [each for each in rows if each.listing.in_force(IN_FORCE)]
    nodes = entered(walk_networks(filter(is_network, kept)))
    nodes += entered(walk_names(filterfalse(is_network, kept)))
    targets = [each.listing.target for each in rows]
    for subject in subjects_near(source, targets):
        found = innermost(nodes, subject)
        covering = gather((r.listing for r in kept), subject, ACCOUNT, SERVER, IN_FORCE)
        because = decide(covering).because
        deciding = None if found is None or found.row is None else found.row.listing
        if because is None or deciding is None:
            assert because is deciding is None
        else:
            assert (deciding.id, deciding.target) == (because.id, because.target)


@given(st.lists(export_rows(networks), max_size=25))
def test_every_node_is_left_after_those_inside_it(rows: list[ExportRow]) -> None:
    """Entering and leaving nest like brackets, and `parent` is the bracket around."""
    stack: list[Node] = []
    for node, entering in walk_networks(rows):
        if entering:
            assert node.parent is (stack[-1] if stack else None)
            assert node.parent is None or covers(node.parent.target, node.target)
            stack.append(node)
        else:
            assert stack.pop() is node
    assert stack == []


def test_a_machine_block_inside_what_a_person_allows_is_left_out() -> None:
    """Only what a person says is left in a network that a person has listed."""
    rows = [
        row("203.0.113.0/24", Action.ALLOW),
        row("203.0.113.7", Action.BLOCK, Source.FEED),
        row("203.0.113.8", Action.BLOCK, Source.PERSON),
    ]
    texts = [node.target.text for node in entered(walk_networks(rows)) if node.row]
    assert texts == ["203.0.113.0/24", "203.0.113.8"]


def test_loopback_is_a_hole_in_what_is_listed() -> None:
    """A network around 127.0.0.0/8 does not decide about loopback."""
    nodes = entered(walk_networks([row("126.0.0.0/7", Action.BLOCK)]))
    found = innermost(nodes, parse_subject("127.0.0.1"))
    assert found is not None
    assert found.row is None
    assert found.parent is not None
    assert found.parent.target.text == "126.0.0.0/7"


def test_mapped_addresses_are_a_hole_in_ipv6() -> None:
    """What is said of a wide IPv6 network is not said of IPv4 addresses in IPv6 form."""
    nodes = entered(walk_networks([row("::/3", Action.BLOCK)]))
    found = innermost(nodes, AddressSubject(6, 0xFFFF_CB00_7107))
    assert found is not None
    assert found.row is None


def test_rows_said_to_be_sorted_must_be() -> None:
    """A wrong order would give wrong verdicts, so it is an error."""
    rows = [row("203.0.113.8", Action.BLOCK), row("203.0.113.7", Action.BLOCK)]
    with pytest.raises(ValueError, match=r"203\.0\.113\.7"):
        list(walk_networks(rows, presorted=True))
    assert len(list(walk_networks(rows[::-1], presorted=True))) == 2 * (2 + 3)
