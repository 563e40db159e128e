"""Entries of an account's feeds as listings, for whoever explains a verdict."""

from collections.abc import Iterable

from django.db.models import QuerySet

from mailmum.control.feeds.contents import SHELF
from mailmum.control.feeds.models import Feed, Use
from mailmum.control.listings.models import Version
from mailmum.control.listings.values import target_columns
from mailmum.domain.listings import Source
from mailmum.domain.targets import Target


def in_force() -> QuerySet[Feed]:
    """Feeds whose entries count."""
    return with_entries().filter(use=Use.LIST)


def with_entries() -> QuerySet[Feed]:
    """Feeds whose entries are good for something."""
    return Feed.objects.filter(removed=None, paused=False, content__isnull=False)


def covering(account: int, targets: list[Target]) -> list[Version]:
    """The entries of an account's feeds that are exactly one of these targets."""
    return list(_entries(in_force().filter(account_id=account), targets))


def _entries(feeds: QuerySet[Feed], targets: list[Target]) -> Iterable[Version]:
    for feed in feeds.select_related("content").defer("content__data", "content__names"):
        assert feed.content is not None
        entries = SHELF.get(feed.content.pk, feed.content.digest)
        yield from (_version(feed, target) for target in targets if entries.holds(target))


def _version(feed: Feed, target: Target) -> Version:
    """An entry as a version that is not saved; its number is the feed's, negative."""
    return Version(
        number=-feed.pk,
        account_id=feed.account_id,
        scope=feed.scope,
        action=feed.action,
        source=Source.FEED.value,
        origin=feed.name,
        reason=feed.reason,
        code=feed.code,
        created=feed.changed or feed.created,
        created_by=feed.created_by,
        changed=feed.changed or feed.created,
        changed_by=feed.created_by,
        since=0,
        **target_columns(target),
    )
