"""Finding sightings, held against going through all of them."""

import ipaddress
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from mailmum.control.traffic import find as finding
from mailmum.control.traffic.find import Page, find, latest, news
from mailmum.control.traffic.intake import keep, keep_lookups
from mailmum.control.traffic.reading import Best, Wanted
from mailmum.control.traffic.router import traffic_database
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NameTarget, NetworkTarget, parse_network
from mailmum.traffic.batches import Lookup
from mailmum.traffic.groups import Group, group_of
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.traffic.kit import NOW, Batch, Event, fill, seen, week

pytestmark = pytest.mark.django_db(databases="__all__")

DAYS_AGO = int(NOW // 86_400 - 2) * 86_400
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "server": {"servers": frozenset({2})},
    "servers": {"servers": frozenset({1, 3})},
    "another's server": {"servers": frozenset({101})},
    "no server": {"servers": frozenset()},
    "source": {"sources": frozenset({Source.DNS, Source.POLICY})},
    "outcome": {"outcomes": frozenset({Outcome.REJECTED, Outcome.LISTED})},
    "unlisted": {"outcomes": frozenset({Outcome.UNLISTED})},
    "list": {"rbl": "a.rbl.example"},
    "list nobody knows": {"rbl": "nobody.example"},
    "address": {"client": parse_network("203.0.113.7")},
    "network": {"client": parse_network("203.0.113.0/25")},
    "wide network": {"client": parse_network("192.0.0.0/4")},
    "network and outcome": {
        "client": parse_network("203.0.113.0/24"),
        "outcomes": frozenset({Outcome.ACCEPTED}),
    },
    "ipv6": {"client": parse_network("2001:db8::/32")},
    "host": {"name": NameTarget("spam.example", whole=False)},
    "domain": {"name": NameTarget("spam.example", whole=True)},
    "top": {"name": NameTarget("top", whole=True)},
    "sender": {"sender": "A3@"},
    "client and sender": {"client": parse_network("203.0.113.7"), "sender": "a1@"},
    "helo": {"helo": "OTHER."},
    "text": {"text": "POOL"},
    "text of a sender": {"text": "a2@spam"},
    "group": {"groups": frozenset({Group.OWN, Group.OTHER})},
    "group by list": {"groups": frozenset({Group.RBL})},
    "group by no list": {"groups": frozenset({Group.REJECTED, Group.AUTH})},
    "best": {"best": (Best(1, Source.LOG), Best(2, Source.POLICY), Best(3, Source.LOG))},
    "best by day": {
        "best": (Best(1, Source.DNS, until=DAYS_AGO), Best(1, Source.LOG, since=DAYS_AGO))
    },
    "none is best": {"best": ()},
    "best and group": {
        "best": (Best(1, Source.LOG),),
        "groups": frozenset({Group.RBL, Group.OWN}),
    },
    "time": {"since": NOW - 86_400, "until": NOW - 3600},
    "time and client": {"since": NOW - 300_000, "client": parse_network("203.0.113.7")},
    "not there": {"sender": "%"},
}


def fits(event: Event, wanted: dict[str, Any]) -> bool:
    """The meaning of a filter, in plain words."""
    one = event.seen
    target = wanted.get("name")
    names = [name.lower() for name in (one.client_name, one.helo) if name]
    return (
        event.server in wanted.get("servers", {event.server})
        and event.source in wanted.get("sources", {event.source})
        and any(
            one.holds(event.server, event.source, event.seen.time)
            for one in wanted.get("best", [Best(event.server, event.source)])
        )
        and group_of(one.outcome, one.rbl, "mailmum.internal") in wanted.get("groups", set(Group))
        and one.outcome in wanted.get("outcomes", {one.outcome})
        and wanted.get("rbl", one.rbl) == one.rbl
        and inside(one.client, wanted.get("client"))
        and (target is None or any(target.covers(name) for name in names))
        and wanted.get("sender", "").lower() in (one.sender or "")
        and wanted.get("text", "").lower() in "|".join([*names, one.sender or ""])
        and wanted.get("helo", "").lower() in (one.helo or "").lower()
        and wanted.get("since", 0) <= one.time < wanted.get("until", NOW + 1)
    )


def inside(client: str | None, network: NetworkTarget | None) -> bool:
    """Whether a client lies in a network, by the standard library."""
    if network is None:
        return True
    return client is not None and ipaddress.ip_address(client) in ipaddress.ip_network(network.text)


def pages(wanted: Wanted, limit: int) -> list[Page]:
    """All pages of a filter, one after the other."""
    found = [find(1, wanted, limit=limit)]
    while (older := found[-1].older) is not None:
        found.append(find(1, wanted, before=older, limit=limit))
        assert len(found) < 2000
    return found


def test_every_filter_finds_what_it_means() -> None:
    """In one page, and in pages of twenty: nothing twice, nothing left out, newest first."""
    events = week(1)
    fill(events)
    for name, given in FILTERS.items():
        expected = [one.seen for one in reversed(events) if fits(one, given)]
        for limit in (1000, 20):
            found = [kept for page in pages(Wanted(**given), limit) for kept in page.found]
            assert [kept.sighting.time for kept in found] == [s.time for s in expected], name
            assert sorted(kept.sighting for kept in found) == sorted(expected), name
    assert any(fits(one, FILTERS["time and client"]) for one in events)


@pytest.mark.parametrize("name", ["all", "sender", "not there", "wide network", "server"])
def test_a_page_ends_when_too_much_was_looked_at(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It tells how far it got, and the next goes on there: still nothing is left out."""
    monkeypatch.setattr(finding, "BUDGET", 3)
    monkeypatch.setattr(finding, "LEAST", 5)
    events = week(3)
    fill(events)
    given = FILTERS[name]
    expected = [one.seen for one in reversed(events) if fits(one, given)]
    found = pages(Wanted(**given), 1000)
    assert sorted(k.sighting for page in found for k in page.found) == sorted(expected)
    assert len(found) > 1
    for page, following in pairwise(found):
        assert page.reached is not None
        assert all(kept.sighting.time >= page.reached for kept in page.found)
        assert all(kept.sighting.time <= page.reached for kept in following.found)


def test_the_latest_of_a_busy_client_are_found_in_few_hours() -> None:
    """However long it has been seen; of a client seen once, long ago, all hours are asked."""
    busy = [seen(NOW - 3600 * n, "203.0.113.7", helo=f"h{n}") for n in reversed(range(200))]
    keep(1, 1, Source.LOG, Batch([seen(NOW - 720_100, "203.0.113.9"), *busy]), now=NOW)
    hours: list[list[int]] = []
    for client in ("203.0.113.7", "203.0.113.9"):
        with CaptureQueriesContext(connections[traffic_database()]) as asked:
            found = find(1, Wanted(client=parse_network(client)), limit=5).found
        looks = [one["sql"] for one in asked if "traffic_clienthour" in one["sql"]]
        hours.append([look.count(", 17") + 1 for look in looks])
        assert {kept.sighting.client for kept in found} == {client}
    assert hours == [[48], [48, 153]]


def test_rows_that_count_for_many_fill_a_page() -> None:
    """Roll-ups count lookups, of which a row holds several: more is read at once each time."""
    hours = [NOW - 3600 * n for n in range(100)]
    lookups = [Lookup(1, 3, at, "203.0.113.7", Outcome.LISTED, 30) for at in reversed(hours)]
    keep_lookups(Source.DNS, lookups, now=NOW)
    wanted = Wanted(client=parse_network("203.0.113.7"))
    with CaptureQueriesContext(connections[traffic_database()]) as asked:
        found = find(1, wanted, limit=25).found
    assert [kept.sighting.time for kept in found] == hours[:25]
    assert sum('FROM "traffic_seen"' in one["sql"] for one in asked) == 4


def test_pages_stay_right_while_sightings_arrive() -> None:
    """What is newer than a page does not move the next; a late one is found in its place."""
    keep(1, 1, Source.LOG, Batch([seen(NOW - n) for n in range(10)]), now=NOW)
    first = find(1, Wanted(), limit=4)
    keep(1, 1, Source.LOG, Batch([seen(NOW - 0.5), seen(NOW - 6.5)]), now=NOW)
    rest = find(1, Wanted(), before=first.older, limit=100)
    times = [NOW - kept.sighting.time for kept in (*first.found, *rest.found)]
    assert times == [0, 1, 2, 3, 4, 5, 6, 6.5, 7, 8, 9]


def test_many_in_one_moment_are_paged() -> None:
    """Logs have times in seconds: the number decides between those of one."""
    keep(1, 1, Source.LOG, Batch([seen(NOW, helo=f"h{n}") for n in range(25)]), now=NOW)
    found = [kept.sighting.helo for page in pages(Wanted(), 4) for kept in page.found]
    assert found == [f"h{n}" for n in reversed(range(25))]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1-", "-1", "1-x", "1" * 50, "\0-1", "1-1-1"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    """Whatever stands in an address that somebody has typed."""
    with pytest.raises(BadInput):
        find(1, Wanted(), before=cursor)


def test_following_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which it was kept, filtered, in steps, and nothing of another account."""
    monkeypatch.setattr(finding, "STEP", 5)
    keep(1, 1, Source.LOG, Batch([seen(NOW)]), now=NOW)
    place = latest()
    assert news(1, Wanted(), place).found == ()
    keep(2, 9, Source.LOG, Batch([seen(NOW) for _ in range(12)]), now=NOW)
    batch = [seen(NOW - n, helo=f"h{n}") for n in range(8)]
    keep(1, 1, Source.LOG, Batch(batch), now=NOW)
    assert follow(Wanted(), place) == batch
    assert follow(Wanted(helo="h3"), place) == [batch[3]]
    assert follow(Wanted(servers=frozenset({9})), place) == []
    assert follow(Wanted(rbl="nobody.example"), place) == []


def follow(wanted: Wanted, place: int) -> list[Sighting]:
    """All that is new after a place, three at a time."""
    found = []
    while True:
        fresh = news(1, wanted, place, limit=3)
        assert len(fresh.found) <= 3
        assert fresh.cursor >= place
        found += [kept.sighting for kept in fresh.found]
        place = fresh.cursor
        if not fresh.more:
            assert place == latest()
            return found
