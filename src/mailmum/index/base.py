"""The settled part of a table: its rows as they were at the last merge, never changed after.

That it never changes is what lets a merge or a snapshot read it in another thread while lookups go
on.  What has happened since stands in the table's overlay; merging the two gives a new base.  A
merge copies runs of rows between changed targets and stops for breath after steps of bounded
length, so that a thread that answers queries never waits long for the interpreter's lock.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from mailmum.domain.listings import Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.firsts import Firsts, Pause, new_firsts
from mailmum.index.rows import Details, NetworkRows, Rows, code_for, wider
from mailmum.index.terms import Hit, Pool, Terms, rank

Place = tuple[int, int]
"""A target within a table: the bits it leaves open, and its first address without them."""

Replaced = Mapping[Place, tuple[Listing, ...]]
"""The listings of targets that have changed, all of them, in the order in which they decide."""

_STEP = 256
_ROWS_AT_ONCE = 16384
_SPARE_TERMS = 64


def no_pause() -> None:
    """A pause for those who need none."""


def place_of(target: NetworkTarget) -> Place:
    """Where a target stands in a table."""
    shift = target.bits - target.prefix
    return shift, target.first >> shift


class Base:
    """Rows of one tier, one scope and one version of IP.

    Attributes:
        bits: 32 or 128.
        hosts: single addresses.
        networks: networks.
        terms: the terms of both, by number.
    """

    __slots__ = ("bits", "hosts", "networks", "terms")

    def __init__(self, bits: int, hosts: Rows, networks: NetworkRows) -> None:
        self.bits = bits
        self.hosts = hosts
        self.networks = networks
        self.terms = hosts.terms

    def __len__(self) -> int:
        return len(self.hosts) + len(self.networks)

    def find(self, address: int, now: float) -> Hit | None:
        """The listing that decides about an address."""
        row = self.hosts.find(address, now)
        if row >= 0:
            return self.hosts.hit(row, self.bits)
        row = self.networks.find(address, now)
        return None if row < 0 else self.networks.hit(row, self.bits)

    def around(self, address: int) -> Iterator[tuple[Rows, int]]:
        """Every row that covers an address, expired or not, in the order in which they decide."""
        for rows in (self.hosts, self.networks):
            for row in rows.around(address):
                yield rows, row

    def within(self, first: int, last: int) -> Iterator[tuple[Rows, int]]:
        """Every row that begins at one of these addresses, expired or not."""
        for rows in (self.networks, self.hosts):
            for row in range(*rows.firsts.reach(first, last)):
                yield rows, row

    def place(self, rows: Rows, row: int) -> Place:
        """Where a row's target stands."""
        shift = rows.shift(row)
        return shift, rows.values[row] >> shift

    def exactly(self, place: Place, account: int, scope: int) -> tuple[Listing, ...]:
        """The listings of one target, in the order in which they decide."""
        shift, number = place
        rows = self.networks if shift else self.hosts
        start, end = rows.span(number << shift, shift)
        return tuple(
            rows.listing(row, self.bits, account, scope) for row in range(end - 1, start - 1, -1)
        )

    def merged(self, replaced: Replaced, pause: Pause = no_pause) -> "Base":
        """A base in which the listings of some targets are replaced."""
        # Ascending addresses; of networks that begin at the same one, the widest first.
        places = sorted(replaced, key=lambda place: (place[1] << place[0], -place[0]))
        pool = Pool(self.terms)
        for place in places:
            for listing in replaced[place]:
                pool.number(listing)
        pause()
        hosts = _Merger(self.hosts, [place for place in places if not place[0]], replaced, pool)
        networks = _Merger(self.networks, [place for place in places if place[0]], replaced, pool)
        hosts.run(pause)
        networks.run(pause)
        terms = _without_waste(pool.terms, (hosts.details, networks.details))
        return assembled(
            (hosts.firsts, hosts.details),
            (networks.firsts, networks.details),
            bytes(networks.shifts),
            terms,
            pause,
        )


def assembled(
    hosts: tuple[Firsts, Details],
    networks: tuple[Firsts, Details],
    shifts: bytes,
    terms: Sequence[Terms],
    pause: Pause = no_pause,
) -> Base:
    """A base from sorted columns."""
    bits = hosts[0].bits
    for firsts, _ in (hosts, networks):
        firsts.seal(pause)
    kept = tuple(terms)
    return Base(
        bits, Rows(*hosts, kept), NetworkRows(networks[0], shifts, networks[1], kept, pause)
    )


def empty_base(bits: int) -> Base:
    """A base without rows."""
    return BaseBuilder(bits).build()


class BaseBuilder:
    """Collects listings in any order, then sorts them."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._pool = Pool()
        self._hosts = _Unsorted()
        self._networks = _Unsorted()

    def add(self, listing: Listing, target: NetworkTarget) -> None:
        """Add a listing with its target."""
        shift = self._bits - target.prefix
        kind = self._pool.number(listing)
        if shift:
            self._networks.add(target.first << 8 | target.prefix, listing, kind)
        else:
            self._hosts.add(target.first, listing, kind)

    def build(self) -> Base:
        """The base; the builder is used up."""
        hosts, networks = new_firsts(self._bits), new_firsts(self._bits)
        shifts = bytearray()
        order_of_hosts = self._hosts.order(self._pool)
        for row in order_of_hosts:
            hosts.append(self._hosts.keys[row])
        order_of_networks = self._networks.order(self._pool)
        for row in order_of_networks:
            key = self._networks.keys[row]
            networks.append(key >> 8)
            shifts.append(self._bits - (key & 0xFF))
        return assembled(
            (hosts, self._hosts.details.sorted_by(order_of_hosts)),
            (networks, self._networks.details.sorted_by(order_of_networks)),
            bytes(shifts),
            self._pool.terms,
        )


class _Unsorted:
    """Rows as they come, each with a key to sort by."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.details = Details(array("Q"), array("I"), array("q"))

    def add(self, key: int, listing: Listing, kind: int) -> None:
        self.keys.append(key)
        self.details.append(listing, kind)

    def order(self, pool: Pool) -> list[int]:
        """Row numbers by key, and rows of one target so that the one that decides comes last."""
        keys = self.keys
        rows = sorted(range(len(keys)), key=keys.__getitem__)
        for at in _repeats(keys, rows):
            end = at
            while end < len(rows) and keys[rows[end]] == keys[rows[at]]:
                end += 1
            rows[at:end] = sorted(rows[at:end], key=lambda row: self._rank(row, pool), reverse=True)
        return rows

    def _rank(self, row: int, pool: Pool) -> tuple[bool, int]:
        action = pool.terms[self.details.kinds[row]].action
        return rank(action, self.details.ids[row])


def _repeats(keys: Sequence[int], rows: Sequence[int]) -> list[int]:
    """Where in `rows` the runs of equal keys begin."""
    equal = [
        at
        for at, (row, following) in enumerate(zip(rows, islice(rows, 1, None), strict=False))
        if keys[row] == keys[following]
    ]
    return [at for at in equal if at == 0 or keys[rows[at - 1]] != keys[rows[at]]]


def _without_waste(terms: Sequence[Terms], details: Sequence[Details]) -> Sequence[Terms]:
    """The terms without those that no row uses, once these are the most of them."""
    if len(terms) <= 2 * sum(map(len, details)) + _SPARE_TERMS:
        return terms
    used = sorted(set().union(*(column.kinds for column in details)))
    numbers = {old: new for new, old in enumerate(used)}
    for column in details:
        column.renumber(numbers)
    return [terms[kind] for kind in used]


class _Merger:
    """Copies rows, with those of some targets replaced."""

    def __init__(self, rows: Rows, places: Sequence[Place], replaced: Replaced, pool: Pool) -> None:
        self._rows = rows
        self._pool = pool
        self._places = places
        self._replaced = replaced
        self.firsts = new_firsts(rows.firsts.bits)
        self.shifts = bytearray()
        new = [listing for place in places for listing in replaced[place]]
        self.details = _room_for(rows.details, new, len(pool.terms))

    def run(self, pause: Pause) -> None:
        """Fill `firsts`, `shifts` and `details`."""
        done = 0
        for count, place in enumerate(self._places):
            shift, number = place
            start, end = self._rows.span(number << shift, shift)
            self._copy(done, start, pause)
            for listing in reversed(self._replaced[place]):
                self.firsts.append(number << shift)
                self.shifts.append(shift)
                self.details.append(listing, self._pool.number(listing))
            done = end
            if count % _STEP == 0:
                pause()
        self._copy(done, len(self._rows), pause)
        pause()

    def _copy(self, first: int, last: int, pause: Pause) -> None:
        for start in range(first, last, _ROWS_AT_ONCE):
            end = min(start + _ROWS_AT_ONCE, last)
            self.firsts.copy(self._rows.firsts, start, end)
            self.details.copy(self._rows.details, start, end)
            if isinstance(self._rows, NetworkRows):
                self.shifts += self._rows.shifts[start:end]
            if end < last:
                pause()


def _room_for(old: Details, new: Sequence[Listing], kinds: int) -> Details:
    """Empty columns wide enough for old rows and new ones."""
    ids = code_for(max((listing.id for listing in new), default=0))
    expiring = old.expires is not None or any(listing.expires is not None for listing in new)
    return Details(
        array(wider(old.ids.typecode, ids)),
        array(wider(old.kinds.typecode, code_for(max(kinds - 1, 0)))),
        array("q") if expiring else None,
    )
