"""By which source a server is seen best, moment by moment.

One contact is told by several sources: what a mail server asked over DNS it also logs.  Whoever
counts contacts counts, of each server, those of one source at a time: of its log where there is
one, else of the policy service, else of DNS.  A source has its turn from its first sighting on
until it has told nothing for a week, and a better one ends the turn of the others.

    >>> day = DAY * 1000
    >>> seen = {DNS: [Turn(DNS, *ALWAYS)], LOG: [Turn(LOG, 5 * day, 9 * day)]}
    >>> turns = in_turn(seen)
    >>> [(one.source, one.since // day, one.until // day) for one in turns][1:]
    [(1, 5, 9), (2, 9, 53375995583)]
    >>> best_at(turns, 6 * day) == LOG, best_at(turns, 9 * day) == DNS
    (True, True)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from mailmum.traffic.codes import SOURCES
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Source

LOG, POLICY, DNS = (SOURCES[one] for one in (Source.LOG, Source.POLICY, Source.DNS))
BEST = (LOG, POLICY, DNS)
"""Codes of sources, the best first."""
QUIET = 8 * DAY
"""Seconds from the beginning of the last day (UTC) on which a source told anything up to when it is
taken not to see the server any more: a week after that day."""
ALWAYS = (0, 1 << 62)
"""Since and until of what has no end."""


class Turn(NamedTuple):
    """A time in which a source sees a server, or sees it best.

    Attributes:
        source: as a code.
        since, until: Unix time in milliseconds, from one to before the other.
    """

    source: int
    since: int = ALWAYS[0]
    until: int = ALWAYS[1]


def best_at(turns: Iterable[Turn], at: int) -> int | None:
    """The source whose turn it is at a time in milliseconds; None for nobody's."""
    for source, since, until in turns:
        if since <= at < until:
            return source
    return None


def is_better(source: int, than: int | None) -> bool:
    """Whether one source sees more than another; any sees more than none."""
    return source in BEST and (than is None or BEST.index(source) < BEST.index(than))


def best_of(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Of pairs of server and source, the best source of each server."""
    found: dict[int, int] = {}
    for server, source in pairs:
        found[server] = min(found.get(server, source), source, key=BEST.index)
    return found


def in_turn(seen: Mapping[int, Sequence[Turn]]) -> tuple[Turn, ...]:
    """The best at each time of all that see a server, in the order of time; none overlap."""
    ranked = [turn for source in sorted(seen, key=BEST.index) for turn in seen[source]]
    edges = sorted({edge for turn in ranked for edge in (turn.since, turn.until)})
    return tuple(_joined(_between(ranked, edges)))


def within(turns: Iterable[Turn], since: int, until: int) -> tuple[Turn, ...]:
    """What of turns lies in a stretch of time, in milliseconds."""
    cut = (Turn(one.source, max(one.since, since), min(one.until, until)) for one in turns)
    return tuple(one for one in cut if one.since < one.until)


def begun_by(turns: Iterable[Turn], until: int) -> tuple[Turn, ...]:
    """Turns as they stand at a time in milliseconds: what begins later is yet to come.

    >>> begun_by([Turn(DNS, 0, 5), Turn(LOG, 5, 9), Turn(DNS, 9)], 5)
    (Turn(source=2, since=0, until=4611686018427387904),)
    """
    begun = [one for one in turns if one.since < until]
    if begun and begun[-1].until >= until:
        begun[-1] = begun[-1]._replace(until=ALWAYS[1])
    return tuple(begun)


def stretches(days: Iterable[int]) -> Iterator[tuple[int, int]]:
    """From when to when a source that told something on some days sees a server.

    Args:
        days: beginnings of days (UTC) in order, Unix time in seconds.
    """
    first = last = -1
    for day in days:
        if first >= 0 and day >= last + QUIET:
            yield first, last + QUIET
            first = -1
        first, last = (day if first < 0 else first), day
    if first >= 0:
        yield first, last + QUIET


def _between(ranked: Sequence[Turn], edges: Sequence[int]) -> Iterator[Turn]:
    """The best between each edge and the next one."""
    for since, until in pairwise(edges):
        if (source := best_at(ranked, since)) is not None:
            yield Turn(source, since, until)


def _joined(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Turns of the same source, one right after the other, as one."""
    before: Turn | None = None
    for turn in turns:
        if before is not None and (before.source, before.until) == (turn.source, turn.since):
            before = before._replace(until=turn.until)
            continue
        if before is not None:
            yield before
        before = turn
    if before is not None:
        yield before
