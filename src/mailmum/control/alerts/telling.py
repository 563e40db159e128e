"""Takes down what each channel is to be told: a notice for each event.

Here, too, it is levels that count, not events.  A channel is told of what holds and what it has not
been told of: of an alert that has just opened, and of one that was open before the channel was
made, asked for such alerts, got another address, or was wanted again by its receiver.  That a
notice is there says that it was told, so nothing is told twice.  An end is told where the beginning
was.

What comes late counts as a test does, since its receiver may be a stranger; when an account has had
enough of these, it waits.
"""

from collections.abc import Collection, Iterable

from mailmum.control.accounts.models import Account
from mailmum.control.alerts import trials
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Alert, Channel, Manner, Notice
from mailmum.control.alerts.outbox import KEPT
from mailmum.control.alerts.timing import quiet_hours

Told = Collection[tuple[int, int]]
"""Numbers of channel and alert."""


def take_down(
    account: Account,
    manner: Manner,
    holding: Collection[Alert],
    closed: Collection[Alert],
    *,
    now: float,
) -> None:
    """Make the notices that are missing, within the transaction that opens and closes alerts.

    Args:
        account: whose alerts.
        manner: how the account wants to be told.
        holding: alerts that hold now.
        closed: alerts that have just closed.
        now: our own clock.
    """
    if not (holding or closed):
        return
    channels = list(Channel.objects.filter(account=account, stopped=None).order_by("pk"))
    told = _told(channels, [*holding, *closed])
    due = int(now + manner.digest)
    notices = [
        Notice(channel=channel, alert=alert, event=event, due=_due(manner, alert, due))
        for channel in channels
        for event, alerts in (
            ("opened", _new_to(channel, holding, told, now)),
            ("closed", [one for one in closed if (channel.pk, one.pk) in told]),
        )
        for alert in alerts
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)


def forget_told(channel: Channel) -> None:
    """Have a channel told anew of what is open, as if it were new.

    What is still on its way to it stays, and is told by that.
    """
    Notice.objects.filter(
        channel=channel, event="opened", alert__closed=None, parcel__ended__isnull=False
    ).delete()


def forget_unsent(channels: Iterable[Channel]) -> None:
    """Have channels told anew of what is open and was on its way, and was not sent in the end."""
    Notice.objects.filter(
        channel__in=list(channels), event="opened", alert__closed=None, parcel__sent=False
    ).exclude(parcel__ended=None).delete()


def wants(channel: Channel, alert: Alert) -> bool:
    """Whether a channel is told of an alert."""
    grave = Severity(alert.severity).rank >= Severity(channel.least).rank
    return grave and (not channel.kinds or alert.kind in channel.kinds)


def _told(channels: Iterable[Channel], alerts: Iterable[Alert]) -> Told:
    found = Notice.objects.filter(channel__in=channels, alert__in=alerts, event="opened")
    return set(found.values_list("channel", "alert"))


def _new_to(channel: Channel, holding: Iterable[Alert], told: Told, now: float) -> list[Alert]:
    missing = [
        one
        for one in holding
        if wants(channel, one) and (channel.pk, one.pk) not in told and not _old(channel, one, now)
    ]
    fresh = [one for one in missing if one.opened == int(now)]
    if len(fresh) == len(missing) or trials.take(channel.account, now):
        return missing
    return fresh


def _old(channel: Channel, alert: Alert, now: float) -> bool:
    """Whether it may have been told so long ago that an older version forgot that it was."""
    return alert.opened < now - KEPT and channel.created.timestamp() <= alert.opened


def _due(manner: Manner, alert: Alert, due: int) -> int:
    """Quiet hours hold back all but the gravest."""
    quiet = quiet_hours(manner.quiet_from, manner.quiet_until, manner.zone)
    if quiet is None or alert.severity == Severity.CRITICAL:
        return due
    return int(quiet.ends(due))
