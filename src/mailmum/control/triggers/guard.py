"""Whom a trigger must not list, whatever it counts.

    guarded           private space, own servers, very wide networks (`domain.guards`), and public
                      suffixes (`domain.suffixes`)
    allowed           covered by an allow listing in force there
    protected         a provider of the kind that many share (`feeds.providers`)
    delivers mail     so many accepted messages in so many days
    taken off         a network in which a person has taken somebody off

Accepted is what was delivered: mail that was held, discarded or bounced says nothing for anybody,
and neither does what the spam filter took for spam, or what the trigger itself counts: else a trap
or a score would spare whoever sends enough of it.  Of days whose sightings are kept no more only
numbers are known, and all of it speaks for the client.
For a network all clients in it count together, for a domain all hosts under verified names.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.feeds.providers import Providers, protecting
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current, wider
from mailmum.control.servers.queries import own_servers
from mailmum.control.triggers.mail import (
    AT_ONCE,
    accepted_by,
    accepted_by_day,
    accepted_of_all,
    counted_mail,
    first_day,
    for_nobody,
    sightings_of_days,
)
from mailmum.control.triggers.many import Hours, Noise
from mailmum.domain import guards
from mailmum.domain.errors import BadInput
from mailmum.domain.guards import OwnServer
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.suffixes import is_shared
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.domain.words import plural
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.triggers.contacts import unit_of
from mailmum.triggers.rules import Group, Metric, Rule

BY_TRIGGER = "listing.trigger"
"""The change with which triggers list, and end what a network stands for."""
_AHEAD = 40 * DAY
Moment = tuple[float, int]
"""When contacts were judged, by our clock, and the number up to which they go."""
_FORESEEN = 2 * AT_ONCE
_SEEK = 8
"""To look for a client on a day takes as long as to go through so many others."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class AccountGuard:
    """The guard of one trigger, or of several that ask the same.

    Attributes:
        reading: the account.
        rule: of the trigger.
        asks_often: whether thousands of clients are asked about, as in a backtest.
    """

    reading: Reading
    rule: Rule
    asks_often: bool = False
    _own: list[OwnServer] | None = None
    _providers: Providers | None = None
    _allows: bool | None = None
    _mail: dict[Target, list[tuple[int, int]]] = field(default_factory=dict)
    _spans: dict[Target, tuple[int, int]] = field(default_factory=dict)
    _foreseen: set[Target] = field(default_factory=set)
    _today: dict[tuple[Target, int], list[tuple[int, int]]] = field(default_factory=dict)
    _lost: dict[Target, Sequence[float]] = field(default_factory=dict)
    _hours: Hours | None = None
    _noise: Noise | None = None
    _asked: Moment | None = None

    def forget_since(self, moment: Moment) -> None:
        """Look everything up anew, unless that has been done for the same contacts."""
        if moment != self._asked:
            self.forget()
            self._asked = moment

    def forget(self) -> None:
        """Look everything up anew from now on."""
        self._own = self._providers = self._allows = self._hours = self._noise = None
        for known in (self._mail, self._spans, self._today, self._lost, self._foreseen):
            known.clear()

    def foresee(self, clients: Iterable[bytes], since: float, until: float) -> Iterator[None]:
        """Look up the mail of all clients at once of whom it may be asked in this time, by and by.

        For the many of a backtest; who is not among them is looked up when it is asked of him.
        """
        if not self.rule.accepted or self.rule.group is not Group.ADDRESS:
            return
        account = self.reading.account.pk
        first, last = start_of(since - self.rule.days * DAY, DAY), start_of(until, DAY)
        found: dict[bytes, list[tuple[int, int]]] = {}
        for client in clients:
            target = unit_of(Group.ADDRESS, client, None)
            if target is not None and target not in self._mail:
                found[client] = self._mail[target] = []
                self._spans[target] = first, last + DAY
                self._foreseen.add(target)
        if not found:
            return
        for rows in _mail_of(account, found, max(first, first_day(account, last)), last + DAY):
            for day, client, count in rows:
                if (mine := found.get(client)) is not None:
                    mine.append((day, count))
            yield

    def foreseen(self, target: Target) -> list[tuple[int, int]] | None:
        """Its mail by day for all the time that was foreseen; None for whom that was not done."""
        return self._mail[target] if target in self._foreseen else None

    def spared(self, scope: int, target: Target, at: float) -> str:
        """Why it must not be listed, empty when it may be."""
        return (
            self._guarded(target)
            or self._allowed(scope, target, at)
            or self._protected(scope, target)
            or self._delivers(target, at)
        )

    def taken_off(self, scope: int, parts: Sequence[Target], at: float) -> str:
        """Why a network must not be listed at a time: a person has taken off one of those in it."""
        texts = sorted(one.text for one in parts)
        for place in range(0, len(texts), AT_ONCE):
            if reason := self._taken_off(scope, texts[place : place + AT_ONCE], at):
                return reason
        return ""

    def _taken_off(self, scope: int, texts: Sequence[str], at: float) -> str:
        listed = Version.objects.filter(
            Q(expires=None) | Q(expires__gt=int(at)),
            account=self.reading.account,
            target__in=texts,
            scope=scope,
            source=Source.TRIGGER.value,
        )
        # A listing that goes on has been ended often: each version by the next.
        ended = listed.exclude(until=None).order_by("until")
        ends = {target: until or 0 for target, until in ended.values_list("target", "until")}
        for text in listed.filter(until=None).values_list("target", flat=True):
            ends.pop(text, None)
        by_people = Record.objects.filter(seq__in=ends.values()).exclude(what=BY_TRIGGER)
        by_whom = dict(by_people.values_list("seq", "actor"))
        gone = [(text, by_whom[seq]) for text, seq in sorted(ends.items()) if seq in by_whom]
        return f"{gone[0][0]} in it was taken off by {gone[0][1]}" if gone else ""

    def _guarded(self, target: Target) -> str:
        if is_shared(target):
            return "is a public suffix: strangers have names of their own below it"
        if self._own is None:
            self._own = own_servers(self.reading)
        try:
            guards.check(target, Action.BLOCK, Source.TRIGGER, self._own)
        except BadInput as refusal:
            return guards.find_danger(target, self._own) or refusal.problem
        return ""

    def _allowed(self, scope: int, target: Target, at: float) -> str:
        if self.asks_often and self._allows is None:
            # One look at all listings, for that of thousands of clients is asked.
            self._allows = self._all_allows().exists()
        if self._allows is False:
            return ""
        found = self._all_allows().filter(
            Q(expires=None) | Q(expires__gt=int(at)),
            target__in=wider(target),
            scope__in={WHOLE_ACCOUNT, scope},
        )
        # Without an order SQLite looks these few up; with one it would read all listings in it.
        texts = sorted(found.order_by().values_list("target", flat=True))
        return f"is allowed by {texts[0]}" if texts else ""

    def _all_allows(self) -> QuerySet[Version]:
        return current(self.reading).filter(action=Action.ALLOW.value, enabled=True)

    def _protected(self, scope: int, target: Target) -> str:
        if not isinstance(target, NetworkTarget):
            return ""
        if self._providers is None:
            self._providers = protecting(self.reading.account.pk)
        name = self._providers.of_network(target, scope)
        return f"belongs to the mail provider {name}" if name else ""

    def _delivers(self, target: Target, at: float) -> str:
        wanted, days = self.rule.accepted, self.rule.days
        if not wanted:
            return ""
        today, since = start_of(at, DAY), start_of(at - days * DAY, DAY)
        self._look_up(target, since, today)
        count = sum(many for day, many in self._mail[target] if since <= day < today)
        if count < wanted:
            count += self._so_far(target, today, at)
        if count >= wanted:
            # As far as what was accepted is counted: whole hours, of names whole days.
            end = today + DAY if isinstance(target, NameTarget) else start_of(at, HOUR) + HOUR
            # Of a day whose counts are missing nothing was added.
            counted = {day for day, _ in self._mail[target]}
            lost = (one for one in self._unwanted(target) if since <= one < end)
            count -= sum(start_of(one, DAY) in counted for one in lost)
        if count < wanted:
            return ""
        return f"delivered {plural(count, 'accepted message')} in {plural(days, 'day')}"

    def _look_up(self, target: Target, since: int, today: int) -> None:
        """Have its mail of these days at least."""
        first, end = self._spans.get(target, (since, today))
        if first <= since and today < end:
            return
        # A backtest asks again about later days, and what a log tells late is of earlier ones.
        first, end = min(first, since), max(end, today + _AHEAD)
        self._mail[target] = accepted_by_day(self.reading.account.pk, target, first, end)
        self._spans[target] = first, end
        self._lost.pop(target, None)
        self._foreseen.discard(target)

    def _so_far(self, target: Target, today: int, at: float) -> int:
        """What was accepted today; of names days are known as a whole only."""
        whole = sum(many for day, many in self._mail[target] if day == today)
        if isinstance(target, NameTarget) or not whole:
            return whole
        if (target, today) not in self._today:
            if self._hours is None:
                self._hours = Hours(self.reading.account.pk, often=self.asks_often)
            self._today[target, today] = self._hours.of(target, today)
        return sum(many for hour, many in self._today[target, today] if hour <= at)

    def _unwanted(self, target: Target) -> Sequence[float]:
        if target not in self._lost:
            if self._noise is None:
                account = self.reading.account.pk
                meant = for_nobody(account, self.rule)
                self._noise = Noise(account, meant, often=self.asks_often)
            days = [day for day, _ in self._mail[target]]
            self._lost[target] = self._noise.of(target, self._spans[target][0], days)
        return self._lost[target]

    def counted_mail(self, since: int, until: int) -> Counter[bytes]:
        """How many accepted messages of each client speak for nobody, as `mail` counts them."""
        counts = self.rule.metric in (Metric.SCORE, Metric.TRAP) and self._noise is not None
        known = self._noise.by_client(since, until) if counts and self._noise else None
        if known is not None:
            return known
        return counted_mail(self.reading.account.pk, self.rule, since, until)


def _mail_of(
    account: int, clients: Iterable[bytes], first: int, end: int
) -> Iterator[Iterable[tuple[int, bytes, int]]]:
    """Day, client and how many were accepted, of many clients at least, piece by piece."""
    packed = sorted(clients)
    # Nothing is known of how many there are where no totals are kept.
    many = sightings_of_days(account, first, end)
    if many and len(packed) * (end - first) // DAY * _SEEK > many:
        for day in range(first, end, DAY):
            yield accepted_of_all(account, day)
        return
    for at in range(0, len(packed), _FORESEEN):
        yield accepted_by(account, packed[at : at + _FORESEEN], first, end)
