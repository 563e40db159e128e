"""Taking away what is older than an account's terms.

A little at a time: each transaction takes some thousand rows and holds the writer's lock for a few
hundredths of a second, so that whoever keeps sightings hardly waits.  SQLite uses the freed space
again; the file does not shrink, and need not.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Min, QuerySet

from mailmum.control.traffic.models import (
    AccountTerms,
    Changed,
    ClientDay,
    ClientHour,
    DomainDay,
    LastSeen,
    ListsCount,
    NameDay,
    NetworkDay,
    Rewriting,
    Seen,
    Stream,
    Total,
    WideDay,
    Worst,
    Zone,
)
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.terms import terms_of
from mailmum.traffic.periods import DAY, HOUR, MINUTE, start_of
from mailmum.traffic.terms import Terms
from mailmum.traffic.worst import DEPTHS

CHUNK = 2000
"""Rows that are deleted in one transaction, about."""

_EVERYTHING = 1 << 62


def expire(account: int, now: float) -> Iterator[int]:
    """Delete what is too old, a chunk for each step; how many rows that were.

    The caller goes on when it suits: it may pause between two steps, and end at any.
    """
    terms = terms_of(account)
    yield from _older(account, lambda days: start_of(now - days * DAY, DAY), terms)


def forget(account: int) -> Iterator[int]:
    """Delete all traffic of an account that is no more, a chunk for each step."""
    yield from _older(account, lambda _: _EVERYTHING, Terms())
    servers = LastSeen.objects.filter(account=account).values_list("server", flat=True)
    yield Stream.objects.filter(server__in=list(servers)).delete()[0]
    for rows in (LastSeen.objects, Zone.objects, AccountTerms.objects, Rewriting.objects):
        yield rows.filter(account=account).delete()[0]


def accounts() -> set[int]:
    """The numbers of all accounts of which there is traffic."""
    return set(LastSeen.objects.values_list("account", flat=True).distinct())


def _older(account: int, limit: Callable[[int], int], terms: Terms) -> Iterator[int]:
    yield from _sightings(account, limit(terms.recent_days) * 1000)
    for step, days in ((MINUTE, terms.minute_days), (HOUR, terms.hour_days), (DAY, terms.day_days)):
        place = {"account": account, "step": step}
        yield from stretches(Total.objects.filter(**place), "server", limit(days))
        yield from stretches(Worst.objects.filter(**place), "server", limit(days))
        yield from stretches(ListsCount.objects.filter(**place), "server", limit(days))
        Changed.objects.filter(**place, start__lt=limit(days)).delete()
    hours, days = limit(terms.hour_days), limit(terms.day_days)
    yield from stretches(ClientHour.objects.filter(account=account), "client", hours)
    yield from stretches(ClientDay.objects.filter(account=account), "client", days)
    yield from stretches(NetworkDay.objects.filter(account=account), "client", days)
    for depth in range(len(DEPTHS[4])):
        yield from stretches(WideDay.objects.filter(account=account, depth=depth), "client", days)
    yield from stretches(NameDay.objects.filter(account=account), "name", days)
    yield from stretches(DomainDay.objects.filter(account=account), "name", days)


def _sightings(account: int, until: int) -> Iterator[int]:
    old = Seen.objects.filter(account=account, time__lt=min(until, _EVERYTHING)).order_by("time")
    while True:
        with transaction.atomic(using=traffic_database()):
            numbers = list(old.values_list("pk", flat=True)[:CHUNK])
            Seen.objects.filter(pk__in=numbers).delete()
        if not numbers:
            return
        yield len(numbers)


def stretches(rows: QuerySet[Any], next_key: str, until: int) -> Iterator[int]:
    """Delete what begins before a time: several periods at once, of a large one several stretches.

    Args:
        rows: those that may be deleted.
        next_key: what comes in the key after the beginning of the period.
        until: Unix time in seconds.
    """
    while True:
        old = rows.filter(start__lt=until)
        start = old.aggregate(first=Min("start"))["first"]
        if start is None:
            return
        # A week of minutes is some thousand periods with a row or two each.
        more = old.order_by("start").values_list("start", flat=True)[CHUNK : CHUNK + 1]
        end = next(iter(more), until)
        some = old.filter(start__lt=end) if end > start else None
        with transaction.atomic(using=traffic_database()):
            whole = some if some is not None else _stretch(rows.filter(start=start), next_key)
            count, _ = whole.delete()
        yield count


def _stretch(rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    ends = rows.order_by(key).values_list(key, flat=True)[CHUNK : CHUNK + 1]
    end = next(iter(ends), None)
    if end is None:
        return rows
    begin = rows.order_by(key).values_list(key, flat=True)[:1].get()
    # Rows with one and the same key are few, but they can be more than a chunk.
    return rows.filter(**{f"{key}__lte" if begin == end else f"{key}__lt": end})
