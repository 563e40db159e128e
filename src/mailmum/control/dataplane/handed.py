"""Log lines that are handed in over the API, understood and kept as the collector does.

With a stream and positions, as `mailmum ship` sends them, each line counts exactly once: a batch is
kept only when the stream stands where the batch begins, and the answer always says where it stands.
Without them, as other programs post, a batch that is sent again counts again.
"""

import time
from dataclasses import dataclass
from datetime import tzinfo

import structlog

from mailmum.control.servers.models import Server
from mailmum.control.traffic import intake
from mailmum.control.traffic.intake import Mark, OutOfStep
from mailmum.daemons.collector_stream import HOLD
from mailmum.daemons.positions import Position
from mailmum.daemons.skip_log import SkipLog
from mailmum.daemons.tailing import PIECE
from mailmum.domain.errors import FAULTS
from mailmum.index.records import SourceUnavailable
from mailmum.postfix.log.careful import read_carefully, tick_carefully
from mailmum.postfix.log.reader import Found, LogReader, Settings
from mailmum.traffic.sightings import Source

log = structlog.get_logger()

SHIPPED, POSTED = "ship:", "post:"
_TRIES = 5
_SKIPS = SkipLog("logs.line_skipped")


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one log.

    Attributes:
        lines: the lines.
        stream: which log of the server it is.
        after: the position at which these lines begin, None for the beginning.
        position: the position after them; empty when the sender keeps none.
        zone: of the times in classic syslog headers.
        read: Unix time at which they were read and the sender had nothing more; negative when there
            was.  What has waited longer is handed out then, so it must not be the time at which a
            batch arrives after an outage: the next one may tell more.
        lost: lines that the sender had to throw away before these.
    """

    lines: bytes
    stream: str
    after: str | None
    position: str
    zone: tzinfo
    read: float
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of a batch.

    Attributes:
        kept: whether it was kept; else the stream stands elsewhere.
        position: where the stream stands now.
        lines: lines read.
        unrecognised: lines of mail programs that were not understood.
        sightings: contacts found.
    """

    kept: bool
    position: str | None
    lines: int = 0
    unrecognised: int = 0
    sightings: int = 0


def stands(server: Server, stream: str) -> str | None:
    """Where a shipped stream stands, None for nowhere yet."""
    mark = intake.mark_of(server.pk, SHIPPED + stream)
    return None if mark is None else mark.position


def hand_in(server: Server, batch: Batch) -> Handed:
    """Take a batch in.

    Raises:
        SourceUnavailable: the database cannot be written just now; nothing was kept.
    """
    if batch.lost:
        log.warning("logs.lost_at_sender", server=server.pk, stream=batch.stream, lines=batch.lost)
    if not batch.position:
        return _post(server, batch)
    name = SHIPPED + batch.stream
    mark = intake.mark_of(server.pk, name)
    stood = None if mark is None else mark.position
    if stood != batch.after:
        return Handed(kept=False, position=stood)
    try:
        return _keep(server, batch, name, mark, batch.position)
    except OutOfStep:
        return Handed(kept=False, position=stands(server, batch.stream))


def _post(server: Server, batch: Batch) -> Handed:
    """Of several that post at once each is kept: what was read is read again behind the other."""
    name = POSTED + batch.stream
    for _ in range(_TRIES):
        mark = intake.mark_of(server.pk, name)
        position = (_position(mark.position) if mark else Position.start()).then(None)
        try:
            return _keep(server, batch, name, mark, position.text())
        except OutOfStep:
            continue
    raise SourceUnavailable("too many hand in the same log at once")


def _keep(server: Server, batch: Batch, name: str, mark: Mark | None, position: str) -> Handed:
    reader, state = _reader(batch, mark)
    lines, unrecognised = reader.lines, reader.unrecognised
    reader, found = _read(reader, state, batch, server)
    intake.keep(
        server.account_id,
        server.pk,
        Source.LOG,
        found,
        mark=Mark(server.pk, name, position, reader.dump()),
        after=None if mark is None else mark.position,
    )
    return Handed(
        kept=True,
        position=position,
        lines=reader.lines - lines,
        unrecognised=reader.unrecognised - unrecognised,
        sightings=len(found.sightings),
    )


def _reader(batch: Batch, mark: Mark | None) -> tuple[LogReader, bytes | None]:
    """The reader, and the state it begins with."""
    settings = Settings(now=time.time(), zone=batch.zone, hold=HOLD)
    if mark is None:
        return LogReader(settings), None
    try:
        return LogReader.load(mark.state, settings), mark.state
    except ValueError as error:
        log.warning("logs.state_unusable", stream=mark.stream, reason=str(error))
        return LogReader(settings), None


def _read(
    reader: LogReader, state: bytes | None, batch: Batch, server: Server
) -> tuple[LogReader, Found]:
    found = Found([], [])
    try:
        for begin in range(0, len(batch.lines), PIECE):
            _add(found, reader.feed(batch.lines[begin : begin + PIECE]))
        if batch.read > 0:
            _add(found, reader.tick(batch.read))
    except FAULTS:
        # What a fault leaves is of no use: all of the batch once more, with care.
        return _read_carefully(reader, state, batch, server)
    return reader, found


def _read_carefully(
    reader: LogReader, state: bytes | None, batch: Batch, server: Server
) -> tuple[LogReader, Found]:
    now = time.time()
    read = read_carefully(reader, state, batch.lines, now)
    _SKIPS.tell(read, server=server.pk, stream=batch.stream)
    if batch.read > 0:
        ticked = tick_carefully(read.reader, read.reader.dump(), batch.read, now)
        _SKIPS.tell(ticked, server=server.pk, stream=batch.stream)
        _add(read.found, ticked.found)
        return ticked.reader, read.found
    return read.reader, read.found


def _add(found: Found, some: Found) -> None:
    found.sightings.extend(some.sightings)
    found.updates.extend(some.updates)


def _position(text: str) -> Position:
    try:
        return Position.parse(text)
    except ValueError:
        return Position.start()
