"""One child process, and the guard that outlives its supervisor.

A child leads a process group of its own, so that a Ctrl-C meant for the supervisor does not reach
it and its workers can be ended with it.  A child is looked at in two steps: `has_ended` peeks
without reaping, and `bury` first kills what is left of the group and then reaps the leader; until
then the kernel cannot give the group's number to anybody else.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from mailmum.daemons import supervisor_guard
from mailmum.daemons.supervisor_fork import Forked
from mailmum.daemons.supervisor_output import Lines
from mailmum.daemons.supervisor_plan import Ended
from mailmum.daemons.supervisor_ready import Inbox

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Part:
    """A program the supervisor keeps running.

    Attributes:
        name: what logs and messages call it.
        argv: the command, program first.
        env: variables added to this process's environment, or None.
        ready: asked about ten times a second whether the part answers; must return soon.  None, the
            better choice, when the part says so itself with `supervisor_ready.tell_ready`.
        run: what the command does, for the first start as a fork of this process, or None.
        spare: whether another fork waits to take its place, for a part whose silence is felt.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] | None = None
    run: Callable[[], None] | None = None
    spare: bool = False


class Guard:
    """The process that ends the children when this one can not; see `supervisor_guard`."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._socket = ours
            # A child has the blocked signals of who starts it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, supervisor_guard.POLITE)
            try:
                self.process = self._run(theirs.fileno())
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run(self, stream: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own program
            [
                sys.executable,
                "-I",
                "-S",
                str(Path(supervisor_guard.__file__)),
                str(self._patience),
            ],
            stdin=stream,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def enlist_self(self) -> None:
        """Name the calling process; run in a child before it becomes its program.

        The child does it itself because a supervisor killed between fork and the message would
        leave it unknown: this way the guard's stream cannot end before the name is in it.
        """
        self._send(b"+%d\n" % os.getpid())

    def strike_off(self, pid: int) -> None:
        """Forget a buried group: its number may come to mean something else."""
        self._send(b"-%d\n" % pid)

    def renew(self, pids: Iterable[int]) -> bool:
        """Start a new guard for the living if this one has died; whether it had."""
        if self.process.poll() is None:
            return False
        self._socket.close()
        self._start()
        for pid in pids:
            self._send(b"+%d\n" % pid)
        return True

    def let_go(self) -> None:
        """Close the stream in a forked child: it ends with the supervisor, and nobody else."""
        self._socket.close()

    def close(self) -> None:
        """Let the guard go: with nobody left to end it ends itself."""
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)

    def _send(self, message: bytes) -> None:
        # A guard that has died is noticed and replaced by `renew`.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(message, socket.MSG_NOSIGNAL)


class Child:
    """One start of one part.

    Args:
        part: which.
        guard: the guard to enlist it with.
        let_go: closes in a fork what is the supervisor's; None when nothing may fork any more.
        held: whether it is a fork that waits for `let_begin`.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(
        self,
        part: Part,
        guard: Guard,
        let_go: Callable[[], None] | None = None,
        *,
        held: bool = False,
    ) -> None:
        self.part = part
        self.inbox = Inbox() if part.ready is None else None
        self._lines = Lines()
        self._guard = guard
        try:
            if part.run is None or let_go is None:
                self._process: subprocess.Popen[bytes] | Forked = self._spawn()
            else:
                self._process = self._fork(part.run, let_go, held)
        except OSError:
            self._close_inbox()
            raise
        self.output = cast(IO[bytes], self._process.stdout)
        os.set_blocking(self.output.fileno(), False)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the caller's own parts
            self.part.argv,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=self._guard.enlist_self,  # noqa: PLW1509 - it needs no lock of another thread
        )

    def _fork(self, run: Callable[[], None], let_go: Callable[[], None], held: bool) -> Forked:
        def begin() -> None:
            self._guard.enlist_self()
            self._close_inbox()
            let_go()

        return Forked(run, self._environment(), begin, held=held)

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        # Only ours counts: under systemd the inherited one would be the supervisor's own.
        environment.pop("NOTIFY_SOCKET", None)
        environment |= {"PYTHONUNBUFFERED": "1"} | dict(self.part.env or {})
        return environment | (self.inbox.environment if self.inbox else {})

    @property
    def pid(self) -> int:
        """Its process number, and that of its group."""
        return self._process.pid

    def let_begin(self) -> None:
        """Have it begin, where it was held."""
        if isinstance(self._process, Forked):
            self._process.let_begin()

    def read(self) -> list[bytes] | None:
        """Take the lines printed since; None once it has closed its output."""
        chunk = self._read_chunk()
        if chunk is None:
            return []
        return self._lines.feed(chunk) if chunk else None

    def has_ended(self) -> bool:
        """Whether the leader has ended; it stays a zombie until `bury`."""
        peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, peek) is not None

    def bury(self) -> tuple[Ended, list[bytes]]:
        """End what is left of the group and reap; how it ended, and its last lines."""
        self.kill()
        last = []
        while chunk := self._read_chunk():
            last += self._lines.feed(chunk)
        last += self._lines.finish()
        code = self._process.wait()
        self.close()
        status, number = (code, None) if code >= 0 else (None, -code)
        return Ended(status, number, self._lines.last_words()), last

    def terminate(self) -> None:
        """Ask the leader to end; it tells its own workers."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group; call it only while the leader is not reaped."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of descriptors."""
        self._close_inbox()
        self.output.close()
        if isinstance(self._process, Forked):
            self._process.close()

    def _close_inbox(self) -> None:
        if self.inbox is not None:
            self.inbox.close()

    def _read_chunk(self) -> bytes | None:
        try:
            return os.read(self.output.fileno(), _CHUNK)
        except BlockingIOError:
            return None
