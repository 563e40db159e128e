"""Streaming answers whose pieces are made by ordinary code.

Under ASGI a plain iterator would be read to its end before the first byte is sent, so the pieces
are made in a thread that belongs to the response; a database transaction that spans the steps
stays on that thread's connection.  Two ways, for two needs:

    pulled   the next piece is made when the last has been taken: for exports of any length
    pushed   the work never waits for the reader: for changes, since a reader that stops reading
             must not hold the writer's lock, and one that goes away does not undo the work
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from django.db import connections


async def pulled(make: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """Make each piece when the reader wants it; the iterator is closed when the reader leaves."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:
        iterator = await loop.run_in_executor(thread, make)
        try:
            while (piece := await loop.run_in_executor(thread, next, iterator, None)) is not None:
                yield piece
        finally:
            await loop.run_in_executor(thread, _close, iterator)


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
