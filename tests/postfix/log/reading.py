"""Reads a log in a test: whole, split anywhere, with the quick lane or without."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC

from mailmum.postfix.log.reader import LogReader, Settings
from mailmum.traffic.sightings import Sighting, Update

NOW = 1795600000.0
"""25 November 2026, 09:46:40 UTC."""
WHOLE = Settings(now=NOW, zone=UTC, hold=None)


def feed(reader: LogReader, pieces: Iterable[bytes]) -> tuple[list[Sighting], list[Update]]:
    """All that comes out of pieces of a log, its end included."""
    sightings: list[Sighting] = []
    updates: list[Update] = []
    for piece in pieces:
        found = reader.feed(piece)
        sightings += found.sightings
        updates += found.updates
    found = reader.finish()
    return sightings + found.sightings, updates + found.updates


def read(text: str | bytes, settings: Settings = WHOLE) -> list[Sighting]:
    """The sightings of a whole log, in order of time."""
    data = text.encode() if isinstance(text, str) else text
    return ordered(feed(LogReader(settings), [data])[0])


def ordered(sightings: Iterable[Sighting]) -> list[Sighting]:
    """In order of time, then of everything else."""
    return sorted(sightings, key=lambda one: (one.time, repr(one)))


def lines(*bodies: str, start: str = "Nov 25 08:00:0", host: str = "mx1") -> str:
    """Lines of BSD syslog, a second apart, from `PROGRAM[PID]: TEXT`."""
    return "".join(
        f"Nov 25 08:{number // 60:02}:{number % 60:02} {host} postfix/{body}\n"
        for number, body in enumerate(bodies)
    )


def cut(data: bytes, seed: int, pieces: int) -> list[bytes]:
    """The same bytes, split at random."""
    at = sorted(random.Random(seed).randrange(len(data) + 1) for _ in range(pieces))
    return [data[one:two] for one, two in zip([0, *at], [*at, len(data)], strict=True)]


def briefly(sightings: Sequence[Sighting]) -> list[tuple[str, str | None, str, str | None]]:
    """Service, client, outcome and recipient of each."""
    return [(one.service, one.client, one.outcome.value, one.recipient) for one in sightings]
