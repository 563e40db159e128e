"""Error pages in the design, among them the one for a database that is away."""

import logging
import sys

from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from mailmum.control.away import only_traffic

log = logging.getLogger(__name__)


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: what was sent is too large or malformed."""
    return render(request, "400.html", status=400)


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the role allows less."""
    return render(request, "403.html", {"why": _text(exception)}, status=403)


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no such page, or not for this person; the answer is the same."""
    return render(request, "404.html", {"why": _text(exception)}, status=404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form came without the token that proves it is ours."""
    log.info("a form was refused: %s", reason)
    return render(request, "403_csrf.html", status=403)


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 when a database is away.  Nothing here may need one."""
    fault = sys.exc_info()[1]
    # The plain kind is what SQLite says of a file that is damaged.
    away = isinstance(fault, OperationalError | InterfaceError) or type(fault) is DatabaseError
    if not away:
        return HttpResponse(render_to_string("500.html"), status=500)
    page = render_to_string("mailmum/away.html", {"traffic": only_traffic()})
    return HttpResponse(page, status=503)


def _text(exception: Exception) -> str:
    # The resolver's own Http404 carries a dictionary, which is nobody's business.
    first = exception.args[0] if exception.args else ""
    return first if isinstance(first, str) else ""
