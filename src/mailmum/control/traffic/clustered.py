"""Tables that are their primary key.

On SQLite such a table has no rowid: the rows themselves lie in the order of the key, which saves a
second tree and makes a range of the key one stretch of the file.  PostgreSQL has no such thing,
and needs none: rows that come in the order of time lie in that order.
"""

from typing import Any

from django.db import migrations


class CreateClustered(migrations.CreateModel):
    """Makes a table whose rows are kept in the order of its primary key."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Make the table, on SQLite without rowid."""
        if schema_editor.connection.vendor != "sqlite":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        usual = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{usual} WITHOUT ROWID"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = usual
