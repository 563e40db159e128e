"""Tables at the start: Django is asked to upgrade them only where there is something to do."""

import pytest
from django.db import connections

from mailmum.control import prepare

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize("alias", list(connections))
def test_names_tell_whether_there_is_something_to_do(alias: str) -> None:
    """One that has yet to run, or that nobody knows, ours or Django's; what is gone is nothing."""
    with connections[alias].cursor() as cursor:

        def named(app: str, name: str) -> None:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, '2030-01-01')",
                (app, name),
            )

        assert prepare._is_up_to_date(alias)
        named("an_app_that_is_gone", "0001_initial")
        assert prepare._is_up_to_date(alias)
        for app in ("traffic", "auth"):
            named(app, "9999_from_the_future")
            assert not prepare._is_up_to_date(alias)
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_from_the_future'")
            assert prepare._is_up_to_date(alias)
            cursor.execute(
                "DELETE FROM django_migrations WHERE app = %s AND name = '0001_initial'", (app,)
            )
            assert not prepare._is_up_to_date(alias)
            named(app, "0001_initial")
