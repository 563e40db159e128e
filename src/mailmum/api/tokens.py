"""Tokens over the API."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from mailmum.api import schemas
from mailmum.api.auth import TokenRequest, reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import Token
from mailmum.control.accounts.queries import tokens_of
from mailmum.control.accounts.services import add_token, remove_token
from mailmum.control.journal.moments import instant
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.servers.services import add_shipping_token
from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import parse_lifetime

router = Router(tags=["tokens"])


@router.get("", response={200: schemas.Tokens, **READ_ERRORS})
def list_tokens(request: HttpRequest) -> dict[str, Any]:
    """One's own tokens; an owner sees everybody's."""
    access = reader(request)
    return {"tokens": [_show(access, token) for token in tokens_of(access)]}


@router.post("", response={201: schemas.TokenMade, **WRITE_ERRORS})
def make_token(request: TokenRequest, wanted: schemas.TokenIn) -> Any:
    """Make a token for oneself: by a token of scope write, with which it ends at the latest."""
    lifetime = parse_lifetime(wanted.lifetime) if wanted.lifetime else None
    asker = request.token
    if asker.expires is not None:
        # Else a token that leaked would live on in the one it makes.
        left = max(int((asker.expires - timezone.now()).total_seconds()), 1)
        lifetime = min(lifetime or left, left)
    access = writer(request)
    if "ship" in wanted.scopes:
        _refuse_more_than_ship(wanted)
        made = add_shipping_token(
            access, wanted.server, wanted.name, lifetime=lifetime, parent=asker
        )
    else:
        writes = "write" in wanted.scopes
        made = add_token(access, wanted.name, writes=writes, lifetime=lifetime, parent=asker)
    return Status(201, {**_show(access, made.token), "token": made.secret})


@router.delete("/{int:number}", response={204: None, **WRITE_ERRORS})
def revoke_token(request: HttpRequest, number: int) -> Any:
    """Revoke a token."""
    remove_token(writer(request), min(number, 2**62))
    return Status(204, None)


def _refuse_more_than_ship(wanted: schemas.TokenIn) -> None:
    if set(wanted.scopes) != {"ship"}:
        raise BadInput(
            "a token of the scope ship has no other scope",
            fix="make two tokens",
            field="scopes",
        )


def _show(access: Reading, token: Token) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "person": token.person.email,
        "scopes": token.scopes,
        "server": None if token.ships is None else names_of_servers(access).get(token.ships),
        "created": instant(token.created),
        "expires": instant(token.expires),
        "last_used": instant(token.last_used),
    }
