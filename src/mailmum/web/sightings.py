"""Sightings as rows of a table: in Search, and wherever else single ones are shown.

What strangers wrote is here as they wrote it; templates escape it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mailmum.control import config
from mailmum.control.monitor.scope import Scope
from mailmum.control.traffic.values import Kept
from mailmum.traffic.groups import Group, group_of
from mailmum.traffic.sightings import Sighting, Source
from mailmum.web.groups import Look, look_of

_ASKED = {Source.DNS: "answered over DNS", Source.POLICY: "answered to the policy service"}


@dataclass(frozen=True, slots=True)
class SightingRow:
    """One sighting.

    Attributes:
        number: of it.
        server: name of the server.
        seen: what was seen.
        look: how its outcome is shown.
        more: what else is known of the outcome: that it is an answer of ours, or the delivery.
        count: how many there were.
        why: what decided: a list, or what the reply said.
    """

    number: int
    server: str
    seen: Sighting
    look: Look
    more: str
    count: int
    why: str

    @property
    def subject(self) -> str:
        """The address, or the name that was asked for; what one would list."""
        return self.seen.client or self.seen.client_name or self.asked_name

    @property
    def asked_name(self) -> str:
        """The name that was looked up, empty when it was an address."""
        return self.seen.helo or "" if self.seen.client is None else ""

    @property
    def helo(self) -> str:
        """What the client called itself, where that says more than its name."""
        helo = self.seen.helo or ""
        same = helo.lower() == (self.seen.client_name or "").lower()
        return "" if same or self.seen.client is None else helo

    @property
    def looked_up(self) -> bool:
        """Whether it is a lookup, of which nothing but the answer is known."""
        return self.more in _ASKED.values()


def sighting_rows(scope: Scope, found: Iterable[Kept]) -> list[SightingRow]:
    """Sightings as rows."""
    base = config.current().zone
    return [_row(scope, kept, base) for kept in found]


def _row(scope: Scope, kept: Kept, base: str) -> SightingRow:
    seen = kept.sighting
    group = group_of(seen.outcome, seen.rbl, base)
    return SightingRow(
        number=kept.number,
        server=scope.name(kept.server),
        seen=seen,
        look=look_of(seen.outcome, group),
        more=_more(kept),
        count=kept.count,
        why=_why(seen, group),
    )


def _more(kept: Kept) -> str:
    if kept.source in _ASKED:
        return _ASKED[kept.source]
    parts = [kept.sighting.delivery.value] if kept.sighting.delivery else []
    if kept.sighting.score is not None:
        verdict = {True: ", spam", False: "", None: ""}[kept.sighting.spam]
        parts.append(f"score {kept.sighting.score:g}{verdict}")
    return ", ".join(parts)


def _why(seen: Sighting, group: Group) -> str:
    code = str(seen.code) if seen.code and group is not Group.ACCEPTED else ""
    return " ".join(part for part in (code, seen.reason or "") if part)
