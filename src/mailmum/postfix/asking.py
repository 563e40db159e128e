"""How a Postfix asks this service, whoever has written that into main.cf.

That may be `postfix setup`, the page of a server, or an administrator by hand:

    check_policy_service { inet:127.0.0.1:10053, policy_context=KEY, default_action=DUNNO }
    check_client_access socketmap:inet:127.0.0.1:10053:KEY
    reject_rbl_client KEY.bl.BASE

A check over a socket of a server's own shows no key; nothing here can tell that it is ours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailmum.postfix.current import Current
from mailmum.postfix.setup_zones import ALLOW, BLOCK

_CHECK = re.compile(r"check_policy_service\s*\{\s*([^\s,{}]+)([^{}]*)")
_ATTRIBUTE = re.compile(r"(\w+)\s*=\s*([^\s,{}]+)")
_MAP = re.compile(r"socketmap:((?:inet:[^\s,]*?:\d+|unix:[^\s,:]+)):([0-9A-Za-z]+)")
_AWAY = "smtpd_policy_service_default_action"


@dataclass(frozen=True, slots=True)
class Asking:
    """One way in which the policy service is asked.

    Attributes:
        service: where, as Postfix writes it, `inet:127.0.0.1:10053`.
        key: the zone key that it shows.
        lookup: whether it is a lookup of `socketmap`; else a check of the policy protocol.
        flows: whether mail flows while nobody answers there.
        own: whether it stands in a parameter of `postfix setup`.
    """

    service: str
    key: str
    lookup: bool = False
    flows: bool = True
    own: bool = False


def askings(current: Current) -> Iterator[Asking]:
    """All ways in which the policy service, or another that is like it, is asked with a key."""
    for name, value in _values(current):
        for check in _CHECK.finditer(value):
            told = dict(_ATTRIBUTE.findall(check[2]))
            away = told.get("default_action", current.value(_AWAY)).split()[:1]
            yield Asking(
                check[1],
                told.get("policy_context", "").removesuffix(":allow").lower(),
                flows=[word.upper() for word in away] == ["DUNNO"],
                own=name in (ALLOW, BLOCK),
            )
        for lookup in _MAP.finditer(value):
            yield Asking(lookup[1], lookup[2].lower(), lookup=True, flows=False)


def over_dns(current: Current, base: str) -> bool:
    """Whether a zone below the base is asked, under whatever key."""
    zone = re.compile(rf"\.(?:bl|wl|dbl|dwl)\.{re.escape(base)}(?![\w.-])", re.IGNORECASE)
    return any(zone.search(value) for _, value in _values(current))


def _values(current: Current) -> Iterator[tuple[str, str]]:
    """All that is set, in main.cf and for single services."""
    yield from current.explicit.items()
    yield from ((one.parameter, one.value) for one in current.overrides)
