"""Two shares of a backtest side by side: one here, one in a helper, a process of its own.

Python computes in one thread at a time, and whatever a thread of the web service computes keeps its
pages waiting.  So where there are two processors a helper is started for half of the work, one at a
time in each process: whoever finds it taken does both halves itself, one after the other.  So does
who has lost a helper, whatever has ended it.

The helper is told its task through a pipe, and ends when that is closed: with us at the latest.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

from django.db import connections

from mailmum.control.accounts.access import Reading
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.share import Found, Task, look_at

_PATIENCE = 0.5
"""Seconds after which progress is told again while we wait for the helper."""
_taken = threading.Lock()


def side_by_side(reading: Reading, tasks: list[Task]) -> Iterator[Progress | list[Found]]:
    """Do all tasks; progress, and what was found of each last."""
    helper = _helper(tasks)
    if helper is None:
        yield from _one_by_one(reading, tasks)
        return
    with closing(helper):
        found: list[Found] = []
        for step in look_at(reading, tasks[1]):
            if isinstance(step, Progress):
                yield _slower(step, helper.progress)
            else:
                found = [step]
        while not helper.ended.wait(_PATIENCE):
            yield _slower(Progress(helper.progress.phase, 1.0), helper.progress)
    if helper.found is None:
        for step in look_at(reading, tasks[0]):
            if isinstance(step, Found):
                found.insert(0, step)
            else:
                yield Progress(step.phase, 0.5 + step.done / 2)
    else:
        found.insert(0, helper.found)
    yield found


def _one_by_one(reading: Reading, tasks: list[Task]) -> Iterator[Progress | list[Found]]:
    found: list[Found] = []
    for place, task in enumerate(tasks):
        for step in look_at(reading, task):
            if isinstance(step, Found):
                found.append(step)
            else:
                yield Progress(step.phase, (place + step.done) / len(tasks))
    yield found


def _slower(one: Progress, other: Progress) -> Progress:
    """How far two are together; the word is that of who is behind."""
    behind = one if one.done <= other.done else other
    return Progress(behind.phase, (one.done + other.done) / 2)


def _helper(tasks: list[Task]) -> "_Helper | None":
    """A helper for the first of two tasks, None where there is none to be had."""
    if len(tasks) < 2 or _processors() < 2 or not _taken.acquire(blocking=False):
        return None
    try:
        return _Helper(tasks[0])
    except OSError:
        # No process, or no memory for one: then it takes longer.
        _taken.release()
        return None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Helper:
    """A process that does a task.

    Attributes:
        progress: how far it is.
        found: what it has found; None as long as it has not, or when it never will.
        ended: set when nothing more will come.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, task: Task) -> None:
        self.progress = Progress("reading", 0.0)
        self.found: Found | None = None
        self.ended = threading.Event()
        # Names only: everything else it finds where we have found it.
        names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
        order = pickle.dumps((names, task))
        environment = dict(os.environ)
        # What it says is not of the service that we may be.
        environment.pop("NOTIFY_SOCKET", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mailmum.control.triggers.helper"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._thread = threading.Thread(target=self._listen, args=(order,))
        self._thread.start()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def close(self) -> None:
        """End it, if it has not ended yet."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        _taken.release()

    def _listen(self, order: bytes) -> None:
        told, asked = self._process.stdout, self._process.stdin
        assert told is not None
        assert asked is not None
        with told:
            # It ends half-way where the helper does: nothing more comes then.
            with suppress(EOFError, pickle.UnpicklingError, OSError):
                asked.write(order)
                asked.flush()
                while self.found is None:
                    self._take(pickle.load(told))  # noqa: S301 - our own program's
            self.ended.set()
        with suppress(OSError):
            asked.close()

    def _take(self, step: Progress | Found) -> None:
        if isinstance(step, Progress):
            self.progress = step
        else:
            self.found = step
