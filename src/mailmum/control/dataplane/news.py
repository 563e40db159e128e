"""How a daemon learns that something has been committed.

SQLite: `PRAGMA data_version` changes with every commit of another connection; asking costs a few
microseconds, so it is polled.  The connection would stay with a file that has been deleted or
replaced by a backup, so the file's identity is compared too.  PostgreSQL: LISTEN; its driver is
imported when it is used, since it costs each part a fifth of its start.
"""

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from django.db import DatabaseError

from mailmum.control import config
from mailmum.control.journal.services import CHANNEL

if TYPE_CHECKING:
    import psycopg

POLL_SECONDS = 0.02
_IDENTITY_SECONDS = 1.0


class News(Protocol):
    """Tells of commits."""

    def wait(self, seconds: float) -> bool:
        """Wait at most so many seconds; whether something may have been committed."""
        ...

    def take_replaced(self) -> bool:
        """Whether another database stands in its place since this was asked last."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def news_of(connection: Any) -> News:
    """The way that fits the database in use."""
    if connection.vendor == "postgresql":
        return PostgresNews(connection)
    return SqliteNews(config.current().sqlite_path)


class SqliteNews:
    """Polls the version of an SQLite file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._version = -1
        self._checked = 0.0
        self._replaced = False

    def wait(self, seconds: float) -> bool:
        """Poll until the version changes."""
        end = time.monotonic() + seconds
        while True:
            if self._changed():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(POLL_SECONDS, left))

    def take_replaced(self) -> bool:
        """Whether the file is another than before."""
        replaced, self._replaced = self._replaced, False
        return replaced

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _changed(self) -> bool:
        now = time.monotonic()
        if self._connection is None or now - self._checked > _IDENTITY_SECONDS:
            self._checked = now
            self._follow_file()
        try:
            version = self._ask()
        except sqlite3.Error as error:
            self.close()
            raise OSError(f"{self._path.name}: {error}") from error
        changed = version != self._version
        self._version = version
        return changed

    def _follow_file(self) -> None:
        found = self._path.stat()
        identity = (found.st_dev, found.st_ino)
        if self._connection is not None and identity == self._identity:
            return
        self._replaced |= self._identity not in (None, identity)
        self.close()
        name = f"file:{quote(str(self._path))}?mode=ro"
        self._connection = sqlite3.connect(name, uri=True, isolation_level=None, timeout=5)
        self._identity, self._version = identity, -1

    def _ask(self) -> int:
        if self._connection is None:
            raise sqlite3.OperationalError("no connection")
        row = self._connection.execute("PRAGMA data_version").fetchone()
        return int(row[0])


class PostgresNews:
    """Listens for the notification that every change sends at its commit."""

    def __init__(self, connection: Any) -> None:
        self._parameters = connection.get_connection_params
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, seconds: float) -> bool:
        """Wait for a notification.  A connection just made may have missed one: True."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = self._connect()
                return True
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error as error:
            self.close()
            raise DatabaseError(str(error)) from error

    def take_replaced(self) -> bool:
        """Never: a server that is asked by name is taken for the same."""
        return False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _connect(self) -> "psycopg.Connection[Any]":
        import psycopg

        # All that the other connections are made with, certificates too, but for Django's own ways.
        wanted = {
            name: value
            for name, value in self._parameters().items()
            if name not in {"context", "cursor_factory", "prepare_threshold"}
        }
        made = psycopg.connect(**wanted, autocommit=True)
        made.execute(f"LISTEN {CHANNEL}")
        return made
