"""The journal: who changed what and when, and undoing it."""

from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import Resolver404, resolve

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.listings.history import records_of
from mailmum.control.listings.history import show as show_records
from mailmum.control.listings.queries import find_listing
from mailmum.control.listings.undo import undo
from mailmum.control.servers.queries import find_server, servers_of
from mailmum.domain.errors import BadInput, NotFound, Refusal
from mailmum.domain.texts import clean_line
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.history import record_rows
from mailmum.web.paging import before_of, page_of
from mailmum.web.reply import back, path, show, tell, to, warn

SECTION = "journal"


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """Changes, newest first; of one server or of one target when the address says so."""
    names = [server.name for server in servers_of(access)]
    server = request.GET.get("server", "")
    form = Form({"target": request.GET.get("target", "").strip()})
    try:
        target = clean_line(form.values["target"], field="target", limit=300)
    except BadInput as refusal:
        form.refuse(refusal)
        target = ""
    number = find_server(access, server).pk if server in names else None
    page = page_of(records_of(access, server=number, target=target), "seq", before_of(request))
    asked = {"target": target, "server": server if number else ""}
    query = urlencode({name: value for name, value in asked.items() if value})
    return show(
        request,
        "journal.html",
        SECTION,
        form=form,
        page=page,
        rows=record_rows(show_records(access, page.rows)),
        servers=names,
        server=asked["server"],
        target=target,
        first_query=query,
        next_query="&".join(part for part in (query, f"before={page.next}") if part),
    )


@account_view(Writing, "POST")
def undo_change(request: PageRequest, access: Writing, seq: int) -> HttpResponse:
    """Undo one change, as a change of its own that can be undone too."""
    try:
        made = undo(access, seq)
    except Refusal as refusal:
        warn(request, str(refusal))
        return back(request, path(access, "journal"))
    tell(request, f"{made.summary[0].upper()}{made.summary[1:]}.", access=access, change=made.seq)
    if made.what.removeprefix("undo.").startswith("server."):
        # The page of a server may have gone with its name.
        return to(access, "servers")
    if _is_gone(access, request.POST.get("next", "")):
        return to(access, "listings")
    return back(request, path(access, "listings"))


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
