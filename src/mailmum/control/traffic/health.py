"""Whether what is seen can be kept and read: one question, for pages, API, doctor and alerts.

All that shows what was seen, and all that follows from it (triggers, suggestions, alerts, reports),
stands still while this database is away, and looks as if nothing had happened.  So everybody is
told, and all by the same rule.

It is asked by reading the ends of what grows, and on SQLite by beginning to write as well: a file
that this user may not write can be read for days.  One that somebody else is writing just now is
well.
"""

import sqlite3
import threading
import time
from contextlib import closing

from django.db import DatabaseError, connections

from mailmum.control.traffic.models import LastSeen, Seen, Tally
from mailmum.control.traffic.router import LABEL, traffic_database
from mailmum.daemons.descriptors import with_cause

AGE = 5.0
"""Seconds for which pages and API go by the last answer."""
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_lock = threading.Lock()
_last: list[tuple[float, str]] = []


def problem() -> str:
    """Why traffic cannot be read or kept, in the words of the database; empty when it can."""
    alias = traffic_database()
    try:
        Tally.objects.exists()
        LastSeen.objects.exists()
        Seen.objects.order_by("-pk").values_list("pk").first()
    except DatabaseError as error:
        if not connections[alias].in_atomic_block:
            connections[alias].close()
        return with_cause(str(error).strip())
    return unwritable(connections[alias].settings_dict["NAME"]) if alias == LABEL else ""


def known() -> str:
    """The same as it was at most some seconds ago, where traffic has a database of its own.

    Where it has none all pages fail, or go on; and none of them shall wait for a lock on a table.
    """
    if traffic_database() != LABEL:
        return ""
    now = time.monotonic()
    with _lock:
        if _last and now - _last[0][0] < AGE:
            return _last[0][1]
    found = problem()
    with _lock:
        _last[:] = [(now, found)]
    return found


def forget() -> None:
    """Ask anew the next time."""
    with _lock:
        _last.clear()


def unwritable(name: str) -> str:
    """Why nothing can be written to a database of SQLite, in its words; empty when it can."""
    # Not with Django's connection: that would wait for whoever writes.
    try:
        with closing(
            sqlite3.connect(name, uri=True, timeout=0, isolation_level=None)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            # That alone is let pass where the file may only be read.
            connection.execute("PRAGMA user_version = 0")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY:
            return ""
        return with_cause(str(error))
    return ""
