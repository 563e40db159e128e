"""Connections that ask nothing take nobody's place; real sockets, a real server."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from mailmum.control import serving

Say = Callable[[dict[str, Any]], Awaitable[None]]


async def _app(scope: dict[str, Any], _receive: Any, send: Say) -> None:
    """Answers, in one path after a long while."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    if scope["path"] == "/live":
        for _ in range(20):
            await send({"type": "http.response.body", "body": b"tick", "more_body": True})
            await asyncio.sleep(serving.PATIENCE / 4)
    if scope["path"] == "/much":
        for _ in range(2000):
            await send({"type": "http.response.body", "body": bytes(10_000), "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})


async def _said(port: int, asked: bytes) -> bytes:
    """All that comes until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    try:
        return await reader.read(-1)
    finally:
        writer.close()


async def _try() -> list[bytes]:
    settings = uvicorn.Config(
        _app, log_config=None, lifespan="off", http=serving.Patient, access_log=False
    )
    server = uvicorn.Server(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    port = listening.getsockname()[1]
    head = b"GET /live HTTP/1.1\r\nHost: a.example\r\n"
    upload = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nhalf"
    asked = (b"", head, head + b"Connection: close\r\n\r\n", upload)
    said = await asyncio.gather(*(_said(port, one) for one in asked))
    # Who takes nothing of an answer that is longer than all buffers does not hold up the end.
    stuck = socket.create_connection(("127.0.0.1", port))
    stuck.sendall(b"GET /much HTTP/1.1\r\nHost: a.example\r\n\r\n")
    stuck.setblocking(False)
    assert await asyncio.get_running_loop().sock_recv(stuck, 100)
    server.should_exit = True
    await running
    stuck.close()
    return said


def test_who_asks_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence and half a question end; what is still being answered is answered to its end."""
    monkeypatch.setattr(serving, "PATIENCE", 0.1)
    silent, half, live, upload = asyncio.run(asyncio.wait_for(_try(), 60))
    assert (silent, half) == (b"", b"")
    assert live.count(b"tick") == 20
    assert b"done" in live
    assert upload.startswith(b"HTTP/1.1 200")


def test_what_is_there_from_the_start_is_no_garbage() -> None:
    """A search for garbage passes by the program, with all its views."""
    before = gc.get_freeze_count()
    try:
        serving.settle()
        assert gc.get_freeze_count() > before
        assert not any(one is serving.Patient for one in gc.get_objects())
    finally:
        gc.unfreeze()
