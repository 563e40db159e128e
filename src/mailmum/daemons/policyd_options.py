"""Parameters of the policy daemon."""

from dataclasses import dataclass, field
from pathlib import Path

from mailmum.daemons.pace import Pace


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take up.

    A mail server has one connection for each of its smtpd processes (100 by default) and closes it
    itself after 300 s without a request (smtpd_policy_service_max_idle).  One that is closed under
    it costs it a second: it connects again and repeats the request.

    Attributes:
        connections: at most so many; a further one closes the longest idle.  With those of the
            database it stays below the usual 1024 descriptors of a process.
        idle: seconds without a request after which a connection is closed.
        request: seconds that a request may take to arrive, or its reply to be read.
    """

    connections: int = 900
    idle: float = 600.0
    request: float = 30.0


@dataclass(frozen=True, slots=True)
class PolicydOptions:
    """All parameters of the daemon.

    Attributes:
        host: address to listen on.
        port: TCP port.
        public_url: how browsers reach the pages, for links; empty for none.
        snapshot: the file to start from when the database is away; it is only read.
        servers: names of servers and where each asks without a key: host and port, or the path of
            a socket and 0.
        limits: what clients may take up.
        pace: how often things are done.
    """

    host: str
    port: int
    public_url: str = ""
    snapshot: Path | None = None
    limits: Limits = Limits()
    pace: Pace = field(default_factory=Pace)
    servers: tuple[tuple[str, str, int], ...] = ()
