"""Answers for supervisors, load balancers and monitoring systems, in plain text.

Anybody may ask how the service is, so no answer says more than which database is away; the log
says why.  Who may read the numbers is a parameter.
"""

import logging

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from mailmum.control import config
from mailmum.control.journal.models import Record
from mailmum.control.metrics import registry
from mailmum.control.readers import Asker, parse_readers
from mailmum.control.traffic.models import Tally
from mailmum.control.traffic.router import traffic_database

log = logging.getLogger(__name__)

_TEXT = "text/plain; charset=utf-8"
_PASSED_ON = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
_REFUSED = "the parameter `metrics` does not let you read this\n"
_registry = registry()


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", _TEXT)


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """This process answers and its rules can be read.

    Without the database of traffic pages go on, so that one is only mentioned.
    """
    if fault := _fault(DEFAULT_DB_ALIAS):
        return HttpResponse(f"the database {fault}\n", _TEXT, status=503)
    alias = traffic_database()
    fault = _fault(alias) if alias != DEFAULT_DB_ALIAS else ""
    return HttpResponse(f"ok, but the database of traffic {fault}\n" if fault else "ok\n", _TEXT)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers of the installation, for those who may read them."""
    readers = parse_readers(config.current().metrics)
    if not readers:
        return HttpResponse("the parameter `metrics` is off\n", _TEXT, status=404)
    if not readers.admit(_asker(request)):
        response = HttpResponse(_REFUSED, _TEXT, status=401 if readers.tokens else 403)
        if readers.tokens:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    return HttpResponse(generate_latest(_registry), CONTENT_TYPE_LATEST)


def _fault(alias: str) -> str:
    """What is wrong with a database, in words for anybody; empty when it can be read."""
    model = Record if alias == DEFAULT_DB_ALIAS else Tally
    try:
        # A table of ours: an empty database in the place of the right one answers, too.
        model.objects.using(alias).exists()
    except DatabaseError as error:
        log.warning("the database %s is not ready: %s", alias, error)
        if not connections[alias].in_atomic_block:
            connections[alias].close()
        tableless = "no such table" in str(error) or "does not exist" in str(error)
        return "has no tables" if tableless else "does not answer"
    return ""


def _asker(request: HttpRequest) -> Asker:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    host = request.META.get("HTTP_HOST", "")
    name, colon, port = host.rpartition(":")
    return Asker(
        address=request.META.get("REMOTE_ADDR", ""),
        host=name if colon and port.isdigit() else host,
        passed_on=any(name in request.META for name in _PASSED_ON),
        token=token.strip() if scheme.lower() == "bearer" else "",
    )
