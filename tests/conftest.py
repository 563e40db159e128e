"""Fixtures for every test."""

from collections.abc import Iterator

import pytest
import structlog
from django.conf import settings
from django.test.client import ClientHandler

from tests.support.logs import tap
from tests.support.world import world

__all__ = ["world"]

# structlog's own colourful tracebacks, with every variable in them, cost a test some seconds.
structlog.configure(
    processors=[
        tap,
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session", autouse=True)
def one_chain_of_middleware() -> Iterator[None]:
    """Made once, as in a server's process; each of Django's test clients would make its own.

    That is most of what a request in a test costs: the middleware of static files reads the folder.
    """
    chains: dict[tuple[object, ...], dict[str, object]] = {}
    make = ClientHandler.load_middleware

    def load(self: ClientHandler, is_async: bool = False) -> None:
        key = (is_async, tuple(settings.MIDDLEWARE), settings.DEBUG)
        if key not in chains:
            make(self, is_async)
            chains[key] = {
                name: value
                for name, value in vars(self).items()
                if name.endswith(("_middleware", "_middleware_chain"))
            }
        vars(self).update(chains[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientHandler, "load_middleware", load)
        yield


@pytest.fixture(autouse=True)
def no_answer_of_another_test(request: pytest.FixtureRequest) -> None:
    """Pages and API go by what was found some seconds ago."""
    if "db" in request.fixturenames:
        from mailmum.control.traffic import health

        health.forget()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use the database may use both of its files: rules and traffic."""
    for item in items:
        uses_database = "db" in getattr(item, "fixturenames", ())
        if uses_database and item.get_closest_marker("django_db") is None:
            item.add_marker(pytest.mark.django_db(databases="__all__"))
