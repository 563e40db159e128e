"""How a verdict is reached: the one place that knows who outranks whom.

For one client on one server, of the listings in force that cover the client:

1. If people's listings cover it, the most specific target decides; at equal specificity the
   server's beats the account's; then allow beats block.
2. Else a trigger's or feed's allow decides, if there is one.
3. Else a trigger's or feed's block.  Else there is no verdict.

While blocking is paused for the server or its account, a block that decides becomes none; an allow
stays one.

So a person outranks a machine, an exception inside a network works, a server can differ from its
account, and nothing automatic overrides an allow.  The index answers the same question quickly; a
property test holds it against this module, and this module against a naive reading of the rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mailmum.domain.clients import Subject
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing, Source


class Word(StrEnum):
    """The three verdicts."""

    BLOCK = "block"
    ALLOW = "allow"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict that explains itself.

    Attributes:
        word: block, allow or none.
        because: the listing that decided, None without a verdict.
        overruled: the other listings in force that cover the client, by rank.
    """

    word: Word
    because: Listing | None = None
    overruled: tuple[Listing, ...] = ()


NO_VERDICT = Verdict(Word.NONE)


def rank(listing: Listing) -> tuple[int, ...]:
    """A sort key under which the listing that decides comes first.

    Machines' listings need no order by target: an allow of any width beats every block.  They are
    ranked by it all the same after that, so that the narrowest is named as the reason, and by
    number last, so that the answer never depends on the order of storage.
    """
    blocks = int(listing.action is Action.BLOCK)
    narrow = -listing.target.specificity
    wide_scope = int(listing.scope == WHOLE_ACCOUNT)
    if listing.source is Source.PERSON:
        return (0, narrow, wide_scope, blocks, listing.id)
    return (1, blocks, narrow, wide_scope, listing.id)


def gather(
    listings: Iterable[Listing], subject: Subject, account: int, server: int, now: float
) -> list[Listing]:
    """The listings in force that cover the subject on this server.  About loopback: none."""
    if subject.is_loopback:
        return []
    return [
        listing
        for listing in listings
        if listing.holds_for(account, server)
        and listing.in_force(now)
        and subject.covered_by(listing.target)
    ]


def decide(covering: Iterable[Listing]) -> Verdict:
    """The verdict on one address or one name from the listings that `gather` gave."""
    ranked = sorted(covering, key=rank)
    if not ranked:
        return NO_VERDICT
    first, *others = ranked
    return Verdict(Word(first.action.value), first, tuple(others))


def paused(verdict: Verdict) -> Verdict:
    """The verdict while nothing is blocked: a block becomes none, and its reason is overruled."""
    if verdict.because is None or verdict.word is not Word.BLOCK:
        return verdict
    return Verdict(Word.NONE, overruled=(verdict.because, *verdict.overruled))


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict from those on a client's address and on its names: allow beats block."""
    given = [verdict for verdict in verdicts if verdict.because is not None]
    if not given:
        return NO_VERDICT
    given.sort(key=lambda verdict: verdict.word is not Word.ALLOW)
    first, *others = given
    overruled = list(first.overruled)
    for other in others:
        overruled += [] if other.because is None else [other.because]
        overruled += other.overruled
    return Verdict(first.word, first.because, tuple(overruled))
