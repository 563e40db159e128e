"""What many readers of one page ask for alike, read once.

The sections of a page are read each by itself, so that one that fails takes no other with it; but
all need to know which source sees a server best, how servers and lists are called, and what the
account's terms are.  With 200 servers these small questions made a third of the Overview.

    with read_once():
        ...                       # what is marked with @once is asked for once in here

Nothing is kept longer than that, nothing outside is kept at all, and what fails is asked again.
What comes back is shared: nobody changes it.  Whoever writes must not read through here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_kept: ContextVar[dict[tuple[Any, ...], Any] | None] = ContextVar("kept", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """Within this, what is marked is read once for the same arguments."""
    before = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(before)


def once(read: Callable[P, T]) -> Callable[P, T]:
    """Mark what may be read once; its arguments are hashable and say all that it depends on."""

    @wraps(read)
    def reading(*args: P.args, **named: P.kwargs) -> T:
        kept = _kept.get()
        if kept is None:
            return read(*args, **named)
        key = (read, args, tuple(named.items()))
        if key not in kept:
            kept[key] = read(*args, **named)
        found: T = kept[key]
        return found

    return reading
