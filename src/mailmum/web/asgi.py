"""The ASGI application that uvicorn serves: pages and API, behind a bound on request bodies.

Django reads a whole body (into a temporary file) before any view runs, so the bound has to stand
before it.  Large files are taken only where an import asks for them, and only from a token that may
import: otherwise anybody could fill the disk.
"""

from asgiref.sync import sync_to_async
from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from django.core.asgi import get_asgi_application

from mailmum.web.leaving import Leaving
from mailmum.web.limits import BodyLimit, Headers
from mailmum.web.middleware import POLICY

django_application = get_asgi_application()


def known_token(secret: str) -> bool:
    """Whether a token may be used to write: one that only reads imports nothing."""
    from django.db import connections
    from django.utils import timezone

    from mailmum.control.accounts.access import Writing
    from mailmum.control.accounts.queries import access_by_token

    try:
        found = access_by_token(secret, timezone.now())
        return found is not None and isinstance(found[0], Writing)
    finally:
        connections.close_all()


def too_large() -> tuple[Headers, bytes]:
    """What somebody is shown who sent too much from a page."""
    from django.template.loader import render_to_string

    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", POLICY.encode()),
    ]
    return headers, render_to_string("413.html").encode()


_limited: ASGI3Application = BodyLimit(
    Leaving(django_application), sync_to_async(known_token, thread_sensitive=False), too_large
)


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """The application."""
    await _limited(scope, receive, send)
