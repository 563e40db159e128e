"""What a supervisor does next: a state machine without processes, clocks or signals.

Events go in with the time at which they were seen (`exited`, `answered`, `stop`); `due` tells what
to do now and `wake_at` when to ask again.  The rules:

- Every part runs at the same time; a part that ends is started again after a pause that doubles
  from `first_delay` to `longest_delay`.  One that has run for `steady_after` starts again at once:
  mail servers may be waiting for it, and the pause is for those that end again and again.
- A part that never answered and has ended with a failing exit status `failed_starts` times in a
  row will not start by trying again (a port in use, a damaged setting): the whole stops, with that
  part's own last words as the reason.  A death by signal is no such refusal and is not counted.
- Once a part has answered it is tried for ever: what worked once may work again, and a mail server
  is better off with the other parts running.
- Stopping: every part gets SIGTERM, and `patience` seconds later SIGKILL.

    >>> plan = Plan(["dns"], Timings())
    >>> plan.due(now=0.0)
    [Order(act=<Act.START: 'start'>, part='dns')]
    >>> plan.answered("dns", now=0.2)
    >>> plan.due(now=0.2)
    [Order(act=<Act.ANNOUNCE: 'announce'>, part='')]
"""

import math
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum


@dataclass(frozen=True, slots=True)
class Timings:
    """How patient a supervisor is; all times in seconds.

    Attributes:
        first_delay: pause before the first new start.
        longest_delay: the longest pause between starts.
        steady_after: having run this long, a part starts again at once, and then again with
            `first_delay`.
        patience: time between SIGTERM and SIGKILL.
        reminder: a part that does not answer for this long is mentioned in the log, and again each
            time after twice as long.
        failed_starts: failing exits in a row, before the part ever answered, that end the whole.
    """

    first_delay: float = 0.5
    longest_delay: float = 30.0
    steady_after: float = 60.0
    patience: float = 10.0
    reminder: float = 10.0
    failed_starts: int = 3


class Act(StrEnum):
    """What the edge is told to do."""

    START = "start"
    TERMINATE = "terminate"
    KILL = "kill"
    REMIND = "remind"
    ANNOUNCE = "announce"


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to do, and to which part; `ANNOUNCE` concerns the whole."""

    act: Act
    part: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        status: its exit status, or None when a signal ended it.
        signal: number of the signal that ended it, or None.
        last_line: what it said last, for the log and for the message.
    """

    status: int | None
    signal: int | None = None
    last_line: str = ""

    @property
    def reason(self) -> str:
        """The cause in words.

        >>> Ended(None, signal=9).reason, Ended(1).reason
        ('killed by SIGKILL', 'exit status 1')
        """
        if self.signal is None:
            return f"exit status {self.status}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:  # real-time signals have no names in the table
            return f"killed by signal {self.signal}"

    @property
    def refused(self) -> bool:
        """Whether the process itself decided to fail."""
        return self.status is not None and self.status != 0


@dataclass(frozen=True, slots=True)
class Restart:
    """An end that nobody asked for: it starts again in `delay` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Expected:
    """It ended because it was told to."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It will not start: the whole stops. `starts` is how often it was tried."""

    part: str
    ended: Ended
    starts: int


Consequence = Restart | Expected | GiveUp


class _Phase(Enum):
    RESTING = "waits for its next start"
    STARTING = "runs, has not answered yet"
    READY = "runs and has answered"
    STOPPING = "was told to end"
    GONE = "ended for good"


@dataclass(slots=True)
class _State:
    phase: _Phase = _Phase.RESTING
    # When it is next looked at: the start, the reminder or the kill, by phase.
    due: float = -math.inf
    started: float = 0.0
    delay: float = 0.0
    refusals: int = 0
    ever_ready: bool = False


class Plan:
    """The state machine for a set of parts, named in the order in which they start."""

    def __init__(self, parts: Iterable[str], timings: Timings) -> None:
        self._timings = timings
        self._states = {name: _State(delay=timings.first_delay) for name in parts}
        self._announced = False
        self._stopping = False
        self.failure: GiveUp | None = None

    @property
    def stopping(self) -> bool:
        """Whether the whole is on its way down."""
        return self._stopping

    @property
    def finished(self) -> bool:
        """Whether nothing runs any more and nothing will be started."""
        return self._stopping and all(s.phase is _Phase.GONE for s in self._states.values())

    def awaiting(self) -> list[str]:
        """The parts that run and have not answered yet."""
        return [name for name, s in self._states.items() if s.phase is _Phase.STARTING]

    def answered(self, part: str, now: float) -> None:
        """The part has answered; of one that is not starting, or is to end, it means nothing."""
        state = self._states[part]
        if state.phase is _Phase.STARTING and not self._stopping:
            state.phase = _Phase.READY
            state.due = math.inf
            state.ever_ready = True

    def exited(self, part: str, ended: Ended, now: float) -> Consequence:
        """The part's process has ended, or could not be started at all."""
        state = self._states[part]
        if self._stopping:
            state.phase, state.due = _Phase.GONE, math.inf
            return Expected()
        state.refusals = state.refusals + 1 if ended.refused and not state.ever_ready else 0
        if state.refusals >= self._timings.failed_starts:
            state.phase, state.due = _Phase.GONE, math.inf
            self.failure = GiveUp(part, ended, state.refusals)
            self.stop(now)
            return self.failure
        return self._rest(state, now)

    def stop(self, now: float, *, at_once: bool = False) -> None:
        """End everything, politely or `at_once`; asking again only ever shortens the wait."""
        first = not self._stopping
        self._stopping = True
        for state in self._states.values():
            if state.phase is _Phase.RESTING:
                state.phase, state.due = _Phase.GONE, math.inf
            elif first and state.phase in (_Phase.STARTING, _Phase.READY):
                state.due = -math.inf
            if at_once and state.phase is _Phase.STOPPING:
                state.due = min(state.due, now)

    def due(self, now: float) -> list[Order]:
        """What to do at `now`; each order is given once."""
        orders = []
        for name, state in self._states.items():
            if state.due <= now:
                orders += self._order(name, state, now)
        all_ready = all(s.phase is _Phase.READY for s in self._states.values())
        if all_ready and not self._announced and not self._stopping:
            self._announced = True
            orders.append(Order(Act.ANNOUNCE))
        return orders

    def wake_at(self) -> float:
        """When `due` has something to say at the latest; infinity when only an event can tell."""
        return min((s.due for s in self._states.values()), default=math.inf)

    def _rest(self, state: _State, now: float) -> Restart:
        if now - state.started >= self._timings.steady_after:
            state.delay = 0.0
        pause = state.delay
        state.delay = min(2 * pause or self._timings.first_delay, self._timings.longest_delay)
        state.phase, state.due = _Phase.RESTING, now + pause
        return Restart(pause)

    def _order(self, name: str, state: _State, now: float) -> list[Order]:
        if state.phase is _Phase.RESTING:
            state.phase, state.started = _Phase.STARTING, now
            state.due = now + self._timings.reminder
            return [Order(Act.START, name)]
        if state.phase is _Phase.STOPPING:
            state.due = math.inf
            return [Order(Act.KILL, name)]
        if self._stopping:
            state.phase, state.due = _Phase.STOPPING, now + self._timings.patience
            return [Order(Act.TERMINATE, name)]
        # Twice as long since the start as at this reminder: 10 s, 20 s, 40 s ...
        state.due = now + max(now - state.started, self._timings.reminder)
        return [Order(Act.REMIND, name)]
