"""A check as API and command line show it."""

from typing import Any

from mailmum.control.journal.moments import moment
from mailmum.control.listings.values import as_dict as listing
from mailmum.control.monitor.better import Better
from mailmum.control.monitor.checked import Check
from mailmum.control.monitor.scope import Scope


def as_dict(scope: Scope, check: Check) -> dict[str, Any]:
    """All of a check (DESIGN of the command line)."""
    names = dict(scope.names)
    return {
        "target": check.target.text,
        "kind": check.target.kind.value,
        "server": None if scope.server is None else scope.name(scope.server),
        "days": check.days,
        "since": moment(check.since),
        "complete": check.complete,
        "verdict": check.verdict.value,
        "warnings": list(check.warnings),
        "addresses": check.addresses,
        "contacts": check.contacts,
        "clients": check.clients,
        "accepted": check.accepted,
        "rejected": check.rejected,
        "kept": check.kept,
        "unlogged": check.unlogged,
        "groups": {group.value: count for group, count in check.groups.items()},
        "servers": [
            {
                "server": one.server,
                "contacts": one.contacts,
                "clients": one.clients,
                "accepted": one.accepted,
                "rejected": one.rejected,
            }
            for one in check.servers
        ],
        "hits": [
            {
                "client": one.client,
                "name": one.name,
                "country": one.country,
                "contacts": one.contacts,
                "accepted": one.accepted,
                "rejected": one.rejected,
                "kept": one.kept,
            }
            for one in check.hits
        ],
        "senders": [{"domain": domain, "messages": count} for domain, count in check.senders],
        "refused_senders": [
            {"domain": domain, "contacts": count} for domain, count in check.refused_senders
        ],
        "reverse": list(check.reverse),
        "names": [
            {
                "name": one.name,
                "verified": one.verified,
                "contacts": one.contacts,
                "accepted": one.accepted,
            }
            for one in check.names
        ],
        "country": check.country,
        "countries": [{"country": code, "clients": count} for code, count in check.countries],
        "covered_by": [listing(version, names) for version in check.covered_by],
        "inside": [listing(version, names) for version in check.inside],
        "more_inside": check.more_inside,
        "better": [_better(one) for one in check.better],
    }


def _better(one: Better) -> dict[str, Any]:
    return {
        "way": one.way,
        "block": list(one.block),
        "allow": list(one.allow),
        "stops": one.stops,
        "of": one.of,
        "commands": list(one.commands),
    }
