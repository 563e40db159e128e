"""Sightings to test with, and the same counts made the plain way, with nothing forgotten."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from mailmum.traffic.report import LOG_OUTCOMES
from mailmum.traffic.sightings import Delivery, Outcome, Sighting

CLIENTS = [
    *(f"203.0.113.{octet}" for octet in range(1, 9)),
    *(f"198.51.{net}.{octet}" for net in range(100, 106) for octet in (1, 2, 3)),
    *(f"2001:db8:{net}::{host}" for net in range(1, 5) for host in range(1, 4)),
]
ZONES = ("zen.dnsbl.example", "bl.copper.example", "bl.mailmum.internal")
NAMES = (None, "mail.partner.example", "a.pool.example", "b.pool.example", "c.shop.co.uk")


def seen(client: str | None = "203.0.113.7", **more: Any) -> Sighting:
    """A contact."""
    fields = {"outcome": Outcome.REJECTED, "host": "mx1", "service": "smtpd"} | more
    return Sighting(fields.pop("time", 1_795_132_800.0), client=client, **fields)


@st.composite
def contacts(draw: st.DrawFn) -> Sighting:
    """A contact of any kind; lists are named only where a contact is refused or warned of."""
    outcome = draw(st.sampled_from(LOG_OUTCOMES))
    named = outcome in (Outcome.REJECTED, Outcome.DEFERRED, Outcome.WARNED)
    accepted = outcome is Outcome.ACCEPTED
    return seen(
        draw(st.sampled_from([*CLIENTS, None])),
        time=1_795_132_800.0 + draw(st.integers(-(10**6), 10**6)),
        outcome=outcome,
        rbl=draw(st.sampled_from([*ZONES, None])) if named else None,
        client_name=draw(st.sampled_from(NAMES)),
        helo=draw(st.sampled_from(NAMES)),
        delivery=draw(st.sampled_from([*Delivery, None])) if accepted else None,
    )


def by(sightings: Sequence[Sighting], word: str) -> Counter[Any]:
    """How often each value of a field."""
    return Counter(getattr(one, word) for one in sightings)


def delivered(sightings: Sequence[Sighting]) -> set[str]:
    """Clients that had anything accepted."""
    return {one.client for one in sightings if one.outcome is Outcome.ACCEPTED and one.client}
