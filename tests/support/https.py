"""An HTTPS server on loopback with an authority of its own, whose answers a test writes.

What a path answers is a function that gets the request and the raw connection; so a test can answer
slowly, wrongly or without end.  Every request is kept, for the test to look at.
"""

import datetime
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = ("localhost", "lists.example", "other.example")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Write = Callable[[bytes], Any]
Answer = Callable[[Asked, Write], None]


def text(body: bytes, status: int = 200, **headers: str) -> Answer:
    """An ordinary answer; an underscore in a header's name stands for a hyphen."""

    def answer(_asked: Asked, write: Write) -> None:
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answer


def moved(to: str, status: int = 302) -> Answer:
    """A redirect."""
    return text(b"", status, Location=to)


@dataclass(slots=True)
class Site:
    """The server: what it answers by path, and what it was asked."""

    port: int
    authority: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "localhost") -> str:
        """The address of a path."""
        return f"https://{host}:{self.port}{path}"

    @property
    def trust(self) -> ssl.SSLContext:
        """A context that trusts its authority and no other."""
        return ssl.create_default_context(cafile=str(self.authority))

    def answer(self, asked: Asked, write: Write) -> None:
        """Keep a request and answer it."""
        self.asked.append(asked)
        self.answers.get(asked.path, text(b"no such page", 404))(asked, write)


@contextmanager
def https_site(folder: Path, host: str = "127.0.0.1") -> Iterator[Site]:
    """A server for the length of a `with` block; `folder` holds its certificates."""
    authority, certificate = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # What the client breaks off is what many tests want.
            with (
                suppress(OSError, h11.RemoteProtocolError),
                context.wrap_socket(self.request, server_side=True) as connection,
            ):
                asked = _read(connection)
                if asked is not None:
                    site.answer(asked, connection.sendall)
                    connection.unwrap()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server((host, 0), Handler) as server:
        site = Site(server.server_address[1], authority)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()


def _read(connection: ssl.SSLSocket) -> Asked | None:
    state = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = b""
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            state.receive_data(connection.recv(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
    if head is None:
        return None
    headers = {name.decode(): value.decode() for name, value in head.headers}
    return Asked(head.method.decode(), head.target.decode(), headers, body)


_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def certificates(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and a file with a key and a certificate that it signed.

    They name their keys, without which Python from 3.13 on trusts none (RFC 5280 section 4.2.1.1).
    """
    now = datetime.datetime.now(datetime.UTC)

    def builder(name: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issued_with, critical=False)
        )

    root = ec.generate_private_key(ec.SECP256R1())
    issued_with = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    usage = x509.KeyUsage(**dict.fromkeys(_USES, False) | {"key_cert_sign": True})
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    signed_root = (
        builder("authority", "authority", root.public_key())
        .add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
        .sign(root, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    alternatives = [*map(x509.DNSName, NAMES), *map(x509.IPAddress, addresses)]
    signed = (
        builder("site", "authority", key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(root, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority, both = folder / "authority.pem", folder / "site.pem"
    authority.write_bytes(signed_root.public_bytes(pem))
    kept = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both.write_bytes(kept + signed.public_bytes(pem))
    return authority, both
