"""The sections of the Overview: each a function that reads what its template shows.

Every number comes with the address of the sightings behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.history import records_of
from mailmum.control.listings.models import Version
from mailmum.control.listings.search import covers_each
from mailmum.control.monitor import changes as changing
from mailmum.control.monitor import overview as monitor
from mailmum.control.monitor.alike import Alike, alike
from mailmum.control.monitor.overview import Groups, ListHits, Offender
from mailmum.control.servers.queries import names_of_servers
from mailmum.domain.listings import Action
from mailmum.traffic.groups import Group
from mailmum.traffic.periods import DAY, HOUR
from mailmum.web import plots
from mailmum.web.asked import search_query
from mailmum.web.groups import GROUPS, STOPPED, Look
from mailmum.web.reply import path
from mailmum.web.rows import listing_rows
from mailmum.web.states import patience, states_of, usually
from mailmum.web.stretches import Stretch, moment_text

SERVERS_SHOWN = 10
LISTS_SHOWN = 10
WORST_SHOWN = 8
SILENT_SHOWN = 5
BY = ("networks", "clients")
LOOKED_AT = 300
"""Records of the journal that are looked at for events."""
_EVENT = 50
"""Letters of an event's target in a chart."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for.

    Attributes:
        access: who asks.
        stretch: the time.
        server: name of a server, empty for all.
        by: whether the worst are networks or clients.
    """

    access: Reading
    stretch: Stretch
    server: str
    by: str

    @property
    def query(self) -> str:
        """What asks for it."""
        return self.query_with()

    def query_with(self, **other: str) -> str:
        """What asks for the same, but for these."""
        given = {**self.stretch.query, "server": self.server}
        given |= {"by": self.by} if self.by != BY[0] else {}
        if "range" in other:
            given = {name: value for name, value in given.items() if name not in {"since", "until"}}
        given |= other
        return urlencode([(name, value) for name, value in given.items() if value])

    def rows(self, **more: str) -> str:
        """The address of the sightings behind a number."""
        since = {"since": moment_text(self.stretch.range.since)}
        until = {} if self.stretch.running else {"until": moment_text(self.stretch.range.until)}
        asked: dict[str, str] = {"server": self.server, "once": "1", **since, **until, **more}
        return f"{path(self.access, 'search')}?{search_query(**asked)}"

    def whole(self, **more: str) -> str:
        """The address of the sightings behind a number that is known by whole hours only."""
        wide = self.stretch.hours
        until = moment_text(wide.until) if not self.stretch.running else ""
        return self.rows(**{"since": moment_text(wide.since), "until": until, **more})

    def zoom(self, since: int, until: int) -> str:
        """The address's part that shows only this part of the time."""
        asked = {"since": moment_text(since), "until": moment_text(until)}
        return urlencode({**asked, **({"server": self.server} if self.server else {})})

    def buckets(self) -> Callable[[int, int], str]:
        """What makes the address of the sightings of a part of the time; there are hundreds."""
        since, until = moment_text(1), moment_text(2)
        pattern = self.rows(since=since, until=until)
        begin, _, rest = pattern.partition(urlencode({"since": since}))
        middle, _, end = rest.partition(urlencode({"until": until}))

        def made(since: int, until: int) -> str:
            first = urlencode({"since": moment_text(since)})
            return f"{begin}{first}{middle}{urlencode({'until': moment_text(until)})}{end}"

        return cache(made)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the legend."""

    look: Look
    count: int
    link: str
    delta: "Delta | None"


@dataclass(frozen=True, slots=True)
class Delta:
    """How a number compares with the time before."""

    words: str
    title: str


def _traffic(wanted: Wanted) -> dict[str, Any]:
    stretch = wanted.stretch
    server = wanted.server or None
    found = monitor.overview(wanted.access, stretch.range, server, now=stretch.now)
    like = alike(wanted.access, found, server, now=stretch.now)
    # Two of the three drawings have the same buckets.
    drawn = plots.charts(found, stretch, wanted.buckets(), _events(wanted))
    numbers = plots.table(found, stretch)
    return {
        "found": found,
        "compared": bool(like.before),
        "without": like.says,
        "figures": _figures(wanted, found.groups, like),
        "all": Figure(
            Look("All contacts", ""),
            found.contacts,
            wanted.rows(),
            _delta(wanted, like),
        ),
        "charts": drawn,
        "table": numbers,
        "rows": [
            {
                "name": row.name,
                "gap": row.gap,
                "counts": row.counts,
                "zoom": wanted.zoom(row.since, row.until),
            }
            for row in numbers.rows
        ],
        "keep": f"&{urlencode({'server': wanted.server})}" if wanted.server else "",
    }


def _figures(wanted: Wanted, groups: Groups, like: Alike) -> list[Figure]:
    seen = {*groups, *(like.before or {}), Group.ACCEPTED, Group.OWN}
    return [
        Figure(
            look, groups.get(group, 0), wanted.rows(what=group.value), _delta(wanted, like, group)
        )
        for group, look in GROUPS.items()
        if group in seen
    ]


def _delta(wanted: Wanted, like: Alike, group: Group | None = None) -> Delta | None:
    """The change of all or of one group, as if what has not ended went on as it began."""
    if not like.before:
        return None
    stretch = wanted.stretch
    count, before = (
        sum(one.values()) if group is None else one.get(group, 0) for one in (like.now, like.before)
    )
    title = f"{before:,} in {stretch.before}"
    if like.without:
        # The number beside it is that of all servers.
        title = f"{count:,} of the servers compared, {title}"
    if before == 0:
        return Delta("new", title) if count else None
    if count > 10 * max(before, 1):
        return Delta(f"was {before:,}", title)
    percent = round(100 * (count / stretch.elapsed - before) / before)
    sign = "\u25b2" if percent > 0 else "\u25bc" if percent < 0 else "\u25ac"
    return Delta(f"{sign} {abs(percent):,}\u202f%", title)


def _events(wanted: Wanted) -> list[plots.Event]:
    """Listings that people made in that time, one target each."""
    made = records_of(wanted.access).filter(what__in=("listing.block", "listing.allow"))
    return [
        plots.Event(
            one.at.timestamp(),
            f"{'Blocked' if one.what == 'listing.block' else 'Allowed'} {_short(one.summary)}",
            f"{path(wanted.access, 'journal')}?before={one.seq + 1}",
        )
        for one in made[:LOOKED_AT]
        if one.count == 1 and one.at.timestamp() >= wanted.stretch.range.since
    ]


def _short(text: str) -> str:
    return text if len(text) <= _EVENT else f"{text[: _EVENT - 1]}…"


def _changes(wanted: Wanted) -> dict[str, Any]:
    now = wanted.stretch.now
    found = changing.changes(wanted.access, quiet=patience(wanted.access), now=now)
    return {
        "silent": [(one, usually(one.usual)) for one in found.silent[:SILENT_SHOWN]],
        "more_silent": len(found.silent[SILENT_SHOWN:]),
        "spikes": [
            (
                one,
                GROUPS[one.group],
                _times(one.count, one.usual),
                wanted.rows(
                    server=one.server,
                    what=one.group.value,
                    since=moment_text(one.start),
                    until=moment_text(one.start + HOUR),
                ),
            )
            for one in found.spikes
        ],
        "offenders": [
            (one, f"{path(wanted.access, 'search')}?{_stopped_since(one, now - DAY)}")
            for one in found.offenders
        ],
    }


def _stopped_since(one: Offender, since: float) -> str:
    return search_query(q=one.network.text, what=STOPPED, since=moment_text(since), once="1")


def _times(count: int, usual: float) -> str:
    return f"{count / usual:,.0f} times the usual" if usual >= 1 else "there are hardly any usually"


def _servers(wanted: Wanted) -> dict[str, Any]:
    lines = monitor.by_server(wanted.access, wanted.stretch.range, now=wanted.stretch.now)
    busiest = sorted(lines, key=lambda one: (-one.contacts, one.server))[:SERVERS_SHOWN]
    states = states_of(wanted.access, [one.number for one in busiest], wanted.stretch.now)
    rows = [
        {
            "line": one,
            "spark": plots.server_spark(one),
            "share": round(100 * one.stopped / one.contacts) if one.contacts else None,
            "state": states[one.number],
            "all": wanted.whole(server=one.server),
            "stopped": wanted.whole(server=one.server, what=STOPPED),
            "choose": wanted.query_with(server=one.server),
        }
        for one in busiest
    ]
    return {"rows": rows, "total": len(lines)}


def _worst(wanted: Wanted) -> dict[str, Any]:
    found = monitor.worst(
        wanted.access,
        wanted.stretch.range,
        wanted.server or None,
        networks=wanted.by == BY[0],
        limit=WORST_SHOWN,
        now=wanted.stretch.now,
    )
    most = max((one.contacts for one in found), default=0)
    listed = covers_each(wanted.access, [one.network for one in found])
    return {
        "rows": [
            {
                "one": one,
                "bar": plots.shares(one, most),
                "stopped": wanted.whole(q=one.network.text, what=STOPPED),
                "accepted": wanted.whole(q=one.network.text, what=Group.ACCEPTED.value),
                "listed": _listed(covering),
            }
            for one, covering in zip(found, listed, strict=True)
        ],
        **{by: wanted.query_with(by=by) for by in BY},
    }


def _listed(found: Sequence[Version]) -> str:
    """Whether a listing decides on all of it already; of those that cover it, the widest first."""
    if not found:
        return ""
    return "blocked" if found[-1].action == Action.BLOCK else "allowed"


def _lists(wanted: Wanted) -> dict[str, Any]:
    found = monitor.by_list(
        wanted.access, wanted.stretch.range, wanted.server or None, now=wanted.stretch.now
    )
    total, most = sum(one.hits for one in found), max((one.hits for one in found), default=0)
    rows = [
        {
            "one": one,
            "bar": plots.list_bar(one, most),
            "share": round(100 * one.hits / total),
            "link": wanted.whole(**_decided_by(one)),
        }
        for one in found[:LISTS_SHOWN]
    ]
    return {"rows": rows, "rest": max(len(found) - LISTS_SHOWN, 0), "alone": _alone(wanted)}


def _alone(wanted: Wanted) -> dict[str, Any]:
    """What each list caught that no other would have."""
    found = monitor.alone(
        wanted.access, wanted.stretch.range, wanted.server or None, now=wanted.stretch.now
    )
    return {
        "all": found,
        "rows": [
            {
                "one": one,
                "link": "" if one.own else wanted.whole(rbl=one.name, alone="1", what=STOPPED),
            }
            for one in found.lists[:LISTS_SHOWN]
        ],
    }


def _decided_by(one: ListHits) -> dict[str, str]:
    return {"what": Group.OWN.value} if one.own else {"rbl": one.name, "what": STOPPED}


def _ending(wanted: Wanted) -> dict[str, Any]:
    found = changing.ending(wanted.access, now=wanted.stretch.now)
    return {"rows": listing_rows(found, names_of_servers(wanted.access), wanted.stretch.now)}


PARTS: Mapping[str, tuple[str, Callable[[Wanted], dict[str, Any]]]] = {
    "traffic": ("Traffic", _traffic),
    "changes": ("What changed", _changes),
    "servers": ("Servers", _servers),
    "worst": ("Worst networks", _worst),
    "lists": ("Hits by list", _lists),
    "ending": ("Listings that end soon", _ending),
}
