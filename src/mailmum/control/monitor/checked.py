"""What a check tells, as values; see `control.monitor.impact`."""

from collections.abc import Mapping
from dataclasses import dataclass

from mailmum.control.listings.models import Version
from mailmum.control.monitor.better import Better
from mailmum.domain.targets import Target
from mailmum.traffic.groups import Group
from mailmum.traffic.impact import Word


@dataclass(frozen=True, slots=True)
class Hit:
    """A client that would have been hit.

    Attributes:
        client: address.
        name: its verified name, where one was seen lately.
        country: two letters, None when unknown.
        contacts, accepted, rejected: what was seen of it.
        kept: whether an allow listing keeps it whatever is blocked around it.
    """

    client: str
    name: str | None
    country: str | None
    contacts: int
    accepted: int
    rejected: int
    kept: bool


@dataclass(frozen=True, slots=True)
class At:
    """What was seen at one server; `accepted` is None where no log tells."""

    server: str
    contacts: int
    clients: int
    accepted: int | None
    rejected: int


@dataclass(frozen=True, slots=True)
class Named:
    """A name, whether a mail server verified it, and how often it was seen."""

    name: str
    verified: bool
    contacts: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Check:
    """What a listing of a target would have met.

    Attributes:
        target: the target.
        days: how many days were looked back.
        since: when the first of them begins, Unix time.
        complete: False when there was too much: then `since` is later than asked.
        verdict: the word for it.
        warnings: why it is not safe, the gravest first.
        addresses: how many it holds; None for a name.
        contacts: how many there were.
        clients: how many different addresses they came from.
        accepted: messages accepted of them; None when no log tells.
        rejected: contacts that were turned away.
        kept: messages accepted of clients that an allow listing keeps.
        unlogged: contacts of which only a lookup is known.
        groups: contacts by what became of them.
        servers: by server.
        hits: the clients that matter most: those with accepted mail, then the worst.
        senders: domains that sent the latest accepted mail, with how many messages.
        sampled: how many accepted messages `senders` were counted from.
        refused_senders: domains of the latest that was turned away after it named a sender, with
            how many contacts.
        names: names of the clients.
        reverse: of a single address its reverse names, see `control.monitor.reverse`.
        country: of all its addresses, None when unknown or several.
        countries: of the clients that were seen; like the next three only of a whole check.
        covered_by: listings in force that cover it already, the same target among them.
        inside: listings in force inside it, the latest first.
        more_inside: how many further ones there are.
        better: ways that lose less.
    """

    target: Target
    days: int
    since: int
    complete: bool
    verdict: Word
    warnings: tuple[str, ...]
    addresses: int | None
    contacts: int
    clients: int
    accepted: int | None
    rejected: int
    kept: int
    unlogged: int
    groups: Mapping[Group, int]
    servers: tuple[At, ...]
    hits: tuple[Hit, ...]
    senders: tuple[tuple[str, int], ...]
    sampled: int
    refused_senders: tuple[tuple[str, int], ...]
    names: tuple[Named, ...]
    reverse: tuple[str, ...]
    country: str | None
    countries: tuple[tuple[str, int], ...]
    covered_by: tuple[Version, ...]
    inside: tuple[Version, ...]
    more_inside: int
    better: tuple[Better, ...]
