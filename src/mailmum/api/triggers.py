"""Triggers over the API: list, add, edit, remove, try on the past, and what they have decided."""

import time
from collections.abc import Generator
from contextlib import closing
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Schema, Status
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.lines import lines_of
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.streaming import go_on, pulled
from mailmum.control.triggers import services
from mailmum.control.triggers.backtest import LONGEST
from mailmum.control.triggers.evidence import show as show_findings
from mailmum.control.triggers.heard import unknown_of
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.queries import find_trigger, findings_of, show, triggers_of
from mailmum.control.triggers.report import Report
from mailmum.control.triggers.trying import Steps, Wish, rules_of, tried
from mailmum.control.triggers.values import said_rule, sentence
from mailmum.triggers.presets import PRESETS

router = Router(tags=["triggers"])
_SEVERAL = Annotated[list[schemas.Short], Field(max_length=200)]


class Fields(schemas.Input):
    """What can be said of a trigger; a field left out stays, or has its default."""

    mode: schemas.Short | None = Field(default=None, description="off, observe or enforce")
    metric: schemas.Short | None = Field(
        default=None,
        description="rbl, lists, asked, unknown-recipients, relay, auth, protocol, connections, "
        "score or trap",
    )
    threshold: int | None = Field(default=None, description="how many are enough")
    window: schemas.Short | None = Field(default=None, description="within which time, as 10m")
    group: schemas.Short | None = Field(
        default=None, description="from one address, network, wide (network) or domain"
    )
    lists: _SEVERAL | None = Field(default=None, description="public lists that count; none: all")
    score: float | None = Field(default=None, description="spam score from which on it counts")
    traps: _SEVERAL | None = Field(default=None, description="addresses that nobody writes to")
    server: schemas.Short | None = Field(
        default=None, description="whose contacts count; account: all servers"
    )
    where: schemas.Short | None = Field(
        default=None, description="list it for the account, or for the server where it happened"
    )
    lifetime: schemas.Short | None = None
    growth: int | None = Field(default=None, description="times as long each time; 1: the same")
    longest: schemas.Short | None = None
    quiet: schemas.Short | None = Field(default=None, description="then it is forgiven")
    merge: int | None = Field(
        default=None, description="so many listed in one network list it; 0: never"
    )
    accepted: int | None = Field(
        default=None, description="who delivered so many messages is spared; 0: nobody"
    )
    days: int | None = Field(default=None, description="in so many days")
    brake: int | None = Field(default=None, description="more listings stop it; 0: never")
    brake_window: schemas.Short | None = Field(default=None, description="in this time")
    reason: schemas.Text | None = None
    note: schemas.Text | None = None

    def given(self) -> dict[str, Any]:
        """What was said."""
        values = self.dict(exclude_unset=True)
        return {name: value for name, value in values.items() if name not in _BESIDE}


_BESIDE = {"name", "preset", "history"}


class TriggerIn(Fields):
    """A new trigger, off unless it says otherwise."""

    name: schemas.Short
    preset: schemas.Short = Field(default="", description="ready-made one to start from")


class TriedIn(Fields):
    """A rule to try on the past: a trigger as it is, with changes, or a new one."""

    name: schemas.Short = Field(default="", description="trigger to start from")
    preset: schemas.Short = Field(default="", description="ready-made one to start from")
    history: Annotated[int, Field(ge=1, le=LONGEST)] = 30


class TriggerOut(Schema):
    """A trigger."""

    name: str
    mode: str
    says: str
    metric: str
    threshold: int
    window: str
    group: str
    lists: list[str]
    score: float | None
    traps: list[str]
    server: str | None
    where: str
    lifetime: str
    growth: int
    longest: str
    quiet: str
    merge: int
    accepted: int
    days: int
    brake: int
    brake_window: str
    reason: str
    note: str
    in_force: int = Field(description="listings of it that hold now")
    counting: bool = Field(description="whether the worker follows it")
    stopped: str | None = Field(description="when its brake stopped it")
    stopped_why: str
    created: str
    created_by: str
    changed: str
    changed_by: str


class Triggers(Schema):
    """The triggers of the account."""

    triggers: list[TriggerOut]


class PresetOut(Schema):
    """A ready-made trigger."""

    name: str
    about: str
    says: str
    reason: str
    asks: str = Field(description="field that has to be given, empty for none")
    rule: dict[str, Any]


class Presets(Schema):
    """All ready-made triggers."""

    presets: list[PresetOut]


class FindingOut(Schema):
    """One decision of a trigger, with its evidence."""

    id: int
    kind: str = Field(
        description="list; would (observed only); past (too late to list); spare; stop"
    )
    when: str
    target: str
    scope: str
    times: int
    begin: str
    until: str | None
    listing: int | None
    reason: str
    says: str
    evidence: dict[str, Any]


class Findings(Schema):
    """What a trigger has decided, newest first."""

    findings: list[FindingOut]
    next: int | None


class Removed(Schema):
    """What went with a trigger."""

    removed: str
    listings: int
    change: int


class Cleared(Schema):
    """Listings that were removed in one change; null when there was none."""

    listings: int
    change: int | None


class Removal(schemas.Input):
    """Whether its listings go with it."""

    listings: bool = False


class Page(schemas.Input):
    """Which part of a list."""

    cursor: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@router.get("", response={200: Triggers, **READ_ERRORS})
def list_triggers(request: HttpRequest) -> dict[str, Any]:
    """All triggers of the account."""
    access = reader(request)
    return {"triggers": show(access, *triggers_of(access))}


@router.get("/presets", response={200: Presets, **READ_ERRORS})
def list_presets(request: HttpRequest) -> dict[str, Any]:
    """Ready-made triggers to start from."""
    reader(request)
    return {
        "presets": [
            {
                "name": one.name,
                "about": one.about,
                "says": sentence(one.rule, {}),
                "reason": one.reason,
                "asks": one.asks,
                "rule": said_rule(one.rule, {}),
            }
            for one in PRESETS
        ]
    }


@router.post("", response={201: TriggerOut, **WRITE_ERRORS})
def add_trigger(request: HttpRequest, wanted: TriggerIn) -> Any:
    """Add a trigger; it is off unless it says otherwise."""
    access = writer(request)
    made = services.add_trigger(access, wanted.name, wanted.given(), preset=wanted.preset)
    return Status(201, show(access, made)[0])


@router.post(
    "/backtest",
    response={200: None, **READ_ERRORS},
    openapi_extra={
        "responses": {
            200: {
                "description": "JSON lines: progress, then the report of the rule, with that of "
                "the trigger as it is saved where it differs, and what cannot be known; or an "
                "error",
                "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            }
        }
    },
)
def backtest(request: HttpRequest, wanted: TriedIn) -> Any:
    """Try a rule on the stored history; nothing is changed by it."""
    access = reader(request)
    wish = Wish(wanted.name, wanted.preset, wanted.given(), wanted.history)
    # What is wrong with the rule is told before anything is read.
    steps = tried(access, wish)
    unknown = unknown_of(access, rules_of(access, wish)[0], days=wanted.history, now=time.time())
    # It changes nothing, so it ends when nobody waits for it any more.
    return StreamingHttpResponse(
        pulled(lambda: lines_of(_told(access, steps, unknown), request.path)),
        content_type="application/x-ndjson",
        headers={"X-Accel-Buffering": "no"},
    )


@router.get("/{name}", response={200: TriggerOut, **READ_ERRORS})
def show_trigger(request: HttpRequest, name: str) -> dict[str, Any]:
    """One trigger."""
    access = reader(request)
    return show(access, find_trigger(access, name))[0]


@router.patch("/{name}", response={200: TriggerOut, **WRITE_ERRORS})
def edit_trigger(request: HttpRequest, name: str, wanted: Fields) -> dict[str, Any]:
    """Change a trigger; what is left out stays."""
    access = writer(request)
    return show(access, services.edit_trigger(access, name, wanted.given()))[0]


@router.delete("/{name}", response={200: Removed, **WRITE_ERRORS})
def remove_trigger(request: HttpRequest, name: str, wanted: Query[Removal]) -> dict[str, Any]:
    """Remove a trigger; its listings run out by themselves unless they go with it."""
    change, count = services.remove_trigger(writer(request), name, with_listings=wanted.listings)
    return {"removed": name, "listings": count, "change": change}


@router.post("/{name}/clear", response={200: Cleared, **WRITE_ERRORS})
def clear_trigger(request: HttpRequest, name: str) -> dict[str, Any]:
    """Remove all that a trigger has listed, as one change that can be undone."""
    change, count = services.clear_trigger(writer(request), name)
    return {"listings": count, "change": change}


@router.post("/{name}/resume", response={200: TriggerOut, **WRITE_ERRORS})
def resume_trigger(request: HttpRequest, name: str) -> dict[str, Any]:
    """Let a trigger go on that its brake has stopped."""
    access = writer(request)
    return show(access, services.resume_trigger(access, name))[0]


@router.get("/{name}/findings", response={200: Findings, **READ_ERRORS})
def list_findings(request: HttpRequest, name: str, wanted: Query[Page]) -> dict[str, Any]:
    """What a trigger has decided, with the evidence, newest first."""
    access = reader(request)
    found = findings_of(access, find_trigger(access, name))
    if wanted.cursor is not None:
        found = found.filter(pk__lt=wanted.cursor)
    page = list(found[: wanted.limit + 1])
    shown = page[: wanted.limit]
    return {
        "findings": show_findings(access, shown),
        "next": shown[-1].pk if len(page) > wanted.limit else None,
    }


def _told(access: Reading, steps: Steps, unknown: str) -> Generator[dict[str, Any], None, None]:
    servers = names_of_servers(access)
    # Its second process ends with it, whoever still knows of it.
    with closing(steps):
        for step in steps:
            told = _step(step, servers)
            if unknown and "report" in told:
                told["cannot_know"] = unknown
            yield told
            if isinstance(step, Progress):
                go_on()


def _step(step: Progress | dict[str, Report], servers: dict[int, str]) -> dict[str, Any]:
    if isinstance(step, Progress):
        percent = round(100 * step.done)
        return {"progress": {"phase": step.phase, "lines": percent, "total": 100}}
    return {name: report.as_dict() for name, report in step.items()}
