"""Listings: the table with its search, one listing, removing some."""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.listings.history import records_of
from mailmum.control.listings.history import show as show_records
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, find_listing, target_of
from mailmum.control.listings.search import count, meets, search
from mailmum.control.listings.services import remove_listings
from mailmum.control.servers.queries import find_server, names_of_servers, servers_of
from mailmum.control.triggers.evidence import evidence_for
from mailmum.domain.clients import parse_subject
from mailmum.domain.errors import BadInput
from mailmum.web import outcomes
from mailmum.web.evidence import finding_rows
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.history import record_rows
from mailmum.web.paging import Page, before_of, page_of
from mailmum.web.reply import back, path, show, tell, to
from mailmum.web.rows import listing_rows

SECTION = "listings"
ACTIONS = ("block", "allow")
SOURCES = (("person", "People"), ("trigger", "Triggers"), ("feed", "Feeds"))
ACCOUNT_ONLY = "account"
MET_SHOWN = 20
HISTORY_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for; unknown values are as if they were not there."""

    q: str
    action: str
    source: str
    server: str
    state: str

    @property
    def any(self) -> bool:
        """Whether anything is filtered at all."""
        return any((self.q, self.action, self.source, self.server, self.state))

    @property
    def query(self) -> str:
        """The address's part behind the question mark."""
        pairs = [(name, getattr(self, name)) for name in self.__slots__]
        return urlencode([(name, value) for name, value in pairs if value])


def wanted_of(request: PageRequest, servers: list[str]) -> Wanted:
    """The filter that the address asks for."""
    data = request.GET

    def one_of(name: str, allowed: list[str]) -> str:
        value = data.get(name, "")
        return value if value in allowed else ""

    return Wanted(
        q=data.get("q", "").strip(),
        action=one_of("action", list(ACTIONS)),
        source=one_of("source", [name for name, _ in SOURCES]),
        server=one_of("server", [ACCOUNT_ONLY, *servers]),
        state=one_of("state", ["ended"]),
    )


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The table; a fragment of it when only that is asked for."""
    servers = [server.name for server in servers_of(access)]
    wanted = wanted_of(request, servers)
    form = Form({"q": wanted.q})
    page: Page[Version] | None = None
    try:
        found = search(access, wanted.q, _filter(access, wanted))
        page = page_of(found, "number", before_of(request))
    except BadInput as refusal:
        form.refuse(refusal, otherwise="q")
    shown: dict[str, Any] = {
        "wanted": wanted,
        "form": form,
        "page": page,
        "rows": listing_rows(page.rows, names_of_servers(access), time.time()) if page else [],
        "next_query": _next_query(wanted, page),
        "here": request.get_full_path(),
    }
    if request.htmx and not request.htmx.history_restore_request:
        response = show(request, "listings/results.html", SECTION, **shown)
        response["HX-Push-Url"] = f"{request.path}?{wanted.query}" if wanted.any else request.path
    else:
        shown |= {"servers": servers, "sources": SOURCES, "counts": count(access)}
        response = show(request, "listings/list.html", SECTION, **shown)
    response["Vary"] = "HX-Request"
    return response


@account_view(Reading)
def detail(request: PageRequest, access: Reading, number: int) -> HttpResponse:
    """One listing: what it is, what it meets, its history."""
    version, servers = find_listing(access, number), names_of_servers(access)
    met = meets(access, target_of(version)).exclude(number=number)
    records = list(records_of(access, target=version.target)[:HISTORY_SHOWN])
    now = time.time()
    return show(
        request,
        "listings/show.html",
        SECTION,
        row=listing_rows([version], servers, now)[0],
        met=listing_rows(met[:MET_SHOWN], servers, now),
        met_total=met.count(),
        records=record_rows(show_records(access, records)),
        findings=finding_rows(access, list(evidence_for(access, [number]).values())),
    )


@account_view(Writing, "POST")
def remove(request: PageRequest, access: Writing) -> HttpResponse:
    """Remove the listings that were ticked, or the one whose button was pressed."""
    given = request.POST.getlist("only") or request.POST.getlist("number")
    numbers = [int(text) for text in given if text.isascii() and text.isdigit() and len(text) < 19]
    if not numbers:
        tell(request, "Nothing was chosen, so nothing was removed.")
    else:
        result = remove_listings(access, numbers)
        tell(request, outcomes.of_removal(result), access=access, change=result.change)
    return back(request, path(access, "listings"))


@account_view(Reading)
def find(request: PageRequest, access: Reading) -> HttpResponse:
    """The search of every page: one client gets its verdict, a mail address its sightings.

    Anything else looks for listings.
    """
    text = request.GET.get("q", "").strip()
    if "@" in text:
        return _with_query(to(access, "search"), q=text)
    try:
        subject = parse_subject(text)
    except BadInput:
        subject = None
    if subject is None or not ("." in text or ":" in text):
        return _with_query(to(access, "listings"), q=text)
    return _with_query(to(access, "client"), q=text)


def _with_query(response: HttpResponse, **query: str) -> HttpResponse:
    given = {name: value for name, value in query.items() if value}
    if given:
        response["Location"] += f"?{urlencode(given)}"
    return response


def _filter(access: Reading, wanted: Wanted) -> Filter:
    account_only = wanted.server == ACCOUNT_ONLY
    server = find_server(access, wanted.server).pk if wanted.server and not account_only else None
    return Filter(
        server=0 if account_only else server,
        own_only=account_only,
        action=wanted.action,
        source=wanted.source,
        expired=wanted.state == "ended",
    )


def _next_query(wanted: Wanted, page: Page[Version] | None) -> str:
    if page is None or page.next is None:
        return ""
    return "&".join(part for part in (wanted.query, f"before={page.next}") if part)
