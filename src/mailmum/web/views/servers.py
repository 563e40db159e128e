"""Servers: list, add, show with what sets the mail server up, edit, new key, remove."""

import time
from typing import Any

from django.http import HttpResponse

from mailmum.control import config
from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.listings.history import records_of
from mailmum.control.listings.queries import current
from mailmum.control.listings.services import remove_server
from mailmum.control.servers import services
from mailmum.control.servers.answers import Answers, clean_answers
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import pause_at
from mailmum.control.servers.queries import current_key, find_server, servers_of
from mailmum.control.traffic.queries import (
    barred_use,
    lists_of,
    logged_of,
    revoked_uses,
    uses_of,
    with_revoked_uses,
)
from mailmum.domain.codes import code_text
from mailmum.domain.errors import NotFound, Refusal
from mailmum.domain.lifetimes import parse_keep
from mailmum.domain.words import plural, span
from mailmum.traffic.periods import DAY
from mailmum.web.form import Form, posted, whole_number
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show, tell, to
from mailmum.web.rows import ServerRow
from mailmum.web.setup import WAYS, asked_by, setup_of
from mailmum.web.states import states_of

SECTION = "servers"
ZONE_ROWS = (
    ("bl", "Blocked addresses"),
    ("wl", "Allowed addresses"),
    ("dbl", "Blocked names"),
    ("dwl", "Allowed names"),
)
EDITED = ("name", "addresses", "askers", "ttl", "code", "text")
KEEPS = (("", "As set"), ("1d", "1 day"), ("30d", "30 days"), ("0s", "End it now"))


@account_view(Reading)
def index(request: PageRequest, access: Reading) -> HttpResponse:
    """All servers with their keys and how they are."""
    servers = list(servers_of(access))
    numbers, now = [server.pk for server in servers], time.time()
    uses, logged = uses_of(numbers), logged_of(numbers)
    states, revoked = states_of(access, numbers, now), with_revoked_uses(numbers, now - DAY)
    rows = [
        ServerRow(
            server,
            current_key(server),
            states[server.pk],
            uses.get(server.pk),
            logged.get(server.pk),
            server.pk in revoked,
            pause_at(access.account, server, now) is not None,
            sum(key.until is not None and key.until > now for key in server.keys.all()),
        )
        for server in servers
    ]
    return show(request, "servers/list.html", SECTION, rows=rows, asking=len(uses))


@account_view(Writing, "GET", "POST")
def add(request: PageRequest, access: Writing) -> HttpResponse:
    """Add a server."""
    form = posted(request.POST, "name", "addresses", "askers")
    if request.method == "POST":
        try:
            made = services.add_server(
                access, form.values["name"], form.lines("addresses"), form.lines("askers")
            )
        except Refusal as refusal:
            form.refuse(refusal, otherwise="name")
            return show(request, "servers/add.html", SECTION, form=form)
        text = f"Added the server {made.name}. Next, its Postfix lines."
        tell(request, text, access=access, change=_latest_change(access, made))
        return to(access, "server", name=made.name)
    return show(request, "servers/add.html", SECTION, form=form)


@account_view(Reading)
def detail(request: PageRequest, access: Reading, name: str) -> HttpResponse:
    """A server: its zones and keys, and what sets the mail server up."""
    server = find_server(access, name)
    now, base, key = time.time(), config.current().zone, current_key(server)
    use, setup = uses_of([server.pk]).get(server.pk), setup_of(server, request.GET)
    return show(
        request,
        "servers/show.html",
        SECTION,
        server=server,
        code=None if server.code is None else code_text(server.code),
        key=key,
        base=base,
        zone_rows=ZONE_ROWS,
        setup=setup,
        ways=WAYS,
        plan=setup.plan,
        asked=asked_by(lists_of(server.pk), setup.way),
        logged=logged_of([server.pk]).get(server.pk),
        chosen="by" in request.GET or "resolver" in request.GET,
        use=use,
        state=states_of(access, [server.pk], now)[server.pk],
        old_keys=[(key, key.until <= now) for key in server.keys.all() if key.until is not None],
        revoked=revoked_uses(server.pk),
        barred=barred_use(server.pk),
        own=_own_count(access, server),
        pause=pause_at(access.account, server, now),
    )


@account_view(Writing, "GET", "POST")
def edit(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Rename a server, or change what it is known by."""
    server = find_server(access, name)
    form = Form(
        {
            "name": server.name,
            "addresses": "\n".join(server.addresses),
            "askers": "\n".join(server.askers),
            "ttl": "" if server.ttl is None else str(server.ttl),
            "code": "" if server.code is None else code_text(server.code),
            "text": server.text,
        }
    )
    if request.method == "POST":
        before = _latest_change(access, server)
        form = posted(request.POST, *EDITED)
        try:
            edited = services.edit_server(
                access,
                name,
                new_name=form.values["name"],
                addresses=form.lines("addresses"),
                askers=form.lines("askers"),
                answers=_answers(form),
            )
        except NotFound:
            raise
        except Refusal as refusal:
            form.refuse(refusal, otherwise="name")
            return show(request, "servers/edit.html", SECTION, server=server, form=form)
        changed = _latest_change(access, edited)
        if changed == before:
            tell(request, f"Nothing was changed on the server {name}.")
        else:
            tell(request, f"Saved the server {edited.name}.", access=access, change=changed)
        return to(access, "server", name=edited.name)
    return show(request, "servers/edit.html", SECTION, server=server, form=form)


@account_view(Writing, "GET", "POST")
def rotate(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Give a server a new key, and say how long the old one lives on."""
    server = find_server(access, name)
    form = posted(request.POST, "keep", "other")
    shown: dict[str, Any] = {
        "server": server,
        "form": form,
        "key": current_key(server),
        "keeps": KEEPS,
        "usual": span(access.account.key_keep),
    }
    if request.method == "POST":
        try:
            keep = _keep(form)
            services.rotate_key(access, name, keep=keep)
        except NotFound:
            raise
        except Refusal as refusal:
            form.refuse(refusal, names={"keep": "other"}, otherwise="other")
            return show(request, "servers/rotate.html", SECTION, **shown)
        lives = access.account.key_keep if keep is None else keep
        old = f"The old one lives on for {span(lives)}." if lives else "The old one is revoked."
        tell(request, f"{name} has a new key. {old} Put the new zones into its Postfix.")
        return to(access, "server", name=name)
    return show(request, "servers/rotate.html", SECTION, **shown)


@account_view(Writing, "GET", "POST")
def remove(request: PageRequest, access: Writing, name: str) -> HttpResponse:
    """Remove a server with its own listings, after saying how many go with it."""
    server = find_server(access, name)
    if request.method == "POST":
        change, count = remove_server(access, name)
        gone = f" with {plural(count, 'listing')} of its own" if count else ""
        tell(request, f"Removed the server {name}{gone}.", access=access, change=change)
        return to(access, "servers")
    use = uses_of([server.pk]).get(server.pk)
    shown: dict[str, Any] = {"server": server, "own": _own_count(access, server), "use": use}
    return show(request, "servers/remove.html", SECTION, **shown)


def _own_count(access: Reading, server: Server) -> int:
    return current(access).filter(scope=server.pk).count()


def _latest_change(access: Reading, server: Server) -> int | None:
    record = records_of(access, server=server.pk).first()
    return record.seq if record else None


def _answers(form: Form) -> Answers:
    """What is left empty is the account's to say."""
    ttl = form.filled("ttl")
    return clean_answers(
        None if ttl is None else whole_number(ttl, "ttl", "seconds", "60"),
        form.filled("code"),
        form.filled("text"),
    )


def _keep(form: Form) -> int | None:
    choice = form.values["other"] if form.values["keep"] == "other" else form.values["keep"]
    if not choice and form.values["keep"] != "other":
        return None
    return parse_keep(choice)
