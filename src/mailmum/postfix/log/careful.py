r"""Reading on where the reader itself fails: the line that makes it raise is skipped, no other.

A fault of ours that some line brings to light must not stop a log from being followed: what follows
would be tried again for ever.  So a piece that makes the reader raise is read again from the state
before it, in halves, down to the line; that line is counted as not understood, and reading goes on
behind it.

When several lines in a row fail it is not they that are wrong, but what the reader holds: then it
begins with nothing.  At most what was still open is unknown, as after a restart without its state.

    >>> from datetime import UTC
    >>> from mailmum.postfix.log.reader import Settings
    >>> reader = LogReader(Settings(now=1795600000.0, zone=UTC, hold=None))
    >>> read = read_carefully(reader, None, b"what is no log\n", now=1795600000.0)
    >>> read.reader is reader, read.skipped
    (True, [])
"""

from dataclasses import dataclass, field

from mailmum.domain.errors import FAULTS
from mailmum.postfix.log.reader import Found, LogReader

_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that was skipped.

    Attributes:
        line: its bytes, as far as they were handed over.
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


class _Careful:
    """One piece in which something is wrong."""

    def __init__(self, reader: LogReader, state: bytes | None, now: float) -> None:
        self._settings = reader.settings
        self._state = state
        self._now = now
        self._in_a_row = 0
        self._read = Read(self._anew())

    def read(self, piece: bytes) -> Read:
        """Read it, without the lines that cannot be."""
        self._part(_lines(piece))
        return self._read

    def _part(self, lines: list[bytes]) -> None:
        """Some lines, the reader standing before them."""
        try:
            found = self._read.reader.feed(b"".join(lines))
        except FAULTS as fault:
            self._read.reader = self._anew()
            if len(lines) > 1:
                half = len(lines) // 2
                self._part(lines[:half])
                self._part(lines[half:])
            else:
                self._skip(lines[0], fault)
            return
        self._read.found.sightings.extend(found.sightings)
        self._read.found.updates.extend(found.updates)
        self._state = self._read.reader.dump()
        self._in_a_row = 0

    def _skip(self, line: bytes, fault: BaseException) -> None:
        self._in_a_row += 1
        if self._in_a_row == _IN_A_ROW:
            self._read.reader = self._anew(empty=True)
            self._read.emptied += 1
        reader = self._read.reader
        reader.skip(line, self._now)
        self._read.skipped.append(Skipped(line, fault))
        self._state = reader.dump()

    def _anew(self, *, empty: bool = False) -> LogReader:
        """The reader as it was before."""
        if self._state is None:
            return LogReader(self._settings)
        return LogReader.load(self._state, self._settings, empty=empty)


def _lines(piece: bytes) -> list[bytes]:
    """Lines as the reader knows them: only a line feed ends one."""
    lines = [line + b"\n" for line in piece.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
