"""The loop that answers: one thread, UDP first, TCP beside it, changes in between.

Everything that touches the engine happens here, so no lock is needed and no query sees half of a
change: other threads hand over jobs (`post`, `call`), which run between packets.

A round waits for any socket, takes up to `_BATCH` datagrams from each UDP socket, then serves what
else is ready: under load waiting costs next to nothing, and TCP clients get their turn all the
same.
"""

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from mailmum.daemons.dnsd_faults import FaultLog
from mailmum.daemons.dnsd_options import TcpLimits
from mailmum.daemons.dnsd_sockets import Sockets, packet_info
from mailmum.daemons.dnsd_tcp import TcpService
from mailmum.dns.engine import Engine

log = structlog.get_logger()

_BATCH = 64
_TICK = 1.0
# Longer datagrams are cut, and cut ones are format errors; no honest query comes near.
_DATAGRAM = 4096
_ANCILLARY = 128

_Result = TypeVar("_Result")


class Stopped(Exception):
    """The loop has ended, or is about to: it takes no more jobs."""


class Loop:
    """Answers on bound sockets until it is stopped.

    Args:
        engine: gives the answers.
        limits: what TCP clients may take up.
        on_tick: called about once a second.
    """

    def __init__(self, engine: Engine, limits: TcpLimits, on_tick: Callable[[], None]) -> None:
        self.engine = engine
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
                while self._jobs:
                    self._jobs.popleft()()
                if time.monotonic() >= tick:
                    tick = time.monotonic() + _TICK
                    self._on_tick()
        finally:
            self._stopping.set()
            self._tcp.close()
            for sockets in self._sockets:
                sockets.close()
            self._selector.close()
            self._wake.close()
            self._woken.close()

    def stop(self) -> None:
        """End `run` soon; from any thread or signal handler."""
        self._stopping.set()
        self._rouse()

    def post(self, job: Callable[[], None]) -> None:
        """Have a job run between two packets; from any thread."""
        self._jobs.append(job)
        self._rouse()

    def call(self, job: Callable[[], _Result]) -> _Result:
        """The result of a job that is run between two packets; from any other thread.

        Raises:
            Stopped: the loop ended before it came to it.
        """
        results: list[_Result] = []
        done = threading.Event()

        def run() -> None:
            results.append(job())
            done.set()

        self.post(run)
        while not done.wait(0.2):
            if self._stopping.is_set():
                raise Stopped
        return results[0]

    def watch(self, descriptor: int, on_ready: Callable[[], None]) -> None:
        """Have something called when a descriptor can be read, or its other end has been closed."""
        self._selector.register(descriptor, selectors.EVENT_READ, lambda _: on_ready())

    def open(self, sockets: Sockets) -> None:
        """Answer on these too, until the end; before `run`, or in the loop."""
        self._sockets.append(sockets)
        for udp in sockets.udp:
            self._selector.register(udp, selectors.EVENT_READ, self._drainer(udp))
        for udp in sockets.wildcard_udp:
            self._selector.register(udp, selectors.EVENT_READ, self._wildcard_drainer(udp))
        for tcp in sockets.tcp:
            self._tcp.listen(tcp)

    def _rouse(self) -> None:
        try:
            self._wake.send(b"\0")
        except OSError:
            # Full of reminders already, or the loop has ended.
            return

    def _clear_wake(self, _events: int) -> None:
        self._woken.recv(4096)

    def _drainer(self, udp: socket.socket) -> Callable[[int], None]:
        """What to do when a UDP socket has something; this is the hot path."""
        receive, send, handle = udp.recvfrom, udp.sendto, self.engine.handle
        clock = time.time

        def drain(_events: int) -> None:
            now = clock()
            for _ in range(_BATCH):
                try:
                    packet, client = receive(_DATAGRAM)
                except OSError as error:
                    if not isinstance(error, BlockingIOError):
                        self.engine.counters.fault("unread")
                    return
                try:
                    answer = handle(packet, client, now, False)
                # The last resort: one packet that shows a fault of ours must not end the service.
                except Exception as error:  # noqa: BLE001
                    answer = self._faults.internal(packet, error)
                if answer is not None:
                    try:
                        send(answer, client)
                    except OSError:
                        self.engine.counters.fault("unsent")

        return drain

    def _wildcard_drainer(self, udp: socket.socket) -> Callable[[int], None]:
        """The same for a wildcard address: the answer is sent from the address that was asked."""

        def drain(_events: int) -> None:
            now = time.time()
            for _ in range(_BATCH):
                try:
                    packet, ancillary, _, client = udp.recvmsg(_DATAGRAM, _ANCILLARY)
                except OSError as error:
                    if not isinstance(error, BlockingIOError):
                        self.engine.counters.fault("unread")
                    return
                answer = self._answer(packet, client, now, tcp=False)
                if answer is None:
                    continue
                try:
                    udp.sendmsg([answer], packet_info(udp.family, ancillary), 0, client)
                except OSError:
                    self.engine.counters.fault("unsent")

        return drain

    def _answer_tcp(self, packet: bytes, client: Any, now: float) -> bytes | None:
        return self._answer(packet, client, now, tcp=True)

    def _answer(self, packet: bytes, client: Any, now: float, *, tcp: bool) -> bytes | None:
        try:
            return self.engine.handle(packet, client, now, tcp)
        # The last resort, as in `_drainer`.
        except Exception as error:  # noqa: BLE001
            return self._faults.internal(packet, error)
