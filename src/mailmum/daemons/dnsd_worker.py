"""One worker: the loop that answers, and beside it the threads that feed it and hand on its counts.

Stopping takes less than a second whatever hangs: the loop ends at once, the last counts and the
snapshot get what is left of that second, and no thread is waited for longer.
"""

import sys
import threading
import time
from collections.abc import Callable

import structlog

from mailmum.daemons.dnsd_counts import Handover, Sink
from mailmum.daemons.dnsd_follower import Follower, OpenSource
from mailmum.daemons.dnsd_loop import Loop
from mailmum.daemons.dnsd_options import DnsdOptions
from mailmum.daemons.dnsd_sockets import Sockets
from mailmum.daemons.dnsd_threads import KeptThread
from mailmum.daemons.dnsd_upkeep import Upkeep
from mailmum.dns.counters import Counters
from mailmum.dns.engine import Engine
from mailmum.dns.zones import Zone

log = structlog.get_logger()

_PATIENCE = 0.7
# How long a thread may keep the interpreter from the loop; Python's default is ten times as long.
_SWITCH = 0.0005


class Worker:
    """Everything of one process that answers.

    Args:
        options: parameters of the daemon.
        open_sockets: binds them.
        open_source: how to reach the database.
        sink: takes counts.
        ready: called once answers are right.
        saves: whether this worker saves the snapshot.
        replaces: whether it takes the place of a worker that died.  Then it binds only when it has
            an index, so that no query meant for the others gets SERVFAIL from this one.

    Raises:
        StartFailed: an address cannot be listened on.
    """

    def __init__(
        self,
        options: DnsdOptions,
        open_sockets: Callable[[], Sockets],
        open_source: OpenSource,
        sink: Sink,
        *,
        ready: Callable[[], None],
        saves: bool = True,
        replaces: bool = False,
    ) -> None:
        self._counters = Counters()
        engine = Engine(
            None,
            Zone(options.zone),
            counters=self._counters,
            cookie_secret=options.cookie_secret,
            max_udp=options.max_udp,
            require_cookies=options.require_cookies,
        )
        pace = options.pace
        self.loop = Loop(engine, options.tcp, self._tick)
        if not replaces:
            self.loop.open(open_sockets())
        self._handover = Handover(sink, pace.retry)
        self._upkeep = Upkeep(self.loop, options.snapshot if saves else None, pace)
        self._follower = Follower(
            self.loop,
            open_source,
            options.snapshot,
            pace,
            on_index=lambda: self.loop.open(open_sockets()) if replaces else None,
            on_ready=ready,
            on_change=self._upkeep.note_change,
        )
        self._threads: list[KeptThread] = []

    def run(self) -> None:
        """Answer until `stop`."""
        sys.setswitchinterval(_SWITCH)
        jobs = {
            "dns-follower": self._follower.run,
            "dns-upkeep": self._upkeep.run,
            "dns-counts": self._handover.run,
        }
        self._threads = [KeptThread(name, job) for name, job in jobs.items()]
        try:
            self.loop.run()
        finally:
            self._finish()

    def stop(self) -> None:
        """End `run` soon; from any thread or signal handler."""
        self.loop.stop()

    def _tick(self) -> None:
        self._handover.put(self._counters.take())
        for thread in self._threads:
            thread.check(time.monotonic())

    def _finish(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        self._handover.put(self._counters.take())
        self._handover.end()
        saving = threading.Thread(target=self._upkeep.save_at_end, daemon=True)
        saving.start()
        saving.join(max(deadline - time.monotonic(), 0))
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        log.info("dns.stopped")
