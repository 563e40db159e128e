"""The journal as the account's people read it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from mailmum.control.accounts.access import Reading, Writing
from mailmum.control.journal.models import Record
from mailmum.control.journal.moments import instant
from mailmum.control.listings.models import Version
from mailmum.control.listings.undo import why_not
from mailmum.control.servers.queries import names_of_servers
from mailmum.domain.veil import veiled

KINDS = {
    "listings": ("listing.block", "listing.allow", "listing.set", "listing.unlist"),
    "imports": ("listing.import",),
    "triggers": ("trigger.", "listing.trigger", "listing.clear"),
    "servers": ("server.",),
    "account": ("account.",),
    "people": ("people.",),
    "tokens": ("token.",),
    "undone": ("undo.",),
}
"""Kinds of changes by the words that records begin with."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which changes are looked for; what is empty does not count.

    Attributes:
        actor: part of the name of who made them.
        kind: one of `KINDS`.
        since, until: when they were made, Unix times; `until` is left out.
    """

    actor: str = ""
    kind: str = ""
    since: float | None = None
    until: float | None = None

    @property
    def condition(self) -> Q:
        """The same for the database."""
        found = Q(actor__icontains=self.actor) if self.actor else Q()
        if self.kind:
            begins = Q()
            for word in KINDS[self.kind]:
                begins |= Q(what__startswith=word)
            found &= begins
        if self.since is not None:
            found &= Q(at__gte=datetime.fromtimestamp(self.since, UTC))
        if self.until is not None:
            found &= Q(at__lt=datetime.fromtimestamp(self.until, UTC))
        return found


ANY = Sought()
_LATEST = 1000


def records_of(
    reading: Reading,
    *,
    server: int | None = None,
    target: str = "",
    targets: Collection[str] = (),
    sought: Sought = ANY,
) -> QuerySet[Record]:
    """The account's changes, newest first.

    Args:
        reading: proof that the asker may read.
        server: only those about this server.
        target: only those that touched a listing of exactly this target.
        targets: likewise of any of these, in their canonical form.
        sought: what else is looked for.
    """
    found = Record.objects.filter(sought.condition, account=reading.account)
    if server is not None:
        found = found.filter(server=server)
    meant = [*targets, *([target.strip().lower()] if target else [])]
    if meant:
        found = found.filter(seq__in=_changes_of(reading, meant))
    return found.order_by("-seq")


def _changes_of(reading: Reading, targets: Collection[str]) -> set[int]:
    """Numbers of the changes that touched listings of these targets.

    What is in force and what was are asked apart, since each has an index of its own.
    """
    versions = Version.objects.filter(account=reading.account, target__in=targets)
    present = versions.filter(until=None).values_list("since", flat=True)
    past = versions.filter(until__isnull=False).order_by("-until").values_list("since", "until")
    ended = (seq for pair in past[:_LATEST] for seq in pair if seq is not None)
    return {*present[:_LATEST], *ended}


def actors_of(reading: Reading, limit: int = 50) -> list[str]:
    """Who made the latest changes, by name."""
    latest = Record.objects.filter(account=reading.account).order_by("-seq")[:_LATEST]
    return sorted(set(latest.values_list("actor", flat=True)))[:limit]


def show(reading: Reading, records: list[Record]) -> list[dict[str, Any]]:
    """Records as API and pages show them."""
    servers = names_of_servers(reading)
    undone = dict(
        Record.objects.filter(
            account=reading.account, undoes__in=[record.seq for record in records]
        ).values_list("undoes", "seq")
    )
    return [
        {
            "seq": record.seq,
            "when": instant(record.at),
            "actor": record.actor,
            "via": record.via,
            "what": record.what,
            "server": servers.get(record.server),
            "summary": _for(reading, record, record.summary),
            "count": record.count,
            "before": _for(reading, record, _public(record.before)),
            "after": _for(reading, record, _public(record.after)),
            "undoable": not why_not(record) and record.seq not in undone,
            "undone_by": undone.get(record.seq),
        }
        for record in records
    ]


def _for(reading: Reading, record: Record, told: Any) -> Any:
    """Addresses of feeds and webhooks are whole only for those who may change these."""
    about = "feed." in record.what or "alerts." in record.what
    if isinstance(reading, Writing) or not about:
        return told
    if isinstance(told, dict):
        return {name: _for(reading, record, value) for name, value in told.items()}
    return veiled(told) if isinstance(told, str) else told


def _public(state: Any) -> Any:
    """What is kept only for undo is not shown."""
    if isinstance(state, dict):
        return {name: value for name, value in state.items() if name != "keys_end"}
    return state
