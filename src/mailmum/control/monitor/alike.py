"""A time beside the one before it, of those servers only that were seen all through both.

A server that came in the time before, or of which nothing was seen for days, would make that time
look small and this one look like a flood.  So it is left out of both sides, and named.

Nothing seen for a whole day (UTC) is a gap where that day would have been called silence, by the
rule of `silence`.  Of a server that is hardly ever seen nobody can tell: it counts.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.overview import Groups, Overview, sums
from mailmum.control.monitor.ranges import Range
from mailmum.control.monitor.scope import scope_of
from mailmum.control.monitor.silence import DAYS, GAPS, LEAST_SEEN
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import present_servers
from mailmum.control.traffic import totals
from mailmum.control.traffic.models import Total
from mailmum.domain.words import plural
from mailmum.traffic.periods import DAY, HOUR, Span, start_of

_NAMED = 3


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

    @property
    def says(self) -> str:
        """Which servers are compared, the commonest reasons first; empty where all are."""
        if not self.without:
            return ""
        by_reason: dict[str, list[str]] = {}
        for name, why in self.without:
            by_reason.setdefault(why, []).append(name)
        told = sorted(by_reason, key=lambda why: -len(by_reason[why]))[:_NAMED]
        odd = "; ".join(f"{_some(by_reason[why])} ({why})" for why in told)
        rest = len(self.without) - sum(len(by_reason[why]) for why in told)
        odd += f"; and {plural(rest, 'more server')}" if rest else ""
        if self.before is None:
            return f"There is nothing to compare this with: {odd}."
        return f"Compared are servers that were seen all through both times, so all but {odd}."


def alike(reading: Reading, found: Overview, server: str | None = None, *, now: float) -> Alike:
    """A time and the one before it, of the servers that were seen in all of both.

    Args:
        reading: proof that the account may be read.
        found: the time, of all servers that are meant.
        server: name of the one that is meant; None for all.
        now: our own clock.

    Raises:
        NotFound: there is no such server.
    """
    scope, present = scope_of(reading, server), present_servers(reading)
    wanted = found.range
    first = start_of(wanted.before.since, DAY)
    # What there is of today says nothing of gaps.
    days = range(first, start_of(min(wanted.until, now), DAY), DAY)
    meant = scope.servers or scope.names
    seen = totals.on_days(scope.account, meant, [*days, days.stop])
    earlier = totals.on_days(scope.account, seen, range(first - DAYS * DAY, first, DAY))
    fresh = _fresh(scope.account, seen, seen.keys() - earlier.keys(), wanted.before)
    why = {
        number: _odd(counts, days, fresh=number in fresh) if number in present else "removed"
        for number, counts in seen.items()
    }
    whole = {number for number, word in why.items() if not word}
    odd = sorted((scope.name(number), word) for number, word in why.items() if word)
    if not whole:
        return Alike({}, None, tuple(odd))
    if not odd:
        return Alike(found.groups, found.before or {}, ())
    return Alike(
        sums(scope, wanted, now, whole), sums(scope, wanted.before, now, whole), tuple(odd)
    )


def _fresh(
    account: int, seen: Mapping[int, Mapping[int, int]], maybe: Collection[int], before: Range
) -> Collection[int]:
    """Those of some servers that came later than a time began, or soon after.

    One that is hardly ever seen, and has been set up for longer, may have had nothing to do.

    Args:
        account: whose they are.
        seen: on which days they were, from that on which the time begins.
        maybe: those that were not in the week before that day.
        before: the time.
    """
    first = start_of(before.since, DAY)
    fresh = {number for number in maybe if first not in seen[number]}
    if before.step < DAY and (unsure := set(maybe) - fresh):
        soon = before.since + max((before.until - before.since) // 10, before.step)
        hour = start_of(before.since, HOUR)
        # One after the other: both in one question SQLite answers by looking at everything.
        for span in (Span(HOUR, first, hour), Span(before.step, hour, soon)):
            rows = Total.objects.filter(
                account=account, step=span.step, start__gte=span.first, start__lt=span.last
            )
            unsure -= set(rows.values_list("server", flat=True).distinct())
        fresh |= unsure
    rare = {number for number in fresh if sum(seen[number].values()) < LEAST_SEEN}
    long = datetime.fromtimestamp(first - DAYS * DAY, UTC)
    known = Server.objects.filter(account=account, pk__in=rare, created__lt=long) if rare else ()
    return fresh - {one.pk for one in known}


def _odd(counts: Mapping[int, int], days: range, *, fresh: bool) -> str:
    """Why a server cannot be compared; empty when it can."""
    if fresh:
        return f"seen only since {_date(min(counts))}"
    gaps = [day for day in days if not counts.get(day)]
    count, seen = sum(counts.values()), len(counts)
    if not gaps or count < LEAST_SEEN or count < GAPS * seen:
        return ""
    return f"not seen on {_date(gaps[0])}" if len(gaps) == 1 else f"not seen on {len(gaps)} days"


def _date(day: int) -> str:
    at = datetime.fromtimestamp(day, UTC)
    return f"{at.day} {at:%b}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
