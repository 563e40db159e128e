"""Who is told of alerts, how and when."""

from dataclasses import fields
from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from mailmum.control import config
from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.alerts import channels, editing, queries
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Channel, Manner, Parcel
from mailmum.control.alerts.show import channel_as
from mailmum.control.alerts.timing import parse_minute
from mailmum.control.alerts.watches import WATCHES
from mailmum.domain.errors import BadInput, NotFound, Refusal
from mailmum.domain.texts import shown
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to, warn

SECTION = "alerts"
FIELDS = ("name", "kind", "target", "least", "reports")
EDITED = ("name", "target", "least", "reports")
HABITS = tuple(one.name for one in fields(channels.Habits))
TIMES = ("quiet_from", "quiet_until")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The channels, and how the account is told."""
    return _page(request, access)


@account_view(Writing, "POST")
def add(request: PageRequest, access: Writing) -> HttpResponse:
    """Add a channel."""
    form = posted(request.POST, *FIELDS)
    kinds = tuple(request.POST.getlist("kinds"))
    given = form.values
    wish = channels.Wish(
        given["name"], given["kind"], given["target"], given["least"], kinds, bool(given["reports"])
    )
    try:
        made = channels.add_channel(access, wish)
    except Refusal as refusal:
        form.refuse(refusal)
        return _page(request, access, form=form, kinds=kinds)
    tell(request, f"Added {made.name}. Test it to see whether it works.")
    return to(access, "alert-channels")


@account_view(Writing, "GET", "POST")
def edit(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Change a channel."""
    channel = queries.numbered_channel(access, number)
    form, kinds = _filled(channel), tuple(channel.kinds)
    if request.method == "POST":
        form, kinds = posted(request.POST, *EDITED), tuple(request.POST.getlist("kinds"))
        given = {**form.values, "kinds": sorted(kinds), "reports": bool(form.values["reports"])}
        try:
            edited = editing.edit_channel(access, channel.name, given)
        except NotFound:
            raise
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            moved = edited.target != channel.target
            test = " Test it to see whether the new address works." if moved else ""
            tell(request, f"Saved {edited.name}.{test}")
            return to(access, "alert-channels")
    return show(
        request,
        "alerts/channel.html",
        SECTION,
        tab="channels",
        channel=channel,
        form=form,
        kinds=kinds,
        watches=WATCHES,
        severities=[one.value for one in Severity],
    )


@account_view(Writing, "POST")
def rotate(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Give a webhook a new key."""
    channel = queries.numbered_channel(access, number)
    try:
        editing.renew_secret(access, channel.name)
    except NotFound:
        raise
    except Refusal as refusal:
        warn(request, str(refusal))
    else:
        tell(request, f"{channel.name} has a new key. Put it in where the webhook is received.")
    return to(access, "alert-channel", number=number)


@account_view(Writing, "POST")
def test(request: PageRequest, access: Writing) -> HttpResponse:
    """Send a message that says that it is a test."""
    name = request.POST.get("name", "")
    try:
        done = channels.try_channel(access, name)
    except Refusal as refusal:
        warn(request, str(refusal))
        return to(access, "alert-channels")
    if done.sent:
        tell(request, f"The test for {name} was taken by the other side.")
    else:
        warn(request, f"The test for {name} was not taken: {done.error}")
    return to(access, "alert-channels")


@account_view(Writing, "POST")
def remove(request: PageRequest, access: Writing) -> HttpResponse:
    """Remove a channel."""
    name = request.POST.get("name", "")
    channels.remove_channel(access, name)
    tell(request, f"Removed {name}; it is told nothing any more.")
    return to(access, "alert-channels")


@account_view(Writing, "POST")
def habits(request: PageRequest, access: Writing) -> HttpResponse:
    """Change when and from which size on the account is told."""
    form = posted(request.POST, *HABITS)
    try:
        channels.set_manner(access, _habits(form))
    except Refusal as refusal:
        form.refuse(refusal, otherwise="zone")
        return _page(request, access, habits=form)
    tell(request, "Saved how alerts are told.")
    return to(access, "alert-channels")


def _page(
    request: PageRequest,
    access: Reading,
    *,
    form: Form | None = None,
    kinds: tuple[str, ...] = (),
    habits: Form | None = None,
) -> HttpResponse:
    last = queries.last_parcels(access)
    channels_of = queries.channels_of(access)
    told = channels.told(manner_of(access.account))
    here = timezone.get_current_timezone_name()
    # As long as nothing was ever set, the zone of whoever looks is the likelier one.
    proposed = told == channels.told(Manner()) and here != told["zone"]
    told |= {"zone": here} if proposed else {}
    context: dict[str, Any] = {
        "tab": "channels",
        "rows": [(one, last.get(one.pk), _told(access, one, last)) for one in channels_of],
        "form": form or _empty(),
        "kinds": kinds,
        "habits": habits or Form({name: str(value) for name, value in told.items()}),
        "proposed": proposed and habits is None,
        "watches": WATCHES,
        "severities": [one.value for one in Severity],
        "weekdays": list(enumerate(WEEKDAYS)),
        "hours": range(24),
        "mail": config.current().mail_server is not None,
        "may_write": isinstance(access, Writing),
    }
    return show(request, "alerts/channels.html", SECTION, **context)


def _told(access: Reading, one: Channel, last: dict[int, Parcel]) -> dict[str, Any]:
    return channel_as(one, last.get(one.pk), secret=isinstance(access, Writing))


def _empty() -> Form:
    return Form({"name": "", "kind": "email", "target": "", "least": "notice", "reports": ""})


def _filled(channel: Channel) -> Form:
    return Form(
        {
            "name": channel.name,
            "target": channel.target,
            "least": channel.least,
            "reports": "1" if channel.reports else "",
        }
    )


def _habits(form: Form) -> channels.Habits:
    given: dict[str, Any] = dict(form.values)
    for name in HABITS:
        if name in TIMES:
            given[name] = parse_minute(given[name], field=name) if form.filled(name) else None
        elif name != "zone":
            given[name] = _whole(given[name], name)
    return channels.Habits(**given)


def _whole(text: str, field: str) -> int:
    given = text.strip()
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise BadInput(f"{shown(text)} is not a number", fix="write for example 60", field=field)
    return int(given)
