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

import gc
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, NamedTuple

from mailmum.postfix.log.book import Attempt, Book, Host, attempted
from mailmum.postfix.log.bounds import LINE
from mailmum.postfix.log.clock import Clock
from mailmum.postfix.log.headers import Entry, entry, repeats
from mailmum.postfix.log.marks import settle
from mailmum.postfix.log.messages import Messages
from mailmum.postfix.log.programs import SPECIAL, program
from mailmum.postfix.log.quick import NEVER, Lane, compiled_loop
from mailmum.postfix.log.router import Router
from mailmum.postfix.log.scores import FILTERS
from mailmum.postfix.log.sessions import Sessions
from mailmum.postfix.log.state import pack_book, seal, unpack_book, unseal
from mailmum.postfix.log.weight import Scale
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


class Skips(NamedTuple):
    """Lines, and things held, that were passed over since they made the reader itself fail.

    Attributes:
        lines: how many since the log began; of things held each counts as one.
        last: Unix time of the latest.
    """

    lines: int
    last: float


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
    """Reads one stream of log lines.

    Attributes:
        attempt: handles each thing that is held when its time has come; `careful` has it go on
            behind one that fails.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.attempt: Attempt = attempted
        self.lines = 0
        self.foreign = 0
        self.unrecognised = 0
        self.skipped = Skips(0, 0.0)
        self._samples: list[str] = []
        self._book = Book(Clock(settings.now, settings.zone))
        self._messages = Messages(self._book, settings.hold)
        self._sessions = Sessions(self._book, self._messages)
        self._router = Router(self._book, self._messages, self._sessions)
        self._scale = Scale(self._book, self._messages, self._sessions)
        self._rest = b""
        self._skipping = False
        self._lane = Lane(self._book, self._messages, self._sessions)
        self._loop = self._compiled_loop()
        self._mark_advanced(0.0)

    def _compiled_loop(self) -> Any:
        holding = self.settings.hold is not None
        return compiled_loop(self._book, self._messages, self._sessions, holding=holding)

    @property
    def samples(self) -> Sequence[str]:
        """Some of the lines that were not understood."""
        return self._samples

    @property
    def dropped(self) -> int:
        """How often a table was full, so that its oldest entry was handed out early."""
        return self._book.dropped

    def feed(self, block: bytes) -> Found:
        """The next bytes of the log, split anywhere."""
        # Nothing here makes cycles; to look for them among the sightings takes a fifth of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            self._feed(self._rest + block)
        finally:
            if collecting:
                gc.enable()
        return self._take()

    def _feed(self, data: bytes) -> None:
        at = 0
        while True:
            end = data.rfind(b"\n", at, at + _PIECE) + 1
            if end:
                self._piece(data[at:end])
                self._scale.read(end - at)
                at = end
            elif len(data) - at >= _PIECE:
                at = self._long(data, at)
            else:
                break
        self._rest = data[at:]

    def _long(self, data: bytes, at: int) -> int:
        if not self._skipping:
            self._skipping = True
            self._lines(data[at : at + _PIECE].decode("utf-8", "replace"))
        return at + _PIECE

    def _piece(self, piece: bytes) -> None:
        if self._skipping:
            self._skipping = False
            piece = piece[piece.index(b"\n") + 1 :]
        if not piece:
            return
        if self._loop is None:
            self._lines(piece.decode("utf-8", "replace")[:-1])
            return
        lines, foreign = self._loop.read(piece, self._lane, self._line)
        self.lines += lines
        self.foreign += foreign

    def _lines(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        lines = text.split("\n")
        self.lines += len(lines)
        if self.settings.hold is not None or "message repeated " in text:
            for line in lines:
                self._line(line)
                self._lane.previous = line
        else:
            self._quick(lines)
            self._lane.previous = lines[-1]

    def tick(self, now: float) -> Found:
        """It is `now`: hand out what has waited long enough."""
        self._book.clock.set(now)
        if self.settings.hold is not None:
            self._advance(now)
        return self._take()

    def _advance(self, now: float) -> None:
        self._sessions.advance(now, self.attempt)
        self._messages.advance(now, self.attempt)
        settle(self._book, now, self.settings.hold or 0)
        self._mark_advanced(now)

    def _mark_advanced(self, now: float) -> None:
        self._advanced = now
        self._lane.until = NEVER if self.settings.hold is None else now + 1

    def finish(self) -> Found:
        """The end of the input: everything still open."""
        if self._rest:
            rest, self._rest = self._rest, b""
            if not self._skipping:
                self._lines(rest.decode("utf-8", "replace"))
        self._skipping = False
        self._sessions.finish(self.attempt)
        self._messages.finish(self.attempt)
        return self._take()

    def _take(self) -> Found:
        found = Found(self._book.sightings, self._book.updates)
        self._book.sightings = []
        self._book.updates = []
        return found

    def _quick(self, lines: list[str]) -> None:
        self._lane.read(lines, self._line)

    def skip(self, line: bytes, now: float) -> None:
        """Pass over the next line, which cannot be read; it counts as not understood.

        What came before of it is thrown away, and when it does not end here, what follows will be.
        """
        if not self._skipping:
            self.lines += 1
            self._unknown((self._rest + line).decode("utf-8", "replace").rstrip("\n"))
        self._rest = b""
        self._skipping = not line.endswith(b"\n")
        self._lane.previous = ""
        self.passed_over(now)

    def passed_over(self, now: float) -> None:
        """Count a line, or a thing held, that made the reader fail."""
        self.skipped = Skips(self.skipped.lines + 1, now)

    # --- every line ------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        head, found, text = line.partition(": ")
        lane = self._lane
        if found and head.startswith(lane.prefix, lane.at):
            stamp, key, host = head[: lane.at], head[lane.at + 1 :], lane.host
            name = program(key.partition(" ")[2])
            if (name is None or name in SPECIAL) and self._router.is_shaped(host, key, text):
                name = "smtpd"
        else:
            read = entry(line)
            if read is None or not read.tag:
                self._untold(read)
                return
            stamp, key, text = read.stamp, f"{read.host} {read.tag}", read.text
            host = self._book.host(read.host)
            if lane.host.name not in self._book.hosts:
                lane.turn_to(stamp, host, key)  # its tables had to make place
            name = program(read.tag)
            if name is not None and "/" in read.tag and name not in FILTERS:
                lane.turn_to(stamp, host, key)
        if name is None:
            self.foreign += 1
            return
        if self.settings.hold is not None:
            now = self._book.time = self._book.moment(stamp)
            if now >= self._advanced + 1:
                self._advance(now)
        self._spoken(host, name, key, stamp, text)

    def _untold(self, read: Entry | None) -> None:
        """No program says this: syslog itself, or nobody known."""
        times = min(repeats(read.text), _MAX_REPEATS) if read is not None else 0
        if not times:
            self.foreign += 1
            return
        again = self._lane.previous
        self._lane.previous = ""
        for _ in range(times if again else 0):
            self._line(again)

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
                "skipped": self.skipped,
                "rest": self._rest.decode("latin-1"),
                "skipping": self._skipping,
                "previous": self._lane.previous,
                "at": self._lane.at,
                "advanced": self._advanced,
                "prefix": self._lane.prefix,
                "host": self._lane.host.name,
                "book": pack_book(self._book),
                "listed": self._router.screen.listed,
                "exact": self._router.scores.exact,
                "unsure": self._sessions.pack(),
                "messages": self._messages.pack(),
            }
        )

    @classmethod
    def load(cls, data: bytes, settings: Settings, *, empty: bool = False) -> "LogReader":
        """Go on from a dump; `empty`: with what it had counted, and nothing that was open.

        Raises:
            ValueError: it is damaged or of another version.
        """
        state = unseal(data)
        reader = cls(settings)
        reader.lines = state["lines"]
        reader.foreign = state["foreign"]
        reader.unrecognised = state["unrecognised"]
        reader._samples = state["samples"]
        reader.skipped = Skips(*state.get("skipped", (0, 0.0)))
        reader._rest = state["rest"].encode("latin-1")
        reader._skipping = state["skipping"]
        if empty:
            return reader
        reader._lane.previous = state["previous"]
        reader._lane.at = state["at"]
        reader._mark_advanced(state["advanced"])
        reader._lane.prefix = state["prefix"]
        unpack_book(reader._book, state["book"])
        reader._lane.host = reader._book.host(state["host"])
        reader._router.screen.unpack(state["listed"])
        reader._router.scores.exact.update(state["exact"])
        reader._sessions.unpack(state["unsure"])
        reader._messages.unpack(state["messages"])
        return reader


def skips_of(data: bytes) -> Skips:
    """The lines skipped, as a dump tells them; ValueError where it is none."""
    return Skips(*unseal(data).get("skipped", (0, 0.0)))
