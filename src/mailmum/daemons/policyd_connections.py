"""The connections of the policy daemon: bounded in number, in memory and in time.

Two protocols are spoken here, and the first byte tells which: lookups of `socketmap` begin with a
digit, requests of `check_policy_service` with a letter.

Replies are written as requests come.  A client that does not read its replies is not read from
until it does; one that does not finish a request, or does not read, is closed after a while.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from mailmum.daemons.policyd_desk import Desk
from mailmum.daemons.policyd_options import Limits
from mailmum.domain.listings import Action
from mailmum.policy.actions import DUNNO, reply
from mailmum.policy.requests import Parser, Request
from mailmum.policy.socketmap import NOT_FOUND, Lookup, Lookups, found, request_of

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

    def accept(self, server: str = "") -> "Connection":
        """The protocol of a new connection, over which the server of a name asks, if it is told."""
        return Connection(self, server)

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

    def __init__(self, connections: Connections, server: str = "") -> None:
        self._connections = connections
        self._server = server
        self._desk = connections.desk
        self._parser: Parser | Lookups | None = None
        self._looked_up: Lookup | None = None
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
        self.client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by asyncio at the end."""
        self._connections.remove(self)

    def get_buffer(self, _size: int) -> bytearray:
        """Where asyncio puts what comes."""
        return self._room

    def buffer_updated(self, size: int) -> None:
        """Answer the requests that have come."""
        data = bytes(memoryview(self._room)[:size])
        if self._parser is None:
            self._parser = Lookups() if data[:1].isdigit() else Parser()
        now, replies = time.time(), b""
        if isinstance(self._parser, Lookups):
            replies = b"".join(self._look_up(one, now) for one in self._parser.feed(data))
        else:
            replies = b"".join(self._answer(one, now) for one in self._parser.feed(data))
        if replies:
            self.last = self._connections.clock()
            self._write(replies)
        self._time(progress=bool(replies))
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
        request = self._told(request)
        answer = self._desk.answer(request, now)
        if self._is_new(request):
            self._counted = request.instance, request.recipient
            self._desk.count(request, answer, now)
        return reply(answer.action)

    def _told(self, request: Request) -> Request:
        """The request with the server told by where it asks, whatever it says of that itself."""
        return replace(request, server=self._server) if self._server else request

    def _look_up(self, lookup: Lookup, now: float) -> bytes:
        request = request_of(lookup, self._looked_up)
        self._looked_up = lookup
        if request is None:
            return NOT_FOUND
        request = self._told(request)
        answer = self._desk.answer(request, now)
        if not request.address and answer.verdict is not Action.BLOCK:
            # Not by a name: the address is looked up next, and counts.
            return NOT_FOUND
        self._desk.count(request, answer, now)
        return NOT_FOUND if answer.action == DUNNO else found(answer.action)

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
        unfinished = self._parser is not None and self._parser.unfinished
        if not (self._unread or unfinished):
            self.begun = None
        elif progress or self.begun is None:
            self.begun = self._connections.clock()
