"""Writing versions in bulk.

The one place that ends and adds rows of `Version`.  Everything here runs inside a change, so under
the writer's lock.  Rows are added by `executemany` on SQLite and by COPY on PostgreSQL: with the
ORM's `bulk_create` a million listings take minutes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import connection

from mailmum.control.journal.services import Change
from mailmum.control.listings.models import NextNumber, Version

_CHUNK = 500
_FEW = 50
_FIELDS = [field for field in Version._meta.concrete_fields if not field.primary_key]
_COLUMNS = [field.column for field in _FIELDS]
_TABLE = Version._meta.db_table
_NAMES = [field.attname for field in _FIELDS]
_in_order = itemgetter(*_NAMES)


def take_numbers(count: int) -> int:
    """Reserve so many listing numbers; the first of them."""
    row, _ = NextNumber.objects.get_or_create(pk=1)
    first = row.next
    row.next = first + count
    row.save()
    return first


def end(made: Change, versions: Iterable[int]) -> None:
    """End these versions (primary keys) with this change."""
    keys = list(versions)
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        Version.objects.filter(pk__in=chunk, until=None).update(until=made.seq)


def add(versions: Sequence[Version]) -> None:
    """Add these versions."""
    if len(versions) < _FEW:
        for version in versions:
            version.save(force_insert=True)
        return
    add_rows({name: _prepared(getattr(version, name)) for name in _NAMES} for version in versions)


def add_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Add versions given as values by field (`account_id` for the account), without the ORM.

    Times are given as `stored_time` makes them.
    """
    prepared = map(_in_order, rows)
    if connection.vendor == "postgresql":
        _copy(prepared)
    else:
        _execute_many(prepared)


def stored_time(value: datetime) -> Any:
    """A time as the database in use takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def _prepared(value: Any) -> Any:
    return stored_time(value) if isinstance(value, datetime) else value


def _execute_many(rows: Iterable[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{column}"' for column in _COLUMNS)
    marks = ", ".join(["%s"] * len(_COLUMNS))
    with connection.cursor() as cursor:
        # A list, since that is what Django's cursor declares; callers come with batches.
        cursor.executemany(f'INSERT INTO "{_TABLE}" ({names}) VALUES ({marks})', list(rows))  # noqa: S608


def _copy(rows: Iterable[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{column}"' for column in _COLUMNS)
    with (
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{_TABLE}" ({names}) FROM STDIN') as copy,
    ):
        for row in rows:
            copy.write_row(row)
