"""Fixtures for every test."""

import pytest

from tests.support.world import world

__all__ = ["world"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use the database may use both of its files: rules and traffic."""
    for item in items:
        uses_database = "db" in getattr(item, "fixturenames", ())
        if uses_database and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases="__all__"))
