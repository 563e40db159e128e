"""The inbox of proposals: accept or dismiss with one click."""

from django.http import HttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.suggestions import inbox
from mailmum.control.suggestions.show import DOES
from mailmum.domain.errors import NotFound, Refusal
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to, warn

SECTION = "suggestions"
SHOWN = 200
_GROUPS = (
    ("widen", "Block a network", "own", "o-own", "several offenders in it, and nobody delivered"),
    ("block", "Block a client", "own", "o-own", "turned away again and again"),
    ("allow", "Allow a sender", "allowed", "o-allowed", "stopped by a public RBL, and delivers"),
    ("drop", "Remove a listing", "clock", "", "it decides nothing any more"),
    ("shorten", "Let a listing end", "clock", "", "it decides nothing just now"),
)


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """What is proposed, by kind."""
    found = list(inbox.open_suggestions(access)[:SHOWN])
    groups = [
        {"title": title, "icon": icon, "css": css, "about": about, "does": DOES[kind], "rows": rows}
        for kind, title, icon, css, about in _GROUPS
        if (rows := [one for one in found if one.kind == kind])
    ]
    return show(request, "suggestions.html", SECTION, groups=groups)


@account_view(Writing, "POST")
def accept(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Do what is proposed."""
    try:
        result = inbox.accept(access, number)
    except NotFound:
        raise
    except Refusal as refusal:
        warn(request, f"Nothing was changed: {refusal}")
        return to(access, "suggestions")
    tell(request, "Done.", access=access, change=result.change)
    return to(access, "suggestions")


@account_view(Writing, "POST")
def dismiss(request: PageRequest, access: Writing, number: int) -> HttpResponse:
    """Do not propose this again."""
    one, change = inbox.dismiss(access, number)
    tell(request, f"{one.target} will not be suggested again.", access=access, change=change)
    return to(access, "suggestions")
