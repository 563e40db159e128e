"""The reader of mail logs: bytes in, sightings out.

Lines are read one after the other, and what they say is kept by the router's tables until it makes
a sighting.  Most lines of a busy log have one of a handful of shapes, and for those there is a
quick lane that does the same with less; the tests hold the two against one another.

    >>> from datetime import UTC
    >>> reader = LogReader(Settings(now=1795600000.0, zone=UTC, hold=None))
    >>> line = b"Nov 25 10:00:07 mx1 postfix/smtpd[12]: connect from unknown[192.0.2.1]"
    >>> reader.feed(line).sightings, [seen.client for seen in reader.finish().sightings]
    ([], ['192.0.2.1'])
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from mailmum.postfix.log.book import MAX_MESSAGES, MAX_SESSIONS, Book, Host, Message, Session
from mailmum.postfix.log.bounds import LINE
from mailmum.postfix.log.clock import Clock
from mailmum.postfix.log.headers import Entry, entry, repeats
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.programs import program
from mailmum.postfix.log.router import NOTE_KINDS, Router
from mailmum.postfix.log.scores import FILTERS
from mailmum.postfix.log.sessions import Sessions
from mailmum.postfix.log.state import pack_book, seal, unpack_book, unseal
from mailmum.traffic.sightings import Sighting, Update

_PIECE = LINE
_MAX_SAMPLES = 100
_MAX_SAMPLE = 500
_MAX_REPEATS = 1000
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]", re.ASCII | re.DOTALL)


class Found(NamedTuple):
    """What came out of a piece of log.

    Attributes:
        sightings: new ones.
        updates: delivery or score that became known after the sighting was handed out.
    """

    sightings: list[Sighting]
    updates: list[Update]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a log does not tell.

    Attributes:
        now: Unix time used to infer the year of BSD headers.
        zone: zone of BSD headers; others carry their own.
        hold: seconds of log time for which an accepted recipient is held back waiting for its
            delivery; None: until settled or the end.
    """

    now: float
    zone: tzinfo
    hold: float | None


class LogReader:
    """Reads one stream of log lines."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lines = 0
        self.foreign = 0
        self.unrecognised = 0
        self._samples: list[str] = []
        self._book = Book(Clock(settings.now, settings.zone))
        self._messages = Messages(self._book, settings.hold)
        self._sessions = Sessions(self._book, self._messages)
        self._router = Router(self._book, self._messages, self._sessions)
        self._rest = b""
        self._skipping = False
        self._previous = ""
        self._at = 0
        self._advanced = 0.0
        self._prefix = "\n"
        self._host = Host("")

    @property
    def samples(self) -> Sequence[str]:
        """Some of the lines that were not understood."""
        return self._samples

    def feed(self, block: bytes) -> Found:
        """The next bytes of the log, split anywhere."""
        data = self._rest + block
        at = 0
        while True:
            end = data.rfind(b"\n", at, at + _PIECE) + 1
            if end:
                self._piece(data[at:end])
                at = end
            elif len(data) - at >= _PIECE:
                at = self._long(data, at)
            else:
                break
        self._rest = data[at:]
        return self._take()

    def _long(self, data: bytes, at: int) -> int:
        if not self._skipping:
            self._skipping = True
            self._lines(data[at : at + _PIECE].decode("utf-8", "replace"))
        return at + _PIECE

    def _piece(self, piece: bytes) -> None:
        if self._skipping:
            self._skipping = False
            piece = piece[piece.index(b"\n") + 1 :]
        if piece:
            self._lines(piece.decode("utf-8", "replace")[:-1])

    def _lines(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        lines = text.split("\n")
        self.lines += len(lines)
        if self.settings.hold is not None or "message repeated " in text:
            for line in lines:
                self._line(line)
                self._previous = line
        else:
            self._quick(lines)
            self._previous = lines[-1]

    def tick(self, now: float) -> Found:
        """It is `now`: hand out what has waited long enough."""
        self._book.clock.set(now)
        if self.settings.hold is not None:
            self._advance(now)
        return self._take()

    def _advance(self, now: float) -> None:
        self._sessions.advance(now)
        self._messages.advance(now)
        self._advanced = now

    def finish(self) -> Found:
        """The end of the input: everything still open."""
        if self._rest:
            rest, self._rest = self._rest, b""
            if not self._skipping:
                self._lines(rest.decode("utf-8", "replace"))
        self._skipping = False
        self._sessions.finish()
        self._messages.finish()
        return self._take()

    def _take(self) -> Found:
        found = Found(self._book.sightings, self._book.updates)
        self._book.sightings = []
        self._book.updates = []
        return found

    # --- the quick lane --------------------------------------------------------------------

    def _quick(self, lines: list[str]) -> None:
        """Most lines of a busy log, of one host and format, with the least work."""
        at, prefix, fresh = self._at, self._prefix, self._host.fresh
        sessions, kinds = self._book.sessions, self._kinds()
        refused: list[tuple[str, str]] = []
        texts: list[str] = []
        ended: list[tuple[str, str, str]] = []
        gone: list[Message] = []
        for line in lines:
            parts = line.split(": ", 2)
            head = parts[0]
            if head.startswith(prefix, at):
                if len(parts) == 3:
                    _, word, rest = parts
                    message = fresh.get(word)
                    if message is not None:
                        if rest[:3] in kinds:
                            if len(rest) < 1000 and len(message) < 16:
                                message.append(rest)
                                continue
                        elif rest == "removed":
                            del fresh[word]
                            if self._messages.is_plain(message):
                                gone.append(message)
                            else:
                                self._messages.removed(self._host, message)
                            continue
                    elif word == "NOQUEUE":
                        if rest[:8] == "reject: " and "/postscreen[" not in head:
                            key = head[at + 1 :]
                            if type(sessions.get(key)) is not Session:
                                sessions[key] = parts
                                refused.append((key, head[:at]))
                                texts.append(rest)
                                continue
                    elif rest[:7] == "client=":
                        key, stamp = head[at + 1 :], head[:at]
                        if type(sessions.get(key)) is str and ", " not in rest:
                            sessions[key] = fresh[word] = Message((key, stamp, rest, word))
                            if len(fresh) > MAX_MESSAGES:
                                self._messages.make_room(self._host)
                        else:
                            message = self._messages.opened(self._host, word, key, stamp, rest)
                            self._sessions.opened(key, stamp, word, message)
                        continue
                else:
                    word = parts[-1]
                    key = head[at + 1 :]
                    if word[:13] == "connect from ":
                        if key in sessions:
                            self._sessions.end(key, sessions.pop(key))
                        sessions[key] = line
                        if len(sessions) > MAX_SESSIONS:
                            self._sessions.end_oldest()
                        continue
                    if word[:16] == "disconnect from ":
                        opened = sessions.pop(key, None)
                        if opened is not None:
                            if type(opened) is str:
                                ended.append((key, opened, word[16:].partition(" ")[0]))
                            elif type(opened) is not Message or len(opened) < 6:
                                self._sessions.end(key, opened, word[16:].partition(" ")[0])
                        continue
                    if word[:22] == "lost connection after " and self._sessions.ended(
                        key, head[:at], word
                    ):
                        continue
            self._line(line)
            at, prefix, fresh = self._at, self._prefix, self._host.fresh
            kinds = self._kinds()
        for text in self._sessions.say_usual(refused, texts):
            self._unknown(text)
        self._sessions.end_plain(ended)
        self._messages.give_plain(gone)

    def _kinds(self) -> frozenset[str]:
        """How notes begin that can wait: not Message-IDs, once filters name messages by them."""
        return NOTE_KINDS - {"mes"} if self._book.scoring else NOTE_KINDS

    # --- every line ------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        head, found, text = line.partition(": ")
        if found and head.startswith(self._prefix, self._at):
            stamp, key, host = head[: self._at], head[self._at + 1 :], self._host
            shaped = self._router.is_shaped(host, key, text)
        else:
            shaped = False
            read = entry(line)
            if read is None or not read.tag:
                self._untold(read)
                return
            stamp, key, text = read.stamp, f"{read.host} {read.tag}", read.text
            host = self._book.host(read.host)
        name = "smtpd" if shaped else program(key.partition(" ")[2])
        if name is None:
            self.foreign += 1
            return
        if not shaped and "/" in key and name not in FILTERS:
            self._turn_to(stamp, host, key)
        if self.settings.hold is not None:
            now = self._book.moment(stamp)
            if now >= self._advanced + 1:
                self._advance(now)
        self._spoken(host, name, key, stamp, text)

    def _untold(self, read: Entry | None) -> None:
        """No program says this: syslog itself, or nobody known."""
        times = min(repeats(read.text), _MAX_REPEATS) if read is not None else 0
        if not times:
            self.foreign += 1
            return
        again = self._previous
        self._previous = ""
        for _ in range(times if again else 0):
            self._line(again)

    def _turn_to(self, stamp: str, host: Host, key: str) -> None:
        """Lines like this one are read the quick way from here on."""
        tag = key.partition(" ")[2]
        self._at = len(stamp)
        self._prefix = f" {host.name} {tag.partition('/')[0]}/"
        self._host = host

    def _spoken(self, host: Host, name: str, key: str, stamp: str, text: str) -> None:
        times = 1
        if text.startswith("message repeated "):
            repeated = _REPEATED.fullmatch(text)
            if repeated is not None:
                times, text = min(int(repeated[1]), _MAX_REPEATS), repeated[2].removesuffix(" ")
        for _ in range(times):
            understood = self._router.said(host, name, key, stamp, text)
            if understood is None:
                self.foreign += 1
            elif not understood:
                self._unknown(text)

    def _unknown(self, text: str) -> None:
        self.unrecognised += 1
        if len(self._samples) < _MAX_SAMPLES:
            self._samples.append(text[:_MAX_SAMPLE])

    # --- state -----------------------------------------------------------------------------

    def dump(self) -> bytes:
        """All state, to go on from with `load`."""
        return seal(
            {
                "lines": self.lines,
                "foreign": self.foreign,
                "unrecognised": self.unrecognised,
                "samples": self._samples,
                "rest": self._rest.decode("latin-1"),
                "skipping": self._skipping,
                "previous": self._previous,
                "at": self._at,
                "advanced": self._advanced,
                "prefix": self._prefix,
                "host": self._host.name,
                "book": pack_book(self._book),
                "listed": self._router.screen.listed,
                "exact": self._router.scores.exact,
                "unsure": self._sessions.pack(),
                "messages": self._messages.pack(),
            }
        )

    @classmethod
    def load(cls, data: bytes, settings: Settings) -> "LogReader":
        """Go on from a dump. Raises ValueError when it is damaged or of another version."""
        state = unseal(data)
        reader = cls(settings)
        reader.lines = state["lines"]
        reader.foreign = state["foreign"]
        reader.unrecognised = state["unrecognised"]
        reader._samples = state["samples"]
        reader._rest = state["rest"].encode("latin-1")
        reader._skipping = state["skipping"]
        reader._previous = state["previous"]
        reader._at = state["at"]
        reader._advanced = state["advanced"]
        reader._prefix = state["prefix"]
        unpack_book(reader._book, state["book"])
        reader._host = reader._book.host(state["host"])
        reader._router.screen.listed.update(state["listed"])
        reader._router.scores.exact.update(state["exact"])
        reader._sessions.unpack(state["unsure"])
        reader._messages.unpack(state["messages"])
        return reader
