"""One share of a backtest: some of an account's clients, read, judged and weighed by themselves.

What a rule decides about one client, or one network, does not depend on any other; only the brake
looks at all listings, and it is applied when all shares are there.  So shares can be looked at one
after the other or side by side, in this process or in another: what is found of one is small enough
to be handed over, whatever was read for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.triggers import weighing
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.harm import Harm
from mailmum.control.triggers.history import Past, read
from mailmum.control.triggers.progress import JUDGING, READING, WEIGHING, Progress, Scale
from mailmum.control.triggers.slices import Slice
from mailmum.control.triggers.weighing import Scales, Weight
from mailmum.domain.targets import Target
from mailmum.traffic.periods import DAY, start_of
from mailmum.triggers.backtest import Outcome, run
from mailmum.triggers.contacts import Context
from mailmum.triggers.decisions import Decision, Evidence, evidence_of, outline_of
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Rule
from mailmum.triggers.singles import Singles
from mailmum.triggers.windows import Entry

SPARED = 50
"""Of those spared so many are told."""
_STEP = 2000


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    Attributes:
        account: number of the account.
        rule: without its brake.
        context: what counting takes besides.
        since, until: the time that is looked at, Unix seconds.
        slices: the clients that are looked at.
        room: so many single sightings are looked at.
        weighed: so many listings are weighed.
        rows: about so many counts there are; None where they shall be counted.
    """

    account: int
    rule: Rule
    context: Context
    since: float
    until: float
    slices: tuple[Slice, ...]
    room: int
    weighed: int
    rows: int | None = None


@dataclass(slots=True)
class Listing:
    """A listing that would have been made, until when, and what it would have stopped."""

    decision: Decision
    until: int
    weight: Weight | None = None


@dataclass(slots=True)
class Spared:
    """Somebody whom a protection kept from being listed: the first time, and how often."""

    decision: Decision
    times: int = 0


@dataclass(slots=True)
class Found:
    """What was found; times in milliseconds where nothing else is said.

    Attributes:
        since, until, exact, rows: as in `history.Past`.
        listed: the first listings, in order.
        begun: when each of all listings begins.
        braked: when those begin that the brake counts.
        by_hour: those of them of which only the hour is known.
        waits: how long after the first contact that counted each came.
        targets: of how many different targets they are.
        spared: the first of those spared, in order, each once.
        spared_many: how many different ones were spared.
        hits: clients with accepted mail that any of the listings hits.
    """

    since: float
    until: float
    exact: float | None
    rows: int
    listed: list[Listing]
    begun: list[int]
    braked: list[int]
    by_hour: frozenset[int]
    waits: list[int]
    targets: int
    spared: list[Spared]
    spared_many: int
    hits: list[dict[str, Any]] = field(default_factory=list)


def in_order(decision: Decision) -> tuple[int, int]:
    """The order of decisions: that of the contacts that led to them."""
    return decision.evidence.last, decision.offence.number


def look_at(reading: Reading, task: Task) -> Iterator[Progress | Found]:
    """Do a task; progress, and what was found last."""
    scale = Scale(task.rule)
    past = Past(task.since, task.until, task.slices, task.room, task.rows is None)
    past.rows = task.rows or 0
    court = _Court(reading, task, past)
    for done in read(task.account, task.rule, task.context, past):
        yield scale.at(READING, done)
        for _ in court.judge():
            yield scale.at(READING, done)
    for done in court.judge():
        yield scale.at(JUDGING, done)
    found = _found(past, court.judged)
    for done in _weigh(task, past, found.listed):
        yield scale.at(WEIGHING, done / 2)
    days = start_of(past.since, DAY), start_of(past.until, DAY) + DAY
    harm = Harm(task.account, *days, court.guard)
    for done in harm.look(one.target for one in court.judged.listed):
        yield scale.at(WEIGHING, 0.5 + done / 2)
    found.hits = harm.hits
    yield found


class _Court:
    """The judge, before whom comes what is found, piece by piece."""

    def __init__(self, reading: Reading, task: Task, past: Past) -> None:
        self.judged = Outcome()
        self._rule, self._past = task.rule, past
        self.guard = AccountGuard(reading, task.rule, asks_often=True)
        self._judge = Judge(task.rule, task.context, self.guard, self._tell)

    def _tell(self, entries: Sequence[Entry], *, different: bool = False) -> Evidence:
        """The evidence; of tens of thousands only the first are told with it."""
        if len(self.judged.listed) >= weighing.WEIGHED and len(self.judged.spared) >= SPARED:
            return outline_of(entries)
        return evidence_of(entries, different=different)

    def judge(self) -> Iterator[float]:
        """Judge what has been found, and settle who is listed; now and then how much is done."""
        past, many, known = self._past, len(self._past.found), len(self.judged.listed)
        if past.singles is not None:
            yield from self._judge_singles(past.singles)
            return
        for _ in self.guard.foresee(past.clients(), past.since, past.until):
            yield 0.0
        contacts = past.contacts(self._rule)
        for count, judged in enumerate(run(self._judge, contacts, self.judged)):
            for one in judged.listed[known:]:
                past.settle(self._rule, one, self._judge.settles(one.offence))
            known = len(judged.listed)
            if count % _STEP == 0 and many:
                yield min(count / many, 1.0)

    def _judge_singles(self, singles: Singles) -> Iterator[float]:
        past = self._past
        past.singles = None
        singles.sift()
        yield 0.0
        for _ in self.guard.foresee(singles.clients(), past.since, past.until):
            yield 0.0
        yield from singles.judged(self._judge, self.judged)


def _found(past: Past, judged: Outcome) -> Found:
    listed = judged.listed
    ends: dict[tuple[int, Target], list[int]] = {}
    for wide in listed:
        for part in wide.replaces:
            ends.setdefault((wide.scope, part), []).append(wide.offence.begin)
    spared = _spared(judged.spared)
    return Found(
        past.since,
        past.until,
        past.exact,
        past.rows,
        [Listing(one, _until(one, past, ends)) for one in listed[: weighing.WEIGHED]],
        [one.offence.begin for one in listed],
        [one.offence.begin for one in listed if not one.replaces],
        frozenset(one.offence.begin for one in listed if not (one.replaces or one.exact)),
        [one.offence.begin - one.evidence.first for one in listed],
        len({one.target for one in listed}),
        spared[:SPARED],
        len(spared),
    )


def _spared(decisions: list[Decision]) -> list[Spared]:
    """Who was spared, on whatever server: who keeps offending is told of each time, and is one."""
    found: dict[Target, Spared] = {}
    for one in decisions:
        found.setdefault(one.target, Spared(one)).times += 1
    return list(found.values())


def _until(one: Decision, past: Past, ends: dict[tuple[int, Target], list[int]]) -> int:
    """When it ends, which is earlier where a network took its place."""
    replaced = ends.get((one.scope, one.target), ())
    later = [at for at in replaced if at >= one.offence.begin]
    return min(one.offence.until, round(past.until * 1000), *later)


def _weigh(task: Task, past: Past, listed: list[Listing]) -> Iterator[float]:
    """Count what the first listings would have stopped; how much is done."""
    scales, chosen = Scales(task.account, past.since, past.until), listed[: task.weighed]
    for place, one in enumerate(chosen):
        one.weight = scales.weigh(one.decision, one.until)
        if place % 50 == 0:
            yield place / len(chosen)
