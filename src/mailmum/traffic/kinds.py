"""Kinds of outcome: what charts and legends tell apart, fewer than there are outcomes.

A public RBL's reject is another thing than one's own, whatever the reply code; unknown recipients,
relay attempts and broken protocol are all rejects for other reasons.
"""

from collections.abc import Iterable
from enum import StrEnum

from mailmum.traffic.sightings import Outcome


class Kind(StrEnum):
    """What charts tell apart, in the order in which they stack."""

    ACCEPTED = "accepted"
    ALLOWED = "allowed"
    OWN = "own"
    RBL = "rbl"
    REJECT = "reject"
    DEFERRED = "deferred"
    AUTH = "auth"
    NONE = "none"

    @property
    def label(self) -> str:
        """What it is called."""
        return _LABELS[self]


_LABELS = {
    Kind.ACCEPTED: "Accepted",
    Kind.ALLOWED: "Allowed by you",
    Kind.OWN: "Own list",
    Kind.RBL: "Public RBL",
    Kind.REJECT: "Other reject",
    Kind.DEFERRED: "Deferred",
    Kind.AUTH: "Auth failure",
    Kind.NONE: "No mail",
}
KINDS = tuple(Kind)
_KINDS = {
    Outcome.ACCEPTED: Kind.ACCEPTED,
    Outcome.REJECTED: Kind.REJECT,
    Outcome.DEFERRED: Kind.DEFERRED,
    Outcome.RELAY_DENIED: Kind.REJECT,
    Outcome.UNKNOWN_RECIPIENT: Kind.REJECT,
    Outcome.AUTH_FAILED: Kind.AUTH,
    Outcome.PROTOCOL: Kind.REJECT,
    Outcome.LOST: Kind.NONE,
    Outcome.CONNECTED: Kind.NONE,
    Outcome.WARNED: Kind.NONE,
    Outcome.LISTED: Kind.OWN,
    Outcome.ALLOWED: Kind.ALLOWED,
    Outcome.UNLISTED: Kind.NONE,
}


def kind_of(outcome: Outcome, *, listed: bool = False, own: bool = False) -> Kind:
    """The kind of an outcome.

    Args:
        outcome: what became of the contact.
        listed: whether a list decided.
        own: whether that was a list of one's own.
    """
    kind = _KINDS[outcome]
    if listed and kind in (Kind.REJECT, Kind.DEFERRED):
        return Kind.OWN if own else Kind.RBL
    return kind


def is_own(zone: str, bases: Iterable[str]) -> bool:
    """Whether a list's zone is one's own: a base of one's own or below.

    >>> is_own("bl.mailmum.internal", ["mailmum.internal"])
    True
    """
    return any(zone == base or zone.endswith(f".{base}") for base in bases)
