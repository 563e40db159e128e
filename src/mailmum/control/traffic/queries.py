"""What may be read of observed lookups.

The number of a server is proof enough here: callers get it from a scoped accessor.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError

from mailmum.control.traffic.models import (
    BarredUse,
    LastSeen,
    ListUse,
    RevokedUse,
    ServerUse,
    TokenUse,
)
from mailmum.traffic.codes import SOURCES
from mailmum.traffic.sightings import Source

log = logging.getLogger(__name__)

STAMP_EVERY = timedelta(minutes=1)


def last_query(server: int) -> int | None:
    """Unix time of a server's last lookup, None when there was none.

    Traffic is worth less than rules: when its database fails, pages go on without it.
    """
    try:
        return ServerUse.objects.filter(server=server).values_list("last", flat=True).first()
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return None


def last_logged(server: int) -> int | None:
    """Unix time of the latest contact in a server's log, None when none was ever read."""
    try:
        found = LastSeen.objects.filter(server=server, source=SOURCES[Source.LOG])
        time = found.values_list("time", flat=True).first()
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return None
    return None if time is None else time // 1000


def uses_of(servers: Iterable[int]) -> dict[int, ServerUse]:
    """How much each of these servers has asked; those that never did are missing."""
    try:
        return ServerUse.objects.in_bulk(list(servers))
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return {}


def revoked_uses(server: int) -> list[RevokedUse]:
    """Revoked keys of a server that are still used, the latest first."""
    try:
        return list(RevokedUse.objects.filter(server=server).order_by("-last"))
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return []


def lists_of(server: int) -> dict[str, ListUse]:
    """How a server asks: by list, and under `policy` by the policy service."""
    try:
        return {one.list: one for one in ListUse.objects.filter(server=server)}
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return {}


def with_revoked_uses(servers: Iterable[int], since: float) -> set[int]:
    """Those of some servers of which a revoked key has been used since then."""
    try:
        found = RevokedUse.objects.filter(server__in=list(servers), last__gte=since)
        return set(found.values_list("server", flat=True))
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return set()


@dataclass(frozen=True, slots=True)
class Logged:
    """The latest contact in a server's log: when it was (Unix time), and how long it took here."""

    time: float
    lag: float


def logged_of(servers: Iterable[int]) -> dict[int, Logged]:
    """How the logs of these servers come; those of which none was ever read are missing."""
    try:
        found = LastSeen.objects.filter(server__in=list(servers), source=SOURCES[Source.LOG])
        rows = list(found.values_list("server", "time", "kept"))
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return {}
    return {server: Logged(time / 1000, max(kept - time, 0) / 1000) for server, time, kept in rows}


def barred_use(server: int) -> BarredUse | None:
    """Lookups about a server from where it may not be asked, None when there were none."""
    try:
        return BarredUse.objects.filter(server=server).first()
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return None


def token_last_used(token: int) -> datetime | None:
    """When a token was used last, None when it never was or that cannot be read."""
    try:
        return TokenUse.objects.filter(token=token).values_list("last", flat=True).first()
    except DatabaseError as error:
        log.warning("traffic cannot be read: %s", error)
        return None


def stamp_token(token: int, now: datetime) -> None:
    """Note the use of a token, at most once a minute; it may fail, the request goes on."""
    last = token_last_used(token)
    if last is not None and now - last < STAMP_EVERY:
        return
    try:
        TokenUse.objects.update_or_create(token=token, defaults={"last": now})
    except DatabaseError as error:
        log.warning("traffic cannot be written: %s", error)
