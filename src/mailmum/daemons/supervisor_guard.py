"""The guard: ends the supervisor's children when the supervisor can no longer do it.

A supervisor that is killed outright (SIGKILL, out of memory) runs no code of its own, so a second
process watches it.  Standard input is one end of a socket pair whose other end only the supervisor
holds: when it closes, the supervisor is gone, however it went.  Lines on it name process groups,
`+PID` when one begins and `-PID` when it is buried.  At the end each group's leader gets SIGTERM,
what is left of a group whose leader has gone gets SIGKILL, and some seconds later (the argument)
everything does.

A parent-death signal (prctl) would be shorter but reaches only direct children, not their workers,
and follows the thread that forked rather than the process.

The file is run by path with `python -I -S`: it starts in a few milliseconds, needs nothing but the
standard library and survives an upgrade of the package under its feet.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

POLITE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals with which a service manager may end everything at once: the supervisor decides when this
ends.  It starts with them blocked, since they may come before it has begun to run."""
_PAUSE = 0.05


def main() -> None:
    """Read names until the supervisor is gone, then end what it left behind."""
    for number in POLITE:
        signal.signal(number, signal.SIG_IGN)
    end_groups(read_groups(0), patience=float(sys.argv[1]))


def read_groups(descriptor: int) -> set[int]:
    """Follow the lines to their end; the groups that are left."""
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(descriptor, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    return groups


def end_groups(groups: set[int], patience: float) -> None:
    """End every group: leaders first, so that they can stop their own workers in order."""
    for leader in groups:
        _send(os.kill, leader, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while groups and time.monotonic() < deadline:
        for leader in [group for group in groups if not _alive(group)]:
            _send(os.killpg, leader, signal.SIGKILL)
            groups.discard(leader)
        time.sleep(_PAUSE)
    for leader in groups:
        _send(os.killpg, leader, signal.SIGKILL)


def _alive(pid: int) -> bool:
    # A zombie nobody reaps (a container without an init) still answers to signal 0.
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b") ")[2][:1] not in (b"Z", b"X")


def _send(function: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        function(pid, number)


if __name__ == "__main__":
    main()
