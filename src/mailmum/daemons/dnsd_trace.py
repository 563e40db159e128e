"""The trace of a crash, and what follows from it: the Python engine, for a day.

A fault in compiled code ends the process.  It is started again at once, but what ended it may come
again, and a list that is away half of the time costs every mail server its timeouts.  So the
interpreter is told to write down where it was when it dies of a fault, and while that is fresh,
`auto` means the Python engine.  It makes no difference whose compiled code it was.
"""

import faulthandler
import time
from pathlib import Path
from typing import IO

FRESH = 86_400
"""Seconds for which a trace counts."""


# Kept open for the interpreter, which has only their descriptors.
_watched: list[IO[str]] = []


def recent_crash(path: Path | None) -> str | None:
    """Why not to use compiled code just now, by the trace in a file; None when there is no reason.

    Args:
        path: where traces are left; None for nowhere.
    """
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    if found is None or not found.st_size or time.time() - found.st_mtime >= FRESH:
        return None
    return (
        f"it crashed lately, as {path} shows; it is used again a day after that, or when the file "
        "is gone"
    )


def leave_trace(path: Path | None) -> None:
    """Have a crash of this process leave its trace in a file, if that can be written."""
    if path is None:
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError:
        return
    faulthandler.enable(file)
    _watched.append(file)
