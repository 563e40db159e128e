"""Child processes of tests: started, awaited, and gone at the end whatever happens.

Each child leads a process group of its own, and is told to end when the test run itself dies. Its
output goes to a file, so that a full pipe never stops it; every failure shows the file's tail.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Ready = Callable[[], bool] | re.Pattern[str] | str

_TAIL_LINES = 40
_POLL = 0.02


class ProcessFailed(AssertionError):
    """A child ended or stayed silent when it should have become ready."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child; `process` is its Popen, `log` the file with all its output."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group."""
        return self.process.pid

    @property
    def name(self) -> str:
        """Its command line, for messages."""
        return str(self.process.args)

    @property
    def output(self) -> str:
        """What it has written so far, standard output and error together."""
        return self.log.read_text(errors="replace")

    @property
    def tail(self) -> str:
        """The last lines of the output, for messages."""
        return "\n".join(self.output.splitlines()[-_TAIL_LINES:]) or "(no output)"

    def wait_for(self, ready: Ready, timeout: float = 30.0) -> None:
        """Wait until the callable is true or the output matches the regular expression.

        Raises ProcessFailed when the child ends first, or after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            ended = self.process.poll()
            # Asked after poll: a short-lived child may write its line and end in between.
            if self._is_ready(ready):
                return
            if ended is not None:
                raise ProcessFailed(f"{self.name} ended with {ended} before {ready}:\n{self.tail}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name}: no {ready} in {timeout} s:\n{self.tail}")
            time.sleep(_POLL)

    def stop(self, signal_number: int = signal.SIGTERM, timeout: float = 30.0) -> int:
        """Signal the child, wait for it, and return its exit status (-N for signal N).

        Raises ProcessFailed when it is still there after `timeout` seconds; it is killed then.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ProcessFailed(
                f"{self.name} ignored signal {signal_number} for {timeout} s:\n{self.tail}"
            ) from None

    def kill(self) -> None:
        """Kill the child and whatever is left in its process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()

    def _is_ready(self, ready: Ready) -> bool:
        if callable(ready):
            return ready()
        return re.search(ready, self.output, re.MULTILINE) is not None


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    ready: Ready | None = None,
    *,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Iterator[Child]:
    """Run `command` for the length of a `with` block that starts when it is ready.

    `env` is the child's whole environment. At the end the child gets `stop_signal` and `timeout`
    seconds, then its process group is killed. An error inside the block carries the output's tail.

    Raises ProcessFailed when the child does not become ready or does not end.
    """
    with tempfile.TemporaryDirectory(prefix="mailmum-child-") as folder:
        log = Path(folder, "output")
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        child = Child(process, log)
        try:
            if ready is not None:
                child.wait_for(ready, timeout)
            yield child
            child.stop(stop_signal, timeout)
        except BaseException as error:
            error.add_note(f"output of {child.name}:\n{child.tail}")
            raise
        finally:
            child.kill()
