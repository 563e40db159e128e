"""Handing counts over: batches go to the sink in a thread, and are kept within bounds meanwhile."""

import threading
from collections.abc import Callable

import structlog

from mailmum.dns.counters import CountBatch, merge
from mailmum.index.records import SourceUnavailable

log = structlog.get_logger()

Sink = Callable[[CountBatch], None]
"""Takes a batch; raises `SourceUnavailable` when it cannot keep it just now."""


class Handover:
    """What was counted and not yet taken by the sink.

    Args:
        sink: called in this object's thread only.
        retry: first and longest pause in seconds before a failed batch is offered again.
    """

    def __init__(self, sink: Sink, retry: tuple[float, float]) -> None:
        self._sink = sink
        self._retry = retry
        self._lock = threading.Lock()
        self._pending = CountBatch()
        self._news = threading.Event()
        self._ending = threading.Event()

    def put(self, batch: CountBatch) -> None:
        """Add a batch; from the loop."""
        if not batch:
            return
        with self._lock:
            self._pending = merge((self._pending, batch)) if self._pending else batch
        self._news.set()

    def end(self) -> None:
        """Offer what is left once more, then end `run`."""
        self._ending.set()
        self._news.set()

    def run(self) -> None:
        """Hand over until `end`."""
        pause, longest = self._retry
        while not self._ending.is_set():
            self._news.wait()
            self._news.clear()
            if self._offer():
                pause = self._retry[0]
                continue
            self._ending.wait(pause)
            pause = min(2 * pause, longest)
            self._news.set()
        self._offer()

    def _offer(self) -> bool:
        with self._lock:
            batch, self._pending = self._pending, CountBatch()
        if not batch:
            return True
        try:
            self._sink(batch)
        except SourceUnavailable as error:
            log.debug("counts.kept", reason=str(error))
            with self._lock:
                self._pending = merge((batch, self._pending))
            return False
        return True
