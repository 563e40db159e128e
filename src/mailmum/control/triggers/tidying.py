"""Forgetting what triggers had decided long ago.

What was listed is explained for as long as counts are kept by default; what came to nothing, and
who offended and has been forgiven, not as long.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from mailmum.control.triggers.models import Finding, Offence, Trigger
from mailmum.control.triggers.values import rule_of
from mailmum.traffic.periods import DAY
from mailmum.triggers.judge import remembered

LISTED, OTHERS = 400, 90
"""Days for which findings are kept: those that listed somebody, and all others."""
_CHUNK = 1000


def steps(now: float) -> Iterator[int]:
    """Remove what is too old, a chunk for each step; how many rows that were."""
    at, days = datetime.fromtimestamp(now, UTC), timedelta(days=1)
    yield from _removed(Finding.objects.filter(at__lt=at - LISTED * days))
    yield from _removed(Finding.objects.filter(at__lt=at - OTHERS * days).exclude(kind="list"))
    offended = Offence.objects.order_by().values("trigger").distinct()
    for trigger in Trigger.objects.filter(pk__in=offended):
        forgiven = trigger.newest - remembered(rule_of(trigger)) - DAY * 1000
        gone = Offence.objects.filter(trigger=trigger)
        yield from _removed(
            gone if trigger.removed is not None else gone.filter(until__lt=forgiven)
        )


def _removed(rows: QuerySet[Any]) -> Iterator[int]:
    while numbers := list(rows.values_list("pk", flat=True)[:_CHUNK]):
        rows.model._default_manager.filter(pk__in=numbers).delete()
        yield len(numbers)
