"""One client: what each server is told about it, and why."""

import time
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.queries import explain_on
from mailmum.control.servers.models import Server
from mailmum.control.servers.queries import names_of_servers, servers_of
from mailmum.domain.clients import Subject, parse_subject
from mailmum.domain.errors import BadInput
from mailmum.web.form import Form
from mailmum.web.gate import PageRequest, account_view
from mailmum.web.reply import show
from mailmum.web.rows import VerdictRow, verdict_rows

SECTION = "client"
WHOLE = "the account, on any other server"


@account_view(Reading)
def client(request: PageRequest, access: Reading) -> HttpResponse:
    """The verdict on an address or a host name, on every server of the account."""
    form = Form({"q": request.GET.get("q", "").strip()})
    shown: dict[str, Any] = {"form": form, "subject": None}
    if not form.values["q"]:
        return show(request, "client.html", SECTION, **shown)
    try:
        subject = parse_subject(form.values["q"])
    except BadInput as refusal:
        form.refuse(refusal, names={"client": "q", "target": "q"}, otherwise="q")
        return show(request, "client.html", SECTION, **shown)
    shown |= {"subject": subject, "rows": _verdicts(access, subject)}
    return show(request, "client.html", SECTION, **shown)


def _verdicts(access: Reading, subject: Subject) -> list[VerdictRow]:
    servers: Sequence[Server | None] = list(servers_of(access)) or [None]
    found = explain_on(access, subject, servers)
    names = [server.name if server else WHOLE for server in servers]
    return verdict_rows(names, found, names_of_servers(access), time.time())
