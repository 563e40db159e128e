"""Clients, their networks and their domains, counted in bounded memory.

Only so many clients are held, and fewer where their names are long.  When there are more, what
matters least (few offences, few contacts, long ago) is forgotten: its counts go on in those of its
networks and domains, and when there are too many of these, the least of them are counted together.
So a client that is named may have done more than is said, but no contact is lost from any sum.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from sys import getsizeof

from mailmum.traffic.report_figures import Count
from mailmum.traffic.report_memory import Memory
from mailmum.traffic.report_names import domain_of, network_of

CLIENTS = 50_000
GROUPS = 25_000
NAMES = 16 << 20
"""Bytes of memory that the names of clients may take."""
_SAMPLE = 256
# Sets of lists that are told apart; beyond them only the first list of a set is kept.
_MASKS = 4096


class Groups:
    """Networks or domains of forgotten clients."""

    def __init__(self, of: Callable[[str, Count], str | None], most: int, memory: Memory) -> None:
        self.of = of
        self._most = most
        self._memory = memory
        self.rest: Count | None = None
        self.forgotten = 0
        self._gone: dict[str, Count] = {}

    def add(self, client: str, count: Count) -> None:
        """Take over a client that is forgotten."""
        name = self.of(client, count)
        if name is None:
            self._leave(count)
            return
        _merge(self._gone, name, count)
        if len(self._gone) > self._most:
            self._shrink()

    def with_clients(self, clients: dict[str, Count]) -> dict[str, Count]:
        """Each group with all its clients, those forgotten and these."""
        found: dict[str, Count] = {}
        for name, count in self._gone.items():
            _merge(found, name, count)
        for client, count in clients.items():
            group = self.of(client, count)
            if group is not None:
                _merge(found, group, count)
        return found

    def _shrink(self) -> None:
        self._gone, forgotten = _part(self._gone)
        for name, count in forgotten.items():
            if count.accepted:
                self._memory.add(name)
            self._leave(count)
        self.forgotten += len(forgotten)

    def _leave(self, count: Count) -> None:
        if self.rest is None:
            self.rest = Count(count.first, clients=0)
        self.rest.merge(count)


class Parties:
    """All clients that were seen.

    Args:
        most: how many are held at a time.
        groups: how many networks, and how many domains, of those that are not.
    """

    def __init__(self, most: int = CLIENTS, groups: int = GROUPS) -> None:
        self._most = most
        self.memory = Memory()
        self.clients: dict[str, Count] = {}
        self.networks = Groups(lambda client, _: network_of(client), groups, self.memory)
        self.domains = Groups(lambda _, count: domain_of(count.name), groups, self.memory)
        self._masks: dict[tuple[int, bool], list[int]] = {}
        self.forgotten = 0

    def begin(self, client: str, time: float) -> Count:
        """The count of a client of which nothing is known."""
        if len(self.clients) >= self._most:
            self._forget()
        count = self.clients[client] = Count(time)
        return count

    def never_delivered(self, name: str) -> bool:
        """Whether nobody who is forgotten delivered anything under that address or network.

        Of a domain: whether nobody at all did, by a verified name or by a claim.
        """
        return name not in self.memory

    def masks(self) -> Iterator[tuple[int, bool, int, int]]:
        """Sets of lists that named the same client.

        Each with whether the clients also delivered mail, how many they are, and their contacts
        about which a list is named.
        """
        found = {key: list(sums) for key, sums in self._masks.items()}
        for count in self.clients.values():
            _add_mask(found, count)
        for (lists, good), (clients, listed) in found.items():
            yield lists, good, clients, listed

    def lighten(self) -> None:
        """Forget clients where what they call themselves takes too much memory.

        Some are weighed for all: it is asked often.
        """
        step = len(self.clients) // _SAMPLE + 1
        if step * sum(map(_names, islice(self.clients.values(), 0, None, step))) > NAMES:
            self._forget()

    def _forget(self) -> None:
        self.clients, forgotten = _part(self.clients)
        for client, count in forgotten.items():
            _add_mask(self._masks, count)
            self.networks.add(client, count)
            self.domains.add(client, count)
            if count.accepted:
                self.memory.add(client)
        self.forgotten += len(forgotten)

    def remember_names(self, count: Count, name: str | None, helo: str | None) -> None:
        """A client delivers mail under these names."""
        # Only what is new since its last mail: most have one name for ever.
        known = (count.accepted_as, count.helo) if count.accepted_last else ()
        for one in (name, helo):
            domain = None if one is None or one in known else domain_of(one)
            if domain is not None:
                self.memory.add(domain)


def _add_mask(masks: dict[tuple[int, bool], list[int]], count: Count) -> None:
    if count.lists:
        good = count.accepted > 0
        key = (count.lists, good)
        if key not in masks and len(masks) >= _MASKS:
            key = (count.lists & -count.lists, good)
        sums = masks.setdefault(key, [0, 0])
        sums[0] += 1
        sums[1] += count.listed


def _names(count: Count) -> int:
    """Bytes of memory of the names of a client; its two verified names are mostly one."""
    own = (count.name, count.helo, *count.senders)
    return sum(map(getsizeof, own)) + (
        0 if count.accepted_as is count.name else getsizeof(count.accepted_as)
    )


def _merge(groups: dict[str, Count], name: str, count: Count) -> None:
    group = groups.get(name)
    if group is None:
        group = groups[name] = Count(count.first, clients=0)
    group.merge(count)


def _part(counts: dict[str, Count]) -> tuple[dict[str, Count], dict[str, Count]]:
    """What matters most, a third, and the rest."""
    ranked = sorted(counts.items(), key=_worth, reverse=True)
    third = len(ranked) // 3
    return dict(ranked[:third]), dict(ranked[third:])


def _worth(item: tuple[str, Count]) -> tuple[bool, int, int, float]:
    count = item[1]
    both = count.caught > 0 and count.accepted_last > 0
    return both, count.offences, sum(count.outcomes), count.last
