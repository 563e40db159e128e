"""Sightings to keep, and what is compared with them."""

from collections.abc import Sequence
from typing import NamedTuple

from mailmum.traffic.sightings import Outcome, Sighting, Update

NOW = 1_790_000_000.0
"""Our own clock in these tests; a moment in 2026, 13:33:20 of its day."""


class Batch(NamedTuple):
    """What is found in a stretch of a log."""

    sightings: Sequence[Sighting] = ()
    updates: Sequence[Update] = ()


def seen(at: float = NOW, client: str | None = "203.0.113.7", **fields: object) -> Sighting:
    """A sighting with what does not matter filled in."""
    given = {"host": "mx1", "service": "smtpd", "outcome": Outcome.REJECTED} | fields
    return Sighting(at, client=client, **given)  # type: ignore[arg-type]
