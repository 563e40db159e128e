"""What every followed log is: pieces of bytes, each with the position after it.

    log = open_log("/var/log/mail.log", None)
    while (piece := log.read()) is not None:
        keep(piece.data, piece.at)

A log that is followed never ends: `read` gives None when there is nothing new just now, and is
asked again a moment later.  Pieces are whole lines, except where a single line is longer than a
piece.  What keeps a log from being read is no exception but a `Trouble`, since all that can be done
is to say so and try again.

Where the position is kept is the caller's: given back to `open_log`, reading goes on right there.
"""

import os
import pwd
from typing import NamedTuple, Protocol

PIECE = 512 * 1024


class Piece(NamedTuple):
    """Bytes of a log.

    Attributes:
        data: whole lines, each with its end.
        at: where the log is to be read on, for `open_log`; opaque.
    """

    data: bytes
    at: str


class Trouble(NamedTuple):
    """Why a log cannot be read just now, and the likely fix."""

    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.fix}"


def own_name() -> str:
    """The name of the user that this process runs as, for fixes."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "USER"


class FollowedLog(Protocol):
    """A log that is followed.

    Attributes:
        trouble: why it cannot be read, None while it can.
        gap: what was lost without our reading it, once; empty for nothing.
    """

    trouble: Trouble | None
    gap: str

    def read(self) -> Piece | None:
        """The next lines, None when there are none just now."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
