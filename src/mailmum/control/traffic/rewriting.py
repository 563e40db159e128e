"""Rewriting what was kept of mail addresses when an account wants less of them kept.

What comes after the change is kept as it says.  What was kept before is gone through from the
oldest sighting to the newest, a little at a time: each transaction rewrites some hundred sightings
and notes how far it got, so the worker may end at any moment and go on from there.

It begins a minute after the change.  By then whoever had read the old terms has written what they
were about to write, and nothing comes behind the place that was reached.

What was left out cannot come back: after a change to `full`, what was kept before stays as it is.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connections, transaction
from django.db.models import Q

from mailmum.control.traffic.models import Rewriting, Seen
from mailmum.control.traffic.router import traffic_database
from mailmum.traffic.batches import ADDRESS, REASON, fit
from mailmum.traffic.privacy import FULL, Privacy

CHUNK = 500
"""Sightings that are looked at in one transaction."""
PAUSE = 60.0
_BEFORE_ALL = -(1 << 62)

_Texts = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it got: all that was seen before `reached`, Unix time; None before it began."""

    reached: float | None


def begin(account: int, privacy: str, now: float | None = None) -> None:
    """Let what is kept of an account follow a change; within the caller's transaction."""
    started = round(time.time() if now is None else now)
    Rewriting.objects.filter(account=account).delete()
    if privacy != FULL:
        Rewriting.objects.create(account=account, since=started, time=_BEFORE_ALL, number=0)


def progress_of(account: int) -> Progress | None:
    """How far the rewriting of an account got; None when nothing is to be rewritten."""
    place = Rewriting.objects.filter(account=account).values_list("time", flat=True).first()
    if place is None:
        return None
    return Progress(None if place == _BEFORE_ALL else place / 1000)


def due(now: float) -> list[int]:
    """The accounts of which something is to be rewritten."""
    marks = Rewriting.objects.filter(since__lte=now - PAUSE).order_by("account")
    return list(marks.values_list("account", flat=True))


def rewrite(account: int, privacy: Privacy) -> Iterator[int]:
    """Go on rewriting, a chunk in each step; how many sightings it looked at.

    Args:
        account: number of the account.
        privacy: what is left of an address.
    """
    while looked := _step(account, privacy.again()):
        yield looked


def _step(account: int, privacy: Privacy) -> int:
    with transaction.atomic(using=traffic_database()):
        mark = Rewriting.objects.select_for_update().filter(account=account).first()
        if mark is None:
            return 0
        after = Q(time__gt=mark.time) | Q(pk__gt=mark.number)
        rows = Seen.objects.filter(after, account=account, time__gte=mark.time)
        columns = ("time", "pk", "sender", "recipient", "reason")
        found = list(rows.order_by("time", "pk").values_list(*columns)[:CHUNK])
        if not found:
            mark.delete()
            return 0
        _write(
            (*new, number)
            for _, number, *old in found
            if (new := _less(privacy, *old)) != tuple(old)
        )
        mark.time, mark.number = found[-1][:2]
        mark.save()
        return len(found)


def _less(
    privacy: Privacy, sender: str | None, recipient: str | None, reason: str | None
) -> _Texts:
    """The texts as they are kept now."""
    reply = privacy.text(_uncut(reason), sender, recipient)
    return (
        _fit(privacy.address(sender), ADDRESS),
        _fit(privacy.address(recipient), ADDRESS),
        _fit(reply, REASON),
    )


def _uncut(reason: str | None) -> str | None:
    """A reply without what may be the beginning of an address that had no room."""
    if reason is None or len(reason) < REASON:
        return reason
    at = max(map(reason.rfind, ' <"')) + 1
    return reason if "@" in reason[at:] else reason[:at]


def _fit(text: str | None, size: int) -> str | None:
    return None if text is None else fit(text, size)


def _write(rows: Iterator[tuple[str | int | None, ...]]) -> None:
    connection = connections[traffic_database()]
    table = connection.ops.quote_name(Seen._meta.db_table)
    statement = f"UPDATE {table} SET sender = %s, recipient = %s, reason = %s WHERE id = %s"  # noqa: S608
    if changed := list(rows):
        with connection.cursor() as cursor:
            cursor.executemany(statement, changed)
