"""What public lists said in the past, for backtests, and what of it nobody can know.

Lists are asked about the clients of an account only while a trigger wants to know it.  So a trigger
that counts what they say can be tried on what was said then; what they would have said at other
times, or of others, is not known, and a list of today says nothing of the day before.
"""

from collections.abc import Iterator
from typing import Any, Protocol

from django.db.models import Sum

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import moment
from mailmum.control.triggers.streams import word_of
from mailmum.control.witnesses.models import AskedDay, Word
from mailmum.traffic.periods import DAY, start_of
from mailmum.triggers.rules import Metric, Rule

_STEP = 5000
_COLUMNS = ("id", "at", "server", "client", "witness")


class Past(Protocol):
    """What of a past is filled here; see `history.Past`."""

    since: float
    until: float
    exact: float | None
    rows: int
    found: list[tuple[Any, ...]]


def words(account: int, past: Past) -> Iterator[float]:
    """Fill the past with what lists said; how much is done, from 0 to 1, now and then."""
    rows = Word.objects.filter(
        account=account, at__gte=past.since * 1000, at__lt=past.until * 1000
    ).order_by("at", "id")
    past.exact = past.since
    for row in rows.values_list(*_COLUMNS).iterator(chunk_size=5000):
        past.found.append(tuple(word_of(row)))
        past.rows += 1
        if past.rows % _STEP == 0:
            yield (row[1] / 1000 - past.since) / max(past.until - past.since, 1)


def unknown_of(reading: Reading, rule: Rule, *, days: int, now: float) -> str:
    """What a backtest of a rule cannot know, in a sentence; empty for rules by what was seen."""
    if rule.metric is not Metric.ASKED:
        return ""
    since = start_of(now - days * DAY, DAY)
    found = AskedDay.objects.filter(account=reading.account, day__gte=since).order_by("day")
    first = found.first()
    if first is None:
        return (
            "No public list was asked for a trigger in this time, so nothing is known of what they "
            "would have said: let the trigger observe for some days, and try it again then"
        )
    sums = found.aggregate(asked=Sum("asked"), left_out=Sum("left_out"))
    times = "once" if sums["asked"] == 1 else f"{sums['asked']:,} times"
    text = (
        f"Public lists were asked {times} about a client since "
        f"{(moment(first.day) or '')[:10]}; what they would have said of others, or before, "
        "nobody knows"
    )
    if sums["left_out"]:
        text += f" ({sums['left_out']:,} were left out: more came than may be asked)"
    return text
