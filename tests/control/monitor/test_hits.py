"""How often listings decided, and which no longer do."""

from datetime import UTC, datetime

import pytest

from mailmum.control import config
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.monitor import hits
from mailmum.control.monitor.hits import Hits, hits_of, stale
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome, Source
from tests.control.monitor.kit import Traffic

DAY = 86_400


def counted(traffic: Traffic, days: int = 30) -> dict[str, int]:
    """The hits of all listings, by target and scope."""
    found = list(current(traffic.world.viewer))
    told = hits_of(traffic.world.viewer, found, days=days, now=traffic.now)
    return {
        f"{one.target} {one.scope and 'server'}".strip(" 0"): told[one.number].count
        for one in found
    }


def test_lookups_are_hits_of_what_covers_them(traffic: Traffic) -> None:
    """By address, network and name; a block and an allow each by its own answer."""
    traffic.listed(Action.BLOCK, "203.0.113.7", "203.0.113.0/24", ".spam.example", "a.example")
    traffic.listed(Action.ALLOW, "203.0.113.9", "203.0.112.0/23")
    traffic.asked("203.0.113.7", Outcome.LISTED, 5)
    traffic.asked("203.0.113.8", Outcome.LISTED, 2, server="mx2")
    traffic.asked("203.0.113.9", Outcome.ALLOWED, 3)
    traffic.asked("203.0.113.10", Outcome.UNLISTED, 50)
    traffic.asked("mail.spam.example", Outcome.LISTED, 4)
    assert counted(traffic) == {
        "203.0.113.7": 5,
        "203.0.113.0/24": 7,
        ".spam.example": 4,
        "a.example": 0,
        "203.0.113.9": 3,
        "203.0.112.0/23": 3,
    }


def test_rejects_by_our_own_list_are_hits(traffic: Traffic) -> None:
    """Of each server the source that knows of the most; other lists are none of ours."""
    traffic.listed(Action.BLOCK, "203.0.113.7", "203.0.113.0/24")
    own = f"bl.{config.current().zone}"
    reject = traffic.seen("203.0.113.7", Outcome.REJECTED, rbl=own)
    traffic.log(*[reject] * 3)
    traffic.log(*[traffic.seen("203.0.113.7", Outcome.REJECTED, rbl="zen.rbl.example")] * 9)
    traffic.log(*[reject] * 6, server="mx2")
    traffic.asked("203.0.113.7", Outcome.LISTED, 5)
    traffic.asked("203.0.113.7", Outcome.LISTED, 2, source=Source.POLICY)
    assert counted(traffic) == {"203.0.113.7": 11, "203.0.113.0/24": 11}


def test_of_one_server(traffic: Traffic) -> None:
    """A listing of a server has the hits of that server."""
    traffic.listed(Action.BLOCK, "203.0.113.7", "203.0.113.0/24", server="mx2")
    traffic.asked("203.0.113.7", Outcome.LISTED, 5)
    traffic.asked("203.0.113.7", Outcome.LISTED, 2, server="mx2")
    assert counted(traffic) == {"203.0.113.7 server": 2, "203.0.113.0/24 server": 2}


def test_the_last_hit_and_how_far_back(traffic: Traffic) -> None:
    """By the day; beyond the days nothing counts."""
    traffic.listed(Action.BLOCK, "203.0.113.7", ".spam.example")
    for ago in (3, 9):
        traffic.asked("203.0.113.7", Outcome.LISTED, 1, ago=ago * DAY)
        traffic.asked("spam.example", Outcome.LISTED, 1, ago=ago * DAY)
    found = list(current(traffic.world.viewer))
    day = int((traffic.now - 3 * DAY) // DAY) * DAY
    expected = {one.number: Hits(2, day) for one in found}
    assert hits_of(traffic.world.viewer, found, now=traffic.now) == expected
    expected = {one.number: Hits(1, day) for one in found}
    assert hits_of(traffic.world.viewer, found, days=5, now=traffic.now) == expected


def test_nobody_elses(traffic: Traffic) -> None:
    """Listings of another account are not looked at, nor is its traffic."""
    traffic.listed(Action.BLOCK, "203.0.113.7")
    traffic.asked("203.0.113.7", Outcome.LISTED, 5)
    found = list(current(traffic.world.viewer))
    assert hits_of(traffic.world.outsider, found, now=traffic.now) == {}
    assert stale(traffic.world.outsider, now=traffic.now) == ()


def test_what_is_read_is_bounded(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest days count, and that there may be more is told."""
    traffic.listed(Action.BLOCK, "203.0.113.0/24", "203.0.0.0/16")
    for ago in range(1, 5):
        for last in range(3):
            traffic.asked(f"203.0.113.{last}", Outcome.LISTED, 1, ago=ago * DAY)
    monkeypatch.setattr(hits, "EACH", 2)
    found = list(current(traffic.world.viewer))
    told = hits_of(traffic.world.viewer, found, now=traffic.now)
    assert {(one.count, one.at_least) for one in told.values()} == {(2, True)}
    monkeypatch.setattr(hits, "EACH", 3)
    monkeypatch.setattr(hits, "BUDGET", 15)
    told = hits_of(traffic.world.viewer, found, now=traffic.now)
    assert sorted((one.count, one.at_least) for one in told.values()) == [(3, True), (12, False)]


def test_stale_listings(traffic: Traffic) -> None:
    """Older than the days, without a hit in them; people's only, the oldest first."""
    traffic.listed(Action.BLOCK, "203.0.113.7", "203.0.113.8", "a.example", "b.example")
    assert stale(traffic.world.viewer, now=traffic.now) == ()
    long_ago = datetime.fromtimestamp(traffic.now - 60 * DAY, UTC)
    Version.objects.exclude(target="b.example").update(changed=long_ago)
    traffic.asked("203.0.113.8", Outcome.LISTED, 1)
    assert _stale(traffic, 30) == ["203.0.113.7", "a.example"]
    assert _stale(traffic, 61) == []
    Version.objects.filter(target="a.example").update(source="feed")
    assert _stale(traffic, 30) == ["203.0.113.7"]
    assert stale(traffic.world.outsider, days=30, now=traffic.now) == ()


def _stale(traffic: Traffic, days: int) -> list[str]:
    found = stale(traffic.world.viewer, days=days, now=traffic.now)
    return [one.target for one in found]
