"""Faults of our own while answering: each kind logged once, with the packet that shows it.

A packet that makes the engine raise shows a fault of ours.  The service must go on, so the loop
catches whatever it is, counts it, answers SERVFAIL (mail servers then skip the list) and logs what
is needed to reproduce it; the same fault again within an hour is only counted.
"""

import time
from collections.abc import Callable

import structlog

from mailmum.daemons.seldom import Seldom, kind_of
from mailmum.dns import wire
from mailmum.dns.counters import Counters

log = structlog.get_logger()

_AGAIN = 3600.0


class FaultLog:
    """Remembers which faults have been logged."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters = counters
        self._seldom = Seldom(_AGAIN, clock)

    def internal(self, packet: bytes, error: Exception) -> bytes | None:
        """Count and log a fault; what to send back."""
        self._counters.fault("internal")
        if self._seldom.due(kind_of(error)):
            log.error("dns.internal-fault", packet=packet.hex(), exc_info=error)
        if len(packet) < wire.HEADER or packet[2] & 0x80:
            return None
        return wire.write(packet, wire.HEADER, wire.SERVFAIL)
