"""How far a backtest is, of all that it does."""

from collections.abc import Mapping
from dataclasses import dataclass

from mailmum.control.triggers.history import by_sighting
from mailmum.triggers.rules import Metric, Rule

READING, JUDGING, WEIGHING = "reading", "judging", "weighing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: a word for what it does, and how much of all is done, from 0 to 1."""

    phase: str
    done: float


class Scale:
    """Makes one way from nothing to all out of phases that each go from nothing to all.

    A phase gets its share of what is left when it begins, so one that has nothing to do leaves its
    own to those after it.  It never goes back.
    """

    def __init__(self, rule: Rule) -> None:
        whole = by_sighting(rule) or rule.metric is Metric.ASKED
        self._shares = _READ_WHOLE if whole else _READ_IN_PIECES
        self._phase, self._begin, self._done = "", 0.0, 0.0

    def at(self, phase: str, done: float) -> Progress:
        """So much of a phase is done."""
        if phase != self._phase:
            self._phase, self._begin = phase, self._done
        room = (1 - self._begin) * self._shares[phase]
        self._done = max(self._done, self._begin + room * min(done, 1.0))
        return Progress(phase, self._done)


_READ_IN_PIECES: Mapping[str, float] = {READING: 0.9, JUDGING: 0.5, WEIGHING: 1.0}
"""What is read is judged in between."""
_READ_WHOLE: Mapping[str, float] = {READING: 0.5, JUDGING: 0.8, WEIGHING: 1.0}
"""It is judged when all is read."""
