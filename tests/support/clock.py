"""A clock that jumps, for one process and what it starts: a few lines of C, preloaded.

    clock = Clock(tmp_path)
    made.environment |= clock.environment
    with made.up():
        clock.jump(3600)

Only the time of day jumps, as when an administrator sets it; what counts passing time does not.
"""

import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """The time of day of some processes; a C compiler makes it."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "clock.so", folder / "clock"
        self.shift = 0
        self.jump(0)
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(_SOURCE)]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), "MAILMUM_TEST_CLOCK": str(self._file)}

    def jump(self, seconds: int) -> None:
        """Set the clock forward, or back by a negative number."""
        self.shift += seconds
        with self._file.open("r+b" if self._file.exists() else "w+b") as file:
            # In one piece and in place, since it is mapped.
            file.write(self.shift.to_bytes(8, "little", signed=True))
