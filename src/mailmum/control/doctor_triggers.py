"""What is wrong with triggers: one that its brake has stopped, that nobody follows, or that fails.

And one that counts what public lists say, while fewer are asked than it needs, or more clients come
than they may be asked about.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby

from django.db.models import Sum

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import spoken
from mailmum.control.triggers.models import Skipped, Trigger
from mailmum.control.triggers.queries import triggers_of
from mailmum.control.witnesses.asking import witnesses_of
from mailmum.control.witnesses.models import AskedDay
from mailmum.traffic.periods import DAY
from mailmum.triggers.rules import Metric, Mode

Told = tuple[str, str, str, str]
"""Name, state, message and fix of a finding."""
_PATIENCE, _REMEMBERED = 60.0, 7 * DAY
# Seconds after which a worker that runs has taken a trigger up.


def trigger_findings(reading: Reading, now: float, away: bool = False) -> Iterator[Told]:
    """Findings about the triggers of an account; all that is well is told in one line.

    Args:
        reading: proof that the account may be read.
        now: our own clock.
        away: whether the database of traffic is, which all of them follow.
    """
    found = [one for one in triggers_of(reading) if one.mode != Mode.OFF]
    stopped = [(one, one.stopped_at) for one in found if one.stopped_at is not None]
    waiting = [
        one
        for one in found
        if one.stopped_at is None
        and one.since is None
        and now - one.changed.timestamp() > _PATIENCE
    ]
    for one, at in stopped:
        yield (
            f"trigger {one.name}",
            "warn",
            f"its brake stopped it at {spoken(at)}: {one.stopped_why}",
            (
                f"look at whom it listed: mailmum trigger findings {one.name}, "
                f"then: mailmum trigger resume {one.name}"
            ),
        )
    for one in waiting:
        yield (
            f"trigger {one.name}",
            "warn",
            "nothing follows it, so it lists nobody",
            "check that the part worker runs",
        )
    others = [*_failing(found, now), *_asked(reading, found, now)]
    yield from others
    if found and away:
        yield (
            "triggers",
            "warn",
            f"{len(found)} are on and list nobody while the database of traffic is away",
            "bring it back, see traffic above: they go on from where they were",
        )
    elif found and not (stopped or waiting or others):
        yield "triggers", "ok", f"{len(found)} of them follow what comes in", ""


def _failing(triggers: list[Trigger], now: float) -> Iterator[Told]:
    """Those that a fault of ours keeps from counting something, or anything."""
    names = {one.pk: one.name for one in triggers}
    since = datetime.fromtimestamp(now - _REMEMBERED, UTC)
    rows = Skipped.objects.filter(trigger__in=names, at__gt=since).order_by("trigger", "number")
    for number, group in groupby(rows, key=lambda row: row.trigger_id):
        found = list(group)
        fails = found[0].number == 0
        last = max(found, key=lambda row: row.at)
        what = (
            "it fails, so it lists nobody; it is tried again every few minutes"
            if fails
            else f"sightings left out since it fails on them: {len(found)}"
        )
        yield (
            f"trigger {names[number]}",
            "warn",
            f"{what}; the last at {spoken(last.at)}: {last.why}",
            "a fault of ours, which the log of worker tells in full: tell us",
        )


def _asked(reading: Reading, triggers: list[Trigger], now: float) -> Iterator[Told]:
    """Those that count what lists say that are asked."""
    mine = [one for one in triggers if one.rule["metric"] == Metric.ASKED]
    if not mine:
        return
    asked = {one.zone for one in witnesses_of(reading)}
    for one in mine:
        named = set(one.rule["lists"])
        count = len(asked & named if named else asked)
        if count < one.rule["threshold"]:
            yield (
                f"trigger {one.name}",
                "warn",
                f"it needs {one.rule['threshold']} public lists, and {count} are asked",
                "have more asked: mailmum rbl add ZONE",
            )
    days = AskedDay.objects.filter(account=reading.account, day__gte=int(now) - 2 * DAY)
    sums = days.aggregate(asked=Sum("asked"), left_out=Sum("left_out"))
    if sums["left_out"]:
        yield (
            "public lists",
            "warn",
            (
                f"clients that no list was asked about in two days: {sums['left_out']:,} "
                f"(asked: {sums['asked']:,}); more come than lists may be asked about"
            ),
            "that is harmless; let the trigger watch one server only, or ask fewer lists",
        )
