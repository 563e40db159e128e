"""Check before you list, over the API."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader
from mailmum.api.errors import READ_ERRORS
from mailmum.api.query import Query
from mailmum.control.monitor.impact import DAYS, LONGEST, check
from mailmum.control.monitor.scope import scope_of
from mailmum.control.monitor.show import as_dict
from mailmum.domain.targets import parse_target

router = Router(tags=["monitoring"])


class Wanted(schemas.Input):
    """What to check."""

    target: schemas.Short
    server: schemas.Short = ""
    days: Annotated[int, Field(ge=1, le=LONGEST)] = DAYS


class AtServer(Schema):
    """What was seen at a server; `accepted` is null where no log tells."""

    server: str
    contacts: int
    clients: int
    accepted: int | None
    rejected: int


class Hit(Schema):
    """A client that would have been hit; `kept`: an allow listing keeps it."""

    client: str
    name: str | None
    country: str | None
    contacts: int
    accepted: int
    rejected: int
    kept: bool


class Sender(Schema):
    """A domain that sent accepted mail lately; `<>` is the null sender."""

    domain: str
    messages: int


class RefusedSender(Schema):
    """A domain that was named as sender lately before it was turned away."""

    domain: str
    contacts: int


class Name(Schema):
    """A name that clients came under; not verified: they claimed it."""

    name: str
    verified: bool
    contacts: int
    accepted: int


class Country(Schema):
    """A country with how many clients are from there."""

    country: str
    clients: int


class Better(Schema):
    """A way that loses less: `narrower` or `exceptions`, with the commands that do it."""

    way: str
    block: list[str]
    allow: list[str]
    stops: int
    of: int
    commands: list[str]


class CheckOut(Schema):
    """What a block would have met; unknown is null."""

    target: str
    kind: str
    server: str | None
    days: int
    since: str
    complete: bool = Field(description="false: there was too much, and `since` is later than asked")
    verdict: str = Field(description="safe, caution or dangerous")
    warnings: list[str]
    addresses: int | None = Field(description="how many it holds; null for a name")
    contacts: int
    clients: int
    accepted: int | None = Field(description="messages; null when only lookups are known")
    rejected: int
    kept: int = Field(description="accepted messages of clients that an allow listing keeps")
    unlogged: int = Field(description="contacts of which only a lookup is known")
    groups: dict[str, int]
    servers: list[AtServer]
    hits: list[Hit]
    senders: list[Sender]
    refused_senders: list[RefusedSender]
    reverse: list[str] = Field(description="of a single address: names by reverse lookup")
    names: list[Name]
    country: str | None
    countries: list[Country]
    covered_by: list[schemas.ListingOut]
    inside: list[schemas.ListingOut]
    more_inside: int
    better: list[Better]


@router.get("", response={200: CheckOut, **READ_ERRORS})
def check_target(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Whom a block of a target would have hit lately, and what would be better."""
    access = reader(request)
    target = parse_target(wanted.target)
    server = wanted.server or None
    found = check(access, target, server, days=wanted.days, asks=True, whole=True)
    return as_dict(scope_of(access, server), found)
