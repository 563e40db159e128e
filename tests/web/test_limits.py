"""Request bodies are bounded before anything is read into memory or onto the disk."""

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from mailmum.control.accounts.services import add_token
from mailmum.control.servers.services import add_server
from mailmum.web import limits
from mailmum.web.asgi import known_token, too_large
from mailmum.web.limits import (
    IMPORT_PATH,
    LARGE,
    SMALL,
    BodyLimit,
    Message,
    _Body,
)
from tests.support.world import World

PIECE = b"x" * 65536


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the whole body and says how long it was."""
    size = 0
    while True:
        message = await receive()
        size += len(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def known(secret: str) -> bool:
    """Whether a token is known."""
    return secret == "good"


def request(
    path: str, size: int, *, announced: bool = True, token: str = ""
) -> tuple[int, bytes, int]:
    """Send a body; status, answer, and how many bytes of the body were taken."""
    headers = [(b"content-length", str(size).encode())] if announced else []
    headers += [(b"authorization", f"Bearer {token}".encode())] if token else []
    sent: list[Any] = []
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        body = PIECE[: size - taken]
        taken += len(body)
        return {"type": "http.request", "body": body, "more_body": taken < size}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": headers}
    asyncio.run(BodyLimit(reads_all, known, too_large)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], taken


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_within_the_limit_passes(announced: bool) -> None:
    """To the last byte."""
    assert request("/api/v1/listings", SMALL, announced=announced)[:2] == (200, b"%d" % SMALL)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", ["/api/v1/listings", "/accounts/login/", IMPORT_PATH])
def test_a_body_beyond_it_is_refused(path: str, announced: bool) -> None:
    """In the API's form or on a page, whether its length was announced or found out on the way."""
    status, body, _ = request(path, SMALL + 1, announced=announced, token="wrong")
    assert status == 413
    if path == "/accounts/login/":
        assert b"<h1>Too large</h1>" in body
        return
    error = json.loads(body)["error"]
    assert error["code"] == "too-large"
    assert error["fix"]


@pytest.mark.parametrize("path", [IMPORT_PATH, IMPORT_PATH + "/"])
def test_an_import_may_be_large_with_a_token(path: str) -> None:
    """Only with one that is known: anybody else could fill the disk."""
    assert request(path, 3 * SMALL, token="good")[0] == 200
    assert request(path, 3 * SMALL)[0] == 413
    assert request("/api/v1/listings", 3 * SMALL, token="good")[0] == 413


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_only_a_token_that_writes_sends_much(world: World) -> None:
    """Whoever may not import must not be able to fill the disk with one either."""
    secrets = [add_token(world.admin, "cron", writes=writes).secret for writes in (True, False)]
    server = add_server(world.admin, "mx1")
    secrets.append(add_token(world.admin, "logs", writes=False, ships=server.pk).secret)
    secrets.append("mm_unknown")
    assert list(map(known_token, secrets)) == [True, False, False, False]


def test_nobody_is_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the refusal a little is read on, so that the answer arrives, and no more."""
    monkeypatch.setattr(limits, "DRAINED", 1024 * 1024)
    _, _, taken = request(IMPORT_PATH, LARGE, announced=False)
    assert taken <= SMALL + 1024 * 1024 + 2 * len(PIECE)


@contextmanager
def served() -> Iterator[int]:
    """The application behind its limit, on the server that runs it; the port."""
    settings = uvicorn.Config(
        BodyLimit(reads_all, known, too_large), lifespan="off", log_config=None
    )
    server = uvicorn.Server(settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def test_the_refusal_arrives_whole() -> None:
    """At a client that sends all it has before it reads: the connection is not reset under it."""
    with served() as port:
        for _ in range(20):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
                client.request("POST", "/api/v1/listings", b"x" * (SMALL + len(PIECE)))
                answer = client.getresponse()
                assert answer.status == 413
                assert json.loads(answer.read())["error"]["code"] == "too-large"


def test_a_sender_who_pauses_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read on for the answer's sake ends after some seconds."""
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.1)
    with served() as port, socket.create_connection(("127.0.0.1", port), 20) as client:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SMALL + 1}\r\n\r\n"
        client.sendall(head.encode() + b"x")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b" 413 " in answer.splitlines()[0]
        assert b"Too large" in answer


def test_a_body_that_trickles_in_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender never falls silent, and yet holds no place for long; what comes fast is let be."""
    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.2)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with served() as port, socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(head)
        client.settimeout(0.02)
        answer = b""
        while not answer:
            client.sendall(b"x")
            with suppress(TimeoutError):
                answer = client.recv(65536)
        assert b" 408 " in answer.splitlines()[0]
        client.settimeout(20)
        whole = answer + b"".join(iter(lambda: client.recv(65536), b""))
        assert json.loads(whole.partition(b"\r\n\r\n")[2])["error"]["code"] == "too-slow"


def test_what_comes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a body of nothing would be; and who has sent all is not hurried."""
    monkeypatch.setattr(limits, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(limits, "BYTES_A_SECOND", len(PIECE))
    coming = [(0.0, PIECE, True), (0.3, b"end", False), (1.3, b"later", False)]

    async def receive() -> Message:
        pause, piece, more = coming.pop(0)
        await asyncio.sleep(pause)
        return {"body": piece, "more_body": more}

    async def read() -> list[bytes]:
        body = _Body(receive, SMALL)
        return [(await body.receive())["body"] for _ in range(3)]

    assert asyncio.run(read()) == [PIECE, b"end", b"later"]
