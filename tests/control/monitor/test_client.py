"""Everything about a client, a network or a name."""

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from mailmum.control.monitor.client import Known, seen_of
from mailmum.control.traffic.models import Seen
from mailmum.control.traffic.router import traffic_database
from mailmum.domain.errors import NotFound
from mailmum.domain.targets import parse_target
from mailmum.traffic.groups import Group
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import STRANGE, Traffic

DAY = 86_400


@pytest.fixture
def filled(traffic: Traffic) -> Traffic:
    """A client with good days and bad ones, and neighbours."""
    mail = traffic.mail("198.51.100.64", 4, "mail.city.example", ago=2 * DAY)
    traffic.log(*traffic.pool(), *mail)
    traffic.log(traffic.seen("198.51.100.64", Outcome.AUTH_FAILED, ago=DAY), server="mx2")
    traffic.log(traffic.seen("198.51.100.64", Outcome.LOST, ago=60 * DAY))
    traffic.foreign(*traffic.pool(), *mail)
    return traffic


def test_an_address(filled: Traffic) -> None:
    """Counts, days, servers, names, senders, neighbours, first and last."""
    found = seen_of(filled.world.viewer, parse_target("198.51.100.64"), now=filled.now)
    assert (found.contacts, found.accepted, found.stopped, found.clients) == (10, 4, 6, 1)
    assert found.groups == {Group.ACCEPTED: 4, Group.RBL: 5, Group.AUTH: 1}
    assert len(found.days) == 31
    assert [dict(day.groups) for day in found.days if day.groups] == [
        {Group.ACCEPTED: 4},
        {Group.AUTH: 1},
        {Group.RBL: 5},
    ]
    assert [(one.server, one.contacts) for one in found.servers] == [("mx1", 9), ("mx2", 1)]
    today = int(filled.now // DAY) * DAY
    assert found.first is not None
    assert found.first.day == int((filled.now - 60 * DAY) // DAY) * DAY < today
    assert found.last is not None
    assert found.last.at == pytest.approx(filled.now - 60, abs=1)
    assert ("dsl-64.pool.example", True) in {(one.name, one.verified) for one in found.names}
    assert {(one.sender, one.accepted, one.stopped) for one in found.senders} == {
        ("x@pool.example", 0, 5),
        ("news@mail.city.example", 4, 0),
    }
    assert found.network == parse_target("198.51.100.0/24")
    assert [one.client.text for one in found.neighbours] == [
        f"198.51.100.{last}" for last in range(64, 96, 2)
    ]
    assert [one.accepted for one in found.neighbours] == [4] + [0] * 15
    assert len(found.latest) == 11
    assert STRANGE not in str(found)


@pytest.mark.parametrize(
    ("target", "contacts", "clients", "near"),
    [
        ("198.51.100.64/27", 85, 16, "198.51.100.0/24"),
        ("198.51.0.0/16", 85, 16, None),
        ("198.48.0.0/12", 85, 16, None),
        (".pool.example", 80, 16, None),
        ("dsl-66.pool.example", 5, 1, None),
        ("203.0.113.7", 0, 0, "203.0.113.0/24"),
        ("2001:db8::7", 0, 0, "2001:db8::/64"),
        (".nowhere.example", 0, 0, None),
    ],
)
def test_networks_and_names(
    filled: Traffic, target: str, contacts: int, clients: int, near: str | None
) -> None:
    """Likewise, as far as it makes sense; also where there is nothing."""
    found = seen_of(filled.world.viewer, parse_target(target), now=filled.now)
    assert (found.contacts, found.clients) == (contacts, clients)
    assert (found.network and found.network.text) == near
    assert bool(found.latest) == bool(contacts)
    assert STRANGE not in str(found)


@pytest.mark.parametrize("target", ["198.51.100.70", "198.51.100.68/30"])
def test_the_first_moment_is_told_where_it_is_known(filled: Traffic, target: str) -> None:
    """A client of minutes ago was not first seen when the day began; its last, as exactly."""
    found = seen_of(filled.world.viewer, parse_target(target), now=filled.now)
    for known in (found.first, found.last):
        assert known is not None
        assert known.at == pytest.approx(filled.now - 60, abs=1)
        assert known.day == int((filled.now - 60) // DAY) * DAY


def test_the_first_moment_is_found_by_the_client(filled: Traffic) -> None:
    """The index in the order of time would be gone through from its beginning."""
    database = connections[traffic_database()]
    with CaptureQueriesContext(database) as asked:
        seen_of(filled.world.viewer, parse_target("198.51.100.64"), now=filled.now)
    least = [one["sql"] for one in asked if "MIN(" in one["sql"] and "traffic_seen" in one["sql"]]
    assert least
    with database.cursor() as cursor:
        explain = "EXPLAIN " if database.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        cursor.execute(explain + least[0])
        assert "seen_time" not in str(cursor.fetchall())


@pytest.mark.parametrize("target", ["198.51.0.0/16", ".pool.example", "dsl-66.pool.example"])
def test_of_many_clients_the_day_is_told(filled: Traffic, target: str) -> None:
    """What one of them did last tells nothing of the others."""
    found = seen_of(filled.world.viewer, parse_target(target), now=filled.now)
    assert found.last == Known(int((filled.now - 60) // DAY) * DAY)


def test_when_single_sightings_are_gone_the_day_is_known(filled: Traffic) -> None:
    """Counts remain, and they know no more."""
    Seen.objects.all().delete()
    found = seen_of(filled.world.viewer, parse_target("198.51.100.70"), now=filled.now)
    assert found.first == found.last == Known(int((filled.now - 60) // DAY) * DAY)


def test_at_one_server_and_to_nobody_else(filled: Traffic) -> None:
    """A server of the account; the other account sees its own."""
    target = parse_target("198.51.100.64")
    found = seen_of(filled.world.viewer, target, "mx2", now=filled.now)
    assert (found.groups, len(found.neighbours)) == ({Group.AUTH: 1}, 1)
    with pytest.raises(NotFound):
        seen_of(filled.world.outsider, target, "mx1")
    foreign = seen_of(filled.world.outsider, target, now=filled.now)
    assert [one.server for one in foreign.servers] == ["foreign"]
    assert (foreign.contacts, foreign.groups[Group.ACCEPTED]) == (9, 4)


def test_lookups_since_hide_no_mail(filled: Traffic) -> None:
    """Senders and names come from mail, however often a network was looked up after it."""
    for last in range(64, 80):
        for name in ("mx1", "mx2"):
            for ago in range(20):
                outcome = Outcome.UNLISTED
                filled.asked(f"198.51.100.{last}", outcome, server=name, ago=1 + ago)
    found = seen_of(filled.world.viewer, parse_target("198.51.100.0/24"), now=filled.now)
    assert not any(kept.sighting.sender for kept in found.latest)
    assert "news@mail.city.example" in {one.sender for one in found.senders}
    assert "mail.city.example" in {one.name for one in found.names}
