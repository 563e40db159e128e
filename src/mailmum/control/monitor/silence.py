"""Whether servers are silent: the one rule, for alerts, the pages and the doctor.

A server is silent when nothing was seen of it for `quiet` seconds, which the account sets, and for
`GAPS` times as long as usually lies between two of its contacts.  What is usual is the mean of the
week before it fell silent, since it cannot have been usual since then; of a new server the mean of
the time since the day on which it was first seen, but a night with it.

Of a server that is hardly ever seen nobody can tell.  It is never called silent, and after a day
without anything it is not said to work either.

The same can be asked of what some sources see: whether a server that is logged still asks, say.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

from mailmum.control.accounts.access import Reading
from mailmum.control.servers.queries import present_servers
from mailmum.control.traffic import totals
from mailmum.control.traffic.queries import uses_of
from mailmum.traffic.periods import DAY, start_of
from mailmum.traffic.sightings import Source

QUIET = 900
"""Seconds that any server may be silent, where the account does not say."""
GAPS = 20
"""How many times the usual time between two contacts is too long."""
LEAST_SEEN = 50
"""Contacts in that week below which nothing is usual."""
DAYS = 7
WEEKS = 8
"""Who has been silent for longer is gone, not silent."""
ASKING = frozenset({Source.DNS, Source.POLICY})
LOGS = frozenset({Source.LOG})


class State(StrEnum):
    """How a server is, as far as what was seen of it tells."""

    NEW = "new"
    WORKS = "works"
    RARE = "rare"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a server is.

    Attributes:
        state: in a word.
        last: when anything came of it last, Unix time; None for never.
        asked: whether that was a lookup.
        usual: seconds between two contacts, usually; None unless it is silent.
    """

    state: State
    last: float | None = None
    asked: bool = False
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """A server of which nothing is seen any more.

    Attributes:
        server: its name.
        last: when it was seen last, Unix time.
        usual: seconds between two contacts, usually.
    """

    server: str
    last: float
    usual: float


def silent(
    reading: Reading, *, quiet: float = QUIET, now: float | None = None
) -> tuple[Silent, ...]:
    """Servers of which nothing is seen any more; `quiet` seconds any server may be silent."""
    clock = time.time() if now is None else now
    names = present_servers(reading)
    found = [
        Silent(names[number], last, usual)
        for number, last, usual in _silent(reading, _last_of(names, None), quiet, clock)
    ]
    return tuple(sorted(found, key=lambda one: one.last))


def pulses(
    reading: Reading,
    servers: Iterable[int],
    *,
    quiet: float = QUIET,
    now: float | None = None,
    sources: Set[Source] | None = None,
) -> dict[int, Pulse]:
    """How each of some servers of the account is.

    Args:
        reading: proof that the asker may read.
        servers: their numbers; those of others are left out.
        quiet: seconds that any server may be silent.
        now: our own clock.
        sources: as far as these tell; None for all.

    Raises:
        DatabaseError: traffic cannot be read.
    """
    clock = time.time() if now is None else now
    present = present_servers(reading)
    numbers = [number for number in servers if number in present]
    seen = _last_of(numbers, sources)
    uses = uses_of(numbers) if sources is None or sources & ASKING else {}
    gone = {number: usual for number, _, usual in _silent(reading, seen, quiet, clock, sources)}
    found = {}
    for number in numbers:
        last, use = seen.get(number), uses.get(number)
        if number in gone:
            found[number] = Pulse(State.SILENT, last, usual=gone[number])
            continue
        # Of lookups whole seconds are kept.
        asked = use is not None and (last is None or use.last >= int(last))
        latest = last if use is None else max(float(use.last), last or 0.0)
        found[number] = Pulse(_state(latest, clock), latest, asked)
    return found


def _state(last: float | None, now: float) -> State:
    if last is None:
        return State.NEW
    return State.WORKS if now - last <= DAY else State.RARE


def _last_of(servers: Iterable[int], sources: Set[Source] | None) -> dict[int, float]:
    found = {}
    for server, seen in totals.last_seen(list(servers)).items():
        times = [at for source, at in seen.items() if sources is None or source in sources]
        if times:
            found[server] = max(times)
    return found


def _silent(
    reading: Reading,
    seen: Mapping[int, float],
    quiet: float,
    now: float,
    sources: Set[Source] | None = None,
) -> Iterator[tuple[int, float, float]]:
    """Number, when it was seen last, and what is usual, of each server that is silent."""
    gone = WEEKS * DAYS * DAY
    late = {number: last for number, last in seen.items() if quiet < now - last < gone}
    for number, (count, usual) in _usual(reading, late, sources).items():
        if count >= LEAST_SEEN and now - late[number] > max(quiet, GAPS * usual):
            yield number, late[number], usual


def _usual(
    reading: Reading, late: Mapping[int, float], sources: Set[Source] | None
) -> dict[int, tuple[int, float]]:
    """How many contacts a server had before it fell silent, and the seconds between two."""
    if not late:
        return {}
    weeks = {
        number: range(start_of(last, DAY) - DAYS * DAY, start_of(last, DAY) + DAY, DAY)
        for number, last in late.items()
    }
    days = {day for week in weeks.values() for day in week}
    found = {}
    for number, daily in totals.on_days(reading.account.pk, late, days, sources).items():
        counts = {day: count for day, count in daily.items() if day in weeks[number]}
        count = sum(counts.values())
        found[number] = count, max(late[number] - min(counts, default=0), DAY) / max(count, 1)
    return found
