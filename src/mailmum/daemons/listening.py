"""Addresses to listen on, and why a daemon cannot: said with the cause and the likely fix."""

import errno
import os
import socket
from typing import Any

from mailmum.domain.errors import Refusal

Address = tuple[Any, ...]


class StartFailed(Refusal):
    """A daemon cannot start: what was tried, the cause, and the likely fix."""

    code = "start-failed"


def resolve(
    host: str, port: int, kind: socket.SocketKind, *, who: str, field: str
) -> list[tuple[socket.AddressFamily, Address]]:
    """What to bind for a host and port: one address for each family it has.

    Args:
        host: an address of this machine, or a name of it.
        port: the port.
        kind: which sort of socket is asked for.
        who: the daemon, for the message.
        field: the parameter that gave the host.

    Raises:
        StartFailed: it is no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise StartFailed(
            f"{who} cannot listen on {host!r}: {error}",
            fix=f"write an address of this machine, such as 127.0.0.1:{port} or [::1]:{port}",
            field=field,
        ) from None
    return [(family, address) for family, _, _, _, address in found]


def open_socket(
    family: socket.AddressFamily, kind: socket.SocketKind, *, who: str, field: str
) -> socket.socket:
    """A new socket.

    Raises:
        StartFailed: this machine has none of that family.
    """
    try:
        return socket.socket(family, kind)
    except OSError as error:
        raise StartFailed(
            f"{who} cannot open a socket of {family.name}: {error.strerror}",
            fix="leave out addresses of that family",
            field=field,
        ) from None


def explain(
    error: OSError, one: socket.socket, address: Address, *, who: str, field: str
) -> StartFailed:
    """Why a socket could not be bound."""
    host, port = address[:2]
    over = "TCP" if one.type == socket.SOCK_STREAM else "UDP"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        why, fix = (
            "the port is in use",
            (f"see who has it with: ss -lnptu 'sport = :{port}'; end that, or choose another port"),
        )
    elif error.errno in (errno.EACCES, errno.EPERM):
        why, fix = (
            "permission denied",
            "grant CAP_NET_BIND_SERVICE or choose a port above 1023",
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        why, fix = "this machine does not have that address", "see its addresses with: ip address"
    else:
        why, fix = os.strerror(error.errno or 0), "choose another address or port"
    return StartFailed(f"{who} cannot listen on {where} ({over}): {why}", fix=fix, field=field)
