"""postscreen: what happens before a client may talk to smtpd.

One process serves many clients, so a session is known by the client's address and port.  A client
that passes is handed to an smtpd, which logs a session of its own: here it leaves no sighting, save
one that would have been turned away had a test been enforced (`postscreen_dnsbl_action = ignore`).

    PREGREET, COMMAND PIPELINING, BARE NEWLINE, ...    breach of protocol
    HANGUP                                             lost
    DNSBL rank N, DENYLISTED                           a list decided; refused unless it passes
    NOQUEUE: reject: ...                               refused, as in smtpd

dnsblog, which asks the lists for it, names those that an address is on: all of them, while smtpd
asks one after the other and stops at the first that rejects.
"""

import re
from typing import Any

from mailmum.postfix.log.book import Book, Session
from mailmum.postfix.log.bounds import REASON, client_address
from mailmum.postfix.log.refusals import refusal
from mailmum.postfix.log.sessions import Sessions
from mailmum.traffic.sightings import Outcome

_CLIENT = re.compile(r"\[([^\]]{1,64})\]:\d{1,5}(?=$|[ :])", re.ASCII)
_LISTED = re.compile(
    r"addr (\S{1,64}) (?:listed|blocked) by domain ([^\s/]{1,255})(?: |$)", re.ASCII
)
_MAX_LISTED = 1 << 12
_MAX_LISTS = 16
_SHARED = 60.0
_BREACHES = (
    "PREGREET ",
    "COMMAND PIPELINING ",
    "COMMAND TIME LIMIT ",
    "COMMAND COUNT LIMIT ",
    "COMMAND LENGTH LIMIT ",
    "NON-SMTP COMMAND ",
    "BARE NEWLINE ",
)
_LISTS = ("DNSBL rank ", "DENYLISTED ", "BLACKLISTED ")
_HANDED_OVER = ("PASS ", "ALLOWLISTED ", "WHITELISTED ")
_QUIET = ("ALLOWLIST VETO ", "WHITELIST VETO ")


class Screen:
    """Follows the sessions of postscreen."""

    def __init__(self, book: Book, sessions: Sessions) -> None:
        self._book = book
        self._sessions = sessions
        self.listed: dict[str, dict[str, float]] = {}

    def listed_by(self, host: str, stamp: str, text: str) -> bool:
        """`addr 192.0.2.1 listed by domain rbl.example as 127.0.0.2`, of dnsblog."""
        found = _LISTED.match(text)
        if found is None:
            return False
        key = f"{host} {client_address(found[1])}"
        zones = self.listed.setdefault(key, {})
        zone = found[2].rstrip(".").lower()
        if zone in zones or len(zones) < _MAX_LISTS:
            zones[zone] = self._book.moment(stamp)
        if len(self.listed) > _MAX_LISTED:
            del self.listed[next(iter(self.listed))]
        return True

    def unpack(self, listed: dict[str, Any]) -> None:
        """Back from a dump; those of before had no times."""
        self.listed.update((key, one) for key, one in listed.items() if isinstance(one, dict))

    def said(self, key: str, stamp: str, text: str) -> bool:
        """A line of postscreen; whether it was understood."""
        if text.startswith("NOQUEUE: reject: "):
            return self._refused(key, stamp, text[17:])
        found = _CLIENT.search(text)
        if found is None:
            return False
        mine = self._key(key, found[0])
        if text.startswith("CONNECT from "):
            self._book.sessions.pop(mine, None)
            self._sessions.at(mine, stamp, found[0])
        elif text.startswith(_HANDED_OVER):
            self._passed(mine)
        elif text.startswith("DISCONNECT "):
            self._left(mine)
        elif not text.startswith(_QUIET):
            return self._happened(self._sessions.at(mine, stamp, found[0]), key, stamp, text)
        return True

    def _happened(self, session: Session, key: str, stamp: str, text: str) -> bool:
        if text.startswith("HANGUP "):
            if session.outcome is Outcome.WARNED:
                session.outcome, session.rbl, session.named = Outcome.CONNECTED, None, ()
            session.take(Outcome.LOST, stamp, text[:REASON])
        elif text.startswith(_BREACHES):
            session.take(Outcome.PROTOCOL, stamp, text[:REASON])
        elif text.startswith(_LISTS):
            session.take(Outcome.WARNED, stamp, text[:REASON])
            session.named = self._named(key, session)
            session.rbl = session.named[0] if session.named else None
        else:
            return False
        return True

    def _key(self, key: str, client: str) -> str:
        """The process `mx1 postfix/postscreen[12]`, with `[192.0.2.1]:40000` for its number."""
        host, _, tag = key.partition(" ")
        return f"{host} {tag.partition('[')[0]}{client}"

    def _named(self, key: str, session: Session) -> tuple[str, ...]:
        """The lists that name a client as of this session."""
        address = client_address(session.who[1:].partition("]")[0])
        zones = self.listed.get(f"{key.partition(' ')[0]} {address}", {})
        # A session that is begun while another waits for the lists shares what they say.
        since = self._book.moment(session.stamp) - _SHARED
        return tuple(zone for zone, time in zones.items() if time >= since)

    def _passed(self, mine: str) -> None:
        session = self._book.sessions.pop(mine, None)
        if isinstance(session, Session) and session.outcome in (Outcome.WARNED, Outcome.PROTOCOL):
            session.outcome = Outcome.WARNED
            self._sessions.end(mine, session)

    def _left(self, mine: str) -> None:
        session = self._book.sessions.pop(mine, None)
        if isinstance(session, Session):
            if session.outcome is Outcome.WARNED:
                session.outcome = Outcome.REJECTED
            self._sessions.end(mine, session)

    def _refused(self, key: str, stamp: str, text: str) -> bool:
        read = refusal(text)
        if read is None:
            return False
        if read[2] is None:  # "too many connections", "all server ports busy": it answers 421
            read = (*read[:2], 421, *read[3:])
        mine = self._key(key, read[1])
        session = self._sessions.at(mine, stamp, read[1])
        session.said = True
        self._sessions.say_refused(mine, stamp, None, read, named=session.named)
        return True
