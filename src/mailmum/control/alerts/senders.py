"""New blocks of those whose mail was accepted lately, and how many messages that were.

Not all of it speaks for a sender.  What a trigger lists for its spam, or for writing to a trap, has
mostly been accepted before: that is the evidence, and no reason to doubt the listing.  So mail is
counted as the guard of triggers counts it (`triggers.mail`): neither what was held, discarded,
bounced or taken for spam, nor what the trigger that lists it counts itself.
"""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.places import FRESH, MAIL_DAYS
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current, target_of
from mailmum.control.monitor.impact import losses
from mailmum.control.monitor.looking import last_days
from mailmum.control.servers.queries import names_of_servers
from mailmum.control.traffic.clients import counts_of
from mailmum.control.traffic.reading import Wanted
from mailmum.control.triggers.mail import accepted_by_day, kept_since, unheard
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.values import rule_of
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Source
from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.rules import Rule

LISTED = 2000
"""How many of the newest listings are looked at."""
CHECKED, SECONDS = 20, 3.0
"""How many are looked at closely each time, and for how long more of those that are new: all of
some hundred addresses, a few of as many networks.  The others have their turn the next time."""
_TURN = 60
_LEAST_PREFIX = {4: 16, 6: 32}

Block = tuple[Version, NetworkTarget]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A new block of somebody who had delivered: how many messages, None when not asked now."""

    version: Version
    count: int | None


def delivered(
    reading: Reading, least: int, now: float, known: Collection[int] = ()
) -> Iterator[Delivered]:
    """New blocks that lose so many messages at least: those that are known, then the oldest first.

    Of those that are known a few are looked at again each time.  Whose turn it is follows from the
    clock, so that nothing has to be kept for it.

    Args:
        reading: proof that the account may be read.
        least: from how many on.
        now: our own clock.
        known: numbers of listings that were found before.
    """
    look, blocks = _Close(reading, least, now), _blocks(reading, least, now, known)
    before = [one for one in blocks if one[0].number in known]
    new = [one for one in blocks if one[0].number not in known]
    for at, (version, network) in _in_turn(before, now):
        if at >= CHECKED:
            yield Delivered(version, None)
        elif (count := look.lost(version, network)) >= least:
            yield Delivered(version, count)
    found, until = list[Delivered](), time.monotonic() + SECONDS
    for at, (version, network) in _in_turn(new, now):
        if at >= CHECKED and time.monotonic() >= until:
            break
        if (count := look.lost(version, network)) >= least:
            found.append(Delivered(version, count))
    yield from sorted(found, key=lambda one: one.version.number)


def _in_turn(blocks: list[Block], now: float) -> Iterator[tuple[int, Block]]:
    """All of them with numbers from 0, beginning elsewhere each time."""
    at = int(now // _TURN) * CHECKED % max(len(blocks), 1)
    return enumerate(blocks[at:] + blocks[:at])


class _Close:
    """A close look at listings of an account: what a block loses that speaks for its sender."""

    def __init__(self, reading: Reading, least: int, now: float) -> None:
        self._reading, self._least, self._now = reading, least, now
        self._days = last_days(now, MAIL_DAYS)
        self._kept = kept_since(reading.account.pk)
        self._names = names_of_servers(reading)
        self._rules: dict[tuple[str, str], Rule | None] = {}

    def lost(self, version: Version, network: NetworkTarget) -> int:
        """How many messages; no more than roughly where it is too few anyway."""
        account, days = self._reading.account.pk, self._days
        if (by := (version.source, version.origin)) not in self._rules:
            self._rules[by] = _rule(self._reading, version)
        rule = self._rules[by]
        mail = accepted_by_day(account, network, days[0], days[-1] + DAY)
        noise = unheard(account, rule, network, sorted({day for day, _ in mail}), self._kept)
        if (rest := sum(many for _, many in mail) - noise.total()) < self._least:
            return rest
        server = None if version.scope == WHOLE_ACCOUNT else self._names.get(version.scope)
        since, lost = losses(self._reading, network, server, days=MAIL_DAYS, now=self._now)
        if since > days[0]:
            late = sorted({day for day, _ in mail if day >= since})
            noise = unheard(account, rule, network, late, self._kept)
        for (client, where), many in noise.items():
            if client in lost and version.scope in (WHOLE_ACCOUNT, where):
                lost[client] -= many
        return sum(max(many, 0) for many in lost.values())


def _rule(reading: Reading, version: Version) -> Rule | None:
    """The rule by which it was listed, as it is by now; also of a trigger that is gone."""
    if version.source != Source.TRIGGER:
        return None
    found = Trigger.objects.filter(account=reading.account, name=version.origin)
    trigger = found.order_by("-pk").first()
    return None if trigger is None else rule_of(trigger)


def _blocks(reading: Reading, least: int, now: float, known: Collection[int]) -> list[Block]:
    """New blocks of networks from which anything was accepted, the oldest first."""
    fresh = datetime.fromtimestamp(now, UTC) - timedelta(seconds=FRESH)
    new = current(reading).filter(
        action=Action.BLOCK.value, enabled=True, changed__gt=fresh, first__isnull=False
    )
    # Two with the same first address are asked one after the other: counts are told by that.
    rounds: list[dict[bytes, Block]] = []
    latest = {version.number: version for version in new.order_by("-number")[:LISTED]}
    # However many were listed since.
    missing = [number for number in known if number not in latest]
    latest |= {version.number: version for version in new.filter(number__in=missing)}
    for version in latest.values():
        target = target_of(version)
        assert isinstance(target, NetworkTarget)
        if target.prefix < _LEAST_PREFIX[target.version]:
            continue
        first = bounds(target)[0]
        place = next((one for one in rounds if first not in one), None)
        if place is None:
            rounds.append(place := {})
        place[first] = (version, target)
    wanted = Wanted(since=now - MAIL_DAYS * DAY)
    found = [
        place[bounds(one.network)[0]]
        for place in rounds
        for one in counts_of(
            reading.account.pk, [target for _, target in place.values()], wanted, now
        )
        if one.outcomes.get(Outcome.ACCEPTED, 0) >= least
    ]
    return sorted(found, key=lambda one: one[0].number)
