"""Between rows and values: a version of a listing as the database, the domain and people see it."""

from typing import Any

from mailmum.control.journal.moments import instant, moment
from mailmum.control.listings.models import Version
from mailmum.domain.codes import code_text
from mailmum.domain.listings import WHOLE_ACCOUNT, Action, Listing, Source
from mailmum.domain.targets import (
    MAPPED_PREFIX,
    Kind,
    NameTarget,
    NetworkTarget,
    Target,
    mapped,
    parse_network,
)

ACCOUNT_SCOPE = "account"
"""How people call the scope of all servers of an account."""


def to_listing(version: Version) -> Listing:
    """The domain's view of a version."""
    return Listing(
        id=version.number,
        account=version.account_id,
        scope=version.scope,
        action=Action(version.action),
        target=stored_target(version.kind, version.target),
        source=Source(version.source),
        origin=version.origin,
        reason=version.reason,
        code=version.code,
        expires=version.expires,
        enabled=version.enabled,
    )


def stored_target(kind: str, text: str) -> Target:
    """The target from canonical text, which needs no checking again."""
    if kind == Kind.HOST:
        return NameTarget(text, whole=False)
    if kind == Kind.DOMAIN:
        return NameTarget(text[1:], whole=True)
    return parse_network(text)


def stored_network(first: bytes, last: bytes) -> NetworkTarget:
    """The network from its first and last address as stored, without reading any text."""
    low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
    prefix = 128 - (low ^ high).bit_length()
    if prefix >= MAPPED_PREFIX and low >> 32 == 0xFFFF:
        return NetworkTarget(4, low & 0xFFFF_FFFF, prefix - MAPPED_PREFIX)
    return NetworkTarget(6, low, prefix)


TARGET_COLUMNS = ("kind", "target", "first", "last", "reversed_name")
TargetValues = tuple[str, str, bytes | None, bytes | None, str | None]


def target_columns(target: Target) -> dict[str, Any]:
    """The columns that describe a target."""
    return dict(zip(TARGET_COLUMNS, target_values(target), strict=True))


def target_values(target: Target) -> TargetValues:
    """The same in the order of `TARGET_COLUMNS`, for those who have a million of them."""
    kind = target.kind.value
    if isinstance(target, NameTarget):
        return kind, target.text, None, None, reversed_name(target.name)
    first, last = mapped(target)
    low = first.to_bytes(16, "big")
    high = low if first == last else last.to_bytes(16, "big")
    return kind, target.text, low, high, None


def reversed_name(name: str) -> str:
    """Labels in reverse, each with a dot: all names under a domain begin with the domain's."""
    return ".".join(reversed(name.split("."))) + "."


def scope_name(scope: int, servers: dict[int, str]) -> str:
    """`account`, or the server's name."""
    return ACCOUNT_SCOPE if scope == WHOLE_ACCOUNT else servers.get(scope, f"server {scope}")


def as_dict(version: Version, servers: dict[int, str]) -> dict[str, Any]:
    """A listing as API, command line and journal show it (DESIGN of the command line)."""
    return {
        "id": version.number,
        "action": version.action,
        "target": version.target,
        "kind": version.kind,
        "scope": scope_name(version.scope, servers),
        "source": version.source,
        "origin": version.origin,
        "reason": version.reason,
        "note": version.note,
        "code": None if version.code is None else code_text(version.code),
        "expires": moment(version.expires),
        "enabled": version.enabled,
        "created": instant(version.created),
        "created_by": version.created_by,
        "changed": instant(version.changed),
    }
