"""What the compiled hot path must know of the zones: BASE, what is fixed in SOA and TXT records.

Everything else it answers from comes from the index, see `index.mirror`.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from mailmum.dns import wire
from mailmum.dns.limits import Limit, Limiter, Limits
from mailmum.dns.zones import Zone

if TYPE_CHECKING:
    from mailmum.compiled import hot


def empty_world(compiled: Any, zone: Zone, max_udp: int) -> hot.World:
    """A world of these zones, without servers.

    Args:
        compiled: the extension.
        zone: the zones served.
        max_udp: what OPT records announce.
    """
    made: hot.World = compiled.World(
        wire.encode_labels(zone.base),
        zone.soa_names,
        zone.soa_timers,
        max_udp,
        secrets.token_bytes(32),
        # What is not ASCII is for Python, which knows what its letters are in lower case.
        zone.why.encode() if zone.why.isascii() else None,
    )
    return made


def limit_of(compiled: Any, limits: Limits | None) -> Limit | None:
    """Who limits responses: the compiled limiter, which threads can share, where there is one.

    Args:
        compiled: the extension, or None.
        limits: what is configured; None for no limit.
    """
    if limits is None:
        return None
    if compiled is None:
        return Limiter(limits)
    made: hot.Limiter = compiled.Limiter(
        limits.rate, limits.slip, list(limits.spared), secrets.token_bytes(16)
    )
    return made
