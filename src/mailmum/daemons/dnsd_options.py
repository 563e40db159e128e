"""Parameters of the DNS daemon."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mailmum.daemons.pace import Pace
from mailmum.dns.engine import MAX_UDP
from mailmum.dns.limits import Limits
from mailmum.dns.zones import ZoneConfig


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """What TCP clients may take up.

    Attributes:
        connections: at most so many per worker; a further one closes the longest idle.
        idle: seconds without a whole query or an answer taken, after which a connection is closed.
        query: longest query in bytes.
        unsent: bytes of answers a client may leave unread before its queries are no longer read.
    """

    connections: int = 150
    idle: float = 10.0
    query: int = 4096
    unsent: int = 65536


@dataclass(frozen=True, slots=True)
class DnsdOptions:
    """All parameters of the daemon.

    Attributes:
        listen: addresses and ports, each answered over UDP and TCP.
        zone: what is configured about the zones.
        snapshot: the file to start from when the database is away; None for none.
        workers: processes that answer on the same ports.
        threads: threads in each of them, with the compiled engine.
        engine: `compiled`, `python`, or `auto` for the compiled one where it is there.
        crash: the file in which a crash leaves its trace; None for none.
        max_udp: most bytes sent over UDP.
        require_cookies: see `Engine`.
        cookie_secret: secret of server cookies; servers at one address need the same one.
        limits: what one network gets over UDP; None for any number of answers.
        tcp: limits of TCP.
        pace: how often things are done.
    """

    listen: tuple[tuple[str, int], ...]
    zone: ZoneConfig
    snapshot: Path | None = None
    workers: int = 1
    threads: int = 1
    engine: str = "auto"
    crash: Path | None = None
    max_udp: int = MAX_UDP
    require_cookies: bool = False
    cookie_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    limits: Limits | None = None
    tcp: TcpLimits = TcpLimits()
    pace: Pace = field(default_factory=Pace)
