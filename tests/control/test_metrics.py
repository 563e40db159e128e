"""The numbers for monitoring systems, read back by the reader of the Prometheus client."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mailmum.control import metrics
from mailmum.control.dataplane.sink import TrafficSink
from mailmum.control.servers.queries import current_key
from mailmum.control.servers.services import add_server
from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.router import traffic_database
from mailmum.daemons.counts import Parcel, Report, Taken
from mailmum.dns.counters import ClientCount, CountBatch
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.test_listings import allow, block
from tests.control.traffic.kit import Batch
from tests.support.world import World


def read(clock: Callable[[], float] = time.time) -> dict[tuple[str, ...], float]:
    """All samples: name, then the values of the labels in the order of their names."""
    text = generate_latest(metrics.registry(clock)).decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def hand_over(server: int, *clients: ClientCount, number: int = 1, **report: object) -> None:
    """What a DNS process hands over."""
    made = Report("0123", "dns", time.time() - 100, **report)  # type: ignore[arg-type]
    batch = CountBatch.of(clients, faults=(("formerr", 3),), lost=2)
    TrafficSink()(Parcel(number, time.time(), Taken(batch), made))
    assert server


def test_what_was_counted_can_be_read(world: World) -> None:
    """Queries, sightings, faults, losses, listings; counters from zero on."""
    server = add_server(world.owner, "mx1")
    empty = read()
    assert empty["mailmum_dns_queries_total", "bl", "block"] == 0
    assert empty["mailmum_policy_requests_total", "none"] == 0
    assert empty["mailmum_lost_total", "sightings"] == 0
    block(world.owner, "203.0.113.7", "203.0.113.8")
    allow(world.owner, "203.0.113.10")
    hand_over(
        server.pk,
        ClientCount(server.pk, "bl", (4, 1 << 24), "block", False, 5),
        ClientCount(server.pk, "policy", (4, 1 << 24), "none", False, 4),
    )
    seen = Sighting(time.time() - 30, "mx1", client="203.0.113.7", outcome=Outcome.REJECTED)
    keep(server.account_id, server.pk, Source.LOG, Batch([seen, seen]))
    found = read()
    assert found["mailmum_dns_queries_total", "bl", "block"] == 5
    assert found["mailmum_policy_requests_total", "none"] == 4
    assert found["mailmum_sightings_total", "listed", "dns"] == 5
    assert found["mailmum_sightings_total", "rejected", "log"] == 2
    assert found["mailmum_faults_total", "formerr", "dns"] == 3
    assert found["mailmum_lost_total", "verdicts"] == 2
    assert (found["mailmum_listings", "block"], found["mailmum_listings", "allow"]) == (2, 1)
    assert (found["mailmum_accounts",], found["mailmum_servers",]) == (2, 1)
    assert 29 <= found["mailmum_sighting_delay_seconds", "log"] <= 60
    assert found["mailmum_servers_seen", "log"] == 1
    old = add_server(world.owner, "mx2")
    handed_in = Sighting(time.time() - 5 * 86_400, "mx2", client="203.0.113.7")
    keep(old.account_id, old.pk, Source.LOG, Batch([handed_in]))
    found = read()
    assert 29 <= found["mailmum_sighting_delay_seconds", "log"] <= 60
    assert found["mailmum_servers_seen", "log"] == 2


def test_processes_can_be_watched(world: World) -> None:
    """How far each has come, and how fresh its snapshot is; those long silent are left out."""
    server, now = add_server(world.owner, "mx1"), time.time()
    block(world.owner, "203.0.113.7")
    newest = int(read()["mailmum_journal_position",])
    hand_over(server.pk, position=newest - 1, saved=now - 50)
    hand_over(server.pk, number=2, position=newest - 1, saved=now - 50, away=now - 5)
    found = {name: value for (name, *labels), value in read().items() if labels[1:2] == ["dns"]}
    labels = [labels for (name, *labels) in read() if name == "mailmum_index_position"]
    assert [one[1:] for one in labels] == [["dns", "1"]]
    assert found["mailmum_index_position"] == newest - 1
    assert found["mailmum_index_lag_changes"] == 1
    assert found["mailmum_source_away"] == 1
    assert 50 <= found["mailmum_snapshot_age_seconds"] < 60
    assert found["mailmum_process_report_age_seconds"] < 10
    later = read(lambda: now + metrics.RECENT + 5)
    assert not any(name == "mailmum_index_position" for (name, *_) in later)


def test_listings_are_counted_when_they_may_have_changed(world: World) -> None:
    """At a change, and once a minute because of those that expire."""
    now = [time.time()]
    installation = metrics.Installation(lambda: now[0])

    def blocked() -> float:
        (family,) = (one for one in installation.collect() if one.name == "mailmum_listings")
        return {one.labels["action"]: one.value for one in family.samples}["block"]

    block(world.owner, "203.0.113.7", lifetime="30s")
    assert blocked() == 1
    now[0] += 40
    assert blocked() == 1
    now[0] += 40
    assert blocked() == 0
    block(world.owner, "203.0.113.8")
    assert blocked() == 1


@pytest.mark.parametrize("alias", [DEFAULT_DB_ALIAS, traffic_database()])
def test_a_database_that_is_away_is_told(world: World, alias: str) -> None:
    """Its numbers are missing, the others are there."""
    with mock.patch.object(connections[alias], "cursor", side_effect=OperationalError("gone")):
        found = read()
    both = traffic_database() == DEFAULT_DB_ALIAS
    rules_away = alias == DEFAULT_DB_ALIAS
    assert found["mailmum_database_up", "rules"] == (not rules_away)
    assert found["mailmum_database_up", "traffic"] == (rules_away and not both)
    assert (("mailmum_accounts",) in found) is not rules_away
    assert (("mailmum_lost_total", "clients") in found) is (rules_away and not both)


def test_no_tenant_is_named(world: World) -> None:
    """No client, key, account or server stands in what is shown."""
    server = add_server(world.owner, "telltale-server")
    block(world.owner, "203.0.113.7")
    hand_over(server.pk, ClientCount(server.pk, "bl", (4, 0xCB007107), "block", False, 1))
    text = generate_latest(metrics.registry()).decode()
    assert "mailmum_sightings_total" in text
    for word in ("telltale", "203.0.113.7", "Example", current_key(server), server.ref):
        assert word not in text


def test_the_guide_names_every_number(world: World) -> None:
    """And none that is not there."""
    guide = (Path(__file__).parents[2] / "docs/guides/running.md").read_text()
    told = set(re.findall(r"mailmum_[a-z_]+", guide.partition("| name | what it is |")[2]))
    told = {name for name in told if not name.startswith("mailmum_hits")}
    families = text_string_to_metric_families(generate_latest(metrics.registry()).decode())
    suffixes = {"counter": "_total", "info": "_info"}
    assert told == {f"{one.name}{suffixes.get(one.type, '')}" for one in families}
