"""One client, one network or one name: what servers are told about it, why, and what was seen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.http import HttpResponse

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.history import records_of
from mailmum.control.listings.history import show as show_records
from mailmum.control.listings.queries import Explained, explain_among, explain_on, wider
from mailmum.control.listings.search import meets
from mailmum.control.monitor.client import DAYS, seen_of
from mailmum.control.once import read_once
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import names_of_servers, servers_without_keys
from mailmum.control.witnesses.asking import witnesses_of
from mailmum.domain.clients import AddressSubject, NameSubject, Subject, parse_subject
from mailmum.domain.errors import BadInput
from mailmum.domain.targets import NetworkTarget, Target, parse_target
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.history import record_rows
from mailmum.web.reply import show, unread
from mailmum.web.rows import VerdictRow, listing_rows, verdict_rows
from mailmum.web.seen import SeenPage, seen_page
from mailmum.web.words import describe

SECTION = "client"
ANY = "any server, once there is one"
LISTINGS_SHOWN, RECORDS_SHOWN = 8, 5
LENGTHS = ((7, "Week"), (DAYS, "Month"), (90, "90 days"), (365, "Year"))
_STEPS = {4: (8, 16, 24), 6: (32, 48, 64)}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is about.

    Attributes:
        target: it, as a target.
        subject: the client of which verdicts are told; of a network any, of a domain its name.
        whole: whether it is a network or a domain, not one client.
    """

    target: Target
    subject: Subject
    whole: bool


@account_view(Reading)
@read_once()
def client(request: PageRequest, access: Reading) -> HttpResponse:
    """The page; a traffic database that is away leaves the verdict standing."""
    form = Form({"q": request.GET.get("q", "").strip()})
    if not form.values["q"]:
        return show(request, "client.html", SECTION, form=form, subject=None)
    try:
        asked = _read(form.values["q"])
    except BadInput as refusal:
        form.refuse(refusal, names={"client": "q", "target": "q"}, otherwise="q")
        return show(request, "client.html", SECTION, form=form, subject=None)
    days = _days(request.GET.get("days", ""))
    seen, reference = _seen(access, asked.target, days)
    shown: dict[str, Any] = {"form": form, "subject": asked.subject, "asked": asked}
    shown |= {"text": asked.target.text, "what": describe(asked.target)}
    shown |= {"rows": _verdicts(access, asked), "wider": _wider(asked.target)}
    if not asked.whole and isinstance(asked.target, NetworkTarget):
        shown["rbls"] = len(witnesses_of(access))
    shown |= {"days": days, "lengths": LENGTHS}
    shown |= {"seen": seen, "reference": reference, **_listed(access, asked.target)}
    return show(request, "client.html", SECTION, **shown)


def _read(text: str) -> Asked:
    try:
        subject = parse_subject(text)
    except BadInput:
        if "/" not in text and not text.startswith("."):
            raise
        target = parse_target(text)
        if isinstance(target, NetworkTarget):
            subject = AddressSubject(target.version, target.first)
        else:
            subject = NameSubject(target.name)
        return Asked(target, subject, whole=target != subject.target)
    return Asked(subject.target, subject, whole=False)


def _verdicts(access: Reading, asked: Asked) -> list[VerdictRow]:
    servers: Sequence[Server | None] = list(servers_without_keys(access)) or [None]
    found = _explained(access, asked, servers)
    names = [server.name if server else ANY for server in servers]
    return verdict_rows(names, found, names_of_servers(access), time.time())


def _explained(access: Reading, asked: Asked, servers: Sequence[Server | None]) -> list[Explained]:
    if asked.whole:
        return explain_among(access, wider(asked.target), asked.subject, servers)
    return explain_on(access, asked.subject, servers)


def _days(text: str) -> int:
    known = {str(days): days for days, _ in LENGTHS}
    return known.get(text, DAYS)


def _seen(access: Reading, target: Target, days: int) -> tuple[SeenPage | None, str]:
    """What was seen; nothing, and a reference for the log, when traffic cannot be read."""
    try:
        return seen_page(access, seen_of(access, target, days=days)), ""
    except DatabaseError as error:
        return None, unread("what was seen of a client", error)


def _wider(target: Target) -> list[str]:
    """Networks around it that people think in."""
    if not isinstance(target, NetworkTarget):
        labels = target.name.split(".")
        return [f".{'.'.join(labels[at:])}" for at in range(1, len(labels) - 1)][::-1]
    return [
        target.around(prefix).text for prefix in _STEPS[target.version] if prefix < target.prefix
    ]


def _listed(access: Reading, target: Target) -> dict[str, Any]:
    """Listings that cover it or lie inside it, and what was done to those that cover it."""
    met = meets(access, target)
    listings, servers = list(met[: LISTINGS_SHOWN + 1]), names_of_servers(access)
    records = list(records_of(access, targets=wider(target))[: RECORDS_SHOWN + 1])
    return {
        "met": listing_rows(listings[:LISTINGS_SHOWN], servers, time.time()),
        "met_more": len(listings) > LISTINGS_SHOWN,
        "records": record_rows(show_records(access, records[:RECORDS_SHOWN])),
        "records_more": len(records) > RECORDS_SHOWN,
    }
