"""Tokens over the API."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Status

from mailmum.api import schemas
from mailmum.api.auth import TokenRequest, reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.control.accounts.models import Token
from mailmum.control.accounts.queries import tokens_of
from mailmum.control.accounts.services import add_token, remove_token
from mailmum.control.journal.moments import instant
from mailmum.domain.lifetimes import parse_lifetime

router = Router(tags=["tokens"])


@router.get("", response={200: schemas.Tokens, **READ_ERRORS})
def list_tokens(request: HttpRequest) -> dict[str, Any]:
    """One's own tokens; an owner sees everybody's."""
    return {"tokens": [_show(token) for token in tokens_of(reader(request))]}


@router.post("", response={201: schemas.TokenMade, **WRITE_ERRORS})
def make_token(request: TokenRequest, wanted: schemas.TokenIn) -> Any:
    """Make a token for oneself: by a token of scope write, and with no later end than its own."""
    lifetime = parse_lifetime(wanted.lifetime) if wanted.lifetime else None
    asker = request.token
    if asker.expires is not None:
        # Else a token that leaked would live on in the one it makes.
        left = max(int((asker.expires - timezone.now()).total_seconds()), 1)
        lifetime = min(lifetime or left, left)
    made = add_token(
        writer(request), wanted.name, writes="write" in wanted.scopes, lifetime=lifetime
    )
    return Status(201, {**_show(made.token), "token": made.secret})


@router.delete("/{int:number}", response={204: None, **WRITE_ERRORS})
def revoke_token(request: HttpRequest, number: int) -> Any:
    """Revoke a token."""
    remove_token(writer(request), min(number, 2**62))
    return Status(204, None)


def _show(token: Token) -> dict[str, Any]:
    return {
        "id": token.pk,
        "name": token.name,
        "person": token.person.email,
        "scopes": token.scopes,
        "created": instant(token.created),
        "expires": instant(token.expires),
        "last_used": instant(token.last_used),
    }
