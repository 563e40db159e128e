"""What a rule would have done over the stored history: the judge that runs live, on the past.

Nothing is changed by it.  What listings would have stopped is counted by whole hours, and by whole
days where hours have run out.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from django.db import connections
from django.db.models import Q

from mailmum.control.accounts.access import Reading
from mailmum.control.garbage import each_uncollected
from mailmum.control.journal.moments import moment
from mailmum.control.listings.values import scope_name
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.traffic.models import ClientCount, ClientDay, ClientHour, NameDay
from mailmum.control.traffic.reading import Wanted, total
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.terms import terms_of
from mailmum.control.traffic.totals import best_pairs
from mailmum.control.triggers.contexts import context_of
from mailmum.control.triggers.evidence import told
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.harm import Harm
from mailmum.control.triggers.history import Past, read
from mailmum.domain.targets import NetworkTarget, Target
from mailmum.traffic.codes import ASKED, OUTCOMES, STOPPED, VERIFIED
from mailmum.traffic.packing import bounds, reversed_name
from mailmum.traffic.periods import DAY, Span, cover, start_of
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.backtest import Outcome as Judged
from mailmum.triggers.backtest import run
from mailmum.triggers.contacts import Context
from mailmum.triggers.decisions import Decision
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Rule

LONGEST = 90
"""Days that can be looked at."""
WEIGHED = 2000
"""Listings of which it is counted what they would have stopped; beyond, nobody needs to know.
Whose mail they hit is told of all."""
SHOWN, HITS, SPARED = 200, 100, 50
_ACCEPTED = OUTCOMES[Outcome.ACCEPTED]
_STEP = 20_000
_READING, _JUDGING, _WEIGHING = "reading", "judging", "weighing"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: a word for what it does, and how much of that is done, from 0 to 1."""

    phase: str
    done: float


@dataclass(slots=True)
class Report:
    """What a rule would have done.

    Attributes:
        since, until: the time that was looked at.
        exact_since: from when on single sightings were looked at; before, counts by the hour.
        rows: counts and sightings that were looked at.
        seconds: how long it took.
        listings: how many listings it would have made.
        targets: of how many different targets.
        spared: how many it would have made but for a protection.
        contacts: what came from those listed while they would have been.
        turned_away: how many of these were turned away all the same.
        accepted: how many of them were accepted messages.
        weighed: of how many listings these are.
        hits: clients with accepted mail in this time that any of the listings hits.
        hit: how many.
        median_seconds: from the first contact that counted to the listing; None without listings.
        brake: when the brake would have stopped it first.
        by_day: listings that begin on each day.
        listed: the first of the listings.
        spared_targets: the first of those spared, and why.
    """

    since: str
    until: str
    exact_since: str | None = None
    rows: int = 0
    seconds: float = 0.0
    listings: int = 0
    targets: int = 0
    spared: int = 0
    contacts: int = 0
    turned_away: int = 0
    accepted: int = 0
    weighed: int = 0
    hit: int = 0
    median_seconds: int | None = None
    brake: str | None = None
    hits: list[dict[str, Any]] = field(default_factory=list)
    by_day: list[dict[str, Any]] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    spared_targets: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As API and command line show it."""
        return asdict(self)


def backtest(
    reading: Reading, rule: Rule, *, days: int = 30, now: float | None = None
) -> Iterator[Progress | Report]:
    """Try a rule on the past; yields progress, and the report last.

    Args:
        reading: proof that the account may be read.
        rule: what to try.
        days: how far to look back, up to `LONGEST`.
        now: our own clock.
    """
    return each_uncollected(_backtest(reading, rule, days, time.time() if now is None else now))


def _backtest(reading: Reading, rule: Rule, days: int, clock: float) -> Iterator[Progress | Report]:
    began = time.monotonic()
    account = reading.account.pk
    back = min(max(days, 1), LONGEST, terms_of(account).hour_days)
    past = Past(clock - back * DAY, clock)
    context = context_of(account, rule, clock)
    court = _Court(reading, rule, context, past)
    for done in read(account, rule, context, past):
        yield Progress(_READING, done)
        for _ in court.judge():
            yield Progress(_READING, done)
    for done in court.judge():
        yield Progress(_JUDGING, done)
    weights = _Weights(reading, past, clock, court)
    for done in weights.weigh():
        yield Progress(_WEIGHING, done)
    report = _report(reading, rule, past, court.judged, weights)
    report.seconds = round(time.monotonic() - began, 3)
    yield report


class _Court:
    """The judge, before whom comes what is found, piece by piece."""

    def __init__(self, reading: Reading, rule: Rule, context: Context, past: Past) -> None:
        self.judged = Judged()
        self._rule, self._past = rule, past
        self.guard = AccountGuard(reading, rule, asks_often=True)
        self._judge = Judge(rule, context, self.guard, keeps_going=True)

    def judge(self) -> Iterator[float]:
        """Judge what has been found, and settle who is listed; now and then how much is done."""
        past, many, known = self._past, len(self._past.found), len(self.judged.listed)
        self.guard.foresee(past.clients(), past.since, past.until)
        contacts = past.contacts(self._rule)
        for count, judged in enumerate(run(self._judge, contacts, self.judged)):
            for one in judged.listed[known:]:
                past.settle(self._rule, one, self._judge.settles(one.offence))
            known = len(judged.listed)
            if count % _STEP == 0 and many:
                yield min(count / many, 1.0)


def last_of(steps: Iterator[Progress | Report]) -> Report:
    """The report, for whoever does not watch."""
    *_, report = steps
    assert isinstance(report, Report)
    return report


def _report(
    reading: Reading, rule: Rule, past: Past, judged: Judged, weights: "_Weights"
) -> Report:
    servers = names_of_servers(reading)
    hits = weights.hits
    waits = [(one.offence.begin - one.evidence.first) / 1000 for one in judged.listed]
    made = Report(
        since=moment(int(past.since)) or "",
        until=moment(int(past.until)) or "",
        exact_since=None if past.exact is None else moment(int(past.exact)),
        rows=past.rows,
        listings=len(judged.listed),
        targets=len({(one.scope, one.target) for one in judged.listed}),
        spared=len(judged.spared),
        contacts=sum(one.contacts for one in weights.of),
        turned_away=sum(one.turned_away for one in weights.of),
        accepted=sum(one.accepted for one in weights.of),
        weighed=len(weights.of),
        hit=len(hits),
        hits=hits[:HITS],
        median_seconds=round(median(waits)) if waits else None,
        brake=moment(judged.stopped.offence.begin // 1000) if judged.stopped else None,
        by_day=_by_day(past, judged),
    )
    said = {"metric": rule.metric.value, "threshold": rule.threshold, "window": rule.window}
    for one, weight in zip(judged.listed[:SHOWN], weights.of, strict=False):
        made.listed.append(
            {
                "target": one.target.text,
                "scope": scope_name(one.scope, servers),
                "begin": moment(one.offence.begin // 1000),
                "until": moment(weight.until // 1000),
                "times": one.offence.times,
                "says": told(said, asdict(one.evidence), one.offence.times),
                "contacts": weight.contacts,
                "accepted": weight.accepted,
            }
        )
    made.spared_targets = [
        {
            "target": one.target.text,
            "when": moment(one.evidence.last // 1000),
            "reason": one.reason,
        }
        for one in judged.spared[:SPARED]
    ]
    return made


def _by_day(past: Past, judged: Judged) -> list[dict[str, Any]]:
    first = start_of(past.since, DAY)
    counts = dict.fromkeys(range(first, start_of(past.until, DAY) + 1, DAY), 0)
    for one in judged.listed:
        counts[start_of(one.offence.begin / 1000, DAY)] += 1
    return [{"day": moment(day), "listings": count} for day, count in counts.items()]


@dataclass(slots=True)
class _Weight:
    """What one listing would have stopped."""

    until: int
    contacts: int = 0
    turned_away: int = 0
    accepted: int = 0


class _Weights:
    """What listings would have stopped, and whose mail."""

    def __init__(self, reading: Reading, past: Past, now: float, court: _Court) -> None:
        judged = court.judged
        self.of: list[_Weight] = []
        days = start_of(past.since, DAY), start_of(past.until, DAY) + DAY
        self._harm = Harm(reading.account.pk, *days, court.guard)
        self._account, self._past, self._listed = reading.account.pk, past, judged.listed
        self._best = {*best_pairs(self._account, Wanted(since=past.since), now).items()}
        self._ends: dict[tuple[int, Target], list[int]] = {}
        for wide in judged.listed:
            for part in wide.replaces:
                self._ends.setdefault((wide.scope, part), []).append(wide.offence.begin)

    @property
    def hits(self) -> list[dict[str, Any]]:
        """Clients with accepted mail that any of the listings hits."""
        return self._harm.hits

    def weigh(self) -> Iterator[float]:
        """Count, listing by listing, and look whose mail all of them hit; how much is done."""
        chosen = self._listed[:WEIGHED]
        for place, one in enumerate(chosen):
            weight = _Weight(self._until(one))
            self._count(one, weight)
            self.of.append(weight)
            if place % 50 == 0:
                yield place / len(chosen) / 2
        for done in self._harm.look(one.target for one in self._listed):
            yield 0.5 + done / 2

    def _until(self, one: Decision) -> int:
        """When it ends, which is earlier where a network took its place."""
        replaced = self._ends.get((one.scope, one.target), ())
        later = [at for at in replaced if at >= one.offence.begin]
        return min(one.offence.until, round(self._past.until * 1000), *later)

    def _count(self, one: Decision, weight: _Weight) -> None:
        since, until = one.offence.begin / 1000, weight.until / 1000
        if until <= since:
            return
        for server, source, outcome, many in _rows(self._account, one.target, since, until):
            if (server, source) not in self._best or outcome == ASKED:
                continue
            if one.scope and server != one.scope:
                continue
            weight.contacts += many
            weight.turned_away += many if outcome in STOPPED else 0
            weight.accepted += many if outcome == _ACCEPTED else 0


def _rows(
    account: int, target: Target, since: float, until: float
) -> Iterator[tuple[int, int, int, int]]:
    """Server, source, outcome and count of what came from a target in a time."""
    if isinstance(target, NetworkTarget):
        for span in cover(since, until, 0):
            yield from _sums(ClientDay if span.step == DAY else ClientHour, account, target, span)
        return
    packed = reversed_name(target.name).encode()
    named = Q(name__gte=packed, name__lt=packed + b"\xff") if target.whole else Q(name=packed)
    days = range(start_of(since, DAY), start_of(until, DAY) + DAY, DAY)
    names = NameDay.objects.filter(named, account=account, kind=VERIFIED, start__in=days)
    keys = ("server", "source", "outcome")
    yield from names.values_list(*keys).annotate(sum=total()).order_by()


def _sums(
    model: type[ClientCount], account: int, target: NetworkTarget, span: Span
) -> list[tuple[int, int, int, int]]:
    """Without the ORM: this is asked of thousands of listings."""
    connection = connections[traffic_database()]
    table = connection.ops.quote_name(model._meta.db_table)
    periods = ", ".join(map(str, span.starts))
    statement = f"""
        SELECT server, source, outcome, CAST(SUM(count) AS bigint) FROM {table}
        WHERE account = %s AND start IN ({periods}) AND client >= %s AND client <= %s
        GROUP BY server, source, outcome
    """  # noqa: S608 (names of our own, and whole numbers)
    with connection.cursor() as cursor:
        cursor.execute(statement, [account, *bounds(target)])
        return list(cursor.fetchall())
