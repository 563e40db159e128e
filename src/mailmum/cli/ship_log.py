"""One log on its way to the service: read, queued, handed in, each line exactly once.

The service knows how far the log has been kept, and says so with every answer.  So nothing has to
be remembered here: after any interruption on either side reading goes on where the service stands,
or after what waits in the spool.  A batch that is sent a second time, since its answer was lost, is
not taken again.
"""

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailmum.cli.output import warn
from mailmum.cli.ship_queue import Batch, Queue
from mailmum.daemons.positions import Position
from mailmum.daemons.tailing import PIECE, FollowedLog, Piece, Trouble

Json = dict[str, Any]
Open = Callable[[str | None], FollowedLog]

# After the last lines a batch without any lets the service hand out what it holds back.
_SOON, _LATER = 2.0, 60.0
# While something waits the log is looked at no more often.
_GATHER = 1.0
_PIECES_AT_ONCE = 16
# Lines of mail logs shrink to a tenth at the quickest level already.
_LEVEL = 3


class Service(Protocol):
    """Where logs are handed in."""

    def where(self, stream: str) -> str | None:
        """Where a log stands there."""
        ...

    def hand_in(self, stream: str, batch: Batch) -> Json:
        """Hand in a batch; the answer says whether it was kept, and where the log stands now."""
        ...


@dataclass(slots=True)
class ShippedLog:
    """One log that is handed in.

    Attributes:
        stream: its name at the service.
        open: follows it from a place.
        queue: what waits.
        service: where it goes.
        begun: whether the service has said where the log stands.
    """

    stream: str
    open: Open
    queue: Queue
    service: Service
    begun: bool = False
    _log: FollowedLog | None = None
    _position: Position = field(default_factory=Position.start)
    _after: str | None = None
    _quiet_since: float = 0.0
    _told: float = 0.0
    _looked: float = 0.0
    _trouble: Trouble | None = None

    def begin(self) -> None:
        """Find out where the service stands, and go on from there.

        Raises:
            Failure: the service cannot be reached or refuses.
        """
        self._agree(self.service.where(self.stream))
        self.begun = True

    def read(self) -> bool:
        """Read what there is to queue; whether there was anything.

        Raises:
            Failure: the spool cannot be written.
        """
        if self._log is None:
            # The service has not been reached yet; what waits in a spool says where to go on.
            if self.queue.last is None:
                return False
            self._follow(self.queue.last)
        now = time.monotonic()
        if self.queue.last is not None and now < self._looked + _GATHER:
            # What comes meanwhile makes one larger batch.
            return False
        self._looked, count = now, 0
        while not self.queue.full and count < _PIECES_AT_ONCE:
            piece = self._next()
            if piece is None:
                break
            self._put(piece)
            count += 1
        return count > 0

    def send(self) -> bool:
        """Hand in the batch that waits longest; whether there was one.

        Raises:
            Failure: the service cannot be reached or refuses; the batch waits on.
        """
        batch = self.queue.first() or self._empty()
        if batch is None:
            return False
        answer = self.service.hand_in(self.stream, batch)
        self._told = time.monotonic()
        if not answer["kept"]:
            self._agree(answer["position"])
        elif batch.count:
            self.queue.take()
        else:
            self._position, self._after = Position.parse(batch.position), batch.position
        return True

    def close(self) -> None:
        """Let go of the log."""
        if self._log is not None:
            self._log.close()

    def _next(self) -> Piece | None:
        assert self._log is not None
        piece = self._log.read()
        if self._log.gap:
            warn(f"{self.stream}: {self._log.gap}")
            self._log.gap = ""
        if self._log.trouble is not None and self._log.trouble != self._trouble:
            warn(f"{self._log.trouble}")
        self._trouble = self._log.trouble
        return piece

    def _put(self, piece: Piece) -> None:
        position = self._position.then(piece.at)
        batch = Batch(
            after=self._after,
            position=position.text(),
            count=piece.data.count(b"\n"),
            lost=0,
            read=time.time() if len(piece.data) < PIECE // 2 else 0.0,
            body=gzip.compress(piece.data, _LEVEL),
        )
        lost = self.queue.put(batch)
        self._position, self._after = position, batch.position
        self._quiet_since = time.monotonic()
        if lost:
            warn(f"{self.stream}: the spool is full, {lost} lines were dropped")
            self._position = Position(position.number, position.lost + lost, position.at)

    def _empty(self) -> Batch | None:
        """A batch without lines, when one is due."""
        now = time.monotonic()
        fresh = self._told < self._quiet_since + _SOON
        due = self._quiet_since + _SOON if fresh else self._told + _LATER
        if self._after is None or now < due:
            return None
        position = self._position.then(self._position.at)
        return Batch(self._after, position.text(), 0, 0, time.time(), body=gzip.compress(b""))

    def _agree(self, stood: str | None) -> None:
        """Go on where the service stands."""
        if stood is not None and not self.queue.forget(stood) and _is_ahead(stood, self.queue):
            self.queue.clear()
        first = self.queue.first()
        if first is None:
            self._follow(stood)
            return
        if first.after != stood:
            # An answer was lost to a batch without lines, or a backup was restored there.
            self.queue.move(stood)
        if self._log is None:
            self._follow(self.queue.last)

    def _follow(self, stood: str | None) -> None:
        """Read from a position on."""
        self.close()
        self._after = stood
        try:
            self._position = Position.start() if stood is None else Position.parse(stood)
            self._log = self.open(self._position.at)
        except ValueError:
            warn(f"{self.stream}: the position at the service is none of ours; read from the start")
            self._position = Position.start()
            self._log = self.open(None)


def _is_ahead(stood: str, queue: Queue) -> bool:
    """Whether the service knows more than what waits: a spool that was restored, or another's."""
    try:
        number = Position.parse(stood).number
    except ValueError:
        return False
    return queue.last is not None and number > Position.parse(queue.last).number
