"""The index through any sequence of changes, merges and restarts, against the model."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from mailmum.domain.clients import Subject
from mailmum.domain.listings import Listing
from mailmum.domain.targets import Target
from mailmum.index.index import Index
from mailmum.index.records import Changes, KeyRecord, ServerRecord
from mailmum.index.snapshot import dump, load
from mailmum.index.tables import Merged, MergePlan
from tests.domain.worlds import (
    SERVERS,
    feeds,
    listings,
    lists_of_listings,
    subject_in,
    subjects,
    times,
)
from tests.index.model import Model, check, key_of


class IndexMachine(RuleBasedStateMachine):
    """Adds, changes and removes listings and servers; merges begin and end at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.index = Index()
        self.latest = Changes(0)
        self.plan: MergePlan | None = None
        self.merged: Merged | None = None

    @initialize(start=lists_of_listings(most=12))
    def build(self, start: list[Listing]) -> None:
        """Begin with some listings."""
        self.model.listings = {listing.id: listing for listing in start}
        self.index = Index.build(self.model.everything())

    @rule(batch=st.lists(listings(), min_size=1, max_size=4, unique_by=lambda one: one.id))
    def add(self, batch: list[Listing]) -> None:
        """List something new."""
        self._apply(new=batch)

    @precondition(lambda self: self.model.listings)
    @rule(data=st.data(), version=listings())
    def change(self, data: st.DataObject, version: Listing) -> None:
        """Change a listing in all but its number, account, scope and target."""
        was = self._pick(data)
        now = replace(version, id=was.id, account=was.account, scope=was.scope, target=was.target)
        self._apply(new=[now], gone=[was])

    @precondition(lambda self: self.model.listings)
    @rule(data=st.data(), version=listings())
    def add_beside(self, data: st.DataObject, version: Listing) -> None:
        """List a target again that is listed already."""
        was = self._pick(data)
        new = replace(version, target=was.target)
        if data.draw(st.booleans()):
            new = replace(new, account=was.account, scope=was.scope, source=was.source)
        self._apply(new=[new])

    @precondition(lambda self: self.model.listings)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Remove a listing."""
        self._apply(gone=[self._pick(data)])

    @rule(feed=feeds())
    def subscribe(self, feed: tuple[Listing, list[Target]]) -> None:
        """Subscribe to a feed, or give one new entries or another account, scope or action."""
        was = self.model.feeds.get(feed[0].id)
        self.model.feeds[feed[0].id] = feed
        self._apply(feeds_of={feed[0].account, *([was[0].account] if was else [])})

    @precondition(lambda self: self.model.feeds)
    @rule(data=st.data())
    def unsubscribe(self, data: st.DataObject) -> None:
        """Remove a feed."""
        said, _ = self.model.feeds.pop(data.draw(st.sampled_from(sorted(self.model.feeds))))
        self._apply(feeds_of={said.account})

    @precondition(lambda self: self.model.feeds)
    @rule(data=st.data(), last=st.booleans(), now=times())
    def ask_about_an_entry(self, data: st.DataObject, last: bool, now: float) -> None:
        """Ask about a client that an entry of a feed covers."""
        _, entries = self.model.feeds[data.draw(st.sampled_from(sorted(self.model.feeds)))]
        target = data.draw(st.sampled_from(entries))
        check(self.index, self.model, subject_in(target, last=last), now)

    @precondition(lambda self: self.model.listings)
    @rule()
    def remove_all(self) -> None:
        """Remove every listing at once."""
        self._apply(gone=list(self.model.listings.values()))

    @rule()
    def apply_again(self) -> None:
        """Apply the last batch once more."""
        self.index.apply(self.latest)

    @rule(
        where=st.sampled_from(SERVERS),
        active=st.booleans(),
        ends=st.one_of(st.none(), st.integers(0, 8)),
        blocks_from=st.one_of(st.just(0), st.none(), st.integers(1, 8)),
        extra=st.integers(0, 3),
    )
    def change_server(
        self,
        where: tuple[int, int],
        active: bool,
        ends: int | None,
        blocks_from: int | None,
        extra: int,
    ) -> None:
        """Give a server another state and another second key."""
        account, server = where
        keys = (KeyRecord(key_of(server)), KeyRecord(f"extra{server}{extra}"))
        record = ServerRecord(
            server,
            account,
            f"ref{server}",
            keys,
            active=active,
            ends=ends,
            blocks_from=blocks_from,
        )
        self.model.servers[server] = record
        self._apply(servers=[record])

    @rule(where=st.sampled_from(SERVERS))
    def remove_server(self, where: tuple[int, int]) -> None:
        """Remove a server; its listings stay behind."""
        self.model.servers.pop(where[1], None)
        self._apply(gone_servers=[where[1]])

    @rule()
    def begin_merge(self) -> None:
        """Begin a merge, whether or not another one is under way."""
        self.plan = self.index.begin_merge()

    @precondition(lambda self: self.plan)
    @rule()
    def run_merge(self) -> None:
        """Compute what was begun."""
        assert self.plan is not None
        self.merged = self.plan.run()

    @precondition(lambda self: self.merged)
    @rule()
    def finish_merge(self) -> None:
        """Put it in place, perhaps for a second time."""
        assert self.merged is not None
        self.index.finish_merge(self.merged)

    @rule()
    def restart(self) -> None:
        """Write a snapshot and go on from it."""
        self.index = load(b"".join(dump(self.index)))
        assert self.index.position == self.model.position

    @precondition(lambda self: self.model.listings)
    @rule(data=st.data(), last=st.booleans(), now=times())
    def ask_about_a_listing(self, data: st.DataObject, last: bool, now: float) -> None:
        """Ask about a client that a listing covers."""
        check(self.index, self.model, subject_in(self._pick(data).target, last=last), now)

    @rule(subject=subjects(), now=times())
    def ask(self, subject: Subject, now: float) -> None:
        """Ask about a client on every server."""
        check(self.index, self.model, subject, now)

    def _pick(self, data: st.DataObject) -> Listing:
        return self.model.listings[data.draw(st.sampled_from(sorted(self.model.listings)))]

    def _apply(
        self,
        *,
        new: list[Listing] | None = None,
        gone: list[Listing] | None = None,
        servers: list[ServerRecord] | None = None,
        gone_servers: list[int] | None = None,
        feeds_of: set[int] | None = None,
    ) -> None:
        new = new or []
        # A number that is in use is a listing that changed.
        gone = [*(gone or []), *(self._same_number(new, gone or []))]
        self.model.position += 1
        self.latest = Changes(
            self.model.position,
            tuple(servers or ()),
            tuple(gone_servers or ()),
            tuple(new),
            tuple(gone),
            tuple((account, self.model.feeds_of(account)) for account in sorted(feeds_of or ())),
        )
        for one in gone:
            self.model.listings.pop(one.id, None)
        self.model.listings.update({one.id: one for one in new})
        self.index.apply(self.latest)

    def _same_number(self, new: list[Listing], gone: list[Listing]) -> list[Listing]:
        known: Callable[[int], Listing | None] = self.model.listings.get
        numbers = {one.id for one in gone}
        found = [known(one.id) for one in new if one.id not in numbers]
        return [one for one in found if one is not None]


IndexMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestIndex = IndexMachine.TestCase
