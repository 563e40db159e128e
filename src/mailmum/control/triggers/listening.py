"""The thread of the worker in which triggers follow: what completes a trigger is listed at once.

It asks for what is new a few times a second, which costs one look at the end of a table.  While a
database is away it begins anew every few seconds, and goes on from what is kept.
"""

import threading
import time

import structlog
from django.db import DatabaseError, close_old_connections, connections

from mailmum.control.triggers.following import Follower
from mailmum.daemons.seldom import Seldom

log = structlog.get_logger()

POLL = 0.25
_RETRY = 2.0
_TELL_AGAIN = 600.0


def follow(stopping: threading.Event) -> None:
    """Follow until the event is set."""
    seldom, follower = Seldom(_TELL_AGAIN), Follower()
    while not stopping.is_set():
        pause = POLL
        try:
            close_old_connections()
            for _ in follower.steps(time.time()):
                if stopping.is_set():
                    break
        except DatabaseError as error:
            # What was judged and not committed is judged again, from what is kept.
            follower, pause = Follower(), _RETRY
            if seldom.due("triggers"):
                log.warning("triggers.failed", reason=str(error).strip())
            connections.close_all()
        stopping.wait(pause)
    connections.close_all()
