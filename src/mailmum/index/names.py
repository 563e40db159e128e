"""A table of host names and domains.

Names are found by hash, and a hash table takes changes where it stands: there is no overlay and
nothing to merge.  A lookup asks for the host, then for the domain of that name and of every name
above it, so the first answer is the most specific.

Rows are columns here too, since a million small objects would make every garbage collection a
pause.  A dictionary gives the row that decides about a name; where several listings have the same
target, each row knows the next.  Rows of listings that are gone are used again.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mailmum.domain.listings import Action, Listing
from mailmum.domain.names import parents
from mailmum.domain.targets import NameTarget
from mailmum.index.below import Below
from mailmum.index.rows import NEVER
from mailmum.index.terms import Hit, Pool, Terms, rank

_SPARE_TERMS = 64


@dataclass(frozen=True, slots=True)
class NameColumns:
    """The rows of a table of names, side by side.

    Attributes:
        hosts: names of the first rows; those of one target together, the one that decides first.
        domains: names of the other rows, likewise.
        ids: numbers of the listings, by row.
        kinds: numbers of their terms, by row.
        expires: when they end, by row, in Unix seconds (`NEVER` for those that don't).
        terms: the terms by number.
    """

    hosts: Sequence[str]
    domains: Sequence[str]
    ids: "array[int]"
    kinds: "array[int]"
    expires: "array[int]"
    terms: Sequence[Terms]


@dataclass(frozen=True, slots=True)
class CapturedNames:
    """A table of names at one moment; all that could change is a copy."""

    hosts: dict[str, int]
    domains: dict[str, int]
    following: dict[int, int]
    rows: NameColumns

    def columns(self) -> NameColumns:
        """The rows that are in use."""
        names: dict[bool, list[str]] = {False: [], True: []}
        rows = array("Q")
        for whole, heads in ((False, self.hosts), (True, self.domains)):
            for name, head in heads.items():
                for row in _chain(head, self.following):
                    names[whole].append(name)
                    rows.append(row)
        return NameColumns(
            names[False],
            names[True],
            array("Q", map(self.rows.ids.__getitem__, rows)),
            array("I", map(self.rows.kinds.__getitem__, rows)),
            array("q", map(self.rows.expires.__getitem__, rows)),
            self.rows.terms,
        )


class NameTable:
    """Listings of names, of one tier in one scope.

    Args:
        account: number of the account.
        scope: `WHOLE_ACCOUNT` or number of a server.
    """

    __slots__ = (
        "_account",
        "_below",
        "_expires",
        "_following",
        "_free",
        "_heads",
        "_ids",
        "_kinds",
        "_pool",
        "_scope",
    )

    def __init__(self, account: int, scope: int) -> None:
        self._account = account
        self._scope = scope
        # Hosts, then domains: a name's row that decides.
        self._heads: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._following: dict[int, int] = {}
        self._ids = array("Q")
        self._kinds = array("I")
        self._expires = array("q")
        self._free: list[int] = []
        self._pool = Pool()
        self._below = {action: Below() for action in Action}

    def __len__(self) -> int:
        return len(self._ids) - len(self._free)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is listed."""
        return not len(self)

    def find(self, name: str, now: float) -> Hit | None:
        """The listing in force that decides about a name."""
        hosts, domains = self._heads
        head = hosts.get(name)
        if head is not None and (row := self._first_in_force(head, now)) is not None:
            return self._hit(NameTarget(name, whole=False), row)
        rest, dot = name, "." if domains else ""
        while dot:
            head = domains.get(rest)
            if head is not None and (row := self._first_in_force(head, now)) is not None:
                return self._hit(NameTarget(rest, whole=True), row)
            _, dot, rest = rest.partition(".")
        return None

    def below(self, action: Action) -> Below:
        """Which names have listings of this action below."""
        return self._below[action]

    def rows(self) -> Iterator[tuple[str, bool, Terms | None, int]]:
        """Every target: its name, whether whole, terms and end; None for terms where they differ.

        That is where it has several listings.
        """
        for whole, heads in ((False, self._heads[0]), (True, self._heads[1])):
            for name, row in heads.items():
                if row in self._following:
                    yield name, whole, None, NEVER
                else:
                    yield name, whole, self._terms(row), self._expires[row]

    def listings_at(self, target: NameTarget) -> list[Listing]:
        """The listings of one target, in the order in which they decide."""
        return [self._listing(target, row) for row in self._rows_of(target)]

    def covering(self, name: str, now: float) -> Iterator[Listing]:
        """Every listing in force that covers a name."""
        for target, row in self._around(name):
            if now < self._expires[row]:
                yield self._listing(target, row)

    def any_below(self, name: str, action: Action, now: float) -> bool:
        """Whether a listing in force with that action is of a name strictly below."""
        return self._below[action].any(name, now)

    def put(self, listing: Listing, target: NameTarget) -> None:
        """Add a listing; one of the same number and target is replaced."""
        self.remove(listing.id, target)
        rows = [*self._rows_of(target), self._new_row(listing)]
        self._link(target, sorted(rows, key=self._rank))
        self._below[listing.action].add(target.name, listing.expires)

    def remove(self, number: int, target: NameTarget) -> None:
        """Remove a listing, if it is there."""
        rows = self._rows_of(target)
        gone = [row for row in rows if self._ids[row] == number]
        if not gone:
            return
        self._link(target, [row for row in rows if row not in gone])
        for row in gone:
            self._below[self._terms(row).action].remove(target.name, self._ends(row))
            self._following.pop(row, None)
            self._free.append(row)

    def restore(self, columns: NameColumns) -> None:
        """Fill an empty table.

        Raises:
            ValueError: the rows of one target do not stand together.
        """
        self._pool = Pool(columns.terms)
        self._ids, self._kinds, self._expires = columns.ids, columns.kinds, columns.expires
        row = 0
        for heads, names in zip(self._heads, (columns.hosts, columns.domains), strict=True):
            for at, name in enumerate(names):
                if heads.setdefault(name, row) != row:
                    if names[at - 1] != name:
                        raise ValueError(f"rows of {name} do not stand together")
                    self._following[row - 1] = row
                self._below[self._terms(row).action].add(name, self._ends(row))
                row += 1

    def capture(self) -> CapturedNames:
        """The table as it is, for a snapshot: copied at the speed of memory."""
        hosts, domains = self._heads
        rows = NameColumns(
            (), (), self._ids[:], self._kinds[:], self._expires[:], tuple(self._pool.terms)
        )
        return CapturedNames(hosts.copy(), domains.copy(), self._following.copy(), rows)

    def _around(self, name: str) -> Iterator[tuple[NameTarget, int]]:
        """Rows of every target that covers a name, in the order in which they decide."""
        hosts, domains = self._heads
        head = hosts.get(name)
        if head is not None:
            target = NameTarget(name, whole=False)
            for row in _chain(head, self._following):
                yield target, row
        if not domains:
            return
        for parent in parents(name):
            head = domains.get(parent)
            if head is not None:
                target = NameTarget(parent, whole=True)
                for row in _chain(head, self._following):
                    yield target, row

    def _first_in_force(self, head: int, now: float) -> int | None:
        for row in _chain(head, self._following):
            if now < self._expires[row]:
                return row
        return None

    def _rows_of(self, target: NameTarget) -> list[int]:
        head = self._heads[target.whole].get(target.name)
        return [] if head is None else list(_chain(head, self._following))

    def _link(self, target: NameTarget, rows: Sequence[int]) -> None:
        """Make these the rows of a target, in this order."""
        heads = self._heads[target.whole]
        if not rows:
            del heads[target.name]
            return
        heads[target.name] = rows[0]
        for row, following in pairwise(rows):
            self._following[row] = following
        self._following.pop(rows[-1], None)

    def _new_row(self, listing: Listing) -> int:
        if len(self._pool.terms) > 2 * len(self._ids) + _SPARE_TERMS:
            self._forget_unused_terms()
        kind = self._pool.number(listing)
        expires = NEVER if listing.expires is None else listing.expires
        if not self._free:
            self._ids.append(listing.id)
            self._kinds.append(kind)
            self._expires.append(expires)
            return len(self._ids) - 1
        row = self._free.pop()
        self._ids[row], self._kinds[row], self._expires[row] = listing.id, kind, expires
        return row

    def _forget_unused_terms(self) -> None:
        used = sorted(set(self._kinds))
        numbers = {old: new for new, old in enumerate(used)}
        self._pool = Pool(self._pool.terms[kind] for kind in used)
        self._kinds = array("I", map(numbers.__getitem__, self._kinds))

    def _terms(self, row: int) -> Terms:
        return self._pool.terms[self._kinds[row]]

    def _ends(self, row: int) -> int | None:
        end = self._expires[row]
        return None if end == NEVER else end

    def _rank(self, row: int) -> tuple[bool, int]:
        return rank(self._terms(row).action, self._ids[row])

    def _hit(self, target: NameTarget, row: int) -> Hit:
        said = self._terms(row)
        return Hit(
            self._ids[row],
            said.action,
            said.source,
            not target.whole,
            said.code,
            said.reason,
            self._ends(row),
            said.origin,
            target.specificity,
        )

    def _listing(self, target: NameTarget, row: int) -> Listing:
        said = self._terms(row)
        return Listing(
            id=self._ids[row],
            account=self._account,
            scope=self._scope,
            action=said.action,
            target=target,
            source=said.source,
            origin=said.origin,
            reason=said.reason,
            code=said.code,
            expires=self._ends(row),
        )


def _chain(head: int, following: dict[int, int]) -> Iterator[int]:
    row: int | None = head
    while row is not None:
        yield row
        row = following.get(row)
