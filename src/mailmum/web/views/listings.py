"""Listings: the table with its search, one listing, removing some."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.listings.history import records_of
from mailmum.control.listings.history import show as show_records
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import find_listing, target_of
from mailmum.control.listings.search import count, meant, meets, search, total_of
from mailmum.control.listings.services import remove_listings
from mailmum.control.monitor.hits import Hits, Stale, hits_of, stale_among
from mailmum.control.once import read_once
from mailmum.control.servers.queries import names_of_servers, present_servers
from mailmum.control.traffic.reading import tolerant
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
from mailmum.web.rows import ListingRow, listing_rows
from mailmum.web.views.bulk import ask, numbers_of
from mailmum.web.wanted import OLDER_DAYS, SOURCES, Wanted, wanted_of

SECTION = "listings"
MET_SHOWN = 20
HISTORY_SHOWN = 10


@account_view(Reading)
@read_once()
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The table; a fragment of it when only that is asked for."""
    servers = list(present_servers(access).values())
    wanted = wanted_of(request.GET, servers)
    form = Form({"q": wanted.q})
    page: Page[Version] | None = None
    stale: Stale | None = None
    try:
        if wanted.idle:
            stale = _stale(request, access, wanted)
        else:
            fits = wanted.filter(access)
            found = search(access, wanted.q, fits)
            total = None if wanted.q else total_of(access, fits)
            page = page_of(found, "number", before_of(request), total=total)
    except BadInput as refusal:
        form.refuse(refusal, otherwise="q")
    versions = page.rows if page else stale.rows if stale else ()
    shown: dict[str, Any] = {
        "wanted": wanted,
        "form": form,
        "page": page,
        "stale": stale,
        "rows": listing_rows(versions, names_of_servers(access), time.time()),
        "next_query": _next_query(wanted, page),
        "here": request.get_full_path(),
    }
    _add_hits(access, shown["rows"], versions)
    if request.htmx and not request.htmx.history_restore_request:
        response = show(request, "listings/results.html", SECTION, **shown)
        response["HX-Push-Url"] = f"{request.path}?{wanted.query}" if wanted.any else request.path
    else:
        counts = count(access)
        shown |= {"servers": servers, "counts": counts, "older_days": OLDER_DAYS}
        shown["sources"] = [(value, words, getattr(counts, value)) for value, words in SOURCES]
        response = show(request, "listings/list.html", SECTION, **shown)
    response["Vary"] = "HX-Request"
    return response


def _stale(request: PageRequest, access: Reading, wanted: Wanted) -> Stale:
    after = before_of(request, "after") or 0
    filtered = wanted.stale_filter(access)
    return stale_among(access, filtered, text=wanted.q, days=wanted.idle, after=after)


def _add_hits(access: Reading, rows: list[ListingRow], versions: Sequence[Version]) -> None:
    """How often each decided; nothing while traffic cannot be read."""
    nothing: dict[int, Hits] = {}
    found = tolerant(lambda: hits_of(access, versions), nothing)
    for row in rows:
        row.hits = found.get(row.version.number)


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
    """Remove the listings that were ticked, or the one whose button was pressed.

    All that fit a filter are shown first.
    """
    only = request.POST.getlist("only")
    if request.POST.get("all") and not only:
        return ask(request, access)
    numbers = numbers_of(only or request.POST.getlist("number"))
    if not numbers:
        tell(request, "Nothing was chosen, so nothing was removed.")
    else:
        result = remove_listings(access, numbers)
        tell(request, outcomes.of_removal(result), access=access, change=result.change)
    return back(request, path(access, "listings"))


@account_view(Reading)
def find(request: PageRequest, access: Reading) -> HttpResponse:
    """The search of every page: a client, a network or a domain gets its page, mail its sightings.

    Anything else looks for listings, which says so when it finds none.
    """
    text = request.GET.get("q", "").strip()
    if "@" in text:
        return _with_query(to(access, "search"), q=text)
    return _with_query(to(access, "client" if _has_page(text) else "listings"), q=text)


def _has_page(text: str) -> bool:
    """Whether it is an address, a network, a host name, or a domain with a dot in front."""
    if not any(mark in text for mark in ".:/"):
        return False
    try:
        parse_subject(text)
    except BadInput:
        return (text.startswith(".") or "/" in text) and meant(text) is not None
    return True


def _with_query(response: HttpResponse, **query: str) -> HttpResponse:
    given = {name: value for name, value in query.items() if value}
    if given:
        response["Location"] += f"?{urlencode(given)}"
    return response


def _next_query(wanted: Wanted, page: Page[Version] | None) -> str:
    if page is None or page.next is None:
        return ""
    return "&".join(part for part in (wanted.query, f"before={page.next}") if part)
