"""Listings over the API: list, block and allow in bulk, edit, remove, explain."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading
from mailmum.control.listings import queries, services
from mailmum.control.listings.draft import KEEP, Keep, Wish, make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.values import as_dict
from mailmum.control.monitor import search
from mailmum.control.monitor.scope import scope_of
from mailmum.control.servers.queries import find_server, names_of_servers, servers_of
from mailmum.control.traffic.reading import tolerant
from mailmum.control.traffic.values import Kept
from mailmum.control.triggers.evidence import evidence_for
from mailmum.control.triggers.evidence import show as show_findings
from mailmum.domain.clients import Subject, parse_subject
from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Source

router = Router(tags=["listings"])
explain_router = Router(tags=["listings"])

RECENT = 10
"""Sightings that an explanation shows."""


class Wanted(schemas.Input):
    """Which listings to show."""

    server: schemas.Short = ""
    covering: schemas.Short = ""
    q: schemas.Short = ""
    action: Annotated[str, Field(pattern="^(block|allow|)$")] = ""
    source: Annotated[str, Field(pattern="^(person|trigger|feed|)$")] = ""
    origin: schemas.Short = ""
    expired: bool = False
    cursor: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Asked(schemas.Input):
    """Whom to explain, and at which server."""

    client: schemas.Short
    server: schemas.Short = ""


@router.get("", response={200: schemas.Listings, **READ_ERRORS})
def list_listings(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Listings, newest first: all, of a server, or those that cover a client."""
    access = reader(request)
    server = find_server(access, wanted.server).pk if wanted.server else None
    found = queries.find_listings(
        access,
        queries.Filter(
            server=server,
            covering=parse_subject(wanted.covering) if wanted.covering else None,
            text=wanted.q.strip(),
            action=wanted.action,
            source=wanted.source,
            origin=wanted.origin,
            expired=wanted.expired,
        ),
    )
    total = found.count()
    if wanted.cursor is not None:
        found = found.filter(number__lt=wanted.cursor)
    page = list(found[: wanted.limit + 1])
    more = len(page) > wanted.limit
    shown = page[: wanted.limit]
    return {
        "listings": _dicts(access, shown),
        "next": str(shown[-1].number) if more else None,
        "total": total,
    }


@router.post("", response={200: schemas.Listed, **WRITE_ERRORS})
def list_targets(request: HttpRequest, wanted: schemas.ListingsIn) -> dict[str, Any]:
    """Block or allow targets in one change, all or nothing."""
    access = writer(request)
    result = services.list_targets(
        access,
        wanted.targets,
        _wish(wanted, wanted.action),
        server=wanted.server,
        confirmed=wanted.force,
        dry_run=wanted.dry_run,
    )
    return {"change": result.change, "listings": _outcomes(access, result)}


@router.post("/remove", response={200: schemas.Unlisted, **WRITE_ERRORS})
def unlist(request: HttpRequest, wanted: schemas.UnlistIn) -> dict[str, Any]:
    """Remove targets in one change; what is not listed is told, and no error."""
    access = writer(request)
    result = services.unlist_targets(access, wanted.targets, server=wanted.server)
    return _unlisted(access, result)


@router.get("/{int:number}", response={200: schemas.ListingOut, **READ_ERRORS})
def show_listing(request: HttpRequest, number: int) -> dict[str, Any]:
    """One listing."""
    access = reader(request)
    return _dicts(access, [queries.find_listing(access, _fits(number))])[0]


@router.patch("/{int:number}", response={200: schemas.Edited, **WRITE_ERRORS})
def edit_listing(request: HttpRequest, number: int, wanted: schemas.ListingEdit) -> dict[str, Any]:
    """Change one listing; its target and scope stay."""
    access = writer(request)
    wish = _wish(wanted, wanted.action or KEEP)
    result = services.edit_listing(access, _fits(number), wish, confirmed=wanted.force)
    outcome = _outcomes(access, result)[0]
    return {"change": result.change, "listing": outcome["listing"], "was": outcome["was"]}


@router.delete("/{int:number}", response={200: schemas.Unlisted, **WRITE_ERRORS})
def remove_listing(request: HttpRequest, number: int) -> dict[str, Any]:
    """Remove one listing."""
    access = writer(request)
    return _unlisted(access, services.remove_listings(access, [_fits(number)]))


@explain_router.get("", response={200: schemas.ExplainOut, **READ_ERRORS})
def explain(request: HttpRequest, wanted: Query[Asked]) -> dict[str, Any]:
    """The verdict on a client, the listing that decided those it overruled; and what was seen."""
    access = reader(request)
    subject = parse_subject(wanted.client)
    chosen = find_server(access, wanted.server) if wanted.server else None
    told = _verdict(access, queries.explain(access, subject, chosen))
    each = [] if chosen else list(servers_of(access))
    verdicts = [
        {"server": one.name, **_verdict(access, queries.explain(access, subject, one))}
        for one in each
    ]
    return {
        "client": subject.text,
        "server": chosen.name if chosen else None,
        **told,
        "servers": verdicts,
        "sightings": _sightings(access, subject, wanted.server),
        "evidence": _evidence(access, [told, *verdicts]),
    }


def _evidence(access: Reading, verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why triggers made those of these listings that are theirs."""
    numbers = {
        one["id"]
        for told in verdicts
        for one in (told["because"], *told["overruled"])
        if one is not None and one["source"] == Source.TRIGGER
    }
    found = evidence_for(access, numbers)
    return show_findings(access, [found[number] for number in sorted(found)])


def _sightings(access: Reading, subject: Subject, server: str) -> list[dict[str, Any]]:
    """The latest; a verdict is told all the same when traffic cannot be read."""
    scope = scope_of(access, server)
    nothing: tuple[Kept, ...] = ()
    found = tolerant(lambda: search.recent(scope, subject.target, RECENT), nothing)
    return [search.as_dict(scope, kept) for kept in found]


def _wish(wanted: schemas.ListingsIn | schemas.ListingEdit, action: Any) -> Wish:
    given = wanted.model_fields_set
    now = timezone.now().timestamp()
    return make_wish(
        action,
        now=now,
        reason=wanted.reason,
        note=wanted.note,
        code=wanted.code if "code" in given else KEEP,
        lifetime=wanted.lifetime if "lifetime" in given else KEEP,
        expires=_seconds(wanted.expires) if "expires" in given else KEEP,
        enabled=getattr(wanted, "enabled", None),
    )


def _seconds(moment: datetime | None) -> int | Keep | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise BadInput(
            "the end has no time zone",
            fix="write for example 2030-01-31T00:00:00Z",
            field="expires",
        )
    return int(moment.timestamp())


def _fits(number: int) -> int:
    # Beyond 63 bits the database would raise instead of finding nothing.
    return min(number, 2**62)


def _dicts(access: Reading, versions: list[Version]) -> list[dict[str, Any]]:
    servers = names_of_servers(access)
    return [as_dict(version, servers) for version in versions]


def _outcomes(access: Reading, result: services.Result) -> list[dict[str, Any]]:
    servers = names_of_servers(access)
    return [
        {
            "listing": as_dict(outcome.version, servers),
            "outcome": outcome.word,
            "was": as_dict(outcome.was, servers)
            if outcome.was is not None and outcome.word == "changed"
            else None,
        }
        for outcome in result.outcomes
    ]


def _unlisted(access: Reading, result: services.Result) -> dict[str, Any]:
    return {
        "change": result.change,
        "removed": _dicts(access, result.removed),
        "not_listed": result.not_listed,
    }


def _verdict(access: Reading, found: queries.Explained) -> dict[str, Any]:
    return {
        "verdict": found.verdict.word.value,
        "because": _dicts(access, [found.because])[0] if found.because else None,
        "overruled": _dicts(access, list(found.overruled)),
        "paused": None if found.paused is None else found.paused.as_dict(),
    }
