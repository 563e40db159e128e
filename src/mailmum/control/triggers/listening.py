"""Two threads of the worker: in one triggers follow, in the other lists are asked for them.

Triggers ask for what is new a few times a second, which costs one look at the end of a table; what
completes a trigger is listed at once: while they are at it, all other threads of the worker give
way between their steps (`FRONT`).  Lists answer when they will, so nobody waits for them.

Both keep their connections for some seconds: a new one at each look would begin with an empty
cache; one that was kept for good would stay with a database file that has been replaced.

While a database is away each begins anew every few seconds, and goes on from what is kept.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import structlog
from django.db import DatabaseError, close_old_connections, connections

from mailmum.control.triggers.asker import Asker
from mailmum.control.triggers.following import Follower
from mailmum.daemons.descriptors import with_cause
from mailmum.daemons.front import Front
from mailmum.daemons.outages import Outages

log = structlog.get_logger()

POLL = 0.25
_RETRY = 2.0
_TELL_AGAIN = 3600.0
_RENEW = 5.0


class _Stepping(Protocol):
    def steps(self, now: float) -> Iterator[int]: ...


FRONT = Front()
"""Where triggers follow."""


def follow(stopping: threading.Event) -> None:
    """Have triggers follow until the event is set."""
    _run(Follower, "triggers", stopping, FRONT.taken)


def ask(stopping: threading.Event) -> None:
    """Have lists asked until the event is set."""
    _run(Asker, "rbls", stopping, nullcontext)


def _run(
    make: Callable[[], _Stepping],
    name: str,
    stopping: threading.Event,
    place: Callable[[], AbstractContextManager[None]],
) -> None:
    outages, running, renew = Outages(_TELL_AGAIN), make(), 0.0
    while not stopping.is_set():
        pause = POLL
        try:
            if time.monotonic() >= renew:
                close_old_connections()
                renew = time.monotonic() + _RENEW
            with place():
                for _ in running.steps(time.time()):
                    if stopping.is_set():
                        break
        except DatabaseError as error:
            # What was judged and not committed is judged again, from what is kept.
            running, pause = make(), _RETRY
            if outages.began(name):
                log.warning(f"{name}.failed", reason=with_cause(str(error).strip()))
            connections.close_all()
        else:
            if (after := outages.ended(name)) is not None:
                log.info(f"{name}.works-again", after=after)
        stopping.wait(pause)
    connections.close_all()
