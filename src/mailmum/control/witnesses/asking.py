"""Asks the lists of an account about a client, as seldom as possible and believing as little.

- What was said a while ago is not asked again: answers are kept for as long as they hold, within
  bounds of our own.
- No list is asked more than so often in a minute, by all accounts together; what is over that stays
  unknown.
- A list that lists everything, or does not answer us, is not believed.  Whenever one says "listed",
  how it fares is looked at after that, before its word is kept: lists are given up, and sold, and
  what was well a minute ago says nothing.
- Unknown is unknown, and never a listing.
"""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from django.db import transaction

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.witnesses.models import Health, Said, Witness
from mailmum.daemons import resolving
from mailmum.dns.witness import SAYS, Meaning, Reply, State, judge, probes, question
from mailmum.domain.clients import AddressSubject
from mailmum.domain.errors import BadInput
from mailmum.domain.guards import find_danger
from mailmum.domain.targets import Kind, NetworkTarget, parse_network
from mailmum.traffic.packing import bounds

A_MINUTE = 120
"""Questions that a list is asked in a minute."""
FRESH = 3600
"""Seconds after which how a list fares is looked at again before it is believed."""
_LEAST, _MOST, _USUAL = 300, 6 * 3600, 900
_SILENT = 60
"""Seconds for which a list that did not answer is left alone about that client."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a list says of a client.

    Attributes:
        zone: the list.
        listed: whether it lists the client; None when that is not known.
        codes: the addresses it answered.
        note: why it is not known.
        asked: when it was asked, Unix time; None when it was not.
    """

    zone: str
    listed: bool | None
    codes: tuple[str, ...]
    note: str
    asked: int | None


def witnesses_of(reading: Reading) -> list[Witness]:
    """The lists that an account asks, by name."""
    return list(Witness.objects.filter(account=reading.account).order_by("zone"))


def parse_client(text: str) -> NetworkTarget:
    """Whom lists are to be asked about.

    Raises:
        BadInput: it is no address.
    """
    try:
        return parse_network(text)
    except BadInput as refusal:
        fix = refusal.fix if refusal.fix.endswith("?") else "write for example 203.0.113.7"
        raise BadInput(refusal.problem, fix=fix, field="client") from None


def ask_about(
    reading: Reading, client: NetworkTarget, *, now: float | None = None
) -> tuple[Testimony, ...]:
    """What each list of the account says of a client.

    Raises:
        BadInput: lists are asked about addresses only.
    """
    if client.kind is not Kind.ADDRESS:
        raise BadInput(
            f"{client.text} is a network", fix="public lists are asked about one address"
        )
    if AddressSubject(client.version, client.first).is_loopback or find_danger(client):
        raise BadInput(f"public lists know nothing of {client.text}", fix="ask about a public one")
    clock = time.time() if now is None else now
    zones = [one.zone for one in witnesses_of(reading)]
    kept = _kept(zones, client, clock)
    wanted = [zone for zone in zones if zone not in kept]
    health = _health(zones)
    bad = {zone for zone in wanted if not believed(health.get(zone))}
    full = {zone for zone in wanted if zone not in bad and not _room(zone, clock)}
    asked = [zone for zone in wanted if zone not in bad | full]
    found = asked_now([(zone, client) for zone in asked], clock)
    kept |= {zone: said for (zone, _), said in found.items()}
    if found:
        health = _health(zones)
    look_again(kept.values(), health, clock)
    return tuple(_testimony(zone, kept.get(zone), health.get(zone), zone in full) for zone in zones)


def check_health(zones: Sequence[str], *, now: float | None = None) -> dict[str, Health]:
    """Ask each list what tells how it fares, and note it."""
    clock = int(time.time() if now is None else now)
    probing = {zone: probes(zone, secrets.randbits(32)) for zone in zones}
    names = [name for one in probing.values() for name in astuple(one)]
    replies = resolving.ask(names, config.current().rbl_resolver)
    return {zone: _note(zone, judge(replies, one), clock) for zone, one in probing.items()}


def health_of(zones: Iterable[str]) -> dict[str, Health]:
    """How lists fared when they were last looked at; those that never were are missing."""
    return _health(list(zones))


def _note(zone: str, state: State, now: int) -> Health:
    with transaction.atomic():
        was = Health.objects.filter(zone=zone).first()
        since = was.since if was is not None and was.state == state else now
        health = Health(zone=zone, state=state.value, since=since, checked=now)
        Health.objects.bulk_create(
            [health],
            update_conflicts=True,
            unique_fields=["zone"],
            update_fields=["state", "since", "checked"],
        )
    return health


def _health(zones: list[str]) -> dict[str, Health]:
    return Health.objects.in_bulk(zones)


def believed(health: Health | None) -> bool:
    """Whether a list may be asked as far as is known."""
    # One that was never looked at may be asked; before it is believed it is looked at.
    return health is None or State(health.state).believed


def _room(zone: str, now: float) -> bool:
    lately = Said.objects.filter(zone=zone, asked__gt=int(now - 60))
    return lately[:A_MINUTE].count() < A_MINUTE


def _kept(zones: list[str], client: NetworkTarget, now: float) -> dict[str, Said]:
    packed = bounds(client)[0]
    found = Said.objects.filter(zone__in=zones, client=packed, until__gt=int(now))
    # A clock that was set back must not make an answer hold for ever.
    return {one.zone: one for one in found if one.asked <= now + 60}


Asked = tuple[str, NetworkTarget]
"""A list, and about whom it is asked."""


def asked_now(pairs: Sequence[Asked], now: float) -> dict[Asked, Said]:
    """Ask, and keep what was said; nothing else is looked at, neither bounds nor what is kept."""
    names = {pair: question(*pair) for pair in pairs}
    replies: Mapping[str, Reply] = resolving.ask(names.values(), config.current().rbl_resolver)
    found = {pair: _said(*pair, replies[name], now) for pair, name in names.items()}
    _confirm(found, now)
    Said.objects.bulk_create(
        found.values(),
        update_conflicts=True,
        unique_fields=["zone", "client"],
        update_fields=["meaning", "codes", "asked", "until"],
    )
    return found


def _confirm(found: Mapping[Asked, Said], now: float) -> None:
    """Look how those fare that say "listed"; the word of one that is not well is none."""
    zones = sorted({zone for (zone, _), said in found.items() if said.meaning == Meaning.LISTED})
    health = check_health(zones, now=now) if zones else {}
    for (zone, _), said in found.items():
        if said.meaning == Meaning.LISTED and not State(health[zone].state).believed:
            said.meaning, said.codes, said.until = Meaning.SILENT.value, "", int(now) + _SILENT


def _said(zone: str, client: NetworkTarget, reply: Reply, now: float) -> Said:
    ttl = _USUAL if reply.ttl is None else min(max(reply.ttl, _LEAST), _MOST)
    if reply.meaning in (Meaning.SILENT, Meaning.REFUSED):
        ttl = _SILENT
    return Said(
        zone=zone,
        client=bounds(client)[0],
        meaning=reply.meaning.value,
        codes=" ".join(reply.addresses)[:200],
        asked=int(now),
        until=int(now) + ttl,
    )


def look_again(said: Iterable[Said], health: dict[str, Health], now: float) -> None:
    """See how those fare that say anything but "not listed", when that is not known."""
    wanted = [
        one.zone
        for one in said
        if one.meaning != Meaning.UNLISTED and _is_old(health.get(one.zone), now)
    ]
    if wanted:
        health.update(check_health(wanted, now=now))


def _is_old(health: Health | None, now: float) -> bool:
    return health is None or abs(now - health.checked) > FRESH


def _testimony(zone: str, said: Said | None, health: Health | None, full: bool) -> Testimony:
    asked = None if said is None else said.asked
    if health is not None and not State(health.state).believed:
        return Testimony(zone, None, (), f"not believed: {SAYS[State(health.state)]}", asked)
    if said is None:
        note = "asked too often in this minute" if full else "not asked"
        return Testimony(zone, None, (), note, None)
    codes = tuple(said.codes.split())
    if said.meaning == Meaning.LISTED:
        return Testimony(zone, True, codes, "", asked)
    if said.meaning == Meaning.UNLISTED:
        return Testimony(zone, False, (), "", asked)
    return Testimony(zone, None, codes, _NOTES[Meaning(said.meaning)], asked)


_NOTES = {
    Meaning.SILENT: "no answer",
    Meaning.REFUSED: SAYS[State.REFUSED],
    Meaning.STRANGE: "it answers with an address that is no listing",
}
