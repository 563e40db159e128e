"""A time beside the one before it, of those servers only that were seen all through both.

A server that came in the week before, or of which nothing was seen for days, would make that week
look small and this one look like a flood.  So it is left out of both sides, and named.

Nothing seen for a whole day (UTC) is a gap where that day would have been called silence, by the
rule of `silence`.  Of a server that is hardly ever seen nobody can tell: it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.overview import Groups, sums
from mailmum.control.monitor.ranges import Range
from mailmum.control.monitor.scope import scope_of
from mailmum.control.monitor.silence import DAYS, GAPS, LEAST_SEEN
from mailmum.control.servers.queries import present_servers
from mailmum.control.traffic import totals
from mailmum.traffic.periods import DAY, start_of


@dataclass(frozen=True, slots=True)
class Alike:
    """What can be compared.

    Attributes:
        now: contacts of the servers that were seen all through, by what became of them.
        before: the same in the time before; None when there is nothing to compare.
        without: each server that is left out, and why.
    """

    now: Groups
    before: Groups | None
    without: tuple[tuple[str, str], ...]


def alike(reading: Reading, wanted: Range, *, now: float) -> Alike:
    """A time and the one before it, of the servers that were seen in all of both.

    Args:
        reading: proof that the account may be read.
        wanted: the time.
        now: our own clock.
    """
    scope, present = scope_of(reading), present_servers(reading)
    first = start_of(wanted.before.since, DAY)
    # What there is of today says nothing of gaps.
    days = range(first, start_of(min(wanted.until, now), DAY), DAY)
    today = days.stop
    known = totals.first_days(scope.account, first - DAYS * DAY)
    seen = totals.on_days(scope.account, scope.names, [*days, today])
    why = {
        number: _odd(counts, days, known.get(number, first)) if number in present else "removed"
        for number, counts in seen.items()
    }
    whole = {number for number, word in why.items() if not word}
    odd = sorted((scope.name(number), word) for number, word in why.items() if word)
    if not whole:
        return Alike({}, None, tuple(odd))
    return Alike(
        sums(scope, wanted, now, whole), sums(scope, wanted.before, now, whole), tuple(odd)
    )


def _odd(counts: Mapping[int, int], days: range, known: int) -> str:
    """Why a server cannot be compared; empty when it can."""
    if known > days.start:
        return f"seen only since {_date(known)}"
    gaps = [day for day in days if not counts.get(day)]
    count, seen = sum(counts.values()), len(counts)
    if not gaps or count < LEAST_SEEN or count < GAPS * seen:
        return ""
    return f"not seen on {_date(gaps[0])}" if len(gaps) == 1 else f"not seen on {len(gaps)} days"


def _date(day: int) -> str:
    at = datetime.fromtimestamp(day, UTC)
    return f"{at.day} {at:%b}"
