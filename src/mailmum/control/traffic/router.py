"""Which database holds traffic: a second SQLite file, or the one PostgreSQL."""

from typing import Any

from django.conf import settings

LABEL = "traffic"


def traffic_database() -> str:
    """The alias of the database that holds traffic."""
    return "traffic" if "traffic" in settings.DATABASES else "default"


class TrafficRouter:
    """Sends the models of this app, and only those, to the traffic database."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        """Where to read a model."""
        return traffic_database() if model._meta.app_label == LABEL else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        """Where to write a model."""
        return traffic_database() if model._meta.app_label == LABEL else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Which tables are made where."""
        if app_label == LABEL:
            return db == traffic_database()
        return False if db == LABEL else None
