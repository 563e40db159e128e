"""Sightings as they are handed out: plain values with words and texts, made from rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import QuerySet

from mailmum.control.traffic.models import Seen, Zone
from mailmum.traffic.batches import numbers_in
from mailmum.traffic.codes import delivery_of, outcome_of, source_of
from mailmum.traffic.packing import client_text
from mailmum.traffic.sightings import Sighting, Source


@dataclass(frozen=True, slots=True)
class Kept:
    """A sighting that was kept.

    Attributes:
        number: rises in the order in which sightings were kept.
        server: number of the server.
        source: who saw it.
        count: how many there were, more than one for counted lookups only.
        sighting: what was seen.
    """

    number: int
    server: int
    source: Source
    count: int
    sighting: Sighting


class Row(NamedTuple):
    """A row of `Seen` without what a model brings along: a page may be made of hundreds."""

    id: int
    server: int
    source: int
    time: int
    client: bytes | None
    outcome: int
    rbl: int
    count: int  # type: ignore[assignment]  # that of a tuple nobody needs here
    host: str
    service: str
    client_name: str | None
    helo: str | None
    sender: str | None
    recipient: str | None
    code: int | None
    queue_id: str | None
    delivery: int | None
    score: float | None
    reason: str | None
    named: str | None
    spam: bool | None


def rows_of(found: QuerySet[Seen]) -> list[Row]:
    """What a query finds."""
    return list(map(Row._make, found.values_list(*Row._fields)))


def to_kept(rows: Sequence[Seen | Row]) -> list[Kept]:
    """Rows as values."""
    wanted = {row.rbl for row in rows if row.rbl}
    wanted |= {number for row in rows if row.named for number in numbers_in(row.named)}
    zones = dict(Zone.objects.filter(pk__in=wanted).values_list("id", "name")) if wanted else {}
    return [_value(row, zones) for row in rows]


def _value(row: Seen | Row, zones: Mapping[int, str]) -> Kept:
    return Kept(
        number=row.id,
        server=row.server,
        source=source_of(row.source),
        count=row.count,
        sighting=Sighting(
            time=row.time / 1000,
            host=row.host,
            service=row.service,
            client=None if row.client is None else client_text(bytes(row.client)),
            client_name=row.client_name,
            helo=row.helo,
            sender=row.sender,
            recipient=row.recipient,
            outcome=outcome_of(row.outcome),
            code=row.code,
            rbl=zones.get(row.rbl),
            queue_id=row.queue_id,
            delivery=delivery_of(row.delivery),
            score=row.score,
            reason=row.reason,
            named=tuple(zones[one] for one in numbers_in(row.named) if one in zones),
            spam=row.spam,
        ),
    )
