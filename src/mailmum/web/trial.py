"""The backtest beside the form of a trigger: this setting and the saved one side by side."""

import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import DatabaseError

from mailmum.charts.markup import Markup
from mailmum.charts.moments import Buckets, Step
from mailmum.charts.series import Plot, Series
from mailmum.charts.timeline import stacked
from mailmum.control.accounts.access import Reading
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.streaming import Ending, go_on
from mailmum.control.triggers.backtest import backtest
from mailmum.control.triggers.draft import draft_of
from mailmum.control.triggers.heard import unknown_of
from mailmum.control.triggers.report import Report
from mailmum.control.triggers.values import sentence
from mailmum.domain.errors import Refusal
from mailmum.domain.words import plural, span
from mailmum.traffic.periods import DAY, start_of
from mailmum.triggers.rules import Rule

log = logging.getLogger(__name__)

DAYS = 30
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: what it is, how it is saved, how it would be, and the difference."""

    words: str
    saved: str
    now: str
    change: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What the form as it stands would have done.

    Attributes:
        fault: why it cannot be tried, empty when it can.
        unknown: whether traffic could not be read.
        known: how much of the time anything is known of; empty for all.
        says: the rule in a sentence.
        report: of this setting.
        lines: the figures, beside those of the saved setting where there is another.
        compared: whether there is another.
        chart: listings by day.
        cannot_know: what such a trial cannot know, empty for nothing.
    """

    fault: str = ""
    unknown: bool = False
    known: str = ""
    says: str = ""
    report: Report | None = None
    lines: tuple[Line, ...] = ()
    compared: bool = False
    chart: Markup | None = None
    cannot_know: str = ""

    @property
    def safe(self) -> bool:
        """Whether nobody who delivers mail would have been hit."""
        return self.report is not None and not self.report.hit

    @property
    def rough(self) -> bool:
        """Whether of part of the time only counts by the hour are left."""
        return self.report is not None and self.report.exact_since != self.report.since

    @property
    def exact_at(self) -> datetime | None:
        """From when on there are single sightings."""
        found = self.report.exact_since if self.report else None
        return datetime.fromisoformat(found) if found else None

    @property
    def brake_at(self) -> datetime | None:
        """When the brake would have stopped it."""
        found = self.report.brake if self.report else None
        return datetime.fromisoformat(found) if found else None

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The latest listings that it would have made."""
        if self.report is None:
            return []
        return [
            {**one, "at": datetime.fromisoformat(one["begin"])}
            for one in self.report.listed[-SHOWN:][::-1]
        ]

    @property
    def spared(self) -> list[dict[str, Any]]:
        """The first of whom it would have listed but for a protection."""
        if self.report is None:
            return []
        return [
            {**one, "at": datetime.fromisoformat(one["when"])}
            for one in self.report.spared_targets[:SHOWN]
        ]


def trial(
    reading: Reading, given: Mapping[str, Any], saved: Rule | None, left: Callable[[], bool]
) -> Trial:
    """Try what a form says, for whoever does not watch; see `steps`.

    Args:
        reading, given, saved: as `steps` has them.
        left: whether nobody waits for it any more; then it ends.
    """
    with closing(steps(reading, given, saved)) as found:
        for step in found:
            if isinstance(step, Trial):
                return step
            if left():
                break
    return Trial(fault="nobody waits for it any more")


def steps(
    reading: Reading, given: Mapping[str, Any], saved: Rule | None
) -> Generator[int | Trial, None, None]:
    """Try what a form says: how many of a hundred parts are done, and what came of it last.

    Args:
        reading: proof that the account may be read.
        given: its fields.
        saved: the rule as it is saved, None for a new one.
    """
    try:
        rule = draft_of(reading, given).rule
    except Refusal as refusal:
        yield Trial(fault=str(refusal))
        return
    compared = saved is not None and saved != rule
    reports: list[Report] = []
    try:
        for one in [rule, saved] if compared and saved else [rule]:
            place, of = len(reports), 2 if compared else 1
            for step in backtest(reading, one, days=DAYS):
                if isinstance(step, Report):
                    reports.append(step)
                else:
                    yield round(100 * (place + step.done) / of)
                    go_on()
    except Ending as refusal:
        yield Trial(fault=str(refusal))
        return
    except DatabaseError as error:
        log.warning("a trigger cannot be tried: %s", error)
        yield Trial(unknown=True)
        return
    report, before = reports[0], reports[1] if compared else None
    yield Trial(
        known=_known(report),
        says=sentence(rule, names_of_servers(reading)),
        report=report,
        lines=tuple(_line(words, name, report, before) for name, words in _FIGURES),
        compared=compared,
        chart=_chart(report),
        cannot_know=unknown_of(reading, rule, days=DAYS, now=time.time()),
    )


def _known(report: Report) -> str:
    """How much of the time anything is known of: of a new installation it is little."""
    if report.known_since is None:
        return "of which nothing is known"
    first = datetime.fromisoformat(report.known_since).timestamp()
    days = (start_of(time.time(), DAY) - start_of(first, DAY)) // DAY + 1
    if days >= DAYS:
        return ""
    return f"of which only the last {'is' if days == 1 else f'{days} are'} known"


_FIGURES = (
    ("listings", "Listings made"),
    ("contacts", "Contacts stopped"),
    ("turned_away", "of these turned away all the same"),
    ("accepted", "of these accepted messages"),
    ("hit", "Clients with accepted mail hit"),
    ("spared", "Targets spared by an exception"),
    ("median_seconds", "Time to list, median"),
)


def _line(words: str, name: str, report: Report, before: Report | None) -> Line:
    now = getattr(report, name)
    if before is None:
        return Line(words, "", _said(name, now), "")
    was = getattr(before, name)
    return Line(words, _said(name, was), _said(name, now), _difference(name, was, now))


def _said(name: str, value: int | None) -> str:
    if value is None:
        return "\u2013"
    return span(value) if name == "median_seconds" else f"{value:,}"


def _difference(name: str, was: int | None, now: int | None) -> str:
    if was is None or now is None or was == now:
        return ""
    sign = "+" if now > was else "\u2212"
    return f"{sign}{_said(name, abs(now - was))}"


def _chart(report: Report) -> Markup | None:
    """Listings by day; days are those of UTC, as the counts are."""
    if not report.listings:
        return None
    starts = [datetime.fromisoformat(one["day"]).timestamp() for one in report.by_day]
    counts = [one["listings"] for one in report.by_day]
    about = f"{plural(report.listings, 'listing')} in {plural(len(starts), 'day')}."
    plot = Plot("trial", "Listings by day", about, height=120, unit="listings")
    edges = (*starts, starts[-1] + DAY)
    return stacked(plot, Buckets(Step.DAY, edges, UTC), [Series("own", "Listings", counts)])
