"""Lines that made the reader of logs fail: each kind of fault logged once, with such a line.

They show a fault of ours; what is needed to reproduce it is logged, and the same fault again within
an hour is only counted (`LogReader.skipped`, which `doctor` tells).
"""

import time
from collections.abc import Callable

import structlog

from mailmum.daemons.seldom import Seldom, kind_of
from mailmum.postfix.log.careful import Read

log = structlog.get_logger()

_AGAIN = 3600.0
_LONGEST = 2000


class SkipLog:
    """Remembers which faults have been logged.

    Args:
        event: what it is logged as.
        clock: monotonic seconds.
    """

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._seldom = Seldom(_AGAIN, clock)

    def tell(self, read: Read, **where: str | int) -> None:
        """Log what was skipped in a piece."""
        for one in read.skipped:
            if self._seldom.due(kind_of(one.fault)):
                line = one.line[:_LONGEST].decode("utf-8", "backslashreplace")
                log.error(self._event, line=line, emptied=read.emptied, exc_info=one.fault, **where)
