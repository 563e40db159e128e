r"""One file of a log, opened: the log itself, or an older part of it that has been put aside.

A file is known again by its device and inode, and by a digest of its first bytes: inodes are used
again, and a log that is copied and cut off (logrotate's copytruncate) keeps its inode with other
content.  The digest covers at most `HEAD` bytes, and never more than have been read, so that it
stays the same while the file grows.

    >>> at = Place(device=1, inode=2, offset=0)
    >>> Place.parse(at.text()) == at
    True
"""

import gzip
import json
import os
import stat
import zlib
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

HEAD = 1024
# Reading a compressed file may fail in all these ways, while it is being written for example.
GZIP_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)
_LARGEST = 2**63


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file.

    Attributes:
        device: of the file.
        inode: of the file.
        offset: of the next byte to read.
        head: how many of its first bytes the digest covers.
        digest: of these.
        written: when it was last written to, in nanoseconds.
    """

    device: int
    inode: int
    offset: int
    head: int = 0
    digest: str = ""
    written: int = 0

    def text(self) -> str:
        """The same as text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read what `text` wrote.

        Raises:
            ValueError: it is something else.
        """
        given = json.loads(text)
        if not isinstance(given, dict) or set(given) != set(cls.__slots__):
            raise ValueError("not a place in a file")
        numbers = [value for name, value in given.items() if name != "digest"]
        if not isinstance(given["digest"], str) or not all(_is_number(one) for one in numbers):
            raise ValueError("not a place in a file")
        return cls(**given)


class LogFile(Protocol):
    """An opened file of a log."""

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        ...

    @property
    def written(self) -> int:
        """When it was last written to, in nanoseconds."""
        ...

    def read(self, offset: int, count: int) -> bytes:
        """Bytes at an offset, fewer at the end."""
        ...

    def reaches(self, offset: int) -> bool:
        """Whether it is as long as that, at least."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class PlainFile:
    """A file as it is."""

    def __init__(self, path: Path) -> None:
        # Not to wait for a writer, should somebody have put a pipe there.
        self._handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(self._handle)
        self.identity = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise NotAFile

    @property
    def written(self) -> int:
        """When it was last written to, in nanoseconds."""
        return os.fstat(self._handle).st_mtime_ns

    def read(self, offset: int, count: int) -> bytes:
        """Bytes at an offset, fewer at the end."""
        return os.pread(self._handle, count, offset)

    def reaches(self, offset: int) -> bool:
        """Whether it is as long as that, at least."""
        return os.fstat(self._handle).st_size >= offset

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)


class GzipFile:
    """An older part that has been compressed; offsets are those before that.

    It does not change any more.  To go back in it is to decompress it anew, so its first bytes and
    how far it has been read are remembered.
    """

    def __init__(self, path: Path) -> None:
        self._file = gzip.open(path)  # noqa: SIM115 - it stays open
        status = os.fstat(self._file.fileno())
        self.identity = (status.st_dev, status.st_ino)
        self.written = status.st_mtime_ns
        self._first = b""
        self._reached, self._damaged = 0, _LARGEST
        self._first = self.read(0, HEAD)

    def read(self, offset: int, count: int) -> bytes:
        """Bytes at an offset, fewer at the end; nothing of what cannot be decompressed."""
        if offset + count <= len(self._first):
            return self._first[offset : offset + count]
        data = bytearray()
        try:
            if offset < self._damaged:
                self._file.seek(offset)
                while len(data) < count and (piece := self._file.read1(count - len(data))):
                    data += piece
        except GZIP_ERRORS:
            self._damaged = offset + len(data)
        if data:
            self._reached = max(self._reached, offset + len(data))
        return bytes(data)

    def reaches(self, offset: int) -> bool:
        """Whether it is as long as that, at least."""
        return offset <= self._reached or len(self.read(offset - 1, 1)) == 1

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


class NotAFile(OSError):
    """A folder or a device in the place of a log."""

    strerror = "it is not a file"


def open_file(path: Path) -> LogFile:
    """Open a log or a part of one.

    Raises:
        OSError: it cannot be opened.
    """
    return GzipFile(path) if path.suffix == ".gz" else PlainFile(path)


def holds(file: LogFile, place: Place) -> bool:
    """Whether the file begins as that of the place did, and is as long as it was read."""
    return file.reaches(place.offset) and _digest(file, place.head) == place.digest


def place_in(file: LogFile, offset: int, known: Place | None = None) -> Place:
    """The place at an offset of a file.

    Args:
        file: the file.
        offset: how far it has been read.
        known: a place in the same file before, whose digest may already cover enough.
    """
    device, inode = file.identity
    head = min(offset, HEAD)
    digest = known.digest if known and known.head == head else _digest(file, head)
    return Place(device, inode, offset, head, digest, file.written)


def _digest(file: LogFile, head: int) -> str:
    return blake2b(file.read(0, head), digest_size=12).hexdigest() if head else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST
