"""A listing: one entry of somebody's list.

The value carries all that decides (action, target, scope, source, lifetime, enabled) and all that
is told (reason, code, origin).  Who made it and the private note stay in the database: nothing that
answers a stranger ever holds them.
"""

from dataclasses import dataclass
from enum import StrEnum

from mailmum.domain.targets import Target


class Action(StrEnum):
    """What a listing does to the clients it covers."""

    BLOCK = "block"
    ALLOW = "allow"


class Source(StrEnum):
    """Who made a listing: a person outranks both machines."""

    PERSON = "person"
    TRIGGER = "trigger"
    FEED = "feed"


WHOLE_ACCOUNT = 0
"""The scope of a listing that holds for every server of its account."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing.

    Attributes:
        id: its number, the same through all its changes.
        account: number of the account that owns it.
        scope: `WHOLE_ACCOUNT` or the number of one server.
        action: block or allow.
        target: whom it covers.
        source: who made it.
        origin: name of the trigger or feed, empty for a person.
        reason: public text.
        code: own return code as a 32-bit integer, or None for the default.
        expires: Unix time in seconds from which it no longer holds, or None for never.
        enabled: whether it is in force at all.
    """

    id: int
    account: int
    scope: int
    action: Action
    target: Target
    source: Source = Source.PERSON
    origin: str = ""
    reason: str = ""
    code: int | None = None
    expires: int | None = None
    enabled: bool = True

    def in_force(self, now: float) -> bool:
        """Whether it holds at `now` (Unix time in seconds)."""
        return self.enabled and (self.expires is None or now < self.expires)

    def holds_for(self, account: int, server: int) -> bool:
        """Whether it belongs to this server's account and to the server or all servers."""
        return self.account == account and self.scope in (WHOLE_ACCOUNT, server)
