"""The pytest plugin that gives the suite its place (named in pyproject.toml's addopts).

Django's settings come from the environment, so that has to stand before they are read: a data
folder of its own for every process, and the database. MAILMUM_TEST_DATABASE says which: `sqlite`
(the default) or `postgresql`. For the latter the run's first process starts one private cluster;
pytest-xdist's workers inherit its address and take a database each.
"""

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.support.postgres import Cluster, postgres

DATABASE_VARIABLE = "MAILMUM_DATABASE"
KINDS = ("sqlite", "postgresql")

_stack = contextlib.ExitStack()

# Two workers and their daemons share the cores: how long one example takes says nothing here.
hypothesis.settings.register_profile("mailmum", deadline=None, print_blob=True)
hypothesis.settings.load_profile("mailmum")


def _wanted() -> str:
    kind = os.environ.get("MAILMUM_TEST_DATABASE") or "sqlite"
    if kind not in KINDS:
        raise pytest.UsageError(f"MAILMUM_TEST_DATABASE is {kind!r}; it takes {' or '.join(KINDS)}")
    return kind


def _forget_the_users_own() -> None:
    # Whoever runs the tests may have a MailMum of their own configured in the environment.
    for name in list(os.environ):
        if name.startswith("MAILMUM_") and not name.startswith("MAILMUM_TEST_"):
            del os.environ[name]


# A wrapper runs before pytest-django's hook of this name, which reads the settings.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Name data folder and database in the environment, starting PostgreSQL where it is wanted."""
    early_config.add_cleanup(_stack.close)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        kind = _wanted()
        _forget_the_users_own()
        if kind == "postgresql":
            cluster = _stack.enter_context(postgres())
            os.environ[DATABASE_VARIABLE] = cluster.url("mailmum")
    os.environ["MAILMUM_DATA"] = _stack.enter_context(
        tempfile.TemporaryDirectory(prefix="mailmum-test-")
    )
    yield


def pytest_report_header() -> str:
    """Say which database the run is on."""
    return f"database: {_wanted()}"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this worker's own, whatever database the suite runs on."""
    with postgres() as cluster:
        yield cluster
