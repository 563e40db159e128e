"""The snapshot file: written whole or not at all, read only by its owner.

It names zone keys and tells what an account blocks, so its mode is 0600.  A new one is written
beside the old, forced to the disk and renamed over it: whoever reads finds the old or the new, and
a full disk or a power cut leaves the old.  One process at a time may write.

It is read into memory, not mapped.  We never write a snapshot in place, but others do: `cp` of a
backup over it cuts it off first.  Tables that lay in a mapping would change under the answers after
they were checked, or the daemon would die of SIGBUS at its next look; a mapping that is only copied
from has the same hole, if a short one.  What is checked has to be what is used, so it has to be a
copy; making one is a small part of loading (`bench/RESULTS.md` has the figures).
"""

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mailmum.index.base import no_pause
from mailmum.index.firsts import Pause
from mailmum.index.index import Index
from mailmum.index.snapshot import SnapshotDamaged, SnapshotOutdated, dump, load

_PIECES_AT_ONCE = 16

__all__ = ["SnapshotDamaged", "SnapshotOutdated", "read", "save", "write"]


def save(path: Path, index: Index) -> None:
    """Write the snapshot of an index, in the thread that applies changes to it.

    Raises:
        OSError: it cannot be written; what stood there before still does.
    """
    write(path, dump(index))


def write(path: Path, pieces: Iterable[bytes], pause: Pause = no_pause) -> None:
    """Write what `dump` gave, in any thread.

    Args:
        path: the file; its folder exists.
        pieces: its content.
        pause: called after every few pieces; beside a thread that answers queries let it sleep for
            a moment, since making the pieces keeps the interpreter's lock.

    Raises:
        OSError: it cannot be written; what stood there before still does.
    """
    written = path.with_name(f".{path.name}.new")
    # Left behind by a process that was killed; a link put in its place is not followed.
    written.unlink(missing_ok=True)
    handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            for count, piece in enumerate(pieces):
                file.write(piece)
                if count % _PIECES_AT_ONCE == 0:
                    pause()
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    except BaseException:
        with suppress(OSError):
            written.unlink()
        raise
    _sync_folder(path.parent)


def read(path: Path) -> Index:
    """The index of a snapshot file.

    Raises:
        FileNotFoundError: there is none.
        SnapshotOutdated: it is of another version.
        SnapshotDamaged: it cannot be read, or is not a whole and sound snapshot.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SnapshotDamaged(f"it cannot be read: {error.strerror}") from error
    with _nothing_collected():
        return load(data)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """While an index is made, which holds no cycles: looking for some takes a third of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _sync_folder(folder: Path) -> None:
    """Force the renaming to the disk (a file's own fsync does not cover its name)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
