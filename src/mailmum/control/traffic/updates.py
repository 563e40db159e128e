"""News of mail: how its delivery ended and what the spam filter thought of it.

They come seconds or days after the sighting.  When that is gone by then, so is the news.
"""

from collections.abc import Iterable
from typing import Any

from mailmum.control.traffic.models import Seen
from mailmum.traffic.batches import ADDRESS, NAME, QUEUE_ID, Maker, finite, fit
from mailmum.traffic.codes import DELIVERIES, KEPT_BACK, OUTCOMES
from mailmum.traffic.periods import HOUR, start_of
from mailmum.traffic.sightings import Outcome, Update

_ABOUT = 60_000
_OTHERS = (KEPT_BACK, OUTCOMES[Outcome.REJECTED], OUTCOMES[Outcome.DEFERRED])


def apply(account: int, server: int, updates: Iterable[Update], maker: Maker) -> None:
    """Write what became known to the sightings it is about."""
    for update in updates:
        news: dict[str, Any] = {}
        if update.delivery is not None:
            news["delivery"] = DELIVERIES[update.delivery]
        if (score := finite(update.score)) is not None:
            news |= {"score": score, "spam": update.spam}
        if not news:
            continue
        millis = maker.millis([update.time])[0]
        second = millis // 1000
        # Recipients of a message may come some time after each other; an hour on each side holds
        # them, and the identity of a message in the queue does not come again so soon.
        hour = start_of(second, HOUR)
        about = Seen.objects.filter(
            server=server,
            hour__in=[hour - HOUR, hour, hour + HOUR],
            queue_id=fit(update.queue_id, QUEUE_ID),
            outcome=OUTCOMES[Outcome.ACCEPTED],
            account=account,
        )
        # The own log of a spam filter names no host, and tells its own time.
        near = 1000 if update.host else _ABOUT
        # Mail that was held and is let go, or that the filter had rejected: in no index by queue
        # id, but of the very same time, or nearly.
        others = Seen.objects.filter(
            account=account,
            time__range=(millis - near, millis + near),
            server=server,
            outcome__in=_OTHERS,
            queue_id=fit(update.queue_id, QUEUE_ID),
        )
        if update.host:
            host = fit(update.host, NAME)
            about, others = about.filter(host=host), others.filter(host=host)
        if update.recipient is not None:
            # As it is kept now, and as it may still be where it waits to be rewritten.
            texts = (maker.privacy.address(update.recipient) or "", update.recipient)
            names = {fit(text, ADDRESS) for text in texts}
            about = about.filter(recipient__in=names)
            others = others.filter(recipient__in=names)
        if not about.update(**news):
            others.update(**news)
