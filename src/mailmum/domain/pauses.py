"""Pauses: for a while nothing of a server or an account is blocked; what it allows, it allows.

Whether blocks hold is one value, *blocks from*: the Unix time from which they do.  0 is the usual
case, they do; None says not before somebody resumes.  So a pause with an end ends by itself, on
every machine that has been told of it, whatever has gone away meanwhile.

    >>> blocks_hold(0, 1000.0), blocks_hold(1500, 1000.0), blocks_hold(None, 1000.0)
    (True, False, False)
"""

HOLD = 0
"""Blocks from: they hold."""


def blocks_hold(blocks_from: int | None, now: float) -> bool:
    """Whether blocks hold at `now` (Unix time)."""
    return blocks_from is not None and now >= blocks_from


def later(one: int | None, other: int | None) -> int | None:
    """From when blocks hold where two pauses meet: when both have ended."""
    return None if one is None or other is None else max(one, other)
