"""What the page of alerts tells ahead of the worker: which servers are silent just now.

The worker looks once a minute.  Every page marks a server that is silent, by the same rule, as soon
as it is: the page of alerts must not know less than the mark beside it, nor tell of a server that
is heard again as if it were not.  Nothing is kept here: it is the worker that opens, closes and has
others told.
"""

import time
from dataclasses import dataclass

from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.comparing import alert_of, asked, manner_of
from mailmum.control.alerts.models import Alert
from mailmum.control.alerts.queries import open_alerts
from mailmum.control.alerts.watches import WATCHES
from mailmum.control.traffic.reading import tolerant

_AT_ONCE = ("server-silent",)
"""Kinds that pages show as soon as they hold."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """How what holds now differs from the alerts that are open.

    Attributes:
        coming: alerts that are about to be opened; they have no number.
        over: numbers of open ones of which nothing holds just now.
    """

    coming: tuple[Alert, ...] = ()
    over: frozenset[int] = frozenset()


def ahead(reading: Reading, *, now: float | None = None) -> Ahead:
    """What an account's open alerts do not tell yet; nothing where that cannot be known."""
    clock = time.time() if now is None else now
    return tolerant(lambda: _ahead(reading, clock), Ahead())


def _ahead(reading: Reading, now: float) -> Ahead:
    account, manner = reading.account, manner_of(reading.account)
    known = open_alerts(reading).filter(kind__in=_AT_ONCE)
    before = {(kind, about): pk for kind, about, pk in known.values_list("kind", "about", "pk")}
    found = [
        alert_of(account, watch.kind, one, now)
        for watch in WATCHES
        if watch.kind in _AT_ONCE
        for one in asked(watch, reading, manner, now)
    ]
    held = {(one.kind, one.about) for one in found}
    return Ahead(
        tuple(one for one in found if (one.kind, one.about) not in before),
        frozenset(pk for key, pk in before.items() if key not in held),
    )
