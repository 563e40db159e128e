"""The words of sightings as small integers, which is how they are kept.

The numbers stand in databases: none may ever change its meaning, and new words get new numbers.

    >>> outcome_code(Outcome.ACCEPTED), outcome_of(1)
    (1, <Outcome.ACCEPTED: 'accepted'>)
"""

from mailmum.traffic.sightings import Delivery, Outcome, Source

OUTCOMES = {
    Outcome.ACCEPTED: 1,
    Outcome.REJECTED: 2,
    Outcome.DEFERRED: 3,
    Outcome.RELAY_DENIED: 4,
    Outcome.UNKNOWN_RECIPIENT: 5,
    Outcome.AUTH_FAILED: 6,
    Outcome.PROTOCOL: 7,
    Outcome.LOST: 8,
    Outcome.CONNECTED: 9,
    Outcome.WARNED: 10,
    Outcome.LISTED: 11,
    Outcome.ALLOWED: 12,
    Outcome.UNLISTED: 13,
}
SOURCES = {Source.LOG: 1, Source.DNS: 2, Source.POLICY: 3}
DELIVERIES = {Delivery.SENT: 1, Delivery.DEFERRED: 2, Delivery.BOUNCED: 3}

ASKED = 14
"""A name that was asked for over DNS or at the policy service and is not listed: kept apart from
`UNLISTED`, because a mail server asks for several names of each client, and so says nothing about
how many came.  To people it is unlisted, too."""

KEPT_BACK = 15
"""Mail that was accepted and then held or thrown away: kept apart from `ACCEPTED`, because it makes
nobody one who delivers good mail.  To people it is accepted, too."""

STOPPED = frozenset(code for outcome, code in OUTCOMES.items() if outcome.stopped)
"""The outcomes by which mail, or the attempt at it, was turned away."""

VERIFIED, CLAIMED = 1, 2
"""Kinds of a name: that of the client as the mail server verified it; and one that the client
called itself, or that was asked for over DNS."""

_OUTCOMES = {code: outcome for outcome, code in OUTCOMES.items()} | {
    ASKED: Outcome.UNLISTED,
    KEPT_BACK: Outcome.ACCEPTED,
}
_SOURCES = {code: source for source, code in SOURCES.items()}
_DELIVERIES = {code: delivery for delivery, code in DELIVERIES.items()}


def outcome_code(outcome: Outcome) -> int:
    """The number of an outcome."""
    return OUTCOMES[outcome]


def outcome_of(code: int) -> Outcome:
    """The outcome of a number."""
    return _OUTCOMES[code]


def source_of(code: int) -> Source:
    """The source of a number."""
    return _SOURCES[code]


def delivery_of(code: int | None) -> Delivery | None:
    """The delivery of a number; None for None."""
    return None if code is None else _DELIVERIES[code]
