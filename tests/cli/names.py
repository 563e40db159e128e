"""A small DNS server on loopback that knows a few names."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rrset

from tests.cli.shapes import BASE, zones
from tests.support.ports import free_port

ZONE = zones()["bl"]
LISTED = f"2.0.0.127.{ZONE}."
UNLISTED = f"1.0.0.127.{ZONE}."


@dataclass
class Names:
    """A DNS server over UDP and TCP; `found` are addresses by name, all else is NXDOMAIN."""

    port: int
    found: dict[str, str] = field(default_factory=lambda: {LISTED: "127.0.0.2"})
    garbage: bool = False

    def respond(self, packet: bytes) -> bytes:
        """The answer to a query."""
        if self.garbage:
            return b"\x00" * 7
        query = dns.message.from_wire(packet)
        response = dns.message.make_response(query)
        name = str(query.question[0].name)
        if name in self.found:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", self.found[name]))
        elif name == f"{BASE}.":
            soa = "ns.mailmum.internal. hostmaster.mailmum.internal. 1 60 60 60 60"
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "SOA", soa))
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@contextmanager
def answering(*, tcp: bool = True) -> Iterator[Names]:
    """A DNS server for the length of a `with` block."""
    names = Names(free_port("both"))
    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as stream:
        for each in (udp, stream):
            each.settimeout(0.05)
            each.bind(("127.0.0.1", names.port))
        if tcp:
            stream.listen()
        threads = [threading.Thread(target=_datagrams, args=(udp, names, done))]
        threads += [threading.Thread(target=_streams, args=(stream, names, done))] if tcp else []
        for thread in threads:
            thread.start()
        yield names
        done.set()
        for thread in threads:
            thread.join()


def _datagrams(server_socket: socket.socket, names: Names, done: threading.Event) -> None:
    while not done.is_set():
        try:
            packet, client = server_socket.recvfrom(4096)
        except TimeoutError:
            continue
        server_socket.sendto(names.respond(packet), client)


def _streams(server_socket: socket.socket, names: Names, done: threading.Event) -> None:
    while not done.is_set():
        try:
            connection, _ = server_socket.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(2)
            length = int.from_bytes(connection.recv(2), "big")
            response = names.respond(connection.recv(length))
            connection.sendall(len(response).to_bytes(2, "big") + response)
