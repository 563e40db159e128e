"""`ship`: hand in the mail logs of this machine to a service elsewhere."""

import random
import signal
import socket
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import click

from mailmum.cli.client import Client, Json, server_path
from mailmum.cli.failures import Failure
from mailmum.cli.output import say, warn
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.ship_log import ShippedLog
from mailmum.cli.ship_queue import LEAST_SPOOL, Batch, InMemory, Queue, Spool

POLL = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# These will not mend themselves: said at once when the command begins, tried again later.
_FINAL = {"unauthenticated", "forbidden", "not-found", "bad-input"}
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def _size(_: click.Context, __: click.Parameter, value: str) -> int:
    number, unit = value[:-1], value[-1:].upper()
    if unit.isdigit():
        number, unit = value, ""
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS:
        raise click.BadParameter(f"{value} is no size; write for example 256M or 2G")
    size = int(number) * _UNITS[unit]
    if size < LEAST_SPOOL:
        raise click.BadParameter(f"{value} is too small; 4M is the least")
    return size


@click.command(short_help="Hand in the mail logs of this machine.")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--journal", is_flag=True, help="The systemd journal: what speaks of mail.")
@click.option("--server", metavar="NAME", help="Whose logs; else the server of the token.")
@click.option(
    "--spool",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep lines here while the service is away; else the logs themselves keep them.",
)
@click.option(
    "--spool-size", metavar="256M", default="256M", callback=_size, help="Room for each log there."
)
@common
@pass_session
def ship(
    session: Session,
    files: tuple[str, ...],
    journal: bool,
    server: str | None,
    spool: Path | None,
    spool_size: int,
) -> None:
    """Hand in the mail logs of this machine to a service elsewhere.

    Follows each FILE through rotation, or with --journal the systemd journal, and hands in what is
    written there, each line exactly once, whatever is stopped or killed meanwhile. Give the service
    as MAILMUM_URL, and as MAILMUM_TOKEN a token of the scope ship.
    """
    sources = [*(str(Path(file).absolute()) for file in files), *(["journal"] if journal else [])]
    if not sources:
        raise click.UsageError("Name the log files, or --journal.")
    client = session.client()
    name = server or _awaited(lambda: _server(client))
    service = _Service(client, name)
    logs = [_shipped(source, service, spool, spool_size) for source in sources]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    _begin(logs)
    say(f"handing in logs of {name} at {client.service.url}: {', '.join(sources)}")
    _tell_ready()
    _run(logs)


def _stop(number: int, frame: object) -> None:
    # Nothing needs to be finished: what was not handed in yet is so after the next start.
    raise SystemExit(0)


class _Service:
    """The service, for the logs of one server."""

    def __init__(self, client: Client, server: str) -> None:
        self._client = client
        self._path = f"{server_path(server)}/logs"
        self._zone = _zone()

    def where(self, stream: str) -> str | None:
        """Where a log stands there."""
        position = self._client.get(self._path, stream=stream)["position"]
        return None if position is None else str(position)

    def hand_in(self, stream: str, batch: Batch) -> Json:
        """Hand in a batch."""
        return self._client.hand_in(
            self._path,
            batch.body,
            stream=stream,
            after=batch.after,
            position=batch.position,
            at=batch.read or -1,
            lost=batch.lost,
            **self._zone,
        )


def _awaited(ask: Callable[[], str]) -> str:
    """What the service says, once it is there; one that refuses is not waited for."""
    pause, told = _FIRST_PAUSE, False
    while True:
        try:
            return ask()
        except Failure as failure:
            if failure.code in _FINAL:
                raise
            if not told:
                warn(f"{failure.message}; trying again")
            told = True
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
        pause = min(2 * pause, _LONGEST_PAUSE)


def _server(client: Client) -> str:
    """The server of the token, else the only one."""
    bound = client.get("/me")["token"].get("server")
    if bound is not None:
        return str(bound)
    names = [one["name"] for one in client.get("/servers")["servers"]]
    if len(names) != 1:
        raise Failure(
            "it is not known whose logs these are",
            "name the server: --server NAME, or use a token of the scope ship",
            code="bad-input",
        )
    return str(names[0])


def _shipped(source: str, service: _Service, spool: Path | None, size: int) -> ShippedLog:
    from mailmum.daemons.tailing_sources import NAME_LIMIT, check_source, open_source, stream_name

    try:
        check_source(source)
    except ValueError as error:
        raise Failure(str(error), code="bad-input") from None
    stream = f"{socket.gethostname()}:{stream_name(source)}"
    digest = blake2b(stream.encode(errors="replace"), digest_size=12).hexdigest()
    if len(stream) > NAME_LIMIT:
        stream = f"{stream[: NAME_LIMIT - len(digest) - 1]}:{digest}"
    queue: Queue = InMemory() if spool is None else Spool(spool / digest, size)
    return ShippedLog(stream, lambda at: open_source(source, at), queue, service)


def _begin(logs: Sequence[ShippedLog]) -> None:
    """Learn where each stands; a service that is away is waited for, one that refuses is not."""
    for one in logs:
        try:
            one.begin()
        except Failure as failure:
            if failure.code in _FINAL:
                raise
            warn(f"{failure.message}; trying again")


def _run(logs: Sequence[ShippedLog]) -> None:
    """Read and hand in for ever."""
    backing = _Backing()
    while True:
        busy = False
        for one in logs:
            busy |= one.read()
            if backing.due():
                busy |= backing.tried(lambda one=one: _sent(one))  # type: ignore[misc]
        if not busy:
            time.sleep(POLL)


def _sent(one: ShippedLog) -> bool:
    if one.begun:
        return one.send()
    one.begin()
    return True


class _Backing:
    """Waits longer after each failure, up to a minute, and never in step with other machines."""

    def __init__(self) -> None:
        self._failures = 0
        self._again = 0.0

    def due(self) -> bool:
        """Whether the service is to be asked."""
        return time.monotonic() >= self._again

    def tried(self, attempt: Callable[[], bool]) -> bool:
        """Ask it; whether there was anything to do."""
        try:
            done = attempt()
        except Failure as failure:
            if not self._failures:
                warn(f"{failure.message}; trying again")
            longest = min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
            self._failures = min(self._failures + 1, 16)
            self._again = time.monotonic() + longest * random.uniform(0.5, 1)  # noqa: S311
            return False
        if done and self._failures:
            warn("the service answers again")
            self._failures = 0
        return done


def _zone() -> dict[str, Any]:
    import os
    from datetime import datetime

    from mailmum.daemons.zones import local_zone, zone_name

    zone = local_zone(os.environ)
    offset = datetime.now(zone).utcoffset()
    seconds = int(offset.total_seconds()) if offset is not None else 0
    return {"zone": zone_name(zone), "offset": seconds}


def _tell_ready() -> None:
    from mailmum.daemons.supervisor_ready import tell_ready

    tell_ready()
