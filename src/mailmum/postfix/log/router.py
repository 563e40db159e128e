"""What each line means: from the text of a line to what becomes of sessions and messages."""

import re

from mailmum.postfix.log.book import Book, Host, Message
from mailmum.postfix.log.bounds import REASON
from mailmum.postfix.log.marks import refused_for, scored
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.programs import is_known_warning, is_quiet, is_quiet_about_message
from mailmum.postfix.log.refusals import checked, refusal
from mailmum.postfix.log.scores import FILTERS, Scores
from mailmum.postfix.log.screen import Screen
from mailmum.postfix.log.sessions import Sessions

_NOTE_KINDS = frozenset({"to=", "fro", "mes"})
"""How notes begin that can wait until a message is read: recipients, sender, Message-ID."""

# Short: microseconds and inode in hexadecimal; long: digits and consonants.
_QUEUE_ID = re.compile(r"[0-9A-F]{5,40}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,40}", re.ASCII)
_REFUSALS = frozenset({"reject", "milter-reject", "proxy-reject"})
_ACCEPTING = frozenset({"discard", "hold", "milter-discard", "milter-hold"})
_TELLING = frozenset(
    {"filter", "redirect", "warn", "prepend", "permit", "bcc", "info", "trigger", "delay", "dunno"}
)
_SESSION = ("connect from ", "disconnect from ", "lost connection after ")
# What tlsproxy says of the sessions of postscreen that it encrypts.
_PROXIED = ("CONNECT ", "DISCONNECT ")
_SCREENING = frozenset({"postscreen", "dnsblog", "tlsproxy"})
_CHECKED = ("header ", "body ", "content ", "mime-header ", "nested-header ")


class Router:
    """Reads lines of mail programs."""

    def __init__(self, book: Book, messages: Messages, sessions: Sessions) -> None:
        self._book = book
        self._messages = messages
        self._sessions = sessions
        self.screen = Screen(book, sessions)
        self.scores = Scores()

    # One return for each kind of line reads better than nesting them.
    def said(  # noqa: PLR0911
        self, host: Host, program: str, key: str, stamp: str, text: str
    ) -> bool | None:
        """A line of a program; whether it was understood, None for what is somebody else's."""
        if program in FILTERS:
            return self._scored(host, key, stamp, text)
        if program in _SCREENING and self._screened(host, program, key, stamp, text):
            return True
        word, found, rest = text.partition(": ")
        if found:
            if word == "NOQUEUE":
                return self._verb(host, key, stamp, None, rest)
            if word == "warning":
                if program == "smtpd":
                    self._sessions.warned(key, stamp, rest)
                return is_known_warning(rest)
            if _QUEUE_ID.fullmatch(word) or (word in host.fresh or rest.startswith("client=")):
                return self._about(host, program, key, stamp, word, rest)
        if self._session(key, stamp, text):
            return True
        return is_quiet(text)

    def _screened(self, host: Host, program: str, key: str, stamp: str, text: str) -> bool:
        """What postscreen says, and those that work for it."""
        if program == "postscreen":
            return self.screen.said(key, stamp, text)
        if program == "dnsblog":
            return self.screen.listed_by(host.name, stamp, text)
        return text.startswith(_PROXIED)

    def _session(self, key: str, stamp: str, text: str) -> bool:
        if text.startswith("connect from "):
            self._sessions.connect(key, f"{stamp} {key}: {text}")
        elif text.startswith("disconnect from "):
            opened = self._book.sessions.pop(key, None)
            if opened is not None:
                self._sessions.end(key, opened, text[16:].partition(" ")[0])
        elif text.startswith(("proxy-accept: ", "proxy-reject: ")):
            return self._verb(Host(""), key, stamp, None, text)
        else:
            return self._sessions.ended(key, stamp, text)
        return True

    def is_shaped(self, host: Host, key: str, text: str) -> bool:
        """Whether a line has one of the shapes that are read without asking which program says so.

        The quick lane does; so must everybody.
        """
        word, found, rest = text.partition(": ")
        if not found:
            return text.startswith(_SESSION)
        if word == "NOQUEUE":
            return rest.startswith("reject: ") and "/postscreen[" not in key
        return word in host.fresh or rest.startswith("client=")

    # --- messages --------------------------------------------------------------------------

    def _about(
        self, host: Host, program: str, key: str, stamp: str, queue_id: str, text: str
    ) -> bool:
        if text.startswith("client="):
            message = self._messages.opened(host, queue_id, key, stamp, text)
            self._sessions.opened(key, stamp, queue_id, message)
        elif text == "removed":
            gone = host.take(queue_id) or host.known.pop(queue_id, None)
            if gone is not None:
                self._messages.removed(host, gone)
        elif text[:3] in _NOTE_KINDS:
            known = self._messages.note(host, queue_id, text)
            if not known and program == "cleanup" and text.startswith("message-id="):
                self._messages.opened(host, queue_id, key, stamp, "")
                self._messages.note(host, queue_id, text)
        else:
            return self._verb(host, key, stamp, queue_id, text)
        return True

    def _verb(  # noqa: PLR0911
        self, host: Host, key: str, stamp: str, queue_id: str | None, text: str
    ) -> bool:
        """`reject: RCPT from ...` and the like, of smtpd and of cleanup."""
        verb, found, rest = text.partition(": ")
        if found and rest.startswith(_CHECKED):
            return self._checked(host, key, stamp, queue_id, verb, rest)
        if verb in _REFUSALS:
            return self._refused(host, key, stamp, queue_id, rest)
        if verb == "reject_warning":
            return self._sessions.refused(key, stamp, queue_id, rest, warned=True)
        if verb in _ACCEPTING:
            return self._accepted(host, key, stamp, queue_id, verb, rest)
        if verb in _TELLING:
            self._sessions.learned(self._of_session(host, key, queue_id), stamp, rest)
            return True
        if verb == "proxy-accept":
            return self._proxied(key, stamp, rest)
        if text.startswith("client="):  # a filter before the queue gets this one
            return True
        return queue_id is not None and is_quiet_about_message(text)

    def _of_session(self, host: Host, key: str, queue_id: str | None) -> str:
        """The smtpd that a line is about, also where cleanup says it."""
        message = host.open(queue_id)
        return message[0] if message is not None and message[2] else key

    def _refused(self, host: Host, key: str, stamp: str, queue_id: str | None, text: str) -> bool:
        of = self._of_session(host, key, queue_id)
        if not self._sessions.refused(of, stamp, queue_id, text):
            self._sessions.at(of, stamp, "").said = True
            return False
        if queue_id is not None and not text.startswith(("RCPT ", "MAIL ", "VRFY ")):
            refused_for(self._book, host, queue_id)
            self._drop(host, queue_id)
        return True

    def _drop(self, host: Host, queue_id: str) -> None:
        message = host.take(queue_id)
        if message is not None and message.parent is not None:
            self._messages.removed(host, message)

    def _accepted(
        self, host: Host, key: str, stamp: str, queue_id: str | None, verb: str, text: str
    ) -> bool:
        verb = verb.removeprefix("milter-")
        message = host.open(queue_id)
        read = refusal(text)
        if read is None:
            return False
        if message is None or read[0] == "RCPT":
            return self._sessions.accepted(key, stamp, verb, queue_id, text)
        assert queue_id is not None
        self._kept(host, queue_id, message, verb, f"{verb}: {read[3]}", read[4:])
        return True

    def _kept(
        self,
        host: Host,
        queue_id: str,
        message: Message,
        verb: str,
        reason: str,
        fields: tuple[str | None, str | None, str | None],
    ) -> None:
        """A message is held, or thrown away: both after the client was told it is accepted."""
        sender, recipient, helo = fields
        self._messages.fold(host, message)
        message.reason = reason[:REASON]
        message.queued = True
        message.sender = sender if message.sender is None else message.sender
        message.helo = helo if helo is not None else message.helo
        if recipient is not None and message.fates is None:
            message.fates = {recipient: {}}
        if verb == "discard":
            del host.fresh[queue_id]
            self._messages.removed(host, message)

    def _checked(
        self, host: Host, key: str, stamp: str, queue_id: str | None, verb: str, text: str
    ) -> bool:
        """header_checks and body_checks of cleanup."""
        read = checked(text)
        if read is None or queue_id is None:
            return False
        message = host.open(queue_id)
        if verb == "reject":
            of = self._of_session(host, key, queue_id)
            who = message[2][7:].partition(",")[0] if message is not None else read[1]
            self._sessions.refused_as(of, stamp, queue_id, (read[0], who, *read[2:]))
            self._drop(host, queue_id)
        elif message is not None and verb in _ACCEPTING:
            kind = text.partition(" ")[0]
            reason = f"{verb}: {kind}" + (f": {read[3]}" if read[3] else "")
            self._kept(host, queue_id, message, verb, reason, read[4:])
        elif message is not None and read[6] is not None:
            message.helo = read[6]
        return True

    def _proxied(self, key: str, stamp: str, text: str) -> bool:
        """A filter before the queue took it, and gave it on: `...: 250 ... queued as 4Bx1; ...`."""
        read = refusal(text)
        if read is None:
            return False
        session = self._sessions.at(key, stamp, read[1])
        session.said = True
        queue_id = read[3].rpartition("queued as ")[2].partition(" ")[0].rstrip(")")
        host, service = self._book.place(key)
        self._messages.adopt(self._book.host(host), queue_id, session.who, service, read[6])
        return True

    # --- scores ----------------------------------------------------------------------------

    def _scored(self, host: Host, key: str, stamp: str, text: str) -> bool | None:
        score = self.scores.read(key, text)
        if score is None:
            return None
        scored(self._book, host, score, self._book.moment(stamp))
        return True
