"""Faults of our own while answering: each kind logged once, with the packet that shows it.

A packet that makes the engine raise shows a fault of ours.  The service must go on, so the loop
catches whatever it is, counts it, answers SERVFAIL (mail servers then skip the list) and logs what
is needed to reproduce it; the same fault again within an hour is only counted.
"""

import time
from collections.abc import Callable

import structlog

from mailmum.dns import wire
from mailmum.dns.counters import Counters

log = structlog.get_logger()

_AGAIN = 3600.0
_KINDS = 64


class FaultLog:
    """Remembers which faults have been logged."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters = counters
        self._clock = clock
        self._logged: dict[tuple[type[BaseException], str, int], float] = {}

    def internal(self, packet: bytes, error: Exception) -> bytes | None:
        """Count and log a fault; what to send back."""
        self._counters.fault("internal")
        kind, now = _kind(error), self._clock()
        last = self._logged.get(kind)
        if last is None or now - last >= _AGAIN:
            if len(self._logged) >= _KINDS:
                self._logged.clear()
            self._logged[kind] = now
            log.error("dns.internal-fault", packet=packet.hex(), exc_info=error)
        if len(packet) < wire.HEADER or packet[2] & 0x80:
            return None
        return wire.write(packet, wire.HEADER, wire.SERVFAIL)


def _kind(error: BaseException) -> tuple[type[BaseException], str, int]:
    """What was raised and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error), "", 0
    return type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno
