"""Change how a feed is used: what becomes of its entries, where, how often, and its limits.

Entries are read for what becomes of them: other guards stand before a block than before an allow.
So a feed that turns from one to the other lists nothing until it has been read again, and one that
is uploaded cannot turn.
"""

import time
from collections.abc import Mapping
from typing import Any

from mailmum.control.accounts.access import Writing
from mailmum.control.feeds.models import Feed, Kind, State
from mailmum.control.feeds.queries import find_feed, summary
from mailmum.control.feeds.refreshing import forget_contents
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.journal.services import change
from mailmum.control.listings.services import scope_of
from mailmum.control.servers.queries import names_of_servers
from mailmum.domain.codes import code_text
from mailmum.domain.errors import BadInput, Conflict
from mailmum.domain.lifetimes import lifetime_text

FIELDS = ("action", "use", "every", "reason", "code", "shrink", "grow")


def edit_feed(access: Writing, name: str, given: Mapping[str, Any]) -> Feed:
    """Change a feed; what is left out stays.

    Args:
        access: who changes it.
        name: of the feed.
        given: of `FIELDS` and `server`, what is to be different; an empty server means all, an
            empty code the one of all feeds.

    Raises:
        NotFound: no such feed, or no such server.
        BadInput: a field cannot be used.
        Conflict: it is being refreshed.
    """
    with change(access.account.pk, access.actor, "feed.set") as made:
        feed = find_feed(access, name)
        servers = names_of_servers(access)
        made.before = summary(feed, servers)
        turned = rewrite(access, feed, given)
        if turned is None:
            made.discard()
            return feed
        made.server, made.after = feed.scope, summary(feed, servers)
        made.summary = f"feed {feed.name}"
    if turned:
        forget_contents()
    return feed


def rewrite(access: Writing, feed: Feed, given: Mapping[str, Any]) -> bool | None:
    """Change a feed as part of a change: whether it was emptied; None where nothing is different.

    Raises:
        NotFound, BadInput, Conflict: as `edit_feed` does.
    """
    values = _values(access, feed, given)
    if all(getattr(feed, field) == value for field, value in values.items()):
        return None
    if turned := values["action"] != feed.action:
        values |= _emptied()
    _write(feed, values)
    return bool(turned)


def _values(access: Writing, feed: Feed, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are to be, checked as those of a new feed are."""
    _check(feed, given)
    stays: dict[str, Any] = {
        "action": feed.action,
        "use": feed.use,
        "every": lifetime_text(feed.every),
        "reason": feed.reason,
        "code": None if feed.code is None else code_text(feed.code),
        "shrink": feed.shrink,
        "grow": feed.grow,
    }
    chosen = stays | {field: given[field] for field in FIELDS if given.get(field) is not None}
    if "code" in given:
        chosen["code"] = given["code"]
    wish = make_wish(feed.name, feed.source, kind=feed.kind, **chosen)
    scope = scope_of(access, given["server"]) if "server" in given else feed.scope
    return {field: getattr(wish, field) for field in FIELDS} | {"scope": scope}


def _check(feed: Feed, given: Mapping[str, Any]) -> None:
    action = given.get("action")
    if action in (None, feed.action):
        return
    if feed.kind == Kind.SPF:
        raise BadInput("providers are never blocked", fix="leave the action out", field="action")
    if feed.kind == Kind.UPLOAD:
        raise BadInput(
            f"what was uploaded to the feed {feed.name} was read to {feed.action}",
            fix="add another feed and upload the list there",
            field="action",
        )


def _emptied() -> dict[str, Any]:
    """A feed as if nothing had come yet, to be refreshed now."""
    marks = dict.fromkeys(("etag", "modified", "raw"), "")
    return {"content": None, "whole": None, "due": time.time(), **marks}


def _write(feed: Feed, values: dict[str, Any]) -> None:
    """Write it unless somebody refreshes it, who has read what it was."""
    now = time.time()
    if values["every"] != feed.every:
        values.setdefault("due", min(feed.due, now + values["every"]))
    if not Feed.objects.filter(pk=feed.pk, leased__lte=now).update(**values):
        raise Conflict(f"the feed {feed.name} is being refreshed just now", fix="try in a minute")
    if "raw" in values:
        feed.versions.filter(state=State.HELD).update(state=State.DROPPED)
        feed.versions.filter(state=State.CURRENT).update(state=State.PAST)
        feed.versions.update(content=None, whole=None)
    for field, value in values.items():
        setattr(feed, field, value)
