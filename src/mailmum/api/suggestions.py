"""Suggestions over the API: what is proposed, accepting and dismissing it."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.suggestions import inbox
from mailmum.control.suggestions.show import suggestion_as

router = Router(tags=["suggestions"])
SHOWN = 500


class Wanted(schemas.Input):
    """Which: those that wait, or those that were dismissed."""

    dismissed: bool = False


class SuggestionOut(Schema):
    """A proposal: `does` is what accepting it does, `why` what speaks for it."""

    id: int
    kind: str = Field(description="block, widen, allow, shorten or drop")
    target: str
    listing: int | None
    does: str
    why: str
    evidence: dict[str, Any]
    made: str
    decided: str | None
    decided_by: str | None


class Suggestions(Schema):
    """Proposals."""

    suggestions: list[SuggestionOut]


class Accepted(Schema):
    """What came of it: the number of the change, null when nothing changed."""

    change: int | None


class Dismissed(SuggestionOut):
    """A proposal that is not made again, and the change by whose undo it is."""

    change: int


@router.get("", response={200: Suggestions, **READ_ERRORS})
def list_suggestions(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """What waits for a decision, the weightiest of each kind first."""
    access = reader(request)
    find = inbox.dismissed_suggestions if wanted.dismissed else inbox.open_suggestions
    return {"suggestions": [suggestion_as(one) for one in find(access)[:SHOWN]]}


@router.post("/{int:number}/accept", response={200: Accepted, **WRITE_ERRORS})
def accept(request: HttpRequest, number: int) -> dict[str, Any]:
    """Do what is proposed."""
    return {"change": inbox.accept(writer(request), min(number, 2**62)).change}


@router.post("/{int:number}/dismiss", response={200: Dismissed, **WRITE_ERRORS})
def dismiss(request: HttpRequest, number: int) -> dict[str, Any]:
    """Do not propose this again."""
    one, made = inbox.dismiss(writer(request), min(number, 2**62))
    return suggestion_as(one) | {"change": made.seq}
