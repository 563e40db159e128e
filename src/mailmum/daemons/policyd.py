"""policyd: the Postfix policy service, instant where DNS answers are kept by resolvers and smtpd.

    options = PolicydOptions("127.0.0.1", 10053)
    run(options, open_source, sink, ready=lambda: print("ready"))

It is a process of its own with an index of its own, which follows the journal as dnsd's does.  When
in doubt mail flows:

- No index yet (first start, the database away, no snapshot): DUNNO.
- The database goes away: answers go on from what there is; one line in the log.
- The database is away at the start: the snapshot that dnsd saves is used.
- A fault of ours: DUNNO, logged.
- SIGTERM, SIGINT: stopped within a second, also while the database hangs.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from mailmum.daemons.counts import Sink
from mailmum.daemons.crew import Crew, Outside
from mailmum.daemons.follower import OpenSource
from mailmum.daemons.listening import StartFailed, explain, open_socket, resolve
from mailmum.daemons.policyd_connections import Connections
from mailmum.daemons.policyd_desk import Desk
from mailmum.daemons.policyd_loop import PolicyLoop
from mailmum.daemons.policyd_options import Limits, PolicydOptions
from mailmum.daemons.seldom import Seldom
from mailmum.daemons.sightings import Sightings
from mailmum.dns.counters import Counters
from mailmum.policy.engine import Engine

__all__ = ["Limits", "PolicydOptions", "StartFailed", "bind", "run", "serve"]

log = structlog.get_logger()

_WHO, _FIELD = "the policy service", "policy"
_BACKLOG = 512
_AGAIN = 600.0
_NONE: Mapping[str, list[socket.socket]] = {}


def run(
    options: PolicydOptions,
    open_source: OpenSource,
    sink: Sink,
    *,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Answer until SIGTERM or SIGINT; in the main thread.

    Args:
        options: parameters of the daemon.
        open_source: how to reach the database; called in a thread of its own.
        sink: takes counts some times a second; likewise.
        ready: called once answers are right.

    Raises:
        StartFailed: the address cannot be listened on.
    """
    sockets = bind(options.host, options.port)
    named = {name: _bind(host, port) for name, host, port in options.servers}

    def started(loop: PolicyLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, loop.stop)

    log.info("policy.listening", listen=f"{options.host} port {options.port}")
    asyncio.run(
        serve(options, sockets, open_source, sink, ready=ready, started=started, named=named)
    )
    log.info("policy.stopped")


async def serve(
    options: PolicydOptions,
    sockets: list[socket.socket],
    open_source: OpenSource,
    sink: Sink,
    *,
    ready: Callable[[], None],
    started: Callable[[PolicyLoop], None],
    named: Mapping[str, list[socket.socket]] = _NONE,
) -> None:
    """Answer on these sockets until the loop that `started` is given is stopped; closes them.

    Over those `named` a server asks that shows no key.
    """
    engine, counters, sightings = Engine(options.public_url), Counters(), Sightings()
    loop = PolicyLoop(engine)
    outside = Outside(open_source, sink, options.snapshot, saves=False, pace=options.pace)
    crew = Crew(loop, counters, outside, on_ready=ready, sightings=sightings)
    connections = Connections(Desk(engine, counters, sightings), options.limits)
    accepting = asyncio.get_running_loop()
    accepting.set_exception_handler(_tell_seldom(Seldom(_AGAIN)))
    servers = [
        await accepting.create_server(connections.accept, sock=one, backlog=_BACKLOG)
        for one in sockets
    ]
    for name, some in named.items():
        accept = partial(connections.accept, name)
        for one in some:
            make = accepting.create_unix_server if _is_path(one) else accepting.create_server
            servers.append(await make(accept, sock=one, backlog=_BACKLOG))
    started(loop)
    crew.start()

    def tick() -> None:
        connections.sweep()
        crew.tick()

    try:
        await loop.until_stopped(tick)
    finally:
        loop.stopping.set()
        for server in servers:
            server.close()
        connections.close()
        await asyncio.sleep(0)
        crew.finish()


def _tell_seldom(seldom: Seldom) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Without a descriptor asyncio complains hundreds of times a second; seldom will do."""

    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError):
            loop.default_exception_handler(context)
        elif seldom.due(error.errno):
            consequence = "connections wait for a second at a time"
            fix = "raise LimitNOFILE of this service"
            log.warning(
                "policy.not-accepted", reason=error.strerror, consequence=consequence, fix=fix
            )

    return tell


def _bind(host: str, port: int) -> list[socket.socket]:
    """The same for the socket of one server, which may be a path."""
    if port:
        return bind(host, port)
    path, one = Path(host), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Left behind by a daemon that was killed.
        path.unlink(missing_ok=True)
        one.bind(host)
        # Who may ask is for the folder to tell: Postfix asks as a user of its own.
        path.chmod(0o666)
        one.listen(_BACKLOG)
    except OSError as error:
        one.close()
        raise StartFailed(
            f"{_WHO} cannot listen at {host}: {error.strerror}",
            fix="name a path in a folder that is there and can be written",
            field="policy_servers",
        ) from None
    return [one]


def _is_path(one: socket.socket) -> bool:
    return one.family == socket.AF_UNIX


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets, one for each family that the host has an address of.

    Raises:
        StartFailed: one of them cannot be had; then none is.
    """
    sockets: list[socket.socket] = []
    with ExitStack() as undo:
        for family, address in resolve(host, port, socket.SOCK_STREAM, who=_WHO, field=_FIELD):
            one = open_socket(family, socket.SOCK_STREAM, who=_WHO, field=_FIELD)
            undo.callback(one.close)
            sockets.append(one)
            # Connections of a daemon that ended a moment ago linger and hold the port.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                one.bind(address)
                one.listen(_BACKLOG)
            except OSError as error:
                raise explain(error, one, address, who=_WHO, field=_FIELD) from None
        undo.pop_all()
    return sockets
