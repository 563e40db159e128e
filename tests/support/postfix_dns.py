"""The name server that a private Postfix asks: third parties' lists, and a way to the service.

It listens on an address of loopback of its own at port 53, UDP and TCP, since resolv.conf knows no
other port. Names below a zone it holds it answers itself; names below a zone it forwards it passes
on unread, and answers SERVFAIL when nobody is there, as a resolver does. Everything else is
NXDOMAIN. Made for tests: dnspython does the work, one thread serves all.
"""

import contextlib
import errno
import os
import random
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

PORT = 53
_WAIT = 2.0
_SOA = "ns.invalid. owner.invalid. 1 3600 600 86400 60"


@dataclass(slots=True)
class Zone:
    """A DNS list of the test's own: names (relative to it) with their A and TXT.

    Attributes:
        name: the zone.
        listed: relative name to return code.
        reason: the TXT of every listed name, empty for none.
        wildcard: a code that every name answers, as dead lists that were sold do.
        silent: whether questions stay without an answer.
    """

    name: str
    listed: dict[str, str] = field(default_factory=dict)
    reason: str = "listed by a third party"
    wildcard: str = ""
    silent: bool = False

    def list_address(self, address: str, code: str = "127.0.0.2") -> None:
        """List one address, IPv4 or IPv6."""
        self.listed[reversed_address(address)] = code


def reversed_address(address: str) -> str:
    """The labels under which a DNS list is asked about an address."""
    if ":" in address:
        packed = socket.inet_pton(socket.AF_INET6, address)
        return ".".join(reversed(packed.hex()))
    return ".".join(reversed(address.split(".")))


@dataclass(slots=True)
class NameServer:
    """A running name server.

    Attributes:
        address: where it listens, port 53.
        zones: the lists that it answers itself.
        forwards: zone name to host and port of a DNS server.
        asked: questions seen so far, as `name TYPE`.
    """

    address: str
    zones: list[Zone] = field(default_factory=list)
    forwards: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, packet: bytes) -> bytes | None:
        """The answer to one packet, None for silence."""
        try:
            query = dns.message.from_wire(packet)
        except dns.exception.DNSException:
            return None
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            return None
        name = query.question[0].name
        self.asked.append(f"{name} {dns.rdatatype.to_text(query.question[0].rdtype)}")
        for suffix, target in self.forwards.items():
            if name.is_subdomain(dns.name.from_text(suffix)):
                return _forward(packet, target) or _plain(query, dns.rcode.SERVFAIL)
        for zone in self.zones:
            if name.is_subdomain(dns.name.from_text(zone.name)):
                return None if zone.silent else _from_zone(query, zone)
        # Above a zone there is nothing, but names below: resolvers that ask label by label need
        # to hear so (RFC 8020).
        above = any(dns.name.from_text(zone.name).is_subdomain(name) for zone in self.zones)
        return _plain(query, dns.rcode.NOERROR if above else dns.rcode.NXDOMAIN)


def _plain(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(code)
    if code != dns.rcode.SERVFAIL:
        response.flags |= dns.flags.AA
    return response.to_wire()


def _from_zone(query: dns.message.Message, zone: Zone) -> bytes:
    question = query.question[0]
    apex = dns.name.from_text(zone.name)
    relative = question.name.relativize(apex).to_text()
    code = zone.listed.get(relative, zone.wildcard)
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.AA
    if not code:
        below = any(name.endswith(f".{relative}") for name in zone.listed)
        response.set_rcode(dns.rcode.NOERROR if below or relative == "@" else dns.rcode.NXDOMAIN)
        response.authority.append(dns.rrset.from_text(apex, 60, "IN", "SOA", _SOA))
    elif question.rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", code))
    elif question.rdtype == dns.rdatatype.TXT and zone.reason:
        text = f'"{zone.reason}"'
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", text))
    return response.to_wire()


def _forward(packet: bytes, target: tuple[str, int]) -> bytes | None:
    family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as upstream:
        upstream.settimeout(_WAIT)
        try:
            upstream.connect(target)
            upstream.send(packet)
            return upstream.recv(65535)
        except OSError:
            return None


@contextlib.contextmanager
def name_server(
    *zones: Zone, forwards: dict[str, tuple[str, int]] | None = None
) -> Iterator[NameServer]:
    """Run a name server on an address of its own for the length of a `with` block.

    Raises RuntimeError when port 53 may not be bound: only root may by default.
    """
    udp, tcp = _sockets()
    server = NameServer(udp.getsockname()[0], list(zones), dict(forwards or {}))
    wake, woken = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(server, udp, tcp, woken), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        wake.send(b".")
        thread.join(10)
        for each in (udp, tcp, wake, woken):
            each.close()


def loopback_address() -> str:
    """An address in 127/8 that is most likely nobody else's."""
    return "127.{}.{}.{}".format(*(random.SystemRandom().randint(1, 254) for _ in range(3)))


def _sockets() -> tuple[socket.socket, socket.socket]:
    for _ in range(50):
        address = loopback_address()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            udp.bind((address, PORT))
            tcp.bind((address, PORT))
            tcp.listen()
        except OSError as error:
            udp.close()
            tcp.close()
            if error.errno in (errno.EACCES, errno.EPERM):
                raise RuntimeError(
                    f"user {os.getuid()} may not bind port 53 on loopback; the Postfix tests need "
                    "it for a chrooted smtpd's resolver: run them as root, or allow it with "
                    "sysctl net.ipv4.ip_unprivileged_port_start=53"
                ) from error
            continue
        return udp, tcp
    raise RuntimeError("no address of loopback with port 53 free in 50 tries")


def _serve(
    server: NameServer, udp: socket.socket, tcp: socket.socket, woken: socket.socket
) -> None:
    with selectors.DefaultSelector() as selector:
        for each in (udp, tcp, woken):
            selector.register(each, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                return
            if udp in ready:
                packet, client = udp.recvfrom(65535)
                response = server.answer(packet)
                if response is not None:
                    udp.sendto(response, client)
            if tcp in ready:
                _serve_tcp(server, tcp)


def _serve_tcp(server: NameServer, tcp: socket.socket) -> None:
    connection, _ = tcp.accept()
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_WAIT)
        size = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
        response = server.answer(connection.recv(size, socket.MSG_WAITALL))
        if response is not None:
            connection.sendall(len(response).to_bytes(2, "big") + response)
