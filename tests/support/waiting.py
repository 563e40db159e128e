"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds, for a machine with much other work: else what is waited for comes at once."""


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something holds. Raises AssertionError when it does not in so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come true in {seconds} s"
        time.sleep(0.01)
