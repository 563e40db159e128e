"""Decides, contact by contact: who has reached the threshold, for how long, and who is spared.

Time is that of the contacts, never a clock: the same contacts in the same order give the same
decisions, live, after a restart, and in a backtest.  What happened long ago and is told late is
listed from when it happened, so it may have run out by now.

1.  A contact counts for its group, and is spent when the group is acted upon.
2.  Who is listed by this trigger, alone or with its network, is not listed again before that ends;
    what it does meanwhile counts for the time after, if a window reaches that far.
3.  Who offends again is listed longer each time; who was not listed for the quiet time begins anew.
4.  When enough are listed in one network at once, the network is listed instead of them: for its
    own lifetime, and not to end before any of them would have.  They are listed with it until it
    ends.  Where it must not be they stay listed, and that is told once; so it is where anybody
    would be listed with it whom a person has taken off.
5.  Before anybody is listed `Guard` is asked.  Who is spared is told, and counts from nothing.
6.  The brake: the listing that would be one too many is not made, and the trigger stops.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from mailmum.domain.targets import Target
from mailmum.triggers.brake import Brake
from mailmum.triggers.contacts import Contact, Context, above, counts, scope_of, unit_of
from mailmum.triggers.decisions import (
    Decision,
    Evidence,
    Kind,
    Offence,
    evidence_of,
    evidence_of_parts,
)
from mailmum.triggers.rules import DIFFERENT, NAMING, Rule
from mailmum.triggers.windows import LATE, Entry, Windows

NEVER = -(2**62)
Place = tuple[int, Target]
"""A scope and who is meant there."""


class Tell(Protocol):
    """Makes evidence; see `decisions.evidence_of`."""

    def __call__(self, entries: Sequence[Entry], *, different: bool = False) -> Evidence:
        """The evidence that counted contacts are."""
        ...


class Guard(Protocol):
    """Knows who must not be listed."""

    def spared(self, scope: int, target: Target, at: float) -> str:
        """Why somebody must not be listed at a time (Unix, seconds); empty when nothing is."""
        ...

    def taken_off(self, scope: int, parts: Sequence[Target], at: float) -> str:
        """Why a network must not be listed at a time: a person has taken off one of those in it."""
        ...


class Judge:
    """One trigger, counting.

    Args:
        rule: its parameters.
        context: what counting takes besides.
        guard: who must not be listed.
        tell: makes the evidence of what was counted.
    """

    def __init__(
        self, rule: Rule, context: Context, guard: Guard, tell: Tell = evidence_of
    ) -> None:
        self.context = context
        self.stopped = False
        self.offences: dict[Place, Offence] = {}
        self._rule, self._guard, self._tell = rule, guard, tell
        self._different, self._tagged = rule.metric in DIFFERENT, rule.metric in NAMING
        self._windows = Windows(rule.threshold, rule.window * 1000, different=self._different)
        self._parts: dict[Place, set[Target]] = {}
        # Networks in which parts are or were, whether or not they were listed themselves.
        self._networks: dict[Place, set[Target]] = {}
        self._brake = Brake(rule)

    @property
    def newest(self) -> int:
        """When the newest contact was that counted, Unix time in milliseconds."""
        return self._windows.newest

    def take(self, contact: Contact) -> Sequence[Decision]:
        """Count a contact; what it leads to."""
        place = self._place(contact)
        return () if place is None else self.count(place, contact)

    def count(self, place: Place, contact: Contact) -> Sequence[Decision]:
        """Count a contact of which it is known that it counts, and where."""
        if self.stopped:
            return ()
        offence = self.offences.get(place)
        if offence is not None and contact.at <= self.settles(offence):
            self._windows.pass_by(contact.at)
            return ()
        entry = _entry(contact, tagged=self._tagged)
        if (stretch := self._windows.add(place, entry)) is None:
            return ()
        entries = self._windows.entries(place, stretch)
        if (held := self._held(place)) > entries[-1].at:
            # Of what comes late another one may end when the listing does not hold any more.
            if (stretch := self._windows.later(place, entry, held)) is None:
                return ()
            entries = self._windows.entries(place, stretch)
        end = entries[-1].at
        evidence = self._tell(entries, different=self._different)
        self._windows.clear(place)
        return list(self._act(place, end, contact.number, evidence))

    def remember(
        self, offences: Mapping[Place, Offence], begun: Iterable[int] = (), newest: int = 0
    ) -> None:
        """Take up what had been decided before.

        Args:
            offences: who is or was listed.
            begun: when listings began that the brake still counts, in the order of time.
            newest: when the newest contact was that had counted.
        """
        self.offences = dict(offences)
        self._brake.remember(begun)
        self._windows.newest = newest
        for place in offences:
            self._join(place)

    def recount(self, contacts: Iterable[Contact], newest: int) -> None:
        """Count again what had been counted and not yet acted upon, in the order of numbers."""
        self._windows.newest = 0
        for contact in contacts:
            place = self._place(contact)
            if place is None:
                continue
            offence = self.offences.get(place)
            self._windows.add(place, _entry(contact, tagged=self._tagged))
            if offence is not None and contact.number <= offence.number:
                self._windows.clear(place)
        self._windows.newest = max(self._windows.newest, newest)

    def _place(self, contact: Contact) -> Place | None:
        if not counts(self._rule, contact, self.context):
            return None
        return place_of(self._rule, contact)

    def _held(self, place: Place) -> int:
        """Until when somebody is listed, alone or with a network."""
        scope, until = place[0], NEVER
        wider: Target | None = place[1]
        while wider is not None:
            offence = self.offences.get((scope, wider))
            # Who was spared only has none to be held by.
            if offence is not None and offence.times:
                until = max(until, offence.until)
            wider = above(wider)
        return until

    def settles(self, offence: Offence) -> int:
        """Up to when contacts of who is listed lead to nothing: they cannot count after it either.

        Every stretch of time that holds one of them ends while the listing holds, or that of the
        network that has taken its place, which ends no earlier.
        """
        if not offence.times:
            return NEVER
        return offence.until - self._rule.window * 1000

    def _act(self, place: Place, end: int, number: int, evidence: Evidence) -> Iterator[Decision]:
        scope, target = place
        before = self.offences.get(place)
        if reason := self._guard.spared(scope, target, end / 1000):
            offence = self._spared(before, end, number)
            self.offences[place] = offence
            yield Decision(Kind.SPARE, scope, target, offence, evidence, reason)
            return
        offence = self._next(before, end, number)
        if reason := self._brake.holds(end, self.newest):
            yield Decision(Kind.STOP, scope, target, offence, evidence, reason)
            self.stopped = True
            return
        self._brake.note(end)
        self.offences[place] = offence
        self._join(place)
        yield Decision(Kind.LIST, scope, target, offence, evidence)
        yield from self._merge(place, end, number)

    def _next(self, before: Offence | None, end: int, number: int) -> Offence:
        forgiven = before is None or end - before.until > self._rule.quiet * 1000
        times = 1 if before is None or forgiven else before.times + 1
        until = end + self._rule.lifetime_of(times) * 1000
        return Offence(times, end, until, number)

    @staticmethod
    def _spared(before: Offence | None, end: int, number: int) -> Offence:
        """Who is spared is not listed, and how often it was stays as it is."""
        if before is None:
            return Offence(0, end, end, number)
        return replace(before, number=number)

    def _join(self, place: Place) -> None:
        scope, target = place
        if self._rule.merge and (network := above(target)) is not None:
            self._parts.setdefault((scope, network), set()).add(target)
            if (wider := above(network)) is not None:
                self._networks.setdefault((scope, wider), set()).add(network)

    def _merge(self, place: Place, end: int, number: int) -> Iterator[Decision]:
        """List the network instead when enough in it are listed, and so on upwards."""
        scope, target = place
        network = above(target) if self._rule.merge else None
        if network is None:
            return
        wider = (scope, network)
        at, replaced = self._together(wider, end)
        if len(replaced) < self._rule.merge:
            return
        first = min(self.offences[scope, part].begin for part in replaced)
        evidence = evidence_of_parts(replaced, first, at)
        guard = self._guard
        reason, within = guard.spared(scope, network, at / 1000), tuple(self._within(wider, at))
        if reason := reason or guard.taken_off(scope, within, at / 1000):
            # Told when there are just enough; not again with each that comes to them.
            if len(replaced) == self._rule.merge:
                offence = self._spared(self.offences.get(wider), at, number)
                self.offences[wider] = offence
                yield Decision(Kind.SPARE, scope, network, offence, evidence, reason)
            return
        offence = self._next(self.offences.get(wider), at, number)
        latest = max(self.offences[scope, part].until for part in replaced)
        offence = replace(offence, until=max(offence.until, latest))
        yield self._instead(wider, replaced, offence, evidence)
        yield from self._merge(wider, at, number)

    def _together(self, wider: Place, end: int) -> tuple[int, tuple[Target, ...]]:
        """Since when, and who is listed in a network at once.

        With what is told late somebody is listed from before others in the network were.
        """
        active = self._active(wider, end)
        at = max([end, *(self.offences[wider[0], part].begin for part in active)])
        return at, active if at == end else self._active(wider, at)

    def _instead(
        self, wider: Place, replaced: tuple[Target, ...], offence: Offence, evidence: Evidence
    ) -> Decision:
        """A network is listed instead of its parts, which are listed with it from now on."""
        scope, network = wider
        joined = tuple(self._joined(scope, replaced))
        for part in joined:
            self.offences[scope, part] = replace(self.offences[scope, part], until=offence.until)
        self.offences[wider] = offence
        self._join(wider)
        return Decision(
            Kind.LIST, scope, network, offence, evidence, replaces=replaced, joined=joined
        )

    def _joined(self, scope: int, parts: Iterable[Target]) -> Iterator[Target]:
        """Parts, and what was listed with each of them."""
        for part in parts:
            yield part
            until = self.offences[scope, part].until
            below = self._parts.get((scope, part), ())
            yield from (one for one in below if self.offences[scope, one].until == until)

    def _within(self, wider: Place, at: int) -> Iterator[Target]:
        """All that is listed in a network at a time, by itself or with a network in it."""
        scope = wider[0]
        for part in self._parts.get(wider, ()):
            if self.offences[scope, part].until > at:
                yield part
        for network in self._networks.get(wider, ()):
            yield from self._within((scope, network), at)

    def _active(self, wider: Place, at: int) -> tuple[Target, ...]:
        """What is listed in a network at a time; what can be so no more is forgotten."""
        scope, parts = wider[0], self._parts[wider]
        gone = self.newest - LATE
        parts -= {part for part in parts if self.offences[scope, part].until <= gone}
        active = (part for part in parts if self.offences[scope, part].until > at)
        return tuple(sorted(active, key=lambda part: part.text))


def remembered(rule: Rule) -> int:
    """How long an offence must be known after it has ended, in milliseconds before the newest.

    Until the quiet time is over; and what was spent with it must not be counted again, which may
    have been told late itself.
    """
    return LATE + max(rule.quiet * 1000, rule.window * 1000 + LATE)


def place_of(rule: Rule, contact: Contact) -> Place | None:
    """Where a contact counts, if it does; None for nowhere."""
    unit = unit_of(rule.group, contact.client, contact.name)
    return None if unit is None else (scope_of(rule, contact.server), unit)


def _entry(contact: Contact, *, tagged: bool) -> Entry:
    tag = contact.rbl if tagged else 0
    return Entry(contact.at, contact.number, contact.many, tag, contact.client, contact.server)
