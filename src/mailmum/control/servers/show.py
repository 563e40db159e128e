"""A server as API, command line and pages show it."""

import time
from dataclasses import dataclass
from typing import Any

from mailmum.control import config
from mailmum.control.journal.moments import instant, moment
from mailmum.control.servers.answers import answers_of, as_state, own_answers
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import pause_at
from mailmum.control.servers.queries import current_key
from mailmum.control.traffic.queries import barred_use, last_logged, last_query

LISTS = ("bl", "wl", "dbl", "dwl")


@dataclass(frozen=True, slots=True)
class Zones:
    """Full names of a server's four zones."""

    bl: str
    wl: str
    dbl: str
    dwl: str


def zones_of(server: Server) -> Zones:
    """The zones under the key in use."""
    base, key = config.current().zone, current_key(server)
    return Zones(*(f"{key}.{name}.{base}" for name in LISTS))


def _barred(server: Server) -> dict[str, Any] | None:
    """Lookups that were refused because of where they came from."""
    use = barred_use(server.pk)
    if use is None:
        return None
    return {"queries": use.queries, "sender": use.sender, "last": moment(use.last)}


def as_dict(server: Server) -> dict[str, Any]:
    """Everything the account's people may see of a server."""
    zones, now = zones_of(server), time.time()
    pause = pause_at(server.account, server, now)
    return {
        "name": server.name,
        "key": current_key(server),
        "zones": {name: getattr(zones, name) for name in LISTS},
        "ref": server.ref,
        "addresses": list(server.addresses),
        "askers": list(server.askers),
        "barred": _barred(server),
        "ttl": answers_of(server).ttl,
        "own": {"ttl": None, "code": None, "text": ""} | as_state(own_answers(server)),
        "paused": None if pause is None else pause.as_dict(),
        "created": instant(server.created),
        "last_query": moment(last_query(server.pk)),
        "last_logged": moment(last_logged(server.pk)),
        "old_keys": [
            {"key": key.label, "until": moment(key.until), "revoked": key.until <= now}
            for key in server.keys.all()
            if key.until is not None
        ],
    }
