"""From sightings to rows: words become numbers, clients bytes, texts bounded, clocks believable.

Whoever makes sightings bounds them; what comes from elsewhere is bounded here once more, so that no
batch can be refused by the database for what a stranger wrote.  A zero character and half of a
surrogate pair, which PostgreSQL cannot hold, become U+FFFD.

A time that lies more than a day ahead, or before anything was ever logged, is a broken clock: such
a sighting is dated by ours.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailmum.traffic.codes import ASKED, DELIVERIES, OUTCOMES, SOURCES
from mailmum.traffic.packing import Packer
from mailmum.traffic.privacy import Privacy
from mailmum.traffic.rollups import HOUR, Row
from mailmum.traffic.sightings import Outcome, Sighting, Source

AHEAD = 86_400
"""Seconds that a clock may be ahead of ours."""
EARLIEST = 315_532_800
"""The beginning of 1980."""
NAME, ADDRESS, REASON, QUEUE_ID, SERVICE = 255, 320, 500, 64, 64
"""Characters that are kept of each text."""
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
class Maker:
    """Makes rows.

    Attributes:
        now: our own clock, Unix time in seconds.
        privacy: what is left of mail addresses.
        zones: numbers of public lists by name.
    """

    now: float
    privacy: Privacy
    zones: Mapping[str, int] = field(default_factory=dict)
    packer: Packer = field(default_factory=Packer)

    def from_sightings(
        self, account: int, server: int, source: Source, sightings: Iterable[Sighting]
    ) -> list[Row]:
        """Rows of what one source saw of one server."""
        code, keeps = SOURCES[source], not self.privacy.changes
        rows = []
        for seen in sightings:
            sender, recipient, reason = seen.sender, seen.recipient, seen.reason
            if not keeps:
                reason = self.privacy.text(reason, sender, recipient)
                sender = self.privacy.address(sender)
                recipient = self.privacy.address(recipient)
            at = millis(seen.time, self.now)
            second = at // 1000
            rows.append(
                Row(
                    account,
                    server,
                    code,
                    at,
                    second - second % HOUR,
                    self.packer.pack(seen.client) if seen.client else None,
                    OUTCOMES[seen.outcome],
                    self.zones.get(seen.rbl, 0) if seen.rbl else 0,
                    1,
                    fit(seen.host, NAME) or "",
                    fit(seen.service, SERVICE) or "",
                    fit(seen.client_name, NAME),
                    fit(seen.helo, NAME),
                    fit(sender, ADDRESS),
                    fit(recipient, ADDRESS),
                    _small(seen.code),
                    fit(seen.queue_id, QUEUE_ID),
                    DELIVERIES[seen.delivery] if seen.delivery else None,
                    finite(seen.score),
                    fit(reason, REASON),
                )
            )
        return rows

    def from_lookups(self, source: Source, lookups: Iterable[Lookup]) -> list[Row]:
        """Rows of counted lookups; what is no address is a name, and stands as HELO."""
        code = SOURCES[source]
        rows = []
        for lookup in lookups:
            at = millis(lookup.time, self.now)
            client = self.packer.pack(lookup.subject)
            rows.append(
                Row(
                    lookup.account,
                    lookup.server,
                    code,
                    at,
                    at // 1000 - at // 1000 % HOUR,
                    client,
                    _outcome(lookup.outcome, client),
                    0,
                    min(max(lookup.count, 1), COUNT_LIMIT),
                    helo=fit(lookup.subject, NAME) if client is None else None,
                )
            )
        return rows


def millis(time: float, now: float) -> int:
    """A time in milliseconds; by our own clock where it cannot be."""
    if not EARLIEST <= time <= now + AHEAD:  # false for what is no number, too
        time = now
    return round(time * 1000)


def fit(text: str | None, limit: int) -> str | None:
    """A text as the database can hold it."""
    if text is None or (len(text) <= limit and text.isascii() and "\0" not in text):
        return text
    cut = text[:limit].replace("\0", "\ufffd")
    return cut.encode("utf-8", "surrogatepass").decode("utf-8", "replace")[:limit]


def finite(score: float | None) -> float | None:
    """A score, None when it is no number."""
    return score if score is not None and math.isfinite(score) else None


def _outcome(outcome: Outcome, client: bytes | None) -> int:
    return ASKED if client is None and outcome is Outcome.UNLISTED else OUTCOMES[outcome]


def _small(code: int | None) -> int | None:
    return code if code is not None and 0 <= code <= 999 else None
