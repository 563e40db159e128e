"""Outcomes in the groups that people look at: what let mail through, and who stopped it.

A log says which list decided; whether that list is one of ours shows in its name, which lies under
the zone that is served here.  Lookups tell only what was answered.

    >>> group_of(Outcome.REJECTED, "bl.mailmum.internal", "mailmum.internal")
    <Group.OWN: 'own'>
    >>> group_of(Outcome.REJECTED, "zen.rbl.example", "mailmum.internal")
    <Group.RBL: 'rbl'>
"""

from enum import StrEnum

from mailmum.traffic.sightings import Outcome


class Group(StrEnum):
    """What became of a contact, and by whom."""

    ACCEPTED = "accepted"
    ALLOWED = "allowed"
    OWN = "own"
    RBL = "rbl"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    AUTH = "auth"
    OTHER = "other"

    @property
    def stopped(self) -> bool:
        """Whether it was turned away."""
        return self in _STOPPED


_STOPPED = frozenset({Group.OWN, Group.RBL, Group.REJECTED, Group.DEFERRED, Group.AUTH})

_GROUPS = {
    Outcome.ACCEPTED: Group.ACCEPTED,
    Outcome.ALLOWED: Group.ALLOWED,
    Outcome.LISTED: Group.OWN,
    Outcome.REJECTED: Group.REJECTED,
    Outcome.RELAY_DENIED: Group.REJECTED,
    Outcome.UNKNOWN_RECIPIENT: Group.REJECTED,
    Outcome.PROTOCOL: Group.REJECTED,
    Outcome.DEFERRED: Group.DEFERRED,
    Outcome.AUTH_FAILED: Group.AUTH,
}


def group_of(outcome: Outcome, rbl: str | None, zone: str) -> Group:
    """The group of an outcome.

    Args:
        outcome: what became of the contact.
        rbl: name of the list that decided, if one did.
        zone: the base of our own zones.
    """
    group = _GROUPS.get(outcome, Group.OTHER)
    if rbl and group is Group.REJECTED:
        return Group.OWN if is_own(rbl, zone) else Group.RBL
    return group


def is_own(rbl: str, zone: str) -> bool:
    """Whether a list is one of ours."""
    return rbl == zone or rbl.endswith(f".{zone}")
