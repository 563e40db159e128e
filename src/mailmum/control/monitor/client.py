"""Everything that was seen of one client, one network or one name.

What servers are told about it, and why, is `control.listings.queries.explain_on`.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Min, Q, QuerySet

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.checked import At, Named
from mailmum.control.monitor.countries import country_of
from mailmum.control.monitor.impact import at_servers, is_wide, names_of, sampled_names
from mailmum.control.monitor.looking import Look, last_days, look
from mailmum.control.monitor.overview import Groups
from mailmum.control.monitor.scope import Scope, scope_of, zones_of
from mailmum.control.monitor.search import recent
from mailmum.control.traffic.clients import target_of
from mailmum.control.traffic.models import ClientDay, ClientHour, NameDay
from mailmum.control.traffic.models import Seen as Sighted
from mailmum.control.traffic.names import named
from mailmum.control.traffic.reading import one_of, within
from mailmum.control.traffic.values import Kept
from mailmum.domain.targets import NetworkTarget, Target
from mailmum.traffic.codes import outcome_of
from mailmum.traffic.groups import Group, group_of
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.sightings import Outcome, Source

DAYS = 30
SHOWN = 20
NEIGHBOURS = 256
NEAR = {4: 24, 6: 64}
"""The prefix of the network in which neighbours are, by version."""
FURTHEST = 400
"""Days that are looked back for the first time it was seen."""
_SAMPLE = 200
_TELLING = frozenset({Source.LOG, Source.POLICY})


@dataclass(frozen=True, slots=True)
class Day:
    """What there was on a day (UTC) that begins at `start`."""

    start: int
    groups: Groups


@dataclass(frozen=True, slots=True)
class Known:
    """When something was, as exactly as that is known.

    Attributes:
        day: when the day (UTC) begins on which it was, Unix time.
        at: the moment; None when no single sighting tells it, but only counts by the day.
    """

    day: int
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """An envelope sender, empty for the null sender, and what became of its latest mail."""

    sender: str
    accepted: int
    stopped: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A client in the same network (/24, or /64 of IPv6)."""

    client: NetworkTarget
    contacts: int
    accepted: int
    stopped: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a client, a network or a name.

    Attributes:
        target: which.
        since: when the first day begins that was looked at, Unix time.
        complete: False when there was too much: then `since` is later than asked.
        contacts, accepted, stopped: how many; accepted is None when no log tells.
        clients: how many different clients there were.
        groups: contacts by what became of them.
        days: each day that was looked at.
        servers: by server.
        first: when it was first seen; None for never, and for what is too wide to tell.
        last: when it was seen last; None for never in these days.
        names: under which names it came.
        senders: of the latest mail.
        network: that of its neighbours; None for a name or a network that is wider.
        neighbours: clients seen in that, in the order of addresses; at most `NEIGHBOURS`.
        country: two letters, None when unknown or several.
        latest: the latest sightings, newest first.
    """

    target: Target
    since: int
    complete: bool
    contacts: int
    accepted: int | None
    stopped: int
    clients: int
    groups: Groups
    days: tuple[Day, ...]
    servers: tuple[At, ...]
    first: Known | None
    last: Known | None
    names: tuple[Named, ...]
    senders: tuple[Sender, ...]
    network: NetworkTarget | None
    neighbours: tuple[Neighbour, ...]
    country: str | None
    latest: tuple[Kept, ...]


def seen_of(
    reading: Reading,
    target: Target,
    server: str | None = None,
    *,
    days: int = DAYS,
    now: float | None = None,
) -> Seen:
    """What was seen of a target in the last days.

    Raises:
        NotFound: there is no such server.
    """
    clock = time.time() if now is None else now
    scope, looked = scope_of(reading, server), last_days(clock, days)
    found = look(scope, target, looked)
    whose = _whose(target, found)
    latest = () if whose is None else recent(scope, whose, _SAMPLE)
    told = latest if whose is None else _told(scope, whose, found, latest)
    daily = _daily(scope, found)
    groups: Counter[Group] = Counter()
    for one in daily.values():
        groups.update(one)
    network = target if isinstance(target, NetworkTarget) else None
    near = _near(network)
    names = sampled_names(told) if network is not None else found.names
    return Seen(
        target=target,
        since=found.since,
        complete=found.complete,
        contacts=found.total.contacts,
        accepted=found.total.known_accepted,
        stopped=found.total.stopped,
        clients=len(found.clients),
        groups=dict(groups),
        days=tuple(
            Day(start, dict(daily.get(start, {}))) for start in looked if start >= found.since
        ),
        servers=at_servers(scope, found),
        first=_first(scope, target, clock),
        last=_last(daily, latest if whose == target else ()),
        names=names_of(names, SHOWN),
        senders=_senders(told),
        network=near,
        neighbours=()
        if near is None
        else _neighbours(found if near == target else look(scope, near, looked)),
        country=None if network is None else country_of(network),
        latest=latest[:SHOWN],
    )


def _whose(target: Target, found: Look) -> Target | None:
    """Whose latest sightings are shown; None when nobody came."""
    if isinstance(target, NetworkTarget) and not is_wide(target):
        return target
    # Of a name or a wide network the client of which logs tell most, else that came most often.
    most = max(
        found.clients.items(),
        key=lambda one: (one[1].contacts - one[1].unlogged, one[1].contacts, one[0]),
        default=None,
    )
    return None if most is None else target_of(most[0])


def _told(scope: Scope, whose: Target, found: Look, latest: tuple[Kept, ...]) -> tuple[Kept, ...]:
    """Those that can tell of senders and names: of lookups there may be any number since."""
    logged = found.total.contacts > found.total.unlogged
    if not logged or all(kept.source is not Source.DNS for kept in latest):
        return latest
    return recent(scope, whose, _SAMPLE, sources=_TELLING, since=found.since)


def _daily(scope: Scope, found: Look) -> Mapping[int, Counter[Group]]:
    zones, base = zones_of(scope), config.current().zone
    daily: dict[int, Counter[Group]] = {}
    for (day, outcome, rbl), count in found.daily.items():
        group = group_of(outcome_of(outcome), zones.get(rbl), base)
        daily.setdefault(day, Counter())[group] += count
    return daily


def _first(scope: Scope, target: Target, now: float) -> Known | None:
    days = list(last_days(now, FURTHEST))
    if isinstance(target, NetworkTarget):
        if is_wide(target):
            return None
        clients = scope.condition & within(target)
        day = _least(ClientDay.objects.filter(clients & one_of("start", days)), "start")
        return None if day is None else Known(day, _first_sighting(clients, day))
    if target.whole:
        return None
    names = NameDay.objects.filter(scope.condition & named(target) & one_of("start", days))
    day = _least(names, "start")
    return None if day is None else Known(day)


def _first_sighting(clients: Q, day: int) -> float | None:
    """The moment, on its first day: sightings run out by whole days, so all of a day are kept."""
    hours = ClientHour.objects.filter(clients, start__in=range(day, day + DAY, HOUR))
    hour = _least(hours, "start")
    time = None if hour is None else _least(Sighted.objects.filter(clients, hour=hour), "time")
    return None if time is None else time / 1000


def _last(daily: Iterable[int], latest: Iterable[Kept]) -> Known | None:
    """The latest sighting, or the latest day; those of one client tell nothing of the others."""
    at = max((kept.sighting.time for kept in latest), default=None)
    day = max(daily, default=None) if at is None else start_of(at, DAY)
    return None if day is None else Known(day, at)


def _least(rows: QuerySet[Any], field: str) -> int | None:
    # A sum, since no index is of it: SQLite would go through all sightings in the order of time.
    first: int | None = rows.aggregate(first=Min(F(field) + 0))["first"]
    return first


def _near(network: NetworkTarget | None) -> NetworkTarget | None:
    if network is None or network.prefix < NEAR[network.version]:
        return None
    return network.around(NEAR[network.version])


def _neighbours(found: Look) -> tuple[Neighbour, ...]:
    most = sorted(found.clients, key=lambda one: (-found.clients[one].contacts, one))[:NEIGHBOURS]
    return tuple(
        Neighbour(target_of(client), one.contacts, one.accepted, one.stopped)
        for client in sorted(most)
        for one in [found.clients[client]]
    )


def _senders(latest: Iterable[Kept]) -> tuple[Sender, ...]:
    sums: dict[str, list[int]] = {}
    for kept in latest:
        if (sender := kept.sighting.sender) is not None:
            pair = sums.setdefault(sender, [0, 0])
            pair[0] += kept.count * (kept.sighting.outcome is Outcome.ACCEPTED)
            pair[1] += kept.count * kept.sighting.outcome.stopped
    ranked = sorted(sums.items(), key=lambda one: (-sum(one[1]), one[0]))
    return tuple(
        Sender(sender, accepted, stopped) for sender, (accepted, stopped) in ranked[:SHOWN]
    )
