"""Two threads of the worker: in one triggers follow, in the other lists are asked for them.

Triggers ask for what is new a few times a second, which costs one look at the end of a table; what
completes a trigger is listed at once.  Lists answer when they will, so nobody waits for them.

While a database is away each begins anew every few seconds, and goes on from what is kept.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog
from django.db import DatabaseError, close_old_connections, connections

from mailmum.control.triggers.asker import Asker
from mailmum.control.triggers.following import Follower
from mailmum.daemons.seldom import Seldom

log = structlog.get_logger()

POLL = 0.25
_RETRY = 2.0
_TELL_AGAIN = 600.0


class _Stepping(Protocol):
    def steps(self, now: float) -> Iterator[int]: ...


def follow(stopping: threading.Event) -> None:
    """Have triggers follow until the event is set."""
    _run(Follower, "triggers", stopping)


def ask(stopping: threading.Event) -> None:
    """Have lists asked until the event is set."""
    _run(Asker, "rbls", stopping)


def _run(make: Callable[[], _Stepping], name: str, stopping: threading.Event) -> None:
    seldom, running = Seldom(_TELL_AGAIN), make()
    while not stopping.is_set():
        pause = POLL
        try:
            close_old_connections()
            for _ in running.steps(time.time()):
                if stopping.is_set():
                    break
        except DatabaseError as error:
            # What was judged and not committed is judged again, from what is kept.
            running, pause = make(), _RETRY
            if seldom.due(name):
                log.warning(f"{name}.failed", reason=str(error).strip())
            connections.close_all()
        stopping.wait(pause)
    connections.close_all()
