"""Undo of changes to feeds.

What a list says is its keeper's, so a new version is not undone: the next refresh would bring it
back.  The entries of a feed that was removed are gone; one that is fetched gets them again, one
that was uploaded has nobody to get them from.
"""

import time
from typing import Any

from mailmum.control.accounts.access import Writing
from mailmum.control.feeds.editing import FIELDS, rewrite
from mailmum.control.feeds.models import Feed, Kind, State
from mailmum.control.feeds.queries import feeds_of, summary
from mailmum.control.feeds.services import FEEDS_LIMIT, take_away
from mailmum.control.journal.models import Record
from mailmum.control.journal.services import Change
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import names_of_servers
from mailmum.domain.errors import BadInput, Conflict, NotFound

REASONS = {
    "feed.version": "its source says what is in a list; pause the feed, or allow what it should "
    "not block",
}
_TOLD = (*FIELDS, "scope")
_GONE = {"etag": "", "modified": "", "raw": "", "problem": "", "failing": None, "failures": 0}


def undo_set(access: Writing, made: Change, record: Record) -> None:
    """Put a feed back to what it was before it was changed.

    Raises:
        Conflict: it has been changed or removed since, or is being refreshed.
    """
    was, told = _both(record, "change it back by hand")
    feed = _feed(access, told["name"])
    if _said(feed, names_of_servers(access)) != {name: told[name] for name in _TOLD}:
        raise Conflict(
            f"the feed {feed.name} has been changed since",
            fix="undo the later change first, or edit the feed",
        )
    given = {name: was[name] for name in FIELDS}
    try:
        rewrite(access, feed, given | {"server": was["scope"]})
    except NotFound as refusal:
        raise Conflict(
            "the server where it held has been removed",
            fix="undo the removal of the server first",
        ) from refusal
    made.server = feed.scope


def undo_there(access: Writing, made: Change, record: Record) -> None:
    """Take away a feed that was added, or subscribe again to one that was removed.

    Raises:
        Conflict: its name is taken, or its server is gone.
        BadInput: it was uploaded, and what was uploaded is gone.
    """
    if record.after is not None:
        take_away(made, _feed(access, record.after["name"]))
        return
    feed = Feed.objects.filter(account=access.account, removed=record.seq).first()
    if feed is None:
        raise Conflict("the feed is there again", fix="see: mailmum feed list")
    if feed.kind == Kind.UPLOAD:
        raise BadInput(
            f"what was uploaded to the feed {feed.name} is gone",
            fix="add it anew and upload the list again",
        )
    _refuse_in_the_way(access, feed)
    Feed.objects.filter(pk=feed.pk).update(removed=None, due=time.time(), **_GONE)


def _refuse_in_the_way(access: Writing, feed: Feed) -> None:
    there = Feed.objects.filter(account=access.account, removed=None)
    if there.filter(name=feed.name).exists():
        raise Conflict(f"there is another feed {feed.name} by now", fix="remove that one first")
    if there.count() >= FEEDS_LIMIT:
        raise Conflict(f"an account has {FEEDS_LIMIT} feeds at most", fix="remove one first")
    servers = Server.objects.filter(account=access.account, pk=feed.scope, removed=None)
    if feed.scope and not servers.exists():
        raise Conflict(
            "the server where it held has been removed",
            fix="undo the removal of the server first",
        )


def undo_pause(access: Writing, _made: Change, record: Record) -> None:
    """Let a feed go on that was paused, or rest that was resumed.

    Raises:
        BadInput: the journal did not tell enough yet when this was done.
        Conflict: it has been paused, resumed or removed since.
    """
    was, told = _both(record, "pause or resume the feed instead")
    feed = _feed(access, told["feed"])
    if feed.paused != told["paused"]:
        raise Conflict("it has been paused or resumed since")
    feed.paused, feed.due = was["paused"], time.time()
    feed.save(update_fields=["paused", "due"])


def undo_drop(access: Writing, _made: Change, record: Record) -> None:
    """Have an update wait again that was not taken, or not take it after all.

    Raises:
        BadInput: the journal did not tell enough yet when this was done.
        Conflict: another version has come since.
    """
    was, told = _both(record, "refresh the feed instead")
    feed = _feed(access, told["feed"])
    newest = feed.versions.first()
    if (
        newest is None
        or newest.pk != told["version"]
        or newest.state != told["state"]
        or newest.content_id is None
    ):
        raise Conflict(f"the feed {feed.name} has moved on since", fix="refresh it instead")
    newest.state = State(was["state"])
    newest.save(update_fields=["state"])


def _both(record: Record, instead: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """How it was before a change and after it; of some, older journals do not tell."""
    if record.before is None or record.after is None:
        raise BadInput(f"change {record.seq} does not tell what it changed", fix=instead)
    return record.before, record.after


def _feed(access: Writing, name: str) -> Feed:
    found = feeds_of(access).filter(name=name).first()
    if found is None:
        raise Conflict(f"the feed {name} has been removed since", fix="undo the removal first")
    return found


def _said(feed: Feed, servers: dict[int, str]) -> dict[str, Any]:
    """What the journal tells of the part of a feed that people change."""
    told = summary(feed, servers)
    return {name: told[name] for name in _TOLD}


UNDOERS = {
    "feed.set": undo_set,
    "feed.add": undo_there,
    "feed.remove": undo_there,
    "feed.pause": undo_pause,
    "feed.resume": undo_pause,
    "feed.drop": undo_drop,
}
