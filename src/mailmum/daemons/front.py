"""Who cannot wait goes in front of the other threads of a process.

Threads of Python take turns.  One that makes many short steps, each of which gives up its turn (as
every question to a database does), waits for all the others before each of them: what takes 50 ms
alone takes seconds beside a few that only compute, and many seconds on a machine that is busy
anyway.  So whoever cannot wait says while it is at work, and others rest between their own steps
for as long, within bounds: nobody is kept from its work for good.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 0.3
"""Seconds that others rest before a step of theirs."""


class Front:
    """The place in front; one in a process."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Be in front; by one thread only."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def give_way(self, most: float = MOST) -> bool:
        """Rest while somebody is in front, at most for some seconds; whether nobody is by then."""
        return self._free.wait(most)
