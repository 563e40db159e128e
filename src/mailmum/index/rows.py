"""Rows: the listings of one table in columns, sorted by target.

Networks never overlap in part: one holds the other, or they have nothing in common.  So if rows are
sorted by first address and, where that is equal, from wide to narrow, the last row that begins at
or before an address is the narrowest network around it or lies inside that one.  Each row knows
its parent, the next row around it; following parents from there meets every network around the
address, narrowest first.  A row that has expired is passed over on the way, so expiry takes effect
to the second with nothing rebuilt.

Several listings may have one target (of several feeds, say).  They stand together, the one that
decides last, and count as each other's parents.

Single addresses are rows of their own kind: they are the most by far, and need neither prefix nor
parent.  A row has an address (4 or 16 bytes), an identifier, the number of its terms (1 byte where
few are in use) and, only in tables where something expires, an end.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence

from mailmum.domain.listings import Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.firsts import Firsts, Numbers, Pause
from mailmum.index.terms import Hit, Terms

NEVER = (1 << 63) - 1
_STEP = 2048


def code_for(largest: int) -> str:
    """The narrowest array type code for numbers from 0 to `largest`."""
    for code, bits in (("B", 8), ("H", 16), ("I", 32)):
        if largest >> bits == 0:
            return code
    return "Q"


def wider(one: str, other: str) -> str:
    """The wider of two type codes."""
    return max(one, other, key="BHIQ".index)


class Details:
    """What a row has besides its target.

    Attributes:
        ids: numbers of the listings.
        kinds: numbers of their terms.
        expires: when they end, in Unix seconds (`NEVER` for those that don't), or None where none
            does.
    """

    __slots__ = ("expires", "ids", "kinds")

    def __init__(
        self, ids: "array[int]", kinds: "array[int]", expires: "array[int] | None"
    ) -> None:
        self.ids = ids
        self.kinds = kinds
        self.expires = expires

    def __len__(self) -> int:
        return len(self.ids)

    def in_force(self, row: int, now: float) -> bool:
        """Whether the row's listing still holds."""
        return self.expires is None or now < self.expires[row]

    def ends(self, row: int) -> int | None:
        """When it ends."""
        end = NEVER if self.expires is None else self.expires[row]
        return None if end == NEVER else end

    def append(self, listing: Listing, kind: int) -> None:
        """Add a row."""
        self.ids.append(listing.id)
        self.kinds.append(kind)
        if self.expires is not None:
            self.expires.append(NEVER if listing.expires is None else listing.expires)

    def copy(self, other: "Details", start: int, end: int) -> None:
        """Add rows of others, whose types are not wider than these."""
        _extend(self.ids, other.ids, start, end)
        _extend(self.kinds, other.kinds, start, end)
        if self.expires is None:
            return
        if other.expires is None:
            self.expires.extend(array("q", [NEVER]) * (end - start))
        else:
            self.expires.extend(other.expires[start:end])

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Give the terms other numbers, none greater than the old."""
        self.kinds = array(self.kinds.typecode, map(numbers.__getitem__, self.kinds))

    def sorted_by(self, rows: Sequence[int]) -> "Details":
        """The rows in another order, in the narrowest types that hold them."""
        expires = self.expires
        if expires is not None and min(expires, default=NEVER) == NEVER:
            expires = None
        return Details(
            array(code_for(max(self.ids, default=0)), map(self.ids.__getitem__, rows)),
            array(code_for(max(self.kinds, default=0)), map(self.kinds.__getitem__, rows)),
            None if expires is None else array("q", map(expires.__getitem__, rows)),
        )


def _extend(into: "array[int]", other: "array[int]", start: int, end: int) -> None:
    if into.typecode == other.typecode:
        into.extend(other[start:end])
        return
    for at in range(start, end, _STEP):
        into.fromlist(other[at : min(at + _STEP, end)].tolist())


class Rows:
    """Single addresses."""

    __slots__ = ("details", "firsts", "locate", "terms", "values")

    def __init__(self, firsts: Firsts, details: Details, terms: Sequence[Terms]) -> None:
        self.firsts = firsts
        self.details = details
        self.terms = terms
        # What every lookup reads, one step nearer.
        self.values: Numbers = firsts.values
        self.locate: Callable[[int], int] = firsts.locate

    def __len__(self) -> int:
        return len(self.details)

    def find(self, address: int, now: float) -> int:
        """The row that decides about an address, or -1."""
        row = self.locate(address)
        values = self.values
        expires = self.details.expires
        while row >= 0 and values[row] == address:
            if expires is None or now < expires[row]:
                return row
            row -= 1
        return -1

    def around(self, address: int) -> Iterator[int]:
        """Every row that covers an address, expired or not, in the order in which they decide."""
        row = self.locate(address)
        while row >= 0 and self.values[row] == address:
            yield row
            row -= 1

    def span(self, first: int, shift: int) -> tuple[int, int]:
        """The rows of exactly one target, as a range."""
        assert shift == 0
        return self.firsts.span(first)

    def shift(self, row: int) -> int:
        """How many bits of an address the row's target leaves open."""
        return 0

    def hit(self, row: int, bits: int) -> Hit:
        """The hit on a row of a table of 32 or 128 bits."""
        return self._hit(row, bits, single=True)

    def listing(self, row: int, bits: int, account: int, scope: int) -> Listing:
        """The listing behind a row."""
        said = self.terms[self.details.kinds[row]]
        prefix = bits - self.shift(row)
        return Listing(
            id=self.details.ids[row],
            account=account,
            scope=scope,
            action=said.action,
            target=NetworkTarget(4 if bits == 32 else 6, self.values[row], prefix),
            source=said.source,
            origin=said.origin,
            reason=said.reason,
            code=said.code,
            expires=self.details.ends(row),
        )

    def _hit(self, row: int, specificity: int, single: bool) -> Hit:
        details = self.details
        said = self.terms[details.kinds[row]]
        return Hit(
            details.ids[row],
            said.action,
            said.source,
            single,
            said.code,
            said.reason,
            None if details.expires is None else details.ends(row),
            said.origin,
            specificity,
        )


class NetworkRows(Rows):
    """Networks, from wide to narrow where they begin at the same address."""

    __slots__ = ("parents", "shifts")

    def __init__(
        self, firsts: Firsts, shifts: bytes, details: Details, terms: Sequence[Terms], pause: Pause
    ) -> None:
        super().__init__(firsts, details, terms)
        self.shifts = shifts
        self.parents = _parents(firsts.values, shifts, pause)

    def find(self, address: int, now: float) -> int:
        """The row that decides about an address, or -1."""
        row = self.locate(address)
        values, shifts, parents = self.values, self.shifts, self.parents
        expires = self.details.expires
        while row >= 0:
            if not (address ^ values[row]) >> shifts[row] and (
                expires is None or now < expires[row]
            ):
                return row
            row = parents[row]
        return -1

    def around(self, address: int) -> Iterator[int]:
        """Every row that covers an address, expired or not, in the order in which they decide."""
        row = self.locate(address)
        while row >= 0:
            if not (address ^ self.values[row]) >> self.shifts[row]:
                yield row
            row = self.parents[row]

    def span(self, first: int, shift: int) -> tuple[int, int]:
        """The rows of exactly one target, as a range."""
        start, end = self.firsts.span(first)
        while start < end and self.shifts[start] > shift:
            start += 1
        while start < end and self.shifts[end - 1] < shift:
            end -= 1
        return start, end

    def shift(self, row: int) -> int:
        """How many bits of an address the row's target leaves open."""
        return self.shifts[row]

    def hit(self, row: int, bits: int) -> Hit:
        """The hit on a row of a table of 32 or 128 bits."""
        return self._hit(row, bits - self.shifts[row], single=False)


def _parents(values: Numbers, shifts: bytes, pause: Pause) -> "array[int]":
    """For each row the next one around it, -1 for none."""
    parents = array("i")
    around: list[int] = []
    for row in range(len(shifts)):
        first = values[row]
        while around and (first ^ values[around[-1]]) >> shifts[around[-1]]:
            around.pop()
        parents.append(around[-1] if around else -1)
        around.append(row)
        if row % _STEP == 0:
            pause()
    return parents
