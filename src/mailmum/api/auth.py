"""Who asks: the bearer of a token.

The token names the account and the person; what it allows is a value of `control.accounts.access`,
kept on the request and handed to every service.
"""

from typing import cast

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from mailmum.control.accounts.access import HandingIn, Owning, Reading, Writing, owning, writing
from mailmum.control.accounts.models import Token
from mailmum.control.accounts.queries import bearer
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import find_server, server_handed_in
from mailmum.domain.errors import Forbidden


class TokenRequest(HttpRequest):
    """A request whose token has been checked."""

    access: Reading | HandingIn
    token: Token


class TokenAuth(HttpBearer):
    """Checks the token."""

    def authenticate(self, request: HttpRequest, token: str) -> Reading | HandingIn | None:
        """What the bearer may do, or None."""
        found = bearer(token, timezone.now())
        if found is None:
            return None
        checked = cast("TokenRequest", request)
        checked.access, checked.token = found
        return checked.access


def reader(request: HttpRequest) -> Reading:
    """Proof that the asker may read.

    Raises:
        Forbidden: the token only hands in logs.
    """
    access = cast("TokenRequest", request).access
    if isinstance(access, HandingIn):
        raise Forbidden(
            "this token only hands in the logs of a mail server",
            fix="use a token with the scope read or write",
        )
    return access


def writer(request: HttpRequest) -> Writing:
    """Proof that the asker may write.

    Raises:
        Forbidden: the role or the token allows reading only.
    """
    return writing(reader(request))


def owner(request: HttpRequest) -> Owning:
    """Proof that the asker owns the account.

    Raises:
        Forbidden: the role or the token allows less.
    """
    return owning(reader(request))


def handing_in(request: HttpRequest, name: str) -> Server:
    """The server of that name, whose logs the asker may hand in.

    Raises:
        Forbidden: the token reads only, or hands in the logs of another server.
        NotFound: the account has no such server.
    """
    access = cast("TokenRequest", request).access
    if not isinstance(access, HandingIn):
        return find_server(writing(access), name)
    server = server_handed_in(access)
    if server.name != name:
        # Said of every other name, so that nobody learns which servers there are.
        raise Forbidden(
            f"this token hands in the logs of {server.name} only",
            fix="make one for the other server, or correct its name",
        )
    return server
