"""Changes of feeds are undone like those of listings; and what stands in the way of a change."""

from pathlib import Path
from typing import Any

import pytest

from mailmum.control.accounts.models import Account
from mailmum.control.config import current
from mailmum.control.feeds import services
from mailmum.control.feeds.editing import edit_feed
from mailmum.control.feeds.fetching import Fetched, fetch
from mailmum.control.feeds.guarding import guard_of
from mailmum.control.feeds.models import Feed
from mailmum.control.feeds.queries import feeds_of, show_feed
from mailmum.control.feeds.refreshing import refresh
from mailmum.control.feeds.services import (
    add_feed,
    pause,
    refresh_feed,
    release,
    remove_feed,
    upload_feed,
)
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.journal.models import Record
from mailmum.control.listings.services import remove_server
from mailmum.control.listings.undo import undo
from mailmum.control.servers.services import add_server
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.guards import OwnServer
from tests.support.world import World

MANY = [f"198.51.{number}.0/24" for number in range(60)]


@pytest.fixture
def file() -> Path:
    """A list that some other program writes, on the machine of the service."""
    folder = current().data / "feeds"
    folder.mkdir(exist_ok=True)
    path = folder / "written.txt"
    path.write_text("\n".join(MANY))
    return path


@pytest.fixture
def feed(world: World, file: Path) -> Feed:
    """A feed of it that holds."""
    made = add_feed(world.owner, make_wish("own", file.name))
    assert refresh_feed(world.owner, "own").word == "current"
    return made


def last() -> int:
    """The number of the latest change."""
    return Record.objects.latest("seq").seq


def told(world: World, *names: str) -> list[Any]:
    """What is said of the feed."""
    found = show_feed(world.owner, "own")
    return [found[name] for name in names]


@pytest.mark.usefixtures("feed")
def test_an_edit_is_undone_and_done_again(world: World) -> None:
    """Every field; that it has been refreshed since is no change."""
    add_server(world.owner, "mx1")
    names = ("every", "reason", "code", "shrink", "grow", "scope")
    before = told(world, *names)
    given = {"every": "1h", "reason": "Mine", "code": "127.0.0.9", "shrink": 10, "grow": 20}
    given["server"] = "mx1"
    edit_feed(world.owner, "own", given)
    after, change = told(world, *names), last()
    refresh_feed(world.owner, "own")
    undone = undo(world.admin, change)
    assert told(world, *names) == before
    undo(world.admin, undone.seq)
    assert told(world, *names) == after == ["1h", "Mine", "127.0.0.9", 10, 20, "mx1"]
    edit_feed(world.owner, "own", {"shrink": 30})
    with pytest.raises(Conflict, match="the feed own has been changed since"):
        undo(world.owner, last() - 1)


@pytest.mark.usefixtures("feed")
def test_a_feed_that_turned_turns_back(world: World) -> None:
    """And lists nothing until it has been read again, as with every change of the action."""
    edit_feed(world.owner, "own", {"action": "allow"})
    undo(world.owner, last())
    assert told(world, "action", "entries") == ["block", 0]
    refresh_feed(world.owner, "own")
    assert told(world, "action", "entries") == ["block", 60]


@pytest.mark.usefixtures("feed")
def test_what_was_removed_is_subscribed_to_again(world: World) -> None:
    """Its entries come with the next refresh, which is due at once; and the other way round."""
    remove_feed(world.owner, "own")
    undone = undo(world.owner, last()).seq
    assert told(world, "state", "entries") == ["waiting", 0]
    assert refresh_feed(world.owner, "own").word == "current"
    assert told(world, "entries") == [60]
    undo(world.owner, undone)
    assert not feeds_of(world.owner).exists()


@pytest.mark.usefixtures("feed")
def test_a_name_or_a_server_stands_in_the_way(world: World, file: Path) -> None:
    """A name stands for one feed, and nothing holds where there is no server."""
    add_server(world.owner, "mx1")
    edit_feed(world.owner, "own", {"server": "mx1"})
    remove_feed(world.owner, "own")
    removal = last()
    add_feed(world.owner, make_wish("own", file.name))
    with pytest.raises(Conflict, match="there is another feed own by now"):
        undo(world.owner, removal)
    remove_feed(world.owner, "own")
    remove_server(world.owner, "mx1")
    with pytest.raises(Conflict, match="server where it held has been removed"):
        undo(world.owner, removal)


def test_what_was_uploaded_does_not_come_back(world: World) -> None:
    """There is nobody to get it from; adding is undone all the same."""
    add_feed(world.owner, make_wish("own", ""))
    upload_feed(world.owner, "own", b"203.0.113.7\n")
    remove_feed(world.owner, "own")
    with pytest.raises(BadInput, match="what was uploaded to the feed own is gone"):
        undo(world.owner, last())
    add_feed(world.owner, make_wish("own", ""))
    undo(world.owner, last())
    assert not feeds_of(world.owner).exists()


@pytest.mark.usefixtures("feed")
def test_a_pause_is_undone(world: World) -> None:
    """Both ways, unless somebody has done it already."""
    pause(world.owner, "own", paused=True)
    change = last()
    undone = undo(world.owner, change).seq
    assert told(world, "state") == ["ok"]
    undo(world.owner, undone)
    assert told(world, "state") == ["paused"]
    pause(world.owner, "own", paused=False)
    resumed = last()
    pause(world.owner, "own", paused=True)
    with pytest.raises(Conflict, match="paused or resumed since"):
        undo(world.owner, resumed)


@pytest.mark.usefixtures("feed")
def test_an_update_that_was_dropped_waits_again(world: World, file: Path) -> None:
    """Until another has come."""
    file.write_text(MANY[0])
    assert refresh_feed(world.owner, "own").word == "held"
    release(world.owner, "own", drop=True)
    dropped = last()
    undone = undo(world.owner, dropped).seq
    assert told(world, "state", "entries") == ["held", 60]
    undo(world.owner, undone)
    assert told(world, "state", "entries") == ["ok", 60]
    file.write_text("\n".join(MANY[1:]))
    assert refresh_feed(world.owner, "own").word == "current"
    with pytest.raises(Conflict, match="has moved on since"):
        undo(world.owner, last() - 1)


@pytest.mark.usefixtures("feed")
def test_outsiders_undo_nothing(world: World) -> None:
    """The answer is that of a change that there never was."""
    edit_feed(world.owner, "own", {"reason": "Mine"})
    with pytest.raises(NotFound, match="there is no change"):
        undo(world.outsider, last())
    assert told(world, "reason") == ["Mine"]


def test_nobody_edits_what_is_being_refreshed(world: World, feed: Feed) -> None:
    """What is read just now was read for what the feed was."""
    refused: list[str] = []

    def meanwhile(account: int, kind: str, source: str, etag: str, modified: str) -> Fetched:
        for act in (
            lambda: edit_feed(world.owner, "own", {"action": "allow"}),
            lambda: refresh_feed(world.owner, "own"),
        ):
            with pytest.raises(Conflict, match="being refreshed just now") as refusal:
                act()
            refused.append(str(refusal.value))
        return fetch(account, kind, source, etag, modified)

    outcome = refresh(feed.pk, meanwhile)
    assert outcome is not None
    assert (outcome.word, len(refused)) == ("unchanged", 2)
    assert told(world, "action", "entries") == ["block", 60]
    edit_feed(world.owner, "own", {"action": "allow"})
    assert told(world, "action") == ["allow"]


@pytest.mark.usefixtures("feed")
def test_what_is_held_back_is_dropped_when_the_feed_turns(world: World, file: Path) -> None:
    """It was read to be blocked, and must never be allowed by a release."""
    file.write_text(MANY[0])
    assert refresh_feed(world.owner, "own").word == "held"
    edit_feed(world.owner, "own", {"action": "allow"})
    with pytest.raises(Conflict, match="nothing of the feed own is held back"):
        release(world.owner, "own")
    states = [one["state"] for one in show_feed(world.owner, "own")["versions"]]
    assert states == ["dropped", "past"]
    assert refresh_feed(world.owner, "own").word == "current"
    assert told(world, "action", "entries") == ["allow", 1]


@pytest.mark.usefixtures("feed")
def test_a_feed_that_turns_while_it_is_released(
    world: World, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is held back and the lock somebody has turned it."""
    file.write_text(MANY[0])
    assert refresh_feed(world.owner, "own").word == "held"

    def meanwhile(account: Account) -> tuple[list[OwnServer], str]:
        edit_feed(world.owner, "own", {"action": "allow"})
        return guard_of(account)

    monkeypatch.setattr(services, "guard_of", meanwhile)
    with pytest.raises(Conflict, match="changed meanwhile"):
        release(world.owner, "own")
    assert told(world, "action", "entries") == ["allow", 0]
