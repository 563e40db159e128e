"""Has public lists asked about the clients that triggers watch: `listed by N lists that I ask`.

Nobody waits for it: it follows the sightings by itself, beside the follower that judges, and what
lists say enters the judge as contacts of its own, by number (`witnesses.hearing`, ADR 10).

    sightings ──> who is to be asked about: seen within the hour, not lately asked about
              ──> the queue: of bounded size, each client once, accounts in turn
              ──> nobody who would be spared anyway: who is asked learns whom one deals with
              ──> lists, as often as they may be asked ──> words

The queue is in memory.  Up to which sighting all have been asked about is kept; after a restart
those behind it are looked at again, and what was heard of them is known.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from mailmum.control.accounts.access import system_access
from mailmum.control.accounts.models import Account
from mailmum.control.traffic.clients import target_of
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers.contexts import newest_sighting
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.queries import last_change
from mailmum.control.triggers.values import rule_of
from mailmum.control.witnesses.hearing import QUIET, Answer, Question, hear, take_down
from mailmum.control.witnesses.models import AskedUpTo, Witness
from mailmum.domain.errors import FAULTS, Refusal
from mailmum.traffic.packing import bounds
from mailmum.triggers.contacts import scope_of
from mailmum.triggers.rules import Metric, Mode, Rule

log = structlog.get_logger()

EACH, ALL = 500, 20_000
"""Clients of an account, and of all together, that wait to be asked about."""
STALE = 3600.0
"""Seconds after which what lists say now tells nothing of a sighting."""
_KNOWN = 200_000
_PIECE, _PIECES = 2000, 50
_QUESTIONS, _LOOKED_AT = 64, 200
"""Names that are asked for at once, about; and clients that are looked at for that."""
_REFRESH, _KEEP, _AFTER = 5.0, 10.0, 3.0

Client = tuple[int, bytes]
"""A server, and who was seen there."""


@dataclass(slots=True)
class Watched:
    """What the triggers of an account want to know: which lists, about whom, since when."""

    account: int
    lists: tuple[tuple[str, int], ...]
    rules: list[tuple[Rule, AccountGuard]]
    since: float

    def is_meant(self, server: int) -> bool:
        """Whether any trigger counts what is seen at a server."""
        return any(rule.server in (0, server) for rule, _ in self.rules)

    def is_spared(self, server: int, client: bytes, now: float) -> bool:
        """Whether nobody would list the client, whatever lists say."""
        target = target_of(client)
        mine = [(rule, guard) for rule, guard in self.rules if rule.server in (0, server)]
        return all(guard.spared(scope_of(rule, server), target, now) for rule, guard in mine)


@dataclass(slots=True)
class Asker:
    """Asks for all accounts; one in a worker.

    Attributes:
        watched: by account; empty while no trigger wants to know anything.
        waiting: who is to be asked about, with the number of the sighting, by account.
        read: the sighting up to which all have been looked at; None before the first.
    """

    watched: dict[int, Watched] = field(default_factory=dict)
    waiting: OrderedDict[int, OrderedDict[Client, int]] = field(default_factory=OrderedDict)
    read: int | None = None
    _known: dict[tuple[int, Client], int] = field(default_factory=dict)
    _left_out: dict[int, int] = field(default_factory=dict)
    _looked: float = 0.0
    _kept: float = 0.0
    _again: float = 0.0
    _change: int | None = None
    _before: tuple[int, float] = (0, 0.0)

    def steps(self, now: float) -> Iterator[int]:
        """Look at what is new, and ask about some; how many were asked about."""
        self._refresh(now)
        if not self.watched:
            self._rest_of_it()
            return
        self._gather(now)
        yield 0
        chosen = [] if 0 < self._again - now <= _AFTER else self._choose(now)
        answers = hear(chosen, now) if chosen else []
        self._settle(answers, now)
        if any(one.listed or one.until is None for one in answers):
            # How lists fare has been looked at, or they have been asked enough in this minute.
            self._again = now + _AFTER
        yield len(answers)

    def _rest_of_it(self) -> None:
        """Nobody wants to know anything: who comes by until somebody does is not asked about."""
        if self.read is not None:
            AskedUpTo.objects.all().delete()
        self.read, self.waiting = None, OrderedDict()

    def _refresh(self, now: float) -> None:
        newest = last_change()
        if newest == self._change and 0 <= now - self._looked < _REFRESH:
            return
        self._looked, self._change = now, newest
        self.watched = {one.account: one for one in _watched(now)}
        for account in self.waiting.keys() - self.watched.keys():
            del self.waiting[account]

    def _gather(self, now: float) -> None:
        """Put those in the queue who have been seen since."""
        newest = newest_sighting()
        if self.read is None:
            self.read = self._begin(newest)
        # A backup of the traffic was restored: what is new begins with lower numbers.
        self.read = min(self.read, newest)
        columns = ("pk", "account", "server", "client", "time")
        for _ in range(_PIECES):
            rows = Seen.objects.filter(pk__gt=self.read).order_by("pk").values_list(*columns)
            found = list(rows[:_PIECE])
            for row in found:
                try:
                    self._take(row, now)
                except FAULTS as fault:
                    # All other sightings, of whatever account, go on.
                    self._left_out[row[1]] = self._left_out.get(row[1], 0) + 1
                    log.error("rbl.not-asked", account=row[1], sighting=row[0], exc_info=fault)
            if found:
                self.read = found[-1][0]
            if len(found) < _PIECE:
                return

    def _begin(self, newest: int) -> int:
        """Where to begin: where somebody left off, or with what was seen since it is wanted."""
        kept = AskedUpTo.objects.values_list("number", flat=True).first()
        if kept is not None:
            return kept
        self._before = (newest, min(one.since for one in self.watched.values()))
        return max(newest - _PIECE, 0)

    def _take(self, row: tuple[Any, ...], now: float) -> None:
        number, account, server, client, at = row
        watched = self.watched.get(account)
        if watched is None or client is None or not watched.is_meant(server):
            return
        seen = (server, bytes(memoryview(client)))
        if number <= self._before[0] and at < self._before[1] * 1000:
            return
        if now - at / 1000 > STALE or self._known.get((account, seen), 0) > now:
            return
        mine = self.waiting.setdefault(account, OrderedDict())
        if seen in mine:
            return
        mine[seen] = number
        self._bound(account)

    def _bound(self, account: int) -> None:
        """Without room for all, those seen last are asked about."""
        if len(self.waiting[account]) > EACH:
            full = account
        elif sum(map(len, self.waiting.values())) > ALL:
            full = max(self.waiting, key=lambda one: len(self.waiting[one]))
        else:
            return
        self.waiting[full].popitem(last=False)
        self._left_out[full] = self._left_out.get(full, 0) + 1

    def _choose(self, now: float) -> list[Question]:
        """Some of those who wait, one of each account in turn."""
        chosen: list[Question] = []
        names = looked_at = 0
        for watched in self.watched.values():
            for _, guard in watched.rules:
                guard.forget()
        while self.waiting and names < _QUESTIONS and looked_at < _LOOKED_AT:
            looked_at += 1
            account, mine = self.waiting.popitem(last=False)
            if not mine:
                continue
            seen, number = mine.popitem(last=False)
            # Last in the row again: the next account has its turn.
            self.waiting[account] = mine
            question = self._question(account, seen, number, now)
            if question is not None:
                chosen.append(question)
                names += max(len(question.lists), 1)
        return chosen

    def _question(self, account: int, seen: Client, number: int, now: float) -> Question | None:
        watched = self.watched[account]
        try:
            spared = watched.is_spared(*seen, now)
        except (*FAULTS, Refusal) as fault:
            log.error("rbl.not-asked", account=account, sighting=number, exc_info=fault)
            spared = True
        if spared:
            self._know(account, seen, int(now) + QUIET)
            return None
        return Question(account, seen[0], target_of(seen[1]), number, watched.lists)

    def _settle(self, answers: list[Answer], now: float) -> None:
        """Take words down; who could not be asked about yet waits on, before all others."""
        take_down(answers, now, self._left_out)
        self._left_out = {}
        for answer in reversed(answers):
            one = answer.question
            seen = (one.server, bounds(one.client)[0])
            if answer.until is not None:
                self._know(one.account, seen, answer.until)
                continue
            mine = self.waiting.setdefault(one.account, OrderedDict())
            mine[seen] = one.sighting
            mine.move_to_end(seen, last=False)
        if not 0 <= now - self._kept < _KEEP:
            self._keep(now)

    def _know(self, account: int, seen: Client, until: int) -> None:
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[account, seen] = until

    def _keep(self, now: float) -> None:
        assert self.read is not None
        numbers = [number for mine in self.waiting.values() for number in mine.values()]
        upto = min(numbers) - 1 if numbers else self.read
        AskedUpTo.objects.update_or_create(pk=1, defaults={"number": upto})
        self._kept = now
        self._known = {key: until for key, until in self._known.items() if until > now}


def _watched(now: float) -> Iterable[Watched]:
    """What the triggers of all accounts want to know."""
    on = Trigger.objects.filter(
        removed=None,
        stopped_at=None,
        mode__in=[Mode.OBSERVE.value, Mode.ENFORCE.value],
        rule__metric=Metric.ASKED.value,
    ).select_related("account")
    found: dict[int, list[tuple[Rule, Account]]] = {}
    since: dict[int, float] = {}
    for trigger in on:
        if not trigger.account.is_active(now):
            continue
        try:
            found.setdefault(trigger.account_id, []).append((rule_of(trigger), trigger.account))
        except (*FAULTS, Refusal) as fault:
            log.error("rbl.not-asked", trigger=trigger.pk, exc_info=fault)
            continue
        # Logs tell whole seconds.
        changed = float(int(trigger.changed.timestamp()))
        since[trigger.account_id] = min(since.get(trigger.account_id, changed), changed)
    for account, rules in found.items():
        asked = Witness.objects.filter(account=account).order_by("zone")
        wanted = {name for rule, _ in rules for name in rule.lists}
        every = any(not rule.lists for rule, _ in rules)
        lists = [
            (zone, number)
            for number, zone in asked.values_list("pk", "zone")
            if every or zone in wanted
        ]
        if lists:
            guards = [(rule, AccountGuard(system_access(one), rule)) for rule, one in rules]
            yield Watched(account, tuple(lists), guards, since[account])
