"""Refreshing feeds: fetched when due, read, compared, and put in force as one change.

    due -> leased -> fetched -> read -> guarded -> in force | held back | unchanged
                         |_________|____ failed: the last good version stays

Several workers may run: a lease in the database lets one of them have a feed.  It is long enough
for whatever a refresh takes, and ends by itself should that worker die.  Times of the next refresh
are spread a little, so that not everybody asks a list at the full hour; after failures they come
sooner than the interval first, then ever later.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F

from mailmum.control.accounts.models import Account
from mailmum.control.feeds.contents import Difference, difference, keep
from mailmum.control.feeds.fetching import Fetch, Fetched, fetch
from mailmum.control.feeds.guarding import guard_of, guarded
from mailmum.control.feeds.models import Content, Feed, FeedVersion, Kind, State
from mailmum.control.feeds.queries import left_out_of, with_a_place
from mailmum.control.feeds.reading import Found, digest_of, read_list
from mailmum.control.feeds.suspicion import Bounds, Size, reason
from mailmum.control.journal.services import SYSTEM, Actor, change
from mailmum.domain.errors import Conflict, Refusal
from mailmum.domain.listings import Action

log = structlog.get_logger()

LEASE = 900.0
SPREAD = 0.1
KEPT_VERSIONS = 20
_FIRST_RETRY = 60.0
_MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a refresh came to: `current`, `held`, `unchanged` or `failed`, and why."""

    word: str
    told: str = ""
    version: int | None = None


def due_feeds(now: float) -> list[int]:
    """Feeds that are to be refreshed, the longest due first."""
    found = Feed.objects.filter(removed=None, paused=False, due__lte=now, leased__lte=now)
    found = with_a_place(found.exclude(kind=Kind.UPLOAD))
    return list(found.order_by("due").values_list("pk", flat=True))


def refresh_due(now: float) -> Iterator[Outcome]:
    """Refresh what is due, and keep the accounts' own servers out of all feeds."""
    for pk in due_feeds(now):
        outcome = refresh(pk)
        if outcome is not None:
            yield outcome
    yield from _guard_anew()


def refresh(pk: int, get: Fetch = fetch) -> Outcome | None:
    """Refresh one feed now; None when it is gone or somebody else is at it.

    Args:
        pk: primary key of the feed.
        get: how its bytes are had.
    """
    with _lease(pk) as feed:
        if feed is None:
            return None
        try:
            fetched = get(feed.account_id, feed.kind, feed.source, feed.etag, feed.modified)
            outcome = _take(feed, fetched)
        except Refusal as refusal:
            outcome = _fail(feed, str(refusal))
    log.info("feed.refreshed", account=feed.account_id, feed=feed.name, outcome=outcome.word)
    return outcome


def take_upload(feed: Feed, body: bytes, filename: str, actor: Actor) -> Outcome:
    """Make what was uploaded the feed's next version; it is never held back.

    Raises:
        BadInput: it is no list that can be used.
        Refusal: the feed is being refreshed.
    """
    with _lease(feed.pk) as leased:
        if leased is None:
            raise Refusal("the feed is being refreshed just now", fix="try again in a minute")
        found = read_as(leased, body, filename)
        whole = keep(found.builder)
        return _settle(leased, whole, found.details(), actor=actor, trusted=True)


@contextmanager
def _lease(pk: int) -> Iterator[Feed | None]:
    now = time.time()
    until = now + LEASE
    mine = Feed.objects.filter(pk=pk, removed=None, leased__lte=now).update(leased=until)
    if not mine:
        yield None
        return
    try:
        yield Feed.objects.select_related("account").get(pk=pk)
    finally:
        Feed.objects.filter(pk=pk, leased=until).update(leased=0)


def _take(feed: Feed, fetched: Fetched) -> Outcome:
    if fetched.body is None or digest_of(fetched.body) == feed.raw:
        _note_good(feed, etag=fetched.etag, modified=fetched.modified)
        return Outcome("unchanged")
    found = read_as(feed, fetched.body, feed.source)
    found.missing, found.undenied = fetched.missing, fetched.undenied
    outcome = _settle(feed, keep(found.builder), found.details())
    marks = {"etag": fetched.etag, "modified": fetched.modified}
    _note_good(feed, raw=digest_of(fetched.body), **marks)
    return outcome


def read_as(feed: Feed, body: bytes, filename: str) -> Found:
    """What there is in an update of a feed.

    Raises:
        BadInput: it is no list that can be used.
    """
    now = feed.versions.filter(state=State.CURRENT).first()
    before = "" if now is None else f"{now.details.get('format', '')}"
    return read_list(body, feed.format, Action(feed.action), filename, before=before)


def _settle(
    feed: Feed,
    whole: Content,
    details: dict[str, object],
    *,
    actor: Actor = SYSTEM,
    trusted: bool = False,
) -> Outcome:
    """Compare what came with what holds, and put it in force, or hold it back."""
    own, guard = guard_of(feed.account)
    content, kept_out = guarded(whole, own)
    if kept_out:
        details = details | {"own_servers": kept_out}
    if feed.content_id == content.pk:
        Feed.objects.filter(pk=feed.pk).update(whole=whole, guard=guard)
        # What was held back is no more what the source says.
        feed.versions.filter(state=State.HELD).update(state=State.PAST)
        return Outcome("unchanged")
    newest = feed.versions.first()
    if newest is not None and newest.whole_id == whole.pk and not trusted:
        if newest.state == State.HELD:
            return Outcome("held", version=newest.pk)
        if newest.state == State.DROPPED:
            return Outcome("unchanged", version=newest.pk)
    why = "" if trusted else _suspicion(feed, content)
    version = _version(feed, content, whole, details | ({"held": why} if why else {}))
    if why:
        feed.versions.filter(state=State.HELD).update(state=State.PAST)
        version.state = State.HELD
        version.save()
        return Outcome("held", why, version.pk)
    put_in_force(feed, version, actor, guard)
    return Outcome("current", version=version.pk)


def _suspicion(feed: Feed, content: Content) -> str:
    if feed.content is None:
        return ""
    before, after = (Size(one.entries, one.addresses) for one in (feed.content, content))
    return reason(before, after, Bounds(feed.shrink, feed.grow))


def _version(
    feed: Feed, content: Content, whole: Content, details: dict[str, object]
) -> FeedVersion:
    found: Difference = difference(feed.content, content)
    samples = {"sample_added": found.sample_added, "sample_removed": found.sample_removed}
    return FeedVersion(
        feed=feed,
        content=content,
        whole=whole,
        at=datetime.now(UTC),
        entries=content.entries,
        added=found.added,
        removed=found.removed,
        details=details | samples,
    )


def put_in_force(feed: Feed, version: FeedVersion, actor: Actor, guard: str) -> None:
    """Make a version the one that holds, as one change.

    Raises:
        Conflict: the feed has turned meanwhile, or what was held back is held back no more.
    """
    with change(feed.account_id, actor, "feed.version", server=feed.scope) as made:
        fresh = Feed.objects.filter(pk=feed.pk, removed=None).first()
        if fresh is None:
            made.discard()
            return
        # Looked up under the lock: what was read to be blocked must never be allowed.
        if fresh.action != feed.action or not _waits(version):
            raise Conflict(f"the feed {feed.name} has been changed meanwhile", fix="refresh it")
        waiting = feed.versions.exclude(pk=version.pk)
        waiting.filter(state__in=[State.CURRENT, State.HELD]).update(state=State.PAST)
        version.state, version.change = State.CURRENT, made.seq
        version.save()
        fresh.content, fresh.whole = version.content, version.whole
        fresh.changed, fresh.guard = made.at, guard
        fresh.save(update_fields=["content", "whole", "changed", "guard"])
        made.count = version.added + version.removed
        made.summary = (
            f"{feed.name}: {version.entries} entries, {version.added} added, "
            f"{version.removed} removed"
        )
        if left_out := left_out_of(fresh):
            made.summary += f", {left_out} left out for the own servers"
        made.after = {"feed": feed.name, "version": version.pk, "entries": version.entries}
    _forget_old(feed)


def _waits(version: FeedVersion) -> bool:
    """Whether a version is new, or still held back."""
    kept = FeedVersion.objects.filter(pk=version.pk, state=State.HELD, content__isnull=False)
    return not version.pk or kept.exists()


def _forget_old(feed: Feed) -> None:
    """Old versions go, and contents that nobody refers to any more."""
    old = list(feed.versions.values_list("pk", flat=True)[KEPT_VERSIONS:])
    FeedVersion.objects.filter(pk__in=old).delete()
    # Contents make a version large: those of replaced ones go at once.
    feed.versions.filter(state=State.PAST).update(content=None, whole=None)
    forget_contents()


def forget_contents() -> None:
    """Remove contents that nobody refers to, but for what somebody is about to refer to."""
    with transaction.atomic():
        used = {
            pk
            for pair in (
                *Feed.objects.filter(removed=None).values_list("content", "whole"),
                *FeedVersion.objects.values_list("content", "whole"),
            )
            for pk in pair
        }
        old = Content.objects.filter(made__lt=datetime.now(UTC) - timedelta(seconds=LEASE))
        known = set(old.values_list("pk", flat=True))
        Content.objects.filter(pk__in=known - used).delete()


def _guard_anew() -> Iterator[Outcome]:
    """Where an account's own servers have changed since its feeds were put in force."""
    feeds = Feed.objects.filter(removed=None, content__isnull=False)
    for account in Account.objects.filter(pk__in=feeds.values("account")):
        own, guard = guard_of(account)
        for feed in feeds.filter(account=account).exclude(guard=guard).select_related("whole"):
            assert feed.whole is not None
            content, kept_out = guarded(feed.whole, own)
            if content.pk == feed.content_id:
                Feed.objects.filter(pk=feed.pk).update(guard=guard)
                continue
            details: dict[str, object] = {"own_servers": kept_out}
            version = _version(feed, content, feed.whole, details)
            try:
                put_in_force(feed, version, SYSTEM, guard)
            except Conflict:
                # Whoever turned it has it read anew, with these guards.
                continue
            yield Outcome("current", version=version.pk)


def _note_good(feed: Feed, **marks: str) -> None:
    Feed.objects.filter(pk=feed.pk).update(
        due=time.time() + _spread(feed.every),
        checked=datetime.now(UTC),
        failures=0,
        failing=None,
        problem="",
        **marks,
    )


def _fail(feed: Feed, problem: str) -> Outcome:
    pause = min(float(feed.every), _FIRST_RETRY * 2 ** min(feed.failures, _MOST_DOUBLINGS))
    Feed.objects.filter(pk=feed.pk).update(
        due=time.time() + _spread(pause),
        failures=F("failures") + 1,
        failing=feed.failing or datetime.now(UTC),
        problem=problem[:500],
    )
    return Outcome("failed", problem)


def _spread(seconds: float) -> float:
    return seconds * (1 + random.uniform(0, SPREAD))  # noqa: S311 (it spreads load, hides nothing)
