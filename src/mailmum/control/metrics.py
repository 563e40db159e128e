"""The numbers that monitoring systems read, in Prometheus' terms.

They are of the whole installation: no client, no zone key, no account and no server of one is named
in a label.  Counters are kept in the traffic database by the processes that count, so they go on
growing over restarts; what a process says of itself is from its last report.  When a database is
away its numbers are missing, and `mailmum_database_up` says so.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.models import Count, F, Max, Q
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mailmum import __version__
from mailmum.control.accounts.models import Account
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.servers.models import Server
from mailmum.control.traffic import tallies
from mailmum.control.traffic.models import LastSeen, Process, Tally
from mailmum.control.traffic.router import traffic_database
from mailmum.dns.counters import LISTS, WORDS
from mailmum.traffic.codes import source_of

RECENT = 600.0
"""Seconds without a report after which a process is no longer shown."""
HISTORY = 86_400
"""Seconds by which what is kept is older when it is an old log that was handed in, and late for no
fault of anybody.  A clock in the wrong time zone is off by less."""

_KEEP = 60.0

# Key of a tally up to its labels: name of the counter, its labels, what it is.
_COUNTERS = {
    "queries/policy": ("policy_requests", ("verdict",), "Requests to the policy service."),
    "queries/revoked": ("dns_revoked_key_queries", (), "Queries and requests with a revoked key."),
    "queries": ("dns_queries", ("list", "verdict"), "DNS queries about clients."),
    "sightings": ("sightings", ("source", "outcome"), "Sightings, and names that were asked for."),
    "faults": ("faults", ("part", "kind"), "Queries, requests and packets without a usual answer."),
    "lost": ("lost", ("what",), "What was counted and found no room, or could not be kept."),
}
_FROM_THE_START = (
    *(f"queries/{list_}/{word}" for list_ in LISTS for word in WORDS),
    *(f"lost/{what}" for what in tallies.LOSSES),
    "queries/revoked",
)


class Installation(Collector):
    """Collects the numbers when they are asked for.

    Args:
        clock: Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._listings: tuple[int, float, dict[str, int]] | None = None

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield InfoMetricFamily("mailmum_build", "The program.", value={"version": __version__})
        up = GaugeMetricFamily("mailmum_database_up", "Whether it answers.", labels=["database"])
        newest: list[int] = []
        yield from _asked(up, "rules", DEFAULT_DB_ALIAS, lambda: self._of_rules(newest))
        yield from _asked(up, "traffic", traffic_database(), lambda: self._of_traffic(newest))
        yield up

    def _of_rules(self, newest: list[int]) -> Iterator[Metric]:
        """Numbers out of the rules; that of the newest change is put into `newest`."""
        newest.append(Record.objects.aggregate(newest=Max("seq"))["newest"] or 0)
        yield _gauge("journal_position", "Number of the newest change.", newest[0])
        yield _gauge("accounts", "Accounts.", Account.objects.count())
        yield _gauge("servers", "Mail servers.", Server.objects.filter(removed=None).count())
        listings = GaugeMetricFamily("mailmum_listings", "Listings in force.", labels=["action"])
        for action, count in sorted(self._in_force(newest[0]).items()):
            listings.add_metric([action], count)
        yield listings

    def _of_traffic(self, newest: list[int]) -> Iterator[Metric]:
        now = self._clock()
        yield from _counters(tallies.read())
        yield from _processes(tallies.processes(now), newest, now)
        yield from _streams(now)

    def _in_force(self, newest: int) -> dict[str, int]:
        """By action; counting a million takes a while, so it is done when it may have changed."""
        now = self._clock()
        if self._listings is not None:
            position, counted, kept = self._listings
            if position == newest and 0 <= now - counted < _KEEP:
                return kept
        in_force = Q(expires=None) | Q(expires__gt=int(now))
        found = Version.objects.filter(in_force, until=None, enabled=True)
        counts = dict.fromkeys(("allow", "block"), 0)
        counts.update(found.values_list("action").annotate(Count("pk")).order_by())
        self._listings = newest, now, counts
        return counts


def registry(clock: Callable[[], float] = time.time) -> CollectorRegistry:
    """A registry with these numbers and nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(Installation(clock))
    return made


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mailmum_{name}", what, value=value)


def _asked(
    up: GaugeMetricFamily, name: str, alias: str, read: Callable[[], Iterator[Metric]]
) -> list[Metric]:
    """What a database gave, all or nothing; whether it answered goes into `up`."""
    try:
        found = list(read())
    except DatabaseError:
        if not connections[alias].in_atomic_block:
            connections[alias].close()
        found = []
        up.add_metric([name], 0)
    else:
        up.add_metric([name], 1)
    return found


def _counters(found: Iterable[Tally]) -> Iterator[Metric]:
    made = {
        prefix: CounterMetricFamily(f"mailmum_{name}", what, labels=labels)
        for prefix, (name, labels, what) in _COUNTERS.items()
    }
    # A counter that begins when something is counted would hide the first of it.
    counts = dict.fromkeys(_FROM_THE_START, 0) | {tally.key: tally.count for tally in found}
    for key, count in sorted(counts.items()):
        prefix = next((one for one in made if _begins(key, one)), None)
        if prefix is not None:
            labels = _COUNTERS[prefix][1]
            # What is left of the key stands for the labels.
            values = key.removeprefix(prefix).removeprefix("/").split("/", len(labels) - 1)
            made[prefix].add_metric(values if labels else [], count)
    yield from made.values()


def _begins(key: str, prefix: str) -> bool:
    return key == prefix or key.startswith(f"{prefix}/")


def _processes(found: Iterable[Process], newest: list[int], now: float) -> Iterator[Metric]:
    labels = ["part", "host", "worker"]
    what = {
        "process_report_age_seconds": "Time since its counts were stored last.",
        "process_start_time_seconds": "When it was started.",
        "index_position": "Number of the last change that it answers by.",
        "index_lag_changes": "Changes that it has yet to take over.",
        "source_away": "Whether it cannot ask the database of rules.",
        "snapshot_age_seconds": "Time since its snapshot was last up to date.",
    }
    made = {
        name: GaugeMetricFamily(f"mailmum_{name}", text, labels=labels)
        for name, text in what.items()
    }
    # Numbers instead of names by chance: a restart makes no new series.
    workers: dict[tuple[str, str], int] = defaultdict(int)
    for one in sorted(found, key=lambda one: (one.started, one.process)):
        if now - one.seen > RECENT:
            continue
        workers[one.part, one.host] += 1
        place = [one.part, one.host, str(workers[one.part, one.host])]
        for name, value in _of_process(one, newest, now):
            made[name].add_metric(place, value)
    yield from made.values()


def _of_process(one: Process, newest: list[int], now: float) -> Iterator[tuple[str, float]]:
    yield "process_report_age_seconds", max(now - one.seen, 0)
    yield "process_start_time_seconds", one.started
    yield "source_away", one.away is not None
    if one.position is not None:
        yield "index_position", one.position
        if newest:
            yield "index_lag_changes", max(newest[0] - one.position, 0)
    if one.saved is not None:
        yield "snapshot_age_seconds", max(now - one.saved, 0)


def _streams(now: float) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "mailmum_last_sighting_age_seconds",
        "Time since anything was kept of any server.",
        labels=["source"],
    )
    delay = GaugeMetricFamily(
        "mailmum_sighting_delay_seconds",
        "How late the latest sighting of a server was kept, unless it was history; the worst of "
        "all lately.",
        labels=["source"],
    )
    servers = GaugeMetricFamily(
        "mailmum_servers_seen", "Servers of which anything was kept lately.", labels=["source"]
    )
    lately = Q(kept__gt=(now - RECENT) * 1000)
    history = Q(kept__gt=F("time") + HISTORY * 1000)
    found = LastSeen.objects.values("source").annotate(
        newest=Max("kept"),
        worst=Max(F("kept") - F("time"), filter=lately & ~history),
        servers=Count("server", filter=lately),
    )
    for row in found.order_by("source"):
        source = [source_of(row["source"]).value]
        age.add_metric(source, max(now - row["newest"] / 1000, 0))
        servers.add_metric(source, row["servers"])
        if row["worst"] is not None:
            delay.add_metric(source, max(row["worst"] / 1000, 0))
    yield from (age, servers, delay)
