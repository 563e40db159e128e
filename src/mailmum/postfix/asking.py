"""How a Postfix asks this service, whoever has written that into main.cf.

That may be `postfix setup`, the page of a server, or an administrator by hand:

    check_policy_service { inet:127.0.0.1:10053, policy_context=KEY, default_action=DUNNO }
    check_client_access socketmap:inet:127.0.0.1:10053:KEY
    reject_rbl_client KEY.bl.BASE

Postfix takes more spellings than these: words in any case, an attribute in braces of its own
(`{ default_action = DUNNO }`), a `$reference` as a value, the context of all checks as a parameter,
and for a port the name of a service or nothing before it.  All are read as smtpd reads them.

A check over a socket of a server's own shows no key; nothing here can tell that it is ours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailmum.postfix.current import Current
from mailmum.postfix.restrictions import words
from mailmum.postfix.setup_zones import ALLOW, BLOCK

_CHECK = re.compile(r"\bcheck_policy_service(?=[\s,{])[\s,]*", re.IGNORECASE)
_BARE = re.compile(r"[^\s,{}]*")
_EQUALS = re.compile(r"\s*=\s*")
_MAP = re.compile(r"socketmap:(inet:(?:[^\s,]*:)?[\w.+-]+|unix:[^\s,:]+):([0-9A-Za-z]+)")
_AWAY = "smtpd_policy_service_default_action"
_CONTEXT = "smtpd_policy_service_policy_context"


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
            service, told = _argument(value[check.end() :])
            away = told.get("default_action", current.value(_AWAY))
            context = told.get("policy_context", current.value(_CONTEXT))
            yield Asking(
                current.expanded(service),
                current.expanded(context).removesuffix(":allow").lower(),
                flows=current.expanded(away).upper().split()[:1] == ["DUNNO"],
                own=name in (ALLOW, BLOCK),
            )
        for lookup in _MAP.finditer(value):
            yield Asking(lookup[1], lookup[2].lower(), lookup=True, flows=False)


def over_dns(current: Current, base: str) -> bool:
    """Whether a zone below the base is asked, under whatever key."""
    zone = re.compile(rf"\.(?:bl|wl|dbl|dwl)\.{re.escape(base)}(?![\w.-])", re.IGNORECASE)
    return any(zone.search(value) for _, value in _values(current))


def _argument(text: str) -> tuple[str, dict[str, str]]:
    """The service that a text begins with, and the attributes that stand with it in braces."""
    if not text.startswith("{"):
        return _BARE.match(text)[0], {}  # type: ignore[index]  # it matches anything
    service, *more = [word for word, _, _ in words(_EQUALS.sub("=", _inside(text)))] or [""]
    parted = (_inside(word).strip().partition("=") for word in more)
    return service, {name: value.strip() for name, _, value in parted}


def _inside(text: str) -> str:
    """What stands between the braces with which a text begins; the text where it has none."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if not depth:
            return text[1:index] if index else text
    return text[1:]


def _values(current: Current) -> Iterator[tuple[str, str]]:
    """All that is set, in main.cf and for single services."""
    yield from current.explicit.items()
    yield from ((one.parameter, one.value) for one in current.overrides)
