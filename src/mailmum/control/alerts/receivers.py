"""What receivers of mail decide for themselves: that they want no more of an account's alerts.

The link in each mail names account and address, not the channel: who wants no more gets none by any
channel of the account, also when one was removed and made anew.  Only they can have it again, by
the same link.

Beside that, tests: none of a channel right after another, and few of an account.
"""

import time
from dataclasses import dataclass

from django.core import signing
from django.db import transaction
from django.db.models import QuerySet

from mailmum.control.accounts.access import system_access
from mailmum.control.accounts.models import Account
from mailmum.control.alerts import trials
from mailmum.control.alerts.models import Channel, Ended
from mailmum.control.alerts.sending import EMAIL, STOP_SALT
from mailmum.control.alerts.telling import forget_unsent
from mailmum.control.journal.services import change, take_writer_lock
from mailmum.domain.errors import Conflict, NotFound
from mailmum.domain.texts import shown

TEST_PAUSE = 10
"""Seconds between two tests of a channel: nobody may send mail to strangers in a loop."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets mail of an account, and since when they want no more, Unix time."""

    account: Account
    target: str
    stopped: int | None


def receiver_of(token: str) -> Receiver:
    """The receiver whose mail has this link.

    Raises:
        NotFound: the link is none of ours, or the account is no more.
    """
    try:
        number, kind, target = _read(token)
    except (signing.BadSignature, TypeError, ValueError):
        raise NotFound("there is no such receiver") from None
    account = Account.objects.filter(pk=number).first()
    if account is None or kind != EMAIL:
        raise NotFound("there is no such receiver")
    return Receiver(account, target, ended_at(account, target))


def _read(token: str) -> tuple[int, str, str]:
    told = signing.loads(token, salt=STOP_SALT)
    if isinstance(told, int):
        # Links of older versions name the channel.
        found = Channel.objects.filter(pk=told).values_list("account", "kind", "target")
        number, kind, target = found.first() or (0, "", "")
        return number, kind, target
    number, kind, target = told
    return int(number), str(kind), str(target)


def ended_at(account: Account, target: str) -> int | None:
    """Since when an address wants no more of an account's mail."""
    return _ended(account, target).values_list("since", flat=True).first()


def end(token: str, *, now: float | None = None) -> Receiver:
    """Send no more to whoever has the link.

    Raises:
        NotFound: the link is none of ours.
    """
    one, clock = receiver_of(token), int(time.time() if now is None else now)
    if one.stopped is not None:
        return one
    with change(one.account.pk, system_access(one.account).actor, "alerts.stop") as made:
        note_ended(one.account, one.target, clock)
        _channels(one).update(stopped=clock)
        made.summary = f"alerts to {one.target}, by the link in their mail"
        made.before = {"target": one.target}
    return Receiver(one.account, one.target, clock)


def resume(token: str) -> Receiver:
    """Send again to whoever has the link, and wants it.

    Raises:
        NotFound: the link is none of ours.
    """
    one = receiver_of(token)
    if one.stopped is None:
        return one
    with change(one.account.pk, system_access(one.account).actor, "alerts.resume") as made:
        _ended(one.account, one.target).delete()
        forget_unsent(_channels(one))
        _channels(one).update(stopped=None)
        made.summary = f"alerts to {one.target}, by the link in their mail"
        made.after = {"target": one.target}
    return Receiver(one.account, one.target, None)


def note_ended(account: Account, target: str, since: int) -> None:
    """Remember it, whatever becomes of the channel."""
    Ended.objects.get_or_create(account=account, target=target.lower(), defaults={"since": since})


def count_test(channel: Channel, now: float) -> None:
    """Note that a channel is tested.

    Raises:
        Conflict: it was a moment ago, or the account has had enough tests.
    """
    with transaction.atomic():
        take_writer_lock()
        tested = Channel.objects.values_list("tested", flat=True).get(pk=channel.pk)
        if tested is not None and 0 <= now - tested < TEST_PAUSE:
            raise Conflict(
                f"{shown(channel.name)} was tested a moment ago", fix=f"wait {TEST_PAUSE} seconds"
            )
        if not trials.take(channel.account, now):
            raise Conflict(
                f"{trials.MOST} tests or late alerts were sent within the last hour",
                fix="wait until the hour is over",
            )
        Channel.objects.filter(pk=channel.pk).update(tested=int(now))


def _ended(account: Account, target: str) -> QuerySet[Ended]:
    return Ended.objects.filter(account=account, target=target.lower())


def _channels(one: Receiver) -> QuerySet[Channel]:
    return Channel.objects.filter(account=one.account, kind=EMAIL, target__iexact=one.target)
