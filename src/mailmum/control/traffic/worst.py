"""The worst clients and networks of any time, answered from lists that are kept of hours and days.

Ranking all clients of a month would mean to read millions of rows.  So the worker lists the worst
of each hour and day beforehand (`mailmum.traffic.worst`), at most a minute after they have changed.
A question takes all that are listed in its time as candidates and counts those exactly.

What it may miss is a client that was among the worst of no hour or day by itself: one that is
missing has less than the sum of the last places of the lists.  For two days lists are by the hour,
beyond that by the day.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Sum

from mailmum.control.traffic.clients import Client, counts_of
from mailmum.control.traffic.models import Changed, ClientDay, ClientHour, Total
from mailmum.control.traffic.models import Worst as WorstRow
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.totals import best_of
from mailmum.domain.targets import NetworkTarget, parse_network
from mailmum.traffic.packing import client_text
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.worst import ALL, Worst, pick

LIMITS = {HOUR: 200, DAY: 500}
"""How many clients, and how many networks, are listed of an hour and of a day."""
HOURS_FOR = 2 * DAY
"""Seconds for which there are lists by the hour."""
_CANDIDATES = 200
_PAUSE, _SHARE = 60.0, 30.0


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
        wanted: in which time, on which servers, by which sources.
        networks: networks (/24, and /64 of IPv6) instead of clients.
        limit: how many, at most 200.
        now: our own clock.
    """
    clock = time.time() if now is None else now
    candidates = _candidates(account, wanted, clock, networks=networks)
    counted = counts_of(account, [_target(first, networks) for first in candidates], wanted, clock)
    found = [one for one in counted if _badness(one, wanted)]
    found.sort(key=lambda one: -_badness(one, wanted))
    return found[: min(limit, 200)]


def _badness(one: Client, wanted: Wanted) -> int:
    return sum(
        count
        for outcome, count in one.outcomes.items()
        if (outcome in wanted.outcomes if wanted.outcomes else outcome.stopped)
    )


def _candidates(account: int, wanted: Wanted, now: float, *, networks: bool) -> list[bytes]:
    until = now + DAY if wanted.until is None else wanted.until
    since = 0.0 if wanted.since is None else wanted.since
    step = HOUR if since >= now - HOURS_FOR else DAY
    servers = [ALL] if wanted.servers is None else sorted(wanted.servers)
    rows = (
        WorstRow.objects.filter(account=account, step=step, network=networks, server__in=servers)
        .filter(start__gte=start_of(since, step), start__lt=until)
        .values_list("first")
        .annotate(sum=Sum("stopped"))
        .order_by("-sum", "first")
    )
    return [bytes(first) for first, _ in rows[:_CANDIDATES]]


def _target(first: bytes, network: bool) -> NetworkTarget:
    host = parse_network(client_text(first))
    if not network:
        return host
    return NetworkTarget(host.version, host.first, 24 if host.version == 4 else 64)


@dataclass(slots=True)
class Lister:
    """Brings the lists of the worst up to date; one in a worker.

    A list is made anew at most once a minute, and takes at most a small share of the time.
    """

    due: dict[tuple[int, int, int], float] = field(default_factory=dict)

    def steps(self, now: float) -> Iterator[tuple[int, int, int]]:
        """List anew what has changed and is due, one after the other."""
        changed = list(Changed.objects.values_list("account", "step", "start", "times"))
        known = {(account, step, start) for account, step, start, _ in changed}
        self.due = {key: at for key, at in self.due.items() if key in known or at > now}
        for account, step, start, times in changed:
            key = (account, step, start)
            if self.due.get(key, 0.0) > now:
                continue
            began = time.monotonic()
            _list(account, step, start, times, now)
            self.due[key] = now + max(_PAUSE, _SHARE * (time.monotonic() - began))
            yield key


def _list(account: int, step: int, start: int, times: int, now: float) -> None:
    place = {"account": account, "step": step, "start": start}
    wanted = step == DAY or start >= now - HOURS_FOR - HOUR
    found = _picked(account, step, start) if wanted else []
    with transaction.atomic(using=traffic_database()):
        WorstRow.objects.filter(**place).delete()
        WorstRow.objects.bulk_create(
            (
                WorstRow(
                    **place,
                    server=one.server,
                    network=one.network,
                    first=one.first,
                    stopped=one.stopped,
                )
                for one in found
            ),
            ignore_conflicts=True,
        )
        # What has come meanwhile makes it due once more.
        Changed.objects.filter(**place, times=times).delete()


def _picked(account: int, step: int, start: int) -> list[Worst]:
    pairs = Total.objects.filter(account=account, step=step, start=start)
    best = best_of(set(pairs.values_list("server", "source").distinct()))
    counts = ClientHour.objects.all() if step == HOUR else ClientDay.objects.all()
    rows = counts.filter(account=account, start=start).order_by("client")
    keys = ("client", "server", "source", "outcome", "count")
    in_order = rows.values_list(*keys).iterator(chunk_size=5000)
    return pick(((bytes(client), *rest) for client, *rest in in_order), best, LIMITS[step])
