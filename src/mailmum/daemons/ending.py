"""How a part hears that it shall end, and how it ends.

Hearing: a handler that sets a `threading.Event` may wait for ever for a lock that the very thread
it interrupts holds, namely when that is about to wait for the event.  So the main thread of a part
does nothing but wait here, for a byte that Python itself writes when a signal comes.

Ending: once all is done that has to be, nothing is gained by taking apart what the program has
loaded, as Python does at its end.  That is some tenths of a second of a processor in each part,
which on a busy machine are seconds each, and threads of pools would be waited for, whatever they
are at.  What is acknowledged is kept by then; what is not would be undone in any case.

    with stop_signals() as told:
        while not told(1.0):
            look_after_threads()
    end_process()
"""

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn


@contextmanager
def stop_signals() -> Iterator[Callable[[float], bool]]:
    """Hear of SIGTERM and SIGINT, in the main thread.

    Yields:
        Waits so many seconds at most; whether the process shall end.
    """
    theirs, ours = socket.socketpair()
    for one in (theirs, ours):
        one.setblocking(False)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, _ignore) for number in numbers}
    wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

    def told(seconds: float) -> bool:
        # What has come is never read, so it is told again and again.
        return bool(select.select([ours], [], [], seconds)[0])

    try:
        yield told
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        theirs.close()
        ours.close()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: the byte is what counts."""


def end_process(status: int = 0) -> NoReturn:
    """End this process here and now."""
    # One that was closed when the program began is not there.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        # Whoever read it may be gone.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
