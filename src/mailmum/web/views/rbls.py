"""Public RBLs: which are asked, whether they are to be believed, what each caught."""

from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import render

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.witnesses import services
from mailmum.control.witnesses.asking import (
    ask_about,
    check_health,
    health_of,
    parse_client,
    witnesses_of,
)
from mailmum.control.witnesses.comparing import compare
from mailmum.control.witnesses.show import proposals
from mailmum.dns.witness import SAYS, State
from mailmum.domain.errors import Refusal
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to

SECTION = "rbls"
BUDGET = 100_000
"""Rows that are read for a page; the command line compares more."""


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The lists that are asked, and what all lists caught."""
    return _page(request, access, Form({"zone": ""}))


@account_view(Writing, "POST")
def add(request: PageRequest, access: Writing) -> HttpResponse:
    """Ask a list from now on."""
    form = posted(request.POST, "zone")
    try:
        made = services.add_witness(access, form.values["zone"])
    except Refusal as refusal:
        form.refuse(refusal, otherwise="zone")
        return _page(request, access, form)
    health = check_health([made.zone])[made.zone]
    tell(request, f"{made.zone} is asked from now on: {SAYS[State(health.state)]}.")
    return to(access, "rbls")


@account_view(Writing, "POST")
def remove(request: PageRequest, access: Writing) -> HttpResponse:
    """Ask a list no longer."""
    zone = request.POST.get("zone", "")
    services.remove_witness(access, zone)
    tell(request, f"{zone} is asked no longer.")
    return to(access, "rbls")


@account_view(Writing, "POST")
def look(request: PageRequest, access: Writing) -> HttpResponse:
    """Look now how the lists fare."""
    check_health([one.zone for one in witnesses_of(access)])
    tell(request, "Looked at how the lists fare.")
    return to(access, "rbls")


@account_view(Reading)
def said(request: PageRequest, access: Reading) -> HttpResponse:
    """What the lists say of a client: a part of its page, or a page of its own without script."""
    text = request.GET.get("client", "").strip()
    context: dict[str, Any] = {"text": text, "rows": (), "fault": ""}
    try:
        client = parse_client(text)
        context |= {"text": client.text, "rows": ask_about(access, client)}
    except Refusal as refusal:
        context["fault"] = str(refusal)
    if request.htmx:
        return render(request, "mailmum/rbls/said.html", context)
    return show(request, "rbls/said_page.html", SECTION, **context)


@account_view(Reading)
def caught(request: PageRequest, access: Reading) -> HttpResponse:
    """What each list caught: a part that comes after the page, since much has to be read."""
    context: dict[str, Any] = {"compared": None, "away": False}
    try:
        context["compared"] = compare(access, budget=BUDGET)
    except DatabaseError:
        context["away"] = True
    if request.htmx:
        return render(request, "mailmum/rbls/caught.html", context)
    return show(request, "rbls/caught_page.html", SECTION, **context)


def _page(request: PageRequest, access: Reading, form: Form) -> HttpResponse:
    found = witnesses_of(access)
    health = health_of(one.zone for one in found)
    rows = [
        (
            one,
            health.get(one.zone),
            SAYS[State(health[one.zone].state)] if one.zone in health else "",
        )
        for one in found
    ]
    context: dict[str, Any] = {"rows": rows, "form": form, "proposals": proposals(access)}
    return show(request, "rbls/page.html", SECTION, **context)
