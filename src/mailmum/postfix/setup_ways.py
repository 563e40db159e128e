"""The ways a Postfix can ask: over DNS, in its policy protocol, or both.

Whatever the way, it stands in the values of `mailmum_allow` and `mailmum_block`, so the restriction
lists are the same.  The policy service gives one answer that may allow or block; where the allow
stands nothing must be blocked, as the administrator's own people may come after it.  So the context
of that check has `:allow` after the key, for which there is nothing but an allow.

With `default_action=DUNNO` mail flows while the service is away.
"""

import re
from collections.abc import Iterator
from enum import StrEnum

from mailmum.postfix.current import Current
from mailmum.postfix.setup_zones import (
    ALLOW,
    BLOCK,
    ServerZones,
    allow_restrictions,
    block_restrictions,
)

OLDEST_FOR_POLICY = (3, 1)
"""The first Postfix that sends a context."""

_CHECK = "check_policy_service {{ {service}, policy_context={context}, {away} }}"
_AWAY = "default_action=DUNNO, timeout=5s"
_SERVICE = re.compile(r"check_policy_service \{ *([^, {}]+)")


class Way(StrEnum):
    """How a Postfix asks."""

    DNS = "dns"
    POLICY = "policy"
    BOTH = "both"


def allow_values(zones: ServerZones, way: Way, service: str) -> str:
    """What `mailmum_allow` is."""
    asked = [] if way is Way.POLICY else [allow_restrictions(zones)]
    if way is not Way.DNS:
        asked.append(_check(zones, service, ":allow"))
    return ", ".join(asked)


def block_values(zones: ServerZones, way: Way, service: str, *, trial: bool) -> str:
    """What `mailmum_block` is."""
    asked = [] if way is Way.POLICY else [block_restrictions(zones, trial=trial)]
    if way is not Way.DNS:
        asked.append(("warn_if_reject " if trial else "") + _check(zones, service, ""))
    return ", ".join(asked)


def way_of(current: Current) -> tuple[Way, str]:
    """The way that a Postfix asks now, and the service it asks; DNS when it does not ask."""
    text = f"{current.explicit.get(ALLOW, '')} {current.explicit.get(BLOCK, '')}"
    service = _SERVICE.search(text)
    if service is None:
        return Way.DNS, ""
    return Way.BOTH if "reject_rbl_client" in text else Way.POLICY, service[1]


def notes(way: Way) -> Iterator[str]:
    """What to know of the policy service."""
    if way is Way.DNS:
        return
    yield (
        "The policy service is asked for each recipient and never forgets to look: a change counts "
        "with the next message. While it is away Postfix goes on by itself (default_action=DUNNO), "
        "a second later when nobody listens."
    )
    if way is Way.POLICY:
        yield "The key stands in main.cf: keep that to yourself. Clients are never shown it."


def _check(zones: ServerZones, service: str, suffix: str) -> str:
    return _CHECK.format(service=service, context=zones.key + suffix, away=_AWAY)
