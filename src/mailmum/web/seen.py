"""What was seen of a client as its page shows it: figures, a timeline, neighbours, rows.

Days are those of UTC, as roll-ups count them.
"""

from dataclasses import dataclass
from datetime import UTC
from urllib.parse import urlencode

from django.urls import NoReverseMatch

from mailmum.charts.heat import Cell, Heat, heat
from mailmum.charts.markup import Markup
from mailmum.charts.moments import Buckets, Step
from mailmum.charts.series import Plot, Series
from mailmum.charts.small import split
from mailmum.charts.timeline import apart
from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.checked import At
from mailmum.control.monitor.client import Neighbour, Seen
from mailmum.control.monitor.scope import scope_of
from mailmum.domain.targets import NetworkTarget
from mailmum.domain.words import plural
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY
from mailmum.web.groups import GROUPS, Look, looks_for
from mailmum.web.links import link
from mailmum.web.sightings import SightingRow, sighting_rows
from mailmum.web.stretches import moment_text

NEIGHBOURS_SHOWN = 20
LATEST_SHOWN = 20
_RANGES = {8: "week", 31: "month"}
"""By how many days there are, today's among them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A total and the rows behind it; `link` is empty where they cannot be shown."""

    look: Look
    count: int
    link: str


@dataclass(frozen=True, slots=True)
class Shared:
    """A row with what became of its contacts drawn beside it."""

    one: At | Neighbour
    bar: Markup


@dataclass(frozen=True, slots=True)
class SeenPage:
    """Everything of the page that comes from traffic.

    Attributes:
        found: what was seen.
        all, stopped, accepted: where the rows behind these totals are; empty: nowhere.
        figures: totals by outcome.
        chart: the timeline; None when there is nothing in it.
        picture: the neighbours address by address; None when that cannot be drawn.
        neighbours: those with the most contacts.
        more_neighbours: how many further ones there are.
        servers: by server.
        latest: the latest sightings.
    """

    found: Seen
    all: str
    figures: tuple[Figure, ...]
    chart: Markup | None
    picture: Markup | None
    neighbours: tuple[Shared, ...]
    more_neighbours: int
    servers: tuple[Shared, ...]
    latest: tuple[SightingRow, ...]

    @property
    def name(self) -> str:
        """A name of the client that DNS confirms; empty without one, or for several clients."""
        if self.found.clients > 1 or not isinstance(self.found.target, NetworkTarget):
            return ""
        return next((one.name for one in self.found.names if one.verified), "")

    @property
    def alone(self) -> bool:
        """Whether it is one address, so that every row would name the same client."""
        target = self.found.target
        return isinstance(target, NetworkTarget) and target.prefix == target.bits

    @property
    def nothing(self) -> bool:
        """Whether nothing at all was seen."""
        return not self.found.contacts and not self.latest


def seen_page(access: Reading, found: Seen) -> SeenPage:
    """Prepare it."""
    text = found.target.text
    most = max((one.contacts for one in found.servers), default=0)
    ranked = sorted(found.neighbours, key=lambda one: (-one.accepted, -one.contacts))
    busiest = max((one.contacts for one in ranked), default=0)
    same = _same(found)
    return SeenPage(
        found=found,
        all=rows_at(access, q=text, **same),
        figures=tuple(
            Figure(
                look,
                found.groups[group],
                # Where a look is a name's own, Search would find others.
                rows_at(access, q=text, what=group.value, **same) if look is GROUPS[group] else "",
            )
            for group, look in looks_for(found.target).items()
            if found.groups.get(group)
        ),
        chart=_chart(access, found) if found.groups else None,
        picture=_picture(access, found),
        neighbours=tuple(Shared(one, _bar(one, busiest)) for one in ranked[:NEIGHBOURS_SHOWN]),
        more_neighbours=max(len(ranked) - NEIGHBOURS_SHOWN, 0),
        servers=tuple(Shared(one, _bar(one, most)) for one in found.servers),
        latest=tuple(sighting_rows(scope_of(access), found.latest[:LATEST_SHOWN])),
    )


def rows_at(access: Reading, **asked: str) -> str:
    """The address of the sightings that are asked for; empty without a page for them."""
    try:
        page = link("search", account=access.account.pk)
    except NoReverseMatch:
        return ""
    return f"{page}?{urlencode(asked)}"


def _same(found: Seen) -> dict[str, str]:
    """So that Search finds as many as are counted here, as far as single sightings are kept."""
    word = _RANGES.get(len(found.days))
    time = {"range": word} if word else {"since": moment_text(max(found.since, 1))}
    return time | {"once": "1"}


def _chart(access: Reading, found: Seen) -> Markup:
    starts = [day.start for day in found.days]
    series = [
        Series(look.kind, look.word, [day.groups.get(group, 0) for day in found.days])
        for group, look in looks_for(found.target).items()
        if found.groups.get(group)
    ]
    told = ", ".join(f"{one.name} {sum(one.values):,}" for one in series)
    plot = Plot(
        "days",
        f"{found.target.text} over {plural(len(starts), 'day')}",
        f"Contacts a day by outcome: {told}.",
        partial=frozenset({len(starts) - 1}),
        links=[
            rows_at(
                access,
                q=found.target.text,
                since=moment_text(max(start, 1)),
                until=moment_text(start + DAY),
                once="1",
            )
            for start in starts
        ],
    )
    return apart(plot, Buckets(Step.DAY, (*starts, starts[-1] + DAY), UTC), series)


def _picture(access: Reading, found: Seen) -> Markup | None:
    near, target = found.network, found.target
    if near is None or near.version != 4 or not isinstance(target, NetworkTarget):
        return None
    page = link("client", account=access.account.pk)
    cells = [
        Cell(
            one.client.first - near.first,
            one.contacts,
            one.accepted,
            _told(one),
            f"{page}?{urlencode({'q': one.client.text})}",
        )
        for one in found.neighbours
    ]
    delivered = sum(1 for one in found.neighbours if one.accepted)
    return heat(
        Heat(
            "near",
            f"{near.text}, address by address",
            f"{len(cells)} of 256 addresses were seen, of {delivered} mail was accepted.",
            cells,
            target.first - near.first,
            target.last - near.first,
        )
    )


def _told(one: Neighbour) -> str:
    accepted = f", {one.accepted:,} accepted" if one.accepted else ""
    return f"{one.client.text}: {plural(one.contacts, 'contact')}{accepted}"


def _bar(one: At | Neighbour, most: int) -> Markup:
    accepted = one.accepted or 0
    stopped = one.rejected if isinstance(one, At) else one.stopped
    parts = [
        ("accepted", "Accepted", accepted),
        ("ink", "Stopped", stopped),
        ("none", GROUPS[Group.OTHER].word, max(one.contacts - accepted - stopped, 0)),
    ]
    return split(parts, most=most)
