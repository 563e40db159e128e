"""Sightings as they come: one look at the database for all who follow.

A process has one hub.  While anybody follows, it asks ten times a second what is new for all
accounts that are followed, once, and hands each listener what it wants of that.  Nobody misses
anything and nobody gets anything twice, whatever happens:

*   Numbers of sightings rise in the order of commits.  A listener that joins is told up to which
    number the hub has got; what lies between that and its own cursor it reads from the database.
*   A listener that is slow has a bounded number waiting.  Beyond it they are forgotten, and it
    reads them from the database when it comes to it, as after joining.
*   A listener that went away comes back with its cursor, here or at another process.

Everything here runs in one event loop, but for the questions to the database.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

from django.db import DatabaseError, close_old_connections
from django.db.models import F

from mailmum.control.monitor.matching import matches
from mailmum.control.traffic.find import latest, news
from mailmum.control.traffic.models import Seen
from mailmum.control.traffic.reading import Wanted
from mailmum.control.traffic.values import Kept, to_kept
from mailmum.domain.errors import Conflict

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

PAUSE = 0.1
QUIET = 15.0
"""After so many seconds without news a listener is told how far the hub has got."""
WAITING = 2000
STEP = 5000
MOST, MOST_OF_AN_ACCOUNT = 100, 20


@dataclass(frozen=True, slots=True)
class Came:
    """What has come, in the order in which it was kept; maybe nothing.

    Attributes:
        found: the sightings.
        cursor: with which to go on later.
    """

    found: tuple[Kept, ...]
    cursor: int


@dataclass(slots=True, eq=False)
class _Listener:
    account: int
    wanted: Wanted
    joined: int = 0
    reached: int = 0
    waiting: list[Kept] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    gone: bool = False

    def hand(self, found: Sequence[Kept], reached: int) -> None:
        """Take what has come up to a number."""
        self.waiting += (kept for kept in found if matches(self.wanted, kept))
        self.reached = reached
        if self.waiting:
            self.news.set()
        if len(self.waiting) > WAITING:
            self.waiting.clear()
            self.joined = reached

    def take(self) -> list[Kept]:
        """What waits."""
        taken, self.waiting = self.waiting, []
        self.news.clear()
        return taken

    def go(self) -> None:
        """Leave; whoever listened comes again with the cursor."""
        self.gone = True
        self.news.set()


class Hub:
    """Asks for all listeners of an event loop."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()
        self._polling: asyncio.Task[None] | None = None
        self._position = 0
        self._lock = asyncio.Lock()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="live")

    async def follow(
        self, account: int, wanted: Wanted, after: int | None = None
    ) -> AsyncGenerator[Came, None]:
        """What comes for an account, until the listener leaves or the service ends.

        Args:
            account: number of the account; whoever calls has proved that it may be read.
            wanted: which sightings.
            after: the cursor of what came last; None for what is new from now on.

        Raises:
            Conflict: there are too many listeners.
            DatabaseError: traffic cannot be read, at the beginning or while catching up.
        """
        listener = await self._join(account, wanted)
        try:
            position = await self._start(listener, after)
            yield Came((), position)
            while not listener.gone:
                if position < listener.joined:
                    came = await self._earlier(listener, position)
                    position = came.cursor
                    yield came
                    continue
                await self._wait(listener)
                if position >= listener.joined and not listener.gone:
                    # Another process may have handed out some of it before this one.
                    found = tuple(kept for kept in listener.take() if kept.number > position)
                    position = max(position, listener.reached)
                    yield Came(found, position)
        finally:
            self._listeners.discard(listener)

    def end(self) -> None:
        """Let every listener go: the service ends."""
        for listener in self._listeners:
            listener.go()

    async def _join(self, account: int, wanted: Wanted) -> _Listener:
        async with self._lock:
            mine = sum(one.account == account for one in self._listeners)
            if len(self._listeners) >= MOST or mine >= MOST_OF_AN_ACCOUNT:
                raise too_many()
            if self._polling is None or self._polling.done():
                self._position = await self._ask(latest)
                self._polling = asyncio.create_task(self._poll())
            listener = _Listener(account, wanted, self._position, self._position)
            self._listeners.add(listener)
        return listener

    async def _start(self, listener: _Listener, after: int | None) -> int:
        if after is None:
            return listener.joined
        if after <= listener.joined:
            return after
        # Another process was ahead of this one, or the database is an older one now.
        return min(after, await self._ask(latest))

    async def _earlier(self, listener: _Listener, position: int) -> Came:
        """What was kept before the hub hands it out, from the database."""
        upto = listener.joined
        read = await self._ask(partial(news, listener.account, listener.wanted, position))
        found = tuple(kept for kept in read.found if kept.number <= upto)
        return Came(found, min(read.cursor, upto))

    async def _wait(self, listener: _Listener) -> None:
        try:
            await asyncio.wait_for(listener.news.wait(), QUIET)
        except TimeoutError:
            return

    async def _poll(self) -> None:
        try:
            # The first listener joins as soon as this task first waits.
            await asyncio.sleep(PAUSE)
            while self._listeners:
                await self._look()
                await asyncio.sleep(PAUSE)
        finally:
            for listener in self._listeners:
                listener.go()

    async def _look(self) -> None:
        accounts = frozenset(one.account for one in self._listeners)
        try:
            found, reached = await self._ask(partial(_fresh, accounts, self._position))
        except DatabaseError as error:
            log.warning("traffic cannot be read: %s", error)
            return
        # Nothing waits from here on: who joins now is told of this position.
        back, self._position = reached < self._position, reached
        for listener in list(self._listeners):
            if back:  # the database is an older one now
                listener.go()
            elif listener.account in accounts:
                listener.hand(found.get(listener.account, ()), reached)
            else:  # joined while we looked, without its account being looked at
                listener.joined = max(listener.joined, reached)
                listener.news.set()

    async def _ask(self, question: Callable[[], _Result]) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(_asked, question))


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def too_many() -> Conflict:
    """There are as many listeners as there may be."""
    return Conflict(
        "too many are following live already", fix="close some of them, or try again later"
    )


def _asked(question: Callable[[], _Result]) -> _Result:
    close_old_connections()
    return question()


def _fresh(accounts: frozenset[int], after: int) -> tuple[dict[int, list[Kept]], int]:
    """What was kept after a number, by account, and up to which number that is all."""
    top = latest()
    end = min(after + STEP, top)
    if end <= after:
        return {}, top
    # A sum is in no index: else SQLite would take the one by account and sort all that it holds.
    seen = Seen.objects.annotate(of=F("account") + 0).filter(of__in=sorted(accounts))
    rows: list[Seen] = list(seen.filter(id__gt=after, id__lte=end).order_by("id"))
    found: dict[int, list[Kept]] = {}
    for row, kept in zip(rows, to_kept(rows), strict=True):
        found.setdefault(row.account, []).append(kept)
    return found, end
