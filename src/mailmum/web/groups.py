"""Outcomes as pages show them: a word, a shape and a colour, and where they lead."""

from dataclasses import dataclass

from mailmum.domain.targets import NetworkTarget, Target
from mailmum.traffic.groups import Group
from mailmum.traffic.sightings import Outcome


@dataclass(frozen=True, slots=True)
class Look:
    """How something that became of a contact is shown.

    Attributes:
        word: what it is called.
        kind: class of its colour, `o-KIND` and `f-KIND`, and name of its icon.
        about: what it means, in a sentence.
    """

    word: str
    kind: str
    about: str = ""

    @property
    def icon(self) -> str:
        """Its shape."""
        return self.kind


GROUPS = {
    Group.ACCEPTED: Look("Accepted", "accepted", "Mail that was taken"),
    Group.ALLOWED: Look("Allowed", "allowed", "Your own allow listing answered"),
    Group.OWN: Look("Own list", "own", "Your own block listing stopped it"),
    Group.RBL: Look("Public RBL", "rbl", "A public list stopped it"),
    Group.REJECTED: Look("Other reject", "reject", "Refused for another reason than a list"),
    Group.DEFERRED: Look("Deferred", "deferred", "Told to come again later"),
    Group.AUTH: Look("Auth failure", "auth", "A login that failed"),
    Group.OTHER: Look(
        "No verdict", "none", "Not listed, only looked at, or gone before anything was decided"
    ),
}
"""In the order in which they stack."""

_BY_NAME = GROUPS | {
    Group.REJECTED: Look(
        "Rejected",
        "reject",
        "Refused, by a list or for another reason: by name it is not kept which list decided",
    )
}

OUTCOMES = {
    Outcome.ACCEPTED: "Accepted",
    Outcome.REJECTED: "Rejected",
    Outcome.DEFERRED: "Deferred",
    Outcome.RELAY_DENIED: "Relay denied",
    Outcome.UNKNOWN_RECIPIENT: "No such user",
    Outcome.AUTH_FAILED: "Auth failure",
    Outcome.PROTOCOL: "Protocol error",
    Outcome.LOST: "Lost",
    Outcome.CONNECTED: "Connected",
    Outcome.WARNED: "Would reject",
    Outcome.LISTED: "Listed",
    Outcome.ALLOWED: "Allowed",
    Outcome.UNLISTED: "Not listed",
}

STOPPED = "stopped"
DETAILS = (
    Outcome.UNKNOWN_RECIPIENT,
    Outcome.RELAY_DENIED,
    Outcome.PROTOCOL,
    Outcome.LISTED,
    Outcome.UNLISTED,
    Outcome.LOST,
    Outcome.CONNECTED,
    Outcome.WARNED,
)
"""Outcomes that are more exact than their group."""

CHOICES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Outcome",
        ((STOPPED, "Stopped by anything"), *((one.value, GROUPS[one].word) for one in GROUPS)),
    ),
    ("More exactly", tuple((one.value, OUTCOMES[one]) for one in DETAILS)),
)
"""What one can choose of, for a form: groups first."""


def looks_for(target: Target) -> dict[Group, Look]:
    """How groups are shown of what was seen of a target."""
    return GROUPS if isinstance(target, NetworkTarget) else _BY_NAME


def meant_by(word: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Groups and outcomes that a choice means; anything else means itself, to be refused."""
    if not word:
        return (), ()
    if word == STOPPED:
        return tuple(one.value for one in Group if one.stopped), ()
    if word in set(Group):
        return (word,), ()
    return (), (word,)


def look_of(outcome: Outcome, group: Group) -> Look:
    """How one sighting is shown: by its own word, where its group does not say more."""
    look = GROUPS[group]
    if outcome is Outcome.REJECTED and group in {Group.OWN, Group.RBL}:
        return look
    return Look(OUTCOMES[outcome], look.kind, look.about)
