"""Triggers: the list, the form with the backtest beside it, one trigger with what it decided."""

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.servers.queries import names_of_servers, servers_of
from mailmum.control.streaming import pulled
from mailmum.control.triggers import services
from mailmum.control.triggers.draft import find_preset
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.queries import (
    find_trigger,
    findings_of,
    in_force,
    listings_of,
    triggers_of,
)
from mailmum.control.triggers.values import rule_of, said_rule, sentence
from mailmum.domain.errors import BadInput, NotFound, Refusal
from mailmum.domain.words import plural
from mailmum.triggers.presets import PRESETS
from mailmum.triggers.rules import NAMING, Group, Metric, Mode, Rule
from mailmum.web.evidence import finding_rows
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.leaving import has_left
from mailmum.web.paging import before_of, page_of
from mailmum.web.reply import path, show, tell, to
from mailmum.web.trial import Trial, steps, trial

SECTION = "triggers"
MODES = (("off", "Off"), ("observe", "Observe"), ("enforce", "Enforce"))
METRICS = [(one.value, one.words) for one in Metric]
GROUPS = [(one.value, one.words) for one in Group]
TEXTS = ("lists", "traps")
FIELDS = (
    "mode",
    "metric",
    "threshold",
    "window",
    "group",
    "lists",
    "score",
    "traps",
    "server",
    "where",
    "lifetime",
    "growth",
    "longest",
    "quiet",
    "merge",
    "accepted",
    "days",
    "brake",
    "brake_window",
    "reason",
    "note",
)


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """All triggers, and the ready-made ones to start from."""
    servers, counts = names_of_servers(access), in_force(access)
    found = list(triggers_of(access))
    rows = [
        {
            "trigger": one,
            "says": sentence(rule_of(one), servers),
            "in_force": counts.get(one.name, 0),
            "mode": dict(MODES)[one.mode],
        }
        for one in found
    ]
    presets = [(one, sentence(one.rule, {})) for one in PRESETS]
    return show(
        request,
        "triggers/list.html",
        SECTION,
        rows=rows,
        presets=presets,
        taken={one.name for one in found},
    )


@account_view(Writing, "GET", "POST")
def add(request: PageRequest, access: Writing) -> HttpResponse:
    """A new trigger, from nothing or from a ready-made one."""
    if request.method != "POST":
        return _page(request, access, _blank(request))
    form = posted(request.POST, "name", *FIELDS)
    if "try" in request.POST:
        return _page(request, access, form, tried=_trial(request, access, form, None))
    try:
        made = services.add_trigger(access, form.values["name"], _given(form))
    except Refusal as refusal:
        form.refuse(refusal, otherwise="")
        return _page(request, access, form)
    tell(request, f"Added the trigger {made.name}.")
    return to(access, "trigger", name=made.name)


@account_view(Writing, "GET", "POST")
def edit(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Change a trigger, with what the change would have done beside it."""
    trigger = find_trigger(access, name)
    if request.method != "POST":
        return _page(request, access, _filled(access, trigger), trigger)
    form = posted(request.POST, *FIELDS)
    if "try" in request.POST:
        return _page(request, access, form, trigger, tried=_trial(request, access, form, trigger))
    try:
        services.edit_trigger(access, name, _given(form))
    except NotFound as refusal:
        # A server that was removed while the form stood open.
        if refusal.field != "server":
            raise
        form.refuse(refusal, otherwise="server")
        return _page(request, access, form, trigger)
    except Refusal as refusal:
        form.refuse(refusal, otherwise="")
        return _page(request, access, form, trigger)
    tell(request, f"Saved the trigger {name}.")
    return to(access, "trigger", name=name)


@account_view(Writing, "POST")
def try_it(request: PageRequest, access: Writing) -> HttpResponse:
    """What the form as it stands would have done, as a fragment; it changes nothing.

    While it is found out, comments tell how far it is.  It is done in a thread of its own, and ends
    when nobody waits for it any more: another change of the form has replaced it.
    """
    form = posted(request.POST, "saved", *FIELDS)
    saved = _saved(access, form.values["saved"])
    given, rule = _given(form), None if saved is None else rule_of(saved)
    zone = timezone.get_current_timezone()
    return StreamingHttpResponse(  # type: ignore[return-value]  # a response, for all that matters
        pulled(lambda: _pieces(request, zone, steps(access, given, rule))),
        content_type="text/html; charset=utf-8",
        # A proxy that gathers what it passes on would keep the progress back.
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )


def _pieces(request: PageRequest, zone: tzinfo, found: Iterator[int | Trial]) -> Iterator[bytes]:
    told = -1
    for step in found:
        if isinstance(step, Trial):
            # What was set for the request does not reach the thread.
            with timezone.override(zone):
                yield show(request, "triggers/trial.html", SECTION, trial=step).content
        elif step != told:
            told = step
            yield f"<!--{step}-->\n".encode()


@account_view(Reading)
def detail(request: PageRequest, access: Reading, name: str) -> HttpResponse:
    """One trigger: how it stands, what it has decided and why."""
    trigger = find_trigger(access, name)
    servers, rule = names_of_servers(access), rule_of(trigger)
    page = page_of(findings_of(access, trigger), "pk", before_of(request))
    return show(
        request,
        "triggers/show.html",
        SECTION,
        trigger=trigger,
        mode=dict(MODES)[trigger.mode],
        says=sentence(rule, servers),
        rule=rule,
        in_force=listings_of(access, trigger).count(),
        findings=finding_rows(access, page.rows),
        next=page.next,
    )


@account_view(Writing, "POST")
def set_mode(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Switch a trigger off, to observe, or to enforce."""
    try:
        trigger = services.edit_trigger(access, name, {"mode": request.POST.get("mode", "")})
    except BadInput as refusal:
        tell(request, str(refusal))
        return to(access, "trigger", name=name)
    tell(request, f"The trigger {name} is now: {dict(MODES)[trigger.mode].lower()}.")
    return to(access, "trigger", name=name)


@account_view(Writing, "POST")
def resume(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Let a trigger go on that its brake has stopped."""
    services.resume_trigger(access, name)
    tell(request, f"The trigger {name} goes on, and counts from nothing.")
    return to(access, "trigger", name=name)


@account_view(Writing, "POST")
def clear(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Remove all that a trigger has listed, as one change."""
    change, count = services.clear_trigger(access, name)
    tell(
        request,
        f"Removed {plural(count, 'listing')} of the trigger {name}.",
        access=access,
        change=change,
    )
    return to(access, "trigger", name=name)


@account_view(Writing, "GET", "POST")
def remove(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Remove a trigger, with its listings or without."""
    trigger = find_trigger(access, name)
    if request.method == "POST":
        with_listings = bool(request.POST.get("listings"))
        change, count = services.remove_trigger(access, name, with_listings=with_listings)
        gone = f" with {plural(count, 'listing')}" if with_listings else ""
        tell(request, f"Removed the trigger {name}{gone}.", access=access, change=change)
        return to(access, "triggers")
    count = listings_of(access, trigger).count()
    return show(request, "triggers/remove.html", SECTION, trigger=trigger, in_force=count)


def _page(
    request: PageRequest,
    access: Writing,
    form: Form,
    trigger: Trigger | None = None,
    tried: Trial | None = None,
) -> HttpResponse:
    """The form; what it would have done is asked for by the page, for that may take seconds."""
    return show(
        request,
        "triggers/form.html",
        SECTION,
        form=form,
        trigger=trigger,
        modes=MODES,
        metrics=METRICS,
        groups=GROUPS,
        servers=_servers(access, form),
        trial=tried,
        action=path(access, "trigger-edit", name=trigger.name)
        if trigger
        else path(access, "trigger-add"),
    )


def _servers(access: Reading, form: Form) -> list[str]:
    """Those to choose from; one that has been removed stays, so that saving does not widen it."""
    names = [server.name for server in servers_of(access)]
    chosen = form.values["server"]
    return names if not chosen or chosen in names else [chosen, *names]


def _trial(request: PageRequest, access: Reading, form: Form, saved: Trigger | None) -> Trial:
    """The backtest of what the form says; refusals stand in it too while somebody types."""
    rule = None if saved is None else rule_of(saved)
    return trial(access, _given(form), rule, lambda: has_left(request))


def _saved(access: Reading, name: str) -> Trigger | None:
    return find_trigger(access, name) if name else None


def _given(form: Form) -> dict[str, Any]:
    """The fields, but those that another metric asks for and that were left empty."""
    values: dict[str, Any] = {
        name: form.values[name] for name in FIELDS if form.values[name].strip() or name in _EMPTY
    }
    metric = values.get("metric", "")
    for name, metrics in _BELONG.items():
        if metric not in metrics:
            values.pop(name, None)
    return values


_EMPTY = {"lists", "traps", "score", "server", "reason", "note"}
"""Fields for which being empty says something."""
_BELONG = {"lists": tuple(NAMING), "score": ("score",), "traps": ("trap",)}


def _blank(request: PageRequest) -> Form:
    rule, name, reason = Rule(Metric.UNKNOWN, threshold=20, window=600), "", ""
    asked: dict[str, str] = {}
    if wanted := request.GET.get("preset", ""):
        try:
            preset = find_preset(wanted)
        except BadInput as refusal:
            raise NotFound(refusal.problem) from refusal
        rule, name, reason = preset.rule, preset.name, preset.reason
        # What has to be one's own is not saved unseen.
        asked = {preset.asks: ""} if preset.asks else {}
    values = _values(said_rule(rule, {})) | asked
    mode = Mode.OBSERVE.value
    return Form({"name": name, **values, "mode": mode, "reason": reason, "note": ""})


def _filled(access: Reading, trigger: Trigger) -> Form:
    values = _values(said_rule(rule_of(trigger), names_of_servers(access)))
    given = {"mode": trigger.mode, "reason": trigger.reason, "note": trigger.note}
    return Form(values | given)


def _values(said: Mapping[str, Any]) -> dict[str, str]:
    values = dict.fromkeys(FIELDS, "")
    for name, value in said.items():
        if name in TEXTS:
            values[name] = "\n".join(value)
        else:
            values[name] = "" if value is None else f"{value:g}" if name == "score" else str(value)
    return values
