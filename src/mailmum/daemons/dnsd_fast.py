"""The compiled hot path beside the loop: threads that answer what is plain, without Python's lock.

Each thread has UDP sockets of its own and answers from one *world*, a compiled copy of the index
that all of them share (`index.mirror`).  What a thread does not understand it hands to the loop,
which has the Python engine.  So a long collection of garbage, a merge or a large change delays the
odd question at most, and a fault of ours in keeping the world costs speed only: from then on
everything is handed over.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import structlog

from mailmum import compiled
from mailmum.daemons.dnsd_sockets import Sockets
from mailmum.daemons.dnsd_trace import recent_crash
from mailmum.daemons.listening import StartFailed
from mailmum.dns.counters import LISTS, NOBODY, Counters, Key, mark_of
from mailmum.dns.limits import Limit
from mailmum.dns.worlds import empty_world
from mailmum.dns.zones import Zone
from mailmum.index.index import Index
from mailmum.index.mirror import Mirror

if TYPE_CHECKING:
    from mailmum.compiled import hot

log = structlog.get_logger()

Answer = Callable[[bytes, "Client", float], bytes | None]
"""The answer to a packet of a client at a time, or None for silence."""

GoodCookie = Callable[[bytes, "Client", float], tuple[bytes, int, int] | None]
"""The good cookie in a packet, and from when and before when it is answered with itself."""

ENGINES = ("auto", "compiled", "python")
# A thread ends within a batch; only on a machine that is overloaded does it take that long.
_PATIENCE = 5.0
# So many counts are read before a pause of so many seconds: the scheduler lets a thread run for
# longer while others wait for its core.  That makes 100,000 a second at most, which is twice what
# SQLite keeps; more would take time from answers under a flood, and wait for the database then.
_AT_ONCE = 1024
_BREATH = 0.01


def choose(engine: str, crash: Path | None) -> tuple[ModuleType | None, str]:
    """The extension that a setting asks for; None for the Python engine, and why.

    Args:
        engine: the setting, one of `ENGINES`.
        crash: where a crash leaves its trace.

    Raises:
        StartFailed: it has to be the compiled one, and there is none.
    """
    if engine == "python":
        return None, "the setting says so"
    crashed = recent_crash(crash) if engine == "auto" else None
    if crashed is not None:
        return None, crashed
    found, reason = compiled.load()
    if found is None and engine == "compiled":
        raise StartFailed(
            f"the compiled DNS engine is not there: {reason}",
            fix="install gcc and python3-dev and run script/bootstrap again, or set engine to auto",
            field="engine",
        )
    return found, reason


def _mark_of(server: int, list_: int, code: int) -> int:
    return mark_of(server, LISTS[list_], code)


class Packed:
    """What a thread has counted, as it was packed.

    Args:
        counted: its counts.
        ended: set when nobody answers any more; None where that is never said.
    """

    __slots__ = ("_counted", "_ended")

    def __init__(self, counted: "hot.Counted", ended: threading.Event | None = None) -> None:
        self._counted = counted
        self._ended = threading.Event() if ended is None else ended

    def __len__(self) -> int:
        return len(self._counted)

    def read(self) -> dict[Key, int]:
        """Counts by key; in between other threads get a turn, those that answer before all.

        Once they have ended there are no pauses: then a part of a second is left.
        """
        found: dict[Key, int] = {}
        for start in range(0, len(self), _AT_ONCE):
            if start:
                self._ended.wait(_BREATH)
            self._counted.read(found, start, _AT_ONCE, _mark_of, NOBODY)
        return found


class Client:
    """The sender of a packet that was handed over."""

    __slots__ = ("_name",)

    def __init__(self, name: bytes) -> None:
        self._name = name

    @property
    def packed(self) -> bytes:
        """The address as bytes."""
        return self._name[4:8] if self._family == socket.AF_INET else self._name[8:24]

    @property
    def _family(self) -> int:
        return int.from_bytes(self._name[:2], sys.byteorder)

    def __getitem__(self, at: int) -> object:
        """The address as text at 0, the port at 1."""
        if at == 1:
            return int.from_bytes(self._name[2:4], "big")
        return socket.inet_ntop(self._family, self.packed)


class Fast:
    """The threads that answer, and the world they answer from.

    Args:
        extension: `compiled.hot`.
        zone: the zones served.
        max_udp: what OPT records announce.
        limit: the compiled limiter that the Python engine has too, or None.
    """

    def __init__(
        self, extension: ModuleType, zone: Zone, max_udp: int, limit: Limit | None = None
    ) -> None:
        self._hot = extension
        self._zone = zone
        self._max_udp = max_udp
        self._limit = limit
        self._services: list[hot.Service] = []
        self._threads: list[threading.Thread] = []
        self._mirror: Mirror | None = None
        self._ended = threading.Event()

    def open(
        self, sockets: Sockets, answer: Answer, good_cookie: GoodCookie, counters: Counters
    ) -> tuple[int, Callable[[int], None]]:
        """Answer on these in a thread.

        Args:
            sockets: those of UDP are served.
            answer: answers what is handed over; in the loop.
            good_cookie: finds the good cookies in it.
            counters: what the thread counts goes there.

        Returns:
            A descriptor to watch, and what to call in the loop when it can be read.
        """
        every = [one.fileno() for one in (*sockets.udp, *sockets.wildcard_udp)]
        service: hot.Service = self._hot.Service(every, bool(sockets.wildcard_udp), self._limit)
        if self._mirror is not None:
            service.use(self._mirror.world)
        self._services.append(service)

        def take() -> tuple[Packed, int, int, dict[str, int]]:
            counted, nameless, lost, faults = service.take()
            return Packed(counted, self._ended), nameless, lost, faults

        counters.include(take)
        name = f"dns-answers-{len(self._services)}"
        thread = threading.Thread(target=service.run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

        def drain(_events: int) -> None:
            now = time.time()
            for one in service.handed():
                client = Client(one.name)
                written = answer(one.packet, client, now)
                if written is not None and not one.send(written):
                    counters.fault("unsent")
                cookie = good_cookie(one.packet, client, now)
                if cookie is not None:
                    service.remember(cookie[0], one.name, *cookie[1:])

        return service.news, drain

    def prepare(self, index: Index) -> Callable[[], None]:
        """Make a world of an index that nobody else has yet, in any thread; a job to put it in."""
        world = empty_world(self._hot, self._zone, self._max_udp)
        mirror = Mirror(index, world, self._hot, lambda error: self._give_up(mirror, error))
        index.watcher = mirror

        def put() -> None:
            self._mirror = mirror
            if mirror.is_whole:
                self._use(mirror.world)

        return put

    def close(self) -> None:
        """End the threads; afterwards the sockets may be closed."""
        self._ended.set()
        for service in self._services:
            service.stop()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _use(self, world: "hot.World | None") -> None:
        for service in self._services:
            service.use(world)

    def _give_up(self, mirror: Mirror, error: Exception) -> None:
        log.error(
            "dns.mirror-fault",
            consequence="answering with the Python engine until the next start",
            exc_info=error,
        )
        if mirror is self._mirror:
            self._use(None)
