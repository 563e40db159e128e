"""What listings would have stopped, had they been there.

It is counted by whole hours, without what single sightings tell to have come before the listing or
after it: whoever came all at once and never again was not stopped by being listed.  Where these are
no longer kept all of the first and last hour counts.  Of names whole days are known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connections

from mailmum.control.traffic.models import ClientDay, ClientHour, NameDay, Seen
from mailmum.control.traffic.names import named
from mailmum.control.traffic.reading import total
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.turns import turns_of
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.traffic.codes import ASKED, OUTCOMES, STOPPED, VERIFIED
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY, HOUR, Span, cover, start_of
from mailmum.traffic.sightings import Outcome
from mailmum.traffic.turns import best_at, within
from mailmum.triggers.decisions import Decision

WEIGHED = 2000
"""Listings of which it is counted what they would have stopped; beyond, nobody needs to know.
Whose mail they hit is told of all."""
_ACCEPTED = OUTCOMES[Outcome.ACCEPTED]
Row = tuple[int, int, int, int, int]
"""Server, source, outcome, count, and when that ends."""


@dataclass(slots=True)
class Weight:
    """What one listing would have stopped."""

    contacts: int = 0
    turned_away: int = 0
    accepted: int = 0


class Scales:
    """Weighs listings of one account.

    Args:
        account: its number.
        since: from when on there is anything to be weighed, Unix time.
        now: our own clock.
    """

    def __init__(self, account: int, since: float, now: float) -> None:
        self._account, self._turns = account, turns_of(account, since, now)
        self._now = now * 1000
        # Mostly it is the same source all the time, and no row has to tell when.
        known = round(since * 1000), round(now * 1000)
        self._change = any(len(within(one, *known)) > 1 for one in self._turns.values())

    def weigh(self, listed: Decision, end: int) -> Weight:
        """What a listing would have stopped up to a time in milliseconds."""
        weight, begin = Weight(), listed.offence.begin
        if end <= begin:
            return weight
        for server, source, outcome, many, last in self._rows(listed, begin, end):
            turns = self._turns.get(server, ())
            if outcome == ASKED or best_at(turns, last * 1000 - 1) != source:
                continue
            if listed.scope and server != listed.scope:
                continue
            weight.contacts += many
            weight.turned_away += many if outcome in STOPPED else 0
            weight.accepted += many if outcome == _ACCEPTED else 0
        return weight

    def _rows(self, listed: Decision, begin: int, end: int) -> Iterator[Row]:
        """What came while it held; of hours of which part is meant, the rest with a minus."""
        account, target = self._account, listed.target
        if not isinstance(target, NetworkTarget):
            yield from _names(account, target, begin / 1000, end / 1000)
            return
        spans = cover(begin / 1000, end / 1000, 0)
        yield from _sums(account, target, spans, timed=self._change)
        if not listed.exact:
            return
        yield from _outside(account, target, begin / 1000, "<=", begin, spans)
        if end < self._now:
            # An hour that ends with the listing is no part of what comes after it.
            yield from _outside(account, target, (end - 1) / 1000, ">=", end, spans)


def _names(account: int, target: NameTarget, since: float, until: float) -> Iterator[Row]:
    """What came under a name on the days of a time."""
    days = range(start_of(since, DAY), start_of(until, DAY) + DAY, DAY)
    names = NameDay.objects.filter(named(target), account=account, kind=VERIFIED, start__in=days)
    keys = ("server", "source", "outcome", "start")
    for server, source, outcome, start, many in (
        names.values_list(*keys).annotate(sum=total()).order_by()
    ):
        yield server, source, outcome, many, start + DAY


def _sums(account: int, target: NetworkTarget, spans: Sequence[Span], *, timed: bool) -> list[Row]:
    """What came from a network in some hours and days.

    What came in an hour or a day ends with it: then it counts by the source that is best by then.
    Where it need not be `timed` all hours end with the last, and all days.
    Without the ORM, and all spans at once: this is asked of thousands of listings.
    """
    connection = connections[traffic_database()]
    statement = " UNION ALL ".join(
        f"""
        SELECT server, source, outcome, CAST(SUM(count) AS bigint),
        {f"start + {span.step}" if timed else span.last}
        FROM {_table(span)}
        WHERE account = %s AND start IN ({", ".join(map(str, span.starts))})
        AND client >= %s AND client <= %s GROUP BY server, source, outcome
        {", start" if timed else ""}
        """  # noqa: S608 (names of our own, and whole numbers)
        for span in spans
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [account, *bounds(target)] * len(spans))
        return list(cursor.fetchall())


def _outside(
    account: int, target: NetworkTarget, moment: float, when: str, at: int, spans: Sequence[Span]
) -> Iterator[Row]:
    """What of the hour of a moment came before a listing or after it, to be taken off.

    It ends with the hour or day that it was counted in, or it would be taken off of another source.
    The statement is always the same, so that it is prepared once.
    """
    hour = start_of(moment, HOUR)
    step = next(span.step for span in spans if span.first <= hour < span.last)
    statement = f"""
        SELECT server, source, outcome, -CAST(SUM(count) AS bigint)
        FROM {Seen._meta.db_table}
        WHERE account = %s AND hour = %s AND client >= %s AND client <= %s AND time {when} %s
        GROUP BY server, source, outcome
        """  # noqa: S608 (names of our own)
    with connections[traffic_database()].cursor() as cursor:
        cursor.execute(statement, [account, hour, *bounds(target), at])
        for server, source, outcome, many in cursor.fetchall():
            yield server, source, outcome, many, start_of(hour, step) + step


def _table(span: Span) -> str:
    return (ClientDay if span.step == DAY else ClientHour)._meta.db_table
