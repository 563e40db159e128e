"""Threads beside the loop: kept alive, and never in the way of stopping.

A thread that ends by a fault of ours has its traceback printed by Python and is started again here
after a pause; the loop goes on answering meanwhile.  They are daemon threads: one that hangs in the
database does not keep the process from ending.
"""

import os
import sys
import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()

# Added to the niceness of threads that stand back: where a core is taken, a third of what another
# gets.  Much less, and the loop would wait for one that holds the interpreter and is not run.
_BACK = 5


class KeptThread:
    """A thread that runs again when it has died.

    Args:
        name: for the log.
        target: runs until it is told to stop, by whatever means it has.
        pause: seconds before it is started again.
        back: whether it stands back where threads that answer want the processor.
    """

    def __init__(
        self, name: str, target: Callable[[], None], pause: float = 5.0, *, back: bool = False
    ) -> None:
        self._name = name
        self._target = target
        self._back = back
        self._pause = pause
        self._again = 0.0
        self._thread = self._start()

    def check(self, now: float) -> None:
        """Start it again if it has died; to be called now and then with the monotonic time."""
        if self._thread.is_alive():
            return
        if not self._again:
            self._again = now + self._pause
            log.error("thread.died", thread=self._name, again_in=self._pause)
        elif now >= self._again:
            self._again = 0.0
            self._thread = self._start()

    def join(self, timeout: float) -> None:
        """Wait for it to end, for at most so many seconds."""
        self._thread.join(timeout)

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        if self._back and sys.platform == "linux":
            # There each thread has a niceness of its own, under its own number.
            number = threading.get_native_id()
            nice = os.getpriority(os.PRIO_PROCESS, number)
            os.setpriority(os.PRIO_PROCESS, number, min(nice + _BACK, 19))
        self._target()
