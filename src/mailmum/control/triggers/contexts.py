"""What counting takes of an account: its public lists, how its servers are seen, its traps."""

from typing import Any

from mailmum.control import config
from mailmum.control.traffic.intake import privacy_of
from mailmum.control.traffic.models import Seen, Zone
from mailmum.control.traffic.turns import turns_of
from mailmum.control.witnesses.models import Witness
from mailmum.traffic.groups import is_own
from mailmum.triggers.contacts import Contact, Context
from mailmum.triggers.rules import NAMING, Metric, Rule

COLUMNS = (
    "id",
    "time",
    "server",
    "source",
    "outcome",
    "client",
    "rbl",
    "count",
    "client_name",
    "score",
    "recipient",
)
"""Of a sighting, in the order of a contact's fields."""


def context_of(account: int, rule: Rule, since: float, until: float | None = None) -> Context:
    """What counting from one time on to another (Unix, seconds) takes besides the rule.

    No more than that: thousands of rules ask every minute.
    """
    if rule.metric is Metric.ASKED:
        return Context(public=_asked(account, rule))
    if rule.metric is Metric.CONNECTIONS:
        return Context(best=turns_of(account, since, until, server=rule.server))
    if rule.metric is Metric.TRAP:
        return Context(traps=traps_of(account, rule))
    return Context(public=_public(account, rule) if rule.metric in NAMING else {})


def _public(account: int, rule: Rule) -> dict[int, str]:
    """The public lists that count; one's own are not among them."""
    base = config.current().zone
    zones = Zone.objects.filter(account=account).values_list("pk", "name")
    return {
        number: name
        for number, name in zones
        if not is_own(name, base) and (not rule.lists or name in rule.lists)
    }


def _asked(account: int, rule: Rule) -> dict[int, str]:
    """The lists that are asked and count."""
    asked = Witness.objects.filter(account=account).values_list("pk", "zone")
    return {number: zone for number, zone in asked if not rule.lists or zone in rule.lists}


def traps_of(account: int, rule: Rule) -> frozenset[str]:
    """Traps in the form in which recipients are kept.

    Where only domains are kept by now, a trap among them cannot be told from everybody else there:
    it catches nobody, rather than all who write to that domain.
    """
    privacy = privacy_of(account)
    kept = {trap: (privacy.address(trap) or "").lower() for trap in rule.traps}
    return frozenset(
        form for trap, form in kept.items() if form.startswith("@") == trap.startswith("@")
    )


def contact_of(row: tuple[Any, ...]) -> Contact:
    """A contact from the columns of a sighting."""
    number, at, server, source, outcome, client, *rest = row
    # Of a number `bytes` would make as many of them.
    packed = None if client is None else bytes(memoryview(client))
    return Contact(number, at, server, source, outcome, packed, *rest)


def newest_sighting() -> int:
    """The number of the sighting that was kept last, 0 when there is none."""
    return Seen.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
