"""Ranges of addresses as they are asked on the way of an answer: numbers, and packed senders.

>>> here = (4, 0x7F000000, 0x7FFFFFFF)
>>> holds((here,), bytes((127, 0, 0, 1))), holds((here,), bytes(16)), holds((here,), b"")
(True, False, False)
"""

from collections.abc import Iterable

Range = tuple[int, int, int]
"""Version, first and last address as integers."""


def holds(ranges: Iterable[Range], sender: bytes) -> bool:
    """Whether one of these has the address (packed; empty when unknown: none has)."""
    if not sender:
        return False
    version, value = 4 if len(sender) == 4 else 6, int.from_bytes(sender, "big")
    return any(one == version and first <= value <= last for one, first, last in ranges)
