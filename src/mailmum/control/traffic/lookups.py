"""Conditions that both databases answer well, in words that each of them takes.

among    one of a few whole numbers, of a column late in a key
"""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import IntegerField
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler


@IntegerField.register_lookup
class Among(In):
    """The same as `in`, where the numbers shall not be looked up one by one.

    PostgreSQL before 17 goes through a stretch of an index as often as there are pairs of numbers
    listed for two of its columns.  Between the least and the greatest it goes through once, and
    leaves out what lies outside before it looks at the row.
    """

    lookup_name = "among"

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        """Between two numbers, and one of them where there are others in between."""
        column, of_column = self.process_lhs(compiler, connection)
        numbers, given = self.process_rhs(compiler, connection)
        values = [int(one) for one in given]
        least, most = min(values), max(values)
        between, ends = f"{column} BETWEEN %s AND %s", (*of_column, least, most)
        if most - least + 1 == len(values):
            return between, ends
        return f"({between} AND {column} + 0 IN {numbers})", (*ends, *of_column, *values)
