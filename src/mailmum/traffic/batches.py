"""From sightings to a batch as it is kept: words become numbers, clients bytes, texts bounded.

A batch is a set of columns, not of rows: turning, checking and counting a column is one pass of the
interpreter's own loops, where a row would cost a step for each of its twenty fields; that is what
keeps tens of thousands of sightings a second possible.

Whoever makes sightings bounds them; what comes from elsewhere is bounded here once more, so that no
batch can be refused by the database for what a stranger wrote.  A zero character and half of a
surrogate pair, which PostgreSQL cannot hold, become U+FFFD.

A time that lies more than a day ahead, or before anything was ever logged, is a broken clock: such
a sighting is dated by ours.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from mailmum.traffic.codes import ASKED, DELIVERIES, KEPT_BACK, OUTCOMES, SOURCES
from mailmum.traffic.packing import Packer
from mailmum.traffic.periods import HOUR
from mailmum.traffic.privacy import Privacy
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Source, is_kept_back

Text = TypeVar("Text", str, str | None)

AHEAD = 86_400
"""Seconds that a clock may be ahead of ours."""
EARLIEST = 315_532_800
"""The beginning of 1980."""
NAME, ADDRESS, REASON, QUEUE_ID, SERVICE = 255, 320, 500, 64, 64
"""Characters that are kept of each text."""
LISTS = 12
"""Lists that are kept of one sighting: numbers have up to 19 digits."""
COUNT_LIMIT = 1 << 40


@dataclass(frozen=True, slots=True)
class Lookup:
    """So many lookups about one client or name, with one answer, in a stretch of time.

    Attributes:
        account: number of the account.
        server: number of the server that asked.
        time: Unix time in seconds, of the last of them.
        subject: an address or a name, in canonical text.
        outcome: what was answered.
        count: how many there were.
    """

    account: int
    server: int
    time: float
    subject: str
    outcome: Outcome
    count: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Sightings in columns, named as the columns of the table; all of one length.

    `time` is in milliseconds, `hour` the Unix time in seconds at which its hour begins.
    """

    account: Sequence[int]
    server: Sequence[int]
    source: Sequence[int]
    time: Sequence[int]
    hour: Sequence[int]
    client: Sequence[bytes | None]
    outcome: Sequence[int]
    rbl: Sequence[int]
    count: Sequence[int]
    host: Sequence[str]
    service: Sequence[str]
    client_name: Sequence[str | None]
    helo: Sequence[str | None]
    sender: Sequence[str | None]
    recipient: Sequence[str | None]
    code: Sequence[int | None]
    queue_id: Sequence[str | None]
    delivery: Sequence[int | None]
    score: Sequence[float | None]
    reason: Sequence[str | None]
    named: Sequence[str | None]
    spam: Sequence[bool | None]

    @staticmethod
    def empty() -> "Batch":
        """Nothing."""
        return Batch(*([] for _ in COLUMNS))

    def __len__(self) -> int:
        return len(self.time)

    def rows(self) -> list[tuple[Any, ...]]:
        """The same row by row."""
        return list(zip(*(getattr(self, name) for name in COLUMNS), strict=True))


COLUMNS = tuple(one.name for one in fields(Batch))


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes batches.

    Attributes:
        now: our own clock, Unix time in seconds.
        privacy: what is left of mail addresses.
        zones: numbers of public lists by name.
        packer: remembers clients from batch to batch.
    """

    now: float
    privacy: Privacy
    zones: Mapping[str, int] = field(default_factory=dict)
    packer: Packer = field(default_factory=Packer)

    def from_sightings(
        self, account: int, server: int, source: Source, sightings: Sequence[Sighting]
    ) -> Batch:
        """What one source saw of one server."""
        if not sightings:
            return Batch.empty()
        # Column by column; the order is that of the fields of a sighting.
        times, hosts, services, clients, names, helos, senders, recipients, *rest = zip(
            *sightings, strict=True
        )
        outcomes, codes, zones, queue_ids, deliveries, scores, reasons, named, spam = rest
        if self.privacy.changes:
            reasons = tuple(map(self.privacy.text, reasons, senders, recipients))
            senders = tuple(map(self.privacy.address, senders))
            recipients = tuple(map(self.privacy.address, recipients))
        time = self.millis(times)
        return Batch(
            account=[account] * len(time),
            server=[server] * len(time),
            source=[SOURCES[source]] * len(time),
            time=time,
            hour=_hours(time),
            client=self.packer.pack_all(clients),
            outcome=list(map(_accepted_or_not, outcomes, deliveries, reasons)),
            rbl=[self.zones.get(zone, 0) if zone else 0 for zone in zones],
            count=[1] * len(time),
            host=fit_all(hosts, NAME),
            service=fit_all(services, SERVICE),
            client_name=fit_all(names, NAME),
            helo=fit_all(helos, NAME),
            sender=fit_all(senders, ADDRESS),
            recipient=fit_all(recipients, ADDRESS),
            code=[code if code is not None and 0 <= code <= 999 else None for code in codes],
            queue_id=fit_all(queue_ids, QUEUE_ID),
            delivery=[DELIVERIES[how] if how else None for how in deliveries],
            score=[finite(score) for score in scores],
            reason=fit_all(reasons, REASON),
            named=[written(map(self.zones.get, zones)) if zones else None for zones in named],
            spam=spam,
        )

    def from_lookups(self, source: Source, lookups: Sequence[Lookup]) -> Batch:
        """Counted lookups; what is no address is a name, and stands as HELO."""
        number = len(lookups)
        time = self.millis([one.time for one in lookups])
        client = self.packer.pack_all([one.subject for one in lookups])
        unknown = [None] * number
        return Batch(
            account=[one.account for one in lookups],
            server=[one.server for one in lookups],
            source=[SOURCES[source]] * number,
            time=time,
            hour=_hours(time),
            client=client,
            outcome=[
                _answered(one.outcome, address)
                for one, address in zip(lookups, client, strict=True)
            ],
            rbl=[0] * number,
            count=[min(max(one.count, 1), COUNT_LIMIT) for one in lookups],
            host=[""] * number,
            service=[""] * number,
            client_name=unknown,
            helo=[
                None if address else fit(one.subject, NAME)
                for one, address in zip(lookups, client, strict=True)
            ],
            sender=unknown,
            recipient=unknown,
            code=unknown,
            queue_id=unknown,
            delivery=unknown,
            score=unknown,
            reason=unknown,
            named=unknown,
            spam=unknown,
        )

    def millis(self, times: Iterable[float]) -> list[int]:
        """Times in milliseconds; by our own clock where they cannot be."""
        now, last = self.now, self.now + AHEAD
        # The comparison is false for what is no number, too.
        return [round((at if EARLIEST <= at <= last else now) * 1000) for at in times]


def written(numbers: Iterable[int | None]) -> str | None:
    """Numbers of lists as they are kept, each between commas; None of none.

    >>> written([7, 3, 7, 0]), numbers_in(",3,7,")
    (',3,7,', (3, 7))
    """
    known = sorted({number for number in numbers if number})[:LISTS]
    return f",{','.join(map(str, known))}," if known else None


def numbers_in(text: str | None) -> tuple[int, ...]:
    """The numbers again."""
    return tuple(map(int, text[1:-1].split(","))) if text else ()


def fit(text: str, limit: int) -> str:
    """A text as the database can hold it."""
    if len(text) <= limit and text.isascii() and "\0" not in text:
        return text
    cut = text[:limit].replace("\0", "\ufffd")
    # A lone half of a pair becomes one U+FFFD for each byte; hence the second cut.
    return cut.encode("utf-8", "surrogatepass").decode("utf-8", "replace")[:limit]


def fit_all(texts: Sequence[Text], limit: int) -> Sequence[Text]:
    """The same for a column, most of which need nothing."""
    given = list(filter(None, texts))
    joined = "".join(given)
    if joined.isascii() and "\0" not in joined and max(map(len, given), default=0) <= limit:
        return texts
    return [text and fit(text, limit) for text in texts]


def finite(score: float | None) -> float | None:
    """A score, None when it is no number."""
    return score if score is not None and math.isfinite(score) else None


def _hours(time: Sequence[int]) -> list[int]:
    return [at // 1000 - at // 1000 % HOUR for at in time]


def _accepted_or_not(outcome: Outcome, delivery: Delivery | None, reason: str | None) -> int:
    if outcome is Outcome.ACCEPTED and reason is not None and is_kept_back(delivery, reason):
        return KEPT_BACK
    return OUTCOMES[outcome]


def _answered(outcome: Outcome, client: bytes | None) -> int:
    return ASKED if client is None and outcome is Outcome.UNLISTED else OUTCOMES[outcome]
