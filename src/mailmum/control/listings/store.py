"""Writing versions in bulk.

The one place that ends and adds rows of `Version`.  Everything here runs inside a change, so under
the writer's lock.  With the ORM's `bulk_create` a million listings take minutes, so PostgreSQL gets
rows by COPY, and SQLite by the hundred: what is the same in all of a batch, most columns of an
import, is given once, which takes half the time of giving it with each row.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from django.db import connection

from mailmum.control.journal.services import Change
from mailmum.control.listings.models import NextNumber, Version

_CHUNK = 500
_FEW = 50
_FIELDS = [field for field in Version._meta.concrete_fields if not field.primary_key]
_COLUMNS = {field.attname: str(field.column) for field in _FIELDS}
_TABLE = Version._meta.db_table
_ROWS_AT_ONCE = 100

Rows = Sequence[tuple[Any, ...]]


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
    rows = [tuple(_prepared(getattr(version, name)) for name in _COLUMNS) for version in versions]
    add_rows(tuple(_COLUMNS), rows)


def add_rows(names: Sequence[str], rows: Rows) -> None:
    """Add versions given as values, without the ORM.

    Args:
        names: all fields (`account_id` for the account) but the primary key, in any order.
        rows: their values, in that order; times as `stored_time` makes them.
    """
    columns = [_COLUMNS[name] for name in names]
    if connection.vendor == "postgresql":
        _copy(columns, rows)
    elif rows:
        _insert(columns, rows)


def stored_time(value: datetime) -> Any:
    """A time as the database in use takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def _prepared(value: Any) -> Any:
    return stored_time(value) if isinstance(value, datetime) else value


def _insert(columns: Sequence[str], rows: Rows) -> None:
    values = dict(zip(columns, zip(*rows, strict=True), strict=True))
    same = {name: of[0] for name, of in values.items() if of.count(of[0]) == len(of)}
    # One row alone has nothing that differs, and VALUES needs a column.
    differing = [name for name in columns if name not in same] or [same.popitem()[0]]
    different = list(zip(*(values[name] for name in differing), strict=True))
    whole = len(different) // _ROWS_AT_ONCE * _ROWS_AT_ONCE
    with connection.cursor() as cursor:
        for size, part in ((_ROWS_AT_ONCE, different[:whole]), (1, different[whole:])):
            cursor.executemany(_statement(differing, same, size), list(_given(same, part, size)))


def _given(same: dict[str, Any], rows: Rows, size: int) -> Iterator[list[Any]]:
    """What a statement for so many rows is given, for all of them."""
    for start in range(0, len(rows), size):
        yield [*same.values(), *chain.from_iterable(rows[start : start + size])]


def _statement(differing: Sequence[str], same: Iterable[str], size: int) -> str:
    """INSERT for so many rows: first what is the same in all, then the rest row by row."""
    columns = [*same, *differing]
    names = ", ".join(f'"{column}"' for column in columns)
    marks = ["%s"] * (len(columns) - len(differing))
    found = ", ".join([*marks, *(f"column{at}" for at in range(1, len(differing) + 1))])
    row = f"({', '.join(['%s'] * len(differing))})"
    values = ", ".join([row] * size)
    return f'INSERT INTO "{_TABLE}" ({names}) SELECT {found} FROM (VALUES {values})'  # noqa: S608


def _copy(columns: Sequence[str], rows: Rows) -> None:
    names = ", ".join(f'"{column}"' for column in columns)
    # Django hands COPY through, and so its errors: without this a full disk would be no error of
    # the database to anybody above, and a clash no conflict.
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{_TABLE}" ({names}) FROM STDIN') as copy,
    ):
        for row in rows:
            copy.write_row(row)
