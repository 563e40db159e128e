"""Running a supervisor in a process of its own, and looking at what it left."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from tests.support.process import Child, Ready, running

PROGRAM = Path(__file__).parent / "supervised.py"

# What a part's program may use: it says ready, and writes its process number to a file.
PRELUDE = """
import os, signal, sys, time
from pathlib import Path
def ready():
    from mailmum.daemons.supervisor_ready import tell_ready
    assert tell_ready()
def note(path):
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\\n")
def wait():
    while True:
        time.sleep(60)
"""
QUICK = {"first_delay": 0.05, "longest_delay": 0.2, "patience": 1.0}


def described(name: str, code: str, **more: Any) -> dict[str, Any]:
    """A part whose program is the prelude and `code`."""
    return {"name": name, "code": PRELUDE + code, **more}


def supervised(
    *parts: dict[str, Any], ready: Ready | None = "^ready$", **timings: float
) -> AbstractContextManager[Child]:
    """A running supervisor of the parts."""
    wanted = json.dumps({"parts": parts, "timings": QUICK | timings})
    return running([sys.executable, PROGRAM, wanted], ready, env=dict(os.environ), timeout=20)


def logged(child: Child, event: str) -> list[dict[str, Any]]:
    """The log entries with that event."""
    lines = [line for line in child.output.splitlines() if line.startswith("{")]
    return [entry for line in lines if (entry := json.loads(line))["event"] == event]


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead and merely not reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(") ")[2][0] not in "ZX"


def pids(path: Path) -> list[int]:
    """The process numbers noted so far."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def noting(folder: Path) -> Iterator[Path]:
    """A file for process numbers; those still alive at the end are a failure, and are ended."""
    path = folder / "pids"
    yield path
    left = [pid for pid in pids(path) if alive(pid)]
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"processes were left behind: {left}"


def bearing(mark: str) -> list[int]:
    """The living processes that have the mark in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "cmdline").read_bytes() and alive(int(folder.name)):
                found.append(int(folder.name))
    return found


def guard_of(child: Child) -> int | None:
    """The guard process of this supervisor, if one runs."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = (folder / "stat").read_text().rpartition(") ")[2].split()[1]
            if any(w.endswith(b"supervisor_guard.py") for w in words) and parent == str(child.pid):
                return int(folder.name)
    return None
