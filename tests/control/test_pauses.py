"""The panic switch: one change each, undone as one, and no verdict but what is allowed."""

import re
import time

import pytest

from mailmum.control.dataplane.source import DatabaseSource
from mailmum.control.doctor import checks
from mailmum.control.journal.models import Record
from mailmum.control.listings.queries import explain
from mailmum.control.listings.services import remove_server
from mailmum.control.listings.undo import undo
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import Pause, pause, pause_at, pauses_of, resume
from mailmum.control.servers.queries import find_server
from mailmum.control.servers.services import add_server
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.domain.verdicts import Word
from tests.control.test_listings import allow, block
from tests.support.world import World, granted


@pytest.fixture
def mx1(world: World) -> Server:
    """A server of the account, beside another one."""
    add_server(world.admin, "mx2")
    return add_server(world.admin, "mx1")


def told(world: World, server: str) -> int | None:
    """From when blocks hold on a server, as the data plane is told."""
    number = find_server(world.admin, server).pk
    return next(one.blocks_from for one in DatabaseSource().load().servers if one.id == number)


def verdict(world: World, client: str, server: str) -> Word:
    """The verdict that explain gives, with the account as it now is."""
    reading = granted("viewer@example.net")
    return explain(reading, parse_subject(client), find_server(reading, server)).verdict.word


@pytest.mark.usefixtures("mx1")
def test_a_server_is_paused_and_no_other(world: World) -> None:
    """The journal has one record each way, and says for how long."""
    end = int(time.time()) + 3600
    made = pause(world.admin, "mx1", until=end)
    assert made is not None
    assert (told(world, "mx1"), told(world, "mx2")) == (end, 0)
    record = Record.objects.get(seq=made.seq)
    assert (record.what, record.server) == ("server.pause", find_server(world.admin, "mx1").pk)
    assert re.fullmatch(
        "all blocking of server mx1 until 20[-0-9]+ [0-9]{2}:[0-9]{2}:[0-9]{2} UTC", record.summary
    )
    assert pauses_of(world.viewer, time.time()) == [Pause("mx1", end)]
    assert resume(world.admin, "mx1") is not None
    assert told(world, "mx1") == 0
    assert resume(world.admin, "mx1") is None
    assert Record.objects.latest("seq").what == "server.resume"


@pytest.mark.usefixtures("mx1")
def test_an_account_is_paused_with_all_its_servers(world: World) -> None:
    """Whichever ends last counts, where a server is paused too; other accounts go on."""
    soon, late = int(time.time()) + 60, int(time.time()) + 3600
    other = add_server(world.outsider, "mx1")
    pause(world.admin, "mx1", until=late)
    pause(world.admin, until=soon)
    assert (told(world, "mx1"), told(world, "mx2")) == (late, soon)
    pause(world.admin)
    assert (told(world, "mx1"), told(world, "mx2")) == (None, None)
    assert pauses_of(world.viewer, time.time()) == [Pause("", None), Pause("mx1", late)]
    assert pauses_of(world.outsider, time.time()) == []
    loaded = {one.id: one.blocks_from for one in DatabaseSource().load().servers}
    assert loaded[other.pk] == 0


@pytest.mark.usefixtures("mx1")
def test_explain_says_none_and_what_would_block(world: World) -> None:
    """What is allowed stays allowed; the listing that would block leads those overruled."""
    block(world.admin, "203.0.113.0/24")
    allow(world.admin, "203.0.113.7")
    pause(world.admin, "mx1")
    assert verdict(world, "203.0.113.9", "mx1") is Word.NONE
    assert verdict(world, "203.0.113.9", "mx2") is Word.BLOCK
    assert verdict(world, "203.0.113.7", "mx1") is Word.ALLOW
    reading = granted("viewer@example.net")
    found = explain(reading, parse_subject("203.0.113.9"), find_server(reading, "mx1"))
    assert found.paused == Pause("mx1", None)
    assert [one.target for one in found.overruled] == ["203.0.113.0/24"]
    nothing = explain(reading, parse_subject("192.0.2.1"), find_server(reading, "mx1"))
    assert nothing.paused is None


def test_a_pause_ends_by_itself(world: World, mx1: Server) -> None:
    """At its time, to the second, without anybody's doing; then it may begin anew."""
    end = int(time.time()) + 60
    pause(world.admin, "mx1", until=end)
    server = find_server(world.admin, "mx1")
    assert pause_at(server.account, server, end - 0.1) == Pause("mx1", end)
    assert pause_at(server.account, server, end) is None
    assert pauses_of(world.viewer, end) == []
    Server.objects.filter(pk=mx1.pk).update(blocks_from=int(time.time()) - 1)
    before = Record.objects.count()
    assert resume(world.admin, "mx1") is None
    assert Record.objects.count() == before
    assert pause(world.admin, "mx1") is not None


@pytest.mark.parametrize("server", [None, "mx1"])
@pytest.mark.usefixtures("mx1")
def test_undo_and_undo_of_that(world: World, server: str | None) -> None:
    """Back to what was before, each time as a change of its own."""
    end = int(time.time()) + 3600
    pause(world.admin, server, until=end)
    longer = pause(world.admin, server)
    assert longer is not None
    undone = undo(world.admin, longer.seq)
    assert told(world, "mx1") == end
    undo(world.admin, undone.seq)
    assert told(world, "mx1") is None
    assert Record.objects.latest("seq").what == longer.what


@pytest.mark.usefixtures("mx1")
def test_undo_is_refused_after_a_later_change(world: World) -> None:
    """Else it would silently undo that one too; and of a server that has been removed."""
    first = pause(world.admin, "mx1", until=int(time.time()) + 60)
    pause(world.admin, "mx1")
    assert first is not None
    with pytest.raises(Conflict, match="changed since"):
        undo(world.admin, first.seq)
    last = Record.objects.latest("seq").seq
    remove_server(world.admin, "mx1")
    with pytest.raises(Conflict, match="has been removed"):
        undo(world.admin, last)


@pytest.mark.usefixtures("mx1")
def test_a_server_that_comes_back_is_still_paused(world: World) -> None:
    """Removing and undoing that changes nothing of it."""
    pause(world.admin, "mx1")
    seq, _ = remove_server(world.admin, "mx1")
    undo(world.admin, seq)
    assert told(world, "mx1") is None


@pytest.mark.parametrize("end", [-1, 0, 400 * 86_400])
def test_an_end_that_makes_no_sense(world: World, mx1: Server, end: int) -> None:
    """Passed already, or so far off that it was meant otherwise."""
    with pytest.raises(BadInput, match="within a year"):
        pause(world.admin, mx1.name, until=int(time.time()) + end)


def test_the_same_again_changes_nothing(world: World) -> None:
    """No record, and no server that is not one's own."""
    assert pause(world.admin) is not None
    assert pause(world.admin) is None
    add_server(world.outsider, "mx9")
    for act in (pause, resume):
        with pytest.raises(NotFound):
            act(world.admin, "mx9")


@pytest.mark.usefixtures("mx1")
def test_doctor_tells_of_pauses(world: World) -> None:
    """Each with the command that ends it; of one server only what is about it or the account."""
    pause(world.admin)
    pause(world.admin, "mx1", until=int(time.time()) + 60)
    fixes = [one["fix"] for one in checks(world.viewer) if "paused" in one["message"]]
    assert [fix.rpartition(": ")[2] for fix in fixes] == [
        "mailmum resume",
        "mailmum server resume mx1",
    ]
    about = [one["name"] for one in checks(world.viewer, "mx2") if "paused" in one["message"]]
    assert about == ["account"]
