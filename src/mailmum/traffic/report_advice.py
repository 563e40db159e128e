"""What to block and what to allow, with the evidence and the command.

Block: who offended again and again and never had mail accepted; the network in its place when
several of it did and nobody of it ever delivered; a domain when its hosts came from several
networks.  Allow: who delivered accepted mail and was rejected by a public RBL all the same.

These are proposals to read.  What must not be listed without thought (private space and the like)
is left out here, and the service asks again for everything else that it guards.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from mailmum.domain.errors import Refusal
from mailmum.domain.guards import check
from mailmum.domain.listings import Action, Source
from mailmum.domain.targets import parse_target
from mailmum.traffic.report_figures import Count, Figures, figures
from mailmum.traffic.report_lists import Register
from mailmum.traffic.report_names import domain_of, network_of
from mailmum.traffic.report_parties import Parties
from mailmum.traffic.sightings import Outcome

LEAST = 10
LIFETIME = "30d"
# How many offenders make it a matter of the network: of IPv6 two, since one host has all of a /64.
_OFFENDERS = {".": 3, ":": 2}
_NETWORKS = 3
_REASONS = (
    (Outcome.UNKNOWN_RECIPIENT, "Mail to many unknown recipients, none accepted."),
    (Outcome.AUTH_FAILED, "Repeated failed logins."),
    (Outcome.RELAY_DENIED, "Repeated attempts to relay."),
    (Outcome.PROTOCOL, "Repeated violations of the protocol."),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal.

    Attributes:
        action: block or allow.
        evidence: what is known of the target.
        reason: for the public; empty for an allow.
        early: of an allow, whether mail was only accepted before lists named it.
    """

    action: Action
    evidence: Figures
    reason: str = ""
    early: bool = False

    @property
    def target(self) -> str:
        """What to list."""
        return self.evidence.target

    def note(self, zone: tzinfo = UTC) -> str:
        """The evidence in a line, for colleagues."""
        seen = self.evidence
        days = _days(seen.first, seen.last, zone)
        if self.action is Action.ALLOW:
            return f"{seen.accepted} accepted, {seen.caught} stopped by {_zones(seen)}, {days}"
        of = f" from {seen.offenders} addresses" if seen.clients > 1 else ""
        return f"{seen.offences} refused{of}, none accepted, {days}"

    def command(self, zone: tzinfo = UTC) -> str:
        """The command that lists it, as a shell takes it."""
        words = ["mailmum", self.action.value, self.target]
        if self.action is Action.BLOCK:
            words += ["--for", LIFETIME, "--reason", self.reason]
        return shlex.join([*words, "--note", self.note(zone)])


@dataclass(frozen=True, slots=True)
class Advice:
    """All proposals, the weightiest first.

    Attributes:
        block, allow: proposals.
        guarded: how many were left out because of the space they lie in.
    """

    block: tuple[Candidate, ...] = ()
    allow: tuple[Candidate, ...] = ()
    guarded: int = 0


class Adviser:
    """Finds them.

    Args:
        parties: who was seen.
        register: the lists.
        least: how many offences are too many.
    """

    def __init__(self, parties: Parties, register: Register, least: int = LEAST) -> None:
        self._parties = parties
        self._register = register
        self._least = least
        self._guarded = 0

    def advise(self, networks: dict[str, Count], domains: dict[str, Count]) -> Advice:
        """All proposals, given every network and every domain."""
        block = sorted(self._block(networks, domains), key=_gravity)
        allow = sorted(self._allow(), key=_merit)
        return Advice(tuple(block), tuple(allow), self._guarded)

    def _allow(self) -> Iterator[Candidate]:
        public = ~self._register.own
        for client, count in self._parties.clients.items():
            good = count.accepted and count.caught and count.lists & public
            if good and self._may(client, Action.ALLOW):
                early = count.caught_first > count.accepted_last
                yield Candidate(Action.ALLOW, self._figures(client, count), early=early)

    def _block(self, networks: dict[str, Count], domains: dict[str, Count]) -> Iterator[Candidate]:
        wide = {name for name, count in networks.items() if self._network(name, count)}
        for name in wide:
            yield self._candidate(name, networks[name])
        for client, count in self._parties.clients.items():
            alone = self._offends(client, count) and network_of(client) not in wide
            if alone and self._may(client, Action.BLOCK):
                yield self._candidate(client, count)
        yield from self._domains(domains)

    def _network(self, name: str, count: Count) -> bool:
        least = _OFFENDERS[":" if ":" in name else "."]
        return (
            count.offenders >= least
            and self._offends(name, count)
            and self._may(name, Action.BLOCK)
        )

    def _domains(self, domains: dict[str, Count]) -> Iterator[Candidate]:
        """Domains with hosts in several networks, of which no network would do."""
        likely = {name for name, count in domains.items() if self._offends(name, count)}
        if not likely:
            return
        spread: dict[str, set[str]] = {name: set() for name in likely}
        for client, count in self._parties.clients.items():
            name = domain_of(count.name)
            network = network_of(client)
            if name in spread and network and count.offences:
                spread[name].add(network)
        for name, found in spread.items():
            if len(found) >= _NETWORKS and self._may(f".{name}", Action.BLOCK):
                yield self._candidate(f".{name}", domains[name])

    def _offends(self, name: str, count: Count) -> bool:
        return (
            count.offences >= self._least
            and not count.accepted
            and not count.lists & self._register.own
            and self._parties.never_delivered(name)
        )

    def _may(self, target: str, action: Action) -> bool:
        try:
            check(parse_target(target), action, Source.PERSON)
        except Refusal:
            self._guarded += 1
            return False
        return True

    def _candidate(self, name: str, count: Count) -> Candidate:
        return Candidate(Action.BLOCK, self._figures(name, count), _reason(count))

    def _figures(self, name: str, count: Count) -> Figures:
        return figures(name, count, self._register.zones, self._register.own)


def _reason(count: Count) -> str:
    found = max(_REASONS, key=lambda pair: count.times(pair[0]))
    # Most of what lists stopped was never tried; the rest tells more.
    return found[1] if count.times(found[0]) else "Repeated attempts, no mail accepted."


def _gravity(one: Candidate) -> tuple[int, bool, int, str]:
    """What no list stops yet weighs most; among equals domains come last: they reach furthest."""
    seen = one.evidence
    return seen.caught - seen.offences, one.target.startswith("."), -seen.offences, one.target


def _merit(one: Candidate) -> tuple[bool, int, int, str]:
    seen = one.evidence
    return one.early, -seen.accepted, -seen.caught, one.target


def _zones(seen: Figures) -> str:
    first, *more = seen.lists
    return f"{first} and {len(more)} more" if more else first


def _days(first: float, last: float, zone: tzinfo) -> str:
    one, two = (datetime.fromtimestamp(time, zone).date().isoformat() for time in (first, last))
    return one if one == two else f"{one} to {two}"
