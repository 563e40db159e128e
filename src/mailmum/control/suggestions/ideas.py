"""What could be proposed for an account, from its traffic and its listings.

    block    a client that was turned away on several days, again and again, and never delivered
    widen    a network of several such clients in which nobody delivered; as narrow as it can be,
             but no part of a site
    allow    a client that delivers accepted mail, and that a public RBL stops now and then
    shorten  a block without an end that has decided nothing for a month
    drop     the same for three months

Nobody is to block with one click what belongs to a mail provider that is allowed or kept from
triggers; of one that is only warned of the proposal says whose it is.

Everything is read within bounds, so what costs much is not looked for: the worst clients and
networks that are listed beforehand, and the oldest listings.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.feeds.providers import known, protecting
from mailmum.control.listings.models import Version
from mailmum.control.listings.search import covers
from mailmum.control.monitor.hits import hits_of, stale
from mailmum.control.monitor.scope import scope_of
from mailmum.control.servers.queries import names_of_servers, own_servers
from mailmum.control.traffic import worst as ranked
from mailmum.control.traffic.clients import Client, clients_in
from mailmum.control.traffic.models import ClientDay
from mailmum.control.traffic.reading import Wanted
from mailmum.control.witnesses.comparing import compare
from mailmum.domain.guards import find_danger
from mailmum.domain.listings import Action
from mailmum.domain.targets import NetworkTarget, parse_network
from mailmum.traffic.codes import STOPPED
from mailmum.traffic.narrow import SITE, narrowest
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome

DAYS = 30
LEAST_STOPPED, LEAST_DAYS, LEAST_CLIENTS = 20, 3, 4
"""From so many contacts turned away, on so many days, a client is worth a block; so many clients
are worth their network."""
LEAST_ACCEPTED = 10
"""Accepted messages from which on a client is worth an exception."""
TIMES_ACCEPTED = 5
"""How many messages were accepted for each that was stopped, at least."""
LONG = 90
LOOKED_AT, EACH = 60, 15
"""How many of the worst are looked at, and how many of one kind are proposed."""
BLOCK, WIDEN, ALLOW, SHORTEN, DROP = KINDS = ("block", "widen", "allow", "shorten", "drop")


@dataclass(frozen=True, slots=True)
class Idea:
    """Something that could be proposed.

    Attributes:
        kind: one of `KINDS`.
        target: what to list, or what is listed.
        text: why, one sentence without a full stop.
        evidence: the numbers behind it, by their names.
        weight: those with more are more worth it.
        listing: number of the listing it is about, None when about none.
        scope: where that listing holds; 0 for all servers, and when about none.
    """

    kind: str
    target: str
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    weight: int = 0
    listing: int | None = None
    scope: int = 0


def ideas(reading: Reading, *, now: float) -> list[Idea]:
    """All that could be proposed now, the weightiest of each kind first."""
    looking = _Looking(reading, now)
    networks = sorted(looking.networks(), key=lambda one: -one.weight)[:EACH]
    held = [parse_network(one.target) for one in networks]
    clients = [one for one in looking.clients() if not _inside(one, held)]
    found = [*networks, *sorted(clients, key=lambda one: -one.weight)[:EACH]]
    for more in (looking.senders(), looking.idle()):
        found += sorted(more, key=lambda one: -one.weight)[:EACH]
    return found


def _inside(idea: Idea, networks: list[NetworkTarget]) -> bool:
    client = parse_network(idea.target)
    return any(one.covers(client.version, client.first) for one in networks)


class _Looking:
    """Looks for them in one account."""

    def __init__(self, reading: Reading, now: float) -> None:
        self._reading, self._now = reading, now
        self._account = scope_of(reading).account
        self._wanted = Wanted(since=now - DAYS * DAY)
        self._own = own_servers(reading)
        self._protecting, self._known = protecting(self._account), known(self._account)

    def clients(self) -> Iterator[Idea]:
        """Repeat offenders."""
        found = ranked.worst(self._account, self._wanted, limit=LOOKED_AT, now=self._now)
        bad = [one for one in found if _stopped(one) >= LEAST_STOPPED and not _accepted(one)]
        days = self._days([one.network for one in bad])
        for one in bad:
            count = days[bounds(one.network)[0]]
            if count >= LEAST_DAYS and self._is_free(one.network):
                yield Idea(
                    BLOCK,
                    one.text,
                    f"turned away {_times(_stopped(one))} on {count} days, nothing was accepted"
                    f"{self._whose(one.network)}",
                    {"stopped": _stopped(one), "days": count, "accepted": 0},
                    _stopped(one),
                )

    def networks(self) -> Iterator[Idea]:
        """Networks of several offenders."""
        found = ranked.worst(
            self._account, self._wanted, networks=True, limit=LOOKED_AT, now=self._now
        )
        for one in found:
            if _stopped(one) < LEAST_STOPPED * LEAST_CLIENTS or not self._is_free(one.network):
                continue
            clients = clients_in(self._account, one.network, self._wanted, now=self._now)
            idea = self._widened(clients, one.network)
            if idea is not None and self._is_free(parse_network(idea.target)):
                yield idea

    def senders(self) -> Iterator[Idea]:
        """Those who deliver, and whom a public list stops now and then."""
        worth: dict[str, Idea] = {}
        for caught in compare(self._reading, days=DAYS, now=self._now).lists:
            for one in caught.examples if not caught.own else ():
                enough = one.accepted >= max(LEAST_ACCEPTED, TIMES_ACCEPTED * one.stopped)
                client = parse_network(one.client)
                if enough and one.client not in worth and self._is_free(client, Action.ALLOW):
                    worth[one.client] = Idea(
                        ALLOW,
                        one.client,
                        f"{one.accepted:,} of its messages were accepted, and {caught.zone} "
                        f"stopped it {_times(one.stopped)}",
                        {"accepted": one.accepted, "stopped": one.stopped, "list": caught.zone},
                        one.accepted,
                    )
        yield from worth.values()

    def idle(self) -> Iterator[Idea]:
        """Blocks without an end that decide nothing."""
        old = [
            one
            for one in stale(self._reading, days=DAYS, now=self._now)
            if one.action == Action.BLOCK and one.expires is None
        ]
        servers = names_of_servers(self._reading)
        long = [one for one in old if self._age(one) >= LONG]
        hits = hits_of(self._reading, long, days=LONG, now=self._now)
        for one in old:
            none = one.number in hits and not hits[one.number].count
            days = LONG if none else DAYS
            where = f"at {servers[one.scope]} " if one.scope in servers else ""
            yield Idea(
                DROP if none else SHORTEN,
                one.target,
                f"{where}it has decided nothing in {days} days",
                {"days": days, "age": self._age(one), "scope": one.scope},
                self._age(one),
                one.number,
                one.scope,
            )

    def _widened(self, clients: list[Client], within: NetworkTarget) -> Idea | None:
        abuse = [(one.network.first, _stopped(one)) for one in clients if not _accepted(one)]
        spared = [one.network.first for one in clients if _accepted(one)]
        found = narrowest(
            [one for one in abuse if one[1]],
            spared,
            within.bits,
            at_most=1,
            least=SITE[within.version],
        )
        if not found:
            return None
        network = NetworkTarget(within.version, *found[0])
        inside = [
            count for first, count in abuse if count and network.covers(within.version, first)
        ]
        stopped = sum(inside)
        if len(inside) < LEAST_CLIENTS or stopped < LEAST_STOPPED * LEAST_CLIENTS:
            return None
        return Idea(
            WIDEN,
            network.text,
            f"{len(inside)} clients in it were turned away {_times(stopped)}, and nothing was "
            f"accepted from it{self._whose(network)}",
            {"clients": len(inside), "stopped": stopped, "accepted": 0},
            stopped,
        )

    def _is_free(self, target: NetworkTarget, action: Action = Action.BLOCK) -> bool:
        """Whether nothing is listed that decides about all of it, and nothing speaks against it."""
        listed = covers(self._reading, target)
        if action is Action.BLOCK:
            dangerous = find_danger(target, self._own) is not None
            return not (dangerous or listed or self._protecting.of_network(target))
        # A block of just this client is somebody's decision: an allow would take its place.
        return not any(one.action == Action.ALLOW or one.target == target.text for one in listed)

    def _whose(self, target: NetworkTarget) -> str:
        """Whom it belongs to, where somebody wants to be warned of that."""
        provider = self._known.of_network(target)
        return f"; but it has addresses of the mail provider {provider}" if provider else ""

    def _days(self, clients: list[NetworkTarget]) -> Counter[bytes]:
        packed = [bounds(one)[0] for one in clients]
        seen = ClientDay.objects.filter(
            account=self._account,
            start__gte=int(self._now - DAYS * DAY),
            client__in=packed,
            outcome__in=sorted(STOPPED),
        )
        pairs = seen.order_by().values_list("client", "start").distinct()
        return Counter(bytes(client) for client, _ in pairs)

    def _age(self, version: Version) -> int:
        return (datetime.fromtimestamp(self._now, UTC) - version.changed).days


def _times(count: int) -> str:
    return f"{count:,} time{'' if count == 1 else 's'}"


def _stopped(one: Client) -> int:
    return sum(count for outcome, count in one.outcomes.items() if outcome.stopped)


def _accepted(one: Client) -> int:
    return one.outcomes.get(Outcome.ACCEPTED, 0)
