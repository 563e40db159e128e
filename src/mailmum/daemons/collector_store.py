"""What the collector asks of the store, which it is given: it knows no database."""

from typing import NamedTuple, Protocol

from mailmum.daemons.tailing_sources import WantedLog
from mailmum.postfix.log.reader import Found


class OutOfStep(Exception):
    """The stream stands elsewhere than this was read from; nothing was kept."""


class Destination(NamedTuple):
    """Whose sightings they are: numbers of account and server."""

    account: int
    server: int


class Stood(NamedTuple):
    """Where a stream stands: the position, and the state of its reader there."""

    position: str
    state: bytes


class Store(Protocol):
    """Where sightings go; `SourceUnavailable` is raised while the database is away."""

    def destination(self, wanted: WantedLog) -> Destination:
        """Whose log it is.

        Raises:
            Refusal: there is no such server, or several; with the likely fix.
        """
        ...

    def stands(self, to: Destination, stream: str) -> Stood | None:
        """Where a stream stands, None when nothing of it was ever kept."""
        ...

    def keep(
        self, to: Destination, stream: str, found: Found, stood: Stood, after: str | None
    ) -> None:
        """Keep what was found, and where the stream stands now: all of it or nothing.

        Raises:
            OutOfStep: it does not stand at `after`.
        """
        ...
