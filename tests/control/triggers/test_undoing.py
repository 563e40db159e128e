"""Changes of triggers are undone like those of listings, and undone again."""

import pytest

from mailmum.control.journal.models import Record
from mailmum.control.listings.services import remove_server
from mailmum.control.listings.undo import undo, why_not
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.triggers.queries import find_trigger, triggers_of
from mailmum.control.triggers.services import add_trigger, edit_trigger, remove_trigger
from mailmum.control.triggers.values import state
from mailmum.domain.errors import BadInput, Conflict, NotFound
from tests.control.triggers.kit import Scene
from tests.support.world import World


def last() -> int:
    """The number of the latest change."""
    return Record.objects.latest("seq").seq


def told(world: World, name: str = "test") -> dict[str, object]:
    """All that is said of a trigger."""
    return state(find_trigger(world.owner, name), names_of_servers(world.owner))


def test_an_edit_is_undone_and_done_again(scene: Scene) -> None:
    """Every field, whatever its sort; an undo is a change of its own."""
    world = scene.world
    add_trigger(world.owner, "test", {"server": "mx1"}, preset="spam-score")
    before = told(world)
    edit_trigger(
        world.owner,
        "test",
        {"metric": "rbl", "lists": "zen.example", "server": "", "mode": "enforce"},
    )
    after, changed = told(world), last()
    made = undo(world.admin, changed)
    assert (made.what, told(world)) == ("undo.trigger.set", before)
    assert undo(world.admin, made.seq).what == "trigger.set"
    assert told(world) == after
    with pytest.raises(Conflict, match="was undone by change"):
        undo(world.admin, changed)


def test_a_later_edit_stands_in_the_way(world: World) -> None:
    """It would be undone silently; undone first, the earlier one can follow."""
    add_trigger(world.owner, "test", {}, preset="two-lists")
    edit_trigger(world.owner, "test", {"threshold": 3})
    first = last()
    edit_trigger(world.owner, "test", {"threshold": 4})
    second = last()
    with pytest.raises(Conflict, match="the trigger test has been changed since"):
        undo(world.owner, first)
    undo(world.owner, second)
    undo(world.owner, first)
    assert told(world)["threshold"] == 2


def test_what_was_removed_comes_back_and_counts_from_nothing(scene: Scene) -> None:
    """What came while it was gone lists nobody; what comes after does."""
    scene.trigger()
    remove_trigger(scene.world.owner, "test")
    removal = last()
    scene.follow()
    scene.see(count=2, ago=60)
    undo(scene.world.owner, removal)
    scene.follow()
    scene.see(count=2, ago=50)
    scene.follow()
    assert not scene.listed()
    scene.see(count=1, ago=40)
    scene.follow()
    assert scene.listed() == ["203.0.113.7"]


def test_adding_is_undone_and_done_again(world: World) -> None:
    """The same trigger, unless its name has been given to another meanwhile."""
    add_trigger(world.owner, "test", {"mode": "observe"}, preset="two-lists")
    before = told(world)
    undone = undo(world.owner, last()).seq
    assert not triggers_of(world.owner).exists()
    undo(world.owner, undone)
    assert told(world) == before
    again = undo(world.owner, last()).seq
    add_trigger(world.owner, "test", {}, preset="two-lists")
    with pytest.raises(Conflict, match="there is another trigger test by now"):
        undo(world.owner, again)


def test_a_server_that_is_gone_stands_in_the_way(scene: Scene) -> None:
    """Rather than that the trigger counts for all servers."""
    scene.trigger(server="mx2")
    edit_trigger(scene.world.owner, "test", {"server": ""})
    change = last()
    remove_server(scene.world.owner, "mx2")
    with pytest.raises(Conflict, match="server whose contacts it counted has been removed"):
        undo(scene.world.owner, change)
    assert told(scene.world)["server"] is None


def test_outsiders_undo_nothing(world: World) -> None:
    """The answer is that of a change that there never was."""
    add_trigger(world.owner, "test", {}, preset="two-lists")
    edit_trigger(world.owner, "test", {"threshold": 3})
    with pytest.raises(NotFound, match="there is no change"):
        undo(world.outsider, last())
    assert told(world)["threshold"] == 3


@pytest.mark.parametrize("what", ["trigger.stop", "trigger.resume", "feed.version"])
def test_what_is_not_undone_says_what_to_do_instead(world: World, what: str) -> None:
    """In the journal, and to whoever tries."""
    add_trigger(world.owner, "test", {}, preset="two-lists")
    Record.objects.filter(seq=last()).update(what=what)
    reason = why_not(Record.objects.get(seq=last()))
    assert "by hand" not in reason
    with pytest.raises(BadInput, match=reason):
        undo(world.owner, last())
