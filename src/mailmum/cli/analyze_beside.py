"""Logs that Rspamd writes itself, read along with the mail logs.

They tell scores by queue id.  Read before the mail logs, or after them, all scores or all messages
would have to be remembered; so they are read in step: with each piece of a mail log, what Rspamd
wrote up to its last line.  A time of Rspamd's is local and has no zone, like those of classic
syslog, and as text it sorts by itself.
"""

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo

from mailmum.cli.analyze_files import Log
from mailmum.postfix.log.clock import Clock
from mailmum.postfix.log.headers import entry
from mailmum.postfix.log.reader import Settings

_STAMP = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_LONGEST = 1 << 20


def is_beside(head: bytes) -> bool:
    """Whether a log begins as Rspamd's own."""
    line = head.partition(b"\n")[0].decode("utf-8", "replace")
    read = entry(line) if _STAMP.match(head) else None
    return read is not None and not read.host


class Beside:
    """One such log.

    Attributes:
        log: which.
    """

    def __init__(self, log: Log, zone: tzinfo) -> None:
        self.log = log
        self._zone = zone
        self._blocks = log.blocks()
        self._lines = b""

    def until(self, moment: float | None) -> Iterator[bytes]:
        """Whole lines down to a moment; None: all.

        Raises:
            DamagedError: it cannot be read on.
        """
        stamp = _stamp(moment, self._zone)
        while self._lines or self._more():
            end = _end(self._lines, stamp)
            lines, self._lines = self._lines[:end], self._lines[end:]
            if lines:
                yield lines
            if self._lines:
                return

    def _more(self) -> bool:
        """Read on to the end of a line; whether there was more."""
        found = b""
        for block in self._blocks:
            found += block
            end = found.rfind(b"\n") + 1
            if end or len(found) > _LONGEST:
                self._lines, rest = found[: end or None], found[end:] if end else b""
                self._blocks = _before(rest, self._blocks)
                return True
        self._lines = found + b"\n" if found else b""
        return bool(found)


class Steps:
    """Cuts a mail log into pieces of whole lines, each with the moment of its last line."""

    def __init__(self, settings: Settings) -> None:
        self._clock = Clock(settings.now, settings.zone)
        self._rest = b""

    def pieces(self, block: bytes) -> Iterator[tuple[bytes, float | None]]:
        """What a block completes; the moment is None where none was found."""
        data = self._rest + block
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _LONGEST:
            end = len(data)
        self._rest = data[end:]
        if end:
            yield data[:end], self._moment(data, end - 1)

    def _moment(self, data: bytes, end: int) -> float | None:
        line = data[data.rfind(b"\n", 0, end) + 1 : end]
        read = entry(line[:_LONGEST].decode("utf-8", "replace"))
        return None if read is None else self._clock.read(read.stamp)


def _before(rest: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if rest:
        yield rest
    yield from blocks


def _stamp(moment: float | None, zone: tzinfo) -> bytes:
    if moment is None:
        return b"~"  # behind all digits
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S").encode()


def _end(lines: bytes, stamp: bytes) -> int:
    """Where the first line begins that is later; a line without a time is one with that before."""
    at = lines.rfind(b"\n", 0, len(lines) - 1) + 1
    if _STAMP.match(lines, at) and lines[at : at + 19] <= stamp:
        return len(lines)
    at = 0
    while at < len(lines):
        if _STAMP.match(lines, at) and lines[at : at + 19] > stamp:
            return at
        at = lines.find(b"\n", at) + 1 or len(lines)
    return at
