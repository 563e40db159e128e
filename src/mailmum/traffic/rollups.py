"""From rows of sightings to counts: what a batch adds to minutes, hours and days.

A batch is counted in memory, and what it adds is written once for each row of a roll-up, sorted by
its key: two writers then take the same rows in the same order and never wait for each other in a
circle, and neighbours are written together.

A sighting counts as often as it says.

    >>> from mailmum.traffic.batches import Lookup, Maker
    >>> from mailmum.traffic.privacy import Privacy
    >>> from mailmum.traffic.sightings import Outcome, Source
    >>> lookup = Lookup(1, 4, 900_000_061, "203.0.113.7", Outcome.LISTED, 3)
    >>> batch = Maker(1e9, Privacy("full", b"")).from_lookups(Source.DNS, [lookup, lookup])
    >>> tally(batch).totals[0]
    (1, 60, 900000060, 4, 2, 11, 0, 6)
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mailmum.traffic.batches import Batch
from mailmum.traffic.codes import CLAIMED, VERIFIED
from mailmum.traffic.packing import reversed_name
from mailmum.traffic.periods import DAY, HOUR, MINUTE, STEPS

NAME_BYTES = 260


Key = tuple[Any, ...]
Counts = dict[Key, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch adds: rows of key and count, sorted by the key.

    Attributes:
        totals: account, step, start, server, source, outcome, list, count.
        hours: account, start, client, server, source, outcome, list, count.
        days: likewise.
        names: account, start, name, kind, client, server, source, outcome, count.
        domains: account, start, name, kind, server, source, outcome, count; for the last label and
            the last two labels of each name.
        lists: account, step, start, server, source, outcome, lists, count; of contacts at which all
            lists that name the client are known.
        latest: server, source, account, and the time of the latest sighting in milliseconds.
    """

    totals: Sequence[Key]
    hours: Sequence[Key]
    days: Sequence[Key]
    names: Sequence[Key]
    domains: Sequence[Key]
    lists: Sequence[Key]
    latest: Sequence[tuple[int, int, int, int]]


def tally(batch: Batch) -> Tally:
    """Count a batch."""
    minutes = [at // 1000 - at // 1000 % MINUTE for at in batch.time]
    shared = (batch.server, batch.source, batch.outcome)
    by_minute = _counted(zip(batch.account, minutes, *shared, batch.rbl, strict=True), batch.count)
    by_hour = _counted(
        zip(batch.account, batch.hour, batch.client, *shared, batch.rbl, strict=True), batch.count
    )
    # Sums are made of what is sorted already: they come nearly sorted, which is quick to finish.
    hours = _sorted({key: count for key, count in by_hour.items() if key[2] is not None})
    names = _sorted(_by_name(batch))
    return Tally(
        totals=_sorted(_by_step(by_minute)),
        hours=hours,
        days=_sorted(_by_day(hours)),
        names=names,
        domains=_sorted(_by_domain(names)),
        lists=_sorted(_by_lists(batch)),
        latest=_latest(batch),
    )


def _counted(keys: Iterable[Key], counts: Sequence[int]) -> Counts:
    if counts.count(1) == len(counts):
        return Counter(keys)
    made: Counts = defaultdict(int)
    for key, count in zip(keys, counts, strict=True):
        made[key] += count
    return made


def _sorted(counts: Counts) -> list[Key]:
    return sorted([(*key, count) for key, count in counts.items()])


def _by_step(minutes: Counts) -> Counts:
    made: Counts = defaultdict(int)
    for (account, minute, server, source, outcome, rbl), count in minutes.items():
        for step in STEPS:
            made[account, step, minute - minute % step, server, source, outcome, rbl] += count
    return made


def _by_day(hours: Iterable[Key]) -> Counts:
    made: Counts = defaultdict(int)
    for account, hour, client, server, source, outcome, rbl, count in hours:
        made[account, hour - hour % DAY, client, server, source, outcome, rbl] += count
    return made


def _by_name(batch: Batch) -> Counts:
    helos = map(_host_in, batch.helo, batch.client_name)
    shared = (batch.client, batch.server, batch.source, batch.outcome)
    made: Counts = defaultdict(int)
    for kind, names in ((VERIFIED, batch.client_name), (CLAIMED, helos)):
        counts = _counted(zip(batch.account, batch.hour, names, *shared, strict=True), batch.count)
        for (account, hour, name, client, server, source, outcome), count in counts.items():
            if name:
                # Different spellings of a name are one name.
                packed, day = reversed_name(name).encode()[:NAME_BYTES], hour - hour % DAY
                made[account, day, packed, kind, client or b"", server, source, outcome] += count
    return made


def _by_domain(names: Iterable[Key]) -> Counts:
    made: Counts = defaultdict(int)
    for account, day, name, kind, _, server, source, outcome, count in names:
        top = name.find(b".") + 1
        below = name.find(b".", top) + 1
        for end in (top, below) if below else (top,):
            made[account, day, name[:end], kind, server, source, outcome] += count
    return made


def _by_lists(batch: Batch) -> Counts:
    made: Counts = defaultdict(int)
    if not any(batch.named):
        return made
    keys = zip(batch.account, batch.hour, batch.server, batch.source, batch.outcome, strict=True)
    for key, lists, count in zip(keys, batch.named, batch.count, strict=True):
        if lists:
            account, hour, *rest = key
            for step in (HOUR, DAY):
                made[(account, step, hour - hour % step, *rest, lists)] += count
    return made


def _host_in(helo: str | None, verified: str | None) -> str | None:
    # An address in brackets is no name, and a bare word names no host that could be listed.
    if not helo or helo == verified or "." not in helo or helo[0] == "[":
        return None
    return helo


def _latest(batch: Batch) -> list[tuple[int, int, int, int]]:
    made: dict[tuple[int, int, int], int] = {}
    for key, time in zip(
        zip(batch.server, batch.source, batch.account, strict=True), batch.time, strict=True
    ):
        if time > made.get(key, -1):
            made[key] = time
    return sorted((*key, time) for key, time in made.items())
