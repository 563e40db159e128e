"""Compares what holds with the alerts that are open, and takes down what is to be told.

All of it is one transaction: an alert and the notices of it are there together or not at all, and
of two workers each sees the other's work whole.  An alert closes only when its condition has not
held for a while, so that what comes and goes is told once.  A watch that could not be asked leaves
its alerts as they are.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import DatabaseError, transaction

from mailmum.control.accounts.access import Reading, system_access
from mailmum.control.accounts.models import Account
from mailmum.control.alerts.conditions import Condition
from mailmum.control.alerts.models import Alert, Manner
from mailmum.control.alerts.telling import take_down
from mailmum.control.alerts.watches import MOST, WATCHES, Watch
from mailmum.control.journal.services import take_writer_lock

CALM = 600
"""Seconds for which a condition has not held before its alert closes."""
_TEXT, _LINK, _ABOUT = 500, 500, 300

Held = Mapping[str, Iterable[Condition]]


@dataclass(slots=True)
class Outcome:
    """What a comparison did, and which kinds could not be asked about, with the reason."""

    opened: list[Alert] = field(default_factory=list)
    closed: list[Alert] = field(default_factory=list)
    not_asked: dict[str, str] = field(default_factory=dict)


def look(
    account: Account, watches: Iterable[Watch] = WATCHES, *, now: float | None = None
) -> Outcome:
    """Ask all watches about an account, and compare."""
    clock = time.time() if now is None else now
    reading, manner = system_access(account), manner_of(account)
    held: dict[str, list[Condition]] = {}
    not_asked: dict[str, str] = {}
    for watch in watches:
        try:
            held[watch.kind] = asked(watch, reading, manner, clock)
        except DatabaseError as error:
            not_asked[watch.kind] = str(error).strip()
    done = compare(account, manner, held, now=clock)
    done.not_asked = not_asked
    return done


def asked(watch: Watch, reading: Reading, manner: Manner, now: float) -> list[Condition]:
    """What a watch finds, each thing once."""
    found: dict[str, Condition] = {}
    for condition in watch.look(reading, manner, now):
        found.setdefault(condition.about[:_ABOUT], condition)
        if len(found) == MOST:
            break
    return list(found.values())


def manner_of(account: Account) -> Manner:
    """How an account wants to be told."""
    return Manner.objects.filter(account=account).first() or Manner(account=account)


def compare(account: Account, manner: Manner, held: Held, *, now: float) -> Outcome:
    """Open what is new, close what is over; of those kinds only that were asked.

    Args:
        account: whose alerts.
        manner: how the account wants to be told.
        held: what holds now, by kind.
        now: our own clock.
    """
    done, still = Outcome(), list[Alert]()
    with transaction.atomic():
        take_writer_lock()
        known = {(one.kind, one.about): one for one in _open(account, held)}
        for kind, conditions in held.items():
            for condition in conditions:
                alert = known.pop((kind, condition.about[:_ABOUT]), None)
                if alert is None:
                    alert = alert_of(account, kind, condition, now)
                    alert.save(force_insert=True)
                    done.opened.append(alert)
                else:
                    _still(alert, condition)
                    still.append(alert)
        for alert in known.values():
            if _over(alert, now):
                done.closed.append(alert)
        take_down(account, manner, [*done.opened, *still], done.closed, now=now)
    return done


def _open(account: Account, held: Held) -> Iterable[Alert]:
    return Alert.objects.filter(account=account, closed=None, kind__in=list(held))


def alert_of(account: Account, kind: str, condition: Condition, now: float) -> Alert:
    """The alert that a condition makes, which is not kept yet."""
    return Alert(
        account=account,
        kind=kind,
        about=condition.about[:_ABOUT],
        severity=condition.severity.value,
        text=_line(condition.text),
        link=condition.link[:_LINK],
        since=int(condition.since),
        opened=int(now),
    )


def _line(text: str) -> str:
    """One line without control characters: it becomes a subject, a line of text, a message."""
    folded = " ".join(text.split())
    return "".join(letter for letter in folded if letter.isprintable())[:_TEXT]


def _still(alert: Alert, condition: Condition) -> None:
    fresh = (condition.severity.value, _line(condition.text), condition.link[:_LINK])
    if (alert.severity, alert.text, alert.link) == fresh and alert.missing is None:
        return
    alert.severity, alert.text, alert.link = fresh
    alert.missing = None
    alert.save(update_fields=["severity", "text", "link", "missing"])


def _over(alert: Alert, now: float) -> bool:
    """Note that it does not hold; whether that has been so for long enough."""
    if alert.missing is None:
        alert.missing = int(now)
        alert.save(update_fields=["missing"])
    # A clock that was set back must not keep it open for ever.
    if abs(now - alert.missing) < CALM:
        return False
    alert.closed = int(now)
    alert.save(update_fields=["closed"])
    return True
