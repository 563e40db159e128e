"""What is to be told goes out: notices are packed into parcels, parcels are sent.

Packing is a transaction of its own.  Sending is not: before each try the parcel is claimed, its
next try set to later, and only then the other side is spoken to; what it took is marked as sent.
So of two workers one sends, and after a restart a parcel that was sent is not sent again.  Only if
the machine fails between the other side's yes and our note of it, the same parcel goes out once
more, with the same id, by which the receiver can tell.
"""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F

from mailmum.control import config
from mailmum.control.accounts.models import Account
from mailmum.control.alerts import sending
from mailmum.control.alerts.models import Alert, Channel, Notice, Parcel
from mailmum.control.alerts.sending import Failed
from mailmum.control.journal.services import take_writer_lock

log = structlog.get_logger()

FIRST_PAUSE, LONGEST_PAUSE = 60, 6 * 3600
GIVE_UP = 3 * 86_400
"""Seconds after which a parcel that nobody takes is given up."""
AT_ONCE, PATIENCE = 50, 3
"""How many parcels are tried in one go, and after how many failures in a row the others wait for
the next: each may take as long as its other side lets us wait, and the worker has more to do."""
EVENTS = 100
"""How many alerts one message tells of; more come in the next."""
KEPT = 60 * 86_400
"""Seconds for which parcels are kept, and longer those that tell of what is still open."""
HISTORY = 400 * 86_400
"""Seconds for which closed alerts are kept."""


def pack(*, now: float) -> list[Parcel]:
    """Make parcels of the notices that are due, one for each channel."""
    with transaction.atomic():
        take_writer_lock()
        due = Notice.objects.filter(parcel=None, due__lte=int(now))
        channels = Channel.objects.select_related("account").filter(
            pk__in=due.order_by().values("channel")
        )
        return [_packed(channel, now) for channel in channels.order_by("pk")]


def _packed(channel: Channel, now: float) -> Parcel:
    waiting = Notice.objects.select_related("alert").filter(
        channel=channel, parcel=None, due__lte=int(now)
    )
    notices = list(waiting.order_by("id")[:EVENTS])
    content = {
        "account": channel.account.name,
        "events": [event_of(channel.account, one.alert, one.event) for one in notices],
    }
    parcel = put(channel, "alerts", content, now=now)
    Notice.objects.filter(pk__in=[one.pk for one in notices]).update(parcel=parcel)
    return parcel


def put(channel: Channel, what: str, content: dict[str, Any], *, now: float) -> Parcel:
    """A parcel that is due now."""
    return Parcel.objects.create(
        channel=channel,
        ref=secrets.token_hex(16),
        what=what,
        content=content,
        made=int(now),
        due=int(now),
    )


def event_of(account: Account, alert: Alert, event: str) -> dict[str, Any]:
    """What is told of an alert; it stays what it was when it was packed."""
    return {
        "event": event,
        "id": alert.pk,
        "kind": alert.kind,
        "about": alert.about,
        "severity": alert.severity,
        "text": alert.text,
        "since": alert.since,
        "opened": alert.opened,
        "closed": alert.closed,
        "url": f"{config.current().base_url}/a/{account.pk}/{alert.link or 'alerts/'}",
    }


def send_due(*, now: float | None = None) -> Iterator[Parcel]:
    """Try every parcel that is due, one after the other."""
    clock = time.time() if now is None else now
    due = Parcel.objects.select_related("channel__account").filter(ended=None, due__lte=int(clock))
    failed = 0
    # What is new goes first, so that nobody waits for those that nobody takes.
    for parcel in list(due.order_by("tries", "due", "id")[:AT_ONCE]):
        if failed < PATIENCE and _claim(parcel, clock):
            failed = 0 if _try(parcel, clock) else failed + 1
            yield parcel


def send_now(parcel: Parcel, *, now: float) -> None:
    """Try a parcel once, and never again."""
    if _claim(parcel, now):
        _try(parcel, now)
        Parcel.objects.filter(pk=parcel.pk, ended=None).update(ended=int(now))


def _claim(parcel: Parcel, now: float) -> bool:
    later = int(now + min(FIRST_PAUSE * 2**parcel.tries, LONGEST_PAUSE))
    mine = Parcel.objects.filter(pk=parcel.pk, ended=None, tries=parcel.tries)
    return bool(mine.update(tries=F("tries") + 1, due=later))


def _try(parcel: Parcel, now: float) -> bool:
    """Try it; False when the other side did not take it.

    Whatever the other side says, it says of its own address only: a channel that has got another
    one meanwhile is still to have the parcel there.
    """
    mine = Parcel.objects.filter(pk=parcel.pk, channel__target=parcel.channel.target)
    if parcel.channel.stopped is not None:
        mine.update(ended=int(now), error="its receiver has ended this channel")
        return True
    try:
        sending.send(parcel, now)
    except Failed as failure:
        over = failure.final or now - parcel.made >= GIVE_UP
        mine.update(error=failure.reason[:500], **({"ended": int(now)} if over else {}))
        log.warning(
            "alerts.not-sent", channel=parcel.channel_id, reason=failure.reason, given_up=over
        )
        return False
    mine.update(ended=int(now), sent=True, error="")
    return True


def forget(*, now: float) -> int:
    """Remove what is too old; that something open was told is known for as long as it is open."""
    open_ones = Notice.objects.filter(alert__closed=None, parcel__isnull=False).values("parcel")
    old = Parcel.objects.filter(ended__lt=int(now - KEPT)).exclude(pk__in=open_ones)
    gone, _ = old.delete()
    older, _ = Alert.objects.filter(closed__lt=int(now - HISTORY)).delete()
    return gone + older
