"""What a listing would be and meet, before it is made: the check beside the form.

It reads and decides nothing: whether a listing is made is the service's to say, with the same
guards.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.queries import target_of
from mailmum.control.listings.search import meets
from mailmum.control.servers.queries import names_of_servers, own_servers
from mailmum.domain import guards
from mailmum.domain.errors import BadInput, NeedsConfirmation
from mailmum.domain.guards import OwnServer
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.targets import NetworkTarget, Target, parse_target
from mailmum.web.rows import ListingRow, listing_rows
from mailmum.web.words import describe

TARGETS_SHOWN = 20
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
        danger: why it needs a confirmation, empty when it needs none.
        met: listings that cover it or lie inside it.
        more: how many further ones there are.
    """

    text: str
    what: str = ""
    fault: str = ""
    danger: str = ""
    met: tuple[Met, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """The check of all targets; `more` were given beyond those shown."""

    items: tuple[Item, ...]
    more: int = 0

    @property
    def title(self) -> str:
        """What the button names: the target, or how many there are."""
        if len(self.items) == 1:
            return self.items[0].text
        count = len(self.items) + self.more
        return f"{count:,} targets" if count else ""

    @property
    def dangers(self) -> list[Item]:
        """Those that need a confirmation."""
        return [item for item in self.items if item.danger]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all targets of a check share."""

    reading: Reading
    action: Action
    server: str
    own: list[OwnServer]
    servers: dict[int, str]


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
    plan = _Plan(reading, action, server or "", own_servers(reading), names_of_servers(reading))
    shown = list(dict.fromkeys(texts))[:TARGETS_SHOWN]
    items = tuple(_item(plan, text) for text in shown)
    return Preview(items, max(len(set(texts)) - len(items), 0))


def _item(plan: _Plan, text: str) -> Item:
    try:
        target = parse_target(text)
        danger = _danger(target, plan)
    except BadInput as refusal:
        return Item(text, fault=str(refusal))
    found = meets(plan.reading, target)
    if plan.server:
        numbers = [number for number, name in plan.servers.items() if name == plan.server]
        found = found.filter(scope__in=[WHOLE_ACCOUNT, *numbers])
    rows = listing_rows(found[:MET_SHOWN], plan.servers, time.time())
    met = tuple(Met(row, _relation(target, plan.server, row)) for row in rows)
    more = found.count() - len(met) if len(met) == MET_SHOWN else 0
    return Item(target.text, describe(target), danger=danger, met=met, more=more)


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
