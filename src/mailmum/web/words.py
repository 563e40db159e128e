"""Moments, distances and targets in the words that pages use.

>>> ago(13), ago(3 * 3600 + 59), in_future(2 * 86400 + 5)
('13 s ago', '3 h ago', 'in 2 days')
"""

from datetime import datetime
from itertools import pairwise

from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.domain.words import STEPS, of_time

RELATIVE_UP_TO = 30 * 86_400
"""Beyond these seconds a date says more than a distance."""


def ago(seconds: float) -> str:
    """How long ago something was."""
    return "just now" if seconds < 2 else f"{_coarse(seconds)} ago"


def rough(seconds: float) -> str:
    """A length of time in its largest unit.

    >>> rough(59.6), rough(7300)
    ('60 s', '2 h')
    """
    return _coarse(round(seconds)) if seconds >= 60 else f"{seconds:.0f} s"


def in_future(seconds: float) -> str:
    """How far off something is, to the nearest: what was given seven days is not off six at once.

    >>> in_future(7 * 86400 - 3), in_future(86400 - 3), in_future(3599), in_future(0.4)
    ('in 7 days', 'in 1 day', 'in 1 h', 'now')
    """
    if seconds < 1:
        return "now"
    for (length, unit), (next_length, _) in pairwise(STEPS):
        if seconds >= length - next_length / 2:
            return f"in {of_time(int(seconds / length + 0.5), unit)}"
    return f"in {_coarse(seconds)}"


def coarse(seconds: float) -> int:
    """A length of time without what nobody needs to know.

    >>> coarse(268.4), coarse(7300), coarse(13.2)
    (240, 7200, 13)
    """
    length = next((length for length, _ in STEPS if seconds >= 2 * length), 1)
    return max(int(seconds // length) * length, 1)


def date(at: datetime, now: datetime) -> str:
    """A day, with its year when that is another."""
    return f"{at.day} {at:%b}" + ("" if at.year == now.year else f" {at.year}")


def day_and_time(at: datetime) -> str:
    """A moment to the minute.

    >>> day_and_time(datetime(2026, 11, 6, 9, 5))
    'Fri 6 Nov 09:05'
    """
    return f"{at:%a} {at.day} {at:%b} {at:%H:%M}"


def describe(target: Target) -> str:
    """What a target is and how much it covers.

    >>> from mailmum.domain.targets import parse_target
    >>> describe(parse_target("198.51.100.64/27")), describe(parse_target("2001:db8::/62"))
    ('IPv4 network, 32 addresses', 'IPv6 network, 4 networks of /64')
    """
    if isinstance(target, NameTarget):
        if not target.whole:
            return "one host name"
        level = "domain" if "." in target.name else "top-level domain"
        return f"{level}, with all names under it"
    return _describe_network(target)


def _describe_network(target: NetworkTarget) -> str:
    if target.prefix == target.bits:
        return f"one IPv{target.version} address"
    if target.version == 6 and target.prefix <= 64:
        count = 1 << (64 - target.prefix)
        size = "one network of /64" if count == 1 else f"{_large(count)} networks of /64"
    else:
        size = f"{_large(1 << (target.bits - target.prefix))} addresses"
    return f"IPv{target.version} network, {size}"


def _large(count: int) -> str:
    return f"{count:,}" if count < 10**12 else f"2^{count.bit_length() - 1}"


def _coarse(seconds: float) -> str:
    whole = int(seconds)
    for length, unit in STEPS:
        if whole >= length:
            return of_time(whole // length, unit)
    return "0 s"
