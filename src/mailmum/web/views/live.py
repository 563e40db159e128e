"""Live: sightings as they come, and the latest ones for who looks without script.

The page shows the latest rows and the cursor up to which that is all; its script asks the stream
for what comes after.  Rows are made by the same template in both, and what strangers wrote is
escaped there.  A stream ends after some minutes and is asked for again with the last cursor: then
it is looked at again who asks, and what they may see.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, cast

from django.db import DatabaseError
from django.http import HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from mailmum.control import config
from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.listings.search import meant
from mailmum.control.monitor import search
from mailmum.control.monitor.live import Came, hub
from mailmum.control.monitor.search import Question, Search, understand
from mailmum.control.servers.queries import present_servers
from mailmum.control.traffic.values import Kept
from mailmum.domain.errors import BadInput, NotFound, Refusal
from mailmum.domain.targets import NetworkTarget
from mailmum.domain.texts import clean_line, shown
from mailmum.traffic.groups import Group, group_of
from mailmum.traffic.sightings import Source
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.groups import GROUPS
from mailmum.web.reply import path, show
from mailmum.web.sightings import SightingRow, sighting_rows

SECTION = "live"
KEPT = 200
"""Rows that a page keeps; of more that come at once the earlier ones are left out."""
AT_FIRST = 100
LONGEST = 300.0
WITHOUT = "no"
_MAIL = (Source.LOG, Source.POLICY)
_NAMES = {"client": "q", "name": "q", "target": "q"}
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Followed:
    """What somebody follows, and how it is shown to them.

    Attributes:
        found: whose sightings, and which.
        groups: outcomes that are shown; empty for all.
        zone: the reader's time zone.
        may_write: whether rows have links to block and allow.
    """

    found: Search
    groups: Collection[Group]
    zone: tzinfo
    may_write: bool
    base: str = field(default_factory=lambda: config.current().zone)

    def rows(self, kept: Collection[Kept]) -> list[SightingRow]:
        """Those that are shown, in the same order."""
        return sighting_rows(self.found.scope, [one for one in kept if self._is_shown(one)])

    def html(self, rows: list[SightingRow]) -> str:
        """Rows of the table."""
        account = self.found.scope.account
        about = {"rows": rows, "account": account, "may_write": self.may_write}
        with timezone.override(self.zone):
            return render_to_string("mailmum/parts/stream_rows.html", about)

    def _is_shown(self, kept: Kept) -> bool:
        seen = kept.sighting
        return not self.groups or group_of(seen.outcome, seen.rbl, self.base) in self.groups


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """The latest sightings that the filter wants, and where the stream goes on."""
    form = _form(request)
    followed, rows, cursor, away = None, [], 0, False
    try:
        followed = _followed(request, access, form)
        # Asked before the rows are read: what comes in between is then told twice, never left out.
        cursor = search.now_is()
        latest = search.page(followed.found, limit=KEPT).found
        rows = followed.rows(latest)[:AT_FIRST]
    except (BadInput, NotFound) as refusal:
        form.refuse(refusal, names=_NAMES, otherwise="q")
    except DatabaseError:
        away = True
    query = request.GET.copy()
    query.pop("after", None)
    shown: dict[str, Any] = {"form": form, "rows": rows, "cursor": cursor, "away": away}
    shown |= {"stream": f"{path(access, 'live-stream')}?{query.urlencode()}", "kept": KEPT}
    shown |= {"chosen": request.GET.getlist("show"), "groups": list(GROUPS.items())}
    shown |= {"servers": list(present_servers(access).values()), "followed": followed}
    shown["filtered"] = any(form.values.values()) or bool(followed and followed.groups)
    return show(request, "live.html", SECTION, **shown)


@account_view(Reading)
def stream(request: PageRequest, access: Reading) -> HttpResponse:
    """Server-sent events: `rows` with rows of the table, `cursor`, `refused`; ids are cursors."""
    try:
        followed = _followed(request, access, _form(request))
        after = _cursor(request.headers.get("Last-Event-ID") or request.GET.get("after", ""))
    except BadInput as refusal:
        return HttpResponse(str(refusal), status=400, content_type="text/plain; charset=utf-8")
    response = StreamingHttpResponse(
        _events(followed, after),
        content_type="text/event-stream; charset=utf-8",
        headers={"X-Accel-Buffering": "no"},
    )
    return cast(HttpResponse, response)


def _form(request: PageRequest) -> Form:
    return Form({name: request.GET.get(name, "").strip() for name in ("q", "server", "lookups")})


def _followed(request: PageRequest, access: Reading, form: Form) -> Followed:
    groups = {one for one in Group if one.value in request.GET.getlist("show")}
    question = _question(form.values["server"], form.values["q"])
    if form.values["lookups"] == WITHOUT:
        question = replace(question, sources=_MAIL)
    return Followed(
        understand(access, question),
        groups,
        timezone.get_current_timezone(),
        isinstance(access, Writing),
    )


def _question(server: str, text: str) -> Question:
    """What is meant by a server and the one field: a client, a network, or a name."""
    line = clean_line(text, field="q", limit=300)
    if not line:
        return Question(server=server)
    target = meant(line)
    if target is None:
        raise BadInput(
            f"{shown(line)} is no client, network or name",
            fix="write 203.0.113.0/24, mail.spam.example or .spam.example",
            field="q",
        )
    if isinstance(target, NetworkTarget):
        return Question(server=server, client=target.text)
    return Question(server=server, name=target.text)


def _cursor(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise BadInput("that is no cursor of a stream", fix="load the page again", field="after")
    return int(text)


async def _events(followed: Followed, after: int | None) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST
    came_in = hub().follow(followed.found.scope.account, followed.found.wanted, after)
    yield b"retry: 2000\n\n"
    try:
        async for came in came_in:
            # Hundreds of rows take a while to make: others' streams must not wait for it.
            yield await loop.run_in_executor(None, _event, followed, came)
            if loop.time() > end:
                return
    except Refusal as refusal:
        yield _refused(str(refusal))
    except DatabaseError:
        yield _refused("the traffic database does not answer just now")
    finally:
        await came_in.aclose()


def _event(followed: Followed, came: Came) -> bytes:
    rows = followed.rows(came.found)
    if not rows:
        return f"id: {came.cursor}\nevent: cursor\ndata: \n\n".encode()
    told = {"count": len(rows), "html": followed.html(rows[-KEPT:][::-1])}
    return f"id: {came.cursor}\nevent: rows\ndata: {json.dumps(told)}\n\n".encode()


def _refused(text: str) -> bytes:
    return f"event: refused\ndata: {json.dumps(text)}\n\n".encode()
