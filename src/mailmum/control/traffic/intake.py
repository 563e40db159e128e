"""Keeping what was seen: sightings, what they add to the roll-ups, and how far a stream was read.

All of it is one transaction, so that a stream read again after a crash begins exactly where what is
kept ends: nothing is lost and nothing counted twice.  Whoever follows a stream hands over the
position it read from and the one it has reached; when the stored position is another (somebody else
follows the same stream), nothing is kept and `OutOfStep` tells so.

Late lines and lines out of order land in their own hour and day.
"""

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.db import DatabaseError, DataError, IntegrityError, connections, transaction

from mailmum.control.garbage import uncollected
from mailmum.control.traffic import tallies
from mailmum.control.traffic.models import (
    Changed,
    ClientDay,
    ClientHour,
    DomainDay,
    LastSeen,
    ListsCount,
    NameDay,
    Stream,
    Total,
    Zone,
)
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.terms import terms_of
from mailmum.control.traffic.updates import apply
from mailmum.control.traffic.writing import add_counts, add_sightings, upsert
from mailmum.daemons.descriptors import with_cause
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.batches import NAME, Batch, Lookup, Maker, fit
from mailmum.traffic.packing import Packer
from mailmum.traffic.periods import MINUTE
from mailmum.traffic.privacy import FULL, Privacy, without_keys
from mailmum.traffic.rollups import Tally, tally
from mailmum.traffic.sightings import Sighting, Source, Update

__all__ = ["Found", "Lookup", "Mark", "OutOfStep", "keep", "keep_lookups", "mark_of"]

STREAM_LIMIT, POSITION_LIMIT, STATE_LIMIT = 200, 4096, 64 * 1024 * 1024
ZONE_LIMIT = 1000
OTHER_ZONES = "(others)"
"""Stands for all lists of an account beyond `ZONE_LIMIT`."""

_packer = Packer()


class OutOfStep(Exception):
    """The stream stands elsewhere than where this batch was read from; nothing was kept."""


class Found(Protocol):
    """What was found in a stretch of a log."""

    @property
    def sightings(self) -> Sequence[Sighting]:
        """Contacts."""
        ...

    @property
    def updates(self) -> Sequence[Update]:
        """News of accepted mail."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a followed stream stands.

    Attributes:
        server: number of the server.
        stream: name of the stream, such as `file:/var/log/mail.log`.
        position: whatever tells the follower where to go on, at most 4 KiB.
        state: of the reader at that position.
    """

    server: int
    stream: str
    position: str
    state: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.stream) <= STREAM_LIMIT:
            raise ValueError(f"the name of a stream has 1 to {STREAM_LIMIT} characters")
        if len(self.position) > POSITION_LIMIT:
            raise ValueError(f"a position has at most {POSITION_LIMIT} characters")
        if len(self.state) > STATE_LIMIT:
            raise ValueError(f"the state of a reader has at most {STATE_LIMIT} bytes")


def mark_of(server: int, stream: str) -> Mark | None:
    """Where a stream stands, None when nothing of it was ever kept.

    Raises:
        SourceUnavailable: the database cannot be read just now.
    """
    with _unavailable():
        row = Stream.objects.filter(server=server, name=stream).first()
        return None if row is None else Mark(server, stream, row.position, bytes(row.state))


def keep(
    account: int,
    server: int,
    source: Source,
    found: Found,
    *,
    mark: Mark | None = None,
    after: str | None = None,
    now: float | None = None,
) -> None:
    """Keep what one source found of one server, all of it or nothing.

    Args:
        account: number of the account.
        server: number of its server.
        source: who saw it.
        found: sightings, and news of earlier ones.
        mark: where the stream stands after this.
        after: the position this was read from; None where the stream begins.
        now: our own clock, for clocks that cannot be right.

    Raises:
        OutOfStep: the stream stands elsewhere; nothing was kept.
        SourceUnavailable: the database cannot be written just now.
    """
    clock = time.time() if now is None else now
    sightings = without_keys(found.sightings)
    with _unavailable(), uncollected():
        zones = numbers_of(account, _zones(sightings))
        maker = Maker(clock, privacy_of(account), zones, _packer)
        batch = maker.from_sightings(account, server, source, sightings)
        added = tally(batch)
        with transaction.atomic(using=traffic_database()):
            if mark is not None:
                _step(mark, after)
            _keep(batch, added, clock)
            apply(account, server, found.updates, maker)


def keep_lookups(source: Source, lookups: Iterable[Lookup], *, now: float | None = None) -> None:
    """Keep lookups that were counted, of any accounts and servers; all of them or nothing.

    Raises:
        SourceUnavailable: the database cannot be written just now.
    """
    clock = time.time() if now is None else now
    batch = Maker(clock, Privacy(FULL, b""), {}, _packer).from_lookups(source, list(lookups))
    added = tally(batch)
    with _unavailable(), transaction.atomic(using=traffic_database()):
        _keep(batch, added, clock)


def numbers_of(account: int, names: Collection[str]) -> dict[str, int]:
    """Numbers of public lists by name; those that are new get one.

    An account has at most `ZONE_LIMIT`: names come out of logs.
    """
    wanted = {name: fit(name, NAME) for name in names}
    if not wanted:
        return {}
    known = _known(account, wanted.values())
    if new := sorted(set(wanted.values()) - known.keys()):
        room = ZONE_LIMIT - Zone.objects.filter(account=account).count()
        taken = new[: max(room, 0)]
        if len(taken) < len(new):
            taken.append(OTHER_ZONES)
        Zone.objects.bulk_create(
            (Zone(account=account, name=name) for name in taken), ignore_conflicts=True
        )
        known = _known(account, [*wanted.values(), OTHER_ZONES])
    others = known.get(OTHER_ZONES, 0)
    return {name: known.get(kept, others) for name, kept in wanted.items()}


def _zones(sightings: Iterable[Sighting]) -> set[str]:
    found: set[str] = set()
    for seen in sightings:
        if seen.rbl:
            found.add(seen.rbl)
            found.update(seen.named)
    return found


def _known(account: int, names: Iterable[str]) -> dict[str, int]:
    found = Zone.objects.filter(account=account, name__in=list(names))
    return dict(found.values_list("name", "id"))


def privacy_of(account: int) -> Privacy:
    """What is kept of mail addresses, with the key of the account."""
    secret = hashlib.sha256(settings.SECRET_KEY.encode()).digest()
    key = hashlib.blake2b(str(account).encode(), key=secret, person=b"mail addresses").digest()
    return Privacy(terms_of(account).privacy, key)


def _keep(batch: Batch, added: Tally, clock: float) -> None:
    kept = round(clock * 1000)
    add_counts(Total, added.totals)
    add_counts(ClientHour, added.hours)
    add_counts(ClientDay, added.days)
    add_counts(NameDay, added.names)
    add_counts(DomainDay, added.domains)
    add_counts(ListsCount, added.lists)
    upsert(
        Changed,
        sorted({(*row[:3], 1) for row in added.totals if row[1] != MINUTE}),
        {"times": "{table}.times + 1"},
    )
    upsert(
        LastSeen,
        [(*latest, kept) for latest in added.latest],
        {
            "account": "excluded.account",
            "time": "CASE WHEN {table}.time > excluded.time "
            "THEN {table}.time ELSE excluded.time END",
            "kept": "excluded.kept",
        },
    )
    tallies.add_batch(batch, clock)
    add_sightings(batch)


def _step(mark: Mark, after: str | None) -> None:
    streams = Stream.objects.filter(server=mark.server, name=mark.stream)
    stood = streams.select_for_update().values_list("position", flat=True).first()
    if stood != after:
        raise OutOfStep(f"{mark.stream} of server {mark.server} stands elsewhere")
    if stood is not None:
        streams.update(position=mark.position, state=mark.state)
        return
    made = Stream(server=mark.server, name=mark.stream, position=mark.position, state=mark.state)
    try:
        with transaction.atomic(using=traffic_database()):
            made.save(force_insert=True)
    except IntegrityError:
        raise OutOfStep(f"{mark.stream} of server {mark.server} was begun elsewhere") from None


@contextmanager
def _unavailable() -> Iterator[None]:
    """Tell that the database is away; what is wrong with the data itself is a fault of ours."""
    try:
        yield
    except (DataError, IntegrityError):
        raise
    except DatabaseError as error:
        connection = connections[traffic_database()]
        if not connection.in_atomic_block:
            connection.close()
        raise SourceUnavailable(with_cause(str(error))) from error
