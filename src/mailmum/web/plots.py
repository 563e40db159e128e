"""Traffic over time as charts and as a table.

A chart leads from each bucket to the sightings in it.  On a phone a week of hours is drawn in
steps of three.  Time in which nothing was seen, though there usually is something, is a gap: no
zero is claimed for it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from mailmum.charts.markup import Markup
from mailmum.charts.moments import Buckets, Step
from mailmum.charts.series import Gap, Mark, Plot, Series
from mailmum.charts.small import bar, spark, split
from mailmum.charts.timeline import apart, stacked
from mailmum.control.monitor.overview import ListHits, Offender, Overview, ServerLine
from mailmum.domain.words import span
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY, HOUR, MINUTE
from mailmum.web.groups import GROUPS
from mailmum.web.stretches import Stretch

NARROW = 60
"""Buckets that a phone's width is enough for."""
ROWS = {MINUTE: 14, HOUR: 25, DAY: 62}
"""Rows that a table has at most, by the step of the chart: a week of hours has one a day."""
UNLIKELY = 20
"""A gap is as long as that many contacts usually take."""
APART = 0.35
"""Part of the width that marks keep between them, so that their texts do not touch."""
_STEPS = {
    (MINUTE, 1): Step.MINUTE,
    (MINUTE, 5): Step.FIVE_MINUTES,
    (MINUTE, 15): Step.QUARTER,
    (MINUTE, 60): Step.HOUR,
    (HOUR, 1): Step.HOUR,
    (HOUR, 3): Step.THREE_HOURS,
    (HOUR, 6): Step.SIX_HOURS,
    (HOUR, 24): Step.DAY,
    (DAY, 1): Step.DAY,
    (DAY, 7): Step.WEEK,
    (DAY, 31): Step.MONTH,
}
_CUTS = {MINUTE: (5, 15, 60), HOUR: (3, 6, 24), DAY: (7, 31)}

Link = Callable[[int, int], str]
"""The address of the sightings between two moments."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, to be marked on the axis."""

    at: float
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Charts:
    """The same traffic three times.

    Attributes:
        wide: stacked, for a desk.
        narrow: stacked, for a phone.
        apart: each outcome on its own row and scale.
    """

    wide: Markup
    narrow: Markup
    apart: Markup


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of the table: when it begins and ends, in words, and counts in the order of columns."""

    since: int
    until: int
    name: str
    counts: tuple[int, ...]
    gap: str


@dataclass(frozen=True, slots=True)
class Table:
    """Traffic over time in numbers; `columns` are those groups of which there is anything."""

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def charts(found: Overview, stretch: Stretch, link: Link, events: Sequence[Event]) -> Charts:
    """Draw it."""
    return Charts(
        wide=_drawn("traffic", found, stretch, link, events, 1, stacked),
        narrow=_drawn("traffic-narrow", found, stretch, link, (), _narrower(found), stacked),
        apart=_drawn("traffic-apart", found, stretch, link, (), 1, apart),
    )


def table(found: Overview, stretch: Stretch) -> Table:
    """The same in numbers, in few enough rows."""
    groups, step = _shown(found), found.range.step
    by = next((by for by in (1, *_CUTS[step]) if len(found.buckets) / by <= ROWS[step]), 31)
    edges = _edges(found, stretch, by)
    gaps = _gap_texts(found, gaps_of(found))
    names = Buckets(_STEPS[step, by], tuple(edges), stretch.zone).names()
    rows = []
    for at, name in enumerate(names):
        first, after = _at(found, edges[at]), _at(found, edges[at + 1])
        counts = tuple(
            sum(one.groups.get(group, 0) for one in found.buckets[first:after]) for group in groups
        )
        told = {text for place, text in gaps.items() if first <= place < after}
        rows.append(
            TableRow(int(edges[at]), int(edges[at + 1]), name, counts, ", ".join(sorted(told)))
        )
    return Table(tuple(GROUPS[group].word for group in groups), tuple(rows))


def gaps_of(found: Overview) -> list[Gap]:
    """Where nothing was seen for longer than chance explains."""
    seen = [sum(one.groups.values()) for one in found.buckets]
    full = [count for count in seen if count]
    if not full:
        return [Gap(0, len(seen), "nothing seen")] if seen else []
    usual = sum(full) / len(full)
    gaps = []
    for first, after in _empty(seen):
        length = after - first
        # The running bucket has hardly begun: that it is empty says nothing yet.
        ended = length - (0 if found.buckets[after - 1].ended else 1)
        if ended * usual < UNLIKELY:
            continue
        never = first == 0 and found.before is None
        told = "before" if never else f"for {span(length * found.range.step)}"
        gaps.append(Gap(first, after, f"nothing seen {told}"))
    return gaps


def server_spark(line: ServerLine) -> Markup:
    """The last day of a server; hours at its end in which nothing was seen are grey."""
    kept = [accepted for accepted, _ in line.spark]
    gone = [stopped for _, stopped in line.spark]
    label = f"{line.server}, last 24 hours: {sum(kept):,} accepted, {sum(gone):,} stopped"
    quiet = len(kept)
    while quiet and not kept[quiet - 1] + gone[quiet - 1]:
        quiet -= 1
    gaps = [(quiet, len(kept))] if 0 < quiet < len(kept) - 1 else []
    return spark(
        [Series("accepted", "Accepted", kept), Series("ink", "Stopped", gone)], label, gaps=gaps
    )


def shares(one: Offender, most: int) -> Markup:
    """What became of the contacts of a client or network; the longest is as wide as the place."""
    rest = one.contacts - one.accepted - one.stopped
    parts = [
        ("accepted", "Accepted", one.accepted),
        ("ink", "Stopped", one.stopped),
        ("none", "No verdict", rest),
    ]
    return split(parts, most=most)


def list_bar(one: ListHits, most: int) -> Markup:
    """How much a list stopped, beside the others."""
    return bar(
        "own" if one.own else "rbl", one.hits, one.hits, most, f"{one.name}: {one.hits:,} hits"
    )


def share_bar(share: float, name: str) -> Markup:
    """A part of a whole, 0 to 1."""
    part = round(1000 * share)
    return bar("ink", part, part, 1000, f"{name}: {share:.0%}")


def _drawn(
    ident: str,
    found: Overview,
    stretch: Stretch,
    link: Link,
    events: Sequence[Event],
    by: int,
    draw: Callable[[Plot, Buckets, Sequence[Series]], Markup],
) -> Markup:
    edges = _edges(found, stretch, by)
    cuts = [_at(found, edge) for edge in edges]
    sums = [
        {group: sum(one.groups.get(group, 0) for one in found.buckets[a:z]) for group in Group}
        for a, z in pairwise(cuts)
    ]
    series = [
        Series(GROUPS[group].kind, GROUPS[group].word, [one[group] for one in sums])
        for group in _shown(found)
    ]
    running = {at for at, edge in enumerate(edges[1:]) if edge > stretch.now}
    plot = Plot(
        ident,
        "Contacts by outcome",
        _about(found),
        partial=frozenset(running),
        gaps=_regrouped(gaps_of(found), cuts) if by > 1 else gaps_of(found),
        marks=_marks(found, events),
        links=[link(int(a), int(z)) for a, z in pairwise(edges)],
    )
    return draw(plot, Buckets(_STEPS[found.range.step, by], tuple(edges), stretch.zone), series)


def _shown(found: Overview) -> list[Group]:
    return [group for group in GROUPS if found.groups.get(group)] or [Group.ACCEPTED]


def _about(found: Overview) -> str:
    groups = [group for group in _shown(found) if found.groups.get(group)]
    counts = ", ".join(f"{GROUPS[group].word} {found.groups[group]:,}" for group in groups)
    return f"{found.contacts:,} contacts{': ' if counts else ''}{counts}."


def _narrower(found: Overview) -> int:
    count = len(found.buckets)
    return next((by for by in (1, *_CUTS[found.range.step]) if count / by <= NARROW), 1)


def _edges(found: Overview, stretch: Stretch, by: int) -> list[float]:
    """Where groups of so many buckets begin: at whole hours and days of the reader's clock."""
    starts = [float(one.start) for one in found.buckets]
    if by > 1:
        units = [_unit(start, at, stretch) for at, start in enumerate(starts)]
        starts = [
            start
            for at, (start, unit) in enumerate(zip(starts, units, strict=True))
            if at == 0 or unit % by == 0
        ]
    return [*starts, float(found.range.until)]


def _unit(start: float, at: int, stretch: Stretch) -> int:
    """What groups of buckets go by: the minute, the hour, or the number of the day."""
    if stretch.range.step == DAY:
        return at
    moment = datetime.fromtimestamp(start, stretch.zone)
    return moment.minute if stretch.range.step == MINUTE else moment.hour


def _at(found: Overview, edge: float) -> int:
    return round((edge - found.range.since) / found.range.step)


def _regrouped(gaps: Sequence[Gap], cuts: Sequence[int]) -> list[Gap]:
    """Gaps in wider buckets: those that lie in them wholly."""
    found = []
    for gap in gaps:
        inside = [
            at for at, (a, z) in enumerate(pairwise(cuts)) if gap.first <= a and z <= gap.after
        ]
        if inside:
            found.append(Gap(inside[0], inside[-1] + 1, gap.text))
    return found


def _gap_texts(found: Overview, gaps: Sequence[Gap]) -> dict[int, str]:
    return {at: gap.text for gap in gaps for at in range(gap.first, gap.after)}


def _empty(seen: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = None
    for at, count in enumerate([*seen, 1]):
        if not count and first is None:
            first = at
        elif count and first is not None:
            yield first, at
            first = None


def _marks(found: Overview, events: Sequence[Event]) -> list[Mark]:
    """The latest events, as many as have room beside one another."""
    marks: list[Mark] = []
    count = len(found.buckets)
    for event in sorted(events, key=lambda one: -one.at):
        place = int((event.at - found.range.since) // found.range.step)
        if 0 <= place < count and all(abs(place - one.bucket) >= APART * count for one in marks):
            marks.append(Mark(place, event.text, event.link))
    return marks[::-1]
