"""What a listing would be and meet, before it is made: the check beside the form.

It reads and decides nothing: whether a listing is made is the service's to say, with the same
guards.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DatabaseError

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.queries import target_of
from mailmum.control.listings.search import latest_met
from mailmum.control.monitor.checked import Check
from mailmum.control.monitor.impact import check
from mailmum.control.servers.queries import names_of_servers, own_servers
from mailmum.domain import guards
from mailmum.domain.errors import BadInput, NeedsConfirmation, NotFound
from mailmum.domain.guards import OwnServer
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.targets import NetworkTarget, Target, parse_target
from mailmum.traffic.impact import Word
from mailmum.web.impact import Impact, impact_of
from mailmum.web.rows import ListingRow, listing_rows
from mailmum.web.words import describe

log = logging.getLogger(__name__)

TARGETS_SHOWN = 20
GUARDED_SHOWN = 100
"""Targets beyond those that a guard stands before; they are shown too."""
MET_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Met:
    """A listing that stands already and what the new one is to it."""

    row: ListingRow
    relation: str


@dataclass(frozen=True, slots=True)
class Item:
    """One target of several.

    Attributes:
        text: the target, canonical where it could be read.
        what: what it is and how much it covers.
        fault: why it is refused, empty when it is not.
        danger: why a guard wants a confirmation, empty when none does.
        impact: whom a block would hit; None for an allow, or when that is not known.
        unknown: whether traffic could not be read.
        met: listings that cover it or lie inside it.
        more: how many further ones there are; None: over a thousand.
    """

    text: str
    what: str = ""
    fault: str = ""
    danger: str = ""
    impact: Impact | None = None
    unknown: bool = False
    met: tuple[Met, ...] = ()
    more: int | None = 0

    @property
    def dangerous(self) -> bool:
        """Whether it takes a second step."""
        lost = self.impact is not None and self.impact.check.verdict is Word.DANGEROUS
        return bool(self.danger) or lost


@dataclass(frozen=True, slots=True)
class Preview:
    """The check of all targets.

    Attributes:
        items: the first of them, and further ones that a guard stands before.
        more: how many there are besides.
        blocks: whether they are to be blocked.
        all_guarded: whether all that a guard stands before are among the items.
    """

    items: tuple[Item, ...]
    more: int = 0
    blocks: bool = True
    all_guarded: bool = True

    @property
    def title(self) -> str:
        """What the button names: the target, or how many there are."""
        if len(self.items) == 1:
            return self.items[0].text
        count = len(self.items) + self.more
        return f"{count:,} targets" if count else ""

    @property
    def single(self) -> bool:
        """Whether there is but one, with room for all about it."""
        return len(self.items) == 1 and not self.more

    @property
    def dangers(self) -> list[Item]:
        """Those that take a second step."""
        return [item for item in self.items if item.dangerous]

    @property
    def senders(self) -> int:
        """How many clients would lose mail that is accepted."""
        return sum(len(item.impact.lost) for item in self.items if item.impact)

    @property
    def phrase(self) -> str:
        """What is to be typed before this is done; empty when nothing is."""
        if not self.blocks or not self.dangers:
            return ""
        return self.dangers[0].text if len(self.items) == 1 else f"block {self.title}"

    def is_typed(self, given: str) -> bool:
        """Whether somebody typed what is to be typed."""
        typed = " ".join(given.split()).lower()
        return typed == self.phrase.lower() or _canonical(typed) == self.phrase


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all targets of a check share."""

    reading: Reading
    action: Action
    server: str
    own: list[OwnServer]
    servers: dict[int, str]
    asks: bool

    @property
    def scope(self) -> int | None:
        """Number of the server; of one that is gone the account, None for all."""
        if not self.server:
            return None
        # Servers that were removed may have had the name before.
        named = (number for number, name in self.servers.items() if name == self.server)
        return max(named, default=WHOLE_ACCOUNT)


def preview(
    reading: Reading, texts: Sequence[str], action: Action, server: str | None = None
) -> Preview:
    """Check targets as people wrote them; an empty list gives an empty check.

    Args:
        reading: proof that the asker may read.
        texts: the targets.
        action: what is to be done to them.
        server: name of the server it is to hold for, None for all.
    """
    given = list(dict.fromkeys(texts))
    own, servers = own_servers(reading), names_of_servers(reading)
    # One may wait for a name from the DNS; twenty would add up.
    plan = _Plan(reading, action, server or "", own, servers, asks=len(given) == 1)
    items = [_item(plan, text) for text in given[:TARGETS_SHOWN]]
    guarded = [item for text in given[TARGETS_SHOWN:] if (item := _guarded(plan, text))]
    items += guarded[:GUARDED_SHOWN]
    return Preview(
        tuple(items),
        len(given) - len(items),
        action is Action.BLOCK,
        len(guarded) <= GUARDED_SHOWN,
    )


def _guarded(plan: _Plan, text: str) -> Item | None:
    """A target before which a guard stands; None for all others, and for what is none."""
    try:
        target = parse_target(text)
        danger = _danger(target, plan)
    except BadInput:
        return None
    return Item(target.text, describe(target), danger=danger) if danger else None


def _canonical(text: str) -> str:
    try:
        return parse_target(text).text
    except BadInput:
        return ""


def _item(plan: _Plan, text: str) -> Item:
    try:
        target = parse_target(text)
        danger = _danger(target, plan)
    except BadInput as refusal:
        return Item(text, fault=str(refusal))
    found, count = latest_met(plan.reading, target, plan.scope, MET_SHOWN)
    rows = listing_rows(found, plan.servers, time.time())
    met = tuple(Met(row, _relation(target, plan.server, row)) for row in rows)
    impact, unknown = _impact(target, plan)
    return Item(
        target.text,
        describe(target),
        "",
        danger,
        impact,
        unknown,
        met,
        None if count is None else count - len(met),
    )


def _impact(target: Target, plan: _Plan) -> tuple[Impact | None, bool]:
    """Whom it would hit, and whether that could not be found out."""
    if plan.action is not Action.BLOCK:
        return None, False
    try:
        found: Check = check(plan.reading, target, plan.server or None, asks=plan.asks)
    except DatabaseError as error:
        log.warning("whom a listing would hit cannot be read: %s", error)
        return None, True
    except NotFound:
        # A server that was removed while the form stood open: the form says so.
        return None, False
    return impact_of(plan.reading, found), False


def _danger(target: Target, plan: _Plan) -> str:
    try:
        guards.check(target, plan.action, Source.PERSON, plan.own)
    except NeedsConfirmation as refusal:
        return refusal.problem
    return ""


def _relation(target: Target, server: str, row: ListingRow) -> str:
    """What the new listing is to one that stands (the order of `domain.verdicts`)."""
    other = target_of(row.version)
    if row.machine:
        return "yours outranks it"
    if target != other:
        return (
            "wider: yours decides inside it"
            if _is_wider(other, target)
            else "inside: it goes on deciding there"
        )
    if row.server == server:
        return "the same target: this listing will be changed"
    return (
        f"the same target: yours decides on {server}"
        if server
        else f"the same target: it goes on deciding on {row.server}"
    )


def _is_wider(target: Target, than: Target) -> bool:
    if isinstance(target, NetworkTarget) and isinstance(than, NetworkTarget):
        return target.prefix < than.prefix
    return target.specificity < than.specificity
