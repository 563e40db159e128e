"""Faults of our own while answering: each kind logged once, with the packet that shows it.

A packet that makes the engine raise shows a fault of ours.  The service must go on, so the loop
catches whatever it is, counts it, answers SERVFAIL (mail servers then skip the list) and logs what
is needed to reproduce it; the same fault again within an hour is only counted.

A packet names a zone key, and a log is read by more people than may know one.  What could be a key
is therefore overwritten, with the packet's length and structure kept; in the traceback too, since
an exception may tell what it was given.
"""

import re
import time
import traceback
from collections.abc import Callable

import structlog

from mailmum.daemons.seldom import Seldom, kind_of
from mailmum.dns import wire
from mailmum.dns.counters import Counters

log = structlog.get_logger()

_AGAIN = 3600.0
# Whatever stands around it.  Keys of ours have 16 characters, and that length is none itself.
_LIKE_A_KEY = re.compile(rb"[0-9A-Za-z]{12,}")


class FaultLog:
    """Remembers which faults have been logged."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters = counters
        self._seldom = Seldom(_AGAIN, clock)

    def internal(self, packet: bytes, error: Exception) -> bytes | None:
        """Count and log a fault; what to send back."""
        self._counters.fault("internal")
        if self._seldom.due(kind_of(error)):
            told = traceback_without(packet, error)
            log.error("dns.internal-fault", packet=without_keys(packet).hex(), exception=told)
        if len(packet) < wire.HEADER or packet[2] & 0x80:
            return None
        return wire.write(packet, wire.HEADER, wire.SERVFAIL)


def without_keys(packet: bytes) -> bytes:
    r"""The packet with an x for each letter or digit of whatever may be a zone key.

    >>> without_keys(b"\x10k7dqpmw2x4hnt9ab\x02bl")
    b'\x10xxxxxxxxxxxxxxxx\x02bl'
    """
    return _LIKE_A_KEY.sub(lambda found: b"x" * len(found[0]), packet)


def traceback_without(given: bytes, error: Exception) -> str:
    """The traceback of a fault, without what may be a zone key in what was given."""
    text = "".join(traceback.format_exception(error)).rstrip()
    for key in {found[0].decode() for found in _LIKE_A_KEY.finditer(given)}:
        for form in (key, key.encode().hex()):
            text = re.sub(re.escape(form), "x" * len(form), text, flags=re.IGNORECASE)
    return text
