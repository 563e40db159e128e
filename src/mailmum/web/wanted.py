"""What the address of the page Listings asks for.

    ?q=203.0.113.7&action=block&source=person&source=feed&server=mx1&state=ended
    ?idle=30      people's listings without a hit in so many days, to review
    ?older=365    made longer ago than so many days

Unknown values are as if they were not there.
"""

import time
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict

from mailmum.control.accounts.access import Reading
from mailmum.control.listings.bulk import Chosen
from mailmum.control.listings.queries import Filter
from mailmum.control.monitor.hits import all_stale
from mailmum.control.servers.queries import find_server
from mailmum.domain.listings import Action, Source

ACCOUNT_ONLY = "account"
ENDED, OFF = "ended", "off"
SOURCES = ((Source.PERSON, "People"), (Source.TRIGGER, "Triggers"), (Source.FEED, "Feeds"))
DAY = 86_400
IDLE_DAYS = (30, 90, 365)
OLDER_DAYS = (30, 90, 365)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The fields; `idle` and `older` are days, 0 for any."""

    q: str = ""
    action: str = ""
    source: tuple[str, ...] = ()
    server: str = ""
    state: str = ""
    idle: int = 0
    older: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is filtered at all."""
        return bool(self.query)

    @property
    def query(self) -> str:
        """The address's part behind the question mark."""
        pairs = [(name, getattr(self, name)) for name in self.__slots__]
        return urlencode([(name, value) for name, value in pairs if value], doseq=True)

    def filter(self, access: Reading) -> Filter:
        """The same for the control plane."""
        account_only = self.server == ACCOUNT_ONLY
        number = find_server(access, self.server).pk if self.server and not account_only else None
        return Filter(
            server=0 if account_only else number,
            own_only=account_only,
            action=self.action,
            sources=self.source,
            expired=self.state == ENDED,
            off=self.state == OFF,
            before=int(time.time()) - self.older * DAY if self.older else None,
        )

    def stale_filter(self, access: Reading) -> Filter:
        """Of people unless others are asked for: what a feed lists is the feed's to clear."""
        filtered = self.filter(access)
        return filtered if filtered.sources else replace(filtered, sources=(Source.PERSON.value,))

    def chosen(self, access: Reading, upto: int | None = None) -> Chosen:
        """All that fit, as far as there were so many; see `control.listings.bulk`."""
        if self.idle:
            # Which these are changes with each hit: they are chosen one by one.
            found = all_stale(access, self.stale_filter(access), text=self.q, days=self.idle)
            return Chosen(numbers=tuple(one.number for one in found))
        return Chosen(text=self.q, wanted=replace(self.filter(access), upto=upto))


def wanted_of(data: QueryDict, servers: list[str]) -> Wanted:
    """The filter that an address or a form asks for."""
    actions = {value for value in data.getlist("action") if value in set(Action)}
    sources = [value for value, _ in SOURCES if value in data.getlist("source")]
    server, state = data.get("server", ""), data.get("state", "")
    return Wanted(
        q=data.get("q", "").strip(),
        action=actions.pop() if len(actions) == 1 else "",
        source=() if len(sources) == len(SOURCES) else tuple(map(str, sources)),
        server=server if server in {ACCOUNT_ONLY, *servers} else "",
        state=state if state in {ENDED, OFF} else "",
        idle=_days(data.get("idle", ""), 365),
        older=_days(data.get("older", ""), 3650),
    )


def _days(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return 0
    return min(int(text), most)
