"""In which accounts a watch can find anything, asked of all accounts at once.

Of thousands of accounts hardly any have something to tell.  To ask each of them every minute would
take minutes; so each watch says first, by a query or two, where anything of its kind may hold.
That may be too many accounts, and never too few: the watch itself is asked there, and decides.
"""

from datetime import UTC, datetime, timedelta

from django.db.models import Max, Min

from mailmum.control.accounts.models import Account
from mailmum.control.alerts.models import Manner
from mailmum.control.feeds.models import Feed, FeedVersion
from mailmum.control.feeds.models import State as FeedState
from mailmum.control.listings.models import Version
from mailmum.control.monitor import silence
from mailmum.control.servers.models import Server
from mailmum.control.traffic.models import LastSeen, RevokedUse
from mailmum.control.triggers.models import Skipped, Trigger
from mailmum.control.witnesses.models import Health, Witness
from mailmum.dns.witness import State
from mailmum.domain.listings import Action
from mailmum.traffic.periods import DAY, HOUR, start_of

FRESH = 2 * DAY
"""Seconds for which a new listing, a used key or a loss is worth an alert."""
MAIL_DAYS = 30
"""Days of accepted mail that are looked at."""
_LOOK_BACK = MAIL_DAYS + 2
# Days of the roll-ups are whole ones, so a little more than is asked for is looked at.
_SOME = 500


def silent(now: float) -> set[int]:
    """Where a server has not been seen for a while, and was before it had to be taken for gone."""
    set_ones = Manner.objects.aggregate(least=Min("silent_after"))["least"]
    least = min(Manner().silent_after, set_ones or Manner().silent_after)
    days = silence.WEEKS * silence.DAYS * DAY
    rows = LastSeen.objects.values("account", "server").annotate(last=Max("time")).order_by()
    found = rows.filter(last__lt=(now - least) * 1000, last__gte=(now - days) * 1000)
    return set(found.values_list("account", flat=True))


def seen_lately(now: float) -> set[int]:
    """Where anything was seen in the last whole hour, or since."""
    since = start_of(now, HOUR) - HOUR
    return set(LastSeen.objects.filter(time__gte=since * 1000).values_list("account", flat=True))


def revoked(now: float) -> set[int]:
    """Where a revoked key was used lately."""
    used = RevokedUse.objects.filter(last__gt=int(now - FRESH)).values_list("server", flat=True)
    numbers = sorted(set(used))
    found: set[int] = set()
    for at in range(0, len(numbers), _SOME):
        some = Server.objects.filter(pk__in=numbers[at : at + _SOME])
        found |= set(some.values_list("account", flat=True))
    return found


def listed(now: float) -> set[int]:
    """Where an address or network has been blocked lately, and mail may have come before."""
    fresh = datetime.fromtimestamp(now, UTC) - timedelta(seconds=FRESH)
    new = Version.objects.filter(
        until=None, action=Action.BLOCK.value, enabled=True, changed__gt=fresh, first__isnull=False
    )
    mail = LastSeen.objects.filter(time__gte=(now - _LOOK_BACK * DAY) * 1000)
    found = set(new.order_by().values_list("account", flat=True).distinct())
    return found & set(mail.values_list("account", flat=True))


def operator(_now: float) -> set[int]:
    """What is of the whole installation is told to the first account."""
    return set(Account.objects.order_by("pk").values_list("pk", flat=True)[:1])


def disbelieved(_now: float) -> set[int]:
    """Where a public list is asked that is not believed."""
    bad = Health.objects.exclude(state=State.WORKS.value).values_list("zone", flat=True)
    return set(Witness.objects.filter(zone__in=list(bad)).values_list("account", flat=True))


def stopped(_now: float) -> set[int]:
    """Where a trigger has stopped itself."""
    found = Trigger.objects.filter(removed=None).exclude(stopped_at=None)
    return set(found.values_list("account", flat=True))


def failing(_now: float) -> set[int]:
    """Where a trigger fails."""
    return set(Skipped.objects.values_list("trigger__account", flat=True).distinct())


def held(_now: float) -> set[int]:
    """Where an update of a feed waits for a person."""
    found = FeedVersion.objects.filter(feed__removed=None, state=FeedState.HELD)
    return set(found.values_list("feed__account", flat=True))


def unrefreshed(_now: float) -> set[int]:
    """Where a feed cannot be refreshed."""
    found = Feed.objects.filter(removed=None, paused=False).exclude(failing=None)
    return set(found.values_list("account", flat=True))
