r"""Reading on where the reader itself fails: the line that makes it raise is skipped, no other.

A fault of ours that some line brings to light must not stop a log from being followed: what follows
would be tried again for ever.  So a piece that makes the reader raise is read again from the state
before it, in halves, down to the line; that line is counted as not understood, and reading goes on
behind it.

When several lines in a row fail it is not they that are wrong, but what the reader holds: then it
begins with nothing.  At most what was still open is unknown, as after a restart without its state.

Sessions and messages that are held until their time has come, or the log ends, are handled one by
one: one that makes the reader fail is left out, and counts as a line does.

Whoever follows a log has the state before each piece, since it is kept with what was found.
`Whole` reads a log once and for all: it takes the state down now and then only, and keeps what it
has read since.  Both take memory beside the reader's own, so there is never more of them at a time
than is needed.

    >>> from datetime import UTC
    >>> from mailmum.postfix.log.reader import Settings
    >>> reader = LogReader(Settings(now=1795600000.0, zone=UTC, hold=None))
    >>> read = read_carefully(reader, None, b"what is no log\n", now=1795600000.0)
    >>> read.reader is reader, read.skipped
    (True, [])
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from mailmum.domain.errors import FAULTS
from mailmum.postfix.log.book import attempted
from mailmum.postfix.log.reader import Found, LogReader

_IN_A_ROW = 3
TAKEN_DOWN = 1 << 23
"""Bytes after which `Whole` takes the state down again."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that was skipped.

    Attributes:
        line: its bytes, as far as they were handed over; empty for what was held.
        fault: what the reader raised.
    """

    line: bytes
    fault: BaseException


@dataclass(slots=True)
class Read:
    """What came of a piece.

    Attributes:
        reader: reads on; another one than before when there was a fault.
        found: what was found.
        skipped: lines that were skipped.
        emptied: how often the reader had to begin with nothing.
    """

    reader: LogReader
    found: Found = field(default_factory=lambda: Found([], []))
    skipped: list[Skipped] = field(default_factory=list)
    emptied: int = 0


def read_carefully(reader: LogReader, state: bytes | None, piece: bytes, now: float) -> Read:
    """Read a piece of a log.

    Args:
        reader: reads it; not to be used any more, `Read.reader` is.
        state: its dump as it is now; None before it has read anything.
        piece: the next bytes.
        now: Unix time, for `LogReader.skipped`.
    """
    try:
        return Read(reader, reader.feed(piece))
    except FAULTS:
        return _Careful(reader, state, now).read(piece)


def tick_carefully(reader: LogReader, state: bytes | None, time: float, now: float) -> Read:
    """Hand out what has waited long enough, without what cannot be.

    Args:
        reader, state, now: as of `read_carefully`.
        time: that of the tick.
    """
    try:
        return Read(reader, reader.tick(time))
    except FAULTS:
        return _Careful(reader, state, now).tick(time)


class Whole:
    """Reads a log, or several one after the other, to the end.

    Attributes:
        reader: reads just now; another one after a fault.
    """

    def __init__(self, reader: LogReader, now: float) -> None:
        self.reader = reader
        self._now = now
        self._state: bytes | None = None
        self._since: list[bytes] = []
        self._size = 0

    def feed(self, block: bytes) -> Read:
        """Read the next bytes."""
        found: Found | None = None
        with suppress(*FAULTS):
            found = self.reader.feed(block)
        if found is None:  # the fault, whose frames hold the reader that is given up, is gone
            return self._again(block)
        self._since.append(block)
        self._size += len(block)
        if self._size >= TAKEN_DOWN:
            self._take_down()
        return Read(self.reader, found)

    def finish(self) -> Read:
        """All that is still open."""
        attempts = _Attempts(self.reader, self._now)
        try:
            found = self.reader.finish()
        except FAULTS as fault:  # the last line, which has no end
            attempts.leave_out(fault)
            found = self.reader.finish()
        return Read(self.reader, found, attempts.skipped)

    def _again(self, block: bytes) -> Read:
        """What was read since the state was taken down once more, and then this block with care."""
        settings = self.reader.settings
        self.reader = LogReader(settings)
        if self._state is not None:
            self.reader = LogReader.load(self._state, settings)
        for one in self._since:
            self.reader.feed(one)
        self._take_down()
        read = read_carefully(self.reader, self._state, block, self._now)
        self.reader = read.reader
        self._take_down()
        return read

    def _take_down(self) -> None:
        self._since.clear()
        self._size = 0
        self._state = None
        self._state = self.reader.dump()


class _Attempts:
    """What is held and cannot be handled is left out."""

    def __init__(self, reader: LogReader, now: float) -> None:
        self.skipped: list[Skipped] = []
        self._reader = reader
        self._now = now
        reader.attempt = self

    def __call__(self, do: Callable[..., object], *args: object) -> None:
        """Do something with one thing that is held."""
        try:
            do(*args)
        except FAULTS as fault:
            self.leave_out(fault)

    def leave_out(self, fault: BaseException) -> None:
        """Count what failed."""
        self._reader.passed_over(self._now)
        self.skipped.append(Skipped(b"", fault))


class _Careful:
    """One piece in which something is wrong."""

    def __init__(self, reader: LogReader, state: bytes | None, now: float) -> None:
        self._settings = reader.settings
        self._state = state
        self._now = now
        self._in_a_row = 0
        self._read = Read(reader)
        self._begin_anew()

    def read(self, piece: bytes) -> Read:
        """Read it, without the lines that cannot be."""
        self._part(_lines(piece))
        return self._done()

    def tick(self, time: float) -> Read:
        """Hand out what has waited long enough, without what cannot be."""
        self._take(self._read.reader.tick(time))
        return self._done()

    def _done(self) -> Read:
        self._read.reader.attempt = attempted
        return self._read

    def _part(self, lines: list[bytes]) -> None:
        """Some lines, the reader standing before them."""
        try:
            found = self._read.reader.feed(b"".join(lines))
        except FAULTS as fault:
            self._begin_anew()
            if len(lines) > 1:
                half = len(lines) // 2
                self._part(lines[:half])
                self._part(lines[half:])
            else:
                self._skip(lines[0], fault)
            return
        self._take(found)
        self._state = self._read.reader.dump()
        self._in_a_row = 0

    def _take(self, found: Found) -> None:
        self._read.found.sightings.extend(found.sightings)
        self._read.found.updates.extend(found.updates)
        self._read.skipped.extend(self._attempts.skipped)
        self._attempts.skipped.clear()

    def _skip(self, line: bytes, fault: BaseException) -> None:
        self._in_a_row += 1
        if self._in_a_row == _IN_A_ROW:
            self._begin_anew(empty=True)
            self._read.emptied += 1
        reader = self._read.reader
        reader.skip(line, self._now)
        self._read.skipped.append(Skipped(line, fault))
        self._state = reader.dump()

    def _begin_anew(self, *, empty: bool = False) -> None:
        """With the reader as it was before."""
        if self._state is None:
            reader = LogReader(self._settings)
        else:
            reader = LogReader.load(self._state, self._settings, empty=empty)
        self._read.reader, self._attempts = reader, _Attempts(reader, self._now)


def _lines(piece: bytes) -> list[bytes]:
    """Lines as the reader knows them: only a line feed ends one."""
    lines = [line + b"\n" for line in piece.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
