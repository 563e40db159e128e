"""Search: every sighting that is kept, filtered by what the address says."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.db import DatabaseError
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone

from mailmum.control.accounts.access import Reading
from mailmum.control.monitor import search as monitor
from mailmum.control.monitor.search import Search, as_csv, understand
from mailmum.control.servers.queries import present_servers
from mailmum.control.streaming import pulled
from mailmum.control.traffic.find import PAGE_LIMIT, Page
from mailmum.control.traffic.terms import terms_of
from mailmum.domain.errors import BadInput, NotFound
from mailmum.web import words
from mailmum.web.asked import MORE, SOURCES, Asked, asked_of
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.groups import CHOICES
from mailmum.web.reply import path, show, unread
from mailmum.web.sightings import sighting_rows
from mailmum.web.stretches import CHOICES as RANGES
from mailmum.web.stretches import moment_at

SECTION = "search"
SIZE = 50
EXPORTED = 100_000
"""Rows of an export, about: so many at most in whole pages."""
NAMES = {"client": "q", "name": "q", "text": "q", "outcome": "what", "group": "what"}


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The form and what it finds; only the latter when that is asked for."""
    asked, form = asked_of(request.GET), Form({})
    part = bool(request.htmx and not request.htmx.history_restore_request)
    page, found, days, reference = None, None, 0, ""
    try:
        page, found = _page(request, access, asked, form)
        days = terms_of(access.account.pk).recent_days
    except DatabaseError as error:
        if part:
            raise
        reference = unread("sightings", error)
    shown: dict[str, Any] = {
        "asked": asked,
        "form": form,
        "page": page,
        "rows": sighting_rows(found.scope, page.found) if found and page else [],
        "only": [(label, _in_words(name, value)) for name, label, value in asked.more],
        "size": SIZE,
        "first": not request.GET.get("before"),
        "older": _older(asked, page),
        "any_time": asked.without_time().query,
        "with_all": asked.with_all().query if asked.once else "",
        "days": days,
        "exported": EXPORTED,
        "reference": reference,
    }
    if part:
        response = show(request, "search/results.html", SECTION, **shown)
        response["HX-Push-Url"] = f"{path(access, 'search')}?{asked.query}"
    else:
        shown |= {"servers": list(present_servers(access).values()), "choices": CHOICES}
        shown |= {"ranges": RANGES, "sources": SOURCES}
        shown |= {"faulty": set(form.faults) & set(MORE)}
        status = 503 if reference else 200
        response = show(request, "search/page.html", SECTION, status=status, **shown)
    response["Vary"] = "HX-Request"
    return response


@account_view(Reading)
def export(request: PageRequest, access: Reading) -> HttpResponse:
    """What is found as CSV; refusals are shown on the page."""
    asked, form = asked_of(request.GET), Form({})
    found = _understood(access, asked, form)
    if found is None:
        return index(request, account=access.account.pk)
    return StreamingHttpResponse(  # type: ignore[return-value]  # a response, for all that matters
        pulled(lambda: _pieces(found)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sightings.csv"'},
    )


def _page(
    request: PageRequest, access: Reading, asked: Asked, form: Form
) -> tuple[Page | None, Search | None]:
    found = _understood(access, asked, form)
    if found is None:
        return None, None
    try:
        before = request.GET.get("before") or None
        return monitor.page(found, before=before, limit=SIZE), found
    except BadInput as refusal:
        form.refuse(refusal)
        return None, None


def _understood(access: Reading, asked: Asked, form: Form) -> Search | None:
    """What is meant; when that cannot be understood, the form says why."""
    form.values.update({name: getattr(asked, name) for name in Asked.__slots__})
    now = time.time()
    try:
        return understand(access, asked.question(now), now=now)
    except (BadInput, NotFound) as refusal:
        form.refuse(refusal, names=NAMES)
        return None


def _in_words(name: str, value: str) -> str:
    """A value of a filter as a sentence has it: moments by the reader's clock."""
    if name == "once":
        return ""
    if name not in {"since", "until"}:
        return value
    try:
        return words.day_and_time(timezone.localtime(moment_at(value)))
    except BadInput:
        return value


def _older(asked: Asked, page: Page | None) -> str:
    if page is None or page.older is None:
        return ""
    return "&".join(part for part in (asked.query, urlencode({"before": page.older})) if part)


def _pieces(found: Search) -> Iterator[bytes]:
    # The first piece is the line of names.
    for text in islice(as_csv(found), 1 + EXPORTED // PAGE_LIMIT):
        yield text.encode()
