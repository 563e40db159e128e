"""Pauses over the API: the panic switch of an account and of each of its servers."""

import time
from typing import Any

from django.http import HttpRequest
from ninja import Router

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import Account
from mailmum.control.journal.services import Change
from mailmum.control.servers import pauses
from mailmum.control.servers.queries import find_server
from mailmum.domain.lifetimes import end_of

router = Router(tags=["pauses"])
server_router = Router(tags=["pauses"])


@router.get("", response={200: schemas.Pauses, **READ_ERRORS})
def list_pauses(request: HttpRequest) -> dict[str, Any]:
    """All pauses in force, of the account and of servers."""
    found = pauses.pauses_of(reader(request), time.time())
    return {"pauses": [one.as_dict() for one in found]}


@router.post("", response={200: schemas.Paused, **WRITE_ERRORS})
def pause_account(request: HttpRequest, wanted: schemas.PauseIn) -> dict[str, Any]:
    """Block nothing in the whole account; what is allowed stays allowed."""
    access = writer(request)
    made = pauses.pause(access, until=end_of(wanted.lifetime, time.time()))
    return _told(access, None, made)


@router.delete("", response={200: schemas.Paused, **WRITE_ERRORS})
def resume_account(request: HttpRequest) -> dict[str, Any]:
    """End the pause of the account; those of servers go on."""
    access = writer(request)
    return _told(access, None, pauses.resume(access))


@server_router.post("/{name}/pause", response={200: schemas.Paused, **WRITE_ERRORS})
def pause_server(request: HttpRequest, name: str, wanted: schemas.PauseIn) -> dict[str, Any]:
    """Block nothing on one server."""
    access = writer(request)
    made = pauses.pause(access, name, until=end_of(wanted.lifetime, time.time()))
    return _told(access, name, made)


@server_router.delete("/{name}/pause", response={200: schemas.Paused, **WRITE_ERRORS})
def resume_server(request: HttpRequest, name: str) -> dict[str, Any]:
    """End the pause of one server; that of the account goes on."""
    access = writer(request)
    return _told(access, name, pauses.resume(access, name))


def _told(access: Reading, name: str | None, made: Change | None) -> dict[str, Any]:
    account = Account.objects.get(pk=access.account.pk)
    server = None if name is None else find_server(access, name)
    found = pauses.pause_at(account, server, time.time())
    return {
        "change": None if made is None else made.seq,
        "paused": None if found is None else found.as_dict(),
    }
