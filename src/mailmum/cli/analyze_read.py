"""Logs through the reader of mail logs into whatever counts or prints the sightings."""

import gc
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Protocol

from mailmum.cli.analyze_beside import Beside, Steps, is_beside
from mailmum.cli.analyze_files import Log, in_order
from mailmum.cli.analyze_unpack import DamagedError
from mailmum.cli.analyze_window import Window
from mailmum.cli.failures import Failure
from mailmum.cli.progress import Bar
from mailmum.postfix.log.careful import Read, Whole
from mailmum.postfix.log.reader import Found, LogReader, Settings
from mailmum.traffic.sightings import Sighting, Update

_NOT_A_LOG = (
    "name the mail log (on Debian /var/log/mail.log), or have journald give it: "
    "journalctl --facility=mail -o json | mailmum analyze -"
)


class Sink(Protocol):
    """Where sightings go."""

    def take(self, sightings: Iterable[Sighting], /) -> None:
        """Take sightings."""

    def update(self, updates: Iterable[Update], /) -> None:
        """Take what became known of earlier ones."""


@dataclass(slots=True)
class Input:
    """What was read.

    Attributes:
        files: names of the logs, in the order in which they were read.
        zone: of times that name none, and of all that are shown.
        window: the time that was looked at.
        lines: all that were read.
        foreign: those of other programs than a mail server's.
        unrecognised: those of a mail server that were not understood.
        samples: some of these.
        failed: lines that made the reader itself fail and were passed over; most are among those
            that were not understood.
        outside: sightings out of the window, with the times of the first and the last.
        damaged: logs that could not be read to their end, each in a sentence.
        notices: what else was odd about a log, each in a sentence.
    """

    files: list[str]
    zone: tzinfo
    window: Window
    lines: int = 0
    foreign: int = 0
    unrecognised: int = 0
    samples: Sequence[str] = ()
    failed: int = 0
    outside: int = 0
    outside_first: float | None = None
    outside_last: float | None = None
    damaged: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def read(names: Sequence[str], settings: Settings, window: Window, sink: Sink, bar: Bar) -> Input:
    """Read all logs, oldest first.

    Raises:
        Failure: one is not there, or none of them is a mail log.
    """
    logs = [Log(name) for name in names]
    settings = replace(settings, now=_as_of(logs, settings.now))
    beside = [log for log in logs if is_beside(log.head())] if len(logs) > 1 else []
    alone = beside if len(beside) == len(logs) else []
    logs = alone or in_order(
        [log for log in logs if log not in beside], lambda head: _first_moment(head, settings)
    )
    every = logs if alone else [*logs, *beside]
    told = Input([log.name for log in every], settings.zone, window)
    run = _Run(told, Whole(LogReader(settings), time.time()), sink, bar, _total(every))
    if not alone:
        run.beside = [Beside(log, settings.zone) for log in beside]
        run.steps = Steps(settings) if beside else None
    # Nothing here makes cycles, and to look for them among the sightings takes its time.
    gc.disable()
    try:
        for log in logs:
            run.read(log)
        run.finish()
    finally:
        gc.enable()
    if told.lines and told.foreign == told.lines:
        which = f"{told.files[0]} is" if len(logs) == 1 else "these files are"
        what = f"none of {told.lines:,} lines" if told.lines > 1 else "its one line"
        raise Failure(
            f"{which} no mail log: {what} comes from a mail server", _NOT_A_LOG, code="bad-input"
        )
    return told


class _Run:
    """One reading of all logs."""

    def __init__(self, told: Input, whole: Whole, sink: Sink, bar: Bar, size: int | None) -> None:
        self._told = told
        self._whole = whole
        self._sink = sink
        self._bar = bar
        self._size = size
        self._done = 0
        self._fault: BaseException | None = None
        self.beside: list[Beside] = []
        self.steps: Steps | None = None

    def read(self, log: Log) -> None:
        """Read one log; where it cannot be read on, what came before counts."""
        before = self._whole.reader
        lines, foreign = before.lines, before.foreign
        block = b""
        try:
            for block in log.blocks():
                self._feed(block)
                self._bar.read(log.name, self._taken() + log.taken, self._size)
        except DamagedError as error:
            self._damaged(log, error)
        if block and not block.endswith(b"\n"):
            # A last line without an end is complete, and no part of the next file's first.
            self._feed(b"\n")
        self._done += log.size or 0
        reader = self._whole.reader
        self._judge(log, reader.lines - lines, reader.foreign - foreign)

    def _feed(self, block: bytes) -> None:
        if self.steps is None:
            self._take(self._whole.feed(block))
            return
        for piece, moment in self.steps.pieces(block):
            if moment is not None:
                self._read_beside(moment)
            self._take(self._whole.feed(piece))

    def _read_beside(self, moment: float | None) -> None:
        """Read on in the logs that go along; None: to their ends."""
        for one in list(self.beside):
            try:
                for lines in one.until(moment):
                    self._take(self._whole.feed(lines))
            except DamagedError as error:
                self._damaged(one.log, error)
                self.beside.remove(one)

    def _damaged(self, log: Log, error: DamagedError) -> None:
        self._told.damaged.append(f"{log.name}: {error}; what came before it counts")

    def _taken(self) -> int:
        return self._done + sum(one.log.taken for one in self.beside)

    def finish(self) -> None:
        """Take what was still open."""
        told = self._told
        self._read_beside(None)
        self._take(self._whole.finish())
        reader = self._whole.reader
        told.lines, told.foreign = reader.lines, reader.foreign
        told.unrecognised, told.samples = reader.unrecognised, tuple(reader.samples)
        told.failed = reader.skipped.lines
        if told.failed:
            told.notices.append(_failed(told.failed, self._fault))

    def _take(self, read: Read) -> None:
        for one in read.skipped[:1]:
            self._fault = self._fault or one.fault
        self._give(read.found)

    def _give(self, found: Found) -> None:
        window = self._told.window
        if window.is_open:
            self._sink.take(found.sightings)
            self._sink.update(found.updates)
            return
        self._sink.take([seen for seen in found.sightings if self._inside(seen.time)])
        self._sink.update([news for news in found.updates if window.holds(news.time)])

    def _inside(self, time: float) -> bool:
        told = self._told
        if told.window.holds(time):
            return True
        told.outside += 1
        told.outside_first = min(time, told.outside_first or time)
        told.outside_last = max(time, told.outside_last or time)
        return False

    def _judge(self, log: Log, lines: int, foreign: int) -> None:
        if not lines:
            self._told.notices.append(f"{log.name}: it is empty")
        elif foreign == lines and len(self._told.files) > 1:
            self._told.notices.append(
                f"{log.name}: none of its {lines:,} lines comes from a mail server"
            )


def _as_of(logs: Sequence[Log], now: float) -> float:
    """When the newest log was last written: times without a year lie before that.

    An old log is read as of its own time, then; of a pipe only the present is known.
    """
    changed = [log.changed for log in logs if log.changed is not None]
    return max(changed) if len(changed) == len(logs) else now


def _first_moment(head: bytes, settings: Settings) -> float | None:
    whole = Whole(LogReader(settings), time.time())
    seen = [*whole.feed(head).found.sightings, *whole.finish().found.sightings]
    return min((one.time for one in seen), default=None)


def _failed(count: int, fault: BaseException | None) -> str:
    lines = "a line made" if count == 1 else f"{count:,} lines made"
    kind = f" ({type(fault).__name__})" if fault is not None else ""
    which = "it was passed over" if count == 1 else "they were passed over"
    return (
        f"{lines} the reader itself fail{kind}, and {which}: a fault of MailMum, not of the log; "
        "--unrecognised shows such lines, tell us of one"
    )


def _total(logs: Sequence[Log]) -> int | None:
    sizes = [log.size for log in logs if log.size is not None]
    return sum(sizes) if len(sizes) == len(logs) else None
