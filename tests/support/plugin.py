"""The pytest plugin that gives the suite its place (named in pyproject.toml's addopts).

Django's settings come from the environment, so that has to stand before they are read: a data
folder of its own for every process, and the database. MAILMUM_TEST_DATABASE says which: `sqlite`
(the default) or `postgresql`. For the latter the run's first process starts one private cluster;
pytest-xdist's workers inherit its address and take a database each. They also share a folder with
the tables of a new service (`tests.support.tables`), made once.

The suite runs on both, but what never meets the database is the same on both and runs once: tests
below `ONCE`, and those marked `once` elsewhere; below `ONCE`, `both` marks the exceptions. The run
on the second database leaves them out with --only-database, and those in `FIRST`. That a test
is rightly below `ONCE` is held in every run: one that asks for the database there is an error.
"""

import contextlib
import functools
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.postgres import Cluster, postgres
from tests.support.tables import TABLES_VARIABLE

DATABASE_VARIABLE = "MAILMUM_DATABASE"
KINDS = ("sqlite", "postgresql")
ONCE = (
    "src",
    "tests/charts",
    "tests/cli",
    "tests/daemons",
    "tests/dns",
    "tests/docs",
    "tests/domain",
    "tests/formats",
    "tests/index",
    "tests/policy",
    "tests/postfix",
    "tests/test_toolchain.py",
    "tests/test_toolchain_support.py",
    "tests/traffic",
    "tests/triggers",
)
"""Folders and files of tests that never meet the database of the run."""
FIRST = (
    "tests/contrib/test_munin.py",
    "tests/docs/test_guides.py",
    "tests/e2e/test_counting.py",
    "tests/e2e/test_data_plane.py",
    "tests/e2e/test_demo.py",
    "tests/e2e/test_faults_around.py",
    "tests/e2e/test_pause.py",
    "tests/e2e/test_policy.py",
    "tests/e2e/test_postfix_service.py",
    "tests/e2e/test_rbldnsd.py",
    "tests/e2e/test_up.py",
    "tests/web/test_browser*.py",
)
"""Tests of what browsers, mail servers, resolvers and readers of guides see.  They meet the
database of the run, but what is asked of it is tried on both by tests beside them, in a fraction of
the time; those about a database that is away have one of each kind of their own."""

LONG = (
    "tests/contrib/*.py",
    "tests/docs/*.py",
    "tests/e2e/*.py",
    "tests/web/test_browser*.py",
)
"""Files that take long, by starting services: they come first."""

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


def _keep_bytecode() -> None:
    # Containers tend to forbid it: then each of some thousand processes that the tests start
    # compiles what it imports anew, a fifth of what the start of a service costs.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


# A wrapper runs before pytest-django's hook of this name, which reads the settings.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Name data folder and database in the environment, starting PostgreSQL where it is wanted."""
    early_config.add_cleanup(_stack.close)
    _keep_bytecode()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        kind = _wanted()
        _forget_the_users_own()
        os.environ[TABLES_VARIABLE] = _stack.enter_context(
            tempfile.TemporaryDirectory(prefix="mailmum-tables-")
        )
        if kind == "postgresql":
            cluster = _stack.enter_context(postgres())
            os.environ[DATABASE_VARIABLE] = cluster.url("mailmum")
    # No test asks the Internet: a resolver that is not there.
    os.environ["MAILMUM_RESOLVER"] = "127.0.0.1:1"
    os.environ["MAILMUM_DATA"] = _stack.enter_context(
        tempfile.TemporaryDirectory(prefix="mailmum-test-")
    )
    yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of the second run."""
    parser.addoption(
        "--only-database",
        action="store_true",
        help="leave out the tests that never meet the database, which a run on another has done",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marks of this plugin, and signals as a terminal has them."""
    # Whoever starts the tests in the background may have them ignored, and every process that a
    # test starts would inherit that.
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    config.addinivalue_line("markers", "once: never meets the database of the run")
    config.addinivalue_line("markers", "both: meets it, unlike the rest of its folder")


# Last, when conftest.py has marked those that use the database in this process.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the other run has done, if that is wanted.

    Raises:
        UsageError: a test that is said never to meet the database uses it.
    """
    for item in items:
        if item.get_closest_marker("django_db") is not None and runs_once(item):
            raise pytest.UsageError(f"{item.nodeid} uses the database; {_BOTH}")
    if config.getoption("only_database"):
        items[:], rest = _parted(items)
        config.hook.pytest_deselected(items=rest)
    # A worker that begins a long file last keeps all others waiting.
    items.sort(key=lambda item: not _is_one_of(item.path, LONG))


def pytest_collection_finish() -> None:
    """Take all tests and programs out of the search for garbage: in some a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read files in which the run on the second database is going to find nothing."""
    if not (config.getoption("only_database") and collection_path.suffix == ".py"):
        return None
    if _is_one_of(collection_path, FIRST):
        return True
    left = _is_below(collection_path, config.rootpath, ONCE)
    return (left and "mark.both" not in collection_path.read_text(encoding="utf-8")) or None


def _parted(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """What the run on the second database is about, and what it leaves to the first."""
    left = {item for item in items if runs_once(item) or _is_one_of(item.path, FIRST)}
    return [item for item in items if item not in left], [item for item in items if item in left]


def runs_once(item: pytest.Item) -> bool:
    """Whether a test is the same on every database."""
    if item.get_closest_marker("both") is not None:
        return False
    if item.get_closest_marker("once") is not None:
        return True
    return _is_below(item.path, item.config.rootpath, ONCE)


# Asked for each of some thousand tests, of a few hundred files.
@functools.cache
def _is_one_of(path: Path, patterns: tuple[str, ...]) -> bool:
    return any(map(path.match, patterns))


@functools.cache
def _is_below(path: Path, root: Path, places: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(root / place) for place in places)


_BOTH = "mark it `both`, or give it a database of its own"
_running: pytest.Item | None = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember which test runs."""
    global _running  # noqa: PLW0603 (one test runs at a time in a process)
    _running = item
    try:
        return (yield)
    finally:
        _running = None


def run_database() -> str:
    """The URL of the PostgreSQL that the run is on, empty for SQLite.

    Raises:
        UsageError: the test is said never to meet it.
    """
    if _running is not None and runs_once(_running):
        raise pytest.UsageError(f"{_running.nodeid} runs a service on the database; {_BOTH}")
    return os.environ.get(DATABASE_VARIABLE, "")


def pytest_report_header() -> str:
    """Say which database the run is on."""
    return f"database: {_wanted()}"


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this worker's own, whatever database the suite runs on."""
    with postgres() as cluster:
        yield cluster
