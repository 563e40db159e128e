"""The API under /api/v1: its parts, its description, its errors."""

from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path
from ninja import NinjaAPI

from mailmum import __version__
from mailmum.api import (
    alerts,
    checks,
    errors,
    exports,
    feeds,
    imports,
    journal,
    listings,
    logs,
    pauses,
    rbls,
    requests,
    schemas,
    servers,
    sightings,
    suggestions,
    tokens,
    triggers,
)
from mailmum.api.auth import TokenAuth, TokenRequest, reader
from mailmum.api.errors import READ_ERRORS
from mailmum.api.query import Query
from mailmum.control import config, doctor, hits
from mailmum.control.accounts.access import HandingIn
from mailmum.control.journal.moments import instant
from mailmum.control.servers.queries import server_handed_in
from mailmum.control.traffic import health

api = NinjaAPI(
    title="MailMum",
    version=__version__,
    description="A Real-time Blackhole List of your own. Every refusal says what, why and the fix.",
    auth=TokenAuth(),
    urls_namespace="api",
)
errors.install(api)
api.add_router("/servers", servers.router)
api.add_router("/servers", logs.router)
api.add_router("/servers", pauses.server_router)
api.add_router("/pause", pauses.router)
api.add_router("/listings", listings.router)
api.add_router("/explain", listings.explain_router)
api.add_router("/check", checks.router)
api.add_router("/sightings", sightings.router)
api.add_router("/triggers", triggers.router)
api.add_router("/journal", journal.router)
api.add_router("/requests", requests.router)
api.add_router("/tokens", tokens.router)
api.add_router("/import", imports.router)
api.add_router("/export", exports.router)
api.add_router("/alerts", alerts.router)
api.add_router("/feeds", feeds.router)
api.add_router("/providers", feeds.providers_router)
api.add_router("/rbls", rbls.router)
api.add_router("/suggestions", suggestions.router)


@api.get("/me", response={200: schemas.Me, **READ_ERRORS}, tags=["service"])
def me(request: TokenRequest) -> dict[str, Any]:
    """Who the token speaks for, and where the service is."""
    access, token, parameters = request.access, request.token, config.current()
    # A token that only hands in logs may know for which server.
    server = server_handed_in(access).name if isinstance(access, HandingIn) else None
    return {
        "account": {"id": access.account.pk, "name": access.account.name},
        "person": access.actor.name,
        "role": access.role.value,
        "token": {
            "name": token.name,
            "scopes": token.scopes,
            "server": server,
            "expires": instant(token.expires),
        },
        "version": __version__,
        "zone": parameters.zone,
        "dns": [str(endpoint) for endpoint in parameters.dns_endpoints],
        "policy": parameters.policy,
        "public_url": parameters.base_url,
        "traffic_away": bool(health.known()),
    }


@api.get("/doctor", response={200: schemas.Checks, **READ_ERRORS}, tags=["service"])
def check(request: HttpRequest, wanted: Query[schemas.OfServer]) -> dict[str, Any]:
    """What is wrong and how to mend it, as the service sees it."""
    return {"checks": doctor.checks(reader(request), wanted.server)}


@api.get("/hits", response={200: schemas.Hits, **READ_ERRORS}, tags=["service"])
def count_hits(request: HttpRequest, wanted: Query[schemas.OfServer]) -> dict[str, Any]:
    """How often one's own listings and public lists stopped somebody, for monitoring systems."""
    return hits.hits(reader(request), wanted.server)


urlpatterns: list[URLPattern | URLResolver] = [path("", api.urls)]
