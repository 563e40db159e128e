"""By which source each server of an account is seen best, to the moment (`mailmum.traffic.turns`).

When a source began is told by its first sighting while that is kept, else by the hour, else by the
day.  It matters only where another had seen the server before, so it is looked up there alone.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.models import Min, QuerySet

from mailmum.control.traffic.models import LastSeen, Seen, Total
from mailmum.control.traffic.reading import one_of
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.turns import ALWAYS, BEST, QUIET, Turn, begun_by, in_turn, stretches

_Pair = tuple[int, int]
"""A server and a source."""


def turns_of(
    account: int, since: float, until: float | None = None, *, server: int = 0
) -> dict[int, tuple[Turn, ...]]:
    """Whose turn it is at each server from a time on (Unix, seconds); before it, as at that time.

    After the end, if there is one, likewise as at that time: with a clock that is ahead something
    is seen that is later, and shall not count for the hour or day that is not over.
    The worst of the sources that ever saw a server is there whenever no other is.
    With a server, of that one only.
    """
    sources: dict[int, set[int]] = {}
    kept = LastSeen.objects.filter(account=account, **({"server": server} if server else {}))
    for number, source in kept.values_list("server", "source"):
        sources.setdefault(number, set()).add(source)
    better: dict[int, list[int]] = {}
    found: dict[int, dict[int, list[Turn]]] = {}
    for number, some in sources.items():
        *more, worst = sorted(some, key=BEST.index)
        found[number] = {worst: [Turn(worst)]}
        if more:
            better[number] = more
    for (number, source), turn in _seen(account, better, since):
        found[number].setdefault(source, []).append(turn)
    end = ALWAYS[1] if until is None else round(until * 1000)
    return {number: begun_by(in_turn(seen), end) for number, seen in found.items()}


def _seen(account: int, better: dict[int, list[int]], since: float) -> Iterator[tuple[_Pair, Turn]]:
    """When each of some sources saw each server, one stretch after the other."""
    if not better:
        return
    edge = start_of(since, DAY)
    known = [
        (pair, first, until)
        for pair, days in _days(account, better, edge - QUIET).items()
        for first, until in stretches(days)
    ]
    begun = _begun(account, {(pair, first) for pair, first, _ in known if first >= edge})
    for pair, first, until in known:
        begin = begun.get((pair, first), ALWAYS[0])
        yield pair, Turn(pair[1], begin, until * 1000)


def _days(account: int, better: dict[int, list[int]], since: int) -> dict[_Pair, list[int]]:
    """On which days (UTC) from one on anything was seen, in order."""
    rows = Total.objects.filter(
        one_of("server", better),
        account=account,
        step=DAY,
        start__gte=since,
        source__in={source for some in better.values() for source in some},
    )
    days: dict[_Pair, list[int]] = {}
    for server, source, day in rows.values_list("server", "source", "start").distinct():
        if source in better[server]:
            days.setdefault((server, source), []).append(day)
    return {pair: sorted(some) for pair, some in days.items()}


def _begun(account: int, wanted: set[tuple[_Pair, int]]) -> dict[tuple[_Pair, int], int]:
    """When the first sighting of each of some days was, Unix time in milliseconds."""
    days: dict[tuple[_Pair, int], int] = {}
    for day, pairs in _by_time(wanted).items():
        counts = Total.objects.filter(account=account, step=HOUR, **_in("start", day, DAY))
        days |= dict.fromkeys(_first(counts, "start", pairs), day)
    exact: dict[tuple[_Pair, int], int] = {}
    for hour, pairs in _by_time(days).items():
        kept = Seen.objects.filter(account=account, **_in("time", hour * 1000, HOUR * 1000))
        exact |= {(pair, hour): at for pair, at in _first(kept, "time", pairs)}
    found = {(pair, day): day * 1000 for pair, day in wanted}
    for (pair, hour), day in days.items():
        found[pair, day] = exact.get((pair, hour), hour * 1000)
    return found


def _first(
    rows: QuerySet[Any], field: str, pairs: Collection[_Pair]
) -> Iterator[tuple[_Pair, int]]:
    """The least of a column by server and source."""
    servers, sources = map(set, zip(*pairs, strict=True))
    meant = rows.filter(server__in=servers, source__in=sources)
    for server, source, least in meant.values_list("server", "source").annotate(Min(field)):
        if (server, source) in pairs:
            yield (server, source), least


def _in(field: str, begin: int, length: int) -> dict[str, int]:
    return {f"{field}__gte": begin, f"{field}__lt": begin + length}


def _by_time(found: Iterable[tuple[_Pair, int]]) -> dict[int, set[_Pair]]:
    pairs: dict[int, set[_Pair]] = {}
    for pair, at in found:
        pairs.setdefault(at, set()).add(pair)
    return pairs
