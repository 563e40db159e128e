"""The logs that `analyze` reads: files, pipes and standard input, oldest first.

A shell lists mail.log before mail.log.1 and that before mail.log.2.gz, which is backwards; sessions
and messages that go on from one file to the next are joined only when the older one is read first.
So logs are put in the order of the first moment in each.  Those in which no moment is found keep
their place behind the one before them.
"""

import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from mailmum.cli.analyze_unpack import DamagedError, unpacked
from mailmum.cli.failures import Failure

PIECE = 1 << 18
_HEAD = 1 << 16


class Log:
    """One log.

    Attributes:
        name: as it was given.
        size: bytes, or None where that is not known.
        changed: Unix time of its last change, or None.
        taken: bytes read so far, as they lie on disk.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size: int | None = None
        self.changed: float | None = None
        self.taken = 0
        self._stream: BinaryIO | None = None
        self._kept: list[bytes] = []
        if name != "-":
            self._look()

    def head(self) -> bytes:
        """The first part, unpacked; it will be read again."""
        found = b""
        pieces = self._pieces()
        seen: list[bytes] = []
        try:
            for piece in unpacked(_noted(pieces, seen)):
                found += piece
                if len(found) >= _HEAD:
                    break
        except DamagedError:
            pass  # told when it is read
        if self.size is None:
            # A pipe gives its bytes once.
            self._kept, self.taken = seen, 0
        else:
            self.close()
        return found[:_HEAD]

    def blocks(self) -> Iterator[bytes]:
        """All of it, unpacked.

        Raises:
            DamagedError: it cannot be read on; all before it has been given.
        """
        with closing(self):
            yield from unpacked(self._pieces())

    def close(self) -> None:
        """Give back what is open."""
        if self._stream is not None and self._stream is not sys.stdin.buffer:
            self._stream.close()
        self._stream, self.taken = None, 0

    def _look(self) -> None:
        # A pipe is not opened before it is read: its writer would see it closed again.
        try:
            status = Path(self.name).stat()
            if stat.S_ISDIR(status.st_mode):
                raise Failure(
                    f"{self.name} is a folder",
                    f"name the logs in it, such as {Path(self.name) / 'mail.log*'}",
                    code="bad-input",
                )
            if stat.S_ISREG(status.st_mode):
                _open(self.name).close()
                self.size, self.changed = status.st_size, status.st_mtime
        except OSError as error:
            raise _unreadable(self.name, error) from None

    def _pieces(self) -> Iterator[bytes]:
        kept, self._kept = self._kept, []
        for piece in kept:
            self.taken += len(piece)
            yield piece
        if self._stream is None:
            self._stream = _open(self.name)
        while piece := self._read(self._stream):
            self.taken += len(piece)
            yield piece

    def _read(self, stream: BinaryIO) -> bytes:
        try:
            return stream.read1(PIECE) if hasattr(stream, "read1") else stream.read(PIECE)
        except OSError as error:
            raise DamagedError(f"it cannot be read on ({error.strerror})") from None


def in_order(logs: Sequence[Log], moment: Callable[[bytes], float | None]) -> list[Log]:
    """The logs, oldest first; `moment` finds the first time in the beginning of one."""
    if len(logs) < 2:
        return list(logs)
    placed: list[tuple[float, int, Log]] = []
    before = float("-inf")
    for at, log in enumerate(logs):
        found = moment(log.head())
        before = found if found is not None else before
        placed.append((before, at, log))
    return [log for _, _, log in sorted(placed, key=lambda one: one[:2])]


def _open(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise _unreadable(name, error) from None


def _noted(pieces: Iterator[bytes], seen: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        seen.append(piece)
        yield piece


def _unreadable(name: str, error: OSError) -> Failure:
    if isinstance(error, PermissionError):
        fix = "run it as somebody who may read it (on Debian root, or a member of the group adm)"
    else:
        fix = "check the path; on Debian the mail log is /var/log/mail.log, or in journald"
    return Failure(f"{name} cannot be read: {error.strerror}", fix, code="bad-input")
