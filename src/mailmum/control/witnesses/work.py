"""What the worker does of it: see how the lists fare, and forget what no longer holds."""

from collections.abc import Iterator

from mailmum.control.accounts.models import Account
from mailmum.control.witnesses.asking import check_health
from mailmum.control.witnesses.models import AskedDay, Health, Said, Witness, Word
from mailmum.traffic.periods import DAY

EVERY = 1800.0
"""Seconds between two looks; within the hour for which a look counts."""
_SOME = 8


def caring(now: float) -> Iterator[object]:
    """Look at each list that somebody asks."""
    zones = sorted(set(Witness.objects.values_list("zone", flat=True)))
    for at in range(0, len(zones), _SOME):
        yield check_health(zones[at : at + _SOME], now=now)
    yield Said.objects.filter(until__lt=int(now)).delete()
    yield Health.objects.exclude(zone__in=zones).delete()
    yield from _forget(now)


def _forget(now: float) -> Iterator[object]:
    """What was said of single clients is kept as long as their counts by the hour."""
    asked = set(AskedDay.objects.values_list("account", flat=True).distinct())
    for account in Account.objects.filter(pk__in=asked):
        until = int(now - account.hour_days * DAY)
        yield Word.objects.filter(account=account, at__lt=until * 1000).delete()
        yield AskedDay.objects.filter(account=account, day__lt=until - DAY).delete()
