"""The supervisor's state machine, with time as an argument."""

import math
import signal
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.daemons.supervisor_plan import (
    Act,
    Ended,
    Expected,
    GiveUp,
    Order,
    Plan,
    Restart,
    Timings,
)

FAILED = Ended(1, last_line="mailmum: 127.0.0.1:53 is taken; choose another port")
KILLED = Ended(None, signal.SIGKILL)


def started(*parts: str, timings: Timings | None = None) -> Plan:
    """A plan whose parts were told to start at 0."""
    plan = Plan(parts, timings or Timings())
    assert plan.due(0.0) == [Order(Act.START, part) for part in parts]
    return plan


def restart_delay(plan: Plan, part: str, ended: Ended, now: float) -> float:
    """The pause that follows an end."""
    consequence = plan.exited(part, ended, now)
    assert isinstance(consequence, Restart)
    return consequence.delay


def test_every_part_is_started_once() -> None:
    """All parts start together, and asking again does not start them again."""
    plan = started("web", "dns")
    assert plan.due(0.0) == []
    assert plan.awaiting() == ["web", "dns"]


def test_ready_is_announced_once_and_only_when_all_answer() -> None:
    """One part answering is not enough; a part that comes back is not announced again."""
    plan = started("web", "dns")
    plan.answered("web", 1.0)
    assert plan.due(1.0) == []
    plan.answered("dns", 2.0)
    assert plan.due(2.0) == [Order(Act.ANNOUNCE)]
    delay = restart_delay(plan, "dns", KILLED, 3.0)
    assert plan.due(3.0 + delay) == [Order(Act.START, "dns")]
    plan.answered("dns", 4.0)
    assert plan.due(4.0) == []


def test_pauses_double_up_to_the_longest() -> None:
    """0.5 s, 1 s, 2 s ... 30 s, and never more."""
    plan = started("dns")
    plan.answered("dns", 0.0)
    plan.due(0.0)
    now, delays = 0.0, []
    for _ in range(9):
        delays.append(restart_delay(plan, "dns", KILLED, now))
        assert plan.due(now + delays[-1] - 0.01) == []
        assert plan.wake_at() == now + delays[-1]
        now += delays[-1]
        assert plan.due(now) == [Order(Act.START, "dns")]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_part_that_ran_for_a_while_starts_again_at_once() -> None:
    """A crash once a day is not a crash loop, and mail servers may be waiting."""
    plan = started("dns")
    assert restart_delay(plan, "dns", KILLED, 1.0) == 0.5
    plan.due(1.5)
    assert restart_delay(plan, "dns", KILLED, 2.0) == 1.0
    plan.due(3.0)
    later = 3.0 + Timings().steady_after
    assert restart_delay(plan, "dns", KILLED, later) == 0.0
    assert plan.due(later) == [Order(Act.START, "dns")]
    assert restart_delay(plan, "dns", KILLED, later + 1) == 0.5
    plan.due(later + 2)
    assert restart_delay(plan, "dns", KILLED, later + 3) == 1.0


def test_three_refusals_before_ever_answering_end_the_whole() -> None:
    """The failure names the part and what it said; the other part is stopped."""
    plan = started("web", "dns")
    plan.answered("web", 0.1)
    now = 0.2
    for _ in range(2):
        now += restart_delay(plan, "dns", FAILED, now)
        assert plan.due(now) == [Order(Act.START, "dns")]
    assert plan.exited("dns", FAILED, now) == GiveUp("dns", FAILED, 3)
    assert plan.failure == GiveUp("dns", FAILED, 3)
    assert plan.due(now) == [Order(Act.TERMINATE, "web")]
    assert not plan.finished
    assert plan.exited("web", Ended(0), now + 1) == Expected()
    assert plan.finished


def test_a_death_by_signal_is_no_refusal() -> None:
    """What the kernel killed may well start the next time."""
    plan = started("dns")
    now = 0.0
    for ended in (FAILED, FAILED, KILLED, FAILED, FAILED, KILLED):
        now += restart_delay(plan, "dns", ended, now)
        assert plan.due(now) == [Order(Act.START, "dns")]
    assert plan.failure is None


def test_a_part_that_answered_once_is_tried_for_ever() -> None:
    """Ten refusals later the rest still runs."""
    plan = started("web", "dns")
    plan.answered("dns", 0.1)
    now = 0.2
    for _ in range(10):
        now += restart_delay(plan, "dns", FAILED, now)
        assert Order(Act.START, "dns") in plan.due(now)
    assert plan.failure is None
    assert not plan.stopping


def test_stopping_asks_first_and_kills_after_the_patience() -> None:
    """SIGTERM at once, SIGKILL ten seconds later and only for those that are left."""
    plan = started("web", "dns")
    plan.stop(5.0)
    assert plan.due(5.0) == [Order(Act.TERMINATE, "web"), Order(Act.TERMINATE, "dns")]
    assert plan.exited("web", Ended(0), 5.5) == Expected()
    assert plan.due(14.9) == []
    assert plan.wake_at() == 15.0
    assert plan.due(15.0) == [Order(Act.KILL, "dns")]
    assert plan.due(99.0) == []
    plan.exited("dns", KILLED, 15.1)
    assert plan.finished


def test_stopping_again_neither_repeats_nor_prolongs() -> None:
    """A second polite request changes nothing, an impatient one kills now."""
    plan = started("dns")
    plan.stop(5.0)
    assert plan.due(5.0) == [Order(Act.TERMINATE, "dns")]
    plan.stop(8.0)
    assert plan.due(8.0) == []
    assert plan.wake_at() == 15.0
    plan.stop(9.0, at_once=True)
    assert plan.due(9.0) == [Order(Act.KILL, "dns")]


def test_who_answers_while_the_whole_is_stopped_is_ended_like_the_others() -> None:
    """Both can come in the same moment; the answer must not make it forget the end."""
    plan = started("dns")
    plan.stop(5.0)
    plan.answered("dns", 5.0)
    assert plan.due(5.0) == [Order(Act.TERMINATE, "dns")]


def test_a_resting_part_is_not_started_while_stopping() -> None:
    """What waits for its next start is simply gone."""
    plan = started("dns")
    restart_delay(plan, "dns", KILLED, 1.0)
    plan.stop(1.1)
    assert plan.finished
    assert plan.due(99.0) == []


def test_a_part_that_does_not_answer_is_mentioned_ever_more_rarely() -> None:
    """At 10, 20, 40 and 80 s: it may be loading ten million listings, so it is left alone."""
    plan = started("dns")
    reminders = [t for t in range(100) if plan.due(float(t)) == [Order(Act.REMIND, "dns")]]
    assert reminders == [10, 20, 40, 80]


def test_a_late_answer_of_a_dead_part_means_nothing() -> None:
    """Only a part that is starting can become ready."""
    plan = started("dns")
    restart_delay(plan, "dns", KILLED, 1.0)
    plan.answered("dns", 1.1)
    assert plan.awaiting() == []
    assert plan.due(1.2) == []


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (Ended(0), "exit status 0"),
        (Ended(1), "exit status 1"),
        (Ended(None, signal.SIGSEGV), "killed by SIGSEGV"),
        (Ended(None, 40), "killed by signal 40"),
    ],
)
def test_the_reason_is_in_words(ended: Ended, reason: str) -> None:
    """Signals are named; a real-time signal has only its number."""
    assert ended.reason == reason


@dataclass
class World:
    """Obeys a plan and checks that what it asks for makes sense."""

    plan: Plan
    running: set[str] = field(default_factory=set)
    terminated: set[str] = field(default_factory=set)
    announced: int = 0

    def obey(self, now: float) -> None:
        """Carry out what is due."""
        for order in self.plan.due(now):
            match order.act:
                case Act.START:
                    assert order.part not in self.running
                    assert not self.plan.stopping
                    self.running.add(order.part)
                case Act.TERMINATE:
                    assert order.part in self.running - self.terminated
                    self.terminated.add(order.part)
                case Act.KILL:
                    assert order.part in self.terminated
                case Act.REMIND:
                    assert order.part in self.plan.awaiting()
                case Act.ANNOUNCE:
                    self.announced += 1
                    assert not self.plan.awaiting()

    def end(self, part: str, ended: Ended, now: float) -> None:
        """The part's process ends, if it runs."""
        if part in self.running:
            self.running.discard(part)
            self.plan.exited(part, ended, now)


EVENTS = st.tuples(
    st.floats(0, 40),
    st.sampled_from(["end", "fail", "kill", "answer", "stop", "hurry", "nothing"]),
    st.sampled_from(["web", "dns", "policy"]),
)


@given(st.lists(EVENTS, max_size=40))
def test_whatever_happens_orders_make_sense_and_it_ends(
    events: list[tuple[float, str, str]],
) -> None:
    """No part is started twice or after the stop; after a stop everything ends."""
    world = World(Plan(["web", "dns", "policy"], Timings()))
    ends = {"end": Ended(0), "fail": FAILED, "kill": KILLED}
    now = 0.0
    for pause, event, part in events:
        now += pause
        world.obey(now)
        if event in ends:
            world.end(part, ends[event], now)
        elif event == "answer" and part in world.running:
            world.plan.answered(part, now)
        elif event in ("stop", "hurry"):
            world.plan.stop(now, at_once=event == "hurry")
        world.obey(now)
        assert world.announced <= 1
    world.plan.stop(now)
    world.obey(now)
    for part in sorted(world.running):
        world.end(part, Ended(0), now)
    assert world.plan.finished
    assert world.plan.wake_at() == math.inf
