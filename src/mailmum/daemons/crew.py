"""The threads beside a loop that answers: they feed it, keep its index tidy, hand on its counts.

Stopping takes less than a second whatever hangs: the last counts and the snapshot get what is left
of that second, and no thread is waited for longer.
"""

import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mailmum.daemons.counts import Handover, Report, Sink, Taken
from mailmum.daemons.follower import Follower, OpenSource
from mailmum.daemons.loops import AnswerLoop
from mailmum.daemons.pace import Pace
from mailmum.daemons.sightings import Sightings
from mailmum.daemons.threads import KeptThread
from mailmum.daemons.upkeep import Upkeep
from mailmum.dns.counters import Counters

_PATIENCE = 0.7
# Seconds after which a process reports how it stands though nothing was counted.
_BEAT = 10.0
# How long a thread may keep the interpreter from the loop; Python's default is ten times as long.
_SWITCH = 0.0005


@dataclass(frozen=True, slots=True)
class Outside:
    """Where a daemon gets its listings from and where its counts go.

    Attributes:
        open_source: how to reach the database.
        sink: takes counts.
        snapshot: the file to start from, or None.
        saves: whether this process saves it.
        pace: how often things are done.
    """

    open_source: OpenSource
    sink: Sink
    snapshot: Path | None
    saves: bool
    pace: Pace


class Crew:
    """Follower, upkeep and handover of one loop.

    Args:
        loop: the loop.
        counters: what it counts into.
        outside: where listings come from and counts go.
        sightings: single sightings it takes down, if it does.
        on_ready: called in the loop once answers are right.
        on_index: called in the loop once there is an index.
    """

    def __init__(
        self,
        loop: AnswerLoop,
        counters: Counters,
        outside: Outside,
        *,
        on_ready: Callable[[], None],
        on_index: Callable[[], None] = lambda: None,
        sightings: Sightings | None = None,
    ) -> None:
        self._loop = loop
        self._name = loop.name
        self._counters = counters
        self._sightings = Sightings() if sightings is None else sightings
        self._process, self._started = secrets.token_hex(8), time.time()
        self._beat = 0.0
        self._handover = Handover(loop.name, outside.sink, outside.pace.retry)
        self._upkeep = Upkeep(loop, outside.snapshot if outside.saves else None, outside.pace)
        self._follower = Follower(
            loop,
            outside.open_source,
            outside.snapshot,
            outside.pace,
            on_index=on_index,
            on_ready=on_ready,
            on_change=self._upkeep.note_change,
        )
        self._threads: list[KeptThread] = []

    def start(self) -> None:
        """Begin."""
        sys.setswitchinterval(_SWITCH)
        jobs = {
            "follower": self._follower.run,
            "upkeep": self._upkeep.run,
            "counts": self._handover.run,
        }
        self._threads = [
            KeptThread(f"{self._name}-{job}", target, back=job != "follower")
            for job, target in jobs.items()
        ]

    def tick(self) -> None:
        """Hand counts on and see to the threads; in the loop, some times a second."""
        now = time.time()
        if self._handover.wants(now):
            self._put(now)
        for thread in self._threads:
            thread.check(time.monotonic())

    def finish(self) -> None:
        """Hand over what there is and let go, when the loop has ended."""
        deadline = time.monotonic() + _PATIENCE
        self._put(time.time(), ended=True)
        self._handover.end()
        saving = threading.Thread(target=self._upkeep.save_at_end, daemon=True)
        saving.start()
        saving.join(max(deadline - time.monotonic(), 0))
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _put(self, now: float, *, ended: bool = False) -> None:
        taken = Taken(self._counters.take(), *self._sightings.take())
        if taken or ended or time.monotonic() >= self._beat:
            self._beat = time.monotonic() + _BEAT
            self._handover.put(now, taken, self._report(ended))

    def _report(self, ended: bool) -> Report:
        index = self._loop.engine.index
        return Report(
            process=self._process,
            part=self._name,
            started=self._started,
            position=None if index is None else index.position,
            away=self._follower.away,
            saved=self._upkeep.saved,
            ended=ended,
        )
