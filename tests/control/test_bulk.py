"""Changing many listings at once: one change, of what was looked at, and back."""

import time

import pytest

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.models import Record
from mailmum.control.listings import bulk
from mailmum.control.listings.bulk import Chosen, Done, edit_chosen, remove_chosen, survey
from mailmum.control.listings.draft import KEEP, Wish, make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, current, explain
from mailmum.control.listings.undo import undo
from mailmum.control.servers.queries import find_server
from mailmum.control.servers.services import add_server
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput, Conflict, NotFound
from tests.control.test_listings import allow, block
from tests.support.world import World

ALL = Chosen(wanted=Filter())


def wish(**more: object) -> Wish:
    """What shall change."""
    return make_wish(KEEP, now=time.time(), **more)  # type: ignore[arg-type]


def told(reading: Reading) -> set[tuple[str, int, str, bool]]:
    """Listings with what a bulk change can change."""
    return {(one.target, one.scope, one.reason, one.enabled) for one in current(reading)}


@pytest.fixture
def many(world: World, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int, str, bool]]:
    """More than are written at once."""
    monkeypatch.setattr(bulk, "_BATCH", 3)
    add_server(world.admin, "mx1")
    block(world.admin, *(f"203.0.113.{last}" for last in range(7)), reason="spam")
    allow(world.admin, "192.0.2.25", server="mx1")
    block(world.outsider, "203.0.113.1", reason="theirs")
    return told(world.viewer)


@pytest.mark.usefixtures("many")
def test_what_is_chosen(world: World) -> None:
    """How many, of which kind, where they hold; only one's own."""
    found = survey(world.viewer, ALL)
    mx1 = find_server(world.viewer, "mx1").pk
    assert (found.total, found.actions, found.scopes) == (
        8,
        {"block": 7, "allow": 1},
        {0: 7, mx1: 1},
    )
    assert found.upto == max(one.number for one in current(world.viewer))
    (theirs,) = current(world.outsider)
    assert survey(world.viewer, Chosen(numbers=(theirs.number,))).total == 0
    assert survey(world.viewer, Chosen(text="203.0.113.0/30", wanted=Filter())).total == 4


def test_a_change_of_all(world: World, many: set[tuple[str, int, str, bool]]) -> None:
    """One record, one undo; what is left out of the wish stays; others' listings too."""
    theirs, records = told(world.outsider), Record.objects.count()
    done = edit_chosen(world.admin, ALL, wish(reason="bulk", enabled=False), expected=8)
    assert (done.changed, done.same, done.taken) == (8, 0, [])
    assert {(reason, enabled) for _, _, reason, enabled in told(world.viewer)} == {("bulk", False)}
    assert {(one.action, one.scope > 0) for one in current(world.viewer)} == {
        ("block", False),
        ("allow", True),
    }
    assert Record.objects.count() == records + 1
    assert done.change is not None
    record = Record.objects.get(seq=done.change)
    assert (record.what, record.count) == ("listing.set", 8)
    assert record.summary.endswith("and 3 more")
    assert told(world.outsider) == theirs
    undo(world.admin, done.change)
    assert told(world.viewer) == many


def test_what_says_so_already(world: World, many: set[tuple[str, int, str, bool]]) -> None:
    """Is no change; when nothing changes there is no record."""
    records = Record.objects.count()
    first = edit_chosen(world.admin, ALL, wish(reason="spam"), expected=8)
    assert (first.changed, first.same) == (1, 7)
    again = edit_chosen(world.admin, ALL, wish(reason="spam"), expected=8)
    assert again == Done(None, 0, 8)
    assert Record.objects.count() == records + 1
    assert len(told(world.viewer)) == len(many)


def test_another_scope(world: World, many: set[tuple[str, int, str, bool]]) -> None:
    """Listings move; where one stands already, both stay; the verdict follows; undo moves back."""
    block(world.admin, "203.0.113.3", server="mx1", reason="own")
    mx1 = find_server(world.viewer, "mx1")
    before = told(world.viewer)
    done = edit_chosen(world.admin, ALL, wish(), server="mx1", expected=9)
    assert (done.changed, done.same, done.taken) == (6, 2, ["203.0.113.3"])
    assert {scope for target, scope, *_ in told(world.viewer) if target != "203.0.113.3"} == {
        mx1.pk
    }
    subject = parse_subject("203.0.113.1")
    assert explain(world.viewer, subject, None).verdict.word == "none"
    assert explain(world.viewer, subject, mx1).verdict.word == "block"
    assert done.change is not None
    undo(world.admin, done.change)
    assert told(world.viewer) == before


def test_two_that_would_meet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two servers' listings of one target only the first can become the account's."""
    monkeypatch.setattr(bulk, "_BATCH", 1)
    for name in ("mx1", "mx2"):
        add_server(world.admin, name)
        block(world.admin, "203.0.113.7", server=name)
    done = edit_chosen(world.admin, ALL, wish(), server="", expected=2)
    assert (done.changed, done.taken) == (1, ["203.0.113.7"])


@pytest.mark.usefixtures("many")
def test_what_triggers_keep(world: World) -> None:
    """Is not edited, but removed."""
    Version.objects.filter(target="203.0.113.2").update(source="trigger", origin="Busy")
    assert survey(world.viewer, ALL).triggers == 1
    done = edit_chosen(world.admin, ALL, wish(note="looked at"), expected=8)
    assert (done.changed, done.triggers) == (7, 1)
    assert remove_chosen(world.admin, ALL, expected=8).changed == 8
    assert told(world.viewer) == set()


def test_removal(world: World, many: set[tuple[str, int, str, bool]]) -> None:
    """One change, which undo takes back."""
    done = remove_chosen(world.admin, Chosen(text="203.0.113.0/24", wanted=Filter()), expected=7)
    assert {target for target, *_ in told(world.viewer)} == {"192.0.2.25"}
    assert done.change is not None
    assert Record.objects.get(seq=done.change).count == 7
    undo(world.admin, done.change)
    assert told(world.viewer) == many


@pytest.mark.usefixtures("many")
def test_only_what_was_looked_at(world: World) -> None:
    """Another count is refused; what came later is left out by its number."""
    upto = survey(world.viewer, ALL).upto
    block(world.admin, "203.0.113.99")
    with pytest.raises(Conflict, match="9 are chosen by now, not 8"):
        remove_chosen(world.admin, ALL, expected=8)
    (theirs,) = current(world.outsider)
    with pytest.raises(Conflict, match="0 are chosen by now"):
        remove_chosen(world.admin, Chosen(numbers=(theirs.number,)), expected=1)
    assert remove_chosen(world.admin, Chosen(wanted=Filter(upto=upto)), expected=8).changed == 8
    assert {target for target, *_ in told(world.viewer)} == {"203.0.113.99"}


@pytest.mark.usefixtures("many")
def test_refusals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to change, too many, no such server: nothing is done."""
    before = told(world.viewer)
    with pytest.raises(BadInput, match="nothing to change"):
        edit_chosen(world.admin, ALL, wish(), expected=8)
    with pytest.raises(NotFound):
        edit_chosen(world.admin, ALL, wish(), server="foreign", expected=8)
    monkeypatch.setattr(bulk, "LIMIT", 5)
    with pytest.raises(BadInput, match="8 are too many at once"):
        edit_chosen(world.admin, ALL, wish(note="x"), expected=8)
    monkeypatch.setattr(bulk, "TARGETS_LIMIT", 2)
    with pytest.raises(BadInput, match="too many to be chosen one by one"):
        survey(world.viewer, Chosen(numbers=(1, 2, 3)))
    assert told(world.viewer) == before
