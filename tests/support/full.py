"""A disk that is full for a PostgreSQL of the test's own: a few lines of C, preloaded.

    with full_disk() as disk, postgres(disk.environment) as cluster:
        with disk.full():
            ...

No rights are needed, as for mounting a small disk; and unlike a limit on the size of files it says
what a full disk says (ENOSPC), which PostgreSQL has a message of its own for.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SOURCE = Path(__file__).with_name("full.c")


class Disk:
    """The disk under some processes; a C compiler makes it."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "full.so", folder / "full"
        self._file.write_bytes(b"\0")
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), "MAILMUM_TEST_FULL": str(self._file)}

    @contextmanager
    def full(self, *, log: bool = False) -> Iterator[None]:
        """Without room for the length of a `with` block: for tables, or for PostgreSQL's log."""
        self._set(b"\2" if log else b"\1")
        try:
            yield
        finally:
            self._set(b"\0")

    def _set(self, value: bytes) -> None:
        # In place, since it is mapped.
        with self._file.open("r+b") as file:
            file.write(value)


@contextmanager
def full_disk() -> Iterator[Disk]:
    """A disk that has room at first."""
    with tempfile.TemporaryDirectory(prefix="mailmum-disk-") as folder:
        # PostgreSQL runs as another user when root runs the tests.
        Path(folder).chmod(0o755)
        yield Disk(Path(folder))
