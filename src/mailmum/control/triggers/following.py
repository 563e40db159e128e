"""Follows what is kept, and has each trigger judge it.

A follower reads what is new by number, in pieces of bounded size, and hands it to the triggers of
the account: what it costs follows what is new, neither what is kept nor how many triggers there
are.  What the judges have counted is in memory only.  It is counted again from what is kept when
the process starts, when a trigger has been edited, and whenever something went wrong.

- The journal tells in which account something has changed: only its triggers are looked up anew.
- What cannot count for a trigger by its outcome is not handed to it; while nothing else comes, it
  is not even counted what did.
- Who stands far behind the others catches up beside them, a piece at a time: nobody waits for it.
- Who fails is tried again beside them, too (`failing`).
- Several followers may run at once: each position is committed once (`acting`), and the others
  begin anew.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import transaction

from mailmum.control.accounts.models import Account
from mailmum.control.journal.models import Record
from mailmum.control.triggers.acting import Elsewhere, Standing, act, keep_busy, keep_idle
from mailmum.control.triggers.failing import FAILURES, Troubles
from mailmum.control.triggers.judged import Followed, Guards, followed
from mailmum.control.triggers.models import Offence, Skipped, Trigger
from mailmum.control.triggers.queries import last_change
from mailmum.control.triggers.streams import STREAMS, Stream
from mailmum.triggers.contacts import Contact, countable
from mailmum.triggers.decisions import Decision
from mailmum.triggers.rules import Mode

log = structlog.get_logger()

# Then triggers are looked up anew, however much still comes in.
_PIECES = 50
_AT_ONCE = 500
_LAGGING = 20
"""Pieces that those who lag behind are handed before all others get theirs again."""
NEAR = 100_000
"""Contacts by which one may stand behind the newest at the start and not lag."""
KEEP_EVERY, KEEP_IDLE = 10.0, 300.0
"""Seconds after which a position is written though nothing was decided; and of those for whom
nothing came."""
LOOK_EVERY = 5.0
"""Seconds after which all triggers are looked up anew, whatever the journal tells."""


@dataclass(slots=True)
class Follower:
    """Follows for all accounts; one in a worker.

    Attributes:
        followed: by number of the trigger.
        read: up to which number everything has been handed out, by stream.
    """

    followed: dict[int, Followed] = field(default_factory=dict)
    read: dict[Stream, int] = field(default_factory=dict)
    _of: dict[tuple[Stream, int], list[Followed]] = field(default_factory=dict)
    _lagging: dict[int, Followed] = field(default_factory=dict)
    _busy: set[int] = field(default_factory=set)
    _troubles: Troubles = field(default_factory=Troubles)
    _guards: Guards = field(default_factory=Guards)
    _known: int | None = None
    _anew: set[int] = field(default_factory=set)
    _looked: float = 0.0
    _kept: float = 0.0

    def steps(self, now: float) -> Iterator[int]:
        """Judge all that is new; how many contacts each step took."""
        self._refresh(now)
        for _ in range(_PIECES):
            taken = sum(self._piece(stream, now) for stream in STREAMS)
            taken += self._catch_up(now)
            if not taken:
                break
            yield taken
        self._keep_positions(now)

    def _piece(self, stream: Stream, now: float) -> int:
        """Hand out what is new of a stream; how many contacts that were."""
        read = self.read.get(stream)
        accounts = {account for kind, account in self._of if kind is stream}
        if read is None or not accounts:
            return 0
        piece = stream.after(read, accounts)
        if piece is None:
            self._rewound(stream, read)
            return 0
        for account, contacts in piece.contacts.items():
            for one in list(self._of.get((stream, account), ())):
                self._hand_over(one, contacts, piece.last, now)
        self.read[stream] = piece.last
        return piece.last - read

    def _catch_up(self, now: float) -> int:
        """Hand those who lag behind what they have missed, a piece each."""
        taken = 0
        for number in list(self._lagging)[:_LAGGING]:
            one = self._lagging.pop(number)
            read = self.read[one.stream]
            piece = one.stream.between(one.at, read, one.trigger.account_id)
            was = one.at
            contacts = piece.contacts.get(one.trigger.account_id, [])
            self._hand_over(one, contacts, max(piece.last, was), now)
            if self.followed.get(number) is not one:
                continue
            one.at = max(piece.last, was)
            taken += max(one.at - was, 1)
            if one.at >= read:
                self._join(one)
            else:
                self._lagging[number] = one
        return taken

    def _hand_over(self, one: Followed, contacts: Sequence[Contact], last: int, now: float) -> None:
        """Have a trigger judge contacts, up to the number `last`."""
        careful = self._troubles.is_careful(one.trigger.pk)
        one.looking_at = 0
        contacts = countable(one.rule, contacts)
        try:
            if careful:
                for contact in contacts:
                    self._judge(one, [contact], contact.number, now)
            self._judge(one, [] if careful else contacts, last, now)
        except Elsewhere:
            # Taken up anew with the next step, from what is kept.
            self._drop(one)
        except FAILURES as fault:
            self._drop(one)
            # Of several it is not known yet which one it was.
            number = one.looking_at if careful else 0
            self._troubles.failed(one.trigger, number, fault, now)
        else:
            if careful:
                self._troubles.passed(one.trigger)

    def _judge(self, one: Followed, contacts: Sequence[Contact], last: int, now: float) -> None:
        if self.followed.get(one.trigger.pk) is not one:
            return
        decisions = list(one.take(contacts, last, now)) if contacts else []
        one.at = max(one.at, last)
        if contacts:
            self._busy.add(one.trigger.pk)
        if decisions:
            self._act(one, decisions, now)

    def _act(self, one: Followed, decisions: list[Decision], now: float) -> None:
        if not Account.objects.get(pk=one.trigger.account_id).is_active(now):
            self._drop(one)
            return
        act(one.trigger, decisions, one.lists(), position=one.at, newest=one.newest)
        one.kept = now
        self._busy.discard(one.trigger.pk)
        if one.counting is not None and one.counting.judge.stopped:
            log.warning("trigger.stopped", trigger=one.trigger.pk, why=decisions[-1].reason)
            self._drop(one)

    def _refresh(self, now: float) -> None:
        """Take up triggers that are new or changed, and let go of those that are no more."""
        newest = last_change()
        accounts = self._changed(newest, now)
        if accounts is not None and not accounts:
            self._known = newest
            return
        active = _active(now, accounts)
        if accounts is None:
            self._troubles.keep(active)
            self._looked = now
        for number, one in list(self.followed.items()):
            meant = accounts is None or one.trigger.account_id in accounts
            if meant and active.get(number) != one.trigger.revision:
                self._drop(one)
        wanted = [
            number
            for number in active.keys() - self.followed.keys()
            if not self._troubles.waits(number, now)
        ]
        for at in range(0, len(wanted), _AT_ONCE):
            some = Trigger.objects.filter(pk__in=wanted[at : at + _AT_ONCE])
            for trigger in some.select_related("account"):
                self._take_up(trigger, now)
        self._known = newest
        self._anew.clear()
        self._place()

    def _changed(self, newest: int, now: float) -> set[int] | None:
        """The accounts whose triggers are to be looked up anew; None for all."""
        known = self._known
        if known is None or newest < known or not 0 <= now - self._looked < LOOK_EVERY:
            return None
        if self._troubles.due(now, self.followed):
            return None
        changes = Record.objects.filter(seq__gt=known, seq__lte=newest).order_by()
        changed = changes.values_list("account", flat=True).distinct() if newest > known else ()
        return self._anew | set(changed)

    def _take_up(self, trigger: Trigger, now: float) -> None:
        try:
            one = followed(trigger, self._guards)
        except FAILURES as fault:
            self._troubles.failed(trigger, 0, fault, now)
            return
        if trigger.since is None:
            _begin(trigger, one.stream.newest())
            one.at = trigger.position
        one.kept = now
        self.followed[trigger.pk] = one

    def _place(self) -> None:
        """Let those who were taken up join the others, or catch up beside them."""
        new = [
            one
            for number, one in self.followed.items()
            if not one.joined and number not in self._lagging
        ]
        for stream in STREAMS:
            mine = [one for one in new if one.stream is stream]
            if not mine:
                continue
            if stream not in self.read:
                near = stream.newest() - NEAR
                self.read[stream] = min(
                    (one.at for one in mine if one.at >= near), default=max(near, 0)
                )
            for one in mine:
                if one.at >= self.read[stream]:
                    self._join(one)
                else:
                    self._lagging[one.trigger.pk] = one

    def _join(self, one: Followed) -> None:
        one.joined = True
        self._of.setdefault((one.stream, one.trigger.account_id), []).append(one)

    def _drop(self, one: Followed) -> None:
        """Follow it no more, as far as this one knows it; it may be taken up anew."""
        self.followed.pop(one.trigger.pk, None)
        self._busy.discard(one.trigger.pk)
        self._anew.add(one.trigger.account_id)
        self._lagging.pop(one.trigger.pk, None)
        place = (one.stream, one.trigger.account_id)
        left = [other for other in self._of.pop(place, []) if other is not one]
        if left:
            self._of[place] = left

    def _keep_positions(self, now: float) -> None:
        busy = [self.followed[number] for number in self._busy]
        due = [one for one in busy if not 0 <= now - one.kept < KEEP_EVERY]
        elsewhere = keep_busy([Standing(one.trigger, one.at, one.newest) for one in due])
        for one in due:
            one.kept = now
            self._busy.discard(one.trigger.pk)
            if one.trigger in elsewhere:
                self._drop(one)
        if not 0 <= now - self._kept < KEEP_IDLE:
            self._keep_idle()
            self._kept = now

    def _keep_idle(self) -> None:
        """So that what nobody has to judge again is not read again after a restart."""
        for stream, read in self.read.items():
            idle = [
                one.trigger
                for one in self.followed.values()
                if one.stream is stream and one.joined and one.trigger.pk not in self._busy
            ]
            for trigger in keep_idle(idle, read):
                self._drop(self.followed[trigger.pk])

    def _rewound(self, stream: Stream, read: int) -> None:
        """A backup of the traffic was restored: what is new begins with lower numbers."""
        newest = stream.newest()
        if read <= newest and all(one.at <= newest for one in self._all(stream)):
            return
        for one in list(self._all(stream)):
            if one.at > newest or (one.joined and read > newest):
                number = one.trigger.pk
                log.warning("trigger.rewound", trigger=number, stood=one.at, newest=newest)
                Trigger.objects.filter(pk=number).update(
                    since=None, position=0, revision=one.trigger.revision + 1
                )
                self._drop(one)
        self.read[stream] = min(read, newest)

    def _all(self, stream: Stream) -> Iterator[Followed]:
        return (one for one in self.followed.values() if one.stream is stream)


def _active(now: float, accounts: Collection[int] | None) -> dict[int, int]:
    """Revisions of the triggers that are to be followed, by number; None for all accounts."""
    wanted = Trigger.objects.all()
    if accounts is not None and len(accounts) <= _AT_ONCE:
        wanted = wanted.filter(account__in=accounts)
    found = wanted.filter(
        removed=None,
        stopped_at=None,
        mode__in=[Mode.OBSERVE.value, Mode.ENFORCE.value],
        account__suspended=False,
    ).values_list("pk", "revision", "account__expires")
    return {
        number: revision for number, revision, expires in found if expires is None or now < expires
    }


def _begin(trigger: Trigger, newest: int) -> None:
    """Have it count from now on; numbers of what it followed before mean nothing here."""
    with transaction.atomic():
        begun = Trigger.objects.filter(pk=trigger.pk, revision=trigger.revision, since=None)
        if begun.update(since=newest, position=newest, newest=0):
            Offence.objects.filter(trigger=trigger).update(number=0)
            Skipped.objects.filter(trigger=trigger).exclude(number=0).delete()
    trigger.since, trigger.position, trigger.newest = newest, newest, 0
