"""The sockets of the DNS daemon: bound all or none, with a reason that tells what to do.

Each address is served over UDP and TCP on the same port.  Several workers share it by SO_REUSEPORT;
a worker binds sockets of its own, so that one which dies takes its queue with it and the kernel
gives its clients to the others.  SO_REUSEPORT would also let a second daemon of the same user take
half of the queries in silence, so before it is used the port is probed without.

An answer must come from the address that was asked.  On a wildcard address (0.0.0.0, ::) only the
packet tells which that was (IP_PKTINFO).

Answers over IPv4 are not to be fragmented, neither here nor on the way (RFC 9715), and no forged
ICMP message can talk the kernel into it: fragments are how answers get poisoned, and many firewalls
drop them.  Whom an answer does not reach for its size asks for a smaller one, or over TCP.  It also
spares the kernel finding an identification for each packet, 4 % of what it does for one.
"""

import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from mailmum.daemons.listening import explain, open_socket, resolve

_WHO, _FIELD = "DNS", "dns"
_BACKLOG = 128
_RECEIVE_BUFFER = 4 << 20
_IP_PKTINFO = 8  # linux/in.h; the socket module of Python 3.11 does not name it
# linux/in.h, likewise: "don't fragment", whatever ICMP says about the path.
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 (compared with, not bound)

Listen = Iterable[tuple[str, int]]


@dataclass(slots=True)
class Sockets:
    """Bound sockets, not blocking.

    Attributes:
        udp: one for each address that is not a wildcard.
        wildcard_udp: one for each address that is.
        tcp: listening.
    """

    udp: list[socket.socket] = field(default_factory=list)
    wildcard_udp: list[socket.socket] = field(default_factory=list)
    tcp: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        """Close all of them."""
        for one in (*self.udp, *self.wildcard_udp, *self.tcp):
            one.close()


def bind_sets(listen: Listen, count: int, *, shared: bool) -> list[Sockets]:
    """So many sets of sockets on the same addresses, the first of them with TCP.

    Raises:
        StartFailed: one of them cannot be bound; then none is.
    """
    sets = [bind(listen, shared=shared or count > 1)]
    with ExitStack() as undo:
        undo.callback(sets[0].close)
        for _ in range(count - 1):
            sets.append(bind(listen, shared=True, tcp=False))
            undo.callback(sets[-1].close)
        undo.pop_all()
    return sets


def bind(listen: Listen, *, shared: bool, tcp: bool = True) -> Sockets:
    """Bind every address over UDP and TCP.

    Args:
        listen: hosts and ports.
        shared: whether other workers bind the same.
        tcp: whether over TCP too.

    Raises:
        StartFailed: one of them cannot be bound; then none is.
    """
    sockets = Sockets()
    with ExitStack() as undo:
        undo.callback(sockets.close)
        for host, port in listen:
            for family, address in resolve(host, port, socket.SOCK_DGRAM, who=_WHO, field=_FIELD):
                _bind_udp(sockets, family, address, shared)
                if tcp:
                    _bind_tcp(sockets, family, address, shared)
        undo.pop_all()
    return sockets


def probe(listen: Listen) -> None:
    """Make sure that nobody else has the ports.

    Raises:
        StartFailed: somebody has, or they cannot be bound for another reason.
    """
    bind(listen, shared=False).close()


def packet_info(family: int, ancillary: list[tuple[int, int, bytes]]) -> list[Any]:
    """Ancillary data that sends an answer from the address that a packet came to."""
    for level, type_, data in ancillary:
        if level == socket.IPPROTO_IP and type_ == _IP_PKTINFO and family == socket.AF_INET:
            # struct in_pktinfo: interface, local address, destination; the kernel picks the first.
            return [(level, type_, bytes(4) + data[4:8] + bytes(4))]
        if level == socket.IPPROTO_IPV6 and type_ == socket.IPV6_PKTINFO:
            return [(level, type_, data)]
    return []


def _bind_udp(
    sockets: Sockets, family: socket.AddressFamily, address: tuple[Any, ...], shared: bool
) -> None:
    wildcard = address[0] in _WILDCARDS
    udp = open_socket(family, socket.SOCK_DGRAM, who=_WHO, field=_FIELD)
    (sockets.wildcard_udp if wildcard else sockets.udp).append(udp)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    if family == socket.AF_INET and sys.platform == "linux":
        udp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
    if wildcard and family == socket.AF_INET:
        udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    elif wildcard:
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    _bind_one(udp, address, shared)


def _bind_tcp(
    sockets: Sockets, family: socket.AddressFamily, address: tuple[Any, ...], shared: bool
) -> None:
    tcp = open_socket(family, socket.SOCK_STREAM, who=_WHO, field=_FIELD)
    sockets.tcp.append(tcp)
    # Connections of a daemon that ended a moment ago linger and hold the port.
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bind_one(tcp, address, shared)


def _bind_one(one: socket.socket, address: tuple[Any, ...], shared: bool) -> None:
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if shared:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.setblocking(False)
    try:
        one.bind(address)
        if one.type == socket.SOCK_STREAM:
            one.listen(_BACKLOG)
    except OSError as error:
        raise explain(error, one, address, who=_WHO, field=_FIELD) from None
