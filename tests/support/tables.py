"""The tables of a new service, made once in a run and copied from then on.

The migrations of an empty database cost a start two seconds of a core, and some hundred tests start
a service of their own. So the first that needs tables has the product make them, in a folder that
all workers share, or in a database of the PostgreSQL in question; the others take a copy. There is
nothing in them: account, owner and credential come from the service's own first start.
"""

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

TABLES_VARIABLE = "MAILMUM_TEST_TABLES"
"""Names the folder that the workers of a run share."""

_TEMPLATE = "service_tables"
_FILES = ("mailmum.sqlite3", "traffic.sqlite3")
_MAKE = """
from mailmum.control import config, prepare
parameters = config.current()
prepare.folder(parameters.data)
prepare.set_up_django()
prepare.database(parameters)
from django.db import connections
connections.close_all()
"""
_databases = itertools.count(1)


def copy_tables(data: Path) -> None:
    """Make a data folder with the tables in SQLite files."""
    with _alone() as folder:
        made = folder / "sqlite"
        if not made.exists():
            unfinished = folder / "unfinished"
            _migrate(unfinished, "")
            unfinished.rename(made)
    data.mkdir(mode=0o700, parents=True)
    for name in _FILES:
        # With its mode: nobody else may read them.
        shutil.copy(made / name, data / name)


def fresh_database(url: str, *, empty: bool = False) -> str:
    """Make a database beside the PostgreSQL one of this URL, with the tables or empty; its URL."""
    name = f"service_{os.getpid()}_{next(_databases)}"
    template = "template1" if empty else _template(url)
    _create(url, name, template)
    return _beside(url, name)


def _template(url: str) -> str:
    with _alone() as folder:
        made = folder / f"postgresql-{urlsplit(url).port}"
        if not made.exists():
            _create(url, _TEMPLATE, "template1")
            with tempfile.TemporaryDirectory(prefix="mailmum-tables-") as data:
                _migrate(Path(data), _beside(url, _TEMPLATE))
            made.touch()
    return _TEMPLATE


def _create(url: str, name: str, template: str) -> None:
    with psycopg.connect(_beside(url, "postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def _beside(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _migrate(data: Path, database: str) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MAILMUM_")
    }
    environment |= {"MAILMUM_DATA": str(data), "MAILMUM_DATABASE": database}
    done = subprocess.run(
        [sys.executable, "-c", _MAKE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def _alone() -> Iterator[Path]:
    """The shared folder, with the other workers kept waiting."""
    folder = Path(os.environ.get(TABLES_VARIABLE) or _own_folder().name)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@cache
def _own_folder() -> "tempfile.TemporaryDirectory[str]":
    """For who belongs to no run, as a benchmark; gone when its process ends."""
    return tempfile.TemporaryDirectory(prefix="mailmum-tables-")
