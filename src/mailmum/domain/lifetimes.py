"""Lifetimes as people write them: `90s`, `15m`, `12h`, `7d`, `2w`, or several as in `1d12h`.

>>> parse_lifetime("1d12h")
129600
>>> lifetime_text(129600)
'1d12h'
"""

import math
import re

from mailmum.domain.errors import BadInput
from mailmum.domain.texts import shown

UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
LONGEST = 100 * 365 * 86400
_WHOLE = re.compile(r"(?:[0-9]{1,10}[wdhms])+", re.ASCII)
_PART = re.compile(r"([0-9]{1,10})([wdhms])", re.ASCII)
_WORDS = re.compile(
    r"([0-9]{1,10}) ?(weeks?|w|days?|d|hours?|h|minutes?|mins?|m|seconds?|sec|s)", re.ASCII
)
"""A part as people say it, and as pages do."""


def parse_lifetime(text: str, *, field: str = "for") -> int:
    """Read a lifetime, in seconds.

    Args:
        text: as people write it.
        field: the input field to name in a refusal.

    Raises:
        BadInput: not understood, zero, or longer than a hundred years.
    """
    given = text.strip().lower()
    if len(given) > 60 or not _WHOLE.fullmatch(given):
        raise BadInput(
            f"{shown(text)} is no length of time",
            fix=_meant(given) or "write for example 10m, 12h, 7d or 1d12h",
            field=field,
        )
    seconds = sum(int(count) * UNITS[unit] for count, unit in _PART.findall(given))
    if not 0 < seconds <= LONGEST:
        raise BadInput(
            f"{shown(given)} is out of range",
            fix="give at least 1s and at most a hundred years, or leave it out",
            field=field,
        )
    return seconds


def _meant(given: str) -> str:
    """What somebody will have meant, as a question; empty when nobody can tell.

    >>> _meant("10 min"), _meant("1 day 12 hours"), _meant("soon")
    ('did you mean 10m?', 'did you mean 1d12h?', '')
    """
    if len(given) > 60:
        return ""
    if given.isdecimal() and given.isascii():
        return f"give it a unit: {given}m, {given}h or {given}d"
    plain = given.replace(",", "")
    if _WORDS.sub("", plain).strip():
        return ""
    told = "".join(f"{count}{unit[0]}" for count, unit in _WORDS.findall(plain))
    return f"did you mean {told}?" if told else ""


def end_of(lifetime: str | None, now: float) -> int | None:
    """When a lifetime that begins now ends, in Unix time; None and nothing: never.

    Never sooner than was asked for, though times are kept in whole seconds.

    Raises:
        BadInput: it is not understood.
    """
    if lifetime is None or not lifetime.strip():
        return None
    return math.ceil(now) + parse_lifetime(lifetime)


def parse_keep(text: str, *, field: str = "keep") -> int:
    """Like `parse_lifetime`, but `0` and `0s` stand for not at all.

    Raises:
        BadInput: not understood, or longer than a hundred years.
    """
    return 0 if text.strip().lower() in {"0", "0s"} else parse_lifetime(text, field=field)


def lifetime_text(seconds: int) -> str:
    """The shortest exact text of a lifetime in seconds."""
    parts = []
    for unit, length in UNITS.items():
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
