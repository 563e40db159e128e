"""Public lists as API, pages and command line show them."""

from typing import Any

from mailmum.control.accounts.access import Reading
from mailmum.control.journal.moments import instant, moment
from mailmum.control.monitor.scope import own_zones, scope_of, zones_of
from mailmum.control.traffic.reading import tolerant
from mailmum.control.witnesses.asking import Testimony, health_of, witnesses_of
from mailmum.control.witnesses.comparing import Comparison
from mailmum.control.witnesses.models import Health
from mailmum.dns.witness import SAYS, State


def lists_as(reading: Reading) -> list[dict[str, Any]]:
    """The lists that an account asks, with how they fare."""
    found = witnesses_of(reading)
    health = health_of(one.zone for one in found)
    return [
        {"zone": one.zone, "created": instant(one.created), **_fares(health.get(one.zone))}
        for one in found
    ]


def proposals(reading: Reading) -> list[str]:
    """Lists that decided at mail servers of the account and are not asked from here."""
    scope = scope_of(reading)
    nothing: dict[int, str] = {}
    zones = tolerant(lambda: zones_of(scope), nothing)
    own = own_zones(zones)
    asked = {one.zone for one in witnesses_of(reading)}
    return sorted({name for number, name in zones.items() if number not in own} - asked)


def testimony_as(one: Testimony) -> dict[str, Any]:
    """What a list says of a client."""
    return {
        "zone": one.zone,
        "listed": one.listed,
        "codes": list(one.codes),
        "note": one.note,
        "asked": moment(one.asked),
    }


def comparison_as(found: Comparison) -> dict[str, Any]:
    """What each list caught."""
    return {
        "since": moment(found.since),
        "complete": found.complete,
        "lists": [
            {
                "zone": one.zone,
                "own": one.own,
                "stopped": one.stopped,
                "clients": one.clients,
                "alone": one.alone,
                "together": [{"zone": zone, "clients": count} for zone, count in one.together],
                "senders": one.senders,
                "accepted": one.accepted,
                "examples": [
                    {"client": it.client, "stopped": it.stopped, "accepted": it.accepted}
                    for it in one.examples
                ],
            }
            for one in found.lists
        ],
    }


def _fares(health: Health | None) -> dict[str, Any]:
    if health is None:
        return {"state": "unknown", "says": "not looked at yet", "since": None, "checked": None}
    return {
        "state": health.state,
        "says": SAYS[State(health.state)],
        "since": moment(health.since),
        "checked": moment(health.checked),
    }
