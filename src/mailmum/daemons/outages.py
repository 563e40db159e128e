"""What cannot be done for a while: told when it begins, seldom while it lasts, and when it ends.

    if outages.began("triggers"):
        log.warning("triggers.failed", reason=...)
    ...
    if (after := outages.ended("triggers")) is not None:
        log.info("triggers.works-again", after=after)

Both are asked after each try.  What fails every other time is no new outage each time: one that
begins within `_CALM` seconds of another being told waits for the reminder.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

_CALM = 60.0


@dataclass(slots=True)
class _Outage:
    """Since when something fails, None while it works; when that was told, and whether it was."""

    since: float | None
    told_at: float
    told: bool


class Outages:
    """Remembers what fails, by kind; there are only a few kinds.

    Args:
        remind: seconds after which one that lasts is told again.
        clock: monotonic seconds.
    """

    def __init__(self, remind: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._remind = remind
        self._clock = clock
        self._known: dict[str, _Outage] = {}

    def began(self, kind: str) -> bool:
        """Note that it has failed; whether to tell that now."""
        now, one = self._clock(), self._known.get(kind)
        if one is None:
            self._known[kind] = _Outage(now, now, told=True)
            return True
        pause = _CALM if one.since is None else self._remind
        if one.since is None:
            one.since, one.told = now, False
        elif not one.told:
            pause = _CALM
        if now - one.told_at < pause:
            return False
        one.told_at, one.told = now, True
        return True

    def ended(self, kind: str) -> float | None:
        """Note that it works; for how many seconds it did not, where that was told."""
        one = self._known.get(kind)
        if one is None or one.since is None:
            return None
        lasted, one.since = self._clock() - one.since, None
        return round(lasted, 1) if one.told else None
