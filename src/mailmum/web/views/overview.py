"""The home page of an account: how much there was, what became of it, what changed, what to do.

Each section is asked for by itself, and can be loaded again by itself: when traffic cannot be read
for one, that one says so and the rest stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpResponse

from mailmum.control.accounts.access import Reading
from mailmum.control.once import read_once
from mailmum.control.servers.queries import present_servers
from mailmum.control.traffic.reading import tolerant
from mailmum.control.traffic.totals import last_seen
from mailmum.domain.errors import BadInput, NotFound
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, unread
from mailmum.web.sections import BY, PARTS, Wanted
from mailmum.web.stretches import CHOICES, stretch_of, usual

SECTION = "overview"


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page.

    Attributes:
        name: of it, and of its template.
        title: its heading.
        shown: what the template shows, None when it could not be read.
        reference: with which the log tells why not.
    """

    name: str
    title: str
    shown: Mapping[str, Any] | None
    reference: str = ""

    @property
    def template(self) -> str:
        """What shows it."""
        return f"mailmum/overview/{self.name if self.shown is not None else 'failed'}.html"


@account_view(Reading)
@read_once()
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The page; all of it but the frame when only that is asked for."""
    wanted, fault = _wanted(request, access)
    fragment = request.htmx and not request.htmx.history_restore_request
    template = "overview/content.html" if fragment else "overview/page.html"
    if waiting := _waits_for(access):
        return _vary(show(request, template, SECTION, waiting=waiting))
    parts = {name: _part(wanted, name) for name in PARTS}
    return _vary(show(request, template, SECTION, **_frame(wanted), fault=fault, parts=parts))


@account_view(Reading)
def part(request: PageRequest, access: Reading, part: str) -> HttpResponse:
    """One section by itself."""
    if part not in PARTS:
        raise Http404
    wanted, _ = _wanted(request, access)
    return show(request, "overview/part.html", SECTION, **_frame(wanted), part=_part(wanted, part))


def _wanted(request: PageRequest, access: Reading) -> tuple[Wanted, str]:
    """What is asked for, and what of it could not be understood."""
    fault = ""
    try:
        stretch = stretch_of(request.GET)
    except BadInput as refusal:
        stretch, fault = usual(), str(refusal)
    server = request.GET.get("server", "")
    if server and server not in present_servers(access).values():
        raise NotFound("there is no such server")
    by = request.GET.get("by", "")
    return Wanted(access, stretch, server, by if by in BY else BY[0]), fault


def _frame(wanted: Wanted) -> dict[str, Any]:
    stretch = wanted.stretch
    return {
        "wanted": wanted,
        "stretch": stretch,
        "servers": list(present_servers(wanted.access).values()),
        "ranges": [
            (word, words, wanted.query_with(range=word), stretch.word == word)
            for word, words in CHOICES
        ],
        "kept": wanted.stretch.query,
    }


def _waits_for(access: Reading) -> str:
    """What has to come before there is anything to see: a `server`, its `traffic`, or nothing."""
    numbers = list(present_servers(access))
    if not numbers:
        return "server"
    # When that cannot be read, each section says so.
    seen = tolerant(lambda: bool(last_seen(numbers)), default=True)
    return "" if seen else "traffic"


def _part(wanted: Wanted, name: str) -> Part:
    title, make = PARTS[name]
    try:
        return Part(name, title, make(wanted))
    except DatabaseError as error:
        return Part(name, title, None, unread(f"the section {name} of the overview", error))


def _vary(response: HttpResponse) -> HttpResponse:
    response["Vary"] = "HX-Request"
    return response
