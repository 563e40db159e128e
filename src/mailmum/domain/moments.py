"""Moments as people write them: `2h` (ago), a day, or a moment with its zone.

>>> parse_moment("1d12h", now=1_790_000_000.0, field="since")
1789870400.0
>>> parse_moment("2026-09-21", now=0.0, field="since")
1789948800.0
"""

from datetime import UTC, date, datetime

from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import parse_lifetime
from mailmum.domain.texts import shown

_LONGEST = 40


def parse_moment(text: str, *, now: float, field: str) -> float:
    """Read a moment, as Unix time in seconds.

    Args:
        text: `2h` or `1d12h` for so long ago, `2026-11-26` for the beginning of a day (UTC), or
            a moment as RFC 3339 has it.
        now: what `ago` counts from, Unix time in seconds.
        field: the input field to name in a refusal.

    Raises:
        BadInput: it is none of these.
    """
    given = text.strip()
    try:
        if len(given) > _LONGEST:
            raise ValueError
        if given[-1:].isalpha() and given[-1:] not in {"Z", "z"}:
            return now - parse_lifetime(given)
        if len(given) == len("2026-11-26"):
            return datetime.combine(date.fromisoformat(given), datetime.min.time(), UTC).timestamp()
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            raise BadInput(
                f"{shown(given)} has no time zone",
                fix=f"write for example {given}Z for UTC",
                field=field,
            )
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise _not_understood(given, field) from None
    except BadInput as refusal:
        if refusal.field == field:
            raise
        raise _not_understood(given, field) from None


def _not_understood(given: str, field: str) -> BadInput:
    return BadInput(
        f"{shown(given)} is no moment",
        fix="write 2h or 7d for so long ago, 2026-11-26, or 2026-11-26T14:00:00Z",
        field=field,
    )
