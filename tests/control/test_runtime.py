"""What a service says at its start is told if it can be, and stops nothing if it cannot."""

import sys
from pathlib import Path

import pytest

from mailmum.control import runtime


def test_a_line_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a full disk, or where standard output had been closed."""
    full = Path("/dev/full").open("w")  # noqa: SIM115 (it cannot even be closed without an error)
    monkeypatch.setattr(sys, "stdout", full)
    runtime._say("ready")
    with pytest.raises(OSError, match="No space"):
        full.close()
    monkeypatch.setattr(sys, "stdout", None)
    runtime._say("ready")


def test_a_line_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for itself, at once."""
    runtime._say("ready")
    assert capsys.readouterr().out == "ready\n"
