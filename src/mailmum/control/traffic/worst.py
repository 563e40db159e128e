"""The worst clients and networks of any time, answered from lists that are kept of hours and days.

Ranking all clients of a month would mean to read millions of rows.  So the worker lists the worst
of each hour and day beforehand (`working_up`), at most a minute after they have changed.
A question takes all that are listed in its time as candidates and counts those exactly.

What it may miss is a client that was among the worst of no hour or day by itself: one that is
missing has less than the sum of the last places of the lists.  For two days lists are by the hour,
beyond that by the day.
"""

import time
from math import ceil

from django.db.models import Q

from mailmum.control.traffic.clients import Client, counts_of, target_of
from mailmum.control.traffic.models import Worst as WorstRow
from mailmum.control.traffic.reading import Wanted, one_of, total
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.worst import ALL

LIMITS = {HOUR: 200, DAY: 500}
"""How many clients, and how many networks, are listed of an hour and of a day."""
HOURS_FOR = 2 * DAY
"""Seconds for which there are lists by the hour."""
_MOST = 400
_NAMED = 500
"""Periods that are named one by one."""


def worst(
    account: int,
    wanted: Wanted,
    *,
    networks: bool = False,
    limit: int = 50,
    now: float | None = None,
) -> list[Client]:
    """The clients or networks that were turned away most often, worst first.

    Args:
        account: number of the account.
        wanted: in which time, on which servers, by which sources; outcomes are those to rank by,
            of those by which mail was turned away.
        networks: networks (/24, and /64 of IPv6) instead of clients.
        limit: how many, at most 200.
        now: our own clock.
    """
    clock = time.time() if now is None else now
    limit = min(max(limit, 1), 200)
    # Some more than are asked for: those who were missing in some lists come up when counted.
    many = limit + limit // 2 + 10
    candidates = _candidates(account, wanted, clock, networks=networks)[:many]
    counted = counts_of(
        account, [target_of(first, network=networks) for first in candidates], wanted, clock
    )
    found = [one for one in counted if _badness(one, wanted)]
    # By address where they are alike: in what order rows come is for the database to say.
    found.sort(key=lambda one: (-_badness(one, wanted), one.network))
    return found[:limit]


def _badness(one: Client, wanted: Wanted) -> int:
    return sum(
        count
        for outcome, count in one.outcomes.items()
        if (outcome in wanted.outcomes if wanted.outcomes else outcome.stopped)
    )


def _candidates(account: int, wanted: Wanted, now: float, *, networks: bool) -> list[bytes]:
    """The first addresses of those that are listed, worst first."""
    until = now + DAY if wanted.until is None else wanted.until
    since = 0.0 if wanted.since is None else wanted.since
    step = HOUR if since >= now - HOURS_FOR else DAY
    servers = [ALL] if wanted.servers is None else sorted(wanted.servers)
    rows = (
        WorstRow.objects.filter(account=account, step=step, network=networks, server__in=servers)
        .filter(_starts(start_of(since, step), until, step))
        .values_list("first")
        .annotate(sum=total("stopped"))
        .order_by("-sum", "first")
    )
    return [bytes(first) for first, _ in rows[:_MOST]]


def _starts(first: int, until: float, step: int) -> Q:
    """The condition on when an hour or day begins.

    In the key servers come after it: of each period that is named only the rows of those that are
    meant are read, of a stretch the rows of all servers.
    """
    starts = range(first, ceil(until), step)
    if len(starts) > _NAMED:
        return Q(start__gte=first, start__lt=until)
    return one_of("start", starts)
