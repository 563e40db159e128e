"""What is open: sessions by process, messages by queue id, and what was found so far.

Lines are joined by the process id (one smtpd serves one client at a time) and by the queue id, both
of one host; both are used again and again, so a new `connect` ends the session before it, and a new
`client=` the message before it.

Most sessions and messages are ordinary, and there are millions.  Until something asks for more, a
session is its connect line, and a message the list of its lines: they are read once, when they end.

Tables are bounded.  What is oldest goes out first, handed out as far as it is known, and counted.
"""

from collections.abc import Callable
from functools import partial

from mailmum.postfix.log.bounds import NAME
from mailmum.postfix.log.clock import Clock
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Update

MAX_SESSIONS = 1 << 16
MAX_MESSAGES = 1 << 15
MAX_WAITING = 1 << 13
MAX_HOSTS = 256

sighting: Callable[[tuple[object, ...]], Sighting] = partial(tuple.__new__, Sighting)
"""A sighting from all its fields in order, twice as quick as by calling the class."""

# What tells more about a session wins; of two that tell as much, the first.
_RANK = {
    Outcome.CONNECTED: 0,
    Outcome.LOST: 1,
    Outcome.PROTOCOL: 2,
    Outcome.AUTH_FAILED: 3,
    Outcome.WARNED: 4,
    Outcome.DEFERRED: 5,
    Outcome.REJECTED: 5,
}


class Session:
    """A connection of a client, from connect to disconnect.

    Attributes:
        head: of the line that decided the outcome so far.
        who: the client as logged.
        outcome: what it comes to if nothing else was seen.
        code: reply code, if one decided.
        reason: what was said.
        rbl: zone of the list that decided.
        helo: what the client called itself, where a line told it.
        said: whether a sighting stands for it already.
        queue_ids: of messages that were begun in it.
    """

    __slots__ = ("code", "head", "helo", "outcome", "queue_ids", "rbl", "reason", "said", "who")

    def __init__(self, head: str, who: str) -> None:
        self.head = head
        self.who = who
        self.outcome = Outcome.CONNECTED
        self.code: int | None = None
        self.reason: str | None = None
        self.rbl: str | None = None
        self.helo: str | None = None
        self.said = False
        self.queue_ids: list[str] = []

    def take(self, outcome: Outcome, head: str, reason: str, code: int | None = None) -> None:
        """Something happened that tells what the session comes to."""
        if _RANK[outcome] > _RANK[self.outcome]:
            self.outcome = outcome
            self.head = head
            self.reason = reason
            self.code = code


class Message(list[str]):
    """A message: the line that gave its queue id, and notes not yet read; first its own attributes.

    Attributes:
        score: of the spam filter.
        helo: what the client called itself.
        sender: envelope sender.
        reason: why it is held or was discarded.
        queued: whether the queue manager, or a rule that holds or discards, has had it.
        fates: what became of each recipient: by recipient, then by the address it went to.
        told: what was handed out of each recipient; None before anything was.
        parent: the message whose content this one carries on, after a filter or alias.
        children: those that carry on this one, with the recipients that they stand for.
        removed: whether it has left the queue.
        adopted: client, name and service, where another line than its own tells them.
        queue_id: where no line gave it.
    """

    score: float | None = None
    helo: str | None = None
    sender: str | None = None
    reason: str | None = None
    queued: bool = False
    fates: dict[str, dict[str, Delivery]] | None = None
    told: dict[str | None, Delivery | None] | None = None
    parent: "Message | None" = None
    children: "dict[str, list[str]] | None" = None
    removed: bool = False
    adopted: tuple[str, str | None, str | None] | None = None
    queue_id: str = ""


class Host:
    """One machine's messages.

    Attributes:
        name: as in the lines.
        fresh: messages of which nothing was handed out yet, by queue id.
        known: those of which something was, followed for news.
        orphans: re-injected ones that are through before it is known what they carry on.
    """

    __slots__ = ("fresh", "known", "name", "orphans")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fresh: dict[str, Message] = {}
        self.known: dict[str, Message] = {}
        self.orphans: dict[str, Message] = {}


class Book:
    """The tables, and the sightings and updates that have come out of them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sightings: list[Sighting] = []
        self.updates: list[Update] = []
        self.sessions: dict[str, str | Session] = {}
        self.hosts: dict[str, Host] = {}
        self.time = 0.0
        self.dropped = 0
        self._stamp = ""

    def moment(self, head: str) -> float:
        """Unix time of a line by its head; that of another line where it has none."""
        stamp = head[: head.find(" ", 15)]
        if stamp != self._stamp:
            time = self.clock.read(stamp)
            if time is not None:
                self.time = time
                self._stamp = stamp
        return self.time

    def host(self, name: str) -> Host:
        """The tables of a machine."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = Host(name)
        return host


def service_of(head: str) -> str:
    """The service of a head, without the prefix: `smtpd`, `submission/smtpd`.

    >>> service_of("Nov 25 10:00:07 mx1 postfix/submission/smtpd[12]")
    'submission/smtpd'
    """
    tag = head[head.rfind(" ") + 1 :]
    return tag.partition("/")[2].partition("[")[0][:NAME]


def host_of(head: str) -> str:
    """The machine of a head."""
    return head[head.find(" ", 15) + 1 : head.rfind(" ")]
