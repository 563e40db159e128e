"""A trigger that is followed: its judge as it stands, made from what is kept.

The judge is made when the first contact of its account comes.  Of thousands of accounts hardly any
have something to count at a time, and those that do shall not wait for the others.

Triggers that spare the same share a guard: what ten of them ask about the same contacts is looked
up once.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import structlog

from mailmum.control.accounts.access import system_access
from mailmum.control.accounts.models import Account
from mailmum.control.triggers.acting import Elsewhere, stored_place
from mailmum.control.triggers.contexts import context_of
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.models import Finding, Offence, Skipped, Trigger
from mailmum.control.triggers.streams import Stream, stream_of
from mailmum.control.triggers.values import rule_of
from mailmum.traffic.periods import HOUR, start_of
from mailmum.traffic.turns import within
from mailmum.triggers.contacts import Contact, Context, is_news
from mailmum.triggers.decisions import Decision
from mailmum.triggers.decisions import Offence as Fact
from mailmum.triggers.judge import Judge, remembered
from mailmum.triggers.rules import NAMING, Metric, Rule
from mailmum.triggers.windows import LATE

log = structlog.get_logger()

LOOK_AGAIN = 60.0
"""Seconds after which lists and servers are looked up anew."""


class Guards:
    """The guards in use, by account and by all that they go by."""

    def __init__(self) -> None:
        self._used: WeakValueDictionary[tuple[Any, ...], AccountGuard] = WeakValueDictionary()

    def of(self, account: Account, rule: Rule, stream: Stream) -> AccountGuard:
        """The guard of a rule."""
        wanted = (rule.accepted, rule.days, rule.group, rule.score, rule.traps)
        key = (account.pk, stream, *wanted)
        if (guard := self._used.get(key)) is None:
            guard = self._used[key] = AccountGuard(system_access(account), rule)
        return guard


@dataclass(slots=True)
class Counting:
    """What counts for a trigger, with whom it spares, and which contacts it leaves out.

    `since` is from when on the judge knows how servers are seen, Unix time in seconds.
    """

    rule: Rule
    judge: Judge
    guard: AccountGuard
    skipped: frozenset[int]
    looked: float
    since: float
    unknown: set[tuple[int, ...]] = field(default_factory=set)

    def turned(self, context: Context, since: float) -> bool:
        """Whether another source has its turn by then at a time from which contacts have counted.

        At a server that was not known nothing has counted yet.
        """
        before, newest = self.judge.context.best, self.judge.newest
        counted = round(max(self.since, since) * 1000), newest + 1
        return any(
            turns != (now := context.best.get(server, ()))
            and within(turns, *counted) != within(now, *counted)
            for server, turns in before.items()
        )


@dataclass(slots=True, eq=False)
class Followed:
    """A trigger that is followed.

    Attributes:
        trigger: as it is kept.
        rule: its parameters.
        stream: what it follows.
        guards: those in use, its own among them.
        at: the number up to which it has judged, or further where nothing came of its account.
        joined: whether it is handed what is new together with all others; else it lags behind.
        kept: when its position was written last.
        looking_at: the contact that it judges, or judged last.
        counting: None until there is something to count.
    """

    trigger: Trigger
    rule: Rule
    stream: Stream
    guards: Guards
    at: int
    joined: bool = False
    kept: float = 0.0
    looking_at: int = 0
    counting: Counting | None = None

    @property
    def newest(self) -> int:
        """When the newest contact was that counted, Unix time in milliseconds."""
        return self.trigger.newest if self.counting is None else self.counting.judge.newest

    def lists(self) -> dict[int, str]:
        """Names of the lists that count, by number."""
        return {} if self.counting is None else dict(self.counting.judge.context.public)

    def take(self, contacts: Sequence[Contact], last: int, now: float) -> Iterator[Decision]:
        """Judge contacts, up to the number `last`; those that have been are passed over."""
        if self.counting is None:
            self.counting = _counting(self, contacts[0].at, now)
        counting = self.counting
        if not 0 <= now - counting.looked <= LOOK_AGAIN:
            self._look(counting, contacts[0].at, now)
        counting.guard.forget_since((now, last))
        for contact in contacts:
            if contact.number <= self.at:
                continue
            self.looking_at = contact.number
            if contact.number in counting.skipped:
                continue
            if (news := _news(counting, contact)) is not None and news not in counting.unknown:
                self._look(counting, contact.at, now)
                if _news(counting, contact) is not None:
                    # Of that nothing is to be found, however often it is looked up.
                    counting.unknown.add(news)
            yield from counting.judge.take(contact)
            if counting.judge.stopped:
                return

    def _look(self, counting: Counting, at: int, now: float) -> None:
        since = _since(self.rule, counting.judge.newest or at, now)
        context = context_of(self.trigger.account_id, self.rule, since)
        if counting.turned(context, since):
            # What has counted must not count again as told by a better source, nor what a better
            # one had told before it was known be left out.
            log.info("trigger.seen_otherwise", trigger=self.trigger.pk)
            raise Elsewhere(f"servers of the trigger {self.trigger.name} are seen otherwise")
        counting.judge.context = context
        counting.looked, counting.since = now, since


def followed(trigger: Trigger, guards: Guards) -> Followed:
    """A trigger to follow, at the number up to which it has judged."""
    rule = rule_of(trigger)
    return Followed(trigger, rule, stream_of(rule), guards, trigger.position)


def _counting(one: Followed, at: int, now: float) -> Counting:
    """A judge as it stands: what it has decided, and what it had counted beyond that.

    The first contact that comes to it was `at` a time in milliseconds; much may have been waiting.
    """
    trigger, rule = one.trigger, one.rule
    mine = Trigger.objects.filter(pk=trigger.pk, revision=trigger.revision, removed=None)
    if not mine.filter(position=trigger.position).exists():
        raise Elsewhere(f"the trigger {trigger.name} stands elsewhere")
    guard = one.guards.of(trigger.account, rule, one.stream)
    since = _since(rule, trigger.newest or at, now)
    judge = Judge(rule, context_of(trigger.account_id, rule, since), guard)
    assert trigger.since is not None
    horizon = trigger.newest - remembered(rule)
    offences = {
        stored_place(row): Fact(row.times, row.begin, row.until, row.number)
        for row in Offence.objects.filter(trigger=trigger, until__gt=horizon)
    }
    begun = Finding.objects.filter(
        trigger=trigger,
        number__gt=trigger.since,
        kind__in=["list", "would", "past"],
        merged=False,
        begin__gt=trigger.newest - LATE - rule.brake_window * 1000,
    )
    judge.remember(offences, begun.values_list("begin", flat=True))
    skipped = frozenset(
        Skipped.objects.filter(trigger=trigger).values_list("number", flat=True),
    )
    began, count = time.monotonic(), 0

    def still() -> Iterator[Contact]:
        nonlocal count
        for contact in one.stream.counted(trigger, rule):
            if contact.number not in skipped:
                count += 1
                yield contact

    judge.recount(still(), trigger.newest)
    if count:
        seconds = round(time.monotonic() - began, 2)
        log.info("trigger.counted_again", trigger=trigger.pk, sightings=count, seconds=seconds)
    return Counting(rule, judge, guard, skipped, now, since)


def _news(counting: Counting, contact: Contact) -> tuple[int, ...] | None:
    """A list, or a source that sees a server, of which nothing is known yet.

    It counts from the first time it is seen.  Of a source that began earlier than is known, too.
    """
    rule, context = counting.rule, counting.judge.context
    metric = rule.metric
    if rule.server and contact.server != rule.server:
        return None
    if metric is Metric.CONNECTIONS and is_news(contact, context):
        return contact.server, contact.source, start_of(contact.at / 1000, HOUR)
    if metric in NAMING and contact.rbl and contact.rbl not in context.public:
        return (contact.rbl,)
    return None


def _since(rule: Rule, newest: int, now: float) -> float:
    """From when on contacts can count, Unix time in seconds; `newest` in milliseconds."""
    return (min(newest, round(now * 1000)) - LATE) / 1000 - rule.window
