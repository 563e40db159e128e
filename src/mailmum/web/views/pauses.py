"""The panic switch: block nothing in the account or on one server, for a time or until resumed."""

import time
from typing import Any

from django.db.models import Q
from django.http import HttpResponse

from mailmum.control.accounts.access import Writing
from mailmum.control.journal.moments import moment
from mailmum.control.listings.queries import current
from mailmum.control.servers import pauses
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import find_server, servers_of
from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import end_of
from mailmum.domain.listings import WHOLE_ACCOUNT, Action
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import back, path, show, tell, to

SECTION = "servers"
LENGTHS = (("1h", "1 hour"), ("4h", "4 hours"), ("1d", "1 day"), ("", "Until resumed"))


@account_view(Writing, "GET", "POST")
def pause_account(request: PageRequest, access: Writing) -> HttpResponse:
    """Say what stops blocking, then pause the account."""
    return _pause(request, access, None)


@account_view(Writing, "GET", "POST")
def pause_server(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """The same for one server."""
    return _pause(request, access, find_server(access, name))


@account_view(Writing, "POST")
def resume_account(request: PageRequest, access: Writing) -> HttpResponse:
    """End the pause of the account."""
    return _resume(request, access, None)


@account_view(Writing, "POST")
def resume_server(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """End the pause of one server."""
    return _resume(request, access, find_server(access, name).name)


def _pause(request: PageRequest, access: Writing, server: Server | None) -> HttpResponse:
    form = posted(request.POST, "length", "other")
    if request.method != "POST":
        form.values["length"] = "1h"
        return _page(request, access, server, form)
    now, name = time.time(), None if server is None else server.name
    try:
        made = pauses.pause(access, name, until=_end(form, now))
    except BadInput as refusal:
        form.refuse(refusal, names={"for": "other"}, otherwise="other")
        return _page(request, access, server, form)
    whose = "" if name is None else f" on {name}"
    if made is None:
        tell(request, f"Blocking is paused{whose} already, as before.")
    else:
        tell(request, f"Paused: nothing is blocked{whose} now.", access=access, change=made.seq)
    return to(access, "servers") if name is None else to(access, "server", name=name)


def _end(form: Form, now: float) -> int | None:
    other = form.values["length"] == "other"
    end = end_of(form.values["other" if other else "length"], now)
    if other and end is None:
        raise BadInput("no time is given", fix="write for example 12h or 2d", field="for")
    return end


def _page(request: PageRequest, access: Writing, server: Server | None, form: Form) -> HttpResponse:
    now = time.time()
    scope = Q() if server is None else Q(scope__in=[WHOLE_ACCOUNT, server.pk])
    holding = Q(expires=None) | Q(expires__gt=now)
    blocks = current(access).filter(scope & holding, action=Action.BLOCK, enabled=True)
    shown: dict[str, Any] = {"server": server, "form": form, "lengths": LENGTHS}
    shown |= {"blocks": blocks.count(), "paused": pauses.pause_at(access.account, server, now)}
    shown |= {"servers": [] if server else list(servers_of(access)[:4])}
    shown["ends"] = moment(shown["paused"].until) if shown["paused"] else None
    return show(request, "pause.html", SECTION, **shown)


def _resume(request: PageRequest, access: Writing, name: str | None) -> HttpResponse:
    made, whose = pauses.resume(access, name), "" if name is None else f" on {name}"
    if made is None:
        tell(request, f"Blocking was not paused{whose}.")
    else:
        tell(request, f"Resumed: listings block{whose} again.", access=access, change=made.seq)
    return back(request, path(access, "servers"))
