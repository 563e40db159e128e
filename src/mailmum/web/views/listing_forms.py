"""Adding and editing listings, with the check beside the form."""

import time
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect

from mailmum.control.accounts.access import Writing
from mailmum.control.listings.draft import KEEP, Wish, make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import find_listing
from mailmum.control.listings.services import edit_listing, list_targets
from mailmum.control.once import read_once
from mailmum.control.servers.queries import names_of_servers, present_servers
from mailmum.domain.codes import code_text
from mailmum.domain.errors import BadInput, NeedsConfirmation, NotFound, Refusal
from mailmum.domain.listings import Action, Source
from mailmum.domain.words import plural
from mailmum.web import outcomes
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.lives import AS_IT_IS, LIFETIMES, field_names, lifetime_of
from mailmum.web.preview import preview
from mailmum.web.reply import path, show, tell, to
from mailmum.web.rows import listing_rows

SECTION = "listings"
FIELDS = (
    "action",
    "targets",
    "server",
    "for",
    "other",
    "reason",
    "note",
    "code",
    "confirmed",
    "sure",
    "then",
)


@account_view(Writing, "GET", "POST")
def add(request: PageRequest, access: Writing) -> HttpResponse:
    """Block or allow one or several targets."""
    form = _blank(request) if request.method != "POST" else posted(request.POST, *FIELDS)
    # Where no script asks for the check as one types, a button does.
    if request.method != "POST" or request.POST.get("do") == "check":
        return _add_page(request, access, form)
    if way := request.POST.get("way"):
        _take_way(form, way)
        return _add_page(request, access, form)
    try:
        action = _action(form.values["action"])
        confirmed = _confirmed(access, form, action)
        result = list_targets(
            access,
            form.lines("targets"),
            _wish(form, action),
            server=form.filled("server"),
            confirmed=confirmed,
        )
    except NotFound as refusal:
        # A server that was removed while the form stood open.
        form.refuse(refusal, otherwise="server")
        return _add_page(request, access, form)
    except Refusal as refusal:
        form.refuse(refusal, names=field_names(form), otherwise="targets")
        return _add_page(request, access, form)
    text = outcomes.of_listing(result, action, form.filled("server"))
    tell(request, text, access=access, change=result.change)
    if then := form.lines("then"):
        more = {"action": Action.BLOCK.value, "target": "\n".join(then)}
        query = urlencode(more | {"server": form.values["server"]})
        return HttpResponseRedirect(f"{path(access, 'listing-add')}?{query}")
    return to(access, "listings")


@account_view(Writing, "POST")
def check(request: PageRequest, access: Writing) -> HttpResponse:
    """The check beside the form, as a fragment; it changes nothing.

    By POST, since a thousand targets do not fit into an address.
    """
    form = posted(request.POST, *FIELDS)
    action = Action.ALLOW if form.values["action"] == Action.ALLOW else Action.BLOCK
    checked = preview(access, form.lines("targets"), action, form.filled("server"))
    return show(
        request,
        "listings/check.html",
        SECTION,
        check=checked,
        form=form,
        action=action.value,
        fragment=True,
    )


@account_view(Writing, "GET", "POST")
def edit(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Change one listing; its target and scope stay."""
    version = find_listing(access, number)
    if request.method != "POST":
        return _edit_page(request, access, version, _as_it_is(version))
    form = posted(request.POST, "action", "for", "other", "reason", "note", "code", "enabled")
    try:
        result = edit_listing(
            access, number, _edit_wish(form), confirmed=bool(request.POST.get("confirmed"))
        )
    except NotFound:
        raise
    except Refusal as refusal:
        form.refuse(refusal, names=field_names(form), otherwise="")
        asks = isinstance(refusal, NeedsConfirmation) or refusal.code == NeedsConfirmation.code
        return _edit_page(request, access, version, form, asks=asks)
    tell(request, outcomes.of_edit(result), access=access, change=result.change)
    return to(access, "listing", number=number)


def _confirmed(access: Writing, form: Form, action: Action) -> bool:
    """Whether what needs a second step has had it.

    An allow needs a tick.  A block that would lose mail, or before which a guard stands, needs the
    target typed; what is shown beside the form is worked out again for that, since it may have
    become dangerous meanwhile.  Those beyond the few that are looked at need a tick.

    Raises:
        BadInput: it has not; the fault stands at the field that is to be filled in.
    """
    ticked = bool(form.values["confirmed"])
    if action is not Action.BLOCK:
        return ticked
    checked = preview(access, form.lines("targets"), action, form.filled("server"))
    if any(item.fault for item in checked.items):
        return False  # the service names them all
    if checked.phrase and not checked.is_typed(form.values["sure"]):
        given = (
            "that is something else" if form.values["sure"].strip() else "nothing is blocked yet"
        )
        raise BadInput(given, fix=f"type {checked.phrase} to block it all the same", field="sure")
    if checked.more and not ticked:
        raise BadInput(
            f"{plural(checked.more, 'target')} of them were not looked at",
            fix="block fewer at a time, or tick that all are meant",
            field="confirmed",
        )
    return bool(checked.phrase) and checked.all_guarded


def _take_way(form: Form, way: str) -> None:
    """Fill a better way in: other targets, or allow listings before the block."""
    kind, _, rest = way.partition(":")
    targets = "\n".join(rest.split())
    form.values |= {"sure": "", "confirmed": ""}
    if kind == "allow":
        form.values |= {"then": form.values["targets"], "action": Action.ALLOW.value}
    else:
        form.values["then"] = ""
    form.values["targets"] = targets


def _blank(request: PageRequest) -> Form:
    asked = request.GET
    action = asked.get("action", "")
    return Form(
        dict.fromkeys(FIELDS, "")
        | {
            "action": action if action in set(Action) else Action.BLOCK.value,
            "targets": asked.get("target", ""),
            "server": asked.get("server", ""),
        }
    )


@read_once()
def _add_page(request: PageRequest, access: Writing, form: Form) -> HttpResponse:
    action = Action.ALLOW if form.values["action"] == Action.ALLOW else Action.BLOCK
    return show(
        request,
        "listings/add.html",
        SECTION,
        form=form,
        action=action.value,
        servers=list(present_servers(access).values()),
        lifetimes=LIFETIMES,
        check=preview(access, form.lines("targets"), action, form.filled("server")),
    )


def _as_it_is(version: Version) -> Form:
    return Form(
        {
            "action": version.action,
            "for": AS_IT_IS,
            "other": "",
            "reason": version.reason,
            "note": version.note,
            "code": "" if version.code is None else code_text(version.code),
            "enabled": "1" if version.enabled else "",
        }
    )


def _edit_page(
    request: PageRequest, access: Writing, version: Version, form: Form, *, asks: bool = False
) -> HttpResponse:
    return show(
        request,
        "listings/edit.html",
        SECTION,
        form=form,
        row=listing_rows([version], names_of_servers(access), time.time())[0],
        lifetimes=LIFETIMES,
        asks=asks,
        machine_only=version.source == Source.TRIGGER,
    )


def _wish(form: Form, action: Action) -> Wish:
    """What is left empty keeps its value when a target is listed already."""
    return make_wish(
        action,
        now=time.time(),
        reason=form.filled("reason"),
        note=form.filled("note"),
        code=form.filled("code") or KEEP,
        lifetime=lifetime_of(form),
    )


def _edit_wish(form: Form) -> Wish:
    """Every field says what shall stand there."""
    return make_wish(
        _action(form.values["action"]),
        now=time.time(),
        reason=form.values["reason"],
        note=form.values["note"],
        code=form.values["code"],
        lifetime=KEEP if form.values["for"] == AS_IT_IS else lifetime_of(form),
        enabled=bool(form.values["enabled"]),
    )


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise BadInput("say whether to block or to allow", field="action") from None
