"""Servers over the API."""

from typing import Any

from django.http import HttpRequest
from ninja import Router, Status

from mailmum.api import schemas
from mailmum.api.auth import reader, writer
from mailmum.api.errors import READ_ERRORS, WRITE_ERRORS
from mailmum.control.listings.services import remove_server
from mailmum.control.servers import services
from mailmum.control.servers.answers import clean_answers
from mailmum.control.servers.queries import find_server, servers_of
from mailmum.control.servers.show import as_dict
from mailmum.domain.lifetimes import parse_keep

router = Router(tags=["servers"])


@router.get("", response={200: schemas.Servers, **READ_ERRORS})
def list_servers(request: HttpRequest) -> dict[str, Any]:
    """All servers of the account."""
    return {"servers": [as_dict(server) for server in servers_of(reader(request))]}


@router.post("", response={201: schemas.ServerOut, **WRITE_ERRORS})
def add_server(request: HttpRequest, wanted: schemas.ServerIn) -> Any:
    """Add a server; it gets its own zones at once."""
    access = writer(request)
    made = services.add_server(access, wanted.name, wanted.addresses, wanted.askers)
    return Status(201, as_dict(find_server(access, made.name)))


@router.get("/{name}", response={200: schemas.ServerOut, **READ_ERRORS})
def show_server(request: HttpRequest, name: str) -> dict[str, Any]:
    """One server."""
    return as_dict(find_server(reader(request), name))


@router.patch("/{name}", response={200: schemas.ServerOut, **WRITE_ERRORS})
def edit_server(request: HttpRequest, name: str, wanted: schemas.ServerEdit) -> dict[str, Any]:
    """Rename a server, change its own addresses, who may ask or what it answers with."""
    access = writer(request)
    own = wanted.own
    edited = services.edit_server(
        access,
        name,
        new_name=wanted.name,
        addresses=wanted.addresses,
        askers=wanted.askers,
        answers=None if own is None else clean_answers(own.ttl, own.code, own.text),
    )
    return as_dict(find_server(access, edited.name))


@router.delete("/{name}", response={200: schemas.ServerRemoved, **WRITE_ERRORS})
def delete_server(request: HttpRequest, name: str) -> dict[str, Any]:
    """Remove a server with its own listings; its keys are revoked at once."""
    change, count = remove_server(writer(request), name)
    return {"removed": name, "listings": count, "change": change}


@router.post("/{name}/rotate-key", response={200: schemas.ServerOut, **WRITE_ERRORS})
def rotate_key(request: HttpRequest, name: str, wanted: schemas.RotateIn) -> dict[str, Any]:
    """Give a server a new key; the old one lives on for a while."""
    access = writer(request)
    keep = None if wanted.keep is None else parse_keep(wanted.keep)
    services.rotate_key(access, name, keep=keep)
    return as_dict(find_server(access, name))
