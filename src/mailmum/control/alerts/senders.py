"""New blocks of those whose mail was accepted lately, and how many messages that were.

Not all of it speaks for a sender.  What a trigger lists for its spam, or for writing to a trap, has
mostly been accepted before: that is the evidence, and no reason to doubt the listing.  So mail is
counted as the guard of triggers counts it (`triggers.mail`): neither what was held, discarded,
bounced or taken for spam, nor what the trigger that lists it counts itself.
"""

from collections.abc import Iterator
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

LISTED, CHECKED = 100, 20
"""How many new listings are looked at, and how many of them closely."""
_LEAST_PREFIX = {4: 16, 6: 32}


def delivered(reading: Reading, least: int, now: float) -> Iterator[tuple[Version, int]]:
    """New blocks that lose so many messages at least, the newest first, and how many.

    Args:
        reading: proof that the account may be read.
        least: from how many on.
        now: our own clock.
    """
    account, days = reading.account.pk, last_days(now, MAIL_DAYS)
    names, rules = names_of_servers(reading), dict[tuple[str, str], Rule | None]()
    kept, checked = kept_since(account), 0
    for version, network in _blocks(reading, least, now):
        if (by := (version.source, version.origin)) not in rules:
            rules[by] = _rule(reading, version)
        mail = accepted_by_day(account, network, days[0], days[-1] + DAY)
        noise = unheard(account, rules[by], network, sorted({day for day, _ in mail}), kept)
        if sum(many for _, many in mail) - noise.total() < least:
            continue
        server = None if version.scope == WHOLE_ACCOUNT else names.get(version.scope)
        since, lost = losses(reading, network, server, days=MAIL_DAYS, now=now)
        if since > days[0]:
            late = sorted({day for day, _ in mail if day >= since})
            noise = unheard(account, rules[by], network, late, kept)
        for (client, where), many in noise.items():
            if client in lost and version.scope in (WHOLE_ACCOUNT, where):
                lost[client] -= many
        if (count := sum(max(many, 0) for many in lost.values())) >= least:
            yield version, count
        if (checked := checked + 1) == CHECKED:
            return


def _rule(reading: Reading, version: Version) -> Rule | None:
    """The rule by which it was listed, as it is by now; also of a trigger that is gone."""
    if version.source != Source.TRIGGER:
        return None
    found = Trigger.objects.filter(account=reading.account, name=version.origin)
    trigger = found.order_by("-pk").first()
    return None if trigger is None else rule_of(trigger)


def _blocks(reading: Reading, least: int, now: float) -> list[tuple[Version, NetworkTarget]]:
    """New blocks of networks from which anything was accepted."""
    fresh = datetime.fromtimestamp(now, UTC) - timedelta(seconds=FRESH)
    new = current(reading).filter(
        action=Action.BLOCK.value, enabled=True, changed__gt=fresh, first__isnull=False
    )
    # Two with the same first address are asked one after the other: counts are told by that.
    rounds: list[dict[bytes, tuple[Version, NetworkTarget]]] = []
    for version in new.order_by("-number")[:LISTED]:
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
    return sorted(found, key=lambda one: -one[0].number)
