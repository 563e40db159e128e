"""Removal requests: what rejected senders ask, with the impact beside it, and the answers."""

import logging
import time
from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.monitor.impact import check
from mailmum.control.requests import queries, services
from mailmum.control.requests.models import RemovalRequest
from mailmum.control.servers.queries import names_of_servers
from mailmum.domain.errors import NotFound, Refusal
from mailmum.domain.targets import parse_target
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.impact import Impact, impact_of
from mailmum.web.reply import show, tell, to, warn
from mailmum.web.rows import listing_rows, request_rows

log = logging.getLogger(__name__)

SECTION = "requests"
SHOWN = 100
NAMES_SHOWN = 3
LENGTHS = (("30d", "30 days"), ("1y", "1 year"), ("", "For good"))
_LIFETIMES = {"30d": "30d", "1y": "365d", "": ""}


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """Open requests, or those that have been answered."""
    answered = request.GET.get("state") == "answered"
    found = list(queries.requests_of(access, answered=answered)[: SHOWN + 1])
    rows = request_rows(found[:SHOWN], names_of_servers(access))
    shown: dict[str, Any] = {"rows": rows, "more": len(found) > SHOWN, "answered": answered}
    return show(request, "requests/list.html", SECTION, **shown)


@account_view(Reading)
def detail(request: PageRequest, access: Reading, number: int) -> HttpResponse:
    """One request, what decides about it, and whom an answer concerns."""
    form = Form({"for": "30d", "where": "server", "answer": ""})
    return _page(request, access, queries.find_request(access, number), form)


@account_view(Writing, "POST")
def answer(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Allow the client, remove the listing, or decline: the button says which."""
    form = posted(request.POST, "for", "where", "answer")
    how = request.POST.get("how", "")
    try:
        done = _answer(access, number, how, form)
    except Refusal as refusal:
        found = queries.find_request(access, number)
        form.refuse(refusal)
        return _page(request, access, found, form)
    client = done.request.client
    said = {"allow": f"Allowed {client}.", "unlist": f"Removed what blocked {client}."}
    undo = done.change if how in said else None
    tell(request, said.get(how, f"Declined for {client}."), access=access, change=undo)
    if done.still is not None:
        warn(request, f"{client} is still blocked by the listing of {done.still.target}.")
    return to(access, "requests")


def _answer(access: Writing, number: int, how: str, form: Form) -> services.Answered:
    if how == "allow":
        lifetime = _LIFETIMES.get(form.values["for"], "30d")
        everywhere = form.values["where"] == "all"
        return services.allow_client(access, number, everywhere=everywhere, lifetime=lifetime)
    if how == "unlist":
        return services.unlist_client(access, number)
    if how == "decline":
        return services.decline(access, number, form.values["answer"])
    raise NotFound("there is no such answer")


def _page(request: PageRequest, access: Reading, found: RemovalRequest, form: Form) -> HttpResponse:
    servers = names_of_servers(access)
    blocking = queries.blocking(access, found)
    (row,) = request_rows([found], servers)
    rows = listing_rows([blocking] if blocking else [], servers, time.time())
    impact, away = _impact(access, found)
    shown: dict[str, Any] = {"row": row, "form": form, "blocking": rows[0] if rows else None}
    seen = [one.name for one in impact.check.names] if impact else []
    shown |= {"names": list(dict.fromkeys(seen))[:NAMES_SHOWN]}
    shown |= {"impact": impact, "away": away, "lengths": LENGTHS, "alive": _alive(access, found)}
    return show(request, "requests/show.html", SECTION, **shown)


def _alive(access: Reading, found: RemovalRequest) -> bool:
    try:
        queries.server_of(access, found)
    except NotFound:
        return False
    return True


def _impact(access: Reading, found: RemovalRequest) -> tuple[Impact | None, bool]:
    """What was seen of the client; nothing, and True, when traffic cannot be read."""
    try:
        return impact_of(access, check(access, parse_target(services.target_of(found)))), False
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return None, True
