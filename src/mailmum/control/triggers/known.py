"""Since when anything is known that a rule could have counted: a trial says nothing of before.

Of a new installation that is little.  Rules by scores, recipients and names go by single
sightings, which are kept for a shorter time than counts; what public lists said is known of the
days on which they were asked.
"""

from django.db.models import Min

from mailmum.control.traffic import totals
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers.history import by_sighting
from mailmum.control.witnesses.models import AskedDay
from mailmum.traffic.periods import DAY, start_of
from mailmum.triggers.rules import Metric, Rule


def known_since(account: int, rule: Rule, since: float) -> float | None:
    """The first moment after `since` of which anything is known, Unix time; None for never."""
    if rule.metric is Metric.ASKED:
        days = AskedDay.objects.filter(account=account, day__gte=start_of(since, DAY))
        first = days.aggregate(first=Min("day"))["first"]
    elif by_sighting(rule):
        # By account and time alone, in which they are looked up.
        seen = Seen.objects.filter(account=account, time__gte=since * 1000).order_by("time")
        at = seen.values_list("time", flat=True).first()
        first = None if at is None else at / 1000
    else:
        by_server = totals.first_days(account, since)
        first = min(by_server.values(), default=None)
    return None if first is None else max(first, since)
