"""What is counted of one client, one network or one domain.

`Count` is what grows while a log is read, `Figures` what is shown.  Millions of contacts go through
`Count.add`, and tens of thousands of counts are held at a time: slots, a list, no objects inside.
"""

from dataclasses import dataclass
from operator import add, itemgetter
from typing import Any

from mailmum.traffic.kinds import KINDS, Kind, kind_of
from mailmum.traffic.sightings import Outcome

OUTCOMES = tuple(Outcome)
INDEX = {outcome: at for at, outcome in enumerate(OUTCOMES)}
_STOPPED = tuple(outcome for outcome in OUTCOMES if outcome.stopped)
# What only somebody does who is up to no good, or who was found on a list.  A client that was
# deferred may be a stranger to greylisting, and who never came back did no harm.
_OFFENCES = (
    Outcome.REJECTED,
    Outcome.RELAY_DENIED,
    Outcome.UNKNOWN_RECIPIENT,
    Outcome.AUTH_FAILED,
    Outcome.PROTOCOL,
    Outcome.LISTED,
)
_AT_ACCEPTED = INDEX[Outcome.ACCEPTED]
_AT_STOPPED = tuple(INDEX[outcome] for outcome in _STOPPED)
_stopped, _offences = (
    itemgetter(*_AT_STOPPED),
    itemgetter(*(INDEX[outcome] for outcome in _OFFENCES)),
)
_SENDERS = 3


class Count:
    """What is known so far of one client, or of several together.

    Attributes:
        outcomes: how often each, in the order of `OUTCOMES`.
        first, last: Unix times.
        clients: how many it counts.
        offenders: how many of them did anything that counts as an offence.
        listed: contacts about which a list is named.
        caught: those of them that were stopped.
        caught_first: when the first of these was; 0 for never.
        lists: a bit for each list that named it.
        name: verified name, the latest.
        helo: what it called itself, the latest; of accepted mail where there was some.
        senders: domains of senders whose mail was accepted, a few.
        accepted_last: when mail was last accepted; 0 for never.
        accepted_as: the verified name at the latest such time.
        score, scored: of the spam filter, over how many messages.
    """

    __slots__ = (
        "accepted_as",
        "accepted_last",
        "caught",
        "caught_first",
        "clients",
        "first",
        "helo",
        "last",
        "listed",
        "lists",
        "name",
        "offenders",
        "outcomes",
        "score",
        "scored",
        "senders",
    )

    def __init__(self, time: float, clients: int = 1) -> None:
        self.outcomes = [0] * len(OUTCOMES)
        self.first = self.last = time
        self.clients = clients
        self.offenders = self.listed = self.caught = self.lists = self.scored = 0
        self.accepted_last = self.caught_first = self.score = 0.0
        self.name: str | None = None
        self.helo: str | None = None
        self.accepted_as: str | None = None
        self.senders: tuple[str, ...] = ()

    def add(self, time: float, name: str | None, outcome: int, bits: int) -> None:
        """Count a contact.

        Args:
            time: Unix time.
            name: verified name.
            outcome: place of its outcome in `OUTCOMES`.
            bits: those of the lists that name it, or 0.
        """
        self.outcomes[outcome] += 1
        if time > self.last:
            self.last = time
        elif time < self.first:
            self.first = time
        if name is not None:
            self.name = name
        if bits:
            self.lists |= bits
            self.listed += 1
            if outcome in _AT_STOPPED:
                self.caught += 1
                self.caught_first = min(self.caught_first or time, time)

    def accept(
        self,
        time: float,
        name: str | None,
        helo: str | None,
        sender: str | None,
        score: float | None,
    ) -> None:
        """Mail was accepted; it is counted beside this."""
        self.accepted_last = max(self.accepted_last, time)
        if helo:
            self.helo = helo
        if name:
            self.accepted_as = name
        if score is not None:
            self.score += score
            self.scored += 1
        if sender and len(self.senders) < _SENDERS:
            domain = sender.rpartition("@")[2].lower()
            if domain and domain not in self.senders:
                self.senders += (domain,)

    def merge(self, other: "Count") -> None:
        """Count all that the other has; names and senders are those of single clients."""
        self.outcomes = list(map(add, self.outcomes, other.outcomes))
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        self.clients += other.clients
        # A client that is merged counts itself; a group has counted its own.
        self.offenders += other.offenders or (other.clients == 1 and other.offences > 0)
        self.listed += other.listed
        self.caught += other.caught
        self.lists |= other.lists
        self.accepted_last = max(self.accepted_last, other.accepted_last)
        self.score += other.score
        self.scored += other.scored

    def times(self, outcome: Outcome) -> int:
        """How often an outcome."""
        return self.outcomes[INDEX[outcome]]

    @property
    def accepted(self) -> int:
        """Recipients accepted."""
        return self.outcomes[_AT_ACCEPTED]

    @property
    def contacts(self) -> int:
        """All of them."""
        return sum(self.outcomes)

    @property
    def stopped(self) -> int:
        """Contacts turned away."""
        return sum(_stopped(self.outcomes))

    @property
    def offences(self) -> int:
        """Contacts that were more than bad luck."""
        return sum(_offences(self.outcomes))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a report shows of one client, network or domain.

    Attributes:
        target: as a listing would name it.
        outcomes: how often each that occurred.
        clients: addresses that it counts.
        offenders: those of them with an offence.
        first, last: Unix times.
        caught: contacts that a list stopped.
        lists: zones that named it.
        owned: whether all of these are one's own.
        name: verified name of a client.
        helo: what a client called itself.
        senders: domains of senders whose mail was accepted, a few.
        accepted_last: Unix time of the last accepted mail.
        score: mean of the spam filter's scores.
    """

    target: str
    outcomes: dict[Outcome, int]
    clients: int
    offenders: int
    first: float
    last: float
    caught: int = 0
    lists: tuple[str, ...] = ()
    owned: bool = False
    name: str | None = None
    helo: str | None = None
    senders: tuple[str, ...] = ()
    accepted_last: float | None = None
    score: float | None = None

    @property
    def contacts(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())

    @property
    def accepted(self) -> int:
        """Recipients accepted."""
        return self.outcomes.get(Outcome.ACCEPTED, 0)

    @property
    def stopped(self) -> int:
        """Contacts turned away."""
        return self.sum(_STOPPED)

    @property
    def offences(self) -> int:
        """Contacts that were more than bad luck."""
        return self.sum(_OFFENCES)

    def kinds(self) -> dict[Kind, int]:
        """Contacts by what charts tell apart.

        Which contacts a list stopped is known as a number only: they are taken from the rejects,
        and from those deferred where these are fewer.
        """
        found = dict.fromkeys(KINDS, 0)
        for outcome, count in self.outcomes.items():
            found[kind_of(outcome)] += count
        listed = Kind.OWN if self.owned else Kind.RBL
        left = self.caught
        for kind in (Kind.REJECT, Kind.DEFERRED):
            moved = min(left, found[kind])
            found[kind] -= moved
            found[listed] += moved
            left -= moved
        return found

    def sum(self, outcomes: Any) -> int:
        """How often any of these."""
        return sum(self.outcomes.get(outcome, 0) for outcome in outcomes)


def figures(target: str, count: Count, zones: list[str], own: int = 0) -> Figures:
    """A count as a value; `zones` are the lists' by their bit, `own` the bits of one's own."""
    outcomes = {
        outcome: times for outcome, times in zip(OUTCOMES, count.outcomes, strict=True) if times
    }
    return Figures(
        target,
        outcomes,
        count.clients,
        count.offenders or int(count.offences > 0),
        count.first,
        count.last,
        count.caught,
        tuple(zone for at, zone in enumerate(zones) if count.lists >> at & 1),
        bool(count.lists) and not count.lists & ~own,
        count.name,
        count.helo,
        count.senders,
        count.accepted_last or None,
        count.score / count.scored if count.scored else None,
    )
