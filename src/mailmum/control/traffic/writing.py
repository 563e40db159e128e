"""Writing many rows at once, as each database does it quickest.

SQLite runs a prepared statement for each row, inside this process; PostgreSQL takes sightings with
COPY and adds to roll-ups from arrays, one statement for thousands of rows.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from django.db import connections, models

from mailmum.control.traffic.models import Seen
from mailmum.control.traffic.router import traffic_database
from mailmum.traffic.batches import COLUMNS, Batch

_CHUNK = 5000
_ORDER_LOCK = 0x5365656E  # "Seen"


def add_counts(model: type[models.Model], rows: Sequence[tuple[Any, ...]]) -> None:
    """Add to the counts of a roll-up; the rows are sorted and end in the count."""
    upsert(model, rows, {"count": "{table}.count + excluded.count"})


def upsert(
    model: type[models.Model], rows: Sequence[tuple[Any, ...]], on_conflict: dict[str, str]
) -> None:
    """Add rows in the order of the model's fields, or change those that are there already.

    Args:
        model: one whose primary key is of several fields, or the first.
        rows: sorted, so that two writers cannot wait for each other.
        on_conflict: expressions for the fields that change; `{table}` is the row as it was.
    """
    if not rows:
        return
    connection = connections[traffic_database()]
    changes = tuple(on_conflict.items())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            statement = _from_arrays(model, changes)
            for chunk in _chunks(rows):
                cursor.execute(statement, [list(column) for column in zip(*chunk, strict=True)])
        else:
            cursor.executemany(_by_row(model, changes), rows)


def add_sightings(batch: Batch) -> None:
    """Add sightings; on PostgreSQL nobody else does until this transaction has ended.

    The lock makes the order of numbers the order of commits.  It is taken last of all, when this
    transaction waits for nothing else any more.
    """
    if not batch:
        return
    connection = connections[traffic_database()]
    table = connection.ops.quote_name(Seen._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name in COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ORDER_LOCK])
            statement = f"COPY {table} ({columns}) FROM STDIN"
            # Django knows no COPY, so its errors would come as the driver's.
            with connection.wrap_database_errors, cursor.copy(statement) as copy:
                for row in batch.rows():
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(COLUMNS))
            cursor.executemany(
                f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608 (our own names)
                batch.rows(),
            )


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    return (rows[at : at + _CHUNK] for at in range(0, len(rows), _CHUNK))


Changes = tuple[tuple[str, str], ...]


@cache
def _by_row(model: type[models.Model], changes: Changes) -> str:
    marks = ", ".join(["%s"] * len(_fields(model)))
    return f"{_into(model)} VALUES ({marks}) {_else(model, changes)}"


@cache
def _from_arrays(model: type[models.Model], changes: Changes) -> str:
    connection = connections[traffic_database()]
    arrays = ", ".join(f"%s::{one.db_type(connection)}[]" for one in _fields(model))
    # S608: the names are those of our own tables and columns.
    return f"{_into(model)} SELECT * FROM unnest({arrays}) {_else(model, changes)}"  # noqa: S608


def _into(model: type[models.Model]) -> str:
    columns = ", ".join(f'"{one.column}"' for one in _fields(model))
    return f'INSERT INTO "{model._meta.db_table}" ({columns})'


def _else(model: type[models.Model], changes: Changes) -> str:
    table = f'"{model._meta.db_table}"'
    key = ", ".join(f'"{name}"' for name in _key(model))
    sets = ", ".join(f'"{name}" = {how.format(table=table)}' for name, how in changes)
    return f"ON CONFLICT ({key}) DO UPDATE SET {sets}"


def _fields(model: type[models.Model]) -> list[Any]:
    return [one for one in model._meta.concrete_fields if one.column is not None]


def _key(model: type[models.Model]) -> tuple[str, ...]:
    key = model._meta.pk
    if isinstance(key, models.CompositePrimaryKey):
        return tuple(key.field_names)
    assert key is not None
    return (str(key.column),)
