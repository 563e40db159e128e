"""What is counted of the whole installation, for monitoring systems and the doctor.

Processes that count add to the same numbers in the transaction that stores what was counted: so
they only ever grow, whichever process ends or begins, and nothing is in them twice.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailmum.control.traffic.models import Hit, Process, Tally, Zone
from mailmum.control.traffic.writing import add_counts, upsert
from mailmum.traffic.batches import Batch
from mailmum.traffic.codes import ASKED, SOURCES, outcome_of, source_of
from mailmum.traffic.sightings import Source

STALE = 60.0
"""Seconds without a report after which a process is dead or cannot write; it reports every ten."""

FORGET = 2 * 86_400
"""Seconds after which it is no longer worth a word."""


LOSSES = ("verdicts", "clients", "sightings", "server-unknown", "not-kept")
"""What can be lost: counts without room; clients of counts; sightings; counts of a server that is
not in the database; what a fault of ours kept from being stored."""

TARGETS = ("address", "network", "host", "domain")
PUBLIC = "list"


@dataclass(frozen=True, slots=True)
class Hits:
    """So many hits of an account's own listings at a server; `target` is what was listed."""

    account: int
    server: int
    source: Source
    target: str
    count: int


def add(counts: Mapping[str, int], now: float) -> None:
    """Add to tallies; within the transaction that stores what they count."""
    rows = [(key, count, int(now)) for key, count in sorted(counts.items()) if count]
    changes = {"count": "{table}.count + excluded.count", "last": "excluded.last"}
    upsert(Tally, rows, changes)


def add_hits(hits: Iterable[Hits]) -> None:
    """Add hits of accounts' own listings; likewise."""
    sums: Counter[tuple[int, int, int, str, int]] = Counter()
    for hit in hits:
        sums[hit.account, hit.server, SOURCES[hit.source], hit.target, 0] += hit.count
    _add_hits(sums)


def add_batch(batch: Batch, now: float) -> None:
    """Add what a batch of sightings says: tallies, and hits of public lists; likewise."""
    add(of_sightings(batch), now)
    sums: Counter[tuple[int, int, int, str, int]] = Counter()
    columns = (batch.account, batch.server, batch.source, batch.rbl, batch.count)
    for account, server, source, rbl, count in zip(*columns, strict=True):
        if rbl:
            sums[account, server, source, PUBLIC, rbl] += count
    _add_hits(sums)


def of_sightings(batch: Batch) -> Counter[str]:
    """What a batch of sightings adds, by source and outcome."""
    sums: Counter[tuple[int, int]] = Counter()
    for source, outcome, count in zip(batch.source, batch.outcome, batch.count, strict=True):
        sums[source, outcome] += count
    return Counter(
        {
            f"sightings/{source_of(source)}/{_word(outcome)}": count
            for (source, outcome), count in sums.items()
        }
    )


def read() -> list[Tally]:
    """All tallies."""
    return list(Tally.objects.order_by("key"))


def processes(now: float) -> list[Process]:
    """Processes that have reported lately and have not ended as they should."""
    reported = Process.objects.filter(seen__gt=now - FORGET, ended=False)
    return list(reported.order_by("part", "host", "process"))


def silent(now: float | None = None) -> list[Process]:
    """The last to report of each part on each machine, where nobody has for too long."""
    now = time.time() if now is None else now
    latest: dict[tuple[str, str], Process] = {}
    for one in processes(now):
        place = (one.part, one.host)
        if place not in latest or latest[place].seen < one.seen:
            latest[place] = one
    return [one for one in latest.values() if now - one.seen > STALE]


def losses(since: float) -> list[Tally]:
    """What was counted and found no room, where that happened after some time."""
    return list(Tally.objects.filter(key__startswith="lost/", last__gte=int(since)).order_by("key"))


def hits(account: int, servers: Iterable[int]) -> tuple[dict[str, int], dict[str, int]]:
    """How often somebody was stopped at some servers of an account.

    Returns:
        By its own listings, by what was listed; and by public lists, by their names.
    """
    found = Hit.objects.filter(account=account, server__in=list(servers))
    names = dict(Zone.objects.filter(account=account).values_list("id", "name"))
    own: Counter[str] = Counter(dict.fromkeys(TARGETS, 0))
    public: Counter[str] = Counter()
    for target, rbl, count in found.values_list("target", "rbl", "count"):
        if target != PUBLIC:
            own[target] += count
        elif rbl in names:
            public[names[rbl]] += count
    return dict(own), dict(public)


def _add_hits(sums: Mapping[tuple[int, int, int, str, int], int]) -> None:
    add_counts(Hit, sorted((*key, count) for key, count in sums.items()))


def _word(outcome: int) -> str:
    return "asked" if outcome == ASKED else outcome_of(outcome).value
