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
NOTES = 4
"""Where the notes of a message begin."""
_KEPT = 1 << 12
_MIN_ROOM = 1 << 7

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


Attempt = Callable[..., object]
"""Does something with one thing that is held, `attempt(do, *args)`."""


def attempted(do: Callable[..., object], *args: object) -> None:
    """Do it; what fails, fails."""
    do(*args)


class Session:
    """A connection of a client, from connect to disconnect, of which more is known than that.

    Attributes:
        stamp: of the line that decided the outcome so far.
        who: the client as logged.
        outcome: what it comes to if nothing else was seen.
        code: reply code, if one decided.
        reason: what was said.
        rbl: zone of the list that decided.
        helo: what the client called itself, where a line told it.
        said: whether a sighting stands for it already.
        named: zones of the lists that name the client, where all are known.
        queue_ids: of messages that were begun in it.
        held: recipient and reason, where the next message is to be held.
    """

    held: tuple[str | None, str] | None = None
    outcome: Outcome = Outcome.CONNECTED
    code: int | None = None
    reason: str | None = None
    rbl: str | None = None
    helo: str | None = None
    said: bool = False
    named: tuple[str, ...] = ()
    queue_ids: tuple[str, ...] = ()

    def __init__(self, stamp: str, who: str) -> None:
        self.stamp = stamp
        self.who = who

    def take(self, outcome: Outcome, stamp: str, reason: str, code: int | None = None) -> None:
        """Something happened that tells what the session comes to."""
        if _RANK[outcome] > _RANK[self.outcome]:
            self.outcome = outcome
            self.stamp = stamp
            self.reason = reason
            self.code = code


class Message(list[str]):
    """A message: process, stamp, text and queue id of its first line, then notes not yet read.

    Attributes:
        score, spam: of the spam filter.
        helo: what the client called itself.
        sender: envelope sender.
        reason: why it is held or was discarded.
        queued: whether the queue manager, or a rule that holds or discards, has had it.
        fates: what became of each recipient: by recipient, then by the address it went to.
        told: what was handed out of each recipient; None before anything was.
        parent: the message whose content this one carries on, after a filter or alias.
        children: those that carry on this one, with the recipients that they stand for, and the
            address that each went to.
        message_id: the note that told its Message-ID.
        removed: whether it has left the queue.
        blank: the recipient that was handed out before it had a name.
        adopted: client, name and service, where another line than its own tells them.
    """

    score: float | None = None
    spam: bool | None = None
    helo: str | None = None
    sender: str | None = None
    reason: str | None = None
    queued: bool = False
    fates: dict[str, dict[str, Delivery]] | None = None
    told: dict[str | None, Delivery | None] | None = None
    parent: "Message | None" = None
    children: dict[str, list[tuple[str, str]]] | None = None
    removed: bool = False
    message_id: str | None = None
    blank: str | None = None
    adopted: tuple[str | None, str | None, str | None] | None = None

    @property
    def queue_id(self) -> str:
        """Its queue id."""
        return self[3]


Opened = str | list[str] | Session
"""A session: its connect line if nothing else is known, the parts of a line that refused something
(`[head, "NOQUEUE", text]`), lines of the one message begun in it, or all that is known."""
PARTS = 3
"""How many parts a line has: lists of so many are no messages."""


class Host:
    """One machine's messages.

    Attributes:
        name: as in the lines.
        fresh: messages of which nothing was handed out yet, by queue id; mere lists while there
            are only lines.
        known: those of which something was, followed for news.
        gone: the times of those that a filter may yet tell the score of.
        ids: queue ids by notes of Message-IDs, once a filter was seen to log.
        orphans: re-injected ones that are through before it is known what they carry on.
    """

    __slots__ = ("fresh", "gone", "ids", "known", "name", "orphans")

    def __init__(self, name: str) -> None:
        self.name = name
        self.fresh: dict[str, list[str]] = {}
        self.known: dict[str, Message] = {}
        self.orphans: dict[str, Message] = {}
        self.gone: dict[str, float] = {}
        self.ids: dict[str, str] = {}

    def open(self, queue_id: str | None) -> Message | None:
        """A message of which nothing was handed out yet."""
        lines = self.fresh.get(queue_id) if queue_id is not None else None
        if lines is None or isinstance(lines, Message):
            return lines
        assert queue_id is not None
        message = self.fresh[queue_id] = Message(lines)
        return message

    def take(self, queue_id: str) -> Message | None:
        """The same, out of the table."""
        lines = self.fresh.pop(queue_id, None)
        return lines if lines is None or isinstance(lines, Message) else Message(lines)


class Book:
    """The tables, and the sightings and updates that have come out of them.

    Attributes:
        clock: reads stamps.
        sightings: found since the last time they were taken.
        updates: the same.
        sessions: by process.
        hosts: by name.
        time: that of the line just read, where messages wait for what becomes of them.
        dropped: how often a table was full.
        scoring: whether a spam filter was seen to log.
        room: for how many messages each host has room, so that all have for no more than are kept.
        smtpd: how the keys of most processes begin just now, `mx1 postfix/smtpd[`.
        smtpd_place: and which host and service that is.
        retire: hands out what is left of a host that has to make place.
        early: by queue id, scores of messages that no host here has: their time, and what is told.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sightings: list[Sighting] = []
        self.updates: list[Update] = []
        self.sessions: dict[str, Opened] = {}
        self.hosts: dict[str, Host] = {}
        self.time = 0.0
        self.dropped = 0
        self.scoring = False
        self.room = MAX_MESSAGES
        self.retire: Callable[[Host], None] = lambda _: None
        self.early: dict[str, tuple[float, float, bool | None]] = {}
        self.times: dict[str, float] = {}
        self.smtpd = "\n"
        self.smtpd_place = ("", "")

    def moment(self, stamp: str) -> float:
        """Unix time of a stamp; that of reading where there is no such time."""
        time = self.times.get(stamp)
        if time is None:
            time = self.clock.read(stamp)
            if time is None:
                return self.clock.now
            if len(self.times) >= _KEPT:
                self.times.clear()
            self.times[stamp] = time
        return time

    def place(self, key: str) -> tuple[str, str]:
        """Host and service of a process, `mx1 postfix/submission/smtpd[12]`."""
        if key[: len(self.smtpd)] == self.smtpd:
            return self.smtpd_place
        host, _, tag = key.partition("[")[0].partition(" ")
        return host, tag.partition("/")[2][:NAME]

    def host(self, name: str) -> Host:
        """The tables of a machine."""
        host = self.hosts.get(name)
        if host is None:
            if len(self.hosts) >= MAX_HOSTS:
                self.retire(self.hosts.pop(next(iter(self.hosts))))
                self.dropped += 1
            host = self.hosts[name] = Host(name)
            self.room = max(MAX_MESSAGES // len(self.hosts), _MIN_ROOM)
        return host
