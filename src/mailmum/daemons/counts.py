"""Handing counts over: parcels go to the sink in a thread, and are kept within bounds meanwhile.

Rules:

- A parcel has a number and stays as it is until the sink has taken it: a sink that notes numbers
  beside what it stores cannot store one twice, even if it was interrupted before it could say so.
- Nothing waits without bounds.  While the sink cannot keep up, counts stay where they are counted,
  in tables that have a limit of their own, and are fetched once a minute only, so that they keep
  the minute in which they were made.
- What found no room is counted, told to the sink with the next parcel, and logged.
- Handing over takes a fifth of the time at most: it shares the interpreter with the loop that
  answers.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from mailmum.daemons.seldom import Seldom
from mailmum.dns.counters import LIMIT, CountBatch
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.sightings import Sighting

log = structlog.get_logger()

MINUTES = 60
"""Most parcels that wait, besides the one that is being offered."""

_PATIENCE = 10.0
_SHARE = 4
_LONGEST_REST = 5.0
_AGAIN = 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """How a process stands.

    Attributes:
        process: a name by chance, so that no two are taken for each other.
        part: `dns` or `policy`.
        started: Unix time in seconds.
        position: the journal's number up to which it has taken over changes; None without an index.
        away: Unix time since when the database of rules cannot be asked, or None.
        saved: Unix time when the snapshot was last seen to be as the index is, or None.
        ended: whether this is the last report.
    """

    process: str
    part: str
    started: float
    position: int | None = None
    away: float | None = None
    saved: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A sighting at a server."""

    server: int
    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Taken:
    """What was counted and seen in a stretch of time.

    Attributes:
        batch: counts.
        sightings: single ones.
        dropped: sightings that found no room.
    """

    batch: CountBatch = field(default_factory=CountBatch)
    sightings: Sequence[Seen] = ()
    dropped: int = 0

    def __bool__(self) -> bool:
        return bool(self.batch or self.sightings or self.dropped)

    @property
    def size(self) -> int:
        """How much room it takes, in entries of a batch; a sighting is about four of them."""
        return self.batch.size + 4 * len(self.sightings)

    @property
    def total(self) -> int:
        """How many lookups and requests it stands for, as far as they found room."""
        counted = sum(self.batch.counts.values())
        return counted + sum(use.count for use in self.batch.revoked)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a sink takes.

    Attributes:
        number: of the process's parcels, rising from 1.
        time: Unix time in seconds at the end of the stretch of time.
        taken: what was counted in it.
        report: how the process stood.
        given_up: counts of earlier parcels that a fault of the sink's has cost.
    """

    number: int
    time: float
    taken: Taken
    report: Report
    given_up: int = 0


Sink = Callable[[Parcel], None]
"""Takes a parcel; raises `SourceUnavailable` when it cannot keep it just now."""


class Handover:
    """What was counted and not yet taken by the sink.

    Args:
        part: the daemon's name, for the log.
        sink: called in this object's thread only.
        retry: first and longest pause in seconds before a parcel is offered again.
    """

    def __init__(self, part: str, sink: Sink, retry: tuple[float, float]) -> None:
        self._part = part
        self._sink = sink
        self._retry = retry
        self._lock = threading.Lock()
        self._waiting: deque[Parcel] = deque()
        self._held = 0
        self._number = 0
        self._given_up = 0
        self._failing: float | None = None
        self._warned = False
        self._seldom = Seldom(_AGAIN)
        self._news = threading.Event()
        self._ending = threading.Event()

    @property
    def waiting(self) -> float:
        """Seconds for which the sink has taken nothing although it was offered something."""
        failing = self._failing
        return 0.0 if failing is None else time.monotonic() - failing

    def wants(self, now: float) -> bool:
        """Whether to put something now (Unix time); from the loop."""
        with self._lock:
            if not self._waiting:
                return True
            room = len(self._waiting) < MINUTES and self._held < LIMIT
            return room and now // 60 != self._waiting[-1].time // 60

    def put(self, now: float, taken: Taken, report: Report) -> None:
        """Add what was counted; from the loop."""
        with self._lock:
            self._number += 1
            given_up, self._given_up = self._given_up, 0
            self._waiting.append(Parcel(self._number, now, taken, report, given_up))
            self._held += taken.size
        self._tell_losses(taken)
        self._news.set()

    def end(self) -> None:
        """Offer what is left once more, then end `run`."""
        self._ending.set()
        self._news.set()

    def run(self) -> None:
        """Hand over until `end`."""
        pause, longest = self._retry
        while True:
            self._news.wait()
            self._news.clear()
            if self._offer_all():
                pause = self._retry[0]
            elif not self._ending.is_set():
                self._ending.wait(pause)
                pause = min(2 * pause, longest)
                self._news.set()
                continue
            if self._ending.is_set():
                self._tell_rest()
                return

    def _offer_all(self) -> bool:
        """Hand over everything that waits; False when the sink cannot take it just now."""
        while self._waiting:
            before = time.thread_time()
            if not self._offer(self._waiting[0]):
                return False
            with self._lock:
                self._held -= self._waiting.popleft().taken.size
            rest = (time.thread_time() - before) * _SHARE
            self._ending.wait(min(rest, _LONGEST_REST))
        return True

    def _offer(self, parcel: Parcel) -> bool:
        try:
            self._sink(parcel)
        except SourceUnavailable as error:
            self._note_failure(str(error))
            return False
        except BaseException:
            # A fault of ours would come again with this parcel; the thread is started anew.
            with self._lock:
                self._held -= self._waiting.popleft().taken.size
                self._given_up += parcel.given_up + parcel.taken.total
            raise
        self._note_success()
        return True

    def _note_failure(self, reason: str) -> None:
        if self._failing is None:
            self._failing = time.monotonic()
            log.debug(f"{self._part}.counts-kept", reason=reason)
        elif self.waiting > _PATIENCE and not self._warned:
            self._warned = True
            log.warning(
                f"{self._part}.counts-not-stored",
                reason=reason,
                consequence="kept in memory while there is room, then counted as lost",
            )

    def _note_success(self) -> None:
        if self._warned:
            log.info(f"{self._part}.counts-stored-again", after=round(self.waiting))
        self._failing, self._warned = None, False

    def _tell_losses(self, taken: Taken) -> None:
        losses = {
            "counts": taken.batch.lost,
            "clients": taken.batch.nameless,
            "sightings": taken.dropped,
        }
        found = {what: count for what, count in losses.items() if count}
        if found and self._seldom.due("lost"):
            log.warning(f"{self._part}.counts-lost", **found, reason="more than there is room for")

    def _tell_rest(self) -> None:
        lost = sum(parcel.taken.total for parcel in self._waiting)
        if lost:
            log.warning(f"{self._part}.counts-lost", counts=lost, reason="ended before stored")
