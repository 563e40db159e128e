"""Whose mail listings would have hit: the clients among them of whom mail was accepted.

All listings are looked at, not only the first: of ten thousand each may be the customer.  Addresses
are asked for many at once; networks and domains one by one, for there are few of them.  Mail for
which a rule lists them, as for spam that was accepted, is no mail that a listing would have hit.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connections

from mailmum.control.traffic.clients import target_of
from mailmum.control.traffic.models import ClientDay
from mailmum.control.traffic.router import traffic_database
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.mail import accepted_by, accepted_by_day
from mailmum.domain.targets import NameTarget, NetworkTarget, Target
from mailmum.traffic.codes import OUTCOMES
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome

_ACCEPTED = OUTCOMES[Outcome.ACCEPTED]
_STEP = 1000


class Harm:
    """Clients with accepted mail, as they are found.

    Args:
        account: number of the account.
        since, until: from one day to before another.
        guard: who may know of many by now.
    """

    def __init__(self, account: int, since: int, until: int, guard: AccountGuard) -> None:
        self._account, self._since, self._until, self._guard = account, since, until, guard
        self._found: dict[str, dict[str, Any]] = {}
        self._evidence: Counter[bytes] | None = None

    @property
    def hits(self) -> list[dict[str, Any]]:
        """Who was found, and how many messages; those with the most first."""
        return sorted(self._found.values(), key=lambda one: (-one["accepted"], one["client"]))

    def look(self, targets: Iterable[Target]) -> Iterator[float]:
        """Look for those that listings of these targets hit; how much is done, now and then."""
        wanted = list(dict.fromkeys(targets))
        for at in range(0, len(wanted), _STEP):
            self._look(wanted[at : at + _STEP])
            yield min((at + _STEP) / len(wanted), 1.0)

    def _look(self, targets: list[Target]) -> None:
        single: list[bytes] = []
        for one in targets:
            if isinstance(one, NameTarget):
                days = accepted_by_day(self._account, one, self._since, self._until)
                self._note(one.text, sum(many for _, many in days), one.text)
            elif one.prefix == one.bits:
                self._one(one, single)
            else:
                for client, many in self._inside(one):
                    self._note_client(client, many, one.text, network=True)
        sums: Counter[bytes] = Counter()
        for _, client, many in accepted_by(self._account, single, self._since, self._until):
            sums[client] += many
        for client, many in sums.items():
            self._note_client(client, many)

    def _one(self, target: NetworkTarget, unknown: list[bytes]) -> None:
        days = self._guard.foreseen(target)
        if days is None:
            unknown.append(bounds(target)[0])
        elif days:
            many = sum(many for day, many in days if self._since <= day < self._until)
            self._note_client(bounds(target)[0], many, target.text)

    def _note_client(
        self, client: bytes, accepted: int, target: str = "", *, network: bool = False
    ) -> None:
        if self._evidence is None:
            self._evidence = self._guard.counted_mail(self._since, self._until)
        text = target_of(client).text if network or not target else target
        self._note(text, max(accepted - self._evidence[client], 0), target or text)

    def _note(self, client: str, accepted: int, target: str) -> None:
        # What lists the client alone tells more than the network around it.
        if accepted and (client == target or client not in self._found):
            self._found[client] = {"client": client, "accepted": accepted, "target": target}

    def _inside(self, network: NetworkTarget) -> Iterator[tuple[bytes, int]]:
        """Clients in a network, and how many messages of each were accepted."""
        connection = connections[traffic_database()]
        table = connection.ops.quote_name(ClientDay._meta.db_table)
        days = ", ".join(map(str, range(self._since, self._until, DAY)))
        statement = f"""
            SELECT client, CAST(SUM(count) AS bigint) FROM {table} WHERE account = %s
            AND start IN ({days}) AND client >= %s AND client <= %s AND outcome = %s
            GROUP BY client
        """  # noqa: S608 (names of our own, and whole numbers)
        with connection.cursor() as cursor:
            cursor.execute(statement, [self._account, *bounds(network), _ACCEPTED])
            for client, many in cursor.fetchall():
                yield bytes(client), many
