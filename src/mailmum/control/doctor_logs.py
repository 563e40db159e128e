"""What is wrong with the logs of an account's servers: followed here, or handed in from elsewhere.

Logs are followed by another process than the one that is asked, perhaps by another user, so it is
the collector that says how they fare (`collector_status`).  An account is told of its own servers;
what belongs to no server yet is told to the operator's account, the first one.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from mailmum.control.accounts.access import Reading
from mailmum.control.accounts.models import Account
from mailmum.control.config import Config
from mailmum.control.dataplane.handed import SHIPPED
from mailmum.control.journal.moments import spoken
from mailmum.control.servers.models import Server
from mailmum.control.traffic.models import Stream
from mailmum.control.traffic.reading import tolerant
from mailmum.daemons import collector_status
from mailmum.daemons.collector_status import Fared, Status
from mailmum.daemons.positions import Position
from mailmum.postfix.log.reader import skips_of

STALE_AFTER = 60.0
SKIPPED_FOR = 7 * 86_400


class LogFinding(NamedTuple):
    """One finding: `state` is ok, warn or fail."""

    name: str
    state: str
    message: str
    fix: str = ""


def log_findings(
    reading: Reading, servers: list[Server], parameters: Config, now: float | None = None
) -> Iterator[LogFinding]:
    """Findings about the logs of these servers."""
    now = time.time() if now is None else now
    status = collector_status.read(parameters.data / collector_status.NAME)
    ours = Account.objects.order_by("pk").first() == reading.account
    by_number = {server.pk: server for server in servers}
    if parameters.logs and (ours or _about(status, by_number)):
        yield from _collector(status, now)
    for fared in status.logs if status and parameters.logs else ():
        server = by_number.get(fared.server or 0)
        if server is not None:
            yield _followed(f"server {server.name}", fared)
        elif fared.server is None and ours:
            yield _followed("logs", fared)
    for server in servers:
        nothing: list[LogFinding] = []
        yield from tolerant(partial(_kept_of, server, now), nothing)


def _about(status: Status | None, servers: dict[int, Server]) -> bool:
    return status is not None and any(one.server in servers for one in status.logs)


def _collector(status: Status | None, now: float) -> Iterator[LogFinding]:
    if status is None or now - status.written > STALE_AFTER:
        since = f" since {spoken(status.written)}" if status else ""
        yield LogFinding(
            "logs",
            "fail",
            f"what follows the logs has not been running{since}",
            "start it: mailmum up runs it, or the unit mailmum-collect.service; its log says why",
        )


def _followed(name: str, fared: Fared) -> LogFinding:
    if fared.problem:
        return LogFinding(name, "fail", fared.problem, fared.fix)
    read = f", read at {spoken(fared.read)}" if fared.read else ", nothing new since the start"
    return LogFinding(name, "ok", f"its log is followed ({fared.log}{read})")


def _kept_of(server: Server, now: float) -> list[LogFinding]:
    """What stands beside the traffic of a server."""
    return [*_handed_in(server), *_skipped(server, now)]


def _handed_in(server: Server) -> Iterator[LogFinding]:
    streams = Stream.objects.filter(server=server.pk, name__startswith=SHIPPED)
    for name, position in streams.order_by("name").values_list("name", "position")[:20]:
        try:
            lost = Position.parse(position).lost
        except ValueError:
            continue
        if lost:
            yield LogFinding(
                f"server {server.name}",
                "warn",
                f"{lost} lines were dropped before they were handed in "
                f"({name.removeprefix(SHIPPED)})",
                "give mailmum ship more room there: --spool-size",
            )


def _skipped(server: Server, now: float) -> Iterator[LogFinding]:
    """Lines of any of its logs that made the reader fail."""
    streams = Stream.objects.filter(server=server.pk).order_by("name")
    for name, state in streams.values_list("name", "state")[:20]:
        try:
            skipped = skips_of(bytes(state))
        except ValueError:
            continue
        if skipped.lines and now - skipped.last < SKIPPED_FOR:
            yield LogFinding(
                f"server {server.name}",
                "warn",
                f"lines of its log that were passed over by a fault of ours: {skipped.lines}, the "
                f"last at {spoken(skipped.last)} ({name})",
                "the log of collect, or of web for what is handed in, has the line: tell us",
            )
