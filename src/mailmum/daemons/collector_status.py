"""How the collector fares, as a small file beside its data: `doctor` reads it.

The web process may not be allowed to read the logs that the collector reads, so only the collector
itself can say what is wrong with them.  The file is replaced as a whole and holds no content of
logs.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailmum.daemons.collector_stream import Stream

NAME = "collect.json"
EVERY = 5.0
"""Seconds between two files; one much older says that the collector does not run."""


@dataclass(frozen=True, slots=True)
class Fared:
    """How one log fares.

    Attributes:
        log: which, as the operator wrote it.
        server: number of the server, None when that is not known.
        name: of the server as the operator wrote it, empty for the only one.
        problem: why it is not followed, empty when it is.
        fix: the likely remedy.
        read: Unix time at which lines came last, 0 for not since the collector began.
    """

    log: str
    server: int | None
    name: str
    problem: str
    fix: str
    read: float


@dataclass(frozen=True, slots=True)
class Status:
    """How all of them fare.

    Attributes:
        began: Unix time at which the collector began.
        written: Unix time at which this was written.
        logs: each of them.
    """

    began: float
    written: float
    logs: tuple[Fared, ...]


def write(path: Path, began: float, now: float, streams: Iterable[Stream]) -> None:
    """Say how the streams fare; a disk that is full is no reason to stop."""
    content = {
        "began": began,
        "written": now,
        "logs": [
            {
                "log": str(stream.wanted),
                "server": stream.state.to.server if stream.state.to else None,
                "name": stream.wanted.server,
                "problem": stream.state.trouble.problem if stream.state.trouble else "",
                "fix": stream.state.trouble.fix if stream.state.trouble else "",
                "read": stream.state.read,
            }
            for stream in streams
        ],
    }
    partial = path.with_name(f".{path.name}.new")
    with contextlib.suppress(OSError):
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        partial.replace(path)


def read(path: Path) -> Status | None:
    """What was written there, None when nothing was or it is not understood."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        logs = tuple(Fared(**one) for one in given["logs"])
        return Status(float(given["began"]), float(given["written"]), logs)
    except (OSError, ValueError, KeyError, TypeError):
        return None
