"""Changing or removing many listings: first how many and whom, then the change.

What was chosen comes along in the form: numbers, or the filter with the highest number that was
there.  `expected` says how many were looked at; when another count fits by now, they are shown
again instead.
"""

import time
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, QueryDict

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.listings.bulk import (
    LIMIT,
    Chosen,
    Survey,
    edit_chosen,
    remove_chosen,
    survey,
)
from mailmum.control.listings.draft import KEEP, Keep, Wish, make_wish
from mailmum.control.monitor.hits import CANDIDATES, ROUNDS
from mailmum.control.servers.queries import names_of_servers, present_servers
from mailmum.domain.errors import Conflict, Refusal
from mailmum.domain.listings import WHOLE_ACCOUNT
from mailmum.web import outcomes
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.lives import AS_IT_IS, LIFETIMES, field_names, lifetime_of
from mailmum.web.reply import back, path, show, tell
from mailmum.web.rows import listing_rows
from mailmum.web.wanted import ACCOUNT_ONLY, wanted_of

SECTION = "listings"
FIELDS = ("for", "other", "server", "reason", "note", "code", "enabled", "next")
CHANGE, REMOVE = "change", "remove"


@account_view(Writing, "POST")
def bulk(request: PageRequest, access: Writing) -> HttpResponse:
    """What is chosen with the form to change it; with `do` the change itself."""
    do = request.POST.get("do", "")
    if do not in {CHANGE, REMOVE}:
        return ask(request, access)
    form, chosen = posted(request.POST, *FIELDS), chosen_of(request.POST, access)
    expected = _number(request.POST.get("expected", "")) or 0
    try:
        if do == REMOVE:
            done = remove_chosen(access, chosen, expected=expected)
            text = outcomes.of_many_removed(done)
        else:
            done = edit_chosen(access, chosen, _wish(form), server=_server(form), expected=expected)
            text = outcomes.of_many(done)
    except Refusal as refusal:
        # Those that are there now are shown, whatever was looked at before.
        fresh = isinstance(refusal, Conflict)
        form.refuse(refusal, names=field_names(form), otherwise="")
        return ask(request, access, form, fresh=fresh)
    tell(request, text, access=access, change=done.change)
    return back(request, path(access, "listings"))


def ask(
    request: PageRequest, access: Writing, form: Form | None = None, *, fresh: bool = False
) -> HttpResponse:
    """How many and whom, and the form."""
    chosen = chosen_of(request.POST, access, fresh=fresh)
    filled = form or Form(dict.fromkeys(FIELDS, "") | {"for": AS_IT_IS})
    if form is None:
        filled.values["next"] = request.POST.get("next", "")
    try:
        found = survey(access, chosen)
    except Refusal as refusal:
        tell(request, f"{str(refusal)[:1].upper()}{str(refusal)[1:]}.")
        return back(request, path(access, "listings"))
    if not found.total:
        tell(request, "Nothing was chosen, so nothing was changed.")
        return back(request, path(access, "listings"))
    names = names_of_servers(access)
    return show(
        request,
        "listings/bulk.html",
        SECTION,
        form=filled,
        found=found,
        rows=listing_rows(found.first, names, time.time()),
        scopes=_scopes(found, names),
        whole=chosen.wanted is not None,
        match=request.POST.get("match", ""),
        gathered=bool(request.POST.get("all")) and chosen.wanted is None,
        looked=CANDIDATES * ROUNDS,
        numbers=chosen.numbers,
        too_many=found.total > LIMIT,
        limit=LIMIT,
        servers=list(present_servers(access).values()),
        lifetimes=LIFETIMES,
    )


def chosen_of(data: QueryDict, access: Reading, *, fresh: bool = False) -> Chosen:
    """What a form has chosen: all that fit its filter, or those that are ticked."""
    if data.get("all"):
        servers = list(present_servers(access).values())
        wanted = wanted_of(QueryDict(data.get("match", "")), servers)
        upto = None if fresh else _number(data.get("upto", ""))
        return wanted.chosen(access, upto)
    return Chosen(numbers=numbers_of(data.getlist("number")))


def numbers_of(given: Sequence[str]) -> tuple[int, ...]:
    """The numbers among what was sent, each once."""
    found = (_number(text) for text in given)
    return tuple(dict.fromkeys(number for number in found if number is not None))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _scopes(found: Survey, names: dict[int, str]) -> list[tuple[str, int]]:
    ranked = sorted(found.scopes.items(), key=lambda one: (one[0] != WHOLE_ACCOUNT, -one[1]))
    return [
        ("all servers" if scope == WHOLE_ACCOUNT else names.get(scope, f"server {scope}"), count)
        for scope, count in ranked
    ]


def _server(form: Form) -> str | Keep:
    server = form.values["server"]
    return KEEP if not server else "" if server == ACCOUNT_ONLY else server


def _wish(form: Form) -> Wish:
    """What is left empty stays as it is."""
    enabled: dict[str, Any] = {"on": True, "off": False}
    return make_wish(
        KEEP,
        now=time.time(),
        reason=form.filled("reason"),
        note=form.filled("note"),
        code=form.filled("code") or KEEP,
        lifetime=KEEP if form.values["for"] == AS_IT_IS else lifetime_of(form),
        enabled=enabled.get(form.values["enabled"]),
    )
