"""The quick lane: lines of a busy log that have one of a handful of shapes.

Nothing is decided here that `router` would decide differently; the same is done with less.  What a
line says is not read before it is needed: a session stays its connect line, a message the list of
its lines, and refusals, ended sessions and messages that are through are read many at a time.

The lane knows lines by what stands before the program, ` mx1 postfix/` behind a stamp of so many
characters: of one host, syslog name and format.  A line that begins otherwise goes the long way,
and after it the lane looks for lines like that one.

Where it could be built, `compiled.lines` does the same much quicker, and this is what it is held
against.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailmum import compiled
from mailmum.postfix.log.book import (
    MAX_SESSIONS,
    NOTES,
    PARTS,
    Book,
    Host,
    Message,
    sighting,
)
from mailmum.postfix.log.bounds import ADDRESS, NOTE, client_parts
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.programs import program
from mailmum.postfix.log.refusals import Usual, judge, usual
from mailmum.postfix.log.sessions import Sessions
from mailmum.traffic.sightings import Delivery, Outcome

NEVER = float("inf")
_NOTE_KINDS = frozenset({"to=", "fro", "mes"})
_NAMED_KINDS = frozenset({"to=", "fro"})
_QUEUED = ("from=<", "to=<")
_TLS = tuple(
    f"{trust} TLS connection established from "
    for trust in ("Anonymous", "Untrusted", "Trusted", "Verified")
)
_PLAIN_FATES = {
    "sent": Delivery.SENT,
    "deferred": Delivery.DEFERRED,
    "bounced": Delivery.BOUNCED,
}
_ACCEPTED = Outcome.ACCEPTED
_MAX_NOTES = NOTES + 12


@dataclass(frozen=True, slots=True)
class Tools:
    """What the compiled loop works with.

    Attributes:
        holding: whether messages wait for what becomes of them.
        most_sessions: how many may be open.
    """

    book: Book
    messages: Messages
    sessions: Sessions
    holding: bool
    most_sessions: int
    sighting: Any = sighting
    judge: Any = judge
    client_parts: Any = client_parts
    program: Any = program
    message_type: type = Message
    accepted: Outcome = Outcome.ACCEPTED
    connected: Outcome = Outcome.CONNECTED
    deliveries: tuple[Delivery, ...] = (Delivery.SENT, Delivery.DEFERRED, Delivery.BOUNCED)
    most_notes: int = _MAX_NOTES


def compiled_loop(book: Book, messages: Messages, sessions: Sessions, *, holding: bool) -> Any:
    """The compiled loop, or None where there is none."""
    lines = compiled.load_lines()
    if lines is None:
        return None
    return lines.Loop(Tools(book, messages, sessions, holding, MAX_SESSIONS))


class Lane:
    """What lines look like just now, and how they are read.

    Attributes:
        at: how long the stamp is.
        prefix: what stands between it and the program; nothing does in the beginning.
        host: whose lines they are.
        until: time in the log up to which nothing has waited long enough to be handed out.
        previous: the line before, which syslog may say was repeated.
    """

    def __init__(self, book: Book, messages: Messages, sessions: Sessions) -> None:
        self._book = book
        self._messages = messages
        self._sessions = sessions
        self.at = 0
        self.prefix = "\n"
        self.host = Host("")
        self.until = NEVER
        self.previous = ""

    def turn_to(self, stamp: str, host: Host, key: str) -> None:
        """Lines like this one are expected from here on."""
        tag = key.partition(" ")[2]
        self.at = len(stamp)
        self.prefix = f" {host.name} {tag.partition('/')[0]}/"
        self.host = host
        self._book.smtpd = f"{self.prefix[1:]}smtpd["
        self._book.smtpd_place = (host.name, "smtpd")

    # Every tenth of a microsecond in this loop is a tenth of all time: so it is one function.
    def read(  # noqa: C901, PLR0912, PLR0915
        self, lines: list[str], long_way: Callable[[str], None]
    ) -> None:
        """Read lines; `long_way` takes those that have no shape."""
        book, host = self._book, self.host
        fresh, sessions = host.fresh, book.sessions
        at, prefix = self.at, self.prefix
        first, end = at + 1, at + len(prefix)
        kinds = _NAMED_KINDS if book.scoring else _NOTE_KINDS
        refused: list[tuple[str, str, Usual]] = []
        ended: list[tuple[str, str, str]] = []
        gone: list[list[str]] = []
        for line in lines:
            if line[at:end] == prefix:
                parts = line.split(": ", 2)
                if len(parts[0]) < end:
                    pass  # what looks like a stamp is none
                elif len(parts) == PARTS:
                    head, word, rest = parts
                    if word in fresh:
                        if rest[:3] in kinds:
                            message = fresh[word]
                            if len(rest) <= NOTE and len(message) < _MAX_NOTES:
                                message.append(rest)
                                continue
                        elif rest == "removed":
                            message = fresh.pop(word)
                            if self._is_plain(message):
                                gone.append(message)
                            else:
                                self._messages.removed(host, _whole(message))
                            continue
                    elif word == "NOQUEUE":
                        if rest[:8] == "reject: " and "/postscreen[" not in head:
                            key = head[first:]
                            opened = sessions.get(key)
                            read = usual(rest)
                            # Of a session with a message, more is known than that.
                            if read is not None and (
                                opened is None
                                or type(opened) is str
                                or (type(opened) is list and len(opened) == PARTS)
                            ):
                                sessions[key] = parts
                                refused.append((key, head[:at], read))
                                continue
                    elif rest[:7] == "client=":
                        key = head[first:]
                        opened = sessions.get(key)
                        # Of a client that was refused something before, the HELO is known.
                        if ", " not in rest and (
                            opened is None
                            or type(opened) is str
                            or (
                                type(opened) is list
                                and len(opened) == PARTS
                                and rest[7:] not in opened[2]
                            )
                        ):
                            sessions[key] = fresh[word] = [key, head[:at], rest, word]
                            if len(fresh) > book.room:
                                self._messages.make_room(host)
                        else:
                            begun = self._messages.opened(host, word, key, head[:at], rest)
                            self._sessions.opened(key, head[:at], word, begun)
                        continue
                    elif word[-1:] == "]" and word.startswith(_TLS) and "/smtpd[" in head:
                        continue
                else:
                    word = parts[-1]
                    if word[:13] == "connect from ":
                        key = parts[0][first:]
                        opened = sessions.pop(key, None)
                        if opened is not None:
                            if type(opened) is str:
                                ended.append((key, opened, ""))
                            elif type(opened) is not list or len(opened) > PARTS:
                                self._sessions.end(key, opened)
                        sessions[key] = line
                        if len(sessions) > MAX_SESSIONS:
                            self._sessions.end_oldest()
                        continue
                    if word[:16] == "disconnect from ":
                        key = parts[0][first:]
                        if key in sessions:
                            opened = sessions.pop(key)
                            if type(opened) is str:
                                ended.append((key, opened, word[16:].partition(" ")[0]))
                            # Without notes the last is the queue id, whatever that looks like.
                            elif type(opened) is not list or (
                                len(opened) == NOTES
                                or (len(opened) > NOTES and not opened[-1].startswith(_QUEUED))
                            ):
                                self._sessions.end(key, opened, word[16:].partition(" ")[0])
                        continue
                    if word[:22] == "lost connection after ":
                        self._sessions.ended(parts[0][first:], parts[0][:at], word)
                        continue
            long_way(line)
            if self.host is not host or self.prefix != prefix or self.at != at:
                self._say_usual(refused)
                self._give_plain(host.name, gone)
                refused, gone = [], []
                host, at, prefix = self.host, self.at, self.prefix
                fresh, first, end = host.fresh, at + 1, at + len(prefix)
            kinds = _NAMED_KINDS if book.scoring else _NOTE_KINDS
        self._say_usual(refused)
        self._give_plain(host.name, gone)
        self._sessions.end_plain(ended)

    def _say_usual(self, refused: list[tuple[str, str, Usual]]) -> None:
        """Many refusals at once, whose sessions are seen to."""
        book = self._book
        times, out = book.times, book.sightings
        start, length, place = book.smtpd, len(book.smtpd), book.smtpd_place
        for key, stamp, (code, reply, who, sender, recipient, helo) in refused:
            outcome, rbl = judge("RCPT", code, reply, (recipient, sender, helo))
            address, name = client_parts(who)
            host, service = place if key[:length] == start else book.place(key)
            out.append(
                sighting(
                    (
                        times.get(stamp) or book.moment(stamp),
                        host,
                        service,
                        address,
                        name,
                        helo,
                        sender,
                        recipient,
                        outcome,
                        code,
                        rbl,
                        None,
                        None,
                        None,
                        reply,
                        (),
                        None,
                    )
                )
            )

    def _is_plain(self, lines: list[str]) -> bool:
        """Whether the usual was said about a message that is removed, and only that."""
        if len(lines) != NOTES + 3 or type(lines) is not list:
            return False
        _, _, client, queue_id, told, sender, to = lines
        end = to.find(">, ", 4)
        return (
            to[:4] == "to=<"
            and to[end : end + 9] == ">, relay="
            and " as " not in to
            and ">, size=" in sender
            and ", " not in client
            and told[:3] == "mes"
            and queue_id not in self._book.early
            and client_parts(client[7:])[0] not in self._messages.filters
        )

    def _give_plain(self, host: str, messages: list[list[str]]) -> None:
        """Hand out many of those at once."""
        book = self._book
        times, out = book.times, book.sightings
        start, length, place = book.smtpd, len(book.smtpd), book.smtpd_place
        for lines in messages:
            key, stamp, client, queue_id, _, sender, to = lines
            end = to.find(">, ", 4)
            at = to.find(" status=", end)
            delivery = _PLAIN_FATES.get(to[at + 8 :].partition(" ")[0]) if at > 0 else None
            if delivery is None or sender[:6] != "from=<":
                self._messages.removed(book.host(host), Message(lines))
                continue
            address, name = client_parts(client[7:])
            out.append(
                sighting(
                    (
                        times.get(stamp) or book.moment(stamp),
                        host,
                        (place if key[:length] == start else book.place(key))[1],
                        address,
                        name,
                        None,
                        sender[6 : sender.rfind(">, ")][:ADDRESS],
                        to[4:end][:ADDRESS],
                        _ACCEPTED,
                        250,
                        None,
                        queue_id,
                        delivery,
                        None,
                        None,
                        (),
                        None,
                    )
                )
            )


def _whole(lines: list[str]) -> Message:
    return lines if isinstance(lines, Message) else Message(lines)
