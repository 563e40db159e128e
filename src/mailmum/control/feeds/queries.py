"""What may be read of feeds."""

from collections.abc import Container
from typing import Any

from django.db.models import Q, QuerySet

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.feeds.models import Feed, FeedVersion, Kind, State
from mailmum.control.journal.moments import instant, moment
from mailmum.control.listings.values import scope_name
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import names_of_servers
from mailmum.domain.codes import code_text
from mailmum.domain.errors import NotFound
from mailmum.domain.lifetimes import lifetime_text
from mailmum.domain.listings import WHOLE_ACCOUNT
from mailmum.domain.texts import shown
from mailmum.domain.veil import veiled


def feeds_of(reading: Reading) -> QuerySet[Feed]:
    """The feeds of an account by name."""
    found = Feed.objects.filter(account=reading.account, removed=None)
    found = found.select_related("account", "content", "whole")
    return found.defer("content__data", "content__names", "whole__data", "whole__names").order_by(
        "name"
    )


def find_feed(reading: Reading, name: str) -> Feed:
    """One feed by name.

    Raises:
        NotFound: the account has none of this name.
    """
    feed = None if "\0" in name else feeds_of(reading).filter(name=name).first()
    if feed is None:
        raise NotFound(f"there is no feed {shown(name)}", fix="see the list of feeds")
    return feed


def versions_of(feed: Feed) -> list[FeedVersion]:
    """Its versions, newest first."""
    return list(feed.versions.defer("content", "whole"))


def state_of(feed: Feed, *, held: bool, idle: bool = False) -> str:
    """How a feed stands, in one word."""
    if idle:
        return "idle"
    if feed.paused:
        return "paused"
    if held:
        return "held"
    if feed.failing is not None:
        return "failing"
    return "waiting" if feed.content_id is None else "ok"


def is_awaited(feed: Feed, now: float) -> bool:
    """Whether the worker is about to refresh it, or at it."""
    if feed.kind == Kind.UPLOAD or feed.paused or is_idle(feed, _live(feed.account_id)):
        return False
    return feed.due <= now or feed.leased > now


def with_a_place(feeds: QuerySet[Feed]) -> QuerySet[Feed]:
    """Without those that are for a server that was removed."""
    live = Server.objects.filter(removed=None).values("pk")
    return feeds.filter(Q(scope=WHOLE_ACCOUNT) | Q(scope__in=live))


def is_idle(feed: Feed, live: Container[int]) -> bool:
    """Whether it holds nowhere, and is not refreshed: it is for a server that was removed."""
    return feed.scope != WHOLE_ACCOUNT and feed.scope not in live


def _live(account: int) -> set[int]:
    found = Server.objects.filter(account=account, removed=None)
    return set(found.values_list("pk", flat=True))


def held_feeds(reading: Reading) -> set[int]:
    """Numbers of the feeds of which something is held back."""
    found = FeedVersion.objects.filter(feed__account=reading.account, state=State.HELD)
    return set(found.values_list("feed", flat=True))


def left_out_of(feed: Feed) -> int:
    """How many entries of the source do not hold, since they cover servers of the account."""
    if feed.content is None or feed.whole is None:
        return 0
    return int(feed.whole.entries - feed.content.entries)


def summary(
    feed: Feed, servers: dict[int, str] | None = None, *, held: bool = False, idle: bool = False
) -> dict[str, Any]:
    """A feed as API, command line and journal show it."""
    refreshes = feed.kind != Kind.UPLOAD and not feed.paused and not idle
    return {
        "id": feed.pk,
        "name": feed.name,
        "kind": feed.kind,
        "source": feed.source,
        "format": feed.format,
        "action": feed.action,
        "use": feed.use,
        "scope": scope_name(feed.scope, servers or {}),
        "reason": feed.reason,
        "code": None if feed.code is None else code_text(feed.code),
        "every": lifetime_text(feed.every),
        "shrink": feed.shrink,
        "grow": feed.grow,
        "state": state_of(feed, held=held, idle=idle),
        "entries": feed.content.entries if feed.content else 0,
        "kept_out": left_out_of(feed),
        "addresses": feed.content.addresses if feed.content else 0,
        "changed": instant(feed.changed),
        "checked": instant(feed.checked),
        "next": moment(int(feed.due)) if refreshes else None,
        "failing": instant(feed.failing),
        "problem": feed.problem,
    }


def list_feeds(reading: Reading) -> list[dict[str, Any]]:
    """All feeds of an account."""
    servers, held, live = names_of_servers(reading), held_feeds(reading), _live(reading.account.pk)
    return [
        _for(reading, summary(feed, servers, held=feed.pk in held, idle=is_idle(feed, live)))
        for feed in feeds_of(reading)
    ]


def show_feed(reading: Reading, name: str) -> dict[str, Any]:
    """One feed with its versions.

    Raises:
        NotFound: no such feed.
    """
    feed = find_feed(reading, name)
    held = feed.pk in held_feeds(reading)
    idle = is_idle(feed, _live(reading.account.pk))
    told = summary(feed, names_of_servers(reading), held=held, idle=idle)
    return _for(reading, told) | {"versions": [version_summary(one) for one in versions_of(feed)]}


def _for(reading: Reading, told: dict[str, Any]) -> dict[str, Any]:
    """A feed for whoever asks: its whole address only for those who may change it."""
    if isinstance(reading, Writing):
        return told
    return told | {name: veiled(told[name]) for name in ("source", "problem")}


def version_summary(version: FeedVersion) -> dict[str, Any]:
    """A version as it is shown."""
    details: dict[str, Any] = version.details
    return {
        "id": version.pk,
        "state": version.state,
        "at": instant(version.at),
        "change": version.change,
        "entries": version.entries,
        "added": version.added,
        "removed": version.removed,
        "held": details.get("held", ""),
        "format": details.get("format", ""),
        "lines": details.get("lines", 0),
        "exceptions": details.get("exceptions", 0),
        "left_out": details.get("left_out", {}),
        "own_servers": details.get("own_servers", []),
        "missing": details.get("missing", []),
        "undenied": details.get("undenied", []),
        "bad": details.get("bad", 0),
        "bad_lines": details.get("bad_lines", []),
        "sample_added": details.get("sample_added", []),
        "sample_removed": details.get("sample_removed", []),
    }
