"""Sessions with smtpd: refusals at once, everything else when the session ends.

A sighting stands for each refusal, and for each accepted recipient (`messages`).  A session in
which there was none of either gets one of its own when it ends: it says the most telling thing that
happened, an authentication that failed before a breach of protocol before a lost connection, and
the time is that of the line that told it.  An authentication that failed gets one in any case.

A client that came through a proxy (XCLIENT, HAPROXY) is named by later lines of the session than
`connect`: a session of which nothing is known yet takes the client of the line.
"""

import re
from typing import Any

from mailmum.postfix.log.book import (
    MAX_SESSIONS,
    NOTES,
    PARTS,
    Attempt,
    Book,
    Host,
    Message,
    Opened,
    Session,
    attempted,
    sighting,
)
from mailmum.postfix.log.bounds import REASON, client_parts
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.refusals import Refusal, judge, refusal
from mailmum.postfix.log.state import pack_session, unpack_session
from mailmum.traffic.sightings import Outcome

_ENDED = (
    ("lost connection after ", Outcome.LOST),
    ("timeout after ", Outcome.LOST),
    ("too many errors after ", Outcome.PROTOCOL),
    ("improper command pipelining after ", Outcome.PROTOCOL),
)
_LIMIT = re.compile(
    r"(.{1,60}) (?:limit exceeded|rate limit exceeded): \d+ from (\S{1,400}) for service ",
    re.ASCII,
)
_NO_TLS = re.compile(r"Refusing STARTTLS request from (\S{1,400}) for service ", re.ASCII)
_MAX_BEGUN = 100
_MAX_UNSURE = 1 << 12
_CONNECTED, _WARNED, _AUTH_FAILED = Outcome.CONNECTED, Outcome.WARNED, Outcome.AUTH_FAILED
_QUEUE_WAIT = 120.0
_MAX_AGE = 86400.0
# What the server itself could not do is not the client's failure.
_OURS = (
    "connection lost to authentication server",
    "temporary authentication failure",
    "authentication server",
    "no mechanism available",
)


class Sessions:
    """Follows each smtpd from connect to disconnect.

    Attributes:
        unsure: sessions that are over, and wait for the queue manager to have their message or not.
    """

    def __init__(self, book: Book, messages: Messages) -> None:
        self._book = book
        self._messages = messages
        self.unsure: dict[str, tuple[str, str, Session]] = {}

    def connect(self, key: str, line: str) -> None:
        """`connect from NAME[ADDRESS]`: whatever session that process had is over."""
        sessions = self._book.sessions
        if key in sessions:
            self.end(key, sessions.pop(key))
        sessions[key] = line
        if len(sessions) > MAX_SESSIONS:
            self.end_oldest()

    def end_oldest(self) -> None:
        """There are too many: the oldest is over."""
        oldest = next(iter(self._book.sessions))
        self._book.dropped += 1
        self.end(oldest, self._book.sessions.pop(oldest))

    def at(self, key: str, stamp: str, who: str) -> Session:
        """The session of a process with a client."""
        sessions = self._book.sessions
        opened = sessions.get(key)
        session = Session(stamp, who) if opened is None else self._known(opened)
        if who and session.who != who:
            if session.said or session.queue_ids or session.outcome is not Outcome.CONNECTED:
                self.end(key, session)
                session = Session(stamp, who)
            session.who = who
        sessions[key] = session
        return session

    def _known(self, opened: Opened) -> Session:
        """All that is known of a session."""
        if type(opened) is Session:
            return opened
        if type(opened) is str:
            start, _, client = opened.partition(": connect from ")
            return Session(start[: start.find(" ", 15)], client)
        assert isinstance(opened, list)
        if len(opened) > PARTS:
            session = Session(opened[1], opened[2][7:].partition(",")[0])
            session.queue_ids = (opened[3],)
            return session
        read = refusal(opened[2].partition(": ")[2])
        head = opened[0]
        session = Session(head[: head.find(" ", 15)], read[1] if read else "")
        session.said = True
        if read and read[6] is not None:
            session.helo = read[6]
        return session

    def opened(self, key: str, stamp: str, queue_id: str, message: Message) -> None:
        """A message was begun in the session of a process."""
        session = self.at(key, stamp, message[2][7:].partition(",")[0])
        if session.outcome is Outcome.CONNECTED:
            session.stamp = stamp
        if session.helo is not None:
            message.helo = session.helo
        if session.held is not None:
            recipient, message.reason = session.held
            message.queued = True
            message.fates = {recipient: {}} if recipient is not None else None
            session.held = None
        if len(session.queue_ids) < _MAX_BEGUN:
            session.queue_ids += (queue_id,)

    def end(self, key: str, opened: Opened, who: str = "") -> None:
        """A session is over; it is in no table any more.  `who` is whom `disconnect` names."""
        if type(opened) is str:
            self.end_plain([(key, opened, who)])
        elif isinstance(opened, Session) or len(opened) > PARTS:
            session = self._known(opened)
            if who and session.outcome is Outcome.CONNECTED:
                session.who = who
            self._end(key, session)

    def end_plain(self, ended: list[tuple[str, str, str]]) -> None:
        """Many sessions are over of which only the connect line and the end are known."""
        book = self._book
        times, out = book.times, book.sightings
        start, length, place = book.smtpd, len(book.smtpd), book.smtpd_place
        for key, line, who in ended:
            head, _, connected = line.partition(": connect from ")
            stamp = head[: head.find(" ", 15)]
            address, name = client_parts(who or connected)
            host, service = place if key[:length] == start else book.place(key)
            out.append(
                sighting(
                    (
                        times.get(stamp) or book.moment(stamp),
                        host,
                        service,
                        address,
                        name,
                        None,
                        None,
                        None,
                        _CONNECTED,
                        None,
                        None,
                        None,
                        None,
                        None,
                        None,
                        (),
                        None,
                    )
                )
            )

    def _end(self, key: str, session: Session) -> None:
        if session.outcome is _AUTH_FAILED and (session.said or session.queue_ids):
            # Beside its recipients: who tries passwords is to be seen, whatever else he did.
            self._say(key, session)
            return
        if session.said:
            return
        if session.queue_ids:
            host = self._book.host(self._book.place(key)[0])
            unqueued = [one for one in session.queue_ids if self._is_unqueued(host, key, one)]
            if len(unqueued) < len(session.queue_ids):
                return
            # The queue manager's line may come after the client has gone, or never.
            self.unsure[f"{host.name} {unqueued[-1]}"] = (key, unqueued[-1], session)
            if len(self.unsure) > _MAX_UNSURE:
                self.decide_oldest()
            return
        self._say(key, session)

    def _is_unqueued(self, host: Host, key: str, queue_id: str) -> bool:
        # Where another process has begun a message of that id since, this one's is over.
        message = host.open(queue_id)
        return (
            message is not None
            and message[0] == key
            and not message.queued
            and not any(note.startswith(("from=<", "to=<")) for note in message[NOTES:])
        )

    def decide_oldest(self) -> None:
        """The oldest of those that wait for the queue manager has waited long enough."""
        self._decide(next(iter(self.unsure)))

    def _decide(self, unsure: str) -> None:
        key, queue_id, session = self.unsure.pop(unsure)
        host = self._book.host(self._book.place(key)[0])
        if self._is_unqueued(host, key, queue_id):
            del host.fresh[queue_id]
            self._say(key, session)

    def _say(self, key: str, ended: Session) -> None:
        address, name = client_parts(ended.who)
        host, service = self._book.place(key)
        where = (self._book.moment(ended.stamp), host, service, address, name, ended.helo)
        what = (None, None, ended.outcome, ended.code, ended.rbl, None)
        more = (None, None, ended.reason, ended.named, None)
        self._book.sightings.append(sighting(where + what + more))

    def finish(self, attempt: Attempt = attempted) -> None:
        """The log ends: so does every session."""
        for key in list(self.unsure):
            attempt(self._decide, key)
        for key, opened in self._book.sessions.items():
            attempt(self.end, key, opened)
        for key in list(self.unsure):
            attempt(self._decide, key)
        self._book.sessions.clear()

    def advance(self, now: float, attempt: Attempt = attempted) -> None:
        """The log is at this time: what is too old is over."""
        while self.unsure:
            unsure, (_, _, session) = next(iter(self.unsure.items()))
            if self._book.moment(session.stamp) > now - _QUEUE_WAIT:
                break
            attempt(self._decide, unsure)
        sessions = self._book.sessions
        while sessions:
            key, opened = next(iter(sessions.items()))
            if self._book.moment(_stamp(opened)) > now - _MAX_AGE:
                break
            del sessions[key]
            attempt(self.end, key, opened)

    def pack(self) -> list[Any]:
        """What waits for the queue manager, for a dump."""
        return [
            [unsure, key, queue_id, pack_session(session)]
            for unsure, (key, queue_id, session) in self.unsure.items()
        ]

    def unpack(self, state: list[Any]) -> None:
        """Back from a dump."""
        for unsure, key, queue_id, session in state:
            self.unsure[unsure] = (key, queue_id, unpack_session(session))

    # --- what smtpd says -------------------------------------------------------------------

    def refused(
        self, key: str, stamp: str, queue_id: str | None, text: str, *, warned: bool = False
    ) -> bool:
        """`RCPT from ...`, after `reject: ` and its like; whether it was understood."""
        read = refusal(text)
        if read is None:
            return False
        session = self.at(key, stamp, read[1])
        session.said = True
        if read[6] is not None:
            session.helo = read[6]
        self.say_refused(key, stamp, queue_id, (read[0], session.who, *read[2:]), warned=warned)
        return True

    def refused_as(self, key: str, stamp: str, queue_id: str, read: Refusal) -> None:
        """A refusal that was read already."""
        session = self.at(key, stamp, read[1]) if "[" in read[1] else None
        if session is not None:
            session.said = True
        self.say_refused(key, stamp, queue_id, read)

    def say_refused(
        self,
        key: str,
        stamp: str,
        queue_id: str | None,
        read: Refusal,
        *,
        warned: bool = False,
        named: tuple[str, ...] = (),
    ) -> None:
        """One refusal, whose session is seen to; `named`: lists, where it is known which."""
        stage, who, code, reply, sender, recipient, helo = read
        outcome, rbl = judge(stage, code, reply, (recipient, sender, helo))
        if rbl is None:
            named = ()  # it was turned away for something else
        elif named and "." not in rbl:
            rbl = named[0]  # the reply hides which it was
        address, name = client_parts(who)
        host, service = self._book.place(key)
        where = (self._book.moment(stamp), host, service, address, name, helo)
        what = (sender, recipient, _WARNED if warned else outcome, code, rbl, queue_id)
        self._book.sightings.append(sighting((*where, *what, None, None, reply, named, None)))

    def accepted(self, key: str, stamp: str, verb: str, queue_id: str | None, text: str) -> bool:
        """`discard` and `hold`: the client is told that its mail is accepted."""
        read = refusal(text)
        if read is None:
            return False
        session = self.at(key, stamp, read[1])
        if read[6] is not None:
            session.helo = read[6]
        reason = f"{verb}: {read[3]}"[:REASON]
        if verb == "hold":
            session.held = (read[5], reason)
            return True
        session.said = True
        address, name = client_parts(session.who)
        host, service = self._book.place(key)
        where = (self._book.moment(stamp), host, service, address, name, read[6])
        what = (read[4], read[5], Outcome.ACCEPTED, 250, None, queue_id)
        self._book.sightings.append(sighting((*where, *what, None, None, reason, (), None)))
        return True

    def learned(self, key: str, stamp: str, text: str) -> None:
        """A line that turns nothing away, but tells more of the client."""
        read = refusal(text)
        if read is not None and read[6] is not None:
            self.at(key, stamp, read[1]).helo = read[6]

    def ended(self, key: str, stamp: str, text: str) -> bool:
        """`lost connection after RCPT from ...` and the like; whether it is one."""
        for start, outcome in _ENDED:
            if text.startswith(start):
                who = text[len(start) :].partition(" from ")[2]
                who = who[: who.find("]") + 1]
                self.at(key, stamp, who).take(outcome, stamp, text[:REASON])
                return True
        return False

    def warned(self, key: str, stamp: str, text: str) -> None:
        """What smtpd warns of: some of it is about the client's conduct."""
        who, found, why = text.partition(": SASL ")
        if found and "authentication failed" in why:
            if "[" in who and not any(word in why.lower() for word in _OURS):
                self.at(key, stamp, who).take(_AUTH_FAILED, stamp, f"SASL {why}"[:REASON])
        elif text.startswith(("non-SMTP command from ", "Illegal address syntax from ")):
            who = text.partition(" from ")[2]
            who = who[: who.find("]") + 1]
            self.at(key, stamp, who).take(Outcome.PROTOCOL, stamp, text[:REASON])
        elif "limit exceeded: " in text:
            self._limited(key, stamp, text, _LIMIT.match(text))
        elif text.startswith("Refusing STARTTLS"):
            self._limited(key, stamp, text, _NO_TLS.match(text))
        else:
            self.ended(key, stamp, text)

    def _limited(self, key: str, stamp: str, text: str, found: re.Match[str] | None) -> None:
        """Anvil's counts are too high.

        Postfix answers 421 to a connection and after a handshake, 454 to STARTTLS, and 450 to all
        other commands.
        """
        if found is None:
            return
        if found.re is _NO_TLS:
            code = 454
        else:
            code = 421 if found[1].startswith(("Connection", "New TLS")) else 450
        reply = f"{found[found.re.groups]}: {code} {text}"
        self.refused(key, stamp, None, f"{text.partition(' ')[0]} from {reply}")


def _stamp(opened: Opened) -> str:
    if type(opened) is str:
        return opened[: opened.find(" ", 15)]
    if isinstance(opened, Session):
        return opened.stamp
    if len(opened) > PARTS:
        return opened[1]
    return opened[0][: opened[0].find(" ", 15)]
