"""A database of traffic that cannot be read: every question that names a table of it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections

from mailmum.control.traffic import health
from mailmum.control.traffic.router import traffic_database

WORDS = "file is not a database"


@contextmanager
def traffic_damaged() -> Iterator[None]:
    """Have SQLite's words for a damaged file come from all tables of traffic."""

    def damaged(execute: Any, sql: str, *rest: Any) -> Any:
        if '"traffic_' in sql:
            raise DatabaseError(WORDS)
        return execute(sql, *rest)

    health.forget()
    with connections[traffic_database()].execute_wrapper(damaged):
        yield
    health.forget()
