"""The parameters of a trigger, checked once, here.

    when METRIC reaches THRESHOLD within WINDOW from one GROUP, list it for LIFETIME

Everything that is kept of a trigger and everything that is typed into a form becomes a `Rule`, so
that a rule that exists is one that can be counted.

    >>> rule = Rule(Metric.UNKNOWN, threshold=20, window=600)
    >>> rule.lifetime_of(1), rule.lifetime_of(2), rule.lifetime_of(20)
    (86400, 172800, 2592000)
"""

from dataclasses import dataclass
from enum import StrEnum

from mailmum.domain.errors import BadInput
from mailmum.domain.lifetimes import LONGEST, lifetime_text

DAY = 86_400
LONGEST_WINDOW = 7 * DAY
MOST = 1_000_000
NAMES_LIMIT = 100
"""Lists or trap addresses that a rule may name."""


class Metric(StrEnum):
    """What is counted."""

    RBL = "rbl"
    LISTS = "lists"
    ASKED = "asked"
    UNKNOWN = "unknown-recipients"
    RELAY = "relay"
    AUTH = "auth"
    PROTOCOL = "protocol"
    CONNECTIONS = "connections"
    SCORE = "score"
    TRAP = "trap"

    @property
    def words(self) -> str:
        """What it counts, of several."""
        return _WORDS[self]

    def counted(self, count: int, score: float | None = None) -> str:
        """A count of it, in words; `score` is that from which on messages count.

        >>> Metric.RELAY.counted(1), Metric.TRAP.counted(1), Metric.AUTH.counted(1)
        ('1 relay attempt', '1 message to trap addresses', '1 session with failed logins')
        >>> Metric.AUTH.counted(1200)
        '1,200 sessions with failed logins'
        >>> Metric.SCORE.counted(3, 15.0)
        '3 messages of a spam score of 15 or more'
        """
        if score is not None:
            return (
                f"{count:,} message{'' if count == 1 else 's'} of a spam score of {score:g} or more"
            )
        one = self.words
        for several in ("messages", "rejects", "sessions"):
            one = one.replace(several, several.removesuffix("s"))
        if one == self.words:
            one = one.removesuffix("s")
        return f"{count:,} {one if count == 1 else self.words}"


_WORDS = {
    Metric.RBL: "rejects by public lists",
    Metric.LISTS: "different public lists",
    Metric.ASKED: "asked public lists",
    Metric.UNKNOWN: "unknown recipients",
    Metric.RELAY: "relay attempts",
    # A session is one contact, however many passwords are tried in it.
    Metric.AUTH: "sessions with failed logins",
    Metric.PROTOCOL: "protocol errors",
    Metric.CONNECTIONS: "connections",
    Metric.SCORE: "messages of high spam score",
    Metric.TRAP: "messages to trap addresses",
}


NAMING = (Metric.RBL, Metric.LISTS, Metric.ASKED)
"""Metrics of which only some public lists may count."""
DIFFERENT = (Metric.LISTS, Metric.ASKED)
"""Metrics that count different lists, not contacts."""


def time_text(seconds: int) -> str:
    """A length of time as people write it: days rather than weeks and days.

    >>> time_text(30 * DAY), time_text(7 * DAY), time_text(36 * 3600)
    ('30d', '1w', '1d12h')
    """
    if seconds % DAY == 0 and seconds % (7 * DAY):
        return f"{seconds // DAY}d"
    return lifetime_text(seconds)


class Group(StrEnum):
    """From whom together it is counted, and what is listed then."""

    ADDRESS = "address"
    NETWORK = "network"
    WIDE = "wide"
    DOMAIN = "domain"

    @property
    def words(self) -> str:
        """The group, as "from one ..." goes on."""
        return _GROUPS[self]


_GROUPS = {
    Group.ADDRESS: "address",
    Group.NETWORK: "/24 or /64",
    Group.WIDE: "/24 or /48",
    Group.DOMAIN: "host's domain",
}


class Mode(StrEnum):
    """Whether a trigger counts at all, and whether it lists."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


class Where(StrEnum):
    """Where a listing holds: everywhere, or only where it happened."""

    ACCOUNT = "account"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a trigger counts and what it does; times in seconds.

    Attributes:
        metric: what is counted.
        threshold: how many are enough.
        window: within which time.
        group: from whom together.
        lists: names of public lists that count, none: all.
        score: of the spam filter, from which on a message counts.
        traps: addresses, or `@domain`, that nobody writes to.
        server: number of the server whose contacts count, 0: all.
        where: for the whole account, or for the server where it happened, each counted by itself.
        lifetime: of the first listing.
        growth: how many times longer each further one is, 1: always the same.
        longest: of any.
        quiet: time without a listing after which an offender begins anew.
        merge: so many listed in one network list the network instead, 0: never.
        accepted: who delivered so many accepted messages ...
        days: ... in so many days is never listed; 0 messages: no such exception.
        brake: more listings than that ...
        brake_window: ... in this time stop the trigger; 0 listings: no brake.
    """

    metric: Metric
    threshold: int
    window: int
    group: Group = Group.ADDRESS
    lists: tuple[str, ...] = ()
    score: float | None = None
    traps: tuple[str, ...] = ()
    server: int = 0
    where: Where = Where.ACCOUNT
    lifetime: int = DAY
    growth: int = 2
    longest: int = 30 * DAY
    quiet: int = 30 * DAY
    merge: int = 0
    accepted: int = 5
    days: int = 60
    brake: int = 50
    brake_window: int = 600

    def __post_init__(self) -> None:
        _between("threshold", self.threshold, 1, MOST)
        _between("window", self.window, 1, LONGEST_WINDOW, times=True)
        _between("lifetime", self.lifetime, 60, LONGEST, times=True)
        _between("longest", self.longest, 60, LONGEST, times=True)
        _between("growth", self.growth, 1, 100)
        _between("quiet", self.quiet, 60, LONGEST, times=True)
        _between("accepted", self.accepted, 0, MOST)
        _between("days", self.days, 1, 366)
        _between("brake", self.brake, 0, MOST)
        _between("brake_window", self.brake_window, 1, 7 * DAY, times=True)
        if self.merge:
            _between("merge", self.merge, 2, 256)
        self._check_together()
        self._check_names()

    def lifetime_of(self, times: int) -> int:
        """How long the listing of an offender is that is one for the so-manieth time."""
        if self.growth == 1:
            return self.lifetime
        # Nobody offends a thousand times, but a number of that many bits must not be made either.
        grown: int = self.lifetime * self.growth ** min(times - 1, 64)
        return min(grown, self.longest)

    def _check_together(self) -> None:
        if self.longest < self.lifetime:
            raise BadInput(
                f"the longest lifetime, {time_text(self.longest)}, is shorter than the first, "
                f"{time_text(self.lifetime)}",
                fix="make it as long at least, or the first shorter",
                field="longest",
            )
        if self.group is Group.DOMAIN and self.merge:
            raise BadInput(
                "domains are not merged: there is no network of them to list instead",
                fix="set merge to 0",
                field="merge",
            )
        if self.metric is Metric.ASKED and self.group is Group.DOMAIN:
            raise BadInput(
                "public lists are asked about addresses, not about domains",
                fix="group by address or network",
                field="group",
            )
        if self.metric in DIFFERENT and self.lists and self.threshold > len(self.lists):
            raise BadInput(
                f"{self.threshold} lists are to hit, and only {len(self.lists)} "
                f"{'counts' if len(self.lists) == 1 else 'count'}",
                fix="name more lists, none for all, or lower the threshold",
                field="threshold",
            )

    def _check_names(self) -> None:
        if (self.metric is Metric.SCORE) != (self.score is not None):
            raise BadInput(
                "the spam score from which on messages count is missing"
                if self.score is None
                else "a spam score is for the metric score only",
                fix="write for example 15" if self.score is None else "leave it out",
                field="score",
            )
        if (self.metric is Metric.TRAP) != bool(self.traps):
            raise BadInput(
                "trap addresses are for the metric trap only"
                if self.traps
                else "there is no trap address",
                fix="leave them out" if self.traps else "write for example trap@example.net",
                field="traps",
            )
        if self.lists and self.metric not in NAMING:
            raise BadInput(
                "names of lists are for the metrics rbl, lists and asked only",
                fix="leave them out",
                field="lists",
            )
        for field, names in (("lists", self.lists), ("traps", self.traps)):
            if len(names) > NAMES_LIMIT:
                raise BadInput(f"{len(names)} {field} are too many", fix="name 100", field=field)


def _between(field: str, value: int, least: int, most: int, *, times: bool = False) -> None:
    if least <= value <= most:
        return
    low, high = (time_text(least), time_text(most)) if times else (f"{least}", f"{most:,}")
    given = time_text(value) if times and value >= 0 else f"{value}"
    if most == LONGEST:
        high += ", a hundred years"
    told = f"the {name_of(field)}, {given}, is out of range"
    raise BadInput(told, fix=f"give {low} to {high}{_LEAST.get(field, '')}", field=field)


_LEAST = {
    "growth": "; 1: always as long as the first",
    "merge": ", or 0 for never",
    "accepted": "; 0: nobody is spared for mail",
    "brake": "; 0: no brake",
}
"""What the least of some fields stands for."""


def name_of(field: str) -> str:
    """A field in words.

    >>> name_of("window"), name_of("quiet")
    ('window', 'quiet time')
    """
    return _NAMES.get(field, field)


_NAMES = {
    "longest": "longest lifetime",
    "quiet": "quiet time",
    "accepted": "number of accepted messages",
    "days": "number of days",
    "brake_window": "time of the brake",
    "where": "place of the listing",
    "merge": "number to merge",
}
