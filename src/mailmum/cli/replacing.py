"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mailmum.cli.failures import Failure


def replace_file(path: Path, pieces: Iterable[bytes]) -> int:
    """Write beside the file and put it in place when complete: a reader never sees half of it.

    Raises:
        Failure: it cannot be written.
    """
    size = 0
    partial = ""
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        # Other programs read it: as readable as a file that a shell would have written, or as the
        # one that it replaces.
        Path(partial).chmod(_mode(path))
        Path(partial).replace(path)
    except OSError as error:
        raise Failure(
            f"{path} cannot be written: {error.strerror}", "check folder and owner"
        ) from None
    finally:
        if partial:
            Path(partial).unlink(missing_ok=True)
    return size


def _mode(path: Path) -> int:
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
