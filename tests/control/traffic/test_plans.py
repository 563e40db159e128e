"""How databases look questions up: by the key, however much else is kept.

The plans are those of the database itself, which knows how many rows there are.
"""

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from mailmum.control.traffic import clients
from mailmum.control.traffic.models import ClientDay, LastSeen
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.router import traffic_database
from mailmum.domain.targets import parse_network
from mailmum.traffic.codes import OUTCOMES, SOURCES
from mailmum.traffic.packing import pack_client
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome, Source
from tests.control.traffic.kit import NOW, Event, fill, seen

pytestmark = pytest.mark.django_db(databases="__all__")


def much(days: list[int], addresses: int, servers: int = 1) -> None:
    """Each day so many addresses of 198.18.0.0/16, and a database that knows how many."""
    ClientDay.objects.bulk_create(
        ClientDay(
            account=1,
            start=day,
            client=pack_client(f"198.18.{n >> 8}.{n & 255}"),
            server=1 + n % servers,
            source=SOURCES[Source.LOG],
            outcome=OUTCOMES[Outcome.REJECTED],
            rbl=0,
            count=1,
        )
        for day in days
        for n in range(addresses)
    )
    with connections[traffic_database()].cursor() as cursor:
        cursor.execute("ANALYZE")


def plan(asked: CaptureQueriesContext) -> list[str]:
    """How the database answers the one statement about clients by the day."""
    connection = connections[traffic_database()]
    (statement,) = [one["sql"] for one in asked if '"traffic_clientday"' in one["sql"]]
    with connection.cursor() as cursor:
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        cursor.execute(explain + statement)
        return [str(row) for row in cursor.fetchall()]


def test_many_clients_are_looked_up_by_the_key() -> None:
    """What a database makes of it: a look into each day for each client, whatever else is kept."""
    days = [int(NOW) // DAY * DAY - DAY * n for n in range(3, 13)]
    fill([Event(1, Source.LOG, seen(day + 60.0, "192.0.2.1")) for day in reversed(days)])
    much(days, 2000)
    wanted = Wanted(since=days[-1], until=days[0] + DAY)
    targets = [parse_network(f"198.18.{n}.1") for n in range(8)]
    with CaptureQueriesContext(connections[traffic_database()]) as asked:
        found = clients.counts_of(1, targets, wanted, NOW)
    assert {one.text: one.outcomes for one in found} == {
        target.text: {Outcome.REJECTED: len(days)} for target in targets
    }
    (look,) = [line for line in plan(asked) if "traffic_clientday" in line or " one " in line]
    assert "Index Scan" in look or "USING PRIMARY KEY (account=? AND start=? AND client>?" in look


def test_a_network_is_looked_up_day_by_day_whatever_the_number_of_servers() -> None:
    """With many, PostgreSQL took the days for a filter and read all keys of the account."""
    days, servers = [int(NOW) // DAY * DAY - DAY * n for n in range(3, 23)], 200
    LastSeen.objects.bulk_create(
        LastSeen(account=1, server=1 + n, source=SOURCES[Source.LOG], time=int(NOW), kept=0)
        for n in range(servers)
    )
    much(days, 1000, servers)
    wanted = Wanted(since=days[-1], until=days[0] + DAY)
    with CaptureQueriesContext(connections[traffic_database()]) as asked:
        found = clients.clients_in(1, parse_network("198.18.1.0/28"), wanted, now=NOW)
    assert [one.outcomes for one in found] == [{Outcome.REJECTED: len(days)}] * 16
    keys = ("Index Cond: ((account = 1) AND (start = ANY", "(account=? AND start=? AND client>")
    lines = plan(asked)
    assert any(key in line for line in lines for key in keys), lines
