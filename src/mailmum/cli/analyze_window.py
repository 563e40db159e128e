"""Moments as people write them for --since and --until.

>>> from datetime import UTC
>>> moment("2026-11-20", 0, UTC), moment("2026-11-20", 0, UTC, ends=True)
(1795132800.0, 1795219200.0)
>>> moment("2h", 1795132800, UTC) == 1795132800 - 7200
True
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import parse_lifetime
from mailmum.domain.texts import shown


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is looked at: from `since` to before `until`; None is open."""

    since: float | None = None
    until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether everything lies inside."""
        return self.since is None and self.until is None

    def holds(self, time: float) -> bool:
        """Whether a moment lies inside."""
        return (self.since is None or time >= self.since) and (
            self.until is None or time < self.until
        )


def moment(text: str, now: float, zone: tzinfo, *, ends: bool = False) -> float:
    """The Unix time of a moment.

    Args:
        text: a day, a day and time in ISO 8601, or a span such as 7d before now.
        now: Unix time.
        zone: of times that name none.
        ends: whether a day alone means its end.

    Raises:
        BadInput: it is none of these.
    """
    given = text.strip()
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        return _before(given, now)
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    # A day is written in ten characters or, without hyphens, in eight.
    if ends and len(given) <= len("2026-11-20"):
        found += timedelta(days=1)
    return found.timestamp()


def _before(given: str, now: float) -> float:
    try:
        return now - parse_lifetime(given)
    except BadInput:
        raise BadInput(
            f"{shown(given)} is no moment",
            fix="write 2026-11-20, '2026-11-20 14:30', or 7d for seven days ago",
            field="since",
        ) from None
