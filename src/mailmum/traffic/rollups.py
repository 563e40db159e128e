"""From rows of sightings to counts: what a batch adds to minutes, hours and days.

A batch is counted in memory, and what it adds is written once for each row of a roll-up, sorted by
its key: two writers then take the same rows in the same order and never wait for each other in a
circle, and neighbours are written together.

A sighting counts as often as it says.

    >>> rows = [Row(1, 4, 1, 7_200_000, 7200, None, 1, 0, 1)] * 2
    >>> tally(rows).totals[0]
    (1, 60, 7200, 4, 1, 1, 0, 2)
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailmum.traffic.codes import CLAIMED, VERIFIED
from mailmum.traffic.packing import reversed_name

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (MINUTE, HOUR, DAY)
_NAME_BYTES = 260


class Row(NamedTuple):
    """A sighting as it is kept: the words as numbers, the time in milliseconds, the client packed.

    The fields stand in the order in which they are written.
    """

    account: int
    server: int
    source: int
    time: int
    hour: int
    client: bytes | None
    outcome: int
    rbl: int
    count: int  # type: ignore[assignment] # hides tuple.count, which nobody asks of a row
    host: str = ""
    service: str = ""
    client_name: str | None = None
    helo: str | None = None
    sender: str | None = None
    recipient: str | None = None
    code: int | None = None
    queue_id: str | None = None
    delivery: int | None = None
    score: float | None = None
    reason: str | None = None


TotalRow = tuple[int, int, int, int, int, int, int, int]
ClientRow = tuple[int, int, bytes, int, int, int, int, int]
NameRow = tuple[int, int, bytes, int, bytes, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch adds: rows of key and count, sorted by the key.

    Attributes:
        totals: account, step, start, server, source, outcome, list, count.
        hours: account, start, client, server, source, outcome, list, count.
        days: likewise.
        names: account, start, name, kind, client, server, source, outcome, count.
        latest: server, source, account, and the time of the latest sighting in milliseconds.
    """

    totals: Sequence[TotalRow]
    hours: Sequence[ClientRow]
    days: Sequence[ClientRow]
    names: Sequence[NameRow]
    latest: Sequence[tuple[int, int, int, int]]


def start_of(seconds: int, step: int) -> int:
    """When the minute, hour or day begins that holds this second."""
    return seconds - seconds % step


def tally(rows: Iterable[Row]) -> Tally:
    """Count a batch."""
    minutes: Counter[tuple[int, int, int, int, int, int]] = Counter()
    hours: Counter[tuple[int, int, bytes, int, int, int, int]] = Counter()
    names: Counter[tuple[int, int, str, int, bytes, int, int, int]] = Counter()
    latest: dict[tuple[int, int], tuple[int, int]] = {}
    for row in rows:
        account, server, source, time, hour, client, outcome, rbl, count = row[:9]
        second = time // 1000
        minutes[account, second - second % MINUTE, server, source, outcome, rbl] += count
        if client is not None:
            hours[account, hour, client, server, source, outcome, rbl] += count
        for name, kind in _names(row):
            day = hour - hour % DAY
            names[account, day, name, kind, client or b"", server, source, outcome] += count
        if time > latest.get((server, source), (0, -1))[1]:
            latest[server, source] = (account, time)
    return Tally(
        totals=sorted((*key, count) for key, count in _by_step(minutes).items()),
        hours=sorted((*key, count) for key, count in hours.items()),
        days=sorted((*key, count) for key, count in _by_day(hours).items()),
        names=sorted((*key, count) for key, count in _packed(names).items()),
        latest=sorted(key + value for key, value in latest.items()),
    )


def _names(row: Row) -> list[tuple[str, int]]:
    name, helo = row.client_name, row.helo
    found = [(name, VERIFIED)] if name else []
    # An address in brackets is no name, and a bare word names no host that could be listed.
    if helo and helo != name and "." in helo and helo[0] != "[":
        found.append((helo, CLAIMED))
    return found


def _by_step(
    minutes: Counter[tuple[int, int, int, int, int, int]],
) -> dict[tuple[int, int, int, int, int, int, int], int]:
    made: Counter[tuple[int, int, int, int, int, int, int]] = Counter()
    for (account, minute, *rest), count in minutes.items():
        server, source, outcome, rbl = rest
        for step in STEPS:
            made[account, step, start_of(minute, step), server, source, outcome, rbl] += count
    return made


def _by_day(
    hours: Counter[tuple[int, int, bytes, int, int, int, int]],
) -> dict[tuple[int, int, bytes, int, int, int, int], int]:
    made: Counter[tuple[int, int, bytes, int, int, int, int]] = Counter()
    for (account, hour, client, server, source, outcome, rbl), count in hours.items():
        made[account, start_of(hour, DAY), client, server, source, outcome, rbl] += count
    return made


def _packed(
    names: Counter[tuple[int, int, str, int, bytes, int, int, int]],
) -> dict[tuple[int, int, bytes, int, bytes, int, int, int], int]:
    # Different spellings of a name are one name.
    made: Counter[tuple[int, int, bytes, int, bytes, int, int, int]] = Counter()
    for (account, day, name, kind, client, server, source, outcome), count in names.items():
        packed = reversed_name(name).encode()[:_NAME_BYTES]
        made[account, day, packed, kind, client, server, source, outcome] += count
    return made
