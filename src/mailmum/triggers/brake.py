"""The brake: a trigger that would list more than so many in some time stops itself.

It looks at the moments of listings only, in whatever order they come, so a backtest can ask it
about listings that were found apart.

    >>> from mailmum.triggers.rules import Metric
    >>> rule = Rule(Metric.UNKNOWN, threshold=3, window=600, brake=2, brake_window=60)
    >>> first_stop(rule, [0, 50_000, 59_000, 61_000])
    59000
"""

from bisect import bisect_right, insort
from collections.abc import Iterable

from mailmum.domain.words import span
from mailmum.triggers.rules import Rule
from mailmum.triggers.windows import LATE


class Brake:
    """The brake of one trigger; times are Unix time in milliseconds."""

    def __init__(self, rule: Rule) -> None:
        self._rule, self._length = rule, rule.brake_window * 1000
        self._recent: list[int] = []

    def remember(self, begun: Iterable[int]) -> None:
        """Take up when listings began that it still counts."""
        self._recent = sorted(begun)

    def note(self, at: int) -> None:
        """Count a listing that is made."""
        insort(self._recent, at)

    def holds(self, at: int, newest: int) -> str:
        """Why one more listing must not be made, empty when it may be.

        Args:
            at: when it would begin.
            newest: when the newest contact was that had counted.
        """
        rule, recent = self._rule, self._recent
        if not rule.brake:
            return ""
        del recent[: bisect_right(recent, newest - LATE - self._length)]
        within = bisect_right(recent, at) - bisect_right(recent, at - self._length)
        if within < rule.brake:
            return ""
        return f"it would list more than {rule.brake:,} in {span(rule.brake_window)}"


def first_stop(rule: Rule, begun: Iterable[int]) -> int | None:
    """When the brake would have stopped a trigger first that lists at these times, in order."""
    brake = Brake(rule)
    for at in begun:
        if brake.holds(at, at):
            return at
        brake.note(at)
    return None
