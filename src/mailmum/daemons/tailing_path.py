"""Following a log file through every kind of rotation.

The file that has been read up to now is held open, so nothing that is still written to it is missed
when it is renamed.  It is left for the next one only when that has content and nothing more has
come: a program that has not yet opened its new log writes to the old one.

    renamed       read to its end, then what was put aside since, then the new file
    copied and    found by the changed beginning, or since it is shorter than what was read; the
    cut off       copy is looked for and read on, then the file from its start
    removed       read to its end while it is open; then whatever appears under the name
    missing       waited for

After a new start the file is found by the place alone: under its name, or put aside since, also
when it has been compressed meanwhile.  Without it reading goes on with the first part that was
written later, and `gap` says so.  A log that was never read before is read from its start; what had
been put aside of it is not.
"""

import errno
from pathlib import Path

from mailmum.daemons.tailing import PIECE, Piece, Trouble, own_name
from mailmum.daemons.tailing_files import LogFile, Place, holds, open_file, place_in
from mailmum.daemons.tailing_rotated import Part, Rotating, parts_of


class FileLog:
    """A log file that is followed by its path.

    Args:
        path: of the log.
        at: the place where reading stopped, None for a log that was never read.
        size: how much to read at once.

    Raises:
        ValueError: `at` is not a place.
    """

    def __init__(self, path: Path, at: str | None = None, *, size: int = PIECE) -> None:
        self.trouble: Trouble | None = None
        self.gap = ""
        self._path = path
        self._size = size
        self._place = None if at is None else Place.parse(at)
        self._file: LogFile | None = None

    def read(self) -> Piece | None:
        """The next lines, None when there are none just now."""
        self.trouble = None
        try:
            return self._read()
        except Rotating:
            return None
        except OSError as error:
            self.trouble = _trouble(self._path, error)
            return None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> Piece | None:
        if self._file is None:
            self._open()
        while True:
            file, place = self._opened()
            data = file.read(place.offset, self._size)
            if not holds(file, place):
                # Cut off, before these bytes were read or while they were.
                self._open_again(place)
                continue
            lines = _whole_lines(data, self._size)
            if lines:
                return self._piece(lines, len(lines))
            following = self._following()
            if following is None:
                return None
            if file.read(place.offset, len(data) + 1) != data:
                # Written before the next one was: it comes first.
                following.close()
                continue
            ended = self._end(data)
            self._go_on(following)
            if ended is not None:
                return ended

    def _opened(self) -> tuple[LogFile, Place]:
        assert self._file is not None
        assert self._place is not None
        return self._file, self._place

    def _piece(self, data: bytes, read: int) -> Piece:
        file, place = self._opened()
        self._place = place_in(file, place.offset + read, place)
        return Piece(data, self._place.text())

    def _end(self, rest: bytes) -> Piece | None:
        """A last line that nobody finished."""
        file, place = self._opened()
        within = place.offset and file.read(place.offset - 1, 1) != b"\n"
        return self._piece(rest + b"\n", len(rest)) if rest or within else None

    def _open(self) -> None:
        """Open what is to be read at the start."""
        if self._place is not None and self._find(self._place):
            return
        if self._place is None:
            self._go_on(open_file(self._path))
            return
        self._go_on(self._first_since(self._older(), self._place.written) or open_file(self._path))
        self.gap = f"what was read last of {self._path} is gone"

    def _open_again(self, place: Place) -> None:
        """Open what is to be read after the file has been cut off."""
        self.close()
        if not self._find(place):
            self._go_on(open_file(self._path))

    def _find(self, place: Place) -> bool:
        """Open the file that the place is in, wherever it is now."""
        known = parts_of(self._path)
        # The log itself first, then what was put aside last.
        parts = known[::-1]
        itself = [part for part in parts if part.identity == (place.device, place.inode)]
        # A copy, or compressed: other inode, the same bytes. Of an empty file all would be copies.
        copies = parts if place.head else []
        for part in (*itself, *copies):
            file = part.open()
            if file is None:
                continue
            if holds(file, place):
                self._take(file, place_in(file, place.offset, place))
                return True
            file.close()
        if parts_of(self._path) != known:
            # It may have been compressed while it was looked for.
            raise Rotating
        return False

    def _take(self, file: LogFile, place: Place) -> None:
        self.close()
        self._file, self._place = file, place

    def _go_on(self, file: LogFile) -> None:
        self._take(file, place_in(file, 0))

    def _following(self) -> LogFile | None:
        """The part after the open one, once something stands in it."""
        file, place = self._opened()
        if _identity(self._path) == file.identity:
            return None
        parts = parts_of(self._path)
        at = next((at for at, part in enumerate(parts) if part.identity == file.identity), None)
        if at is None:
            # Removed, or compressed since. What stands under the name now is later in any case.
            older = [part for part in parts if part.path != self._path]
            since = self._first_since(older, file.written, other_than=place)
            if since is not None:
                return since
            at = len(older) - 1
        found = (_with_content(part) for part in parts[at + 1 :])
        return next((part for part in found if part is not None), None)

    def _older(self) -> list[Part]:
        return [part for part in parts_of(self._path) if part.path != self._path]

    def _first_since(
        self, parts: list[Part], written: int, other_than: Place | None = None
    ) -> LogFile | None:
        """The first part put aside that was written later."""
        for part in parts:
            file = _with_content(part)
            if file is None:
                continue
            if file.written > written and not (other_than and holds(file, other_than)):
                return file
            file.close()
        return None


def _whole_lines(data: bytes, size: int) -> bytes:
    end = data.rfind(b"\n") + 1
    # A line longer than a piece is handed on in parts: whoever reads lines bounds them.
    return data if not end and len(data) >= size else data[:end]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _with_content(part: Part) -> LogFile | None:
    file = part.open()
    if file is None or file.reaches(1):
        return file
    file.close()
    return None


def _trouble(path: Path, error: OSError) -> Trouble:
    if isinstance(error, FileNotFoundError):
        return Trouble(f"there is no file {path}", "check the path; it is read once it is there")
    fix = "check that it is a log file and that its disk is well"
    if error.errno in (errno.EACCES, errno.EPERM):
        fix = f"let this user read it, then start it again; on Debian: adduser {own_name()} adm"
    return Trouble(f"{path} cannot be read: {error.strerror}", fix)
