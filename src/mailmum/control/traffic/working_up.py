"""Working counts up: what the worker makes of the hours and days that have changed.

Of each hour and day the worst clients and networks, and of days that are over the sums by network.
All of it can be made anew from the counts at any time, so nothing here needs to be done in time:
until it is, readers go by older lists, and by clients instead of networks.

A day that is not over is listed again and again, at most once a minute and in a small share of the
time, and stays marked as changed until it is over.

After an upgrade or a log of years all days are due at once, some seconds of work each.  The newest
come first, and in between today is listed again, and the worker does what else is due.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from mailmum.control.traffic.models import (
    Changed,
    ClientCount,
    ClientDay,
    ClientHour,
    NetworkDay,
    Total,
    WideDay,
    Worst,
)
from mailmum.control.traffic.retention import CHUNK, stretches
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.worst import HOURS_FOR, LIMITS
from mailmum.control.traffic.writing import upsert
from mailmum.traffic.periods import DAY, HOUR
from mailmum.traffic.turns import best_of
from mailmum.traffic.worst import DEPTHS, by_network, pick, wide_key

_PAUSE, _SHARE = 60.0, 30.0
_AT_ONCE = 10.0
"""Seconds after which what is over and left has to wait for its turn."""
_Row = tuple[bytes, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Period:
    account: int
    step: int
    start: int

    @property
    def place(self) -> dict[str, int]:
        return {"account": self.account, "step": self.step, "start": self.start}

    def over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.start + self.step <= now

    def rows(self) -> Iterator[_Row]:
        """Its counts by client, in the order of clients."""
        return self.rows_of(ClientHour if self.step == HOUR else ClientDay)

    def rows_of(self, table: type[ClientCount]) -> Iterator[_Row]:
        """The same, of a table of that form."""
        rows = table._default_manager.filter(account=self.account, start=self.start).order_by(
            "client"
        )
        keys = ("client", "server", "source", "outcome", "rbl", "count")
        for client, *rest in rows.values_list(*keys).iterator(chunk_size=5000):
            yield (bytes(client), *rest)


@dataclass(slots=True)
class Lister:
    """Works up what has changed; one in a worker.

    Attributes:
        due: when each period may be looked at again, Unix time.
        done: of those that are not over, how often they had changed when they were listed.
        behind: whether something was left for the next turn.
    """

    due: dict[_Period, float] = field(default_factory=dict)
    done: dict[_Period, int] = field(default_factory=dict)
    behind: bool = False

    def steps(self, now: float) -> Iterator[object]:
        """Work up what is due, a little in each step."""
        rows = Changed.objects.values_list("account", "step", "start", "times")
        changed = {_Period(*key): times for *key, times in rows.order_by("-start")}
        self.due = {one: at for one, at in self.due.items() if one in changed or at > now}
        self.done = {one: times for one, times in self.done.items() if one in changed}
        due = [
            one
            for one, times in changed.items()
            if self.due.get(one, 0.0) <= now and (one.over(now) or self.done.get(one) != times)
        ]
        for one in [one for one in due if not one.over(now)]:
            yield from self._take(one, changed[one], now)
        self.behind, began = False, time.monotonic()
        left = [one for one in due if one.over(now)]
        for one in left:
            yield from self._take(one, changed[one], now)
            self.behind = one is not left[-1]
            if time.monotonic() - began > _AT_ONCE:
                return

    def _take(self, one: _Period, times: int, now: float) -> Iterator[object]:
        began = time.monotonic()
        yield from _work_up(one, times, now)
        self.done[one] = times
        self.due[one] = now + max(_PAUSE, _SHARE * (time.monotonic() - began))


def _work_up(one: _Period, times: int, now: float) -> Iterator[object]:
    over = one.over(now)
    if one.step == DAY or one.start >= now - HOURS_FOR - HOUR:
        _list(one)
        yield one
    if one.step == DAY and over:
        yield from _sum_up(one)
    if over:
        # What has come meanwhile makes it due once more.
        Changed.objects.filter(**one.place, times=times).delete()


def _list(one: _Period) -> None:
    pairs = Total.objects.filter(**one.place).values_list("server", "source").distinct()
    found = pick(one.rows(), best_of(set(pairs)), LIMITS[one.step])
    with transaction.atomic(using=traffic_database()):
        Worst.objects.filter(**one.place).delete()
        rows = (
            Worst(
                **one.place,
                server=worst.server,
                network=worst.network,
                first=worst.first,
                stopped=worst.stopped,
            )
            for worst in found
        )
        Worst.objects.bulk_create(rows, ignore_conflicts=True)


def _sum_up(one: _Period) -> Iterator[object]:
    """Make the sums by network; nobody reads them before the mark of a change is gone."""
    place = (one.account, one.start)
    yield from _replace(NetworkDay.objects.all(), place, by_network(one.rows()))
    for depth in range(len(DEPTHS[4])):
        rows = by_network(one.rows_of(NetworkDay), partial(wide_key, depth=depth))
        yield from _replace(WideDay.objects.filter(depth=depth), (*place, depth), rows)


def _replace(
    table: QuerySet[Any], place: tuple[int, ...], rows: Iterable[tuple[Any, ...]]
) -> Iterator[object]:
    """Put rows in the place of those that begin with it."""
    account, start, *_ = place
    yield from stretches(table.filter(account=account, start=start), "client", start + 1)
    for chunk in _chunks((*place, *row) for row in rows):
        with transaction.atomic(using=traffic_database()):
            upsert(table.model, chunk, {"count": "excluded.count"})
        yield len(chunk)


def _chunks(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    chunk: list[tuple[Any, ...]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
