"""Which servers a time is compared by with the one before it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from mailmum.control.listings.services import remove_server
from mailmum.control.monitor.alike import Alike, alike
from mailmum.control.monitor.ranges import Range
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY, HOUR, start_of
from tests.control.monitor.kit import Traffic

DAYS = 4


def found(traffic: Traffic) -> Alike:
    """Of the last days, and as many before them."""
    until = start_of(traffic.now, HOUR)
    wanted = Range(until - DAYS * DAY, until, HOUR)
    return alike(traffic.world.viewer, wanted, now=traffic.now)


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


def test_nothing_was_seen(traffic: Traffic) -> None:
    """Nothing is compared, and nothing said."""
    traffic.foreign(*traffic.pool())
    assert found(traffic) == Alike({}, None, ())
