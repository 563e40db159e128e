"""Searching listings by what people type into one field, and counting them.

An address or a network finds what covers it and what lies inside it; a host name or a domain
likewise, and the texts that mention it.  Anything else is looked for in targets, reasons, notes
and origins, so that half an address finds something too.
"""

import time
from dataclasses import dataclass, replace

from django.db.models import Count, Q, QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.further import further
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import (
    Filter,
    contains,
    current,
    find_listings,
    lies_inside,
    target_of,
)
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import WHOLE_ACCOUNT, Action
from mailmum.domain.names import parents
from mailmum.domain.targets import NameTarget, NetworkTarget, Target, parse_target
from mailmum.domain.texts import clean_line

TEXT_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Counts:
    """How many listings an account has: in force by action, and those that have run out."""

    block: int
    allow: int
    expired: int

    @property
    def in_force(self) -> int:
        """Those that have not run out."""
        return self.block + self.allow


def search(reading: Reading, text: str, wanted: Filter) -> QuerySet[Version]:
    """The listings that a text finds among those of a filter, newest first.

    Raises:
        BadInput: the text is too long or has control characters.
    """
    line = clean_line(text, field="q", limit=TEXT_LIMIT)
    if not line:
        return find_listings(reading, wanted)
    target = meant(line)
    if target is None:
        return find_listings(reading, replace(wanted, text=line))
    found = find_listings(reading, wanted)
    if isinstance(target, NetworkTarget):
        return found.filter(about(target))
    return found.filter(about(replace(target, whole=True)) | contains(target.name))


def meant(text: str) -> Target | None:
    """The target that a text is, None when it is none."""
    try:
        return parse_target(text)
    except BadInput:
        return None


def about(target: Target) -> Q:
    """The condition that a listing covers the target or lies inside it."""
    return Q(target__in=wider(target)) | lies_inside(target)


def covers(reading: Reading, target: Target, server: int | None = None) -> list[Version]:
    """Enabled listings in force whose target covers this one, itself included, the widest first.

    Args:
        reading: proof that the asker may read.
        target: what is covered.
        server: number of a server: its own and the account's; None: all scopes.
    """
    found = find_listings(reading, Filter(server=server)).filter(enabled=True)
    # Without an order: with one SQLite would read all listings in it instead of looking these up.
    texts = wider(target)
    rows = [*found.filter(target__in=texts).order_by()]
    scopes = (WHOLE_ACCOUNT, server)
    rows += [
        one
        for one in further(reading.account.pk, list(map(parse_target, texts)))
        if server is None or one.scope in scopes
    ]
    return sorted(rows, key=lambda one: (target_of(one).specificity, one.number))


def within(reading: Reading, target: Target, server: int | None = None) -> QuerySet[Version]:
    """Enabled listings in force whose target lies inside this one and is another, in no order."""
    found = find_listings(reading, Filter(server=server)).filter(enabled=True)
    return found.filter(lies_inside(target)).exclude(target=target.text).order_by()


def meets(reading: Reading, target: Target) -> QuerySet[Version]:
    """Listings in force that cover a target or lie inside it, the latest first."""
    return find_listings(reading, Filter()).filter(about(target))


def count(reading: Reading) -> Counts:
    """How many listings the account has."""
    ended = Q(expires__lte=int(time.time()))
    alive = ~ended | Q(expires=None)
    return Counts(
        **current(reading).aggregate(
            block=Count("pk", filter=alive & Q(action=Action.BLOCK.value)),
            allow=Count("pk", filter=alive & Q(action=Action.ALLOW.value)),
            expired=Count("pk", filter=ended),
        )
    )


def wider(target: Target) -> list[str]:
    """The canonical texts of all targets that cover this one, itself included."""
    if isinstance(target, NameTarget):
        domains = [f".{name}" for name in parents(target.name)]
        return domains if target.whole else [target.name, *domains]
    version, first, bits = target.version, target.first, target.bits
    return [
        NetworkTarget(version, first >> free << free, bits - free).text
        for free in range(bits - target.prefix, bits + 1)
    ]
