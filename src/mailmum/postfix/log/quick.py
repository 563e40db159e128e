"""The quick lane: lines of a busy log that have one of a handful of shapes.

Nothing is decided here that `router` would decide differently; the same is done with less.  What a
line says is not read before it is needed: a session stays its connect line, a message the list of
its lines, and refusals, ended sessions and messages that are through are read many at a time.

The lane knows lines by what stands before the program, ` mx1 postfix/` behind a stamp of so many
characters: of one host, syslog name and format.  A line that begins otherwise goes the long way,
and after it the lane looks for lines like that one.
"""

from collections.abc import Callable

from mailmum.postfix.log.book import (
    MAX_MESSAGES,
    MAX_SESSIONS,
    NOTES,
    PARTS,
    Book,
    Host,
    Message,
    Session,
)
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.sessions import Sessions

_NOTE_KINDS = frozenset({"to=", "fro", "mes"})
_NAMED_KINDS = frozenset({"to=", "fro"})
_MAX_NOTES = NOTES + 12
_MAX_NOTE = 1000


class Lane:
    """What lines look like just now, and how they are read.

    Attributes:
        at: how long the stamp is.
        prefix: what stands between it and the program; nothing does in the beginning.
        host: whose lines they are.
    """

    def __init__(self, book: Book, messages: Messages, sessions: Sessions) -> None:
        self._book = book
        self._messages = messages
        self._sessions = sessions
        self.at = 0
        self.prefix = "\n"
        self.host = Host("")

    def turn_to(self, stamp: str, host: Host, key: str) -> None:
        """Lines like this one are expected from here on."""
        tag = key.partition(" ")[2]
        self.at = len(stamp)
        self.prefix = f" {host.name} {tag.partition('/')[0]}/"
        self.host = host

    # Every tenth of a microsecond in this loop is a tenth of all time: so it is one function.
    def read(  # noqa: C901, PLR0912, PLR0915
        self, lines: list[str], long_way: Callable[[str], None]
    ) -> list[str]:
        """Read lines; those that could not be understood, `long_way` takes what has no shape."""
        book, host = self._book, self.host
        fresh, sessions = host.fresh, book.sessions
        at, prefix = self.at, self.prefix
        first, end = at + 1, at + len(prefix)
        kinds = _NAMED_KINDS if book.scoring else _NOTE_KINDS
        refused: list[tuple[str, str]] = []
        texts: list[str] = []
        ended: list[tuple[str, str, str]] = []
        gone: list[list[str]] = []
        unread: list[str] = []
        for line in lines:
            if line[at:end] == prefix:
                parts = line.split(": ", 2)
                if len(parts) == PARTS:
                    head, word, rest = parts
                    if word in fresh:
                        if rest[:3] in kinds:
                            message = fresh[word]
                            if len(rest) < _MAX_NOTE and len(message) < _MAX_NOTES:
                                message.append(rest)
                                continue
                        elif rest == "removed":
                            message = fresh.pop(word)
                            if self._messages.is_plain(message):
                                gone.append(message)
                            else:
                                self._messages.removed(host, _whole(message))
                            continue
                    elif word == "NOQUEUE":
                        if rest[:8] == "reject: " and "/postscreen[" not in head:
                            key = head[first:]
                            if type(sessions.get(key)) is not Session:
                                sessions[key] = parts
                                refused.append((key, head[:at]))
                                texts.append(rest)
                                continue
                    elif rest[:7] == "client=":
                        key = head[first:]
                        if type(sessions.get(key)) is str and ", " not in rest:
                            sessions[key] = fresh[word] = [key, head[:at], rest, word]
                            if len(fresh) > MAX_MESSAGES:
                                self._messages.make_room(host)
                        else:
                            begun = self._messages.opened(host, word, key, head[:at], rest)
                            self._sessions.opened(key, head[:at], word, begun)
                        continue
                    elif word[-1:] == "]" and " TLS connection established from " in word:
                        continue
                else:
                    word = parts[-1]
                    if word[:13] == "connect from ":
                        key = parts[0][first:]
                        if key in sessions:
                            self._sessions.end(key, sessions.pop(key))
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
                            elif type(opened) is not list or NOTES <= len(opened) < NOTES + 2:
                                self._sessions.end(key, opened, word[16:].partition(" ")[0])
                        continue
                    if word[:22] == "lost connection after ":
                        self._sessions.ended(parts[0][first:], parts[0][:at], word)
                        continue
            long_way(line)
            if self.host is not host or self.prefix != prefix or self.at != at:
                unread += self._sessions.say_usual(refused, texts)
                self._messages.give_plain(host.name, gone)
                refused, texts, gone = [], [], []
                host, at, prefix = self.host, self.at, self.prefix
                fresh, first, end = host.fresh, at + 1, at + len(prefix)
            kinds = _NAMED_KINDS if book.scoring else _NOTE_KINDS
        unread += self._sessions.say_usual(refused, texts)
        self._messages.give_plain(host.name, gone)
        self._sessions.end_plain(ended)
        return unread


def _whole(lines: list[str]) -> Message:
    return lines if isinstance(lines, Message) else Message(lines)
