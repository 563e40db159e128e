"""How moments are written: ISO 8601 in UTC, to the second; within a text for people plainer.

>>> moment(1_790_000_000), spoken(1_790_000_000)
('2026-09-21T14:13:20Z', '2026-09-21 14:13:20 UTC')
"""

from datetime import UTC, datetime
from typing import overload


@overload
def instant(at: datetime) -> str: ...
@overload
def instant(at: datetime | None) -> str | None: ...
def instant(at: datetime | None) -> str | None:
    """A moment as text."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(seconds: int | None) -> str | None:
    """A Unix time as text."""
    return None if seconds is None else instant(datetime.fromtimestamp(seconds, UTC))


def spoken(at: datetime | float) -> str:
    """A moment, or a Unix time, within a text that people read, who may be in any zone."""
    instant = at if isinstance(at, datetime) else datetime.fromtimestamp(int(at), UTC)
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
