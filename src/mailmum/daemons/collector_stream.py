"""One followed log: read, understood and kept, each line exactly once.

What was found, the position after it and the reader's state are kept in one transaction.  Whatever
goes wrong, the stream is begun anew from what is kept: after a crash, when the database was away,
when somebody else has followed the same log meanwhile.  So there is nothing here to lose.

While the database is away nothing is read either: the log itself waits.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

import structlog

from mailmum.daemons.collector_store import Destination, OutOfStep, Stood, Store
from mailmum.daemons.positions import Position
from mailmum.daemons.skip_log import SkipLog
from mailmum.daemons.tailing import FollowedLog, Trouble
from mailmum.daemons.tailing_sources import WantedLog, open_source
from mailmum.domain.errors import Refusal
from mailmum.index.records import SourceUnavailable
from mailmum.postfix.log.careful import read_carefully, tick_carefully
from mailmum.postfix.log.reader import Found, LogReader, Settings

log = structlog.get_logger()

HOLD = 30.0
"""Seconds for which an accepted message waits for its delivery, which alone names its recipients.
What is rejected waits for nothing."""


@dataclass(frozen=True, slots=True)
class StreamPace:
    """How often things are done; seconds.

    Attributes:
        poll: between two looks at a log that had nothing new.
        tick: between two looks at what the reader holds back.
        recheck: between two looks at whose log it is, and at troubles.
        retry: before the database is asked again.
    """

    poll: float = 0.25
    tick: float = 1.0
    recheck: float = 5.0
    retry: float = 2.0


@dataclass(slots=True)
class State:
    """How a stream fares, for whoever wants to know; one thread writes it.

    Attributes:
        to: whose log it is, None when that is not known.
        trouble: why it is not followed just now.
        read: Unix time at which lines came last, 0 for never.
        lines: lines read since the process began.
        unrecognised: of these, how many of mail programs were not understood.
    """

    to: Destination | None = None
    trouble: Trouble | None = None
    read: float = 0.0
    lines: int = 0
    unrecognised: int = 0


@dataclass(slots=True)
class _Run:
    """One run of a stream, from what was kept."""

    to: Destination
    reader: LogReader
    log: FollowedLog
    position: Position
    after: str | None
    state: bytes | None
    ticked: float = field(default_factory=time.monotonic)
    checked: float = field(default_factory=time.monotonic)


class Stream:
    """Follows one log until it is told to stop.

    Args:
        wanted: which log, and whose.
        store: where sightings go.
        stopping: set when all shall end.
        zone: of the times in classic syslog headers.
        pace: how often things are done.
    """

    def __init__(
        self,
        wanted: WantedLog,
        store: Store,
        stopping: threading.Event,
        zone: tzinfo = UTC,
        pace: StreamPace | None = None,
    ) -> None:
        self.wanted = wanted
        self.state = State()
        self._store = store
        self._stopping = stopping
        self._zone = zone
        self._pace = pace or StreamPace()
        self._skips = SkipLog("collect.line_skipped")
        # A database that can be read may still not take anything, as on a full disk.
        self._doubted = False

    def run(self) -> None:
        """Follow it until all shall end."""
        try:
            self._run()
        finally:
            if not self._stopping.is_set():
                # The thread dies, which is printed, and is started again.
                self.state.trouble = Trouble(
                    "reading it failed by a fault of ours", "see the log of collect; tell us"
                )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Refusal as refusal:
                self._complain(Trouble(refusal.problem, refusal.fix))
                self._stopping.wait(self._pace.recheck)
            except SourceUnavailable as away:
                self._doubted = True
                self._complain(Trouble(f"the database is away: {away}", "it is tried again"))
                self._stopping.wait(self._pace.retry)
            except OutOfStep:
                log.warning("collect.out_of_step", log=str(self.wanted), again=True)
                self._stopping.wait(self._pace.retry)

    def _follow(self) -> None:
        to = self._store.destination(self.wanted)
        run = self._begin(to, self._store.stands(to, self.wanted.stream))
        self.state.to = to
        if not self._doubted:
            self._complain(None)
            log.info("collect.following", log=str(self.wanted), server=to.server)
        try:
            while not self._stopping.is_set():
                if not self._read(run):
                    self._stopping.wait(self._pace.poll)
                if self._due(run) and self._store.destination(self.wanted) != to:
                    return
        finally:
            run.log.close()

    def _begin(self, to: Destination, stood: Stood | None) -> _Run:
        settings = Settings(now=time.time(), zone=self._zone, hold=HOLD)
        position, reader, state = Position.start(), LogReader(settings), None
        if stood is not None:
            try:
                position = Position.parse(stood.position)
                reader, state = LogReader.load(stood.state, settings), stood.state
            except ValueError as error:
                # Of another version, or damaged: at most what was just being read is unknown.
                log.warning("collect.state_unusable", log=str(self.wanted), reason=str(error))
        try:
            opened = open_source(self.wanted.source, position.at)
        except ValueError as error:
            log.warning("collect.position_unusable", log=str(self.wanted), reason=str(error))
            opened = open_source(self.wanted.source, None)
        return _Run(to, reader, opened, position, stood.position if stood else None, state)

    def _read(self, run: _Run) -> bool:
        """Read a piece and keep what is in it; whether there was one."""
        piece = run.log.read()
        if run.log.gap:
            log.warning("collect.gap", log=str(self.wanted), reason=run.log.gap)
            run.log.gap = ""
        if piece is None:
            self._tick(run)
            self._well(run)
            return False
        lines, unrecognised = run.reader.lines, run.reader.unrecognised
        read = read_carefully(run.reader, run.state, piece.data, time.time())
        run.reader = read.reader
        self._skips.tell(read, log=str(self.wanted))
        self._keep(run, read.found, piece.at)
        self._well(run)
        self.state.read = time.time()
        self.state.lines += run.reader.lines - lines
        self.state.unrecognised += run.reader.unrecognised - unrecognised
        return True

    def _tick(self, run: _Run) -> None:
        """Hand out what has been held back long enough."""
        now = time.monotonic()
        if now - run.ticked < self._pace.tick:
            return
        run.ticked = now
        clock = time.time()
        read = tick_carefully(run.reader, run.state, clock, clock)
        run.reader = read.reader
        self._skips.tell(read, log=str(self.wanted))
        if read.found.sightings or read.found.updates or read.skipped:
            self._keep(run, read.found, run.position.at)

    def _keep(self, run: _Run, found: Found, at: str | None) -> None:
        position = run.position.then(at)
        stood = Stood(position.text(), run.reader.dump())
        self._store.keep(run.to, self.wanted.stream, found, stood, run.after)
        run.position, run.after, run.state = position, stood.position, stood.state

    def _due(self, run: _Run) -> bool:
        now = time.monotonic()
        if now - run.checked < self._pace.recheck:
            return False
        run.checked = now
        return True

    def _well(self, run: _Run) -> None:
        """The database does what it is asked for; the log itself may be in trouble."""
        self._doubted = False
        self._complain(run.log.trouble)

    def _complain(self, trouble: Trouble | None) -> None:
        before, self.state.trouble = self.state.trouble, trouble
        if trouble is not None and trouble != before:
            log.warning(
                "collect.trouble", log=str(self.wanted), problem=trouble.problem, fix=trouble.fix
            )
        elif trouble is None and before is not None:
            log.info("collect.well_again", log=str(self.wanted))
