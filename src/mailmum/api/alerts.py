"""Alerts, where they are told, and reports over the API."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.api.query import Query
from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.alerts import channels, editing, queries
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.alerts.report import DAYS, LONGEST, report, report_as
from mailmum.control.alerts.report_letter import as_text
from mailmum.control.alerts.show import alert_as, channel_as
from mailmum.control.alerts.timing import parse_minute
from mailmum.control.journal.moments import moment

router = Router(tags=["alerts"])


class Wanted(schemas.Input):
    """Which alerts: those that are open, or those that are over."""

    past: bool = False
    cursor: Annotated[int, Field(ge=1, le=2**62)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class AlertOut(Schema):
    """Something out of the ordinary; `closed` is null while it holds."""

    id: int
    kind: str
    title: str
    about: str
    severity: str = Field(description="notice, warning or critical")
    text: str
    since: str
    opened: str
    closed: str | None
    acknowledged: str | None
    acknowledged_by: str | None
    url: str


class Alerts(Schema):
    """Some alerts, the latest first; `next` is the cursor of the next page."""

    alerts: list[AlertOut]
    next: int | None


class ChannelIn(schemas.Input):
    """A new channel."""

    name: schemas.Short
    kind: schemas.Short = Field(description="email or webhook")
    target: Annotated[str, Field(max_length=2000)]
    least: schemas.Short = "notice"
    kinds: Annotated[list[schemas.Short], Field(max_length=100, default_factory=list)]
    reports: bool = False


class ChannelChange(schemas.Input):
    """What is to be different of a channel; what is left out stays."""

    name: schemas.Short | None = None
    target: Annotated[str, Field(max_length=2000)] | None = None
    least: schemas.Short | None = None
    kinds: Annotated[list[schemas.Short], Field(max_length=100)] | None = Field(
        None, description="empty: all kinds"
    )
    reports: bool | None = None


class ChannelOut(Schema):
    """A channel; `secret` signs webhooks and is shown to those who may change it."""

    name: str
    kind: str
    target: str
    least: str
    kinds: list[str]
    reports: bool
    created: str
    stopped: str | None
    last_tried: str | None
    last_error: str | None
    secret: str | None


class Channels(Schema):
    """All channels of the account."""

    channels: list[ChannelOut]


class TestOut(Schema):
    """What came of a test."""

    sent: bool
    error: str


class Habits(schemas.Input):
    """How the account wants to be told; times of day as 22:00, empty for none."""

    zone: schemas.Short
    quiet_from: schemas.Short
    quiet_until: schemas.Short
    digest: int
    silent_after: int
    spike_times: int
    spike_least: int
    accepted_least: int
    report_day: int
    report_hour: int


class WantedReport(schemas.Input):
    """Of how many days."""

    days: Annotated[int, Field(ge=1, le=LONGEST)] = DAYS


class SectionOut(Schema):
    """A table of a report."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    shares: list[float]
    none: str
    note: str = Field(description="what has to be known to read it; empty for nothing")


class ReportOut(Schema):
    """A report, and the same as text."""

    account: str
    since: str
    until: str
    headline: str
    sections: list[SectionOut]
    text: str


@router.get("", response={200: Alerts, **READ_ERRORS})
def list_alerts(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Alerts, the latest first."""
    access = reader(request)
    if wanted.past:
        found = queries.past_alerts(access, before=wanted.cursor)
    else:
        found = queries.open_alerts(access)
        found = found if wanted.cursor is None else found.filter(pk__lt=wanted.cursor)
    page = list(found[: wanted.limit + 1])
    shown = page[: wanted.limit]
    return {
        "alerts": [alert_as(one) for one in shown],
        "next": shown[-1].pk if len(page) > wanted.limit else None,
    }


@router.post("/{int:number}/acknowledge", response={200: AlertOut, **WRITE_ERRORS})
def acknowledge(request: HttpRequest, number: int) -> dict[str, Any]:
    """Note that somebody has seen an alert."""
    return alert_as(channels.acknowledge(writer(request), min(number, 2**62)))


@router.get("/channels", response={200: Channels, **READ_ERRORS})
def list_channels(request: HttpRequest) -> dict[str, Any]:
    """Where alerts are told."""
    access = reader(request)
    last = queries.last_parcels(access)
    found = queries.channels_of(access)
    return {"channels": [_channel(access, one, last.get(one.pk)) for one in found]}


@router.post("/channels", response={201: ChannelOut, **WRITE_ERRORS})
def add_channel(request: HttpRequest, wanted: ChannelIn) -> Any:
    """Add a channel."""
    access = writer(request)
    wish = channels.Wish(
        wanted.name, wanted.kind, wanted.target, wanted.least, tuple(wanted.kinds), wanted.reports
    )
    return Status(201, _channel(access, channels.add_channel(access, wish), None))


@router.post("/channels/{name}/test", response={200: TestOut, **WRITE_ERRORS})
def test_channel(request: HttpRequest, name: str) -> dict[str, Any]:
    """Send a message that says that it is a test; the answer comes when it was taken or not."""
    done = channels.try_channel(writer(request), name)
    return {"sent": done.sent, "error": done.error}


@router.patch("/channels/{name}", response={200: ChannelOut, **WRITE_ERRORS})
def edit_channel(request: HttpRequest, name: str, wanted: ChannelChange) -> dict[str, Any]:
    """Change a channel; its key stays, and what waits for it goes to its new address."""
    access = writer(request)
    edited = editing.edit_channel(access, name, wanted.dict(exclude_unset=True))
    return _channel(access, edited, queries.last_parcels(access).get(edited.pk))


@router.post("/channels/{name}/rotate-key", response={200: ChannelOut, **WRITE_ERRORS})
def rotate_key(request: HttpRequest, name: str) -> dict[str, Any]:
    """Give a webhook a new key; everything is signed by it from now on."""
    access = writer(request)
    renewed = editing.renew_secret(access, name)
    return _channel(access, renewed, queries.last_parcels(access).get(renewed.pk))


@router.delete("/channels/{name}", response={204: None, **WRITE_ERRORS})
def remove_channel(request: HttpRequest, name: str) -> Any:
    """Remove a channel."""
    channels.remove_channel(writer(request), name)
    return Status(204, None)


@router.get("/habits", response={200: Habits, **READ_ERRORS})
def show_habits(request: HttpRequest) -> dict[str, Any]:
    """How the account is told."""
    return channels.told(manner_of(reader(request).account))


@router.put("/habits", response={200: Habits, **WRITE_ERRORS})
def set_habits(request: HttpRequest, wanted: Habits) -> dict[str, Any]:
    """Change how the account is told."""
    given = wanted.dict()
    for name in ("quiet_from", "quiet_until"):
        text = given[name]
        given[name] = parse_minute(text, field=name) if text.strip() else None
    return channels.told(channels.set_manner(writer(request), channels.Habits(**given)))


@router.get("/report", response={200: ReportOut, **READ_ERRORS})
def show_report(request: HttpRequest, wanted: Query[WantedReport]) -> dict[str, Any]:
    """What was stopped, by what, what changed, what to review."""
    access = reader(request)
    made = report(access, days=wanted.days)
    zone = manner_of(access.account).zone
    return {
        **report_as(made),
        "since": moment(made.since),
        "until": moment(made.until),
        "text": as_text(made, zone),
    }


def _channel(access: Reading, channel: Any, last: Any) -> dict[str, Any]:
    return channel_as(channel, last, secret=isinstance(access, Writing))
