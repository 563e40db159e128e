"""Several workers on the same ports: forked, watched, and started again when one dies.

What to do when is the supervisor's `Plan`; this file does it to forked processes.  Each worker is
connected to its parent by a socket pair: it says "ready" or why it cannot start, and when the
parent's end closes it knows that the parent is gone, and ends.

Forking is safe here because the parent has no threads: it never touches database or sockets.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import structlog

from mailmum.daemons.counts import Sink
from mailmum.daemons.dnsd_options import DnsdOptions
from mailmum.daemons.dnsd_sockets import bind_sets
from mailmum.daemons.dnsd_worker import Worker
from mailmum.daemons.follower import OpenSource
from mailmum.daemons.listening import StartFailed
from mailmum.daemons.supervisor_plan import Act, Ended, Plan, Restart, Timings

log = structlog.get_logger()

_TIMINGS = Timings(first_delay=0.1, patience=1.0, failed_starts=1)
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
_READY = b"+"


class _Child:
    """A forked worker: its process id and our end of the socket pair."""

    __slots__ = ("pid", "sock", "words")

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.words = b""


class Workers:
    """The parent of several workers.

    Args:
        options: parameters of the daemon.
        open_source: how to reach the database, called in the workers.
        sink: takes counts, called in the workers.
        ready: called once all workers are ready.
    """

    def __init__(
        self,
        options: DnsdOptions,
        open_source: OpenSource,
        sink: Sink,
        ready: Callable[[], None],
    ) -> None:
        self._options = options
        self._open_source = open_source
        self._sink = sink
        self._ready = ready
        names = [f"worker-{number}" for number in range(1, options.workers + 1)]
        self._first = names[0]
        self._plan = Plan(names, _TIMINGS)
        self._children: dict[str, _Child] = {}
        self._started: set[str] = set()
        self._wake, self._woken = socket.socketpair()
        self._failure = ""

    def run(self) -> None:
        """Keep the workers running until SIGTERM or SIGINT.

        Raises:
            StartFailed: a worker cannot start.
        """
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        self._wake.setblocking(False)
        wakeup = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        try:
            while not self._plan.finished:
                self._round()
        finally:
            self._kill_all()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._wake.close()
            self._woken.close()
        if self._plan.failure is not None:
            raise StartFailed(self._failure or f"a DNS worker failed: {self._plan.failure.ended}")

    def _round(self) -> None:
        for order in self._plan.due(time.monotonic()):
            self._carry_out(order.act, order.part)
        wait = min(max(self._plan.wake_at() - time.monotonic(), 0), 60)
        socks = [child.sock for child in self._children.values()]
        readable, _, _ = select.select([self._woken, *socks], [], [], wait)
        if self._woken in readable:
            self._woken.recv(4096)
        for name, child in self._children.items():
            if child.sock in readable:
                self._listen_to(name, child)
        self._reap()

    def _carry_out(self, act: Act, name: str) -> None:
        if act is Act.START:
            self._start(name)
        elif act is Act.TERMINATE:
            self._send(name, signal.SIGTERM)
        elif act is Act.KILL:
            self._send(name, signal.SIGKILL)
        elif act is Act.ANNOUNCE:
            self._ready()
        else:
            log.warning("dns.worker-slow", worker=name)

    def _send(self, name: str, number: int) -> None:
        # Not reaped yet, so the process id is still the worker's.
        os.kill(self._children[name].pid, number)

    def _listen_to(self, name: str, child: _Child) -> None:
        child.words += child.sock.recv(4096)
        if child.words == _READY:
            child.words = b""
            self._plan.answered(name, time.monotonic())

    def _reap(self) -> None:
        for name, child in list(self._children.items()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            with suppress(OSError):
                child.words += child.sock.recv(4096)
            child.sock.close()
            del self._children[name]
            words = child.words.removeprefix(_READY).decode("utf-8", "replace")
            self._note_end(name, _ended(status, words))

    def _note_end(self, name: str, ended: Ended) -> None:
        consequence = self._plan.exited(name, ended, time.monotonic())
        self._failure = self._failure or ended.last_line
        if isinstance(consequence, Restart):
            log.error(
                "dns.worker-died", worker=name, reason=ended.reason, again_in=consequence.delay
            )

    def _start(self, name: str) -> None:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            ours.setblocking(False)
            self._children[name] = _Child(pid, ours)
            self._started.add(name)
            return
        status = 1
        try:
            ours.close()
            self._become(name, theirs)
            status = 0
        finally:
            # Whatever happened: never back into the parent's code.
            kind, error, trace = sys.exc_info()
            if kind is not None and error is not None:
                sys.excepthook(kind, error, trace)
            sys.stderr.flush()
            os._exit(status)

    def _become(self, name: str, parent: socket.socket) -> None:
        """The life of a worker, in its own process."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for child in self._children.values():
            child.sock.close()
        try:
            worker = Worker(
                self._options,
                lambda: bind_sets(self._options.listen, self._options.threads, shared=True),
                self._open_source,
                self._sink,
                ready=lambda: parent.sendall(_READY),
                saves=name == self._first,
                replaces=name in self._started,
            )
        except StartFailed as failure:
            parent.sendall(str(failure).encode())
            os._exit(1)

        def stop(_number: int, _frame: FrameType | None) -> None:
            worker.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        worker.loop.watch(parent.fileno(), worker.stop)
        worker.run()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._plan.stop(time.monotonic())

    def _kill_all(self) -> None:
        for child in self._children.values():
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            child.sock.close()


def _ended(status: int, words: str) -> Ended:
    if os.WIFSIGNALED(status):
        return Ended(None, os.WTERMSIG(status), words)
    return Ended(os.WEXITSTATUS(status), None, words)
