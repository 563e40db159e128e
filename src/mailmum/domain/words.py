"""Counts and lengths of time in the words that people read; what they type is in `lifetimes`.

>>> plural(1, "listing"), plural(1200, "listing"), plural(0, "entry", "entries")
('1 listing', '1,200 listings', '0 entries')
>>> span(7 * 86400), span(5400)
('7 days', '1 h 30 min')
"""

from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import parse_lifetime

TYPED = frozenset({"window", "lifetime", "longest", "quiet", "brake_window", "every"})
"""Fields that hold a length of time as somebody typed it."""
SECONDS = frozenset({"key_keep", "old_key_lives", "digest", "silent_after"})
"""Those that hold it in seconds."""
STEPS = ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s"))
"""Units of time by their seconds, the largest first."""


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def of_time(count: int, unit: str) -> str:
    """So many of a unit of time.

    >>> of_time(2, "day"), of_time(2, "h")
    ('2 days', '2 h')
    """
    return plural(count, unit) if unit == "day" else f"{count} {unit}"


def span(seconds: int) -> str:
    """A length of time, exactly."""
    parts = []
    for length, unit in STEPS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(of_time(count, unit))
    return " ".join(parts) or "0 s"


def took(seconds: float) -> str:
    """How long something took that just ran.

    >>> took(0.04), took(0.06), took(12.34)
    ('less than 0.1 s', '0.1 s', '12.3 s')
    """
    return f"{seconds:.1f} s" if seconds >= 0.05 else "less than 0.1 s"


def said(lifetime: str) -> str:
    """A length of time that somebody typed; what is none stays as it is.

    >>> said("10m"), said("1d12h"), said("always")
    ('10 min', '1 day 12 h', 'always')
    """
    try:
        return span(parse_lifetime(lifetime))
    except BadInput:
        return lifetime
