"""What the worker does of it: look, send, report once a week."""

from collections.abc import Iterator

import structlog
from django.db import DatabaseError, transaction

from mailmum.control.accounts.access import system_access
from mailmum.control.accounts.models import Account
from mailmum.control.accounts.rounds import each
from mailmum.control.alerts import outbox
from mailmum.control.alerts.comparing import look, manner_of
from mailmum.control.alerts.models import Alert, Channel, Manner
from mailmum.control.alerts.report import report, report_as
from mailmum.control.alerts.timing import latest_weekly
from mailmum.control.alerts.watches import WATCHES, Watch
from mailmum.control.journal.services import take_writer_lock
from mailmum.daemons.outages import Outages

log = structlog.get_logger()

_OUTAGES = Outages(3600.0)


def looking(now: float) -> Iterator[object]:
    """Ask each watch about every active account where anything of its kind can hold, or did."""
    not_asked: dict[str, str] = {}
    asked = _worth_asking(now, not_asked)
    accounts = [one for one in Account.objects.order_by("pk") if one.pk in asked]
    yield from each("alerts", accounts, lambda one: _look(one, asked[one.pk], not_asked, now), now)
    _tell(not_asked)


def _look(account: Account, watches: list[Watch], not_asked: dict[str, str], now: float) -> Account:
    done = look(account, watches, now=now)
    not_asked |= done.not_asked
    if done.opened or done.closed:
        log.info(
            "alerts.changed",
            account=account.pk,
            opened=len(done.opened),
            closed=len(done.closed),
        )
    return account


def _tell(not_asked: dict[str, str]) -> None:
    """Log which kinds could not be asked about, all in one, and once for as long as that lasts."""
    if not_asked:
        if _OUTAGES.began("watches"):
            reason = next(iter(not_asked.values()))
            log.warning("alerts.not-asked", kinds=sorted(not_asked), reason=reason)
    elif (after := _OUTAGES.ended("watches")) is not None:
        log.info("alerts.asked-again", after=after)


def _worth_asking(now: float, not_asked: dict[str, str]) -> dict[int, list[Watch]]:
    """The watches that are worth asking, by account; what cannot be asked is added to the rest."""
    accounts = set(Account.objects.values_list("pk", flat=True))
    known: dict[str, set[int]] = {}
    for kind, account in Alert.objects.filter(closed=None).values_list("kind", "account"):
        known.setdefault(kind, set()).add(account)
    asked: dict[int, list[Watch]] = {}
    for watch in WATCHES:
        try:
            places = accounts if watch.where is None else watch.where(now)
        except DatabaseError as error:
            # What cannot be asked closes nothing.
            not_asked[watch.kind] = str(error).strip()
            continue
        for account in places | known.get(watch.kind, set()):
            asked.setdefault(account, []).append(watch)
    return asked


def sending(now: float) -> Iterator[object]:
    """Send what is due."""
    yield outbox.pack(now=now)
    yield from outbox.send_due(now=now)


def tidying(now: float) -> Iterator[object]:
    """Make the weekly reports that are due, and remove what is too old."""
    wanted = Channel.objects.filter(reports=True, stopped=None).values_list("account", flat=True)
    accounts = Account.objects.filter(pk__in=wanted.distinct()).order_by("pk")
    yield from each("reports", accounts, lambda one: weekly(one, now=now), now)
    yield outbox.forget(now=now)


def weekly(account: Account, *, now: float) -> int:
    """Put the report of the week on its way, once; how many channels get it.

    After a long rest only the latest is made.  A channel gets those after it was made.
    """
    manner = manner_of(account)
    moment = latest_weekly(now, manner.zone, manner.report_day, manner.report_hour)
    if not _wanting(account, moment) or _was_made(manner, moment):
        return 0
    made = report_as(report(system_access(account), now=moment))
    with transaction.atomic():
        take_writer_lock()
        manner = manner_of(account)
        if _was_made(manner, moment):
            return 0
        manner.reported = int(moment)
        manner.save()
        channels = _wanting(account, moment)
        for channel in channels:
            outbox.put(channel, "report", {"account": account.name, "report": made}, now=now)
    return len(channels)


def _was_made(manner: Manner, moment: float) -> bool:
    return manner.reported is not None and manner.reported >= int(moment)


def _wanting(account: Account, moment: float) -> list[Channel]:
    found = Channel.objects.filter(account=account, reports=True, stopped=None).order_by("pk")
    return [one for one in found if one.created.timestamp() <= moment]
