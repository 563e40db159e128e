"""Bounds on request bodies, as ASGI middleware: 4 MiB; 512 MiB for imports with a token.

A body announced or found to be larger is answered 413, in the API's form of errors or, where a
browser sent it, with a page; only a little of the rest is read.

There is a bound in time, too: a body that comes a byte at a time would hold a place of the server
for as long as its sender likes, and there are few.  It may be waited for half a minute, and a
second more for every 32 KiB that have come; then the answer is 408.  Only waiting counts: not what
the server itself takes, nor what comes after the whole body.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

SMALL = 4 * 1024 * 1024
LARGE = 512 * 1024 * 1024
FILE = SMALL - 64 * 1024
"""A file of a form, beside which its fields have room."""
WAIT_SECONDS, BYTES_A_SECOND = 30.0, 32 * 1024
DRAINED, DRAIN_SECONDS = 16 * 1024 * 1024, 5.0
"""How much of what is refused is read on, and for how long."""

IMPORT_PATH = "/api/v1/import"
_UPLOAD = re.compile(r"/api/v1/feeds/[^/]+/upload")

_API = "/api/"

Message = dict[str, Any]
Headers = list[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class _TooLarge(Exception):
    """More bytes have come than are allowed."""


class _TooSlow(Exception):
    """They come more slowly than they are waited for."""


class BodyLimit:
    """Wraps an ASGI application.

    Args:
        application: it.
        known_token: whether a token may import.
        page: headers and content of what somebody is shown who sent too much from a page.
    """

    def __init__(
        self,
        application: Any,
        known_token: Callable[[str], Awaitable[bool]],
        page: Callable[[], tuple[Headers, bytes]],
    ) -> None:
        self._application = application
        self._known_token = known_token
        self._page = page

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, its body bounded."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        limit = await self._limit(scope["path"], headers)
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            await _refuse(receive, send, *self._answer(scope["path"], limit))
            return
        body, started = _Body(receive, limit), False

        async def noted(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._application(scope, body.receive, noted)
        except _TooLarge:
            if started:
                raise
            await _refuse(receive, send, *self._answer(scope["path"], limit))
        except _TooSlow:
            if started:
                raise
            await _give_up(send)

    def _answer(self, path: str, limit: int) -> tuple[Headers, bytes]:
        if not path.startswith(_API):
            return self._page()
        problem = f"the request body has more than {limit // (1024 * 1024)} MiB"
        fix = "split it, or send a file to /api/v1/import with a token"
        return _told("too-large", problem, fix)

    async def _limit(self, path: str, headers: dict[bytes, bytes]) -> int:
        path = path.rstrip("/")
        if path != IMPORT_PATH and not _UPLOAD.fullmatch(path):
            return SMALL
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        known = scheme.lower() == b"bearer" and await self._known_token(
            secret.decode("latin-1").strip()
        )
        return LARGE if known else SMALL


class _Body:
    """Counts what comes of a body, and how long it was waited for."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._taken = 0
        self._waited = 0.0
        self._whole = False

    async def receive(self) -> Message:
        """The next piece; after the last one whatever else there is, however late."""
        if self._whole:
            return await self._receive()  # type: ignore[no-any-return]
        clock = asyncio.get_running_loop().time
        began, left = clock(), WAIT_SECONDS + self._taken / BYTES_A_SECOND - self._waited
        try:
            async with asyncio.timeout(left):
                message: Message = await self._receive()
        except TimeoutError:
            raise _TooSlow from None
        self._waited += clock() - began
        self._taken += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._taken > self._limit:
            raise _TooLarge
        return message


def _told(code: str, problem: str, fix: str) -> tuple[Headers, bytes]:
    error = {
        "code": code,
        "message": f"{problem}; {fix}",
        "problem": problem,
        "fix": fix,
        "field": "",
        "items": [],
    }
    return [(b"content-type", b"application/json")], json.dumps({"error": error}).encode()


async def _refuse(receive: Receive, send: Send, some: Headers, answer: bytes) -> None:
    await _begin(send, 413, some, answer)
    # Before the end of the response: with it the server closes the connection, and closing with
    # bytes unread resets it, answer and all.
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _give_up(send: Send) -> None:
    problem, fix = "the request body came too slowly", "send it again, or in smaller parts"
    await _begin(send, 408, *_told("too-slow", problem, fix))
    await send({"type": "http.response.body", "body": b""})


async def _begin(send: Send, status: int, some: Headers, answer: bytes) -> None:
    """All of an answer but its end."""
    headers = [
        *some,
        (b"content-length", str(len(answer)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer, "more_body": True})


async def _drain(receive: Receive) -> None:
    left = DRAINED
    while left > 0:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))
