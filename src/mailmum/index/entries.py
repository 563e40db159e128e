"""The entries of a feed's version: sorted once, kept once, looked up by whoever subscribes.

Entries are targets and nothing else; what a subscription makes of them (block or allow, where, with
which words) lies in the subscription, see `index.feeds`.  So a list of a million addresses is the
same few columns for every account: four bytes a row for IPv4, and one to three for quick searches.

They never change.  A new version of a feed is new entries, made ready in any thread and then put in
the place of the old in a moment.  Names are columns of 64-bit hashes: a client's name and the
domains above it are known when they are looked up, so the texts need not be kept for it.

    >>> from mailmum.domain.targets import parse_target
    >>> made = built(map(parse_target, ["203.0.113.7", "203.0.113.0/24", ".spam.example"]))
    >>> len(made), unpacked(packed(made)) == made
    (3, True)
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from mailmum.domain.names import parents
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.index.base import Base, assembled, no_pause
from mailmum.index.coding import Reader, SnapshotDamaged, column, number
from mailmum.index.firsts import Firsts, Pause, new_firsts, restored_firsts
from mailmum.index.rows import Details

DIGEST = 16
_ORDER = 0x0102
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class HashedNames:
    """Names by hash, each column in ascending order.

    Attributes:
        hosts: names that cover only themselves.
        domains: names that cover all under them.
        above: names that lie above one of these.
    """

    hosts: "array[int]"
    domains: "array[int]"
    above: "array[int]"

    def __len__(self) -> int:
        return len(self.hosts) + len(self.domains)

    def around(self, name: str) -> Iterable[NameTarget]:
        """The entries that cover a name, the most specific first."""
        if _holds(self.hosts, name):
            yield NameTarget(name, whole=False)
        if self.domains:
            for parent in parents(name):
                if _holds(self.domains, parent):
                    yield NameTarget(parent, whole=True)

    def any_below(self, name: str) -> bool:
        """Whether an entry lies strictly below a name."""
        return _holds(self.above, name)


class Entries:
    """Entries of one version of one feed; equal ones have equal digests.

    Attributes:
        digest: tells these entries from all others.
        bases: rows of addresses and networks, by version of IP.
        names: hosts and domains.
    """

    __slots__ = ("__weakref__", "bases", "digest", "names")

    def __init__(self, bases: dict[int, Base], names: HashedNames, digest: bytes = b"") -> None:
        self.bases = bases
        self.names = names
        self.digest = digest or _digest(b"".join(_columns(self)))

    def __len__(self) -> int:
        return sum(map(len, self.bases.values())) + len(self.names)

    def holds(self, target: Target) -> bool:
        """Whether exactly this is among them."""
        if isinstance(target, NameTarget):
            names = self.names.domains if target.whole else self.names.hosts
            return _holds(names, target.name)
        base, shift = self.bases[target.version], target.bits - target.prefix
        start, end = (base.networks if shift else base.hosts).span(target.first, shift)
        return start < end

    def networks(self) -> Iterator[NetworkTarget]:
        """The addresses, then the networks of each version of IP, in order."""
        for version, base in self.bases.items():
            for rows in (base.hosts, base.networks):
                for row, first in enumerate(rows.values):
                    yield NetworkTarget(version, first, base.bits - rows.shift(row))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entries) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Entries({len(self)}, {self.digest.hex()})"


class Builder:
    """Collects targets in any order; one that comes twice counts once."""

    def __init__(self, targets: Iterable[Target] = ()) -> None:
        self._networks: dict[int, tuple[set[int], set[int]]] = {
            4: (set(), set()),
            6: (set(), set()),
        }
        self._names: tuple[set[str], set[str]] = (set(), set())
        for target in targets:
            self.add(target)

    def __len__(self) -> int:
        networks = sum(len(found) for pair in self._networks.values() for found in pair)
        return networks + sum(map(len, self._names))

    def add(self, target: Target) -> None:
        """Add one."""
        if isinstance(target, NameTarget):
            self._names[target.whole].add(target.name)
            return
        hosts, wide = self._networks[target.version]
        if target.prefix == target.bits:
            hosts.add(target.first)
        else:
            wide.add(target.first << 8 | target.prefix)

    def holds(self, target: Target) -> bool:
        """Whether it was added, exactly."""
        if isinstance(target, NameTarget):
            return target.name in self._names[target.whole]
        hosts, wide = self._networks[target.version]
        if target.prefix == target.bits:
            return target.first in hosts
        return target.first << 8 | target.prefix in wide

    def targets(self) -> Iterator[Target]:
        """All that were added, in no particular order."""
        for version, (hosts, wide) in self._networks.items():
            bits = 32 if version == 4 else 128
            for first in hosts:
                yield NetworkTarget(version, first, bits)
            for key in wide:
                yield NetworkTarget(version, key >> 8, key & 0xFF)
        yield from self.names()

    def names(self) -> Iterator[NameTarget]:
        """The hosts and domains among them, in order."""
        for whole, names in enumerate(self._names):
            for name in sorted(names):
                yield NameTarget(name, whole=bool(whole))

    def build(self) -> Entries:
        """Entries of all."""
        bases = {version: _base(version, *found) for version, found in self._networks.items()}
        return Entries(bases, _hashed(*self._names))


def built(targets: Iterable[Target]) -> Entries:
    """Entries of targets in any order; one that comes twice counts once."""
    return Builder(targets).build()


def packed(entries: Entries) -> bytes:
    """The entries as bytes, to be kept."""
    body = b"".join(_columns(entries))
    return number(_FORMAT << 16 | _ORDER) + _digest(body) + body


def unpacked(data: "bytes | memoryview", pause: Pause = no_pause) -> Entries:
    """Entries from what `packed` gave.

    The checksum vouches for order and ranges; so that this may run beside a thread that answers,
    no step of it is long.

    Raises:
        SnapshotDamaged: the bytes are not whole, or of another kind of machine.
    """
    reader = Reader(memoryview(data))
    if reader.number() != _FORMAT << 16 | _ORDER:
        raise SnapshotDamaged("the entries are of another format or kind of machine")
    digest = bytes(reader.take(DIGEST))
    body = reader.take(reader.left)
    if _digest(body) != digest:
        raise SnapshotDamaged("the checksum of the entries is wrong")
    # Up to here others had the interpreter: of long bytes a digest is made without its lock.
    pause()
    return read_columns(Reader(body), digest, pause)


def read_columns(reader: Reader, digest: bytes = b"", pause: Pause = no_pause) -> Entries:
    """Entries from their columns alone.

    Raises:
        SnapshotDamaged: a column is missing or of another length than its neighbours.
    """
    bases = {version: _read_base(reader, version, pause) for version in (4, 6)}
    hosts, domains, above = (reader.column("Q") for _ in range(3))
    if reader.left:
        raise SnapshotDamaged(f"{reader.left} bytes stand after the entries")
    return Entries(bases, HashedNames(hosts, domains, above), digest)


def _columns(entries: Entries) -> Iterable[bytes]:
    for version in (4, 6):
        base = entries.bases[version]
        for rows in (base.hosts, base.networks):
            for values in rows.firsts.arrays():
                yield from column(values)
        yield from column(array("B", base.networks.shifts))
    for hashes in (entries.names.hosts, entries.names.domains, entries.names.above):
        yield from column(hashes)


def _read_base(reader: Reader, version: int, pause: Pause) -> Base:
    bits = 32 if version == 4 else 128
    hosts, networks = (_read_firsts(reader, bits) for _ in range(2))
    shifts = bytes(reader.column("B"))
    if len(networks.values) != len(shifts):
        raise SnapshotDamaged("the columns of a feed differ in length")
    pause()
    return _assembled(hosts, networks, shifts, pause)


def _read_firsts(reader: Reader, bits: int) -> Firsts:
    if bits == 32:
        return restored_firsts(bits, [reader.column("I")])
    highs, lows = reader.column("Q"), reader.column("Q")
    if len(highs) != len(lows):
        raise SnapshotDamaged("the columns of a feed differ in length")
    return restored_firsts(bits, [highs, lows])


def _base(version: int, singles: set[int], wide: set[int]) -> Base:
    bits = 32 if version == 4 else 128
    hosts, networks, shifts = new_firsts(bits), new_firsts(bits), bytearray()
    for first in sorted(singles):
        hosts.append(first)
    for key in sorted(wide):
        networks.append(key >> 8)
        shifts.append(bits - (key & 0xFF))
    return _assembled(hosts, networks, bytes(shifts), no_pause)


def _assembled(hosts: Firsts, networks: Firsts, shifts: bytes, pause: Pause) -> Base:
    """A base whose rows have no numbers and one kind: nothing is said of a row but its target."""
    return assembled((hosts, _plain(hosts)), (networks, _plain(networks)), shifts, (), pause)


def _plain(firsts: Firsts) -> Details:
    nothing = array("B", bytes(len(firsts.values)))
    return Details(nothing, nothing, None)


def _hashed(hosts: set[str], domains: set[str]) -> HashedNames:
    above = {parent for name in hosts | domains for parent in parents(name)[1:]}
    return HashedNames(
        *(array("Q", sorted(map(_hash, names))) for names in (hosts, domains, above))
    )


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _holds(hashes: "array[int]", name: str) -> bool:
    if not hashes:
        return False
    wanted = _hash(name)
    at = bisect_left(hashes, wanted)
    return at < len(hashes) and hashes[at] == wanted


def _digest(body: "bytes | memoryview") -> bytes:
    return blake2b(body, digest_size=DIGEST).digest()
