"""What pages show first: over time, by server and list, the worst, and what changed."""

from collections import Counter
from dataclasses import astuple

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from mailmum.control import config
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.monitor.changes import changes, ending
from mailmum.control.monitor.overview import alone, by_list, by_server, overview, worst
from mailmum.control.monitor.ranges import WORDS, between, range_of
from mailmum.control.monitor.silence import silent
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.working_up import Lister
from mailmum.domain.errors import BadInput, NotFound
from mailmum.domain.listings import Action
from mailmum.traffic.groups import Group
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.monitor.kit import STRANGE, Traffic

HOUR, DAY = 3600, 86_400


def mixed(traffic: Traffic, ago: float) -> list[Sighting]:
    """One of each group that a log tells."""
    own = f"bl.{config.current().zone}"
    return [
        traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=ago),
        traffic.seen("203.0.113.2", Outcome.REJECTED, ago=ago, rbl="zen.rbl.example"),
        traffic.seen("203.0.113.3", Outcome.REJECTED, ago=ago, rbl=own),
        traffic.seen("203.0.113.3", Outcome.REJECTED, ago=ago, rbl=own),
        traffic.seen("203.0.113.4", Outcome.UNKNOWN_RECIPIENT, ago=ago),
        traffic.seen("203.0.113.5", Outcome.DEFERRED, ago=ago),
        traffic.seen("203.0.113.6", Outcome.AUTH_FAILED, ago=ago),
        traffic.seen("203.0.113.7", Outcome.LOST, ago=ago),
    ]


def list_worst(traffic: Traffic) -> None:
    """What the worker does once a minute."""
    for _ in Lister().steps(traffic.now):
        pass


ONE_EACH = {
    Group.ACCEPTED: 1,
    Group.RBL: 1,
    Group.OWN: 2,
    Group.REJECTED: 1,
    Group.DEFERRED: 1,
    Group.AUTH: 1,
    Group.OTHER: 1,
}


@pytest.mark.parametrize("word", WORDS)
def test_over_time_in_groups(traffic: Traffic, word: str) -> None:
    """The buckets add up to the whole, the last is not over, and the time before is beside it."""
    wanted = range_of(word, now=traffic.now)
    length = wanted.until - wanted.since
    traffic.log(*mixed(traffic, 0), *mixed(traffic, length / 2))
    traffic.log(*mixed(traffic, 1.2 * length), server="mx2")
    traffic.foreign(*mixed(traffic, 0), *mixed(traffic, 1.2 * length))
    found = overview(traffic.world.viewer, wanted, now=traffic.now)
    assert found.groups == {group: 2 * count for group, count in ONE_EACH.items()}
    assert found.contacts == 16
    summed: Counter[Group] = Counter()
    for bucket in found.buckets:
        summed.update(bucket.groups)
    assert summed == Counter(found.groups)
    assert [bucket.start for bucket in found.buckets] == list(wanted.starts)
    assert [bucket.ended for bucket in found.buckets] == [True] * (WORDS[word][1] - 1) + [False]
    assert found.before == ONE_EACH


def test_of_one_server(traffic: Traffic) -> None:
    """And of no other account's."""
    wanted = range_of("day", now=traffic.now)
    traffic.log(*mixed(traffic, 0))
    traffic.log(traffic.seen("203.0.113.1", Outcome.ACCEPTED), server="mx2")
    found = overview(traffic.world.viewer, wanted, "mx2", now=traffic.now)
    assert (found.groups, found.before) == ({Group.ACCEPTED: 1}, None)
    for who, server in ((traffic.world.viewer, "foreign"), (traffic.world.outsider, "mx1")):
        with pytest.raises(NotFound):
            overview(who, wanted, server)
    assert overview(traffic.world.outsider, wanted, now=traffic.now).contacts == 0


def test_a_server_counts_by_its_best_source(traffic: Traffic) -> None:
    """What was answered to one that has no log; the log alone of one that has."""
    wanted = range_of("day", now=traffic.now)
    traffic.log(traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=0))
    traffic.asked("203.0.113.1", Outcome.UNLISTED, 9, ago=0)
    traffic.asked("203.0.113.2", Outcome.LISTED, 4, server="mx2", ago=0)
    traffic.asked("203.0.113.3", Outcome.ALLOWED, 3, server="mx2", ago=0)
    found = overview(traffic.world.viewer, wanted, now=traffic.now)
    assert found.groups == {Group.ACCEPTED: 1, Group.OWN: 4, Group.ALLOWED: 3}


def test_by_server(traffic: Traffic) -> None:
    """Every server of the account, also those of which nothing was seen."""
    traffic.log(*mixed(traffic, 2 * HOUR))
    traffic.foreign(*mixed(traffic, 2 * HOUR))
    wanted = range_of("day", now=traffic.now)
    one, two = by_server(traffic.world.viewer, wanted, now=traffic.now)
    assert (one.server, one.contacts, one.accepted, one.stopped) == ("mx1", 8, 1, 6)
    assert one.source is Source.LOG
    assert one.last == pytest.approx(traffic.now - 2 * HOUR, abs=1)
    assert sum(a for a, _ in one.spark) == 1
    assert sum(s for _, s in one.spark) == 6
    assert one.spark[-3] == (1, 6)
    assert astuple(two)[:7] == (traffic.servers["mx2"], "mx2", 0, 0, 0, None, None)
    assert [line.server for line in by_server(traffic.world.outsider, wanted)] == ["foreign"]


def test_hits_by_list(traffic: Traffic) -> None:
    """Ours together, beside each public one; answers where only lookups are seen."""
    traffic.log(*mixed(traffic, 0), *mixed(traffic, 0))
    traffic.asked("203.0.113.2", Outcome.LISTED, 5, server="mx2", ago=0)
    traffic.foreign(*traffic.pool())
    found = by_list(traffic.world.viewer, range_of("day", now=traffic.now), now=traffic.now)
    assert [(one.name, one.own, one.hits) for one in found] == [
        (config.current().zone, True, 4 + 5),
        ("zen.rbl.example", False, 2),
    ]
    other = by_list(traffic.world.outsider, range_of("day", now=traffic.now), now=traffic.now)
    assert [one.name for one in other] == [STRANGE]


def test_what_each_list_alone_caught(traffic: Traffic) -> None:
    """Of contacts at which all lists are known; what was only warned of was not caught."""
    own, zen, bl = f"bl.{config.current().zone}", "zen.rbl.example", "bl.copper.example"
    sets = [(zen,), (zen,), (zen, bl), (bl, zen), (own,), (own, bl), ()]
    wanted = range_of("day", now=traffic.now)
    for at, lists in enumerate(sets):
        seen = traffic.seen(f"203.0.113.{at}", Outcome.REJECTED, rbl=(*lists, zen)[0])
        traffic.log(seen._replace(named=lists))
        traffic.foreign(seen._replace(named=lists))
    warned = traffic.seen("203.0.113.9", Outcome.WARNED, rbl=bl)
    traffic.log(warned._replace(named=(bl,)))
    found = alone(traffic.world.viewer, wanted, now=traffic.now)
    assert [(one.name, one.own, one.named, one.alone) for one in found.lists] == [
        (zen, False, 4, 2),
        (config.current().zone, True, 2, 1),
        (bl, False, 3, 0),
    ]
    assert (found.contacts, found.several) == (6, 3)
    assert {(one, two): count for one, two, count in found.pairs} == {
        (bl, zen): 2,
        (bl, config.current().zone): 1,
    }
    assert alone(traffic.world.viewer, wanted, "mx2", now=traffic.now).contacts == 0


def test_the_worst(traffic: Traffic) -> None:
    """Networks and clients, with what was accepted of them."""
    traffic.log(*traffic.pool(), *traffic.mail("198.51.100.201", 3, "mail.city.example"))
    traffic.log(*mixed(traffic, 60))
    traffic.foreign(*traffic.pool(), *traffic.pool())
    list_worst(traffic)
    wanted = range_of("day", now=traffic.now)
    first, *_ = worst(traffic.world.viewer, wanted, now=traffic.now)
    assert (first.network.text, first.stopped, first.accepted) == ("198.51.100.0/24", 80, 3)
    clients = worst(traffic.world.viewer, wanted, networks=False, limit=3, now=traffic.now)
    assert [one.stopped for one in clients] == [5, 5, 5]
    assert len(worst(traffic.world.outsider, wanted, now=traffic.now)) == 1
    assert worst(traffic.world.viewer, wanted, "mx2", now=traffic.now) == ()


def test_a_new_offender(traffic: Traffic) -> None:
    """Not one that was seen before, nor one with accepted mail, nor one that is listed."""
    traffic.log(*traffic.pool(ago=HOUR))
    traffic.foreign(*traffic.pool(ago=HOUR))
    assert _offenders(traffic) == ["198.51.100.0/24"]
    assert changes(traffic.world.outsider, now=traffic.now).offenders[0].stopped == 80
    traffic.listed(Action.BLOCK, "198.51.0.0/16")
    assert _offenders(traffic) == []


def test_an_offender_of_old_is_none_that_is_new(traffic: Traffic) -> None:
    """It was seen in the week before; or its mail is accepted."""
    traffic.log(*traffic.pool(ago=HOUR))
    traffic.log(traffic.seen("198.51.100.9", Outcome.LOST, ago=3 * DAY))
    assert _offenders(traffic) == []


def _offenders(traffic: Traffic) -> list[str]:
    list_worst(traffic)
    found = changes(traffic.world.viewer, now=traffic.now).offenders
    return [one.network.text for one in found]


def test_a_spike(traffic: Traffic) -> None:
    """Against the mean of the week before; at a new server, of which all is new, nothing is."""
    hour = traffic.now - traffic.now % HOUR - 1800
    ago = traffic.now - hour
    many = [traffic.seen("203.0.113.6", Outcome.AUTH_FAILED, ago=ago) for _ in range(60)]
    traffic.log(*many, *traffic.mail("203.0.113.9", 200, "a.example", ago=ago))
    traffic.foreign(*many)
    assert changes(traffic.world.viewer, now=traffic.now).spikes == ()
    traffic.log(traffic.seen("203.0.113.6", Outcome.ACCEPTED, ago=4 * DAY))
    (spike,) = changes(traffic.world.viewer, now=traffic.now).spikes
    assert (spike.server, spike.group, spike.count) == ("mx1", Group.AUTH, 60)
    assert (spike.start, spike.usual) == (int(hour // HOUR) * HOUR, 0)
    for day in range(1, 8):
        old = [traffic.seen("203.0.113.6", Outcome.AUTH_FAILED, ago=ago + day * DAY)] * 400
        traffic.log(*old)
    assert changes(traffic.world.viewer, now=traffic.now).spikes == ()


def test_a_spike_earlier_in_the_day(traffic: Traffic) -> None:
    """Only where the week before is known, and of each kind the highest hour."""
    hour = traffic.now - traffic.now % HOUR - 1800
    for hours, count in ((5, 70), (9, 60), (11, 49)):
        ago = traffic.now - hour + hours * HOUR
        many = [traffic.seen("203.0.113.6", Outcome.AUTH_FAILED, ago=ago) for _ in range(count)]
        traffic.log(*many)
    assert changes(traffic.world.viewer, now=traffic.now).spikes == ()
    traffic.log(traffic.seen("203.0.113.6", Outcome.ACCEPTED, ago=4 * DAY))
    (spike,) = changes(traffic.world.viewer, now=traffic.now).spikes
    assert (spike.group, spike.count) == (Group.AUTH, 70)
    assert spike.start == int((hour - 5 * HOUR) // HOUR) * HOUR
    assert changes(traffic.world.outsider, now=traffic.now).spikes == ()


def test_spikes_are_asked_for_together(traffic: Traffic) -> None:
    """However many hours and servers have one, nothing is asked once for each."""
    traffic.log(traffic.seen("203.0.113.6", Outcome.ACCEPTED, ago=4 * DAY))
    asked = []
    for hours in ((5,), (3, 7, 9, 11, 13)):
        for ago in hours:
            one = traffic.seen("203.0.113.6", Outcome.AUTH_FAILED, ago=ago * HOUR)
            traffic.log(*[one] * 70)
        with CaptureQueriesContext(connections[traffic_database()]) as queries:
            assert changes(traffic.world.viewer, now=traffic.now).spikes
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_a_silent_server(traffic: Traffic) -> None:
    """One that is usually seen; not one that seldom is."""
    busy = [
        traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=5 * HOUR + number * 10)
        for number in range(2000)
    ]
    traffic.log(*busy)
    traffic.log(traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=5 * HOUR), server="mx2")
    traffic.foreign(*busy)
    (found,) = changes(traffic.world.viewer, now=traffic.now).silent
    assert found.server == "mx1"
    assert found.last == pytest.approx(traffic.now - 5 * HOUR, abs=1)
    traffic.log(traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=60))
    assert changes(traffic.world.viewer, now=traffic.now).silent == ()


def test_a_new_server_falls_silent(traffic: Traffic) -> None:
    """What is usual is told by the time since it was first seen, and by a day at least."""
    contacts = [
        traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=1800 + number * 20)
        for number in range(3 * 180)
    ]
    traffic.log(*contacts)
    assert silent(traffic.world.viewer, now=traffic.now) == ()
    (found,) = silent(traffic.world.viewer, now=traffic.now + 3600)
    assert found.server == "mx1"
    assert 159 < found.usual < 190


def test_listings_that_end_soon(traffic: Traffic) -> None:
    """The first to end first; those that go on, have ended or are far off are left out."""
    for lifetime, target in (("2d", "a.example"), ("1d", "b.example"), ("9d", "c.example")):
        wish = make_wish(Action.BLOCK, now=traffic.now, lifetime=lifetime)
        list_targets(traffic.world.owner, [target], wish)
    traffic.listed(Action.BLOCK, "d.example")
    assert [one.target for one in ending(traffic.world.viewer, now=traffic.now)] == [
        "b.example",
        "a.example",
    ]
    assert ending(traffic.world.outsider) == ()
    assert [one.target for one in ending(traffic.world.viewer, now=traffic.now + 1.5 * DAY)] == [
        "a.example"
    ]


def test_stretches_of_time(traffic: Traffic) -> None:
    """Whole steps, never too many of them."""
    for hours in (1, 3, 4, 24, 200, 201, 24 * 300):
        found = between(traffic.now - hours * HOUR, traffic.now)
        assert found.since <= traffic.now - hours * HOUR < found.since + found.step
        assert found.until - found.step < traffic.now <= found.until
        assert 1 <= len(found.starts) <= 400
    for since, until in ((5.0, 5.0), (traffic.now, 0.0), (0.0, traffic.now)):
        with pytest.raises(BadInput):
            between(since, until)
    with pytest.raises(BadInput):
        range_of("year", now=traffic.now)
