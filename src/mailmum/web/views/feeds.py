"""Feeds and mail providers: list, add with a look at what would come, one with its versions."""

import time
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.feeds import queries, services
from mailmum.control.feeds.editing import edit_feed
from mailmum.control.feeds.models import Feed, Kind, Use
from mailmum.control.feeds.providers import PROPOSALS
from mailmum.control.feeds.reading import BYTES_LIMIT
from mailmum.control.feeds.refreshing import Outcome
from mailmum.control.feeds.wishes import FeedWish, make_wish
from mailmum.control.listings.values import ACCOUNT_SCOPE
from mailmum.control.monitor import lists
from mailmum.control.servers.queries import servers_of
from mailmum.domain.errors import BadInput, NotFound, Refusal
from mailmum.formats.feeds import FEED_FORMATS
from mailmum.web.carried import packed, unpacked
from mailmum.web.feeds import feed_rows, version_rows
from mailmum.web.form import Form, posted
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.impact import verdict_of
from mailmum.web.limits import FILE
from mailmum.web.reply import show, tell, to, warn

SECTION = "feeds"
KINDS = (
    (Kind.URL.value, "Web"),
    (Kind.UPLOAD.value, "Upload"),
    (Kind.FILE.value, "File"),
    (Kind.SPF.value, "Provider"),
)
CHANGED = ("action", "use", "every", "reason", "code", "shrink", "grow")
"""Fields of the form to change a feed, beside the server."""
USES = (
    (Use.EXCEPT.value, "Triggers never list what is in it"),
    (Use.LIST.value, "Allow it"),
    (Use.WARN.value, "Only warn before somebody lists what is in it"),
)
EVERY = (("1h", "every hour"), ("6h", "every 6 hours"), ("1d", "every day"), ("7d", "every week"))
FURTHER = ("format", "code", "shrink", "grow")
LOOK = "mailmum feed add NAME FILE --dry-run"
CARRIED = ("packed", "named")
"""A list that is uploaded goes along from the look to the subscription."""
NAME_KEPT = 80
"""Of its name the end goes along: what stands last says the format."""
FIELDS = ("name", "source", "action", "use", "server", "reason", "every", *FURTHER, *CARRIED)


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """All feeds, and all providers, with how they stand."""
    rows = feed_rows(queries.list_feeds(access))
    return show(
        request,
        "feeds/list.html",
        SECTION,
        feeds=[row for row in rows if not row.provider],
        providers=[row for row in rows if row.provider],
    )


@account_view(Writing, "GET", "POST")
def add(request: PageRequest, access: Writing) -> HttpResponse:
    """Subscribe: first a look at what would come, then for good."""
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    kind = kind if kind in Kind.values else Kind.URL.value
    form = posted(request.POST, *FIELDS)
    if request.method != "POST":
        form.values |= {"every": "6h", "name": request.GET.get("name", "")[:80]}
        form.values["source"] = request.GET.get("source", "")[:300]
        return _form(request, access, kind, form)
    preview = None
    try:
        wish = _wish(form, kind)
        body, filename = _list(request, kind, form)
        if "look" in request.POST:
            if body is not None:
                form.values |= {"packed": _packed(body, LOOK), "named": filename[-NAME_KEPT:]}
            preview = lists.preview(access, wish, body, filename)
            return _form(request, access, kind, form, preview=preview)
        feed = services.add_feed(access, wish)
    except Refusal as refusal:
        form.refuse(refusal, names={"url": "source"}, otherwise="")
        return _form(request, access, kind, form)
    return _first(request, access, feed, body, filename)


def _first(
    request: PageRequest, access: Writing, feed: Feed, body: bytes | None, filename: str
) -> HttpResponse:
    """Get the first version, and go to the page of the feed whatever comes of it."""
    try:
        if body is None:
            services.ask_refresh(access, feed.name)
            tell(request, f"Subscribed to {feed.name}.")
        else:
            outcome = services.upload_feed(access, feed.name, body, filename)
            _tell(request, access, feed.name, outcome, f"Subscribed to {feed.name}.")
    except Refusal as refusal:
        warn(request, f"Subscribed to {feed.name}, but nothing has come yet: {refusal}")
    return to(access, "feed", name=feed.name)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What would renew a feed, looked at before.

    Attributes:
        preview: what would come of it.
        packed: the file, which goes along.
        named: what it is called.
    """

    preview: dict[str, Any]
    packed: str
    named: str

    @property
    def verdict(self) -> tuple[str, ...]:
        """The word for whom it would have hit."""
        return verdict_of(self.preview["impact"])


@account_view(Reading)
def detail(request: PageRequest, access: Reading, name: str) -> HttpResponse:
    """One feed: how it stands, and its versions; or whether it has been refreshed by now."""
    if not request.htmx:
        return _shown(request, access, name)
    if queries.is_awaited(queries.find_feed(access, name), time.time()):
        return HttpResponse(status=204)
    return _shown(request, access, name, came=True)


def _shown(
    request: PageRequest,
    access: Reading,
    name: str,
    form: Form | None = None,
    *,
    came: bool = False,
    renewal: Renewal | None = None,
) -> HttpResponse:
    found = queries.show_feed(access, name)
    (row,) = feed_rows([found])
    return show(
        request,
        "feeds/show.html",
        SECTION,
        row=row,
        form=form or _as_it_is(found),
        renewal=renewal,
        came=came and found["state"] == "ok",
        awaited=queries.is_awaited(queries.find_feed(access, name), time.time()),
        versions=version_rows(found),
        servers=[server.name for server in servers_of(access)],
        uses=USES,
        most=FILE,
    )


def _as_it_is(told: dict[str, Any]) -> Form:
    """The form to change a feed, as the feed is."""
    server = "" if told["scope"] == ACCOUNT_SCOPE else told["scope"]
    kept = {name: "" if told[name] is None else f"{told[name]}" for name in CHANGED}
    return Form(kept | {"server": server})


@account_view(Writing, "POST")
def act(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Refresh, look, renew, release, drop, pause, resume, edit: by the button that was pressed."""
    what = request.POST.get("do", "")
    try:
        if what == "look":
            return _shown(request, access, name, renewal=_renewal(request, access, name))
        _act(request, access, name, what)
    except NotFound:
        raise
    except Refusal as refusal:
        if what == "edit":
            form = posted(request.POST, *CHANGED, "server")
            form.refuse(refusal)
            return _shown(request, access, name, form)
        warn(request, f"Nothing was changed: {refusal}.")
    return to(access, "feed", name=name)


def _renewal(request: PageRequest, access: Writing, name: str) -> Renewal:
    body, filename = _new_list(request)
    along = _packed(body, f"mailmum feed upload {name} FILE --dry-run")
    return Renewal(
        lists.preview_renewal(access, name, body, filename), along, filename[-NAME_KEPT:]
    )


def _act(request: PageRequest, access: Writing, name: str, what: str) -> None:
    if what == "refresh":
        services.ask_refresh(access, name)
    elif what == "upload":
        body, filename = _new_list(request)
        _tell(request, access, name, services.upload_feed(access, name, body, filename))
    elif what in ("release", "drop"):
        services.release(access, name, drop=what == "drop")
        words = "The update was not taken." if what == "drop" else "The update is in force."
        tell(request, words)
    elif what == "edit":
        edit_feed(access, name, _edited(request))
        tell(request, f"Changed {name}.")
    elif what in ("pause", "resume"):
        services.pause(access, name, paused=what == "pause")
        tell(request, f"{name} {'rests' if what == 'pause' else 'goes on'}.")
    else:
        raise BadInput("that button is not known", fix="load the page again")


def _edited(request: PageRequest) -> dict[str, Any]:
    """What was filled in; a field that the page does not show for this kind of feed is left out."""
    given: dict[str, Any] = {
        field: request.POST[field]
        for field in ("action", "use", "server", "reason", "every", "code")
        if field in request.POST
    }
    limits = (field for field in ("shrink", "grow") if field in request.POST)
    return given | {field: _percent(request.POST[field], field) for field in limits}


def _percent(text: str, field: str) -> int:
    text = text.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > len("100000"):
        raise BadInput("a limit is a number of percent", fix="write for example 50", field=field)
    return int(text)


@account_view(Writing, "GET", "POST")
def remove(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Unsubscribe, after saying what goes with it."""
    if request.method == "POST":
        services.remove_feed(access, name)
        tell(request, f"Removed {name}.")
        return to(access, "feeds")
    (row,) = feed_rows([queries.show_feed(access, name)])
    return show(request, "feeds/remove.html", SECTION, row=row)


def _form(
    request: PageRequest,
    access: Writing,
    kind: str,
    form: Form,
    *,
    preview: dict[str, Any] | None = None,
) -> HttpResponse:
    taken = {(one["kind"], one["source"]) for one in queries.list_feeds(access)}
    return show(
        request,
        "feeds/add.html",
        SECTION,
        form=form,
        kind=kind,
        kinds=KINDS,
        uses=USES,
        every=EVERY,
        formats=[name for name in FEED_FORMATS if name != "rbldnsd"],
        servers=[server.name for server in servers_of(access)],
        preview=preview,
        verdict=verdict_of(preview["impact"]) if preview else (),
        further=any(form[field].value or form[field].faults for field in FURTHER),
        most=FILE,
        proposals=[one for one in PROPOSALS if (Kind.SPF.value, one[1]) not in taken],
    )


def _wish(form: Form, kind: str) -> FeedWish:
    values = form.values
    return make_wish(
        values["name"],
        "" if kind == Kind.UPLOAD else values["source"],
        kind=kind,
        format_=values["format"],
        action=values["action"] or "block",
        use=values["use"] if kind == Kind.SPF else "",
        server=form.filled("server"),
        reason=values["reason"],
        code=values["code"],
        every=values["every"],
        **{
            field: _percent(values[field], field)
            for field in ("shrink", "grow")
            if form.filled(field)
        },
    )


def _list(request: PageRequest, kind: str, form: Form) -> tuple[bytes | None, str]:
    """What was uploaded with a new feed, now or for the look before; None where nothing is to be.

    Raises:
        BadInput: there is none, or it is too long.
    """
    if kind == Kind.UPLOAD and "file" not in request.FILES and form.values["packed"]:
        return unpacked(form.values["packed"]), form.values["named"][-NAME_KEPT:]
    return _upload(request, kind)


def _new_list(request: PageRequest) -> tuple[bytes, str]:
    """What is to renew a feed: chosen now, or what came along from the look before.

    Raises:
        BadInput: there is none, or it is too long.
    """
    body, filename = _list(request, Kind.UPLOAD, posted(request.POST, *CARRIED))
    return body or b"", filename


def _packed(body: bytes, instead: str) -> str:
    try:
        return packed(body)
    except BadInput:
        raise BadInput(
            "the file is too large to be looked at here",
            fix=f"look with: {instead}",
            field="file",
        ) from None


def _upload(request: PageRequest, kind: str) -> tuple[bytes | None, str]:
    """What was uploaded, None where nothing is to be.

    Raises:
        BadInput: no file was chosen, or it is too long.
    """
    if kind != Kind.UPLOAD:
        return None, ""
    given = request.FILES.get("file")
    if given is None:
        raise BadInput("no file was chosen", fix="choose one", field="file")
    if (given.size or 0) > BYTES_LIMIT:
        raise BadInput("the file is too long", field="file")
    return given.read(), given.name or ""


def _tell(
    request: PageRequest, access: Reading, name: str, outcome: Outcome, before: str = ""
) -> None:
    (row,) = feed_rows([queries.show_feed(access, name)])
    words = {
        "current": f"{before or 'Refreshed.'} {row.entries}.",
        "unchanged": f"{before or 'Nothing has changed.'}",
        "held": f"The update is held back: {outcome.told or 'look at it below'}.",
        "failed": f"{before} Nothing came: {outcome.told}.".strip(),
    }[outcome.word]
    (warn if outcome.word in ("held", "failed") else tell)(request, words)
