"""Changes to feeds made by people: subscribe, release or drop what is held back, pause, remove."""

import time
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from mailmum.control.accounts.access import Writing
from mailmum.control.feeds.contents import Difference, difference_to
from mailmum.control.feeds.fetching import Fetched, check_source, fetch
from mailmum.control.feeds.guarding import covering, guard_of
from mailmum.control.feeds.models import Feed, FeedVersion, Kind, State
from mailmum.control.feeds.queries import find_feed, summary
from mailmum.control.feeds.reading import Found, read_list
from mailmum.control.feeds.refreshing import (
    Outcome,
    forget_contents,
    put_in_force,
    read_as,
    refresh,
    take_upload,
)
from mailmum.control.feeds.wishes import FeedWish
from mailmum.control.journal.services import Change, change
from mailmum.control.listings.services import scope_of
from mailmum.domain.errors import BadInput, Conflict
from mailmum.domain.targets import Target
from mailmum.index.entries import Builder, Entries

FEEDS_LIMIT = 50
FIRST_REFRESH = 30.0
_SAMPLE = 20
_TAKEN = "preview"
"""Over the API it names another resource: such a feed could not be shown, changed or removed."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What a feed would bring.

    Attributes:
        found: what was read.
        kept_out: entries that cover the account's own servers.
        entries: all others, in order.
        changes: what of that would come and go, where it renews a feed.
    """

    found: Found
    kept_out: Set[Target]
    entries: Entries
    changes: Difference | None = None

    def told(self) -> dict[str, Any]:
        """In short, as it is shown."""
        return {
            "entries": len(self.entries),
            "sample": [target.text for target in islice(self.in_order(), _SAMPLE)],
            "own_servers": sorted(target.text for target in self.kept_out),
            **self.found.details(),
            **self._changes(),
        }

    def _changes(self) -> dict[str, Any]:
        if self.changes is None:
            return {"added": None, "removed": None, "sample_added": [], "sample_removed": []}
        return {
            "added": self.changes.added,
            "removed": self.changes.removed,
            "sample_added": self.changes.sample_added[:_SAMPLE],
            "sample_removed": self.changes.sample_removed[:_SAMPLE],
        }

    def in_order(self) -> Iterator[Target]:
        """All entries in the order that contents have."""
        yield from self.entries.networks()
        # Their texts are in no entries.
        yield from (name for name in self.found.builder.names() if name not in self.kept_out)


def bring(
    access: Writing, wish: FeedWish, body: bytes | None = None, filename: str = ""
) -> Brought:
    """What a feed would bring, fetched now and not kept.

    Args:
        access: who wants to know.
        wish: the feed.
        body: what is uploaded; None for what is fetched.
        filename: what an upload is called, for finding out its format.

    Raises:
        Refusal: it cannot be had, or is no list that can be used.
    """
    scope_of(access, wish.server)
    came = Fetched(body)
    if body is None:
        came = fetch(access.account.pk, wish.kind, wish.source)
    found = read_list(came.body or b"", wish.format, wish.action, wish.source or filename)
    found.missing, found.undenied = came.missing, came.undenied
    return _guarded(access, found)


def bring_renewal(
    access: Writing, name: str, body: bytes, filename: str = ""
) -> tuple[Feed, Brought]:
    """What an upload would make of a feed, not kept; it is read as it would be to renew it.

    Raises:
        NotFound: no such feed.
        BadInput: it comes from elsewhere, or this is no list.
    """
    feed = _of_uploads(access, name)
    brought = _guarded(access, read_as(feed, body, filename))
    return feed, replace(brought, changes=difference_to(feed.content, brought.in_order()))


def _guarded(access: Writing, found: Found) -> Brought:
    kept_out = covering(found.builder, guard_of(access.account)[0])
    builder = found.builder
    if kept_out:
        builder = Builder(one for one in builder.targets() if one not in kept_out)
    return Brought(found, kept_out, builder.build())


def add_feed(access: Writing, wish: FeedWish) -> Feed:
    """Subscribe; the first version comes with the first refresh or upload.

    Raises:
        BadInput: it is a file outside the account's folder, or has a name that cannot be.
        Unsafe: it is an address that is not reached from here.
        Conflict: the account has a feed of this name, or too many.
        NotFound: no such server.
    """
    if wish.name == _TAKEN:
        raise BadInput(
            f"a feed cannot be called {wish.name}", fix="choose another name", field="name"
        )
    check_source(access.account.pk, wish.kind, wish.source)
    with change(access.account.pk, access.actor, "feed.add") as made:
        others = Feed.objects.filter(account=access.account, removed=None)
        if others.filter(name=wish.name).exists():
            raise Conflict(
                f"there is a feed {wish.name} already", fix="choose another name", field="name"
            )
        if others.count() >= FEEDS_LIMIT:
            raise Conflict(f"an account has {FEEDS_LIMIT} feeds at most", fix="remove one first")
        made.server = scope_of(access, wish.server)
        feed = Feed.objects.create(
            account=access.account,
            scope=made.server,
            created=made.at,
            created_by=access.actor.name,
            # Whoever subscribes refreshes it at once; else the worker does a little later.
            due=time.time() + FIRST_REFRESH,
            **{
                name: getattr(wish, name)
                for name in (
                    "name",
                    "kind",
                    "source",
                    "format",
                    "action",
                    "use",
                    "reason",
                    "code",
                    "every",
                    "shrink",
                    "grow",
                )
            },
        )
        made.summary = f"feed {feed.name}: {feed.action} {feed.source or 'what is uploaded'}"
        made.after = summary(feed)
    return feed


def refresh_feed(access: Writing, name: str) -> Outcome:
    """Refresh a feed now.

    Raises:
        NotFound: no such feed.
        BadInput: it is renewed by uploads only.
        Conflict: it is being refreshed.
    """
    feed = find_feed(access, name)
    if feed.kind == Kind.UPLOAD:
        raise BadInput(f"the feed {name} is renewed by uploads", fix="upload the list again")
    outcome = refresh(feed.pk)
    if outcome is None:
        raise Conflict(f"the feed {name} is being refreshed just now", fix="see in a minute")
    return outcome


def ask_refresh(access: Writing, name: str) -> None:
    """Have the worker refresh a feed as soon as it can: who asks need not wait for its source.

    Raises:
        NotFound: no such feed.
        BadInput: it is renewed by uploads only, or rests.
    """
    feed = find_feed(access, name)
    if feed.kind == Kind.UPLOAD:
        raise BadInput(f"the feed {name} is renewed by uploads", fix="upload the list again")
    if feed.paused:
        raise BadInput(f"the feed {name} rests", fix="let it go on, which refreshes it")
    Feed.objects.filter(pk=feed.pk).update(due=time.time())


def upload_feed(access: Writing, name: str, body: bytes, filename: str = "") -> Outcome:
    """Renew a feed from what is uploaded.

    Raises:
        NotFound: no such feed.
        BadInput: it comes from elsewhere, or this is no list.
    """
    return take_upload(_of_uploads(access, name), body, filename, access.actor)


def _of_uploads(access: Writing, name: str) -> Feed:
    feed = find_feed(access, name)
    if feed.kind != Kind.UPLOAD:
        raise BadInput(f"the feed {name} comes from {feed.source}", fix="refresh it instead")
    return feed


def release(access: Writing, name: str, *, drop: bool = False) -> FeedVersion:
    """Put in force what was held back, or drop it.

    Raises:
        NotFound: no such feed.
        Conflict: nothing of it is held back, or it has been changed meanwhile.
    """
    feed = find_feed(access, name)
    held = feed.versions.filter(state=State.HELD).select_related("content", "whole").first()
    if held is None or held.content is None:
        raise Conflict(f"nothing of the feed {name} is held back")
    if drop:
        with change(access.account.pk, access.actor, "feed.drop", server=feed.scope) as made:
            waiting = feed.versions.filter(pk=held.pk, state=State.HELD)
            if not waiting.update(state=State.DROPPED):
                raise Conflict(f"the feed {name} has been changed meanwhile")
            held.state = State.DROPPED
            told = {"feed": feed.name, "version": held.pk}
            made.before, made.after = (told | {"state": one} for one in (State.HELD, State.DROPPED))
            made.summary = f"{feed.name}: an update to {held.entries} entries was not taken"
        return held
    put_in_force(feed, held, access.actor, guard_of(access.account)[1])
    return held


def pause(access: Writing, name: str, *, paused: bool) -> Feed:
    """Let a feed rest: its entries hold no more and it is not refreshed; or let it go on.

    Raises:
        NotFound: no such feed.
    """
    what = "feed.pause" if paused else "feed.resume"
    with change(access.account.pk, access.actor, what) as made:
        feed = find_feed(access, name)
        if feed.paused == paused:
            made.discard()
            return feed
        feed.paused, feed.due = paused, time.time()
        feed.save(update_fields=["paused", "due"])
        made.server = feed.scope
        made.before, made.after = (
            {"feed": feed.name, "paused": one} for one in (not paused, paused)
        )
        made.summary = f"feed {feed.name} {'rests' if paused else 'goes on'}"
    return feed


def remove_feed(access: Writing, name: str) -> None:
    """Unsubscribe; its entries are gone at once.

    Raises:
        NotFound: no such feed.
    """
    with change(access.account.pk, access.actor, "feed.remove") as made:
        feed = find_feed(access, name)
        made.server, made.before = feed.scope, summary(feed)
        made.count = feed.content.entries if feed.content else 0
        made.summary = f"feed {feed.name}: {made.count} entries"
        take_away(made, feed)
    forget_contents()


def take_away(made: Change, feed: Feed) -> None:
    """Remove a feed as part of a change; `forget_contents` tidies up after it."""
    feed.removed = made.seq
    feed.content = feed.whole = None
    feed.save(update_fields=["removed", "content", "whole"])
    feed.versions.update(content=None, whole=None)
