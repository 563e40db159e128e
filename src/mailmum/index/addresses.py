"""A table of addresses and networks: a settled base, and over it what has changed since.

The overlay holds, for every target that has changed, all its listings as they now are; where a
target stands in the overlay, rows of the base with that very target count no more.  So a change
takes effect at once, costs a few microseconds whatever the size of the base, and made twice is the
same.  Lookups in a table without overlay pay nothing for it.

A merge runs in three parts: `capture` notes base and overlay, `Base.merged` computes elsewhere, and
`settle` puts the new base in place and drops from the overlay what has not changed meanwhile.  A
target whose listings are all gone keeps its empty place in the overlay until then, because a merge
that is under way may be about to bring them back.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.base import Base, Place, Replaced, place_of
from mailmum.index.rows import Rows
from mailmum.index.terms import Hit, hit_of, rank_of

_MOST_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Captured:
    """A table at one moment: its base, and the overlay over it."""

    base: Base
    replaced: Replaced


class AddressTable:
    """Listings of one tier in one scope, of one version of IP.

    Args:
        base: what is known at the start.
        account: number of the account.
        scope: `WHOLE_ACCOUNT` or number of a server.
    """

    __slots__ = ("_account", "_levels", "_scope", "base", "overlay_size")

    def __init__(self, base: Base, account: int, scope: int) -> None:
        self.base = base
        self.overlay_size = 0
        self._account = account
        self._scope = scope
        # By bits left open, narrowest first; then by the address without them.
        self._levels: dict[int, dict[int, tuple[Listing, ...]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is listed, and nothing is in the overlay."""
        return not self._levels and not len(self.base)

    def find(self, address: int, now: float) -> Hit | None:
        """The listing in force that decides about an address."""
        if not self.overlay_size:
            return self.base.find(address, now)
        return self._find_in_both(address, now)

    def covering(self, address: int, now: float) -> Iterator[Listing]:
        """Every listing in force that covers an address."""
        for _, listing in self._overlay_around(address, now):
            yield listing
        for rows, row in self._in_force(self.base.around(address), now):
            yield rows.listing(row, self.base.bits, self._account, self._scope)

    def overlaps(self, target: NetworkTarget, action: Action, now: float) -> bool:
        """Whether a listing in force with that action overlaps the target.

        Looks at a bounded number of listings; when there are more of another action, or expired,
        the answer is yes.  That suits its use: where something may lie below a name, "no data"
        does no harm, but "no such name" would hide what lies there (RFC 8020).
        """
        looked_at = list(islice(self._overlapping(target, now), _MOST_LOOKED_AT))
        return action in looked_at or len(looked_at) == _MOST_LOOKED_AT

    def put(self, listing: Listing, target: NetworkTarget) -> None:
        """Add a listing; one of the same number and target is replaced."""
        place = place_of(target)
        others = (other for other in self._listings_at(place) if other.id != listing.id)
        self._replace(place, tuple(sorted((*others, listing), key=rank_of)))

    def remove(self, number: int, target: NetworkTarget) -> None:
        """Remove a listing, if it is there."""
        place = place_of(target)
        listings = self._listings_at(place)
        kept = tuple(listing for listing in listings if listing.id != number)
        if len(kept) != len(listings):
            self._replace(place, kept)

    def capture(self) -> Captured:
        """The table as it is, for a merge or a snapshot."""
        return Captured(self.base, dict(self.replaced()))

    @property
    def levels(self) -> Collection[int]:
        """How many bits are left open by the targets in the overlay."""
        return self._levels.keys()

    def replaced(self) -> Iterator[tuple[Place, tuple[Listing, ...]]]:
        """The overlay: targets that have changed since the base was made, as they are now."""
        for shift, level in self._levels.items():
            for number, listings in level.items():
                yield (shift, number), listings

    def replaced_at(self, place: Place) -> tuple[Listing, ...] | None:
        """The listings of a target in the overlay, None when it is not there."""
        return self._levels.get(place[0], {}).get(place[1])

    def settle(self, captured: Captured, merged: Base) -> bool:
        """Take over a merged base, unless another one came before it; whether it was taken."""
        if self.base is not captured.base:
            return False
        self.base = merged
        for (shift, number), listings in captured.replaced.items():
            level = self._levels[shift]
            if level[number] is listings:
                del level[number]
                self.overlay_size -= 1
                if not level:
                    del self._levels[shift]
        return True

    def _find_in_both(self, address: int, now: float) -> Hit | None:
        bits = self.base.bits
        hit = self.base.find(address, now)
        if hit is not None:
            shift = bits - hit.specificity
            if shift in self._levels and address >> shift in self._levels[shift]:
                found = next(self._in_force(self.base.around(address), now), None)
                hit = None if found is None else found[0].hit(found[1], bits)
        for shift, level in self._levels.items():
            if hit is not None and hit.specificity > bits - shift:
                break
            for listing in level.get(address >> shift, ()):
                if listing.in_force(now):
                    return hit_of(listing, bits - shift, single=shift == 0)
        return hit

    def _in_force(
        self, found: Iterator[tuple[Rows, int]], now: float
    ) -> Iterator[tuple[Rows, int]]:
        """Those rows of the base that count at `now`."""
        for rows, row in found:
            if rows.details.in_force(row, now) and not self._is_replaced(
                self.base.place(rows, row)
            ):
                yield rows, row

    def _overlay_around(self, address: int, now: float) -> Iterator[tuple[int, Listing]]:
        """Listings of the overlay that cover an address, each with the bits it leaves open."""
        for shift, level in self._levels.items():
            for listing in level.get(address >> shift, ()):
                if listing.in_force(now):
                    yield shift, listing

    def _overlapping(self, target: NetworkTarget, now: float) -> Iterator[Action | None]:
        """Actions of listings that overlap a target; None for what was looked at in vain."""
        around = self.base.around(target.first)
        wider = ((rows, row) for rows, row in around if rows.values[row] != target.first)
        for found in (wider, self.base.within(target.first, target.last)):
            for rows, row in found:
                holds = rows.details.in_force(row, now)
                counts = holds and not self._is_replaced(self.base.place(rows, row))
                yield rows.terms[rows.details.kinds[row]].action if counts else None
        open_bits, wanted = place_of(target)
        for shift, level in self._levels.items():
            if shift >= open_bits:
                yield from _actions(level.get(target.first >> shift, ()), now)
                continue
            for number, listings in level.items():
                inside = number >> (open_bits - shift) == wanted
                yield from _actions(listings, now) if inside else (None,)

    def _listings_at(self, place: Place) -> tuple[Listing, ...]:
        shift, number = place
        listings = self._levels.get(shift, {}).get(number)
        if listings is None:
            return self.base.exactly(place, self._account, self._scope)
        return listings

    def _is_replaced(self, place: Place) -> bool:
        level = self._levels.get(place[0])
        return level is not None and place[1] in level

    def _replace(self, place: Place, listings: tuple[Listing, ...]) -> None:
        shift, number = place
        level = self._levels.get(shift)
        if level is None:
            level = {}
            self._levels = dict(sorted([*self._levels.items(), (shift, level)]))
        self.overlay_size += number not in level
        level[number] = listings


def _actions(listings: Iterable[Listing], now: float) -> Iterator[Action | None]:
    for listing in listings:
        yield listing.action if listing.in_force(now) else None
