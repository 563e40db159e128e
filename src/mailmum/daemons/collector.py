"""collect: follows the logs of mail servers and keeps what it finds, each line exactly once.

    run(parse_logs("mx1=/var/log/mail.log"), store, CollectorOptions(data))

A thread for each log, so that none waits for another.  New lines are kept within about a quarter of
a second, and within a second at most while the database answers.  Like the other parts it goes on
by itself whatever is missing: a log that is not there yet, a server that is not added yet, a
database that is away.  Being killed at any moment loses nothing; see `collector_stream`.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

import structlog

from mailmum.daemons import collector_status
from mailmum.daemons.collector_store import Store
from mailmum.daemons.collector_stream import Stream, StreamPace
from mailmum.daemons.ending import stop_signals
from mailmum.daemons.tailing_sources import WantedLog
from mailmum.daemons.threads import KeptThread

log = structlog.get_logger()

_PATIENCE = 5.0
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class CollectorOptions:
    """Parameters of the collector.

    Attributes:
        status: the file that says how it fares.
        zone: of the times in classic syslog headers.
        pace: how often things are done.
    """

    status: Path
    zone: tzinfo = UTC
    pace: StreamPace = field(default_factory=StreamPace)


def run(
    logs: Sequence[WantedLog],
    store: Store,
    options: CollectorOptions,
    *,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Follow logs until SIGTERM or SIGINT; in the main thread.

    Args:
        logs: which, and whose.
        store: where sightings go.
        options: parameters.
        ready: called once they are followed, or waited for.
    """
    stopping = threading.Event()
    streams = [Stream(one, store, stopping, options.zone, options.pace) for one in logs]
    if not streams:
        log.warning("collect.nothing_to_follow", fix="name logs: the parameter logs, or --log")
    began = time.time()
    with stop_signals() as told:
        threads = [KeptThread(f"collect-{one.wanted}", one.run) for one in streams]
        ready()
        written = 0.0
        while not told(_LOOK):
            now = time.monotonic()
            for thread in threads:
                thread.check(now)
            if now - written >= collector_status.EVERY:
                collector_status.write(options.status, began, time.time(), streams)
                written = now
        stopping.set()
        deadline = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
    log.info("collect.stopped")
