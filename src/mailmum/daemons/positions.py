"""Where a stream of log lines stands, as the store keeps it: beside the place a count.

Positions of one stream never repeat: every commit has a number, also one that reads nothing and
only hands out what had been held back.  So a commit whose answer was lost is told from one that
never happened, and nothing is kept twice.

    >>> first = Position.start()
    >>> Position.parse(first.then("7").text())
    Position(number=1, lost=0, at='7')
"""

import json
from dataclasses import dataclass

LIMIT = 4096
_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stream stands.

    Attributes:
        number: of commits up to here.
        lost: lines that had to be thrown away before they were handed in, in all.
        at: where the log is read on, None when nothing has been read.
    """

    number: int
    lost: int
    at: str | None

    @classmethod
    def start(cls) -> "Position":
        """Before anything has been read."""
        return cls(0, 0, None)

    def then(self, at: str | None, lost: int = 0) -> "Position":
        """The next one."""
        return Position(self.number + 1, self.lost + lost, at)

    def text(self) -> str:
        """The same as text."""
        return json.dumps({"number": self.number, "lost": self.lost, "at": self.at})

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read what `text` wrote.

        Raises:
            ValueError: it is something else.
        """
        given = json.loads(text)
        if not isinstance(given, dict) or set(given) != set(cls.__slots__):
            raise ValueError("not a position in a log")
        at, numbers = given["at"], (given["number"], given["lost"])
        if not all(type(one) is int and 0 <= one < _LARGEST for one in numbers):
            raise ValueError("not a position in a log")
        if at is not None and not isinstance(at, str):
            raise ValueError("not a position in a log")
        return cls(*numbers, at)
