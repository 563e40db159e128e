"""Logs tell what went wrong, and nothing that is secret."""

import sys

import pytest

from mailmum.control import logs
from mailmum.control.config import Config


@pytest.mark.once
def test_tracebacks_do_not_show_what_variables_hold() -> None:
    """Neither on a terminal nor as JSON: there are keys and passwords among them."""
    for form in ("console", "json"):
        *before, render = logs._renderer(Config(log_format=form))
        line = ""
        try:
            _fail("k7dqpmw2x4hnt9ab")
        except ZeroDivisionError:
            event = {"event": "it failed", "exc_info": sys.exc_info()}
            for step in before:
                event = step(None, "error", event)
            line = render(None, "error", event)
        assert "ZeroDivisionError" in line
        assert "_fail" in line
        assert line.count("k7dqpmw2x4hnt9ab") == 1  # In the line of the code that called it.


def _fail(secret: str) -> None:
    assert secret
    _ = 1 / 0
