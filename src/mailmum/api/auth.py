"""Who asks: the bearer of a token.

The token names the account and the person; what it allows is a value of `control.accounts.access`,
kept on the request and handed to every service.
"""

from typing import cast

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from mailmum.control.accounts.access import Owning, Reading, Writing, owning, writing
from mailmum.control.accounts.models import Token
from mailmum.control.accounts.queries import access_by_token


class TokenRequest(HttpRequest):
    """A request whose token has been checked."""

    access: Reading
    token: Token


class TokenAuth(HttpBearer):
    """Checks the token."""

    def authenticate(self, request: HttpRequest, token: str) -> Reading | None:
        """What the bearer may do, or None."""
        found = access_by_token(token, timezone.now())
        if found is None:
            return None
        checked = cast("TokenRequest", request)
        checked.access, checked.token = found
        return checked.access


def reader(request: HttpRequest) -> Reading:
    """Proof that the asker may read."""
    return cast("TokenRequest", request).access


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
