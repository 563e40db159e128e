"""One worker: the loop that answers, and the threads beside it."""

from collections.abc import Callable
from contextlib import ExitStack

import structlog

from mailmum.daemons.counts import Sink
from mailmum.daemons.crew import Crew, Outside
from mailmum.daemons.dnsd_fast import Fast, choose
from mailmum.daemons.dnsd_loop import Loop
from mailmum.daemons.dnsd_options import DnsdOptions
from mailmum.daemons.dnsd_sockets import Sockets
from mailmum.daemons.dnsd_trace import leave_trace
from mailmum.daemons.follower import OpenSource
from mailmum.dns.counters import Counters
from mailmum.dns.engine import Engine
from mailmum.dns.worlds import limit_of
from mailmum.dns.zones import Zone

log = structlog.get_logger()


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
        open_sockets: Callable[[], list[Sockets]],
        open_source: OpenSource,
        sink: Sink,
        *,
        ready: Callable[[], None],
        saves: bool = True,
        replaces: bool = False,
    ) -> None:
        extension, reason = choose(options.engine, options.crash)
        limit = limit_of(extension, options.limits)
        counters = Counters()
        engine = Engine(
            None,
            Zone(options.zone),
            counters=counters,
            cookie_secret=options.cookie_secret,
            max_udp=options.max_udp,
            require_cookies=options.require_cookies,
            limit=limit,
        )
        if extension is not None:
            leave_trace(options.crash)
        fast = None if extension is None else Fast(extension, engine.zone, options.max_udp, limit)
        _tell(fast, options.threads, reason)
        self.loop = Loop(engine, options.tcp, self._tick, fast)

        def open_all() -> None:
            for sockets in open_sockets():
                self.loop.open(sockets)

        with ExitStack() as undo:
            # Threads answer as soon as sockets are open: what fails now must end them.
            undo.callback(self.loop.close)
            if not replaces:
                open_all()
            self._crew = Crew(
                self.loop,
                counters,
                Outside(open_source, sink, options.snapshot, saves, options.pace),
                on_ready=ready,
                on_index=open_all if replaces else lambda: None,
            )
            undo.pop_all()

    def run(self) -> None:
        """Answer until `stop`."""
        self._crew.start()
        try:
            self.loop.run()
        finally:
            self._crew.finish()
            log.info("dns.stopped")

    def stop(self) -> None:
        """End `run` soon; from any thread or signal handler."""
        self.loop.stop()

    def _tick(self) -> None:
        self._crew.tick()


def _tell(fast: Fast | None, threads: int, reason: str) -> None:
    """Say once which engine answers, and why it is not the other."""
    if fast is not None:
        log.info("dns.engine", engine="compiled", threads=threads)
    elif "crash" in reason:
        log.warning("dns.engine", engine="python", reason=reason)
    else:
        log.info("dns.engine", engine="python", reason=reason)
