"""Sightings for people: what they ask for, and what they get.

A question comes as texts, from the command line, an address of a page or the API, and becomes a
filter of the traffic database here.  What is found goes out with the name of the server.
"""

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from mailmum.control.accounts.access import Reading
from mailmum.control.monitor.scope import Scope, scope_of
from mailmum.control.traffic.find import PAGE_LIMIT, News, Page, find, latest, news
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.totals import best_by_day
from mailmum.control.traffic.values import Kept
from mailmum.domain.errors import BadInput
from mailmum.domain.moments import parse_moment
from mailmum.domain.targets import (
    NameTarget,
    NetworkTarget,
    Target,
    looks_like_address,
    parse_network,
    parse_target,
)
from mailmum.domain.texts import clean_line, shown
from mailmum.traffic.batches import ADDRESS
from mailmum.traffic.groups import Group
from mailmum.traffic.sightings import Outcome, Source, event

_Word = TypeVar("_Word", bound=StrEnum)
_Read = TypeVar("_Read")

COLUMNS = (
    "id", "server", "source", "count", "time", "host", "service", "client", "client_name", "helo",
    "sender", "recipient", "outcome", "code", "rbl", "queue_id", "delivery", "score", "reason",
    "named", "spam",
)  # fmt: skip
"""Of an export; the same words as in JSON."""
# Programs that show tables take such cells for formulas, and strangers write them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Question:
    """Which sightings are meant, as people write it; what is empty does not matter.

    Attributes:
        server: name of a server.
        client: an address or a network.
        name: a host, or a domain with a dot in front: the client's name or what it called itself.
        helo, sender, recipient: part of it.
        text: part of the client's name, HELO, sender or recipient.
        outcomes, sources, groups: any of these words.
        best: of each server on each day only what its best source saw, so that nothing is seen
            twice.
        rbl: the public list that decided.
        alone: only where it is known that no other list named the client.
        since, until: moments.
    """

    server: str = ""
    client: str = ""
    name: str = ""
    helo: str = ""
    sender: str = ""
    recipient: str = ""
    text: str = ""
    outcomes: Sequence[str] = ()
    groups: Sequence[str] = ()
    sources: Sequence[str] = ()
    best: bool = False
    rbl: str = ""
    alone: bool = False
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A question that was understood: whose traffic, and which of it."""

    scope: Scope
    wanted: Wanted


def understand(reading: Reading, question: Question, *, now: float | None = None) -> Search:
    """Read a question.

    Raises:
        BadInput: something of it cannot be understood; the message names it.
        NotFound: there is no such server.
    """
    clock = time.time() if now is None else now
    scope = scope_of(reading, question.server)
    wanted = Wanted(
        servers=scope.servers,
        client=_client(question.client) if question.client else None,
        name=_name(question.name) if question.name else None,
        sender=clean_line(question.sender, field="sender", limit=ADDRESS),
        recipient=clean_line(question.recipient, field="recipient", limit=ADDRESS),
        helo=clean_line(question.helo, field="helo", limit=ADDRESS),
        text=clean_line(question.text, field="text", limit=ADDRESS),
        outcomes=frozenset(_words(Outcome, question.outcomes, "outcome")),
        groups=frozenset(_words(Group, question.groups, "group")),
        sources=frozenset(_words(Source, question.sources, "source")),
        rbl=clean_line(question.rbl, field="rbl", limit=ADDRESS).lower() or None,
        alone=question.alone,
        since=_moment(question.since, clock, "since"),
        until=_moment(question.until, clock, "until"),
    )
    if question.best:
        wanted = replace(wanted, best=best_by_day(scope.account, wanted, clock))
    return Search(scope, wanted)


def page(search: Search, *, before: str | None = None, limit: int = 100) -> Page:
    """Some of what was seen, newest first.

    Raises:
        BadInput: `before` is no cursor of a page.
    """
    return find(search.scope.account, search.wanted, before=before, limit=limit)


def since(search: Search, after: int, *, limit: int = 200) -> News:
    """What was kept after a cursor, in the order in which it was kept."""
    return news(search.scope.account, search.wanted, after, limit=limit)


def now_is() -> int:
    """The cursor after which everything is new."""
    return latest()


def recent(scope: Scope, target: Target, limit: int, **more: Any) -> tuple[Kept, ...]:
    """The latest sightings of the clients of a target."""
    return recent_page(scope, target, limit, **more).found


def recent_page(scope: Scope, target: Target, limit: int, **more: Any) -> Page:
    """The same as a page, which says whether there are more."""
    wanted = Wanted(servers=scope.servers, **_about(target), **more)
    return find(scope.account, wanted, limit=limit)


def as_dict(scope: Scope, kept: Kept) -> dict[str, Any]:
    """A sighting as API and command line show it."""
    return {
        "id": kept.number,
        "server": scope.name(kept.server),
        "source": kept.source.value,
        "count": kept.count,
        **event(kept.sighting),
    }


def as_csv(search: Search) -> Iterator[str]:
    """All that is found as a table, in pieces."""
    yield _lines([COLUMNS])
    before: str | None = None
    while True:
        found = page(search, before=before, limit=PAGE_LIMIT)
        yield _lines(_cells(as_dict(search.scope, kept)) for kept in found.found)
        before = found.older
        if before is None:
            return


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(row: dict[str, Any]) -> list[Any]:
    return [_cell(row[name]) for name in COLUMNS]


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        value = " ".join(value)
    # An opened table must not run what a stranger called itself; a score may well be negative.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _about(target: Target) -> dict[str, Any]:
    return {"client": target} if isinstance(target, NetworkTarget) else {"name": target}


def _client(text: str) -> NetworkTarget:
    given = text.strip()
    bare = given[1:-1] if given.startswith("[") and given.endswith("]") else given
    if not looks_like_address(bare):
        raise BadInput(
            f"{shown(given)} is no address and no network",
            fix="look for a host or a domain by name",
            field="client",
        )
    return _asked(lambda: parse_network(bare), "client")


def _name(text: str) -> NameTarget:
    target = _asked(lambda: parse_target(text), "name")
    if isinstance(target, NetworkTarget):
        raise BadInput(
            f"{target.text} is no name",
            fix="look for an address or a network by client",
            field="name",
        )
    return target


def _asked(read: Callable[[], _Read], field: str) -> _Read:
    """What was read, or a refusal that names the field it was asked in."""
    try:
        return read()
    except BadInput as refusal:
        raise BadInput(refusal.problem, fix=refusal.fix, field=field) from None


def _words(kind: type[_Word], given: Iterable[str], field: str) -> Iterator[_Word]:
    for word in given:
        try:
            yield kind(word)
        except ValueError:
            raise BadInput(
                f"{shown(word)} is no {field}", fix=f"one of {', '.join(kind)}", field=field
            ) from None


def _moment(text: str, now: float, field: str) -> float | None:
    return parse_moment(text, now=now, field=field) if text.strip() else None
