"""Log lines over the API: handed in by `mailmum ship`, or posted by programs that ship logs."""

import time
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import AfterValidator, Field

from mailmum.api import schemas
from mailmum.api.auth import handing_in
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.dataplane import handed
from mailmum.control.dataplane.handed import Batch
from mailmum.daemons.zones import fixed_zone, named_zone
from mailmum.domain.errors import BadInput, Refusal
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.posted import inflate, list_lines

router = Router(tags=["logs"])

Stream = Annotated[schemas.Short, Field(max_length=190)]
Place = Annotated[str, Field(max_length=4000), AfterValidator(schemas.without_control)]


class Wanted(schemas.Input):
    """Where the lines come from."""

    stream: Stream = Field(default="", description="which log of the server, when it has several")
    after: Place = Field(default="", description="position at which the lines begin")
    position: Place = Field(
        default="", description="position after them; without it lines sent twice count twice"
    )
    zone: schemas.Short = Field(default="", description="time zone of classic syslog headers")
    offset: int = Field(default=0, description="of that zone from UTC in seconds, if not known")
    at: Annotated[float, Field(ge=-1, le=2**40)] | None = Field(
        default=None,
        description="Unix time at which there was nothing more to send; negative: there is more; "
        "left out: now",
    )
    lost: Annotated[int, Field(ge=0, le=2**53)] = Field(
        default=0, description="lines that were thrown away before these"
    )


@router.get("/{name}/logs", response={200: schemas.Stands, **READ_ERRORS, 403: WRITE_ERRORS[403]})
def where(request: HttpRequest, name: str, stream: Stream = "") -> dict[str, Any]:
    """The position at which to go on handing in a log."""
    server = handing_in(request, name)
    try:
        return {"position": handed.stands(server, stream)}
    except SourceUnavailable as error:
        raise _unavailable() from error


@router.post(
    "/{name}/logs",
    response={200: schemas.Handed, **WRITE_ERRORS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
)
def hand_in(request: HttpRequest, name: str, wanted: Query[Wanted]) -> dict[str, Any]:
    """Hand in lines of a mail log.

    The body holds lines, or an object a line with the line in `message`; it may be compressed with
    gzip. When `kept` is false the log stands elsewhere, at `position`, and nothing was taken.
    """
    server = handing_in(request, name)
    if wanted.after and not wanted.position:
        raise BadInput("after is given without position", fix="give both", field="position")
    body = inflate(request.body, request.headers.get("Content-Encoding", ""))
    batch = Batch(
        lines=list_lines(body, request.headers.get("Content-Type", "")),
        stream=wanted.stream,
        after=wanted.after or None,
        position=wanted.position,
        zone=named_zone(wanted.zone) or fixed_zone(wanted.offset),
        read=time.time() if wanted.at is None else wanted.at,
        lost=wanted.lost,
    )
    try:
        result = handed.hand_in(server, batch)
    except SourceUnavailable as error:
        raise _unavailable() from error
    return {
        "kept": result.kept,
        "position": result.position,
        "lines": result.lines,
        "unrecognised": result.unrecognised,
        "sightings": result.sightings,
    }


def _unavailable() -> Refusal:
    refusal = Refusal("the database cannot be used just now", fix="send the lines again")
    refusal.code = "unavailable"
    return refusal
