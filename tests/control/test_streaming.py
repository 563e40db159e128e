"""Answers that are made piece by piece, each in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mailmum.control.streaming import pushed


@pytest.mark.once
def test_long_work_of_some_does_not_hold_up_others() -> None:
    """However many backtests run, the next answer begins at once."""
    end, begun = threading.Event(), threading.Semaphore(0)

    def long() -> Iterator[bytes]:
        begun.release()
        end.wait(60)
        yield b"long"

    async def asked() -> list[bytes]:
        many = [pushed(lambda: iter(long())) for _ in range(40)]
        waiting = [asyncio.ensure_future(anext(one)) for one in many]
        try:
            for _ in many:
                assert await asyncio.to_thread(begun.acquire, timeout=30)
            return [piece async for piece in pushed(lambda: iter([b"one", b"two"]))]
        finally:
            end.set()
            assert set(await asyncio.gather(*waiting)) == {b"long"}

    assert asyncio.run(asked()) == [b"one", b"two"]
