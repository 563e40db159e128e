"""The loop that answers: one thread, UDP first, TCP beside it, changes in between.

With the compiled hot path what is plain over UDP is answered in threads of its own (`dnsd_fast`),
and this loop gets what they hand over.

Everything that touches the engine happens here, so no lock is needed and no query sees half of a
change: other threads hand over jobs (`post`), which run between packets.

A round waits for any socket, takes a batch of datagrams from each UDP socket, then serves what else
is ready: under load waiting costs next to nothing, and TCP clients get their turn all the
same.
"""

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from mailmum.daemons.dnsd_fast import Fast
from mailmum.daemons.dnsd_faults import FaultLog
from mailmum.daemons.dnsd_options import TcpLimits
from mailmum.daemons.dnsd_sockets import Sockets
from mailmum.daemons.dnsd_tcp import TcpService
from mailmum.daemons.dnsd_udp import answer_safely, serve
from mailmum.dns.engine import Engine
from mailmum.index.index import Index

log = structlog.get_logger()

_TICK = 0.2
"""Seconds: with the pause between two looks of who follows live (`control.monitor.live`) less than
a third of the second within which a lookup shows; the rest is for the way through the database."""


class Loop:
    """Answers on bound sockets until it is stopped.

    Args:
        engine: gives the answers.
        limits: what TCP clients may take up.
        on_tick: called some times a second.
        fast: answers what is plain over UDP; None to answer all of it here.
    """

    name, unready = "dns", "SERVFAIL"

    def __init__(
        self,
        engine: Engine,
        limits: TcpLimits,
        on_tick: Callable[[], None],
        fast: Fast | None = None,
    ) -> None:
        self.engine = engine
        self._fast = fast
        self._sockets: list[Sockets] = []
        self._on_tick = on_tick
        self._faults = FaultLog(engine.counters)
        self._selector = selectors.DefaultSelector()
        self._tcp = TcpService(self._selector, self._answer_tcp, limits)
        self._jobs: deque[Callable[[], None]] = deque()
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._clear_wake)

    @property
    def stopping(self) -> threading.Event:
        """Set once the loop has been told to stop."""
        return self._stopping

    def run(self) -> None:
        """Answer until `stop`."""
        tick = time.monotonic() + _TICK
        try:
            while not self._stopping.is_set():
                idle = self._tcp.sweep(time.monotonic())
                wait = min(tick, idle) - time.monotonic()
                for key, events in self._selector.select(max(wait, 0)):
                    key.data(events)
                self.engine.counters.fold()
                while self._jobs:
                    self._jobs.popleft()()
                if time.monotonic() >= tick:
                    tick = time.monotonic() + _TICK
                    self._on_tick()
        finally:
            self.close()

    def close(self) -> None:
        """End the threads that answer and close everything; for a loop that will not run."""
        self._stopping.set()
        self._tcp.close()
        if self._fast is not None:
            self._fast.close()
        for sockets in self._sockets:
            sockets.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def stop(self) -> None:
        """End `run` soon; from any thread or signal handler."""
        self._stopping.set()
        self._rouse()

    def prepare(self, index: Index) -> Callable[[], None]:
        """Make ready what answering from a new index needs, in any thread; a job to put it in."""
        ready = None if self._fast is None else self._fast.prepare(index)

        def put() -> None:
            self.engine.index = index
            if ready is not None:
                ready()

        return put

    def post(self, job: Callable[[], None]) -> None:
        """Have a job run between two packets; from any thread."""
        self._jobs.append(job)
        self._rouse()

    def watch(self, descriptor: int, on_ready: Callable[[], None]) -> None:
        """Have something called when a descriptor can be read, or its other end has been closed."""
        self._selector.register(descriptor, selectors.EVENT_READ, lambda _: on_ready())

    def open(self, sockets: Sockets) -> None:
        """Answer on these too, until the end; before `run`, or in the loop."""
        self._sockets.append(sockets)
        for tcp in sockets.tcp:
            self._tcp.listen(tcp)
        if self._fast is not None:
            engine = self.engine
            news, drain = self._fast.open(
                sockets, self._answer_udp, engine.good_cookie, engine.counters
            )
            self._selector.register(news, selectors.EVENT_READ, drain)
            return
        for some, wildcard in ((sockets.udp, False), (sockets.wildcard_udp, True)):
            for udp in some:
                drain = serve(udp, self.engine, self._faults, wildcard=wildcard)
                self._selector.register(udp, selectors.EVENT_READ, drain)

    def _rouse(self) -> None:
        try:
            self._wake.send(b"\0")
        except OSError:
            # Full of reminders already, or the loop has ended.
            return

    def _clear_wake(self, _events: int) -> None:
        self._woken.recv(4096)

    def _answer_udp(self, packet: bytes, client: Any, now: float) -> bytes | None:
        return answer_safely(self.engine, self._faults, packet, client, now, tcp=False)

    def _answer_tcp(self, packet: bytes, client: Any, now: float) -> bytes | None:
        return answer_safely(self.engine, self._faults, packet, client, now, tcp=True)
