"""Whether a target is safe to block, by what was seen of it: a plain word, and the reasons.

    dangerous  mail that people want would be lost, or a guard stands before it
    caution    some mail was accepted, or what was seen does not tell
    safe       a log was read, and no mail of these clients was accepted

The number of accepted messages decides, and how many clients they came from: one message, or two
from one client, may well be the spam on account of which somebody wants to block it.

    >>> facts = Facts("198.51.100.0/24", days=30, clients=41, senders=3, accepted=1204)
    >>> word, reasons = judge(facts)
    >>> print(word, "-", reasons[0])
    dangerous - 3 clients delivered 1,204 accepted messages in 30 days: they would be rejected
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.narrow import SITE, Network, narrowest

MANY_MESSAGES, MANY_SENDERS = 10, 3
"""From here on mail was accepted too often to be spam that slipped through."""
AT_MOST = 8
EXCEPTIONS = 10
"""Allow listings that are still worth making for one block."""
_UNIT = 64
"""IPv6 is counted in networks of this length: each is one customer's.  Within one there are single
addresses only."""


class Word(StrEnum):
    """The three judgements."""

    SAFE = "safe"
    CAUTION = "caution"
    DANGEROUS = "dangerous"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a target.

    Attributes:
        target: its text.
        days: the days that were looked back.
        danger: why a guard stands before it, as the end of a sentence.
        wide_name: whether it is a top-level domain.
        shared_name: whether it is another public suffix, with all under it.
        provider: a mail provider that sends from it, empty for none that is known.
        clients: how many were seen.
        senders: how many of them delivered mail that was accepted, without those that an allow
            listing keeps.
        accepted: how many messages these delivered.
        unlogged: contacts of which only a lookup is known.
        logged: whether any server's log was read in these days.
        reaches: since when all was looked at, in words; empty when that is the whole time.
    """

    target: str
    days: int
    danger: str = ""
    wide_name: bool = False
    shared_name: bool = False
    provider: str = ""
    clients: int = 0
    senders: int = 0
    accepted: int = 0
    unlogged: int = 0
    logged: bool = True
    reaches: str = ""


def judge(facts: Facts) -> tuple[Word, list[str]]:
    """The word and the reasons, the gravest first; a safe target has none."""
    found = sorted(_reasons(facts), key=lambda one: _ORDER.index(one[0]))
    return (found[0][0] if found else Word.SAFE), [text for _, text in found]


_ORDER = (Word.DANGEROUS, Word.CAUTION, Word.SAFE)


def _reasons(facts: Facts) -> Iterable[tuple[Word, str]]:
    if facts.senders:
        many = facts.accepted >= MANY_MESSAGES or facts.senders >= MANY_SENDERS
        yield Word.DANGEROUS if many else Word.CAUTION, _lost(facts)
    if facts.danger:
        yield Word.DANGEROUS, f"{facts.target} {facts.danger}"
    if facts.shared_name:
        # Nobody takes .top for one sender's; whose names these are does not show in them.
        reason = "is a public suffix: strangers have names of their own below it"
        yield Word.DANGEROUS, f"{facts.target} {reason}"
    if facts.wide_name:
        reason = "is a top-level domain: senders use it who have nothing in common"
        yield Word.CAUTION, f"{facts.target} {reason}"
    if facts.provider:
        reason = f"holds addresses of {facts.provider}, by which many people send mail"
        yield Word.CAUTION, f"{facts.target} {reason}"
    if not facts.logged:
        yield Word.CAUTION, _unlogged(facts)
    elif facts.unlogged:
        of = f"of {_number(facts.unlogged, 'contact')} only the lookup is known"
        yield Word.CAUTION, f"{of}: whether mail was accepted is not"
    if facts.reaches:
        reason = f"the numbers are those since {facts.reaches}"
        yield Word.CAUTION, f"there is too much to look at all of it: {reason}"


def _lost(facts: Facts) -> str:
    clients, they = ("client", "it") if facts.senders == 1 else ("clients", "they")
    return (
        f"{facts.senders:,} {clients} delivered {_number(facts.accepted, 'accepted message')} "
        f"in {_number(facts.days, 'day')}: {they} would be rejected"
    )


def _unlogged(facts: Facts) -> str:
    if facts.unlogged:
        return (
            "no mail log was read in this time: who asked is known from lookups, "
            "whether mail was accepted is not"
        )
    return f"nothing was seen in {_number(facts.days, 'day')}, so nothing is known of its mail"


class Client(NamedTuple):
    """A client that a listing would have hit; there may be thousands, hence a tuple.

    Attributes:
        address: what it came from.
        stopped: how often it was turned away.
        accepted: how many messages it delivered that were accepted.
        kept: whether an allow listing keeps it whatever is blocked around it.
    """

    address: NetworkTarget
    stopped: int = 0
    accepted: int = 0
    kept: bool = False

    @property
    def lost(self) -> bool:
        """Whether accepted mail would be lost with it."""
        return self.accepted > 0 and not self.kept


@dataclass(frozen=True, slots=True)
class Narrower:
    """Networks to block instead of a wider one.

    Attributes:
        networks: these.
        stops: how many contacts they would have stopped.
        of: how many the wider one would have stopped.
    """

    networks: tuple[NetworkTarget, ...]
    stops: int
    of: int


def narrower(
    target: NetworkTarget, clients: Sequence[Client], spare: Iterable[NetworkTarget] = ()
) -> Narrower | None:
    """The narrowest networks inside that stop most of the abuse and no accepted sender.

    None where they would stop less than half of it, or are hardly narrower than the target.

    Args:
        target: the network that was thought of.
        clients: those seen in it.
        spare: further addresses that are not to be touched.
    """
    hit = [one for one in clients if not one.kept]
    abuse = [one for one in hit if one.stopped and not one.accepted]
    total = sum(one.stopped for one in hit)
    free = _UNIT if target.version == 6 and target.prefix < _UNIT else 0
    bits = target.bits - free
    sums: dict[int, int] = {}
    for one in abuse:
        unit = one.address.first >> free
        sums[unit] = sums.get(unit, 0) + one.stopped
    spared = [one.address.first >> free for one in clients if one.lost]
    spared += [one.first >> free for one in spare if target.covers(one.version, one.first)]
    # Nothing grows beyond the target.
    least = 0 if free else min(SITE[target.version], target.bits - target.prefix)
    found = narrowest(sums.items(), spared, bits, at_most=AT_MOST, least=least)
    networks = tuple(
        NetworkTarget(target.version, value << free, prefix) for value, prefix in found
    )
    stops = _inside(sums, found, bits)
    size = sum(1 << (one.bits - one.prefix) for one in networks)
    if not networks or 2 * stops < total or 2 * size > 1 << (target.bits - target.prefix):
        return None
    return Narrower(networks, stops, total)


def exceptions(clients: Iterable[Client]) -> tuple[NetworkTarget, ...]:
    """The clients to allow inside a block; none when there are too many of them."""
    found = [one.address for one in clients if one.lost]
    return tuple(sorted(found)) if len(found) <= EXCEPTIONS else ()


def _inside(sums: Mapping[int, int], networks: Iterable[Network], bits: int) -> int:
    """The sum of those that lie in one of some networks, none of which lies in another."""
    firsts: dict[int, set[int]] = {}
    for first, prefix in networks:
        firsts.setdefault(bits - prefix, set()).add(first >> (bits - prefix))
    return sum(
        count
        for shift, some in firsts.items()
        for unit, count in sums.items()
        if unit >> shift in some
    )


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
