"""What may be read of alerts and channels."""

from django.db.models import Count, QuerySet

from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.models import Alert, Channel, Parcel
from mailmum.control.prepared import Prepared
from mailmum.domain.errors import NotFound
from mailmum.domain.texts import shown


def open_alerts(reading: Reading) -> QuerySet[Alert]:
    """What holds now, the latest first."""
    return Alert.objects.filter(account=reading.account, closed=None).order_by("-id")


def past_alerts(reading: Reading, *, before: int | None = None) -> QuerySet[Alert]:
    """What is over, the latest first."""
    found = Alert.objects.filter(account=reading.account, closed__isnull=False)
    return (found if before is None else found.filter(pk__lt=before)).order_by("-id")


def unseen(reading: Reading) -> int:
    """How many open alerts nobody has acknowledged."""
    return sum(count for _, count in _UNSEEN.rows(reading.account.pk))


_UNSEEN = Prepared(
    lambda account: (
        Alert.objects.filter(account=account, closed=None, acknowledged=None)
        .values_list("account")
        .annotate(count=Count("pk"))
        .order_by()
    )
)


def channels_of(reading: Reading) -> QuerySet[Channel]:
    """The channels of an account by name."""
    return Channel.objects.filter(account=reading.account).order_by("name")


def find_channel(reading: Reading, name: str) -> Channel:
    """One channel by name.

    Raises:
        NotFound: the account has none of this name.
    """
    found = None if "\0" in name else channels_of(reading).filter(name=name).first()
    if found is None:
        raise NotFound(
            f"there is no channel {shown(name)}", fix="see: mailmum alerts channels", field="name"
        )
    found.account = reading.account
    return found


def numbered_channel(reading: Reading, number: int) -> Channel:
    """One channel by number: names may have any letters, which pages keep out of addresses.

    Raises:
        NotFound: the account has none of this number.
    """
    found = channels_of(reading).filter(pk=number).first()
    if found is None:
        raise NotFound("there is no such channel")
    found.account = reading.account
    return found


def last_parcels(reading: Reading) -> dict[int, Parcel]:
    """The latest parcel of each channel that was tried, by the number of the channel."""
    tried = Parcel.objects.filter(channel__account=reading.account, tries__gt=0)
    found: dict[int, Parcel] = {}
    for channel in channels_of(reading):
        latest = tried.filter(channel=channel).order_by("-id").first()
        if latest is not None:
            found[channel.pk] = latest
    return found


def waiting(reading: Reading) -> int:
    """How many messages wait to be sent."""
    return Parcel.objects.filter(ended=None, channel__account=reading.account).count()
