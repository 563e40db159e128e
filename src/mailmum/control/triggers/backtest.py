"""What a rule would have done over the stored history: the judge that runs live, on the past.

Nothing is changed by it.  Where much is kept the clients are divided into two shares, as
[`slices`](slices.py) tells: by how much there is, never by the machine, so that the outcome is the
same everywhere.  Two processes look at them where that is quicker (`helping`).
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from mailmum.control.accounts.access import Reading
from mailmum.control.garbage import each_uncollected
from mailmum.control.traffic.terms import terms_of
from mailmum.control.triggers import sifting, weighing
from mailmum.control.triggers.contexts import context_of
from mailmum.control.triggers.helping import side_by_side
from mailmum.control.triggers.history import SIGHTINGS_LIMIT, by_sighting
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.report import Report, report_of
from mailmum.control.triggers.share import Task
from mailmum.control.triggers.slices import Slice, cut, divided, looked_at
from mailmum.traffic.periods import DAY, HOUR, end_of, start_of
from mailmum.triggers.rules import Metric, Rule

LONGEST = 90
"""Days that can be looked at."""
DIVIDED = 1_000_000
"""Of so many counts two shares are made: a second process takes a second to begin."""
_FIRST = 0.45
"""So much of it is the share of the second process, since it begins later."""
_SUMMED = 150_000
"""About so many counts are summed up at once: half a second where the machine is busy."""


def backtest(
    reading: Reading, rule: Rule, *, days: int = 30, now: float | None = None
) -> Iterator[Progress | Report]:
    """Try a rule on the past; yields progress, and the report last.

    Args:
        reading: proof that the account may be read.
        rule: what to try.
        days: how far to look back, up to `LONGEST`.
        now: our own clock.
    """
    return each_uncollected(_backtest(reading, rule, days, time.time() if now is None else now))


def last_of(steps: Iterator[Progress | Report]) -> Report:
    """The report, for whoever does not watch."""
    *_, report = steps
    assert isinstance(report, Report)
    return report


def _backtest(reading: Reading, rule: Rule, days: int, clock: float) -> Iterator[Progress | Report]:
    began = time.monotonic()
    for step in side_by_side(reading, _tasks(reading, rule, days, clock)):
        if isinstance(step, Progress):
            yield step
        else:
            report = report_of(reading, rule, step, clock)
            report.seconds = round(time.monotonic() - began, 3)
            yield report


def _tasks(reading: Reading, rule: Rule, days: int, clock: float) -> list[Task]:
    account = reading.account.pk
    since = clock - min(max(days, 1), LONGEST, terms_of(account).hour_days) * DAY
    context = context_of(account, rule, since, clock)
    shares, rows = _shares(account, rule, since, clock)
    many = len(shares)
    return [
        Task(
            account,
            # Of the brake only all shares together know.
            replace(rule, brake=0),
            context,
            since,
            clock,
            tuple(share),
            SIGHTINGS_LIMIT // many,
            weighing.WEIGHED // many,
            None if rows is None else rows // many,
        )
        for share in shares
    ]


def _shares(
    account: int, rule: Rule, since: float, clock: float
) -> tuple[list[list[Slice]], int | None]:
    """The slices of each share, and about how many counts there are where that need not be exact.

    To count them all would be a tenth of the work.
    """
    if rule.metric is Metric.ASKED or by_sighting(rule):
        return [cut([], ())], None
    first, last = start_of(since, HOUR), end_of(clock, HOUR)
    clients, rows = looked_at(account, first, last)
    if rows < DIVIDED:
        return [cut([], ())], None
    piece = min(sum(sifting.pieces(rule)), last - first)
    pairs = max(1, round(rows * piece / (last - first) / _SUMMED / 2))
    return divided(clients, _FIRST, pairs), round(rows, -5)
