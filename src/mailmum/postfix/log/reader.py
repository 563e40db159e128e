"""The reader of mail logs: bytes in, sightings out.

>>> from datetime import UTC
>>> reader = LogReader(Settings(now=1795600000.0, zone=UTC, hold=None))
>>> found = reader.feed(b"Nov 25 10:00:07 mx1 postfix/smtpd[12]: connect from unknown[192.0.2.1]\\n")
>>> found.sightings, [seen.outcome.value for seen in reader.finish().sightings]
([], ['connected'])
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from mailmum.postfix.log.book import Book, Host
from mailmum.postfix.log.bounds import LINE
from mailmum.postfix.log.clock import Clock
from mailmum.postfix.log.headers import entry, repeats
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.programs import DAEMONS, FOREIGN, is_quiet
from mailmum.postfix.log.sessions import Sessions
from mailmum.postfix.log.state import pack_book, seal, unpack_book, unseal
from mailmum.traffic.sightings import Sighting, Update

_PIECE = LINE
_MAX_SAMPLES = 100
_MAX_SAMPLE = 500
_MAX_REPEATS = 1000
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]", re.ASCII | re.DOTALL)
_QUEUE_ID = re.compile(r"[0-9A-Za-z]{6,40}", re.ASCII)
# Notes that can wait until the message is read: recipients, sender, Message-ID.
_NOTES = frozenset({"to=", "fro", "mes"})
_REFUSALS = ("reject: ", "milter-reject: ", "proxy-reject: ")


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
        at, prefix, host = self._at, self._prefix, self._host
        sessions = self._book.sessions
        for line in lines:
            parts = line.split(": ", 2)
            head = parts[0]
            if head.startswith(prefix, at):
                if len(parts) == 3:
                    word, rest = parts[1], parts[2]
                    message = host.fresh.get(word)
                    if message is not None:
                        if rest[:3] in _NOTES:
                            if len(rest) < 1000 and len(message) < 12:
                                message.append(rest)
                                continue
                        elif rest == "removed":
                            del host.fresh[word]
                            self._messages.removed(host, word, message)
                            continue
                    elif word == "NOQUEUE" and rest[:8] == "reject: ":
                        if self._sessions.refused(head[at + 1 :], head, None, rest[8:]):
                            continue
                elif len(parts) == 2:
                    word = parts[1]
                    if word[:13] == "connect from ":
                        self._sessions.connect(head[at + 1 :], line)
                        continue
                    if word[:16] == "disconnect from ":
                        opened = sessions.pop(head[at + 1 :], None)
                        if opened is not None:
                            self._sessions.end(head[at + 1 :], opened)
                        continue
            self._line(line)
            at, prefix, host = self._at, self._prefix, self._host

    # --- every line ------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        head, found, text = line.partition(": ")
        if not (found and head.startswith(self._prefix, self._at)):
            read = entry(line)
            if read is None:
                self._other(line)
                return
            head, text = read.head, read.text
            if not self._turn_to(read.stamp, read.host, read.tag):
                self.foreign += 1
                return
        if self.settings.hold is not None:
            now = self._book.moment(head)
            if now >= self._advanced + 1:
                self._advance(now)
        self._spoken(head, text, line)

    def _other(self, line: str) -> None:
        self.foreign += bool(line)

    def _turn_to(self, stamp: str, host: str, tag: str) -> bool:
        """Remember whose line this is; whether it is a mail program's."""
        path = tag.partition("[")[0]
        instance, found, program = path.partition("/")
        last = program.rpartition("/")[2]
        if not found or last in FOREIGN or not (last in DAEMONS or instance == "postfix"):
            return path in ("postfix", "postfix-script")
        self._at = len(stamp)
        self._prefix = f" {host} {instance}/"
        if self._host.name != host:
            self._host = self._book.host(host)
        return True

    def _spoken(self, head: str, text: str, line: str) -> None:
        if text.startswith("message repeated "):
            repeated = _REPEATED.fullmatch(text)
            if repeated is not None:
                for _ in range(min(int(repeated[1]), _MAX_REPEATS)):
                    self._spoken(head, repeated[2].removesuffix(" "), line)
                return
        if not self._read(head, text):
            self.unrecognised += 1
            if len(self._samples) < _MAX_SAMPLES:
                self._samples.append(line[:_MAX_SAMPLE])

    def _read(self, head: str, text: str) -> bool:
        key = head[head.find(" ", 15) + 1 :]
        word, found, rest = text.partition(": ")
        if found:
            if word == "NOQUEUE":
                return self._verb(key, head, None, rest)
            if word == "warning":
                self._sessions.warned(key, head, rest)
                return True
            if _QUEUE_ID.fullmatch(word):
                return self._about(key, head, word, rest)
        elif text.startswith("connect from "):
            self._sessions.connect(key, f"{head}: {text}")
            return True
        elif text.startswith("disconnect from "):
            opened = self._book.sessions.pop(key, None)
            if opened is not None:
                self._sessions.end(key, opened)
            return True
        return self._sessions.ended(key, head, text) or is_quiet(head, text)

    def _about(self, key: str, head: str, queue_id: str, text: str) -> bool:
        host = self._host
        if text.startswith("client="):
            line = f"{head}: {queue_id}: {text}"
            who = text[7:].partition(",")[0]
            self._messages.opened(host, queue_id, line, self._sessions.at(key, head, who))
            return True
        if text == "removed":
            message = host.fresh.pop(queue_id, None) or host.known.pop(queue_id, None)
            if message is not None:
                self._messages.removed(host, queue_id, message)
            return True
        if text[:3] in _NOTES:
            if not self._messages.note(host, queue_id, text) and text.startswith("message-id="):
                self._messages.opened(host, queue_id, "", None)
            return True
        return self._verb(key, head, queue_id, text)

    def _verb(self, key: str, head: str, queue_id: str | None, text: str) -> bool:
        for start in _REFUSALS:
            if text.startswith(start):
                return self._sessions.refused(key, head, queue_id, text[len(start) :])
        if text.startswith("reject_warning: "):
            return self._sessions.refused(key, head, queue_id, text[16:], warned=True)
        return is_quiet(head, text)

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
        reader._sessions.unpack(state["unsure"])
        reader._messages.unpack(state["messages"])
        return reader
