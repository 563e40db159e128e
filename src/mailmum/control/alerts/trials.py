"""How many messages an account may send to those who have not asked for them yet.

That is tests, and what a channel is told of alerts that were open before it asked for them: each
may be mail to a stranger, whatever channels are made, changed and removed.
"""

from mailmum.control.accounts.models import Account
from mailmum.control.alerts.models import Trials

MOST, SECONDS = 20, 3600
"""How many an account may send, and in what time."""


def take(account: Account, now: float) -> bool:
    """Count one more, False when that would be too many; within the transaction of a writer."""
    trials, _ = Trials.objects.get_or_create(account=account)
    recent = [one for one in trials.times if 0 <= now - one < SECONDS]
    if len(recent) >= MOST:
        return False
    trials.times = [*recent, int(now)]
    trials.save()
    return True
