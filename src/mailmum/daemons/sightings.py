"""Sightings that wait to be handed over: bounded, and what finds no room is counted."""

from mailmum.daemons.counts import Seen
from mailmum.traffic.sightings import Sighting

LIMIT = 20_000
"""Most sightings kept between two parcels; one has about half a kilobyte."""


class Sightings:
    """Keeps sightings in the thread that answers; `limit` is how many at most."""

    __slots__ = ("_dropped", "_limit", "_seen")

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._seen: list[Seen] = []
        self._dropped = 0

    def add(self, server: int, sighting: Sighting) -> None:
        """Keep one, if there is room."""
        if len(self._seen) < self._limit:
            self._seen.append(Seen(server, sighting))
        else:
            self._dropped += 1

    def take(self) -> tuple[list[Seen], int]:
        """Those since the last call, and how many found no room."""
        taken = self._seen, self._dropped
        self._seen, self._dropped = [], 0
        return taken
