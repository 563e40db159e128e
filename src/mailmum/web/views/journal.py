"""The journal: who changed what and when, and undoing it."""

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import Resolver404, resolve

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.journal.models import Record
from mailmum.control.listings.history import ANY, KINDS, Sought, actors_of, records_of
from mailmum.control.listings.history import show as show_records
from mailmum.control.listings.queries import find_listing
from mailmum.control.listings.undo import undo
from mailmum.control.servers.queries import find_server, present_servers
from mailmum.control.triggers.evidence import evidence_in
from mailmum.domain.errors import BadInput, NotFound, Refusal
from mailmum.domain.targets import parse_target
from mailmum.domain.texts import clean_line
from mailmum.web.evidence import finding_rows
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.history import record_rows
from mailmum.web.paging import before_of, page_of
from mailmum.web.reply import back, path, show, tell, to, warn
from mailmum.web.stretches import read_moment

SECTION = "journal"
EVIDENCE_SHOWN = 10
"""Of how many listings of one change; more would make the page long and slow."""
FIELDS = ("target", "who", "kind", "server", "since", "until")
KIND_WORDS = (
    ("listings", "Listings"),
    ("imports", "Imports"),
    ("triggers", "Triggers"),
    ("servers", "Servers"),
    ("account", "Parameters"),
    ("people", "People"),
    ("tokens", "Tokens"),
    ("undone", "Undone changes"),
)


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """Changes, newest first: all, or those that the address asks for."""
    names = list(present_servers(access).values())
    form = Form({name: request.GET.get(name, "").strip() for name in FIELDS})
    if form.values["kind"] not in KINDS:
        form.values["kind"] = ""
    if form.values["server"] not in names:
        form.values["server"] = ""
    try:
        sought, target = _sought(form), _target(form.values["target"])
    except BadInput as refusal:
        form.refuse(refusal)
        sought, target = ANY, ""
    server = form.values["server"]
    number = find_server(access, server).pk if server else None
    found = records_of(access, server=number, target=target, sought=sought)
    page = page_of(found, "seq", before_of(request))
    query = urlencode([(name, value) for name, value in form.values.items() if value])
    return show(
        request,
        "journal.html",
        SECTION,
        form=form,
        page=page,
        rows=record_rows(show_records(access, page.rows), _findings(access, page.rows)),
        servers=names,
        kinds=KIND_WORDS,
        actors=actors_of(access),
        target=target,
        first_query=query,
        next_query="&".join(part for part in (query, f"before={page.next}") if part),
    )


def _findings(access: Reading, records: Sequence[Record]) -> dict[int, list[dict[str, Any]]]:
    """Why triggers made these changes, by number of the change."""
    found = evidence_in(access, records, EVIDENCE_SHOWN)
    rows = iter(finding_rows(access, [one for some in found.values() for one in some]))
    return {seq: list(islice(rows, len(some))) for seq, some in found.items()}


def _sought(form: Form) -> Sought:
    now = time.time()
    times = {
        name: read_moment(form.values[name], now, name) if form.values[name] else None
        for name in ("since", "until")
    }
    who = clean_line(form.values["who"], field="who", limit=320)
    return Sought(who, form.values["kind"], times["since"], times["until"])


def _target(text: str) -> str:
    """The target as listings have it, when it is one."""
    line = clean_line(text, field="target", limit=300)
    try:
        return parse_target(line).text if line else ""
    except BadInput:
        return line


@account_view(Writing, "POST")
def undo_change(request: PageRequest, access: Writing, seq: int) -> HttpResponse:
    """Undo one change, as a change of its own that can be undone too."""
    try:
        made = undo(access, seq)
    except Refusal as refusal:
        if request.htmx:
            return _in_place(request, f"Not undone: {refusal}.")
        warn(request, str(refusal))
        return back(request, path(access, "journal"))
    text = f"{made.summary[0].upper()}{made.summary[1:]}."
    if request.htmx:
        return _in_place(request, text)
    tell(request, text, access=access, change=made.seq)
    return _after_undo(request, access, made.what.removeprefix("undo.").partition(".")[0])


def _after_undo(request: PageRequest, access: Writing, sort: str) -> HttpResponse:
    """Back to where it was asked for, unless that page may have gone with what was undone."""
    came, journal = request.POST.get("next", ""), path(access, "journal")
    if sort == "server":
        return to(access, "servers")
    if sort in ("trigger", "feed") and not came.startswith(journal):
        return to(access, f"{sort}s")
    if _is_gone(access, came):
        return to(access, "listings")
    return back(request, path(access, "listings"))


def _in_place(request: PageRequest, text: str) -> HttpResponse:
    """The same in the popover from which it was asked."""
    return show(request, "listings/acted.html", SECTION, text=text, done="")


def _is_gone(access: Reading, address: str) -> bool:
    """Whether it is the page of a listing that is no longer there."""
    try:
        found = resolve(address.partition("?")[0])
        if found.url_name in {"listing", "listing-edit"}:
            find_listing(access, found.kwargs["number"])
    except Resolver404:
        return False
    except NotFound:
        return True
    return False
