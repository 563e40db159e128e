"""A shell that a reader of the documentation sits at.

Variables and the present folder last from one command to the next.  Commands come to bash as files,
so that nothing they read from standard input is a command of ours.
"""

import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_END = "\x1e"
_LOOP = f"""
status=0
while IFS= read -r file <&3; do
    (exit "$status")
    source "$file" </dev/null
    status=$?
    printf '{_END}%d\\n' "$status"
done
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to: exit status, standard output and error together."""

    status: int
    output: str


class Shell:
    """A running bash."""

    def __init__(self, process: subprocess.Popen[bytes], names: int, folder: Path) -> None:
        self._process = process
        self._names = names
        self._folder = folder
        self._count = 0

    def run(self, command: str, timeout: float = 90.0) -> Said:
        """Run one command.

        Raises AssertionError when it does not end in time or ends the shell.
        """
        self._count += 1
        file = self._folder / f"command{self._count}"
        file.write_text(command + "\n")
        os.write(self._names, f"{file}\n".encode())
        text = self._read(command, time.monotonic() + timeout)
        output, _, status = text.rpartition(_END)
        return Said(int(status), output)

    def _read(self, command: str, deadline: float) -> str:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        held = b""
        while not (_END.encode() in held and held.endswith(b"\n")):
            left = deadline - time.monotonic()
            ready, _, _ = select.select([pipe], [], [], max(left, 0))
            piece = os.read(pipe, 65536) if ready else b""
            assert piece, f"{command!r} does not end, or ended the shell: {held!r}"
            held += piece
        return held.decode()


@contextmanager
def shell(folder: Path, environment: Mapping[str, str], scratch: Path) -> Iterator[Shell]:
    """A bash in `folder` for the length of a `with` block; `scratch` is for files of its own."""
    theirs, ours = os.pipe()
    try:
        process = subprocess.Popen(
            ["bash", "--norc", "-c", f"exec 3<&{theirs}; {_LOOP}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[theirs],
        )
    finally:
        os.close(theirs)
    try:
        yield Shell(process, ours, scratch)
    finally:
        os.close(ours)
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
