"""Export over the API: streamed text."""

from collections.abc import Iterator
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader
from mailmum.api.errors import READ_ERRORS
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading
from mailmum.control.imports.exporting import export
from mailmum.control.servers.queries import find_server
from mailmum.control.streaming import pulled
from mailmum.domain.listings import Action
from mailmum.formats.registry import find_format

PIECE = 64 * 1024

router = Router(tags=["import and export"])


class Wanted(schemas.Input):
    """What to export."""

    format: Annotated[str, Field(min_length=1, max_length=40)]
    server: schemas.Short = ""
    action: Action = Action.BLOCK


@router.get(
    "",
    response={200: None, **READ_ERRORS},
    openapi_extra={
        "responses": {
            200: {
                "description": "the file",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        }
    },
)
def export_listings(request: HttpRequest, wanted: Query[Wanted]) -> Any:
    """The listings as a file in one of the known formats."""
    access = reader(request)
    find_format(wanted.format)
    if wanted.server:
        find_server(access, wanted.server)
    return StreamingHttpResponse(
        pulled(lambda: _pieces(access, wanted)),
        content_type="text/plain; charset=utf-8",
    )


def _pieces(access: Reading, wanted: Wanted) -> Iterator[bytes]:
    """Lines gathered to pieces worth a step between threads."""
    gathered: list[str] = []
    size = 0
    for text in export(access, wanted.format, server=wanted.server, action=wanted.action):
        gathered.append(text)
        size += len(text)
        if size >= PIECE:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    yield "".join(gathered).encode()
