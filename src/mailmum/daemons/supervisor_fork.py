"""A part as a fork of its supervisor: how it starts the first time.

By then `mailmum up` has loaded most of what each part would load again as a program of its own,
which takes more than a second of a processor each time.  Two rules:

- Only a process with one thread forks: a lock that another thread holds would stay locked in the
  child for ever.  So this is for first starts alone, before the supervisor has any other thread.
  A part that is started again becomes a program of its own.
- Nothing of the supervisor's is left in the child: no descriptor, no signal, no way back.

A fork may also be *held*: it waits where it stands until it is let go, and has then begun as if it
had been started at that moment.  So there is one in reserve for a part whose silence others feel.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

from mailmum.domain.errors import Refusal
from mailmum.domain.visible import visible

_CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Forked:
    """A forked process, with what a `Child` needs of `subprocess.Popen`.

    Args:
        run: what it does.
        environment: all its variables.
        begin: called in it first: lets go of what belongs to the parent.
        held: whether it waits for `let_begin`; without the parent it ends.

    Raises:
        OSError: there can be no further process.
    """

    def __init__(
        self,
        run: Callable[[], None],
        environment: Mapping[str, str],
        begin: Callable[[], None],
        *,
        held: bool = False,
    ) -> None:
        self._waits, self._holds = os.pipe() if held else (-1, -1)
        output, written = os.pipe()
        self.stdout = open(output, "rb", buffering=0)  # noqa: SIM115, PTH123 - closed by its reader
        _flush()
        # Until it has its own, a signal meant for it would be taken for one of the parent's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _CAUGHT)
        try:
            self.pid = os.fork()
            if not self.pid:
                self._become(run, environment, begin, written, before)
        except OSError:
            self.stdout.close()
            raise
        finally:
            os.close(written)
            if held:
                os.close(self._waits)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._lead()

    def let_begin(self) -> None:
        """Have it begin, where it was held."""
        if self._holds != -1:
            with suppress(BrokenPipeError):
                os.write(self._holds, b"!")
            self.close()

    def close(self) -> None:
        """Let go of what holds it; without that it ends."""
        if self._holds != -1:
            os.close(self._holds)
            self._holds = -1

    def wait(self) -> int:
        """Reap it; its exit status, or the signal that ended it as a negative number."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _lead(self) -> None:
        # Done on both sides, so that neither can come too early to find the group.
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(self.pid, self.pid)

    def _become(
        self,
        run: Callable[[], None],
        environment: Mapping[str, str],
        begin: Callable[[], None],
        written: int,
        mask: set[int | signal.Signals],
    ) -> None:
        """The life of the child; never returns."""
        status = 1
        try:
            os.setpgid(0, 0)
            begin()
            self.stdout.close()
            if self._holds != -1:
                os.close(self._holds)
                if not _is_let_go(self._waits):
                    os._exit(0)
            _connect(written)
            os.environ.clear()
            os.environ.update(environment)
            _forget_signals()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            status = _run(run)
        finally:
            # Whatever happened: never back into the parent's code.
            kind, error, trace = sys.exc_info()
            try:
                if kind is not None and error is not None:
                    sys.excepthook(kind, error, trace)
                _flush()
            finally:
                os._exit(status)


def _is_let_go(waits: int) -> bool:
    """Wait for a word; without one whoever would say it is gone, or has no need."""
    # SIGTERM is blocked in here: whoever wants it ended lets go of the other end, or kills it.
    return os.read(waits, 1) != b""


def _run(run: Callable[[], None]) -> int:
    """Do it; the exit status, and what is refused in the words of the command line."""
    try:
        run()
    except Refusal as refusal:
        sys.stderr.write(f"mailmum: {visible(refusal)}\n")
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _connect(written: int) -> None:
    """Nothing to read, and one pipe for all that is said."""
    _put(os.open(os.devnull, os.O_RDONLY), 0)
    _put(written, 1, 2)
    # What this process has inherited itself, as the lock of a script that started it.
    os.closerange(3, max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + 1)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def _put(descriptor: int, *places: int) -> None:
    for place in places:
        os.dup2(descriptor, place)
    # It may have come into one of these itself, where the parent had them closed.
    if descriptor not in places:
        os.close(descriptor)


def _forget_signals() -> None:
    """As a new program has them: those that are ignored stay so."""
    signal.set_wakeup_fd(-1)
    for number in _CAUGHT:
        if signal.getsignal(number) is not signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


def _flush() -> None:
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
