"""Hits of an account's own listings beside those of public lists, for monitoring systems."""

from typing import Any

from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.servers.queries import find_server, servers_of
from mailmum.control.traffic import tallies


def hits(reading: Reading, server: str = "") -> dict[str, Any]:
    """How often somebody was stopped; all numbers only grow.

    Args:
        reading: proof that the account may be read.
        server: name of one server; empty for all.

    Raises:
        NotFound: no such server.
    """
    servers = [find_server(reading, server)] if server else servers_of(reading)
    own, public = tallies.hits(reading.account.pk, [one.pk for one in servers])
    # A mail server's log also tells of our own lists, which have been counted where they answered.
    base = f".{config.current().zone}"
    others = sorted((name, count) for name, count in public.items() if not name.endswith(base))
    return {"own": own, "public": [{"list": name, "hits": count} for name, count in others]}
