"""Sightings over the API: searched by pages, exported, and followed as they come."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from django.db import DatabaseError
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Schema
from pydantic import Field, StringConstraints

from mailmum.api import schemas
from mailmum.api.auth import reader
from mailmum.api.errors import READ_ERRORS, as_json, unavailable
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading
from mailmum.control.monitor import search
from mailmum.control.monitor.live import Came, hub
from mailmum.control.monitor.search import Question, Search, as_csv, as_dict, understand
from mailmum.control.streaming import pulled
from mailmum.domain.errors import BadInput, Refusal

router = Router(tags=["monitoring"])

LONGEST = 600.0
"""Seconds after which a stream ends and is asked for again: the token is looked at again then."""
_Word = Annotated[str, StringConstraints(max_length=40)]
_Words = Annotated[list[_Word], Field(max_length=20, default_factory=list)]


class Filter(schemas.Input):
    """Which sightings; what is left out does not matter."""

    server: schemas.Short = ""
    client: schemas.Short = Field("", description="address or network")
    name: schemas.Short = Field("", description="host, or with a dot in front domain")
    helo: schemas.Short = Field("", description="part of it")
    sender: schemas.Short = Field("", description="part of it")
    recipient: schemas.Short = Field("", description="part of it")
    outcome: _Words
    source: _Words
    rbl: schemas.Short = ""
    alone: bool = Field(False, description="only where no other list named the client")
    since: schemas.Short = Field("", description="2h, 7d, 2026-11-26 or 2026-11-26T14:00:00Z")
    until: schemas.Short = ""

    def understood(self, access: Reading) -> Search:
        """The filter as the control plane has it."""
        return understand(
            access,
            Question(
                server=self.server,
                client=self.client,
                name=self.name,
                helo=self.helo,
                sender=self.sender,
                recipient=self.recipient,
                outcomes=self.outcome,
                sources=self.source,
                rbl=self.rbl,
                alone=self.alone,
                since=self.since,
                until=self.until,
            ),
        )


_Cursor = Annotated[int, Field(ge=0, le=2**62)] | None


class Wanted(Filter):
    """Which page of them."""

    cursor: schemas.Short = Field("", description="`next` of the page before")
    after: _Cursor = Field(None, description="instead: what was kept after this `cursor`")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Followed(Filter):
    """Where to go on."""

    after: _Cursor = Field(None, description="the last `id` that came; else from now on")


class Sightings(Schema):
    """A page of sightings, newest first; with `after` what came since, oldest first."""

    sightings: list[schemas.SightingOut]
    next: str | None = Field(description="cursor of the page that follows; it may have fewer rows")
    after: int = Field(description="with which to ask for what has come since")


@router.get("", response={200: Sightings, **READ_ERRORS})
def find_sightings(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Sightings, newest first by pages, or those that came after a cursor."""
    asked = wanted.understood(reader(request))
    if wanted.after is not None:
        news = search.since(asked, wanted.after, limit=wanted.limit)
        return _page(asked, news.found, None, news.cursor)
    # Asked before the page is read: what comes in between is then told twice, never left out.
    after = search.now_is()
    page = search.page(asked, before=wanted.cursor or None, limit=wanted.limit)
    return _page(asked, page.found, page.older, after)


def _page(asked: Search, found: Any, older: str | None, after: int) -> dict[str, Any]:
    sightings = [as_dict(asked.scope, kept) for kept in found]
    return {"sightings": sightings, "next": older, "after": after}


def _text(kind: str, description: str) -> dict[str, Any]:
    schema = {"schema": {"type": "string"}}
    return {"responses": {200: {"description": description, "content": {kind: schema}}}}


@router.get(
    "/export",
    response={200: None, **READ_ERRORS},
    openapi_extra=_text("text/csv", "a table with a line of names"),
)
def export_sightings(request: HttpRequest, wanted: Query[Filter]) -> Any:
    """All sightings that a filter describes as CSV, newest first."""
    asked = wanted.understood(reader(request))
    return StreamingHttpResponse(
        pulled(lambda: _pieces(asked)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sightings.csv"'},
    )


def _pieces(asked: Search) -> Iterator[bytes]:
    for text in as_csv(asked):
        yield text.encode()


@router.get(
    "/live",
    response={200: None, **READ_ERRORS},
    openapi_extra=_text("text/event-stream", "server-sent events: `sighting`, `cursor`, `refused`"),
)
def follow_sightings(request: HttpRequest, wanted: Query[Followed]) -> Any:
    """Sightings as they come, as server-sent events whose id is the cursor to go on from.

    A stream ends after ten minutes, or when the service does: ask again with the last id, as
    `after` or as the header `Last-Event-ID`.
    """
    asked = wanted.understood(reader(request))
    after = wanted.after
    if given := request.headers.get("Last-Event-ID"):
        after = _number(given)
    return StreamingHttpResponse(
        _events(asked, after),
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadInput("Last-Event-ID is no id of this stream", fix="leave it out, or send `after`")
    return int(text)


async def _events(asked: Search, after: int | None) -> AsyncIterator[bytes]:
    stream = hub().follow(asked.scope.account, asked.wanted, after)
    clock = asyncio.get_running_loop().time
    end = clock() + LONGEST
    try:
        async for came in stream:
            yield _event(asked, came)
            if clock() > end:
                return
    except Refusal as refusal:
        yield _refused(refusal)
    except DatabaseError as error:
        yield _refused(unavailable(error, "/sightings/live"))
    finally:
        await stream.aclose()


def _event(asked: Search, came: Came) -> bytes:
    """Server-sent events: one a sighting, and how far that is all."""
    lines = [
        f"id: {kept.number}\nevent: sighting\ndata: {json.dumps(as_dict(asked.scope, kept))}\n\n"
        for kept in came.found
    ]
    cursor = f"id: {came.cursor}\nevent: cursor\ndata: {came.cursor}\n\n"
    return "".join([*lines, cursor]).encode()


def _refused(refusal: Refusal) -> bytes:
    return f"event: refused\ndata: {json.dumps(as_json(refusal))}\n\n".encode()
