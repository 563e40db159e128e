"""Whether an update is to wait for a person: pure decisions on sizes.

A list that loses half of its entries at once has most likely been cut off or emptied, and one that
doubles has got somebody else's.  Small lists may change as they like; and a few new networks that
hold many times the addresses of all before are as much as a new list.

    >>> reason(Size(10_000, 10_000), Size(4_000, 4_000), Bounds(50, 100))
    'it shrank from 10000 entries to 4000, by more than 50 %'
    >>> reason(Size(10, 10), Size(4, 4), Bounds(50, 100))
    ''
"""

from dataclasses import dataclass

SMALL = 20
"""Changes by no more entries than this are never suspicious."""

WIDER = 10
"""So many times the IPv4 addresses of before are, and"""

WIDE = 1 << 16
"""at least so many more."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a version is: entries, and the IPv4 addresses that they hold."""

    entries: int
    addresses: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """By how many percent a version may be smaller or larger than the one before."""

    shrink: int
    grow: int


def reason(before: Size, after: Size, bounds: Bounds) -> str:
    """Why the update is held back, empty when it is not."""
    lost, won = before.entries - after.entries, after.entries - before.entries
    sizes = f"from {before.entries} entries to {after.entries}"
    if lost > SMALL and lost * 100 > bounds.shrink * before.entries:
        return f"it shrank {sizes}, by more than {bounds.shrink} %"
    if won > SMALL and won * 100 > bounds.grow * before.entries:
        return f"it grew {sizes}, by more than {bounds.grow} %"
    more = after.addresses - before.addresses
    if more > WIDE and after.addresses > WIDER * before.addresses:
        return f"it covers {after.addresses} IPv4 addresses instead of {before.addresses}"
    return ""
