"""What a service says at its start is told if it can be, and stops nothing if it cannot."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mailmum.control import config, prepare, runtime
from mailmum.control.config import Overrides
from mailmum.control.parts import NAMES
from mailmum.domain.errors import Refusal


def test_a_line_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a full disk, or where standard output had been closed."""
    full = Path("/dev/full").open("w")  # noqa: SIM115 (it cannot even be closed without an error)
    monkeypatch.setattr(sys, "stdout", full)
    runtime._say("ready")
    with pytest.raises(OSError, match="No space"):
        full.close()
    monkeypatch.setattr(sys, "stdout", None)
    runtime._say("ready")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The parameters of this process are as before afterwards, and nothing is started."""
    for name in ("MAILMUM_DATA", "MAILMUM_DATABASE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("mailmum.control.parts.run", lambda _name, _parameters: None)
    monkeypatch.setattr(runtime, "end_process", lambda: None)
    monkeypatch.setattr("mailmum.control.logs.set_up", lambda _parameters, _part: None)
    umask = os.umask(0o022)
    yield
    os.umask(umask)
    monkeypatch.undo()
    config.current.cache_clear()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("name", NAMES)
def test_no_part_makes_a_folder_that_was_mistyped(name: str, tmp_path: Path) -> None:
    """It says that there is none and how to make one; an empty one is none, either."""
    wrong, empty = tmp_path / "mistyped", tmp_path / "empty"
    empty.mkdir()
    for folder in (wrong, empty):
        with pytest.raises(Refusal, match="no service was ever started") as caught:
            runtime.run_part(name, Overrides(folder))
        assert f"mailmum migrate --data {folder}" in caught.value.fix
    assert not wrong.exists()
    assert list(empty.iterdir()) == []


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("made", ["mailmum.toml", "mailmum.sqlite3", "index.snapshot"])
def test_parts_run_where_a_service_was(made: str, tmp_path: Path) -> None:
    """Also where only some of it is left, and where PostgreSQL has all that they need."""
    (tmp_path / made).touch()
    runtime.run_part("dns", Overrides(tmp_path))
    os.environ["MAILMUM_DATABASE"] = "postgresql:///mailmum"
    runtime.run_part("dns", Overrides(tmp_path / "new"))
    assert (tmp_path / "new" / "mailmum.toml").exists()


def test_a_line_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for itself, at once."""
    runtime._say("ready")
    assert capsys.readouterr().out == "ready\n"


def test_a_database_of_traffic_that_is_held_is_not_to_be_thrown_away(tmp_path: Path) -> None:
    """Nobody is sent to begin anew because another program writes to it just now."""
    file = tmp_path / "traffic.sqlite3"
    with (
        closing(sqlite3.connect(file, isolation_level=None)) as other,
        closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as ours,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as held:
            ours.execute("BEGIN IMMEDIATE")
    assert "end that" in prepare.traffic_away(str(held.value)).fix
    assert "backup" in prepare.traffic_away("file is not a database").fix
