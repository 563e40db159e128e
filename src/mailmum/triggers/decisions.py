"""What a trigger decides, with the evidence for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mailmum.domain.targets import Target
from mailmum.traffic.packing import client_text
from mailmum.triggers.contacts import COUNTED
from mailmum.triggers.windows import Entry

NUMBERS, CLIENTS = 50, 10
"""So many contacts, and clients, are named as evidence; all are counted."""


class Kind(StrEnum):
    """What a decision comes to."""

    LIST = "list"
    SPARE = "spare"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why: what was counted.

    Attributes:
        count: how many contacts, lists, or listed parts of a network.
        first, last: when the first and last of them were, Unix time in milliseconds.
        numbers: of the latest contacts.
        clients: how many contacts of each, those with the most.
        others: how many clients there were besides.
        servers: how many contacts at each, by number.
        lists: how many by each public list, by number.
        parts: what was merged, as targets.
    """

    count: int
    first: int
    last: int
    numbers: tuple[int, ...] = ()
    clients: tuple[tuple[str, int], ...] = ()
    others: int = 0
    servers: tuple[tuple[int, int], ...] = ()
    lists: tuple[tuple[int, int], ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offence:
    """That somebody is or was listed: what decides about the next time.

    Attributes:
        times: how often, since the last time it was forgiven.
        begin: when, Unix time in milliseconds.
        until: until when.
        number: of the contact that completed it; what was kept up to there counts no more.
    """

    times: int
    begin: int
    until: int
    number: int


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    Attributes:
        kind: list, spare (it would have been, but is protected) or stop (the brake).
        scope: number of the server where it holds, 0 for everywhere.
        target: who.
        offence: how long and for the so-manieth time.
        evidence: why.
        reason: why it was spared, or the trigger stopped.
        replaces: listings that this one stands for from now on.
        joined: who is listed with it until it ends: those, and whom they stood for.
    """

    kind: Kind
    scope: int
    target: Target
    offence: Offence
    evidence: Evidence
    reason: str = ""
    replaces: tuple[Target, ...] = field(default=())
    joined: tuple[Target, ...] = field(default=())

    @property
    def exact(self) -> bool:
        """Whether its moment is that of a contact; else only the hour from there is known."""
        return self.offence.number != COUNTED


def evidence_of(entries: Sequence[Entry], *, different: bool = False) -> Evidence:
    """The evidence that counted contacts are."""
    # The text once for each client: a backtest does this tens of thousands of times.
    packed: dict[bytes, int] = {}
    servers: dict[int, int] = {}
    lists: dict[int, int] = {}
    for _, _, many, tag, client, server in entries:
        if client is not None:
            packed[client] = packed.get(client, 0) + many
        servers[server] = servers.get(server, 0) + many
        if tag:
            lists[tag] = lists.get(tag, 0) + many
    clients = {client_text(client): many for client, many in packed.items()}
    return Evidence(
        count=len(lists) if different else sum(entry.many for entry in entries),
        first=entries[0].at,
        last=entries[-1].at,
        numbers=tuple(entry.number for entry in entries[-NUMBERS:]),
        clients=tuple(_most(clients)),
        others=max(len(clients) - CLIENTS, 0),
        servers=tuple(sorted(servers.items())),
        lists=tuple(sorted(lists.items())),
    )


def outline_of(entries: Sequence[Entry]) -> Evidence:
    """Evidence of which nobody is told more than from when to when."""
    return Evidence(count=len(entries), first=entries[0].at, last=entries[-1].at)


def evidence_of_parts(parts: Iterable[Target], first: int, last: int) -> Evidence:
    """The evidence that listings within one network are."""
    texts = tuple(sorted(part.text for part in parts))
    return Evidence(count=len(texts), first=first, last=last, parts=texts)


def _most(clients: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(clients.items(), key=lambda one: (-one[1], one[0]))[:CLIENTS]
