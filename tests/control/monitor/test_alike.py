"""Which servers a time is compared by with the one before it."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from mailmum.control.listings.services import remove_server
from mailmum.control.monitor.alike import Alike, alike
from mailmum.control.monitor.overview import overview
from mailmum.control.monitor.ranges import WORDS, Range, range_of
from mailmum.control.servers.models import Server
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY, HOUR, start_of
from tests.control.monitor.kit import Traffic

DAYS = 4


def found(traffic: Traffic) -> Alike:
    """Of the last days, and as many before them."""
    until = start_of(traffic.now, HOUR)
    wanted = Range(until - DAYS * DAY, until, HOUR)
    return _alike(traffic, wanted)


def _alike(traffic: Traffic, wanted: Range, server: str | None = None) -> Alike:
    shown = overview(traffic.world.viewer, wanted, server, now=traffic.now)
    return alike(traffic.world.viewer, shown, server, now=traffic.now)


def fill(traffic: Traffic, days: Iterable[int], count: int, server: str = "mx1") -> None:
    """So many messages on each of some days ago."""
    for day in days:
        ago = day * DAY + HOUR
        traffic.log(*traffic.mail("198.51.100.201", count, "a.example", ago=ago), server=server)


def test_all_that_was_seen_all_through(traffic: Traffic) -> None:
    """Is compared, and nothing said."""
    fill(traffic, range(10), 30)
    assert found(traffic) == Alike({Group.ACCEPTED: 120}, {Group.ACCEPTED: 120}, ())


def test_a_gap(traffic: Traffic) -> None:
    """Of a server that is seen often; of one that is hardly ever seen nobody can tell."""
    fill(traffic, (0, 1, 2, 3, 4, 5, 7, 8, 9), 30)
    fill(traffic, (1, 9), 30, "mx2")
    like = found(traffic)
    assert (like.now, like.before) == ({Group.ACCEPTED: 30}, {})
    ((name, why),) = like.without
    gap = datetime.fromtimestamp(traffic.now - 6 * DAY - HOUR, UTC)
    assert (name, why) == ("mx1", f"not seen on {gap.day} {gap:%b}")


def test_servers_that_came_or_went(traffic: Traffic) -> None:
    """Are named, and left out of both sides."""
    fill(traffic, range(10), 30)
    fill(traffic, range(6), 30, "mx2")
    like = found(traffic)
    assert (like.now, like.before) == ({Group.ACCEPTED: 120}, {Group.ACCEPTED: 120})
    ((name, why),) = like.without
    assert (name, why[:16]) == ("mx2", "seen only since ")
    remove_server(traffic.world.owner, "mx2")
    assert found(traffic).without == (("mx2", "removed"),)


@pytest.mark.parametrize("word", WORDS)
def test_in_every_range(traffic: Traffic, word: str) -> None:
    """From about the beginning of the time before, be it an hour; of all servers, or of one."""
    wanted = range_of(word, now=traffic.now)
    length = wanted.until - wanted.since
    for server, first in (("mx1", 1.97), ("mx2", 1.2)):
        for part in (0, first):
            traffic.log(
                *traffic.mail("198.51.100.201", 2, "a.example", ago=part * length), server=server
            )
    like = _alike(traffic, wanted)
    assert (like.now, [name for name, _ in like.without]) == ({Group.ACCEPTED: 2}, ["mx2"])
    assert _alike(traffic, wanted, "mx1").without == ()
    assert _alike(traffic, wanted, "mx2").before is None


def test_one_that_is_hardly_ever_seen(traffic: Traffic) -> None:
    """May have had nothing to do for weeks; one that has been added since had not."""
    fill(traffic, range(10), 30)
    fill(traffic, (1,), 10, "mx2")
    assert [name for name, _ in found(traffic).without] == ["mx2"]
    long = datetime.fromtimestamp(traffic.now - 30 * DAY, UTC)
    Server.objects.filter(name="mx2").update(created=long)
    assert found(traffic) == Alike({Group.ACCEPTED: 130}, {Group.ACCEPTED: 120}, ())


def test_what_is_said_of_those_left_out() -> None:
    """By reason, three of each by name and three of these; nothing where all are compared."""
    odd = [(f"mx{number}", "removed") for number in range(1, 6)] + [("old", "not seen on 2 days")]
    names = "mx1, mx2, mx3 and 2 more (removed); old (not seen on 2 days)."
    assert Alike({}, None, tuple(odd)).says == f"There is nothing to compare this with: {names}"
    assert Alike({}, {}, tuple(odd)).says.endswith(f"both times, so all but {names}")
    odd += [(f"new{day}", f"seen only since {day} Nov") for day in range(1, 10)]
    assert "; new1 (seen only since 1 Nov); and 8 more servers." in Alike({}, {}, tuple(odd)).says
    assert Alike({}, {}, ()).says == ""


def test_nothing_was_seen(traffic: Traffic) -> None:
    """Nothing is compared, and nothing said."""
    traffic.foreign(*traffic.pool())
    assert found(traffic) == Alike({}, None, ())
