r"""What children print: whole lines passed on, the last ones remembered.

Two rules.  Lines of different children never mix, so bytes are passed on line by line.  And a
child never waits for whoever reads the log: a stopped terminal (Ctrl-S) or a stuck pipe must not
stop the answers to mail servers, so a thread of its own does the writing, from a queue of bounded
length, and says how many lines it had to drop.

    >>> lines = Lines()
    >>> lines.feed(b"mailmum: port 53 is taken; choose"), lines.feed(b" another\nbye\n")
    ([], [b'mailmum: port 53 is taken; choose another\n', b'bye\n'])
    >>> lines.last_words()
    'mailmum: port 53 is taken; choose another'
"""

import os
import queue
import threading
from collections import deque
from contextlib import suppress

LONGEST_LINE = 16384
_REMEMBERED = 20
_QUEUED = 10_000
_OWN_MESSAGE = b"mailmum: "


class Lines:
    """Splits one child's output into lines of at most `LONGEST_LINE` bytes, newline included."""

    def __init__(self) -> None:
        self._rest = b""
        self._recent: deque[bytes] = deque(maxlen=_REMEMBERED)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) >= LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        lines = [piece for line in whole for piece in _pieces(line)]
        self._recent.extend(line for line in lines if line.strip())
        return [line + b"\n" for line in lines]

    def finish(self) -> list[bytes]:
        """A last line that lacks its newline."""
        return self.feed(b"\n") if self._rest else []

    def last_words(self) -> str:
        """The newest message of the form `mailmum: ...`, else the newest line, else nothing."""
        own = (line for line in reversed(self._recent) if line.startswith(_OWN_MESSAGE))
        line = next(own, self._recent[-1] if self._recent else b"")
        return line.decode(errors="backslashreplace").strip()[:1000]


def _pieces(line: bytes) -> list[bytes]:
    size = LONGEST_LINE - 1
    return [line[at : at + size] for at in range(0, len(line), size)] or [b""]


class Relay:
    """Writes lines to a descriptor without ever keeping the caller waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        self._dropped = 0
        # A daemon thread: a reader that never reads must not keep the process from ending.
        self._thread = threading.Thread(target=self._write_all, name="relay", daemon=True)
        self.started = False
        """Whether its thread runs: until then lines only queue, and the process may fork."""

    def start(self) -> None:
        """Begin to write, if it has not begun."""
        if not self.started:
            self.started = True
            self._thread.start()

    def pass_on(self, lines: list[bytes]) -> None:
        """Queue lines; what does not fit is dropped and counted."""
        for line in lines:
            self._put(line)

    def close(self, timeout: float = 1.0) -> None:
        """Write what is queued, for at most `timeout` seconds."""
        self.start()
        with suppress(queue.Full):
            self._queue.put(None, timeout=timeout)
            self._thread.join(timeout)

    def _put(self, line: bytes) -> None:
        if self._dropped:
            line = f"mailmum: {self._dropped} log lines were dropped here\n".encode() + line
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1
        else:
            self._dropped = 0

    def _write_all(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                _write(self._descriptor, line)
            except OSError:
                # The log's reader has gone.  Nothing is left to tell it to; keep emptying the
                # queue, since the children go on.
                continue


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
