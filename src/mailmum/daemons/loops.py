"""What the thread that answers is to the threads beside it.

A daemon answers in one thread, and everything that touches its index happens there: so no lock is
needed, and no answer ever sees half of a change.  Threads beside it hand over jobs, which run
between two requests.
"""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from mailmum.index.index import Index
from mailmum.index.records import Changes

_Result = TypeVar("_Result")


class Stopped(Exception):
    """The loop has ended, or is about to: it takes no more jobs."""


class Indexed(Protocol):
    """Answers from an index.

    Attributes:
        index: the listings, None while there are none.
    """

    index: Index | None

    def apply(self, changes: Changes) -> None:
        """Take over changes into the index, if there is one."""
        ...


class AnswerLoop(Protocol):
    """A loop that answers, as seen from other threads."""

    @property
    def name(self) -> str:
        """Of the daemon, in a word; what it logs begins with it."""
        ...

    @property
    def unready(self) -> str:
        """What it answers while there is no index, for the log."""
        ...

    @property
    def engine(self) -> Indexed:
        """Gives the answers; to be touched in jobs only."""
        ...

    @property
    def stopping(self) -> threading.Event:
        """Set once the loop has been told to stop."""
        ...

    def prepare(self, index: Index) -> Callable[[], None]:
        """Make ready what answering from a new index needs, in any thread; a job to put it in."""
        ...

    def post(self, job: Callable[[], None]) -> None:
        """Have a job run between two requests; from any thread."""
        ...


def call(loop: AnswerLoop, job: Callable[[], _Result]) -> _Result:
    """The result of a job that is run between two requests; from any thread but the loop's.

    Raises:
        Stopped: the loop ended before it came to it.
    """
    results: list[_Result] = []
    done = threading.Event()

    def run() -> None:
        results.append(job())
        done.set()

    loop.post(run)
    while not done.wait(0.2):
        if loop.stopping.is_set():
            raise Stopped
    return results[0]
