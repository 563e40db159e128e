"""Several lists looked up as one: each holds at all servers or at one, of people or of machines.

What an allow keeps goes by the order of verdicts (ADR 1), as far as a client can be told without
the name of each of its contacts: any allow keeps a client from what machines block, and from what
is blocked by name; against a person's block of its address only a person's allow that is narrower.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import target_of
from mailmum.control.listings.search import covers_each
from mailmum.control.monitor.scope import Scope
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.targets import NetworkTarget
from mailmum.index.entries import Entries
from mailmum.traffic.impact import Client
from mailmum.traffic.packing import number_of

ASKED = 2000
"""Clients with accepted mail of which it is looked whether an allow keeps them."""
_TOGETHER = 100
_NO_PREFIX = -1


@dataclass(frozen=True, slots=True)
class Part:
    """Entries that hold in the same place.

    Attributes:
        entries: what is listed.
        server: number of the server that they hold for, or `WHOLE_ACCOUNT`.
        of_person: whether a person lists them, not a machine.
    """

    entries: Entries
    server: int = WHOLE_ACCOUNT
    of_person: bool = False


class Listed:
    """Whether a client, or a name, is in any of some parts that hold where it came.

    Attributes:
        everywhere: those that hold at all servers.
        at: those of single servers, by number.
        names: whether any part has names.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        by_server: dict[int, list[Entries]] = {}
        for part in parts:
            by_server.setdefault(part.server, []).append(part.entries)
        self.everywhere = Several(by_server.pop(WHOLE_ACCOUNT, ()))
        self.at = {server: Several(some) for server, some in by_server.items()}
        self.names = any(part.entries.names for part in parts)

    def at_server(self, server: int) -> "Several":
        """What holds at one server only."""
        return self.at.get(server, _NO_LISTS)

    def has_client(self, client: bytes, server: int) -> bool:
        """Whether it is listed by its address, at a server."""
        return self.everywhere.has_client(client) or self.at_server(server).has_client(client)


class Several:
    """Lists that hold in one place."""

    __slots__ = ("_all",)

    def __init__(self, some: Iterable[Entries]) -> None:
        self._all = tuple(some)

    def has_client(self, client: bytes) -> bool:
        """Whether one of them has this client, 16 bytes."""
        version, address = number_of(client)
        return any(next(one.bases[version].around(address), None) is not None for one in self._all)

    def has_name(self, name: str) -> bool:
        """Whether one of them has this name."""
        return any(next(iter(one.names.around(name)), None) is not None for one in self._all)


_NO_LISTS = Several(())


@dataclass(frozen=True, slots=True)
class Renewed:
    """What is listed already and would be so no more.

    Attributes:
        label: name of the source that is renewed; empty for none.
        whole: whether all goes that it has listed, not only what is blocked now instead.
    """

    label: str = ""
    whole: bool = False


NOTHING = Renewed()


class Allows:
    """Which clients are kept by an allow, of the account's or one that comes with the blocks.

    It has to hold wherever the blocks would: one for a single server keeps nobody at the others.
    Allows of names are left out: which name a contact had is not known here.

    Args:
        reading: proof that the asker may read.
        scope: whose traffic was looked at.
        blocks: what is to be blocked.
        allows: what is allowed together with it.
        renewed: allows that would go with it.
    """

    def __init__(
        self,
        reading: Reading,
        scope: Scope,
        blocks: Sequence[Part],
        allows: Sequence[Part] = (),
        renewed: Renewed = Renewed(),
    ) -> None:
        self._reading, self._scope, self._renewed = reading, scope, renewed
        self._of_people = [part.entries for part in blocks if part.of_person]
        self._of_machines = [part for part in blocks if not part.of_person]
        self._places = (WHOLE_ACCOUNT, scope.server)
        self._allows = [part for part in allows if part.server in self._places]

    def of(self, clients: list[Client]) -> list[Client]:
        """The same clients, with whether they are kept; those with accepted mail come first."""
        for start in range(0, ASKED, _TOGETHER):
            some = [one for one in clients[start : start + _TOGETHER] if one.accepted]
            if not some:
                break
            addresses = [one.address for one in some]
            around = covers_each(self._reading, addresses, self._scope.server)
            for at, (one, found) in enumerate(zip(some, around, strict=True), start):
                clients[at] = one._replace(kept=self._keeps(one.address, found))
        return clients

    def _keeps(self, address: NetworkTarget, found: Iterable[Version]) -> bool:
        least = max((_narrowest(one, address) for one in self._of_people), default=_NO_PREFIX)
        people_only = least > _NO_PREFIX
        return any(
            (of_person or not people_only) and prefix > least
            for of_person, prefix in self._around(address, found)
        )

    def _around(
        self, address: NetworkTarget, found: Iterable[Version]
    ) -> Iterator[tuple[bool, int]]:
        """The allows that cover an address: whether a person's, and how narrow."""
        for version in found:
            if version.action != Action.ALLOW.value or version.scope not in self._places:
                continue
            if not self._goes(version):
                of_person = version.source == Source.PERSON.value
                yield of_person, target_of(version).specificity
        for part in self._allows:
            if (prefix := _narrowest(part.entries, address)) > _NO_PREFIX:
                yield part.of_person, prefix

    def _goes(self, version: Version) -> bool:
        """Whether an allow of the same source would be renewed away."""
        if version.source != Source.FEED.value or version.origin != self._renewed.label:
            return False
        target = target_of(version)
        return self._renewed.whole or any(
            part.server == version.scope and part.entries.holds(target)
            for part in self._of_machines
        )


def _narrowest(entries: Entries, address: NetworkTarget) -> int:
    """The prefix of the narrowest entry that covers an address."""
    for rows, row in entries.bases[address.version].around(address.first):
        return address.bits - rows.shift(row)
    return _NO_PREFIX
