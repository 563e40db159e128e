"""Streaming answers whose pieces are made by ordinary code.

Under ASGI a plain iterator would be read to its end before the first byte is sent, so the pieces
are made in a thread that belongs to the response; a database transaction that spans the steps
stays on that thread's connection.  Two ways, for two needs:

    pulled   the next piece is made when the last has been taken: for exports of any length
    pushed   the work never waits for the reader: for changes, since a reader that stops reading
             must not hold the writer's lock, and one that goes away does not undo the work

What is pulled ends with its reader: a step that is being made is waited for, and the iterator is
closed after it.  When the service ends, work that takes long asks between its steps whether to go
on (`go_on`), and is refused: its reader is told, and what it has changed so far is undone.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from mailmum.domain.errors import Refusal

_ending = threading.Event()


class Ending(Refusal):
    """The service is about to end, and what was asked for is not done."""

    code = "unavailable"


def end() -> None:
    """Have whoever asks go on no more: the service ends."""
    _ending.set()


def go_on() -> None:
    """Ask whether to make the next step.

    Raises:
        Ending: no.
    """
    if _ending.is_set():
        raise Ending(
            "the service was stopped before it had done this, so nothing was changed",
            fix="ask again when it runs",
        )


async def pulled(make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """Make each piece when the reader wants it; the iterator is closed when the reader leaves."""
    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    try:
        iterator = await loop.run_in_executor(thread, make)
        try:
            while (piece := await loop.run_in_executor(thread, next, iterator, None)) is not None:
                yield piece
        finally:
            await loop.run_in_executor(thread, _close, iterator)
    finally:
        # Whoever loses patience here leaves the thread to its step, and does not hold up the loop.
        thread.shutdown(wait=False)


async def pushed(make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """Make all pieces as fast as they come; there must be few, since they wait in memory."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(piece: bytes | None) -> None:
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    def work() -> None:
        try:
            for piece in make():
                put(piece)
        finally:
            connections.close_all()
            put(None)

    # Of its own: the loop's few are for what is short, and a handful of backtests would hold up
    # imports and live streams of everybody else.
    thread = ThreadPoolExecutor(1)
    working = loop.run_in_executor(thread, work)
    thread.shutdown(wait=False)
    while (piece := await pieces.get()) is not None:
        yield piece
    await working


def _close(iterator: Iterator[bytes]) -> None:
    # A reader that went away leaves the iterator half-way.
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
    connections.close_all()
