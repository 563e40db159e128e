"""dnsd: answers DNS queries about listings, and goes on answering without the database.

    options = DnsdOptions(listen=(("127.0.0.1", 5300),), zone=ZoneConfig("rbl.example.net"))
    run(options, open_source, sink, ready=lambda: print("ready"))

The daemon knows its database only as a source of listings and a sink of counts, both small
protocols, so it never meets Django.  What happens when:

- No index yet (first start, the database away, no snapshot): SERVFAIL.  Mail flows.
- The database goes away: answers go on from what there is; one line in the log.
- The database is away at the start: the snapshot is used; a damaged one is mentioned and ignored.
- A worker dies: it is started again, with a pause that grows.
- SIGTERM, SIGINT: stopped within a second, also while the database hangs.
"""

import signal
from collections.abc import Callable
from types import FrameType

import structlog

from mailmum.daemons.counts import Sink
from mailmum.daemons.dnsd_options import DnsdOptions, TcpLimits
from mailmum.daemons.dnsd_sockets import Sockets, bind_sets, probe
from mailmum.daemons.dnsd_worker import Worker
from mailmum.daemons.dnsd_workers import Workers
from mailmum.daemons.follower import OpenSource
from mailmum.daemons.listening import StartFailed
from mailmum.daemons.pace import Pace
from mailmum.dns.zones import Zone

__all__ = ["DnsdOptions", "Pace", "StartFailed", "TcpLimits", "run"]

log = structlog.get_logger()


def run(
    options: DnsdOptions,
    open_source: OpenSource,
    sink: Sink,
    *,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer until SIGTERM or SIGINT; in the main thread.

    Args:
        options: parameters of the daemon.
        open_source: how to reach the database; called in each worker, in a thread of its own.
        sink: takes counts some times a second; likewise.
        ready: called once all workers answer from an index.

    Raises:
        StartFailed: an address cannot be listened on.
        BadInput: the zones are configured wrongly.
    """
    Zone(options.zone)
    if options.workers > 1 or options.threads > 1:
        probe(options.listen)
    if options.workers > 1:
        Workers(options, open_source, sink, ready).run()
        return

    def open_sockets() -> list[Sockets]:
        return bind_sets(options.listen, options.threads, shared=False)

    worker = Worker(options, open_sockets, open_source, sink, ready=ready)

    def stop(_number: int, _frame: FrameType | None) -> None:
        worker.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    log.info("dns.listening", listen=[f"{host} port {port}" for host, port in options.listen])
    try:
        worker.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
