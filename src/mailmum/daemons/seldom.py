"""Logging seldom what may happen often: each kind once, then not again for a while."""

import time
from collections.abc import Callable, Hashable

_KINDS = 64


class Seldom:
    """Remembers when something of each kind was last logged.

    Args:
        pause: seconds before a kind is due again.
        clock: monotonic seconds.
    """

    def __init__(self, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock = clock
        self._last: dict[Hashable, float] = {}

    def due(self, kind: Hashable) -> bool:
        """Whether to log this now; if so, it is not due again for a while."""
        now, last = self._clock(), self._last.get(kind)
        if last is not None and now - last < self._pause:
            return False
        if len(self._last) >= _KINDS:
            self._last.clear()
        self._last[kind] = now
        return True


def kind_of(error: BaseException) -> tuple[type[BaseException], str, int]:
    """What was raised and where: the same fault again has the same kind."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error), "", 0
    return type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno
