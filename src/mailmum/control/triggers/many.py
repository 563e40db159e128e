"""What the guard asks about one client after the other, read as a whole where it asks of very many.

A statement about one client costs as much as going through some hundred rows.  So it is counted how
often is asked, and once all rows there are would have cost no more, they are read: however few or
many clients there are, it takes at most twice as long as the better way.  What is answered is the
same.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

from django.db.models import Q

from mailmum.control.traffic.models import ClientHour, Seen
from mailmum.control.triggers.mail import (
    ACCEPTED,
    NEVER,
    accepted,
    accepted_of,
    first_hour,
    kept_since,
    sightings_of_days,
)
from mailmum.control.triggers.sifting import fetched
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.traffic.packing import bounds, reversed_name
from mailmum.traffic.periods import DAY, HOUR, start_of

HOURS, NOISE = 800, 2000
"""So many rows are gone through in the time of one statement about a client."""
LARGEST = 2_000_000
"""Of more sightings it is not tried: what is found of them is kept in memory."""


class Hours:
    """Accepted messages by the hour of a day; it is asked of one day after the other.

    Args:
        account: number of the account.
        often: whether of many.
    """

    def __init__(self, account: int, *, often: bool) -> None:
        self._account, self._often = account, often
        self._day, self._asked, self._enough = 0, 0, 0
        self._rows: list[tuple[bytes, int, int]] | None = None

    def of(self, target: NetworkTarget, day: int) -> list[tuple[int, int]]:
        """Hours of a day, and how many messages of a target were accepted in them."""
        if day != self._day:
            self._day, self._asked, self._rows = day, 0, None
            many = sightings_of_days(self._account, day, day + DAY) if self._often else 0
            # Where no totals are kept of it nothing is known of how many there are.
            self._enough = many // HOURS if many else NEVER
        self._asked += 1
        if self._rows is None and (not self._often or self._asked <= self._enough):
            return accepted(ClientHour, self._account, target, range(day, day + DAY, HOUR))
        if self._rows is None:
            self._rows = self._read(day)
        low, high = bounds(target)
        first, last = bisect_left(self._rows, (low,)), bisect_right(self._rows, (high, NEVER))
        return [(hour, count) for _, hour, count in self._rows[first:last]]

    def _read(self, day: int) -> list[tuple[bytes, int, int]]:
        kept = ClientHour.objects.filter(
            account=self._account, start__in=range(day, day + DAY, HOUR), outcome=ACCEPTED
        )
        rows = fetched(kept.order_by().values_list("client", "start", "count"))
        return sorted((bytes(row[0]), row[1], row[2]) for chunk in rows for row in chunk)


class Noise:
    """When messages were accepted that speak for nobody, of those kept one by one.

    Args:
        account: number of the account.
        meant: which these are.
        often: whether it is asked of many.
    """

    def __init__(self, account: int, meant: Q, *, often: bool) -> None:
        self._account, self._meant, self._often = account, meant, often
        self._kept = kept_since(account)
        self._asked, self._enough = 0, -1
        self._rows: list[tuple[bytes, int]] | None = None
        self._named = False

    def of(self, target: Target, since: float, days: Sequence[int]) -> Sequence[float]:
        """When there were such of a target, by the hour or exactly.

        Args:
            target: whose.
            since: from when on, Unix time; what lies before may be told, too.
            days: those on which anything of it was accepted.
        """
        if self._is_whole(target):
            return self._of(target, days)
        return accepted_of(self._meant, self._account, target, since, days, self._kept)

    def by_client(self, since: int, until: int) -> Counter[bytes] | None:
        """How many there were of each client, from one day to before another; None if not read."""
        if self._rows is None or self._named:
            return None
        return Counter(client for client, hour in self._rows if since <= hour < until)

    def _is_whole(self, target: Target) -> bool:
        """Whether all of them are there by now."""
        if self._rows is not None:
            return True
        self._asked += 1
        if not self._often or self._enough == NEVER:
            return False
        if self._enough < 0:
            first = start_of(min(self._kept, NEVER), DAY)
            many = sightings_of_days(self._account, first, NEVER, ACCEPTED)
            self._enough = many // NOISE if 0 < many <= LARGEST else NEVER
        # For a name all of them are gone through each time.
        if self._asked > (1 if isinstance(target, NameTarget) else self._enough):
            self._named = isinstance(target, NameTarget)
            self._rows = self._read()
        return self._rows is not None

    def _read(self) -> list[tuple[bytes, int]]:
        column = "client_name" if self._named else "client"
        rows = Seen.objects.filter(
            self._meant, account=self._account, outcome=ACCEPTED, **{f"{column}__isnull": False}
        )
        chunks = fetched(rows.order_by().values_list(column, "hour"))
        if self._named:
            return sorted((reversed_name(row[0]).encode(), row[1]) for one in chunks for row in one)
        return sorted((bytes(row[0]), row[1]) for one in chunks for row in one)

    def _of(self, target: Target, days: Sequence[int]) -> list[int]:
        assert self._rows is not None
        if isinstance(target, NetworkTarget):
            low, high = bounds(target)
            earliest = first_hour(days, self._kept)
        else:
            low = reversed_name(target.name).encode()
            high, earliest = low + (b"\xff" if target.whole else b""), 0
        first, last = bisect_left(self._rows, (low,)), bisect_right(self._rows, (high, NEVER))
        return [hour for _, hour in self._rows[first:last] if hour >= earliest]
