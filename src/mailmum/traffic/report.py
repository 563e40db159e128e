"""Sightings to a report: who came, what became of it, which lists hit, what to do about it.

A `Tally` is fed sightings in any order and in any number; it keeps a bounded part of the clients
(`report_parties`) and loses no contact from any sum.  `Tally.report` makes the report.

    >>> tally = Tally()
    >>> tally.take([Sighting(1764154807.0, client="203.0.113.7", outcome=Outcome.REJECTED)])
    >>> report = tally.report()
    >>> report.sightings, report.clients[0].target, report.clients[0].stopped
    (1, '203.0.113.7', 1)
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest

from mailmum.traffic.kinds import KINDS, Kind, kind_of
from mailmum.traffic.report_advice import LEAST, Advice, Adviser
from mailmum.traffic.report_figures import INDEX, OUTCOMES, Count, Figures, figures
from mailmum.traffic.report_lists import Overlap, Register
from mailmum.traffic.report_parties import CLIENTS, GROUPS, Parties
from mailmum.traffic.report_times import Times
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Update, is_kept_back

LOG_OUTCOMES = tuple(
    outcome for outcome in Outcome if outcome.value not in {"listed", "allowed", "unlisted"}
)
_HOSTS = 100
_ACCEPTED, _CONNECTED = INDEX[Outcome.ACCEPTED], INDEX[Outcome.CONNECTED]
_KIND = {kind: at for at, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and what counts as too much.

    Attributes:
        clients: addresses held at a time.
        groups: networks, and domains, of those that are no longer held.
        least: offences from which on a block is proposed.
        own: bases of one's own lists.
    """

    clients: int = CLIENTS
    groups: int = GROUPS
    least: int = LEAST
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a report shows.

    Attributes:
        sightings: contacts.
        first, last: Unix times of the first and last, or None.
        totals: contacts by outcome; all outcomes of a log are there.
        kinds: contacts by what charts tell apart.
        deliveries: what became of accepted mail, as far as it is known.
        hosts: contacts by the machine that wrote the log, most first.
        clients, networks, domains: the worst, most contacts stopped first.  Networks and domains
            are those of several clients; of one, they would say what the client says.
        known: how many of each there are in all.
        forgotten: clients that were left out of the lists to keep memory bounded.
        overlap: what lists did.
        advice: what to do.
        times: contacts over time.
    """

    sightings: int
    first: float | None
    last: float | None
    totals: dict[Outcome, int]
    kinds: dict[Kind, int]
    deliveries: dict[Delivery, int]
    hosts: dict[str, int]
    clients: tuple[Figures, ...]
    networks: tuple[Figures, ...]
    domains: tuple[Figures, ...]
    known: tuple[int, int, int]
    forgotten: int
    overlap: Overlap
    advice: Advice
    times: Times = field(repr=False)

    @property
    def stopped(self) -> int:
        """Contacts turned away."""
        return sum(count for outcome, count in self.totals.items() if outcome.stopped)


class Tally:
    """Counts sightings."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self.register = Register(self._limits.own)
        self.parties = Parties(self._limits.clients, self._limits.groups)
        self.times = Times()
        self._kinds = [0] * len(KINDS)
        self._deliveries: Counter[Delivery] = Counter()
        self._hosts: dict[str, int] = {}
        # The kind of each outcome, by whether no list decided, a public one or one's own.
        self._where = [
            [_KIND[kind_of(one, listed=listed, own=own)] for one in OUTCOMES]
            for listed, own in ((False, False), (True, False), (True, True))
        ]
        self._totals = [0] * len(OUTCOMES)

    def take(self, sightings: Iterable[Sighting]) -> None:  # noqa: C901
        """Count sightings."""
        # Millions go through here: one loop, and nothing looked up twice.
        register, parties = self.register, self.parties
        totals, kinds, hosts, deliveries = self._totals, self._kinds, self._hosts, self._deliveries
        add_time, bit_of, clients = self.times.add, self.register.bit, parties.clients
        for seen in sightings:
            (
                time, host, _, client, name, helo, sender, _, outcome, _, rbl, _, delivery, score,
                reason, named, _,
            ) = seen  # fmt: skip
            at = INDEX[outcome]
            bits = where = 0
            if rbl is not None:
                bits = bit_of(rbl)
                where = 2 if bits & register.own else 1
                register.hit(bits, warned=not outcome.stopped)
            if named:
                bits = register.name(named, bits)
            kind = self._where[where][at]
            totals[at] += 1
            kinds[kind] += 1
            add_time(time, kind)
            if delivery is not None:
                deliveries[delivery] += 1
            if host in hosts:
                hosts[host] += 1
            else:
                self._count_host(host)
            if client is None:
                continue
            count = clients.get(client)
            if count is None:
                count = parties.begin(client, time)
                clients = parties.clients
            if at == _ACCEPTED and reason is not None and is_kept_back(delivery, reason):
                at = _CONNECTED  # of the client: it delivered nothing
            if at == _ACCEPTED:
                parties.remember_names(count, name, helo)
                count.accept(time, name, helo, sender, score)
            elif helo and not count.accepted_last:
                count.helo = helo
            count.add(time, name, at, bits)
        parties.lighten()

    def update(self, updates: Iterable[Update]) -> None:
        """Count what became of mail whose sightings were counted before."""
        for news in updates:
            if news.delivery is not None:
                self._deliveries[news.delivery] += 1

    def _count_host(self, host: str) -> None:
        if len(self._hosts) >= _HOSTS:
            host = "(others)"
        self._hosts[host] = self._hosts.get(host, 0) + 1

    def report(self, top: int = 10) -> Report:
        """All that was counted, with so many rows in each list of the worst."""
        parties = self.parties
        networks = parties.networks.with_clients(parties.clients)
        domains = parties.domains.with_clients(parties.clients)
        adviser = Adviser(parties, self.register, self._limits.least)
        several = [_several(networks), {f".{name}": one for name, one in _several(domains).items()}]
        return Report(
            sum(self._totals),
            self.times.first,
            self.times.last,
            {outcome: self._totals[INDEX[outcome]] for outcome in LOG_OUTCOMES},
            {kind: self._kinds[at] for at, kind in enumerate(KINDS)},
            {delivery: self._deliveries[delivery] for delivery in Delivery},
            dict(sorted(self._hosts.items(), key=lambda item: (-item[1], item[0]))),
            _worst(parties.clients, top, self.register),
            _worst(several[0], top, self.register),
            _worst(several[1], top, self.register),
            (len(parties.clients) + parties.forgotten, len(several[0]), len(several[1])),
            parties.forgotten,
            self.register.overlap(parties.masks()),
            adviser.advise(networks, domains),
            self.times,
        )


def _several(groups: dict[str, Count]) -> dict[str, Count]:
    return {name: count for name, count in groups.items() if count.clients > 1}


def _worst(counts: dict[str, Count], top: int, lists: Register) -> tuple[Figures, ...]:
    chosen = nsmallest(
        top, counts.items(), key=lambda item: (-item[1].stopped, -item[1].contacts, item[0])
    )
    return tuple(figures(name, count, lists.zones, lists.own) for name, count in chosen)
