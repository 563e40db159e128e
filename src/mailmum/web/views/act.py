"""Blocking or allowing from a row, wherever a client is shown: a popover with the impact beside.

Without script the same link leads to the form that adds a listing.  What takes a second step is
only done there, where the better ways stand too.  What was done is told in the popover, with the
way back.
"""

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect, QueryDict

from mailmum.control.accounts.access import Writing
from mailmum.control.listings.draft import KEEP, make_wish
from mailmum.control.listings.services import Result, list_targets
from mailmum.control.monitor.client import NEAR
from mailmum.control.servers.queries import present_servers
from mailmum.domain.errors import BadInput, Refusal
from mailmum.domain.listings import Action
from mailmum.domain.targets import NetworkTarget, parse_target
from mailmum.web import outcomes
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.lives import LIFETIMES
from mailmum.web.preview import preview
from mailmum.web.reply import path, show, tell, to

SECTION = "listings"
FIELDS = ("action", "target", "about", "at", "server", "for", "reason")
_USUAL = {Action.BLOCK: "7d", Action.ALLOW: ""}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the targets that the row is about."""

    text: str
    words: str


@account_view(Writing, "GET", "POST")
def act(request: PageRequest, access: Writing) -> HttpResponse:
    """The contents of the popover; by POST the listing is made."""
    form = _form(request.POST if request.method == "POST" else request.GET)
    action = Action.ALLOW if form.values["action"] == Action.ALLOW else Action.BLOCK
    # The row may be of a server that has been removed since.
    servers = list(present_servers(access).values())
    if form.values["at"] not in servers:
        form.values |= {"at": "", "server": ""}
    if form.values["server"] != form.values["at"]:
        form.values["server"] = ""
    checked = preview(access, [form.values["target"]], action, form.filled("server"))
    item = checked.items[0]
    if request.method == "POST" and not item.dangerous:
        try:
            result = list_targets(
                access,
                [form.values["target"]],
                make_wish(
                    action,
                    now=time.time(),
                    reason=form.filled("reason"),
                    code=KEEP,
                    lifetime=form.values["for"],
                ),
                server=form.filled("server"),
            )
        except Refusal as refusal:
            form.refuse(refusal, names={"expires": "for"}, otherwise="target")
        else:
            return _done(request, access, action, form, result)
    if request.method == "POST" and not request.htmx:
        asked = {name: form.values[name] for name in ("action", "target", "server")}
        return HttpResponseRedirect(f"{path(access, 'listing-add')}?{urlencode(asked)}")
    return show(
        request,
        "listings/act.html",
        SECTION,
        form=form,
        action=action.value,
        blocks=action is Action.BLOCK,
        item=item,
        choices=_choices(form.values["about"]),
        lifetimes=LIFETIMES,
        servers=len(servers),
    )


def _done(
    request: PageRequest, access: Writing, action: Action, form: Form, result: Result
) -> HttpResponse:
    text = outcomes.of_listing(result, action, form.filled("server"))
    number = result.outcomes[0].version.number
    if not request.htmx:
        # A form that was sent before the script had it in hand comes as any other does.
        tell(request, text, access=access, change=result.change)
        return to(access, "listing", number=number)
    done = "blocked" if action is Action.BLOCK else "allowed"
    return show(
        request,
        "listings/acted.html",
        SECTION,
        text=text,
        change=result.change,
        done=done,
        number=number,
    )


def _form(data: QueryDict) -> Form:
    form = Form({name: data.get(name, "").strip() for name in FIELDS})
    if not form.values["about"]:
        form.values["about"] = form.values["target"]
    if "for" not in data:
        action = Action.ALLOW if form.values["action"] == Action.ALLOW else Action.BLOCK
        form.values["for"] = _USUAL[action]
    if form.values["for"] not in {value for value, _ in LIFETIMES}:
        form.values["for"] = "7d"
    return form


def _choices(text: str) -> list[Choice]:
    """The target itself, and what lies around it; only the target where that says nothing."""
    try:
        target = parse_target(text)
    except BadInput:
        return []
    if not isinstance(target, NetworkTarget):
        labels = target.name.split(".")
        if target.whole or len(labels) < 3:
            return []
        return [Choice(target.text, "This name"), _choice(f".{'.'.join(labels[1:])}")]
    near = NEAR[target.version]
    if target.prefix <= near:
        return []
    this = "This address" if target.prefix == target.bits else "This network"
    return [Choice(target.text, this), _choice(target.around(near).text)]


def _choice(text: str) -> Choice:
    return Choice(text, text)
