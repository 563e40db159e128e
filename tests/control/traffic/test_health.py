"""Whether traffic can be read and kept, by real files."""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mailmum.control.traffic import health
from mailmum.control.traffic.router import LABEL, traffic_database
from tests.support.damaged import WORDS, traffic_damaged

_NOBODY = 65534


@pytest.fixture
def file() -> Iterator[Path]:
    """A database of SQLite in a folder that anybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "traffic.sqlite3")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE kept (number)")
        yield path


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user to whom rights mean something."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_may_be_read_only(file: Path) -> None:
    """It is told at once; one that somebody else is writing just now is well."""
    assert health.unwritable(str(file)) == ""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert health.unwritable(str(file)) == ""
    file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    file.parent.chmod(0o555)
    with somebody_else():
        assert "readonly" in health.unwritable(str(file))
    file.parent.chmod(0o755)


def test_a_file_that_is_damaged_or_gone(file: Path) -> None:
    """In the words of SQLite."""
    file.write_bytes(b"no database at all" * 100)
    assert health.unwritable(str(file)) == WORDS
    file.unlink()
    assert "unable to open" in health.unwritable(f"{file.as_uri()}?mode=rw")


@pytest.mark.usefixtures("db")
def test_pages_go_by_what_was_found_lately() -> None:
    """For some seconds; the doctor and alerts ask anew. In one database all stand or fall."""
    own = traffic_database() == LABEL
    assert (health.problem(), health.known()) == ("", "")
    with traffic_damaged():
        assert health.problem() == WORDS
        assert health.known() == (WORDS if own else "")
    assert health.known() == ""
