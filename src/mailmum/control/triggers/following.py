"""Follows the sightings as they are kept, and has each trigger judge them.

A follower reads what is new by number, in pieces of bounded size, and hands every sighting to the
triggers of its account: what it costs follows what is new, not what is kept.  What the judges have
counted is in memory only.  It is counted again from the sightings themselves when the process
starts, when a trigger has been edited, and whenever something went wrong.

Several followers may run at once: each position is committed once (`acting`), and the others
begin anew.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db.models import Q, QuerySet

from mailmum.control.accounts.access import system_access
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers.acting import Elsewhere, act, stored_place
from mailmum.control.triggers.contexts import COLUMNS, contact_of, context_of, newest_sighting
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.models import Finding, Offence, Trigger
from mailmum.control.triggers.values import rule_of
from mailmum.triggers.contacts import Contact, outcomes_of
from mailmum.triggers.decisions import Decision
from mailmum.triggers.decisions import Offence as Fact
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Mode
from mailmum.triggers.windows import LATE

log = structlog.get_logger()

PIECE = 2000
"""Sightings that are read at once."""
# Then triggers are looked up anew, however much still comes in.
_PIECES = 50
KEEP_EVERY = 10.0
"""Seconds after which a position is written though nothing was decided."""
LOOK_AGAIN = 60.0
"""Seconds after which lists and servers are looked up anew."""


@dataclass(slots=True)
class _Followed:
    """A trigger with its judge, at the number up to which it has judged."""

    trigger: Trigger
    judge: Judge
    guard: AccountGuard
    at: int
    kept: float = 0.0
    looked: float = 0.0
    unknown: set[tuple[str, int]] = field(default_factory=set)

    def lists(self) -> dict[int, str]:
        return dict(self.judge.context.public)


@dataclass(slots=True)
class Follower:
    """Follows for all accounts; one in a worker.

    Attributes:
        followed: by number of the trigger.
    """

    followed: dict[int, _Followed] = field(default_factory=dict)

    def steps(self, now: float) -> Iterator[int]:
        """Judge all that is new; how many sightings each step took."""
        self._refresh(now)
        for _ in range(_PIECES):
            if not self.followed:
                break
            least = min(one.at for one in self.followed.values())
            rows = list(_after(least))
            if not rows:
                self._rewound()
                break
            self._judge(rows, now)
            yield len(rows)
        self._keep_positions(now)

    def _refresh(self, now: float) -> None:
        """Take up triggers that are new or changed, and let go of those that are no more."""
        active = {one.pk: one for one in _active(now)}
        for number in self.followed.keys() - active.keys():
            del self.followed[number]
        for number, trigger in active.items():
            known = self.followed.get(number)
            if known is None or known.trigger.revision != trigger.revision:
                self._take_up(trigger, now)
            else:
                if now - known.looked > LOOK_AGAIN or now < known.looked:
                    _look(known, now)
                known.trigger.account = trigger.account

    def _take_up(self, trigger: Trigger, now: float) -> None:
        self.followed.pop(trigger.pk, None)
        if trigger.since is None:
            trigger.since = newest_sighting()
            Trigger.objects.filter(pk=trigger.pk, revision=trigger.revision, since=None).update(
                since=trigger.since, position=trigger.since, newest=0
            )
            trigger.position, trigger.newest = trigger.since, 0
        self.followed[trigger.pk] = _taken_up(trigger, now)

    def _judge(self, rows: list[tuple[Any, ...]], now: float) -> None:
        last = rows[-1][0]
        contacts: dict[int, list[Contact]] = {}
        wanted = {one.trigger.account_id for one in self.followed.values()}
        for *columns, account in rows:
            if account in wanted:
                contacts.setdefault(account, []).append(contact_of(tuple(columns)))
        for one in list(self.followed.values()):
            mine = contacts.get(one.trigger.account_id, [])
            decisions = list(_decisions(one, mine, now))
            one.at = max(one.at, last)
            if decisions:
                self._act(one, decisions, now)

    def _act(self, one: _Followed, decisions: list[Decision], now: float) -> None:
        try:
            act(
                one.trigger,
                decisions,
                one.lists(),
                position=one.at,
                newest=one.judge.newest,
            )
        except Elsewhere:
            # Taken up anew with the next step, from what is kept.
            self.followed.pop(one.trigger.pk, None)
            return
        one.kept = now
        if one.judge.stopped:
            log.warning("trigger.stopped", trigger=one.trigger.pk, why=decisions[-1].reason)
            self.followed.pop(one.trigger.pk, None)

    def _keep_positions(self, now: float) -> None:
        for one in list(self.followed.values()):
            if one.at > one.trigger.position and not 0 <= now - one.kept < KEEP_EVERY:
                self._act(one, [], now)

    def _rewound(self) -> None:
        """A backup of the traffic was restored: what is new begins with lower numbers."""
        newest = newest_sighting()
        for number, one in list(self.followed.items()):
            if one.at > newest:
                log.warning("trigger.rewound", trigger=number, stood=one.at, newest=newest)
                Trigger.objects.filter(pk=number).update(
                    since=None, position=0, revision=one.trigger.revision + 1
                )
                del self.followed[number]


def _active(now: float) -> Iterable[Trigger]:
    found = Trigger.objects.filter(
        removed=None, stopped_at=None, mode__in=[Mode.OBSERVE.value, Mode.ENFORCE.value]
    ).select_related("account")
    return [one for one in found if one.account.is_active(now)]


def _after(number: int) -> QuerySet[Any, tuple[Any, ...]]:
    rows = Seen.objects.filter(pk__gt=number).order_by("pk")
    return rows.values_list(*COLUMNS, "account")[:PIECE]


def _decisions(one: _Followed, contacts: Iterable[Contact], now: float) -> Iterator[Decision]:
    one.guard.forget()
    for contact in contacts:
        if contact.number <= one.at:
            continue
        if (news := _news(one, contact)) is not None and news not in one.unknown:
            one.unknown.add(news)
            _look(one, now)
        yield from one.judge.take(contact)
        if one.judge.stopped:
            return


def _news(one: _Followed, contact: Contact) -> tuple[str, int] | None:
    """A list or server of which nothing is known yet: it counts from the first time it is seen."""
    context = one.judge.context
    if contact.rbl and contact.rbl not in context.public:
        return "list", contact.rbl
    return None if contact.server in context.best else ("server", contact.server)


def _look(one: _Followed, now: float) -> None:
    one.judge.context = context_of(one.trigger.account_id, rule_of(one.trigger), now)
    one.looked = now


def _taken_up(trigger: Trigger, now: float) -> _Followed:
    """A trigger as it stands: what it has decided, and what it had counted beyond that."""
    rule = rule_of(trigger)
    guard = AccountGuard(system_access(trigger.account), rule)
    judge = Judge(rule, context_of(trigger.account_id, rule, now), guard)
    assert trigger.since is not None
    horizon = trigger.newest - LATE - rule.quiet * 1000
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
    judge.recount(_counted(trigger, judge), trigger.newest)
    return _Followed(trigger, judge, guard, trigger.position, now, now)


def _counted(trigger: Trigger, judge: Judge) -> Iterator[Contact]:
    """What can still count of what had been judged, in the order of numbers."""
    rule = rule_of(trigger)
    began = time.monotonic()
    outcomes = outcomes_of(rule)
    meant = Q() if outcomes is None else Q(outcome__in=outcomes)
    if rule.server:
        meant &= Q(server=rule.server)
    rows = Seen.objects.filter(
        meant,
        account=trigger.account_id,
        time__gt=trigger.newest - LATE - rule.window * 1000,
        pk__gt=trigger.since,
        pk__lte=trigger.position,
    ).values_list(*COLUMNS)
    count = 0
    for row in sorted(rows.iterator(chunk_size=5000), key=lambda row: row[0]):
        count += 1
        yield contact_of(row)
    if count:
        log.info(
            "trigger.counted_again",
            trigger=trigger.pk,
            sightings=count,
            seconds=round(time.monotonic() - began, 2),
        )
