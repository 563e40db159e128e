"""Check before you list: whom a block would have hit, and what would be better.

Counts come from the roll-ups by day; who sent mail and under which names from the latest sightings
that are still kept.  Nothing here is changed, and nothing but the database is asked, unless a
person waits for it: then the reverse name of a single address may come from the DNS.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest

from django.db.models import QuerySet

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.feeds.providers import known
from mailmum.control.listings.models import Version
from mailmum.control.listings.search import covers, within
from mailmum.control.listings.values import stored_network, stored_target
from mailmum.control.monitor.better import Better, Ways
from mailmum.control.monitor.checked import At, Check, Hit, Named
from mailmum.control.monitor.countries import countries_of, country_of
from mailmum.control.monitor.looking import Look, Sum, last_days, look
from mailmum.control.monitor.reverse import reverse_of
from mailmum.control.monitor.scope import Scope, scope_of, zones_of
from mailmum.control.monitor.search import recent_page
from mailmum.control.servers.queries import own_servers
from mailmum.control.traffic.clients import target_of
from mailmum.control.traffic.find import Page
from mailmum.control.traffic.models import LastSeen
from mailmum.control.traffic.names import name_text
from mailmum.control.traffic.values import Kept
from mailmum.domain import guards
from mailmum.domain.covering import Covering
from mailmum.domain.errors import BadInput, NeedsConfirmation
from mailmum.domain.guards import OwnServer
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.suffixes import is_shared
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.traffic.codes import CLAIMED, SOURCES, VERIFIED, outcome_of
from mailmum.traffic.groups import Group, group_of
from mailmum.traffic.impact import Client, Facts, judge
from mailmum.traffic.packing import pack_client, reversed_name
from mailmum.traffic.sightings import Outcome
from mailmum.traffic.sightings import Source as TrafficSource

DAYS = 30
LONGEST = 400
SHOWN = 20
LISTINGS = 100
ALLOWS = 1000
COUNTED = 2000
"""Clients whose country is looked up."""
_SAMPLE = 300
_FEW = 3
_REFUSED = frozenset(
    {Outcome.REJECTED, Outcome.DEFERRED, Outcome.RELAY_DENIED, Outcome.UNKNOWN_RECIPIENT}
)
"""What may be turned away after a sender was named."""
_NARROW = {4: 20, 6: 48}


def check(
    reading: Reading,
    target: Target,
    server: str | None = None,
    *,
    days: int = DAYS,
    now: float | None = None,
    asks: bool = False,
    whole: bool = False,
) -> Check:
    """What a block of this target would have met.

    Args:
        reading: proof that the asker may read.
        target: what is to be blocked.
        server: name of the server that it is to hold for; None for all.
        days: how far to look back, from today.
        now: our own clock.
        asks: whether the DNS may be asked for the reverse name of a single address.
        whole: whether the listings that it meets, and the countries, are told too.

    Raises:
        BadInput: the target can never be listed, or the days are out of range.
        NotFound: there is no such server.
    """
    clock = time.time() if now is None else now
    if not 1 <= days <= LONGEST:
        raise BadInput(f"{days} days are not between 1 and {LONGEST}", field="days")
    own = own_servers(reading)
    danger = _danger(target, own)
    scope = scope_of(reading, server)
    seen = look(scope, target, last_days(clock, days))
    inside = within(reading, target, scope.server)
    clients = _clients(seen, _allowed(inside, target, scope))
    met = _met(reading, target, scope, inside) if whole else _Met()
    better = tuple(Ways(target, scope, clients, seen, own).find())
    ranked = nsmallest(COUNTED if whole else SHOWN, clients, key=_rank)
    report = _Report(scope, target, days, seen, clients, ranked, asks, whole)
    return report.check(danger, met, better)


def losses(
    reading: Reading, target: Target, server: str | None = None, *, days: int, now: float
) -> tuple[int, dict[bytes, int]]:
    """Clients that a block would hit and no allow keeps: how many messages of each were accepted.

    The first is since when: of a busy network it is not looked as far back as asked.

    Args:
        reading, target, server, days, now: as those of `check`.

    Raises:
        NotFound: there is no such server.
    """
    scope = scope_of(reading, server)
    seen = look(scope, target, last_days(now, days))
    allowed = _allowed(within(reading, target, scope.server), target, scope)
    clients = zip(seen.clients, _clients(seen, allowed), strict=True)
    return seen.since, {packed: one.accepted for packed, one in clients if one.lost}


def _rank(client: Client) -> tuple[int, int, int]:
    return -client.accepted, -client.stopped, client.address.first


def _danger(target: Target, own: list[OwnServer]) -> str:
    try:
        guards.check(target, Action.BLOCK, Source.PERSON, own)
    except NeedsConfirmation:
        return guards.find_danger(target, own) or ""
    return ""


def _allowed(inside: QuerySet[Version], target: Target, scope: Scope) -> Sequence[Target]:
    """What people allow inside, wherever the block would hold: it decides there all the same."""
    scopes = [WHOLE_ACCOUNT] if scope.server is None else [WHOLE_ACCOUNT, scope.server]
    allowed = inside.filter(action=Action.ALLOW.value, source=Source.PERSON.value, scope__in=scopes)
    if isinstance(target, NetworkTarget):
        ends = allowed.values_list("first", "last")[:ALLOWS]
        return [stored_network(bytes(first or b""), bytes(last or b"")) for first, last in ends]
    return [stored_target(*one) for one in allowed.values_list("kind", "target")[:ALLOWS]]


def _clients(seen: Look, allowed: Sequence[Target]) -> list[Client]:
    spared, under = Covering(allowed), seen.under
    found = []
    for packed, one in seen.clients.items():
        address = target_of(packed)
        kept = bool(allowed) and (
            spared.has_address(address.version, address.first)
            or (packed in under and all(spared.has_name(name_text(name)) for name in under[packed]))
        )
        found.append(Client(address, one.stopped, one.accepted, kept))
    return found


@dataclass(frozen=True, slots=True)
class _Met:
    covered_by: tuple[Version, ...] = ()
    inside: tuple[Version, ...] = ()
    more: int = 0


def _met(reading: Reading, target: Target, scope: Scope, inside: QuerySet[Version]) -> _Met:
    return _Met(
        tuple(covers(reading, target, scope.server)[:LISTINGS]),
        tuple(sorted(inside[:LISTINGS], key=lambda one: -one.number)),
        max(inside.count() - LISTINGS, 0),
    )


@dataclass(frozen=True, slots=True)
class _Report:
    """A check in the making."""

    scope: Scope
    target: Target
    days: int
    seen: Look
    clients: list[Client]
    ranked: list[Client]
    """Those that matter most, `COUNTED` at most."""
    asks: bool
    whole: bool

    def check(self, danger: str, met: _Met, better: tuple[Better, ...]) -> Check:
        """All of it."""
        seen, target = self.seen, self.target
        word, warnings = judge(self._facts(danger))
        sample, mail, refused = self._samples()
        names = self._names(sample)
        network = target if isinstance(target, NetworkTarget) else None
        return Check(
            target=target,
            days=self.days,
            since=seen.since,
            complete=seen.complete,
            verdict=word,
            warnings=tuple(warnings),
            addresses=None if network is None else 1 << (network.bits - network.prefix),
            contacts=seen.total.contacts,
            clients=len(seen.clients),
            accepted=seen.total.known_accepted,
            rejected=seen.total.stopped,
            kept=sum(one.accepted for one in self.clients if one.kept),
            unlogged=seen.total.unlogged,
            groups=self._groups(),
            servers=at_servers(self.scope, seen),
            hits=self._hits(sample),
            senders=_domains(mail),
            sampled=len(mail),
            refused_senders=_domains(refused),
            names=names,
            reverse=reverse_of(target, names, asks=self.asks),
            country=None if network is None else country_of(network),
            countries=tuple(countries_of(one.address for one in self.ranked)) if self.whole else (),
            covered_by=met.covered_by,
            inside=met.inside,
            more_inside=met.more,
            better=better,
        )

    def _facts(self, danger: str) -> Facts:
        seen, target = self.seen, self.target
        lost = [one for one in self.clients if one.lost]
        return Facts(
            target.text,
            self.days,
            danger=danger,
            wide_name=isinstance(target, NameTarget) and "." not in target.name,
            shared_name=is_shared(target) and "." in target.text.lstrip("."),
            provider=_provider(self.scope.account, target),
            clients=len(self.clients),
            senders=len(lost),
            accepted=sum(one.accepted for one in lost),
            unlogged=seen.total.unlogged,
            logged=seen.total.contacts > seen.total.unlogged or has_log(self.scope, seen.since),
            reaches=""
            if seen.complete
            else datetime.fromtimestamp(seen.since, UTC).strftime("%d %b"),
        )

    def _samples(self) -> tuple[list[Kept], list[Kept], list[Kept]]:
        """Some of the latest sightings, of accepted mail, and of what was turned away."""
        wide = not isinstance(self.target, NetworkTarget) or is_wide(self.target)
        meant: list[Target] = [self.target]
        if wide:
            meant = [one.address for one in self.ranked[:_FEW]]
        # A few clients stand for many then, so fewer of their sightings do as well.
        limit = (_SAMPLE // 2 if wide else _SAMPLE) // len(meant) if meant else 0
        # To read some more of each takes less than to look for each kind by itself.
        most = _SAMPLE if wide else limit
        latest = [recent_page(self.scope, one, most, since=self.seen.since) for one in meant]

        def of(*outcomes: Outcome) -> list[Kept]:
            return [
                kept
                for one, page in zip(meant, latest, strict=True)
                for kept in self._of(frozenset(outcomes), one, page, limit)
            ]

        total = self.seen.total
        return (
            [kept for page in latest for kept in page.found[:limit]],
            of(Outcome.ACCEPTED) if total.accepted else [],
            of(*_REFUSED) if total.stopped else [],
        )

    def _of(
        self, outcomes: frozenset[Outcome], target: Target, latest: Page, limit: int
    ) -> Sequence[Kept]:
        """The latest with these outcomes; among the latest of all where those are all there is."""
        found = [one for one in latest.found if one.sighting.outcome in outcomes][:limit]
        if latest.older is None or len(found) == limit:
            return found
        since = self.seen.since
        return recent_page(self.scope, target, limit, since=since, outcomes=outcomes).found

    def _groups(self) -> dict[Group, int]:
        zones, base = zones_of(self.scope), config.current().zone
        sums: Counter[Group] = Counter()
        for (outcome, rbl), count in self.seen.outcomes.items():
            sums[group_of(outcome_of(outcome), zones.get(rbl), base)] += count
        return {group: sums[group] for group in Group if sums[group]}

    def _hits(self, sample: Sequence[Kept]) -> tuple[Hit, ...]:
        names = {
            kept.sighting.client: kept.sighting.client_name
            for kept in reversed(sample)
            if kept.sighting.client_name
        }
        return tuple(self._hit(one, names) for one in self.ranked[:SHOWN])

    def _hit(self, client: Client, names: Mapping[str | None, str]) -> Hit:
        text = client.address.text
        packed = pack_client(text) or b""
        under = min(map(name_text, self.seen.under.get(packed, ())), default=None)
        return Hit(
            client=text,
            name=names.get(text, under),
            country=country_of(client.address),
            contacts=self.seen.clients[packed].contacts,
            accepted=client.accepted,
            rejected=client.stopped,
            kept=client.kept,
        )

    def _names(self, sample: Sequence[Kept]) -> tuple[Named, ...]:
        wide = not isinstance(self.target, NetworkTarget)
        return names_of(self.seen.names if wide else sampled_names(sample), SHOWN)


def at_servers(scope: Scope, seen: Look) -> tuple[At, ...]:
    """What was seen at each server, the one with the most first."""
    found = [
        At(
            scope.name(number),
            one.contacts,
            len(seen.here.get(number, ())),
            one.known_accepted,
            one.stopped,
        )
        for number, one in seen.servers.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.contacts, one.server)))


def names_of(sums: Mapping[tuple[bytes, int], Sum], most: int) -> tuple[Named, ...]:
    """Names with the most contacts."""
    ranked = nsmallest(most, sums.items(), key=lambda item: (-item[1].contacts, item[0]))
    return tuple(
        Named(name_text(name), kind == VERIFIED, one.contacts, one.accepted)
        for (name, kind), one in ranked
    )


def sampled_names(sample: Iterable[Kept]) -> dict[tuple[bytes, int], Sum]:
    """Names of some sightings."""
    sums: dict[tuple[bytes, int], Sum] = {}
    for kept in sample:
        seen = kept.sighting
        for name, kind in ((seen.client_name, VERIFIED), (seen.helo, CLAIMED)):
            if name:
                one = sums.setdefault((reversed_name(name).encode(), kind), Sum())
                one.contacts += kept.count
                one.accepted += kept.count * (seen.outcome is Outcome.ACCEPTED)
    return sums


def has_log(scope: Scope, since: int) -> bool:
    """Whether any log of these servers was read since then."""
    logs = LastSeen.objects.filter(scope.condition, source=SOURCES[TrafficSource.LOG])
    return logs.filter(time__gte=since * 1000).exists()


def is_wide(network: NetworkTarget) -> bool:
    """Whether its latest sightings are dear to find."""
    return network.prefix < _NARROW[network.version]


def _provider(account: int, target: Target) -> str:
    if not isinstance(target, NetworkTarget):
        return ""
    return known(account).of_network(target) or ""


def _day(start: int) -> str:
    return datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d")


def _domain(sender: str | None) -> str | None:
    if sender is None:
        return None
    return sender.rpartition("@")[2].lower() if sender else "<>"


def _domains(sample: Iterable[Kept]) -> tuple[tuple[str, int], ...]:
    """Domains of the senders with how often each was seen, the most first."""
    counts: Counter[str] = Counter()
    for kept in sample:
        domain = _domain(kept.sighting.sender)
        if domain is not None:
            counts[domain] += kept.count
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:SHOWN])
