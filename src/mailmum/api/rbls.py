"""Public lists over the API: which are asked, what they say, how they fare, what they caught."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.witnesses import services, show
from mailmum.control.witnesses.asking import ask_about, check_health, parse_client, witnesses_of
from mailmum.control.witnesses.comparing import DAYS, LONGEST, compare

router = Router(tags=["public lists"])


class ListIn(schemas.Input):
    """A public list."""

    zone: schemas.Short


class ListOut(Schema):
    """A public list that is asked, and how it fares."""

    zone: str
    created: str
    state: str = Field(description="works, silent, empty, wildcard, refused or unknown")
    says: str
    since: str | None
    checked: str | None


class Lists(Schema):
    """The lists that are asked, and others that decided at mail servers of the account."""

    lists: list[ListOut]
    proposals: list[str]


class Testimony(Schema):
    """What a list says; `listed` is null when that is not known, and `note` says why."""

    zone: str
    listed: bool | None
    codes: list[str]
    note: str
    asked: str | None


class Testimonies(Schema):
    """What each list says of a client."""

    client: str
    lists: list[Testimony]


class WantedClient(schemas.Input):
    """About which address."""

    client: schemas.Short


class WantedDays(schemas.Input):
    """Of how many days."""

    days: Annotated[int, Field(ge=1, le=LONGEST)] = DAYS


class Together(Schema):
    """Another list, and how many of the same clients it stopped."""

    zone: str
    clients: int


class SenderOut(Schema):
    """A client that the list stopped and that delivered accepted mail, too."""

    client: str
    stopped: int
    accepted: int


class CaughtOut(Schema):
    """What one list caught; `own` are the account's own zones together."""

    zone: str
    own: bool
    stopped: int
    clients: int
    alone: int
    together: list[Together]
    senders: int
    accepted: int
    examples: list[SenderOut]


class ComparisonOut(Schema):
    """What all lists caught; `complete` is false when `since` is later than asked."""

    since: str
    complete: bool
    lists: list[CaughtOut]


@router.get("", response={200: Lists, **READ_ERRORS})
def list_lists(request: HttpRequest) -> dict[str, Any]:
    """Which public lists are asked."""
    access = reader(request)
    return {"lists": show.lists_as(access), "proposals": show.proposals(access)}


@router.post("", response={201: Lists, **WRITE_ERRORS})
def add_list(request: HttpRequest, wanted: ListIn) -> Any:
    """Ask a public list from now on; how it fares is looked at first."""
    access = writer(request)
    made = services.add_witness(access, wanted.zone)
    check_health([made.zone])
    return Status(201, {"lists": show.lists_as(access), "proposals": show.proposals(access)})


@router.get("/check", response={200: Testimonies, **READ_ERRORS})
def check_client(request: HttpRequest, wanted: Query[WantedClient]) -> dict[str, Any]:
    """What the lists say of an address."""
    access, client = reader(request), parse_client(wanted.client)
    found = ask_about(access, client)
    return {"client": client.text, "lists": [show.testimony_as(one) for one in found]}


@router.get("/compare", response={200: ComparisonOut, **READ_ERRORS})
def compare_lists(request: HttpRequest, wanted: Query[WantedDays]) -> dict[str, Any]:
    """What each list caught, alone and together, and what it stopped that delivers mail, too."""
    return show.comparison_as(compare(reader(request), days=wanted.days))


@router.post("/health", response={200: Lists, **WRITE_ERRORS})
def look_again(request: HttpRequest) -> dict[str, Any]:
    """Look now how the lists fare."""
    access = writer(request)
    check_health([one.zone for one in witnesses_of(access)])
    return {"lists": show.lists_as(access), "proposals": show.proposals(access)}


@router.delete("/{zone}", response={204: None, **WRITE_ERRORS})
def remove_list(request: HttpRequest, zone: str) -> Any:
    """Ask a public list no longer."""
    services.remove_witness(writer(request), zone)
    return Status(204, None)
