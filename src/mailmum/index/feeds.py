"""Subscriptions to feeds, as tables among the others.

A feed's entries are shared columns (`index.entries`); a view is those columns with what one
subscription says about them.  It answers what a table of listings answers, and stands among the
tables of its tier: what machines allow, or what machines block.

The number of such a listing is the feed's, negative: an entry has none of its own.  By number, last
of all, listings of equal weight are put in order, so views come before the other tables of their
scope, the greatest number of a feed first.
"""

from collections.abc import Iterator
from typing import Any

from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.index.base import Base
from mailmum.index.records import FeedRecord
from mailmum.index.rows import Rows
from mailmum.index.terms import Hit, Tier


def tier_of_feed(record: FeedRecord) -> Tier:
    """The tier in which a feed is looked up."""
    return Tier.MACHINES_ALLOW if record.action is Action.ALLOW else Tier.MACHINES_BLOCK


class _View:
    """What all views have.

    Attributes:
        record: the subscription.
        likeness: equal for views of which all is equal that the compiled engine knows of.
    """

    __slots__ = ("likeness", "record")

    def __init__(self, record: FeedRecord, kind: int) -> None:
        self.record = record
        self.likeness = (record.entries.digest, kind, record.action, record.code, record.reason)

    def _hit(self, specificity: int, *, single: bool) -> Hit:
        record = self.record
        return Hit(
            -record.id,
            record.action,
            Source.FEED,
            single,
            record.code,
            record.reason,
            None,
            record.name,
            specificity,
        )

    def _listing(self, target: NetworkTarget | NameTarget) -> Listing:
        record = self.record
        return Listing(
            id=-record.id,
            account=record.account,
            scope=record.scope,
            action=record.action,
            target=target,
            source=Source.FEED,
            origin=record.name,
            reason=record.reason,
            code=record.code,
        )


class FeedAddresses(_View):
    """Addresses and networks of one version of IP.

    Attributes:
        base: the shared rows.
    """

    __slots__ = ("base",)

    def __init__(self, record: FeedRecord, version: int) -> None:
        super().__init__(record, version)
        self.base: Base = record.entries.bases[version]

    def find(self, address: int, now: float) -> Hit | None:
        """The entry that decides about an address: the narrowest."""
        base = self.base
        if base.hosts.find(address, now) >= 0:
            return self._hit(base.bits, single=True)
        row = base.networks.find(address, now)
        if row < 0:
            return None
        return self._hit(base.bits - base.networks.shifts[row], single=False)

    def covering(self, address: int, now: float) -> Iterator[Listing]:
        """Every entry that covers an address."""
        for rows, row in self.base.around(address):
            yield self._listing(self._target(rows, row))

    def overlaps(self, target: NetworkTarget, action: Action, now: float) -> bool:
        """Whether an entry overlaps the target."""
        if action is not self.record.action:
            return False
        around, within = self.base.around(target.first), self.base.within(target.first, target.last)
        return next(around, None) is not None or next(within, None) is not None

    def _target(self, rows: Rows, row: int) -> NetworkTarget:
        bits = self.base.bits
        return NetworkTarget(4 if bits == 32 else 6, rows.values[row], bits - rows.shift(row))


class FeedNames(_View):
    """Hosts and domains."""

    __slots__ = ("_names",)

    def __init__(self, record: FeedRecord) -> None:
        super().__init__(record, 0)
        self._names = record.entries.names

    def find(self, name: str, now: float) -> Hit | None:
        """The entry that decides about a name: the most specific."""
        for target in self._names.around(name):
            return self._hit(target.specificity, single=not target.whole)
        return None

    def covering(self, name: str, now: float) -> Iterator[Listing]:
        """Every entry that covers a name."""
        yield from map(self._listing, self._names.around(name))

    def any_below(self, name: str, action: Action, now: float) -> bool:
        """Whether an entry lies strictly below a name."""
        return action is self.record.action and self._names.any_below(name)


class Feeds:
    """The views of all accounts."""

    __slots__ = ("_views", "records")

    def __init__(self) -> None:
        # By account; and by account, scope, tier and kind.
        self.records: dict[int, tuple[FeedRecord, ...]] = {}
        self._views: dict[tuple[int, int, int, int], tuple[Any, ...]] = {}

    def put(self, account: int, records: tuple[FeedRecord, ...]) -> bool:
        """Make these the feeds of an account; whether that changes anything."""
        if self.records.get(account, ()) == records:
            return False
        kept: dict[FeedRecord, dict[int, FeedAddresses | FeedNames]] = {}
        for key in self._keys_of(account):
            for view in self._views.pop(key):
                kept.setdefault(view.record, {})[key[3]] = view
        for record in sorted(records, key=lambda one: -one.id):
            for kind, view in _views(record, kept.get(record, {})):
                key = (account, record.scope, tier_of_feed(record), kind)
                self._views[key] = (*self._views.get(key, ()), view)
        if records:
            self.records[account] = records
        else:
            self.records.pop(account, None)
        return True

    def of(self, account: int, scope: int, tier: Tier, kind: int) -> tuple[Any, ...]:
        """The views that belong beside one table, in deciding order."""
        return self._views.get((account, scope, tier, kind), ())

    def _keys_of(self, account: int) -> list[tuple[int, int, int, int]]:
        return [
            (account, scope, tier, kind)
            for scope in {record.scope for record in self.records.get(account, ())}
            for tier in (Tier.MACHINES_ALLOW, Tier.MACHINES_BLOCK)
            for kind in (0, 4, 6)
            if (account, scope, tier, kind) in self._views
        ]


def _views(
    record: FeedRecord, kept: dict[int, FeedAddresses | FeedNames]
) -> Iterator[tuple[int, FeedAddresses | FeedNames]]:
    """One view for each kind of target there is; those there were before serve again."""
    for version, base in record.entries.bases.items():
        if len(base):
            yield version, kept.get(version) or FeedAddresses(record, version)
    if len(record.entries.names):
        yield 0, kept.get(0) or FeedNames(record)
