"""The journal over the API: read it, undo from it."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.listings.history import Sought, records_of, show
from mailmum.control.listings.undo import find_record, undo
from mailmum.control.servers.queries import find_server
from mailmum.control.triggers.evidence import evidence_in
from mailmum.control.triggers.evidence import show as show_findings

router = Router(tags=["journal"])


class Wanted(schemas.Input):
    """Which records to show."""

    server: schemas.Short = ""
    target: schemas.Short = ""
    kind: Literal[
        "", "listings", "imports", "triggers", "servers", "account", "people", "tokens", "undone"
    ] = ""
    cursor: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@router.get("", response={200: schemas.Journal, **READ_ERRORS})
def list_records(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Changes, newest first."""
    access = reader(request)
    server = find_server(access, wanted.server).pk if wanted.server else None
    sought = Sought(kind=wanted.kind)
    found = records_of(access, server=server, target=wanted.target, sought=sought)
    if wanted.cursor is not None:
        found = found.filter(seq__lt=wanted.cursor)
    page = list(found[: wanted.limit + 1])
    shown = page[: wanted.limit]
    return {
        "records": show(access, shown),
        "next": shown[-1].seq if len(page) > wanted.limit else None,
    }


@router.get("/{int:seq}", response={200: schemas.WholeRecord, **READ_ERRORS})
def get_record(request: HttpRequest, seq: int) -> dict[str, Any]:
    """One change, with the evidence where a trigger made it."""
    access = reader(request)
    record = find_record(access, min(seq, 2**62))
    found = evidence_in(access, [record]).get(record.seq, [])
    return show(access, [record])[0] | {"evidence": show_findings(access, found)}


@router.post("/{int:seq}/undo", response={200: schemas.Undone, **WRITE_ERRORS})
def undo_change(request: HttpRequest, seq: int) -> dict[str, Any]:
    """Undo one change, as a change of its own."""
    made = undo(writer(request), min(seq, 2**62))
    return {"change": made.seq, "summary": made.summary}
