"""Upkeep of the index beside answering: merging what has changed, and saving snapshots.

Both take what they need in the loop, in a moment, and do the work in a thread with short sleeps, so
that answers go on.
"""

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from mailmum.daemons import snapshots
from mailmum.daemons.loops import AnswerLoop, Stopped, call
from mailmum.daemons.pace import Pace
from mailmum.index.index import Index
from mailmum.index.snapshot import dump

log = structlog.get_logger()

_STEP = 0.25
_BREATH = 0.0002


class Upkeep:
    """Merges and saves the index of a loop.

    Args:
        loop: whose index it is.
        snapshot: the file to save to; None for a worker that saves nothing.
        pace: when to merge and to save.
    """

    def __init__(self, loop: AnswerLoop, snapshot: Path | None, pace: Pace) -> None:
        self._loop = loop
        self._snapshot = snapshot
        self._pace = pace
        # How many changes there were, and the index and count that were saved last.
        self._changes = 0
        self._saved: tuple[Index, int] | None = None
        self._save_at = 0.0
        self._changed_at: float | None = None
        self._failed = False
        self._saved_at: float | None = None
        # Held while a snapshot is written.
        self._writing = threading.Lock()

    @property
    def saved(self) -> float | None:
        """Unix time in seconds when the snapshot was last found or made as the index is."""
        return self._saved_at

    def note_change(self) -> None:
        """A change was applied; called in the loop."""
        self._changes += 1
        if self._changed_at is None:
            self._changed_at = time.monotonic()

    def run(self) -> None:
        """Do what is due until the loop stops."""
        self._save_at = time.monotonic() + min(self._pace.snapshot, 1.0)
        try:
            while not self._loop.stopping.wait(_STEP):
                self._merge_if_due()
                if time.monotonic() >= self._save_at:
                    self._save_at = time.monotonic() + self._pace.snapshot
                    self.save()
        except Stopped:
            return

    def save(self) -> None:
        """Save the index if it has changed since; in any thread but the loop's."""
        self._write(*call(self._loop, self._note))

    def save_at_end(self) -> None:
        """The same when the loop has ended."""
        self._write(*self._note())

    def _note(self) -> tuple[Index | None, int, Iterable[bytes]]:
        index = self._loop.engine.index
        if index is None or self._snapshot is None:
            return None, 0, ()
        if self._saved == (index, self._changes):
            self._saved_at = time.time()
            return None, 0, ()
        return index, self._changes, dump(index, _breathe)

    def _write(self, index: Index | None, changes: int, pieces: Iterable[bytes]) -> None:
        if index is None or self._snapshot is None:
            return
        try:
            with self._writing:
                snapshots.write(self._snapshot, pieces, _breathe)
        except OSError as error:
            if not self._failed:
                log.warning(
                    f"{self._loop.name}.snapshot-not-saved",
                    file=str(self._snapshot),
                    reason=error.strerror,
                )
            self._failed = True
            return
        self._failed = False
        self._saved = (index, changes)
        self._saved_at = time.time()
        log.debug(f"{self._loop.name}.snapshot-saved", file=str(self._snapshot))

    def _merge_if_due(self) -> None:
        index = self._loop.engine.index
        if index is None or self._changed_at is None:
            return
        old = time.monotonic() - self._changed_at >= self._pace.merge_within
        if not old and call(self._loop, lambda: index.overlay_size) < self._pace.merge_after:
            return
        self._changed_at = None
        plan = call(self._loop, index.begin_merge)
        merged = plan.run(_breathe)
        index.prepare_merge(merged)
        call(self._loop, lambda: index.finish_merge(merged))
        log.debug(f"{self._loop.name}.merged", position=index.position)


def _breathe() -> None:
    """Hand over the interpreter's lock for a moment."""
    time.sleep(_BREATH)
