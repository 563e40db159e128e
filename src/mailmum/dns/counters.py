"""What the engine counts: verdicts by server, list and client, uses of revoked keys, faults.

Counting must cost next to nothing and can never be allowed to fill the memory.  So the hot path
only appends a number to a list, the log.  `fold`, called after every few packets, sums a long log
up in a table; that has room for so many clients between two batches, and when it is used up
verdicts are still counted exactly, by server, list and word, though no longer by client.  `take`
hands the table over and begins anew.  All of it belongs to the thread that answers, so that nothing
is added in between.

A verdict is counted for each A query about one client: mail servers ask for TXT only after that,
and counting both would count clients twice.  Test entries are not counted.  So

    sum of the counts of all clients + lost = A queries about clients that were answered

whatever the load; a property test holds it.  How one contact with a mail server, which asks about
its client in several lists, becomes one sighting: see `contacts`.

In log and table stands one number for server, list, what was decided, and client (from the highest
bits to the lowest; `mark_of` makes all but the last); for a host name, a pair of that number and
the name.  A full table has some megabytes.  Another engine may hand over
a table of its own making, or `CountBatch.of`.  What it has packed is read only by whoever wants to
know (`Later`), so that the thread that answers need not wait for that.

    >>> counters = Counters()
    >>> counters.count(7, "bl", client_of(4, 0xCB007107), BLOCK | WIDE)
    >>> batch = counters.take()
    >>> batch.verdicts
    (VerdictCount(server=7, list='bl', verdict='block', count=1),)
    >>> [(seen.subject, seen.wide) for seen in batch.clients]
    [((4, 3405803783), True)]
"""

from collections import Counter
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field
from typing import Protocol

NONE, BLOCK, ALLOW = range(3)
WORDS = ("none", "block", "allow")
WIDE = 4
"""Added to the word when the target that decided is a network or a domain."""

LISTS = ("bl", "wl", "dbl", "dwl", "policy")
"""The lists of the DNS, and the policy service, which is counted beside them."""

LIMIT = 50_000
"""Most clients, and most of anything else, that are kept between two batches."""

LOG = 8192
"""From this length on the log is summed up: that takes less than a millisecond."""

Client = int | str
"""As it is counted: the number of an address, or a name."""

Key = int | tuple[int, str]
"""In log and table: mark and number of an address in one, or mark and name."""

Subject = tuple[int, int] | str
"""Version and integer of an address, or a name."""


class Unread(Protocol):
    """Counts that were packed elsewhere, and stay as they are."""

    def __len__(self) -> int:
        """How many keys they have."""
        ...

    def read(self) -> dict[Key, int]:
        """A new table of them."""
        ...


Take = Callable[[], tuple[Unread, int, int, Mapping[str, int]]]
"""Counts since the last call, how many of them nameless, how many lost, faults."""

# Bits of a client, of what was decided, and of the list; the rest is the server.
_CLIENT, _CODE, _LIST = 130, 3, 3
_ABOVE_V4 = 1 << 32
NOBODY = (1 << _CLIENT) - 1
"""In the place of a client that found no room."""

_NUMBERS = {name: number for number, name in enumerate(LISTS)}


def client_of(version: int, address: int) -> int:
    """An address as a client: IPv4 as it is, IPv6 above that.

    >>> client_of(4, 1), client_of(6, 1)
    (1, 4294967297)
    """
    return address if version == 4 else address + _ABOVE_V4


def mark_of(server: int, list_: str, code: int) -> int:
    """All of a key but the client.

    Args:
        server: number of the server.
        list_: one of `LISTS`.
        code: the word of the verdict, with `WIDE` where that holds.
    """
    return ((server << _LIST | _NUMBERS[list_]) << _CODE | code) << _CLIENT


@dataclass(frozen=True, slots=True)
class ClientCount:
    """So many answers of this list to this server gave this verdict about one client.

    Attributes:
        server: number of the server.
        list: one of `LISTS`.
        subject: version and integer of an address, or a name; None when there was no room for it.
        verdict: one of `WORDS`.
        wide: whether the target that decided is a network or a domain.
        count: how many.
    """

    server: int
    list: str
    subject: Subject | None
    verdict: str
    wide: bool
    count: int


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """So many answers of this list to this server gave this verdict."""

    server: int
    list: str
    verdict: str
    count: int


@dataclass(frozen=True, slots=True)
class RevokedCount:
    """So many queries came with this revoked key of a server."""

    server: int
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class BarredCount:
    """So many queries about a server came from where it may not be asked; the last from there."""

    server: int
    sender: str
    count: int


@dataclass(frozen=True, slots=True)
class CountBatch:
    """Counts of a stretch of time, which nobody changes any more.

    Attributes:
        counts: by key; read them as `clients` or `verdicts`.
        revoked: at most one entry for each key.
        faults: pairs of kind and count, such as `("formerr", 3)`.
        lost: counts that found no room.
        nameless: how many of its verdicts found no room for their client.
        barred: at most one entry for each server.
    """

    counts: Mapping[Key, int] = field(default_factory=dict)
    revoked: tuple[RevokedCount, ...] = ()
    faults: tuple[tuple[str, int], ...] = ()
    lost: int = 0
    nameless: int = 0
    barred: tuple[BarredCount, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.counts or self.revoked or self.faults or self.lost or self.barred)

    @classmethod
    def of(
        cls,
        clients: Iterable[ClientCount],
        revoked: tuple[RevokedCount, ...] = (),
        faults: tuple[tuple[str, int], ...] = (),
        lost: int = 0,
    ) -> "CountBatch":
        """A batch from its counts by client."""
        counts: Counter[Key] = Counter()
        nameless = 0
        for one in clients:
            counts[_key_of(one)] += one.count
            nameless += one.count if one.subject is None else 0
        return cls(counts, revoked, faults, lost, nameless)

    @property
    def size(self) -> int:
        """How much room it takes, in entries."""
        counts = self.counts
        held = counts.room if isinstance(counts, Later) else len(counts)
        return held + len(self.revoked) + len(self.barred)

    @property
    def clients(self) -> Iterator[ClientCount]:
        """Counts by client; their sum with `lost` is that of the answers."""
        for key, count in self.counts.items():
            mark, subject = _read_key(key)
            code = mark & 7
            server, list_ = mark >> _LIST + _CODE, LISTS[mark >> _CODE & 7]
            yield ClientCount(server, list_, subject, WORDS[code & 3], bool(code & WIDE), count)

    @property
    def verdicts(self) -> tuple[VerdictCount, ...]:
        """The sums over clients: at most one entry for each server, list and word."""
        sums: dict[int, int] = {}
        for key, count in self.counts.items():
            # Without the bit that tells how wide the target is.
            mark = (key if isinstance(key, int) else key[0]) >> _CLIENT & ~WIDE
            sums[mark] = sums.get(mark, 0) + count
        return tuple(
            VerdictCount(mark >> _LIST + _CODE, LISTS[mark >> _CODE & 7], WORDS[mark & 3], count)
            for mark, count in sums.items()
        )


class Counters:
    """Running counts of one engine; `limit` is how many entries of each sort are kept.

    Attributes:
        log: keys of verdicts not yet summed up; it stays the same list.
    """

    __slots__ = (
        *("_barred", "_counts", "_faults", "_limit", "_lost", "_nameless", "_others", "_revoked"),
        "log",
    )

    def __init__(self, limit: int = LIMIT) -> None:
        self.log: list[Key] = []
        self._limit = limit
        self._counts: Counter[Key] = Counter()
        self._nameless: Counter[Key] = Counter()
        self._revoked: dict[tuple[int, str], int] = {}
        self._barred: dict[int, tuple[str, int]] = {}
        self._faults: dict[str, int] = {}
        self._lost = 0
        self._others: list[Take] = []

    def include(self, other: Take) -> None:
        """Have what is counted elsewhere taken along; it has limits of its own."""
        self._others.append(other)

    def count(self, server: int, list_: str, client: Client, code: int) -> None:
        """A verdict about a client.

        Args:
            server: number of the server.
            list_: one of `LISTS`.
            client: see `client_of`, or a name.
            code: the word of the verdict, with `WIDE` where that holds.
        """
        mark = mark_of(server, list_, code)
        self.log.append(mark + client if isinstance(client, int) else (mark, client))

    def fold(self) -> None:
        """Sum the log up once it is long; to be called after every few packets."""
        if len(self.log) >= LOG:
            self._fold()

    def revoked(self, server: int, key: str) -> None:
        """A query with a revoked key."""
        use = (server, key)
        if use in self._revoked or len(self._revoked) < self._limit:
            self._revoked[use] = self._revoked.get(use, 0) + 1
        else:
            self._lost += 1

    def barred(self, server: int, sender: str) -> None:
        """A query about a server from where it may not be asked."""
        _, count = self._barred.get(server, ("", 0))
        if count or len(self._barred) < self._limit:
            self._barred[server] = sender, count + 1
        else:
            self._lost += 1

    def fault(self, kind: str, count: int = 1) -> None:
        """A packet that got no ordinary answer; `kind` is one of a few words of our own."""
        self._faults[kind] = self._faults.get(kind, 0) + count

    def take(self) -> CountBatch:
        """The counts since the last call, which begin at zero again."""
        self._fold()
        nameless = sum(self._nameless.values())
        self._counts.update(self._nameless)
        packed: list[Unread] = []
        for take in self._others:
            more, unnamed, lost, faults = take()
            nameless += unnamed
            self._lost += lost
            for kind, count in faults.items():
                self.fault(kind, count)
            packed += [more] if len(more) else []
        counts = Later(self._counts, packed) if packed else self._counts
        revoked = tuple(RevokedCount(*use, count) for use, count in self._revoked.items())
        barred = tuple(BarredCount(server, *use) for server, use in self._barred.items())
        told = tuple(self._faults.items())
        batch = CountBatch(counts, revoked, told, self._lost, nameless, barred)
        self._counts, self._nameless = Counter(), Counter()
        self._revoked, self._barred, self._faults, self._lost = {}, {}, {}, 0
        return batch

    def _fold(self) -> None:
        # Whole lists at a time: loops in C, since a flood of clients comes through here.
        counts, keys = self._counts, self.log.copy()
        self.log.clear()
        while (room := self._limit - len(counts)) < len(keys):
            counts.update([key for key in keys if key in counts])
            keys = [key for key in keys if key not in counts]
            if not room:
                self._count_nameless(keys)
                return
            counts.update(keys[:room])
            keys = keys[room:]
        counts.update(keys)

    def _count_nameless(self, keys: list[Key]) -> None:
        found = Counter([(key if isinstance(key, int) else key[0]) | NOBODY for key in keys])
        for key, count in found.items():
            if key in self._nameless or len(self._nameless) < self._limit:
                self._nameless[key] += count
            else:
                self._lost += count


class Later(Mapping[Key, int]):
    """Counts, some of them packed, that whoever looks first sums up, in whichever thread.

    Args:
        counts: by key; nobody changes them any more.
        packed: further ones, with at least one key.

    Attributes:
        room: so many keys there are at most.
    """

    __slots__ = ("_counts", "_packed", "_summed", "room")

    def __init__(self, counts: dict[Key, int], packed: list[Unread]) -> None:
        self._counts = counts
        self._packed = packed
        self._summed: dict[Key, int] | None = None
        self.room = len(counts) + sum(map(len, packed))

    def __bool__(self) -> bool:
        return bool(self.room)

    def __len__(self) -> int:
        return len(self._sums())

    def __iter__(self) -> Iterator[Key]:
        return iter(self._sums())

    def __getitem__(self, key: Key) -> int:
        return self._sums()[key]

    def items(self) -> ItemsView[Key, int]:
        """Without a look-up for each key, as `Mapping` has it."""
        return self._sums().items()

    def values(self) -> ValuesView[int]:
        """Likewise."""
        return self._sums().values()

    def _sums(self) -> dict[Key, int]:
        # Whatever breaks off in here, or comes a second time: what was given stays as it is.
        if self._summed is None:
            tables = [Counter(self._counts), *(packed.read() for packed in self._packed)]
            self._summed = _sum([table for table in tables if table])
        return self._summed


def _sum(tables: list[dict[Key, int]]) -> dict[Key, int]:
    """The sum of some tables, the smaller ones added to the largest; one alone is that itself."""
    if len(tables) < 2:
        return tables[0] if tables else {}
    *smaller, largest = sorted(tables, key=len)
    sums = largest if isinstance(largest, Counter) else Counter(largest)
    for table in smaller:
        sums.update(table)
    return sums


def _read_key(key: Key) -> tuple[int, Subject | None]:
    """The mark, moved to the lowest bits, and the client."""
    if isinstance(key, tuple):
        return key[0] >> _CLIENT, key[1]
    mark, client = key >> _CLIENT, key & NOBODY
    if client == NOBODY:
        return mark, None
    return mark, (4, client) if client < _ABOVE_V4 else (6, client - _ABOVE_V4)


def _key_of(one: ClientCount) -> Key:
    code = WORDS.index(one.verdict) | (WIDE if one.wide else 0)
    mark = mark_of(one.server, one.list, code)
    if one.subject is None:
        return mark | NOBODY
    if isinstance(one.subject, str):
        return mark, one.subject
    return mark + client_of(*one.subject)
