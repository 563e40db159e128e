"""Following the journal: from the database, or for the time being from a snapshot, into the loop.

    snapshot  ->  everything from the database  ->  change, change, change ...

The snapshot is read first, because that takes a fraction of a second and a database of a million
listings does not: mail servers get answers that were right when the daemon last stopped, until the
database has been read.  Without a snapshot the engine has no index meanwhile, and answers so that
mail flows.
When the database cannot be asked, what there is stays in use for as long as it takes.

The daemon is ready when it has an index and has asked the database once, whatever came of it.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import structlog

from mailmum.daemons import snapshots
from mailmum.daemons.loops import AnswerLoop, Stopped, call
from mailmum.daemons.pace import Pace
from mailmum.domain.listings import Listing
from mailmum.index.index import Index
from mailmum.index.records import (
    Changes,
    Everything,
    ListingSource,
    SourceRewound,
    SourceUnavailable,
)

log = structlog.get_logger()

_BREATH_EVERY = 256
_BREATH = 0.0002

OpenSource = Callable[[], ListingSource]
"""Connects to the database; raises `SourceUnavailable` when that cannot be done."""


class Follower:
    """Keeps the index of a loop up to date.

    Args:
        loop: whose engine gets the index.
        open_source: how to reach the database.
        snapshot: the file to start from, or None.
        pace: how often the database is asked.
        on_index: called in the loop once there is an index.
        on_ready: called in the loop once there is, and the database was asked.
        on_change: called in the loop after each change.
    """

    def __init__(
        self,
        loop: AnswerLoop,
        open_source: OpenSource,
        snapshot: Path | None,
        pace: Pace,
        *,
        on_index: Callable[[], None],
        on_ready: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._open_source = open_source
        self._snapshot = snapshot
        self._pace = pace
        self._on_index = on_index
        self._on_ready = on_ready
        self._on_change = on_change
        self._position: int | None = None
        self._has_index = False
        self._ready = False
        # Unix time since when the database cannot be asked.
        self._away: float | None = None

    @property
    def away(self) -> float | None:
        """Unix time in seconds since when the database cannot be asked, None when it can."""
        return self._away

    def run(self) -> None:
        """Follow until the loop stops."""
        try:
            if not self._has_index:
                self._start_from_snapshot()
            pause, longest = self._pace.retry
            while not self._loop.stopping.is_set():
                try:
                    self._follow()
                except SourceUnavailable as error:
                    pause = self._pace.retry[0] if self._away is None else min(2 * pause, longest)
                    self._note_away(error)
                self._loop.stopping.wait(pause)
        except Stopped:
            return

    def _start_from_snapshot(self) -> None:
        if self._snapshot is None:
            return
        try:
            index = snapshots.read(self._snapshot)
        except FileNotFoundError:
            return
        except snapshots.SnapshotDamaged as error:
            self._tell_useless(error)
            return
        gc.freeze()
        self._adopt(index)
        log.info(f"{self._loop.name}.snapshot-loaded", position=index.position)

    def _tell_useless(self, error: snapshots.SnapshotDamaged) -> None:
        # Of another version is what it is after an upgrade; nothing is wrong then.
        outdated = isinstance(error, snapshots.SnapshotOutdated)
        (log.info if outdated else log.warning)(
            f"{self._loop.name}.snapshot-{'outdated' if outdated else 'damaged'}",
            file=str(self._snapshot),
            reason=str(error),
            consequence="starting without it",
        )

    def _follow(self) -> None:
        with closing(self._open_source()) as source:
            if self._position is None:
                self._load(source)
            checked = 0.0
            news = True
            while not self._loop.stopping.is_set():
                if news or time.monotonic() - checked >= self._pace.recheck:
                    checked = time.monotonic()
                    self._catch_up(source)
                news = source.wait(self._pace.poll)

    def _load(self, source: ListingSource) -> None:
        began = time.monotonic()
        everything = source.load()
        if self._has_index:
            everything = replace(everything, listings=_gently(everything))
        index = Index.build(everything)
        # The index holds no cycles: a collection would only stop the answers to look through it.
        gc.freeze()
        self._adopt(index)
        self._position = index.position
        self._note_back()
        seconds = round(time.monotonic() - began, 3)
        log.info(f"{self._loop.name}.loaded", position=index.position, seconds=seconds)

    def _catch_up(self, source: ListingSource) -> None:
        assert self._position is not None
        reached = self._position
        try:
            for changes in source.changes(reached):
                # One change may come in several batches of one position; should they break off,
                # all of them are asked for again (applying twice changes nothing).
                if changes.position > reached:
                    self._position = reached
                self._apply(changes)
                reached = changes.position
            self._position = reached
        except SourceRewound as error:
            log.warning(f"{self._loop.name}.rewound", position=self._position, reason=str(error))
            self._load(source)
        self._note_back()

    def _apply(self, changes: Changes) -> None:
        # One at a time: were they queued, a large import would fill the memory, and the loop would
        # apply all of it without answering in between.
        def apply() -> None:
            self._loop.engine.apply(changes)
            self._on_change()

        call(self._loop, apply)

    def _adopt(self, index: Index) -> None:
        put = self._loop.prepare(index)

        def adopt() -> None:
            put()
            if not self._has_index:
                self._has_index = True
                self._on_index()

        call(self._loop, adopt)

    def _note_away(self, error: SourceUnavailable) -> None:
        if self._away is None:
            self._away = time.time()
            answers = "from what there is" if self._has_index else self._loop.unready
            log.warning(
                f"{self._loop.name}.source-away",
                reason=str(error),
                consequence=f"answering {answers}",
            )
        self._tell_ready()

    def _note_back(self) -> None:
        if self._away is not None:
            self._away = None
            log.info(f"{self._loop.name}.source-back", position=self._position)
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self._has_index and not self._ready:
            self._ready = True
            self._loop.post(self._on_ready)


def _gently(everything: Everything) -> Iterator[Listing]:
    """The listings, with short sleeps between that let the loop answer meanwhile."""
    for number, listing in enumerate(everything.listings):
        if number % _BREATH_EVERY == 0:
            time.sleep(_BREATH)
        yield listing
