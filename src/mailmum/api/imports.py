"""Import over the API: the body is the file, the answer a stream of JSON lines.

Lines of progress come while it runs; the last line is the report, or the error.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import asdict
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import writer
from mailmum.api.errors import WRITE_ERRORS
from mailmum.api.lines import lines_of
from mailmum.api.query import Query
from mailmum.control.accounts.access import Writing
from mailmum.control.imports.blocks import Blocks
from mailmum.control.imports.options import ImportOptions, Report
from mailmum.control.imports.services import Progress, run_import
from mailmum.control.streaming import go_on, pushed
from mailmum.domain.lifetimes import end_of
from mailmum.domain.listings import Action

CHUNK = 256 * 1024

router = Router(tags=["import and export"])


class Wanted(schemas.Input):
    """How to import."""

    format: schemas.Short = ""
    label: Annotated[str, Field(max_length=80)] = "import"
    server: schemas.Short = ""
    action: Action = Action.BLOCK
    mine: bool = False
    force: bool = False
    dry_run: bool = False
    remove_missing: bool = False
    lifetime: schemas.Short = Field(default="", alias="for")
    reason: schemas.Text = ""


@router.post(
    "",
    response={200: None, **WRITE_ERRORS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        },
        "responses": {
            200: {
                "description": "JSON lines: progress, then one report or error",
                "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            }
        },
    },
)
def import_file(request: HttpRequest, wanted: Query[Wanted]) -> Any:
    """Import a file in one change: all or nothing."""
    access = writer(request)
    options = ImportOptions(
        format=wanted.format,
        label=wanted.label or "import",
        server=wanted.server or None,
        action=wanted.action,
        mine=wanted.mine,
        force=wanted.force,
        dry_run=wanted.dry_run,
        remove_missing=wanted.remove_missing,
        expires=end_of(wanted.lifetime, time.time()),
        reason=wanted.reason,
    )
    total = int(request.headers.get("Content-Length") or 0) or None
    return StreamingHttpResponse(
        pushed(lambda: lines_of(_told(access, request, options, total), request.path)),
        content_type="application/x-ndjson",
    )


def _told(
    access: Writing, request: HttpRequest, options: ImportOptions, total: int | None
) -> Generator[dict[str, Any], None, None]:
    chunks, blocks = _Chunks(request), Blocks(options) if options.dry_run else None
    for step in run_import(access, chunks, options, blocks=blocks):
        if isinstance(step, Report) and blocks is not None:
            step.impact = blocks.impact(access)
        yield _step(step, chunks.read, total)
        # After a report all is done.
        if isinstance(step, Progress):
            go_on()


class _Chunks:
    """The body in pieces, counting what has been read."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._request.read(CHUNK):
            self.read += len(chunk)
            yield chunk


def _step(step: Progress | Report, read: int, total: int | None) -> dict[str, Any]:
    if isinstance(step, Report):
        return {"report": asdict(step)}
    told = {"phase": step.phase, "bytes": read, "of": total, "lines": step.done, "total": step.of}
    return {"progress": told}
