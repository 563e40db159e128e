"""Searching listings by what people type into one field, and counting them.

An address or a network finds what covers it and what lies inside it; a host name or a domain
likewise, and the texts that mention it.  Anything else is looked for in targets, reasons, notes
and origins, so that half an address finds something too.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import nlargest

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
    wider,
)
from mailmum.control.once import once
from mailmum.control.prepared import Prepared
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import WHOLE_ACCOUNT
from mailmum.domain.targets import NetworkTarget, Target, parse_target
from mailmum.domain.texts import clean_line

TEXT_LIMIT = 300
_FEW = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """How many listings an account has: in force by action and by source, switched off, ended."""

    block: int = 0
    allow: int = 0
    person: int = 0
    trigger: int = 0
    feed: int = 0
    off: int = 0
    expired: int = 0

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
        return found.filter(about(reading, target))
    domain = replace(target, whole=True)
    return found.filter(_about(domain) | contains(target.name))


def meant(text: str) -> Target | None:
    """The target that a text is, None when it is none."""
    try:
        return parse_target(text)
    except BadInput:
        return None


def about(reading: Reading, target: Target) -> Q:
    """The condition that a listing covers the target or lies inside it.

    The few that most targets meet are looked up first, each half on its index: for one query with
    OR and an order, SQLite reads all listings of the account in that order.
    """
    rows = current(reading).order_by().values_list("pk", flat=True)
    found = set(rows.filter(target__in=wider(target))[: _FEW + 1])
    # Not with UNION, for which the database reads all of both before it counts.
    found.update(rows.filter(lies_inside(target))[: _FEW + 1])
    return Q(pk__in=found) if len(found) <= _FEW else _about(target)


def _about(target: Target) -> Q:
    return Q(target__in=wider(target)) | lies_inside(target)


def covers(reading: Reading, target: Target, server: int | None = None) -> list[Version]:
    """Enabled listings in force whose target covers this one, itself included, the widest first.

    Args:
        reading: proof that the asker may read.
        target: what is covered.
        server: number of a server: its own and the account's; None: all scopes.
    """
    return covers_each(reading, [target], server)[0]


def covers_each(
    reading: Reading, targets: Sequence[Target], server: int | None = None
) -> list[list[Version]]:
    """The same of several targets, looked up together."""
    found = find_listings(reading, Filter(server=server)).filter(enabled=True)
    texts = [wider(target) for target in targets]
    all_texts = list(dict.fromkeys(text for some in texts for text in some))
    # Without an order: with one SQLite would read all listings in it instead of looking these up.
    rows = [*found.filter(target__in=all_texts).order_by()]
    scopes = (WHOLE_ACCOUNT, server)
    rows += [
        one
        for one in further(reading.account.pk, list(map(parse_target, all_texts)))
        if server is None or one.scope in scopes
    ]
    by_text: dict[str, list[Version]] = {}
    for one in rows:
        by_text.setdefault(one.target, []).append(one)
    return [
        sorted(
            (one for text in some for one in by_text.get(text, ())),
            key=lambda one: (target_of(one).specificity, one.number),
        )
        for some in texts
    ]


def within(reading: Reading, target: Target, server: int | None = None) -> QuerySet[Version]:
    """Enabled listings in force whose target lies inside this one and is another, in no order."""
    found = find_listings(reading, Filter(server=server)).filter(enabled=True)
    return found.filter(lies_inside(target)).exclude(target=target.text).order_by()


def meets(reading: Reading, target: Target) -> QuerySet[Version]:
    """Listings in force that cover a target or lie inside it, the latest first."""
    return find_listings(reading, Filter()).filter(about(reading, target))


def latest_met(
    reading: Reading, target: Target, server: int | None, most: int
) -> tuple[list[Version], int | None]:
    """The latest of the listings that `meets` finds, and how many there are; None: over a thousand.

    Args:
        reading: proof that the asker may read.
        target: what is met.
        server: number of a server: its own and the account's; None: all scopes.
        most: how many are wanted.
    """
    found = find_listings(reading, Filter(server=server))
    numbers = found.order_by().values_list("number", flat=True)
    some = set(numbers.filter(target__in=wider(target))[: _FEW + 1])
    some.update(numbers.filter(lies_inside(target))[: _FEW + 1])
    if len(some) <= _FEW:
        return list(found.filter(number__in=nlargest(most, some))), len(some)
    return list(found.filter(_about(target))[:most]), None


def count(reading: Reading) -> Counts:
    """How many listings the account has, in one pass over an index and in its order."""
    sums: Counter[str] = Counter()
    for source, action, enabled, alive, ended in _groups(reading.account.pk):
        sums["expired"] += ended
        sums[action] += alive
        sums[source] += alive
        sums["off"] += 0 if enabled else alive
    return Counts(**sums)


def total_of(reading: Reading, wanted: Filter) -> int | None:
    """How many listings a filter describes, where that follows from the counts; None: it does not.

    Nothing is counted for it where `count` is asked for as well, if that is read once.
    """
    plain = Filter(
        action=wanted.action, sources=wanted.sources, expired=wanted.expired, off=wanted.off
    )
    if wanted != plain:
        return None
    return sum(
        ended if wanted.expired else alive
        for source, action, enabled, alive, ended in _groups(reading.account.pk)
        if wanted.action in {"", action}
        and (not wanted.sources or source in wanted.sources)
        and not (wanted.off and enabled)
    )


@once
def _groups(account: int) -> list[tuple[str, str, bool, int, int]]:
    """By source, action and whether they are on: how many have not run out, and how many have."""
    return [
        (source, action, bool(enabled), count - ended, ended)
        for source, action, enabled, count, ended in _COUNTED.rows(account, int(time.time()))
    ]


_COUNTED = Prepared(
    lambda account, now: (
        Version.objects.filter(account=account, until=None)
        .order_by()
        .values_list("source", "action", "enabled")
        .annotate(count=Count("pk"), ended=Count("pk", filter=Q(expires__lte=now)))
    )
)
