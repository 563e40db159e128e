"""What the program says while something is tried, from whatever thread it comes.

structlog's own `capture_logs` empties the list of processors for a moment, in which another thread
that speaks falls through it.  Here one processor stands first and stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from structlog.typing import EventDict, WrappedLogger

_listening: list[list[EventDict]] = []


def tap(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
    """The first processor: hands on what is said, or to whoever listens instead."""
    for heard in _listening[-1:]:
        heard.append({**event, "log_level": level})
        raise structlog.DropEvent
    return event


@contextmanager
def captured_logs() -> Iterator[list[EventDict]]:
    """All that is said meanwhile, each with its level; it appears nowhere else."""
    processors, heard = structlog.get_config()["processors"], list[EventDict]()
    if tap not in processors:
        # Something has set up the logs of a real program.
        processors.insert(0, tap)
    _listening.append(heard)
    try:
        yield heard
    finally:
        _listening.pop()
