"""Questions whose statement is written once.

For a count or a name that is looked up by a key, Django takes ten times as long to write the
statement as the database to answer it, and each page of an account asks a dozen such things.  So
it writes them once, with numbers that stand for those that are asked for:

    _open = Prepared(lambda account: Alert.objects.filter(account=account).values_list("pk"))
    _open.rows(7)

What comes back is what the driver gives, which is right for numbers and texts.  What is asked for
are whole numbers, each compared with a column that holds eight bytes.
"""

from collections.abc import Callable
from functools import cached_property
from inspect import signature
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import QuerySet

_STAND_IN = 8_765_432_100_000_000_000


class _Written(NamedTuple):
    """A statement, and for each of its parameters which of the given it is, else its value."""

    alias: str
    text: str
    parameters: tuple[tuple[int | None, Any], ...]


class Prepared:
    """A question; `write` makes a query of what is asked for, with the columns that are wanted."""

    def __init__(self, write: Callable[..., QuerySet[Any, Any]]) -> None:
        self._write = write

    def rows(self, *given: int) -> list[tuple[Any, ...]]:
        """What is found."""
        written = self._written
        values = [one if at is None else given[at] for at, one in written.parameters]
        with connections[written.alias].cursor() as cursor:
            cursor.execute(written.text, values)
            return list(cursor.fetchall())

    @cached_property
    def _written(self) -> _Written:
        count = len(signature(self._write).parameters)
        stand_ins = {_STAND_IN + at: at for at in range(count)}
        query = self._write(*stand_ins)
        text, parameters = query.query.get_compiler(using=query.db).as_sql()
        return _Written(query.db, text, tuple((stand_ins.get(one), one) for one in parameters))
