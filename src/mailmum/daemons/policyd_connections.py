"""The connections of the policy daemon: bounded in number, in memory and in time.

Replies are written as requests come.  A client that does not read its replies is not read from
until it does; one that does not finish a request, or does not read, is closed after a while.
"""

import asyncio
import time
from collections.abc import Callable

from mailmum.daemons.policyd_desk import Desk
from mailmum.daemons.policyd_options import Limits
from mailmum.policy.actions import reply
from mailmum.policy.requests import Parser, Request

# A request has about 700 bytes.  It also bounds the replies that are made before the next look at
# whether the client reads them.
_ROOM = 4096


class Connections:
    """All connections.

    Args:
        desk: answers requests.
        limits: what clients may take up.
        clock: monotonic seconds.
    """

    def __init__(
        self, desk: Desk, limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.desk = desk
        self.clock = clock
        self._limits = limits
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def accept(self) -> "Connection":
        """The protocol of a new connection."""
        return Connection(self)

    def add(self, connection: "Connection") -> None:
        """Take note of a connection; when there are too many the longest idle is closed."""
        if len(self._open) >= self._limits.connections:
            idlest = min(self._open, key=lambda one: one.last)
            self.desk.broken("too-many-connections", idlest.client)
            self._drop(idlest)
        self._open.add(connection)

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)

    def sweep(self) -> None:
        """Close what has been silent or slow for too long."""
        now, limits = self.clock(), self._limits
        for one in list(self._open):
            if one.begun is not None and now - one.begun > limits.request:
                self.desk.broken("too-slow", one.client)
                self._drop(one)
            elif now - one.last > limits.idle:
                self._drop(one)

    def close(self) -> None:
        """Close all."""
        for one in list(self._open):
            self._drop(one)

    def _drop(self, connection: "Connection") -> None:
        self.remove(connection)
        connection.drop()


class Connection(asyncio.BufferedProtocol):
    """One connection.

    Attributes:
        client: its address, for the log.
        last: when the last request came, or the connection.
        begun: since when a request or a reply has been on its way, None when none is.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._desk = connections.desk
        self._parser = Parser()
        self._room = bytearray(_ROOM)
        self._transport: asyncio.Transport | None = None
        self._unread = False
        # Instance and recipient of the request that was counted last.
        self._counted = "", ""
        self.client = ""
        self.last = connections.clock()
        self.begun: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio at the beginning."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.client = str(peer[0]) if peer else ""
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by asyncio at the end."""
        self._connections.remove(self)

    def get_buffer(self, _size: int) -> bytearray:
        """Where asyncio puts what comes."""
        return self._room

    def buffer_updated(self, size: int) -> None:
        """Answer the requests that have come."""
        requests = self._parser.feed(bytes(memoryview(self._room)[:size]))
        if requests:
            self.last = self._connections.clock()
            now = time.time()
            self._write(b"".join(self._answer(request, now) for request in requests))
        self._time(progress=bool(requests))
        if self._parser.fault is not None:
            self._desk.broken(self._parser.fault, self.client)
            if self._transport is not None:
                # What was answered before still goes out.
                self._transport.close()

    def pause_writing(self) -> None:
        """Called when too many replies are unread: no more requests are taken."""
        self._unread = True
        if self._transport is not None:
            self._transport.pause_reading()
        self._time(progress=True)

    def resume_writing(self) -> None:
        """Called when they have been read."""
        self._unread = False
        if self._transport is not None:
            self._transport.resume_reading()
        self._time(progress=True)

    def drop(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, request: Request, now: float) -> bytes:
        answer = self._desk.answer(request, now)
        if self._is_new(request):
            self._counted = request.instance, request.recipient
            self._desk.count(request, answer, now)
        return reply(answer.action)

    def _is_new(self, request: Request) -> bool:
        """Whether it is about another recipient than the one before.

        Postfix asks for each recipient, and again for each list of restrictions that names the
        service; in those that stand after several recipients it names none.
        """
        instance, recipient = self._counted
        same = bool(request.instance) and request.instance == instance
        return not (same and request.recipient in ("", recipient))

    def _write(self, replies: bytes) -> None:
        if self._transport is not None:
            self._transport.write(replies)

    def _time(self, *, progress: bool) -> None:
        if not (self._unread or self._parser.unfinished):
            self.begun = None
        elif progress or self.begun is None:
            self.begun = self._connections.clock()
