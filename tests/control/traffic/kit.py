"""Sightings to keep, and what is compared with them."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from mailmum.control.traffic.intake import keep
from mailmum.traffic.sightings import Outcome, Sighting, Source, Update

NOW = 1_790_000_000.0
"""Our own clock in these tests; a moment in 2026, 13:33:20 of its day."""


class Batch(NamedTuple):
    """What is found in a stretch of a log."""

    sightings: Sequence[Sighting] = ()
    updates: Sequence[Update] = ()


def seen(at: float = NOW, client: str | None = "203.0.113.7", **fields: object) -> Sighting:
    """A sighting with what does not matter filled in."""
    given = {"host": "mx1", "service": "smtpd", "outcome": Outcome.REJECTED} | fields
    return Sighting(at, client=client, **given)  # type: ignore[arg-type]


class Event(NamedTuple):
    """A sighting with where it was kept."""

    server: int
    source: Source
    seen: Sighting


def week(seed: int, count: int = 300) -> list[Event]:
    """Made-up traffic in the order of time.

    Server 1 has log and DNS, server 2 the policy service and DNS, server 3 DNS alone.
    """
    chance = random.Random(seed)
    kinds = [(1, Source.LOG), (1, Source.DNS), (2, Source.POLICY), (2, Source.DNS), (3, Source.DNS)]
    events = []
    for _ in range(count):
        server, source = chance.choice(kinds)
        outcomes = list(Outcome)[:10] if source is Source.LOG else list(Outcome)[10:]
        client = chance.choice(CLIENTS)
        events.append(
            Event(
                server,
                source,
                seen(
                    round(NOW - chance.choice([600, 90_000, 600_000]) * chance.random(), 3),
                    client,
                    host="mx1" if source is Source.LOG else "",
                    outcome=chance.choice(outcomes),
                    client_name=chance.choice([None, *NAMES]) if source is Source.LOG else None,
                    helo=chance.choice(HELOS),
                    sender=f"a{chance.randrange(5)}@spam.example",
                    rbl=chance.choice([None, "a.rbl.example", "b.rbl.example"]),
                ),
            )
        )
    return sorted(events, key=lambda event: event.seen.time)


CLIENTS = ["203.0.113.7", "203.0.113.8", "203.0.113.200", "198.51.100.1", "2001:db8::1"]
NAMES = ["mail.spam.example", "www.spam.example", "host.pool.example", "spam.example"]
HELOS = [None, "mail.spam.example", "localhost", "other.top", "[203.0.113.7]"]


def fill(events: list[Event], account: int = 1, size: int = 50) -> None:
    """Keep events in batches, and something alike in another account."""
    for at in range(0, len(events), size):
        for server, source in sorted({(one.server, one.source) for one in events[at : at + size]}):
            sightings = [
                one.seen
                for one in events[at : at + size]
                if (one.server, one.source) == (server, source)
            ]
            keep(account, server, source, Batch(sightings), now=NOW)
            keep(account + 1, server + 100, source, Batch(sightings), now=NOW)
