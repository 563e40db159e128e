"""Which contacts a rule counts, and for whom.

A contact comes as it is kept (`mailmum.traffic.codes`), so nothing has to be turned into words for
the many that do not count.

    rbl, lists          a public list decided, also one that only warns (`warn_if_reject`)
    asked               a public list said "listed" when it was asked from here
    connections         every contact, of each server by the source only whose turn it is
    all others          what the log says

A name counts for a domain only when the mail server has verified it: what a client calls itself
could be anybody's, and anybody would be listed then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from mailmum.domain.errors import BadInput
from mailmum.domain.names import parse_name
from mailmum.domain.suffixes import is_public_suffix
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.traffic.codes import ASKED, OUTCOMES, SOURCES
from mailmum.traffic.packing import address_of
from mailmum.traffic.periods import HOUR
from mailmum.traffic.sightings import Outcome, Source
from mailmum.traffic.turns import Turn, best_at, is_better
from mailmum.triggers.rules import Group, Metric, Rule, Where

_LOG = SOURCES[Source.LOG]
_OF = {
    Metric.UNKNOWN: OUTCOMES[Outcome.UNKNOWN_RECIPIENT],
    Metric.RELAY: OUTCOMES[Outcome.RELAY_DENIED],
    Metric.AUTH: OUTCOMES[Outcome.AUTH_FAILED],
    Metric.PROTOCOL: OUTCOMES[Outcome.PROTOCOL],
}
COUNTED = -1
"""The number of what is known as a count by the hour only; no single contact has it."""
SAID = 0
"""The source of a contact that is the word of a list which was asked; no sighting has it."""
BY_LIST = tuple(OUTCOMES[one] for one in (Outcome.REJECTED, Outcome.DEFERRED, Outcome.WARNED))
PREFIXES = {
    Group.ADDRESS: {4: 32, 6: 128},
    Group.NETWORK: {4: 24, 6: 64},
    Group.WIDE: {4: 24, 6: 48},
}
_ABOVE = {(4, 32): 24, (6, 128): 64, (6, 64): 48}
_CLIENTS = 20_000


class Contact(NamedTuple):
    """One contact, or several that were counted together.

    Attributes:
        number: rises in the order in which contacts were kept.
        at: Unix time in milliseconds.
        server: number of the server.
        source: who saw it, as a code; `SAID` for the word of a list that was asked.
        outcome: what became of it, as a code.
        client: its address as 16 bytes.
        rbl: number of the list that decided, 0 for none.
        many: how many there were.
        name: its verified name.
        score: of the spam filter.
        recipient: of the message, as it is kept.
    """

    number: int
    at: int
    server: int
    source: int
    outcome: int
    client: bytes | None
    rbl: int = 0
    many: int = 1
    name: str | None = None
    score: float | None = None
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What counting takes besides the rule.

    Attributes:
        public: names of the public lists that count, by number; one's own are not among them.
        best: whose turn it is at each server, by time.
        traps: trap addresses in the form in which recipients are kept.
    """

    public: Mapping[int, str] = field(default_factory=dict)
    best: Mapping[int, Sequence[Turn]] = field(default_factory=dict)
    traps: frozenset[str] = frozenset()


def counts(rule: Rule, contact: Contact, context: Context) -> bool:
    """Whether a contact counts for a rule."""
    if rule.server and contact.server != rule.server:
        return False
    if rule.metric is Metric.ASKED:
        return contact.source == SAID and contact.rbl in context.public
    if rule.metric is Metric.CONNECTIONS:
        best = best_at(context.best.get(contact.server, ()), _moment(contact))
        return contact.source == best and contact.outcome != ASKED
    return contact.source == _LOG and _is_meant(rule, contact, context)


def is_news(contact: Contact, context: Context) -> bool:
    """Whether a contact is of a source that is not known to see its server, or not so well then."""
    turns = context.best.get(contact.server, ())
    if is_better(contact.source, best_at(turns, _moment(contact))):
        return True
    return all(one.source != contact.source for one in turns)


def _moment(contact: Contact) -> int:
    """When it was; of a whole hour its end: it counts by the source that is best by then."""
    return contact.at if contact.number != COUNTED else contact.at + HOUR * 1000 - 1


def _is_meant(rule: Rule, contact: Contact, context: Context) -> bool:
    """Whether what a log says is what is counted."""
    metric = rule.metric
    if (outcome := _OF.get(metric)) is not None:
        return contact.outcome == outcome
    if metric is Metric.SCORE:
        assert rule.score is not None
        return contact.score is not None and contact.score >= rule.score
    if metric is Metric.TRAP:
        return is_trap(contact.recipient, context.traps)
    return contact.outcome in BY_LIST and contact.rbl in context.public


def outcomes_of(rule: Rule) -> tuple[int, ...] | None:
    """The outcomes that can count, None where it is not the outcome that decides."""
    if (outcome := _OF.get(rule.metric)) is not None:
        return (outcome,)
    return BY_LIST if rule.metric in (Metric.RBL, Metric.LISTS) else None


def countable(rule: Rule, contacts: Sequence[Contact]) -> Sequence[Contact]:
    """Those that can count by their outcome; most cannot, and need no further look."""
    outcomes = outcomes_of(rule)
    if outcomes is None:
        return contacts
    return [one for one in contacts if one.outcome in outcomes]


def is_trap(recipient: str | None, traps: frozenset[str]) -> bool:
    """Whether a recipient is a trap, itself or by its domain."""
    if not recipient:
        return False
    written = recipient.lower()
    return written in traps or f"@{written.rpartition('@')[2]}" in traps


def scope_of(rule: Rule, server: int) -> int:
    """Where a listing for what happened at a server holds: 0 for everywhere."""
    return server if rule.where is Where.SERVER else 0


def unit_of(group: Group, client: bytes | None, name: str | None) -> Target | None:
    """Whom a contact counts for, None for nobody."""
    if group is Group.DOMAIN:
        return domain_of(name)
    return None if client is None else _network_of(group, client)


@lru_cache(_CLIENTS)
def _network_of(group: Group, client: bytes) -> NetworkTarget:
    """Kept for the few who come all the time."""
    address = address_of(client)
    return address.around(PREFIXES[group][address.version])


def above(target: Target) -> NetworkTarget | None:
    """The network into which offenders like this are merged, None for none."""
    if not isinstance(target, NetworkTarget):
        return None
    prefix = _ABOVE.get((target.version, target.prefix))
    return None if prefix is None else target.around(prefix)


def domain_of(name: str | None) -> NameTarget | None:
    """The domain of a host: what is left without its first label.

    Never a public suffix, below which strangers have their names: then the host's own name, with
    what is under it, unless that is such a suffix itself.

    >>> [domain_of(one).text for one in ("a.pool.spam.example", "spam.example", "mx.shop.co.uk")]
    ['.pool.spam.example', '.spam.example', '.shop.co.uk']
    >>> domain_of("shop.co.uk").text, domain_of("localhost"), domain_of("github.io")
    ('.shop.co.uk', None, None)
    """
    try:
        host = parse_name(name or "")
    except BadInput:
        return None
    if is_public_suffix(host):
        return None
    wider = host.partition(".")[2]
    return NameTarget(host if is_public_suffix(wider) else wider, whole=True)
