"""The policy daemon's loop, as the threads beside it see it; asyncio runs it."""

import asyncio
import threading
from collections.abc import Callable

from mailmum.index.index import Index
from mailmum.policy.engine import Engine

_TICK = 0.2
"""Seconds: with the pause between two looks of who follows live (`control.monitor.live`) less than
a third of the second within which a lookup shows; the rest is for the way through the database."""


class PolicyLoop:
    """Lets jobs run between two requests until it is stopped; to be made in a running loop.

    Args:
        engine: gives the answers.
    """

    name, unready = "policy", "DUNNO"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._ended = asyncio.Event()
        self._failure: Exception | None = None

    @property
    def stopping(self) -> threading.Event:
        """Set once the loop has been told to stop."""
        return self._stopping

    async def until_stopped(self, on_tick: Callable[[], None]) -> None:
        """Wait for `stop`; meanwhile something is called some times a second.

        Raises:
            Exception: what a job raised; the index may then be half changed, so all must end.
        """
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._ended.wait(), _TICK)
            except TimeoutError:
                on_tick()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End `until_stopped` soon; from any thread or signal handler."""
        self._stopping.set()
        self.post(self._ended.set)

    def prepare(self, index: Index) -> Callable[[], None]:
        """Make ready what answering from a new index needs; a job to put it in."""

        def put() -> None:
            self.engine.index = index

        return put

    def post(self, job: Callable[[], None]) -> None:
        """Have a job run between two requests; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._run, job)
        except RuntimeError:
            # The loop has ended, and nobody waits for the job.
            return

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            self._failure = error
            self.stop()
            raise
