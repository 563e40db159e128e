"""Sessions with smtpd: refusals at once, everything else when the session ends.

A sighting stands for each refusal, and for each accepted recipient (`messages`).  A session in
which there was none of either gets one of its own when it ends: it says the most telling thing that
happened, an authentication that failed before a breach of protocol before a lost connection, and
the time is that of the line that told it.

A client that came through a proxy (XCLIENT, HAPROXY) is named by later lines of the session than
`connect`: a session of which nothing is known yet takes the client of the line.
"""

import re
from typing import Any

from mailmum.postfix.log.book import (
    MAX_SESSIONS,
    Book,
    Host,
    Session,
    host_of,
    service_of,
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
# What the server itself could not do is not the client's failure.
_QUEUE_WAIT = 120.0
_MAX_AGE = 86400.0
_OURS = (
    "connection lost to authentication server",
    "temporary authentication failure",
    "authentication server",
    "no mechanism available",
)


class Sessions:
    """Follows each smtpd from connect to disconnect."""

    def __init__(self, book: Book, messages: Messages) -> None:
        self._book = book
        self._messages = messages
        self._unsure: dict[str, tuple[Host, str, Session]] = {}

    def connect(self, key: str, line: str) -> None:
        """`connect from NAME[ADDRESS]`: whatever session that process had is over."""
        sessions = self._book.sessions
        if key in sessions:
            self.end(key, sessions.pop(key))
        sessions[key] = line
        if len(sessions) > MAX_SESSIONS:
            oldest = next(iter(sessions))
            self._book.dropped += 1
            self.end(oldest, sessions.pop(oldest))

    def at(self, key: str, head: str, who: str) -> Session:
        """The session of a process with a client."""
        sessions = self._book.sessions
        opened = sessions.get(key)
        if type(opened) is str:
            start, _, said = opened.partition(": ")
            opened = sessions[key] = Session(start, said.removeprefix("connect from "))
        if opened is None or type(opened) is str:
            opened = sessions[key] = Session(head, who)
        elif who and opened.who != who:
            if opened.said or opened.outcome is not Outcome.CONNECTED or opened.queue_ids:
                self.end(key, opened)
                opened = sessions[key] = Session(head, who)
            opened.who = who
        return opened

    def end(self, key: str, opened: str | Session) -> None:
        """A session is over; it is in no table any more."""
        if type(opened) is str:
            head, _, said = opened.partition(": ")
            address, name = client_parts(said.removeprefix("connect from "))
            self._book.sightings.append(
                sighting(
                    (
                        self._book.moment(head),
                        host_of(head),
                        service_of(head),
                        address,
                        name,
                        None,
                        None,
                        None,
                        Outcome.CONNECTED,
                        None,
                        None,
                        None,
                        None,
                        None,
                        None,
                    )
                )
            )
            return
        assert isinstance(opened, Session)
        if opened.queue_ids and not opened.said:
            host = self._book.host(host_of(opened.head))
            open_ids = [one for one in opened.queue_ids if self._is_unqueued(host, one)]
            if len(open_ids) == len(opened.queue_ids):
                self._wait(host, open_ids[-1], opened)
                return
        elif not opened.said:
            self._say(opened)

    def _is_unqueued(self, host: Host, queue_id: str) -> bool:
        message = host.fresh.get(queue_id)
        return (
            message is not None
            and not message.queued
            and not any(note.startswith(("from=<", "to=<")) for note in message[1:])
        )

    def _wait(self, host: Host, queue_id: str, ended: Session) -> None:
        """The queue manager's line may come after the client has gone, or never."""
        self._unsure[f"{host.name} {queue_id}"] = (host, queue_id, ended)
        if len(self._unsure) > 1 << 12:
            self._decide(next(iter(self._unsure)))

    def _decide(self, key: str) -> None:
        host, queue_id, ended = self._unsure.pop(key)
        if self._is_unqueued(host, queue_id):
            del host.fresh[queue_id]
            self._say(ended)

    def _say(self, ended: Session) -> None:
        head = ended.head
        address, name = client_parts(ended.who)
        self._book.sightings.append(
            sighting(
                (
                    self._book.moment(head),
                    host_of(head),
                    service_of(head),
                    address,
                    name,
                    ended.helo,
                    None,
                    None,
                    ended.outcome,
                    ended.code,
                    ended.rbl,
                    None,
                    None,
                    None,
                    ended.reason,
                )
            )
        )

    def finish(self) -> None:
        """The log ends: so does every session."""
        for key in list(self._unsure):
            self._decide(key)
        for key, opened in self._book.sessions.items():
            self.end(key, opened)
        for key in list(self._unsure):
            self._decide(key)
        self._book.sessions.clear()

    def advance(self, now: float) -> None:
        """The log is at this time: what is too old is over."""
        while self._unsure:
            key, (_, _, ended) = next(iter(self._unsure.items()))
            if self._book.moment(ended.head) > now - _QUEUE_WAIT:
                break
            self._decide(key)
        sessions = self._book.sessions
        while sessions:
            key, opened = next(iter(sessions.items()))
            head = opened.partition(": ")[0] if isinstance(opened, str) else opened.head
            if self._book.moment(head) > now - _MAX_AGE:
                break
            del sessions[key]
            self.end(key, opened)

    def pack(self) -> list[Any]:
        """What waits for the queue manager, for a dump."""
        return [
            [key, host.name, queue_id, pack_session(ended)]
            for key, (host, queue_id, ended) in self._unsure.items()
        ]

    def unpack(self, state: list[Any]) -> None:
        """Back from a dump."""
        for key, host, queue_id, ended in state:
            self._unsure[key] = (self._book.host(host), queue_id, unpack_session(ended))

    # --- what smtpd says -------------------------------------------------------------------

    def refused(
        self, key: str, head: str, queue_id: str | None, text: str, *, warned: bool = False
    ) -> bool:
        """`RCPT from ...`, after `reject: ` and its like; whether it was understood."""
        refused = refusal(text)
        if refused is None:
            return False
        session = self.at(key, head, refused.who)
        session.said = True
        if refused.helo is not None:
            session.helo = refused.helo
        outcome, rbl = judge(refused)
        self.say_refused(
            head, session.who, queue_id, refused, Outcome.WARNED if warned else outcome, rbl
        )
        return True

    def say_refused(
        self,
        head: str,
        who: str,
        queue_id: str | None,
        refused: Refusal,
        outcome: Outcome,
        rbl: str | None,
    ) -> None:
        """A sighting for one refusal."""
        address, name = client_parts(who)
        book = self._book
        book.sightings.append(
            sighting(
                (
                    book.moment(head),
                    host_of(head),
                    service_of(head),
                    address,
                    name,
                    refused.helo,
                    refused.sender,
                    refused.recipient,
                    outcome,
                    refused.code,
                    rbl,
                    queue_id,
                    None,
                    None,
                    refused.reply,
                )
            )
        )

    def learned(self, key: str, head: str, text: str) -> None:
        """A line that turns nothing away, but tells more of the client."""
        told = refusal(text)
        if told is not None:
            session = self.at(key, head, told.who)
            if told.helo is not None:
                session.helo = told.helo

    def ended(self, key: str, head: str, text: str) -> bool:
        """`lost connection after RCPT from ...` and the like; whether it is one."""
        for start, outcome in _ENDED:
            if text.startswith(start):
                who = text[len(start) :].partition(" from ")[2]
                who = who[: who.find("]") + 1]
                self.at(key, head, who).take(outcome, head, text[:REASON])
                return True
        return False

    def warned(self, key: str, head: str, text: str) -> None:
        """What smtpd warns of: some of it is about the client's conduct."""
        who, found, why = text.partition(": SASL ")
        if found and "authentication failed" in why:
            if "[" in who and not any(word in why.lower() for word in _OURS):
                self.at(key, head, who).take(
                    Outcome.AUTH_FAILED, head, f"SASL {why}"[:REASON], None
                )
            return
        if text.startswith(("non-SMTP command from ", "Illegal address syntax from ")):
            who = text.partition(" from ")[2]
            who = who[: who.find("]") + 1]
            self.at(key, head, who).take(Outcome.PROTOCOL, head, text[:REASON])
            return
        limit = _LIMIT.match(text)
        if limit is not None:
            code = 421 if limit[1].startswith("Connection") else 450
            session = self.at(key, head, limit[2])
            session.said = True
            self.say_refused(
                head,
                limit[2],
                None,
                Refusal("", limit[2], code, text[:REASON], None, None, session.helo),
                Outcome.DEFERRED,
                None,
            )
            return
        self.ended(key, head, text)
