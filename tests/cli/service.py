"""A small HTTP service on loopback that answers as it is told to and keeps what it was asked."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from click.testing import CliRunner, Result

from mailmum.cli.main import cli

TOKEN = "mm_token"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer.

    `cut` ends the connection after so many bytes of the body; `early` answers before the request's
    body has been read, and reads no more of it.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    delay: float = 0.0
    early: bool = False


def answer(value: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(value).encode())


def error(
    code: str, problem: str, fix: str = "", *, status: int, items: Sequence[Any] = ()
) -> Answer:
    """An error as the API tells it."""
    message = f"{problem}; {fix}" if fix else problem
    body = {"code": code, "message": message, "problem": problem, "fix": fix, "field": ""}
    return answer({"error": {**body, "items": list(items)}}, status)


def lines(*values: Any) -> Answer:
    """JSON lines."""
    body = b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return Answer(body=body, content_type="application/x-ndjson")


@dataclass(slots=True)
class Service:
    """The running service: `answers` by method and path, used up in order but for the last."""

    url: str
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer such requests so."""
        self.answers[method, path] = list(answers)

    def take(self, method: str, path: str) -> Answer:
        """The next answer to such a request."""
        waiting = self.answers.get((method, path))
        if not waiting:
            return Answer(404, b"<h1>Not Found</h1>", "text/html")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def run(self, *words: str, input: bytes | str | None = None, **env: str) -> Result:  # noqa: A002 - CliRunner's own word
        """Run the command against this service."""
        given: dict[str, str | None] = {
            "MAILMUM_URL": self.url,
            "MAILMUM_TOKEN": TOKEN,
            "MAILMUM_DATA": None,
        }
        return CliRunner().invoke(
            cli, list(words), input=input, env={**given, **env}, catch_exceptions=False
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def do_GET(self) -> None:
        self._respond()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names that the base class looks for

    def _respond(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        given = self.service.take(self.command, parts.path)
        body = b"" if given.early else self._body(headers)
        self.service.asked.append(Asked(self.command, parts.path, query, headers, body))
        if given.delay:
            threading.Event().wait(given.delay)
        self.send_response(given.status)
        self.send_header("Content-Type", given.content_type)
        self.send_header("Content-Length", str(len(given.body)))
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(given.body if given.cut is None else given.body[: given.cut])
        if given.early:
            # Closing at once would reset the connection, and the answer with it.
            self.connection.shutdown(socket.SHUT_WR)
            threading.Event().wait(0.2)
        self.close_connection = given.early or given.cut is not None

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def serving() -> Iterator[Service]:
    """A service for the length of a `with` block."""
    handler = type("Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        service = Service(f"http://127.0.0.1:{server.server_address[1]}")
        handler.service = service  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
