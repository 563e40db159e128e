"""What holds for every response and every reader.

The Content-Security-Policy: nothing from outside, nothing inline, no eval.  The reader's time zone:
a small script tells it in a cookie, so that pages show local times from the second one on; until
then, and without script, times are in UTC and say so.
"""

from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'"
)
ZONE_COOKIE = "zone"

Responder = Callable[[HttpRequest], HttpResponse]


def content_security_policy(get_response: Responder) -> Responder:
    """Put the policy on every response that has none of its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


def compressed(get_response: Responder) -> Responder:
    """Send pages compressed; never streams, whose events must go out one by one.

    Django pads each with some random bytes, so that its length tells nothing of what is secret in
    it, and masks the token of its forms anew each time.
    """
    gzip = GZipMiddleware(get_response)

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.streaming or request.method == "HEAD":
            return response
        packed: HttpResponse = gzip.process_response(request, response)  # type: ignore[assignment]
        return packed

    return middleware


def reader_zone(get_response: Responder) -> Responder:
    """Show times in the zone that the reader's browser has told."""

    def middleware(request: HttpRequest) -> HttpResponse:
        zone = _zone(request.COOKIES.get(ZONE_COOKIE, ""))
        if zone is None:
            return get_response(request)
        with timezone.override(zone):
            return get_response(request)

    return middleware


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    if not name or len(name) > 64:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Unknown (ZoneInfoNotFoundError is a KeyError), or such as "../etc/passwd".
        return None
