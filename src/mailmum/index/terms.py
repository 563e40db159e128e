"""What is answered about a listing, and how listings are told apart before they are looked up.

Most listings of a table say the same: same action, source, origin, reason and code.  These are its
terms; they are stored once, and a row of a table holds only their number.

Listings are looked up by tier, in the order in which tiers decide (see `domain.verdicts`): people's
first, then what machines allow, then what machines block.  Within a tier the narrowest target
decides, so a table of one tier needs no other order than that of its targets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from mailmum.domain.listings import Action, Listing, Source


class Tier(IntEnum):
    """Who decides before whom."""

    PEOPLE = 0
    MACHINES_ALLOW = 1
    MACHINES_BLOCK = 2


def tier_of(listing: Listing) -> Tier:
    """The tier in which a listing is looked up."""
    if listing.source is Source.PERSON:
        return Tier.PEOPLE
    return Tier.MACHINES_ALLOW if listing.action is Action.ALLOW else Tier.MACHINES_BLOCK


def rank(action: Action, number: int) -> tuple[bool, int]:
    """Which of several listings of one target in one table decides: the one of lowest rank."""
    return (action is Action.BLOCK, number)


def rank_of(listing: Listing) -> tuple[bool, int]:
    """The rank of a listing."""
    return rank(listing.action, listing.id)


@dataclass(frozen=True, slots=True)
class Terms:
    """What many listings have in common; the fields are those of `Listing`."""

    action: Action
    source: Source
    origin: str
    reason: str
    code: int | None


@dataclass(slots=True)
class Hit:
    """The listing that decides, as far as an answer needs it.

    A new one is made at every hit, and a frozen one would take three times as long to make.

    Attributes:
        id: number of the listing.
        action: block or allow.
        source: who made it.
        single: whether it is about one address or host, rather than a network or domain.
        code: its own return code as a 32-bit integer, or None.
        reason: public text, may be empty.
        expires: Unix time in seconds from which it no longer holds, or None.
        origin: name of the trigger or feed, empty for a person.
        specificity: that of its target; of two hits in one tier the greater decides.
    """

    id: int
    action: Action
    source: Source
    single: bool
    code: int | None
    reason: str
    expires: int | None
    origin: str
    specificity: int


def hit_of(listing: Listing, specificity: int, *, single: bool) -> Hit:
    """The hit on a listing that is at hand as a whole."""
    return Hit(
        listing.id,
        listing.action,
        listing.source,
        single,
        listing.code,
        listing.reason,
        listing.expires,
        listing.origin,
        specificity,
    )


class Pool:
    """Terms by number, each stored once."""

    __slots__ = ("_numbers", "terms")

    def __init__(self, terms: Iterable[Terms] = ()) -> None:
        self.terms = list(terms)
        self._numbers = {
            (said.action, said.source, said.origin, said.reason, said.code): number
            for number, said in enumerate(self.terms)
        }

    def number(self, listing: Listing) -> int:
        """The number of the listing's terms, new if they are."""
        key = (listing.action, listing.source, listing.origin, listing.reason, listing.code)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.terms)
            self.terms.append(Terms(*key))
        return number
