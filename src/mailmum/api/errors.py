"""One form for every error the API answers with, those of the framework among them.

{"error": {"code": "bad-input", "message": "problem; fix", "problem": ..., "fix": ...,
           "field": "target", "items": [...]}}
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from django.db import Error as AnyDatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import Field

from mailmum.control.away import only_traffic
from mailmum.control.traffic import health
from mailmum.daemons.descriptors import with_cause
from mailmum.domain.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NeedsConfirmation,
    NotFound,
    Refusal,
    SeveralRefused,
)
from mailmum.domain.texts import shown

log = structlog.get_logger()

STATUS = {
    BadInput.code: 422,
    NeedsConfirmation.code: 409,
    Conflict.code: 409,
    NotFound.code: 404,
    Forbidden.code: 403,
    "unauthenticated": 401,
    "method-not-allowed": 405,
    "too-slow": 408,
    "too-large": 413,
    "unsafe-address": 422,
    "unreached": 422,
    "failed": 500,
    "unavailable": 503,
}
PREFIX = "/api/v1/"


class ErrorItem(Schema):
    """One refused input of several."""

    target: str
    code: str
    problem: str
    fix: str
    field: str


class ErrorBody(Schema):
    """What was refused, why, and the likely fix."""

    code: str = Field(
        description="bad-input, needs-confirmation, conflict, not-found, forbidden, "
        "unauthenticated, method-not-allowed, too-slow, too-large, unsafe-address, unreached, "
        "failed or unavailable"
    )
    message: str
    problem: str
    fix: str
    field: str = Field(description="the field at fault, empty when it is none in particular")
    items: list[ErrorItem]


class Error(Schema):
    """The answer to a request that was refused."""

    error: ErrorBody


NOTICE = "MailMum-Notice"
"""The header in which every answer to a token tells what is wrong with the service."""
_AWAY = (
    "the database of traffic is away: triggers list nobody, and what is seen waits in memory for "
    "about an hour; see: mailmum doctor"
)
READ_ERRORS = {401: Error, 404: Error, 422: Error, 503: Error}
WRITE_ERRORS = {**READ_ERRORS, 403: Error, 409: Error, 413: Error}


def as_json(refusal: Refusal) -> dict[str, Any]:
    """A refusal as the API tells it."""
    items = refusal.items if isinstance(refusal, SeveralRefused) else []
    return {
        "error": {
            "code": refusal.code,
            "message": str(refusal),
            "problem": refusal.problem,
            "fix": refusal.fix,
            "field": refusal.field,
            "items": [
                {
                    "target": given,
                    "code": item.code,
                    "problem": item.problem,
                    "fix": item.fix,
                    "field": item.field,
                }
                for given, item in items
            ],
        }
    }


def respond(refusal: Refusal) -> HttpResponse:
    """The response to a refusal."""
    return JsonResponse(as_json(refusal), status=STATUS.get(refusal.code, 422))


def unavailable(error: Exception, path: str) -> Refusal:
    """What is told when the database fails; its own words go to the log only."""
    log.error("database cannot be used", reason=with_cause(str(error).strip()), path=path)
    refusal = Refusal("the database cannot be used just now", fix="try again in a moment")
    if only_traffic():
        problem = "the database of traffic cannot be used, so what was seen cannot be told"
        refusal = Refusal(problem, fix="see: mailmum doctor")
    if _is_full(error):
        problem = "the disk of the database is full, so nothing of this was kept"
        refusal = Refusal(problem, fix="make room on it, then send it again")
    refusal.code = "unavailable"
    return refusal


def _is_full(error: Exception) -> bool:
    """Whether PostgreSQL (its code) or SQLite (its name of it) found no room to write."""
    cause = error.__cause__
    words = getattr(cause, "sqlstate", None), getattr(cause, "sqlite_errorname", None)
    return words[0] == "53100" or words[1] == "SQLITE_FULL"


def in_one_form(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """As middleware: what Django answers itself below `PREFIX`, with a page, in our form too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not request.path.startswith(PREFIX):
            return response
        # Strangers are not to know when triggers list nobody.
        known = hasattr(request, "access") and response.status_code != STATUS["unavailable"]
        if known and health.known():
            response.headers[NOTICE] = _AWAY
        foreign = response.status_code in _FOREIGN and "json" not in response["Content-Type"]
        if not foreign:
            return response
        answer = respond(_foreign(response.status_code, request))
        for name in ("Allow", NOTICE):
            if name in response:
                answer[name] = response[name]
        return answer

    return middleware


_SEE = "see the description of all requests under /api/v1/docs"
_FOREIGN = {
    400: (BadInput.code, "the request is malformed or too large", _SEE),
    404: (NotFound.code, "there is nothing at {path}", _SEE),
    405: ("method-not-allowed", "{path} does not take {method}", _SEE),
    500: ("failed", "the service failed", "its log says why"),
}


def _foreign(status: int, request: HttpRequest) -> Refusal:
    code, problem, fix = _FOREIGN[status]
    told = problem.format(path=shown(request.path), method=shown(request.method or ""))
    refusal = Refusal(told, fix=fix)
    refusal.code = code
    return refusal


def install(api: NinjaAPI) -> None:
    """Answer every error of the framework in our form."""

    @api.exception_handler(Refusal)
    def refused(request: HttpRequest, error: Refusal) -> HttpResponse:
        return respond(error)

    @api.exception_handler(AuthenticationError)
    def unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
        refusal = Refusal(
            "the token is missing, unknown or has expired",
            fix="send one as: Authorization: Bearer TOKEN",
        )
        refusal.code = "unauthenticated"
        response = respond(refusal)
        response["WWW-Authenticate"] = "Bearer"
        return response

    @api.exception_handler(ValidationError)
    def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
        return respond(_explain(error.errors))

    @api.exception_handler(AnyDatabaseError)
    def database_fails(request: HttpRequest, error: AnyDatabaseError) -> HttpResponse:
        return respond(unavailable(error, request.path))

    @api.exception_handler(HttpError)
    def other(request: HttpRequest, error: HttpError) -> HttpResponse:
        return respond(BadInput(str(error), fix="check that the body is JSON in UTF-8"))


_REASONS = {"extra_forbidden": "there is no such field"}
"""What the framework says less plainly, by the kind of the error."""


def _explain(errors: Sequence[dict[str, Any]]) -> Refusal:
    first = errors[0]
    path = [str(part) for part in first["loc"] if part not in {"body", "query", "path", "wanted"}]
    field = next((part for part in path if not part.isdigit()), "")
    reason = _REASONS.get(first["type"], str(first["msg"]).removeprefix("Value error, "))
    name = shown(".".join(path)) if path else "the request"
    return BadInput(
        f"{name}: {reason[0].lower() + reason[1:] if reason else 'not understood'}",
        fix="see the description of this request under /api/v1/docs",
        field=field,
    )
