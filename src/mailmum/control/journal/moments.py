"""How moments are written: ISO 8601 in UTC, to the second."""

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
