"""Removal requests of rejected senders over the API."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading
from mailmum.control.listings.models import Version
from mailmum.control.listings.values import as_dict as listing_dict
from mailmum.control.monitor.impact import check
from mailmum.control.requests import queries, services
from mailmum.control.requests.models import RemovalRequest
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.traffic.reading import tolerant
from mailmum.domain.targets import parse_target

router = Router(tags=["requests"])


class Wanted(schemas.Input):
    """Which requests to show."""

    state: Literal["open", "answered", "all"] = "open"
    cursor: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class RequestOut(Schema):
    """A request; `text` and `reply_to` were written by whoever asked, from the address `from`."""

    id: int
    state: str
    server: str
    client: str
    text: str
    reply_to: str
    sender: str = Field(alias="from", serialization_alias="from")
    created: str
    answered: str | None
    answered_by: str
    answer: str
    change: int | None


class Requests(Schema):
    """Requests, newest first; `next` continues as `cursor`."""

    requests: list[RequestOut]
    next: int | None


class Seen(Schema):
    """What was seen of the client in 30 days; `accepted` is null where no log tells."""

    contacts: int
    accepted: int | None
    rejected: int
    verdict: str


class RequestShown(RequestOut):
    """A request with what decides about it: the listing that blocks, and what the client did."""

    because: schemas.ListingOut | None
    seen: Seen | None


class AcceptIn(schemas.Input):
    """How to accept: allow the client (at the server that refused, or everywhere), or unlist."""

    how: Literal["allow", "unlist"] = "allow"
    everywhere: bool = False
    lifetime: schemas.Short | None = Field(default=None, alias="for")


class DeclineIn(schemas.Input):
    """What whoever asked may read, beside that it was declined."""

    answer: schemas.Text = ""


class AnsweredOut(Schema):
    """The request as it is now, the change, and a listing that blocks the client all the same."""

    request: RequestOut
    change: int | None
    still: schemas.ListingOut | None


@router.get("", response={200: Requests, **READ_ERRORS}, by_alias=True)
def list_requests(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Requests of rejected senders, newest first; open ones unless asked for others."""
    access = reader(request)
    answered = {"open": False, "answered": True, "all": None}[wanted.state]
    found = queries.requests_of(access, answered=answered)
    if wanted.cursor is not None:
        found = found.filter(pk__lt=wanted.cursor)
    rows, servers = list(found[: wanted.limit + 1]), names_of_servers(access)
    shown = rows[: wanted.limit]
    return {
        "requests": [queries.as_dict(one, servers) for one in shown],
        "next": shown[-1].pk if len(rows) > wanted.limit else None,
    }


@router.get("/{int:number}", response={200: RequestShown, **READ_ERRORS}, by_alias=True)
def show_request(request: HttpRequest, number: int) -> dict[str, Any]:
    """One request, with the listing that blocks its client and what was seen of it."""
    access = reader(request)
    found = queries.find_request(access, number)
    return {
        **queries.as_dict(found, names_of_servers(access)),
        "because": _listing(access, queries.blocking(access, found)),
        "seen": tolerant(lambda: _seen(access, found), None),
    }


@router.post("/{int:number}/accept", response={200: AnsweredOut, **WRITE_ERRORS}, by_alias=True)
def accept(request: HttpRequest, number: int, wanted: AcceptIn) -> dict[str, Any]:
    """Allow the client, or remove the listing that blocks it."""
    access = writer(request)
    if wanted.how == "unlist":
        return _answered(access, services.unlist_client(access, number))
    done = services.allow_client(
        access, number, everywhere=wanted.everywhere, lifetime=wanted.lifetime
    )
    return _answered(access, done)


@router.post("/{int:number}/decline", response={200: AnsweredOut, **WRITE_ERRORS}, by_alias=True)
def decline(request: HttpRequest, number: int, wanted: DeclineIn) -> dict[str, Any]:
    """Leave things as they are; who asked may read the answer."""
    access = writer(request)
    return _answered(access, services.decline(access, number, wanted.answer))


def _answered(access: Reading, done: services.Answered) -> dict[str, Any]:
    return {
        "request": queries.as_dict(done.request, names_of_servers(access)),
        "change": done.change,
        "still": _listing(access, done.still),
    }


def _listing(access: Reading, version: Version | None) -> dict[str, Any] | None:
    return None if version is None else listing_dict(version, names_of_servers(access))


def _seen(access: Reading, request: RemovalRequest) -> dict[str, Any] | None:
    found = check(access, parse_target(services.target_of(request)))
    return {
        "contacts": found.contacts,
        "accepted": found.accepted,
        "rejected": found.rejected,
        "verdict": found.verdict.value,
    }
