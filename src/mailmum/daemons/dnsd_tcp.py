"""DNS over TCP (RFC 7766): many queries on one connection, and no client can hold up another.

Messages have a length prefix of two bytes.  A client may send any number without waiting; answers
go out in the order in which the queries came.  Nothing here blocks: what a client does not take is
kept for it up to a limit, beyond which its queries are no longer read.

Without a descriptor for one more connection, the longest idle makes room; when there is none, the
listening sockets are left alone for a moment, as they stay ready all the time.

A connection lives while it is used.  It is closed when for `idle` seconds no whole query came and
no answer was taken, and when there are too many, the longest idle first (RFC 7766 section 6.2.3).
"""

import errno
import selectors
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import structlog

from mailmum.daemons.dnsd_options import TcpLimits
from mailmum.daemons.seldom import Seldom

log = structlog.get_logger()

Answer = Callable[[bytes, Any, float], bytes | None]
"""The response to a message from a client at a time, or None for silence."""

_CHUNK = 4096
_ACCEPTS = 16
_REST = 0.1
_AGAIN = 3600.0


class BadStreamError(Exception):
    """The client does not speak DNS, or sends a longer query than is read."""


class Framing:
    r"""Cuts a stream into messages.

    >>> framing = Framing(limit=512)
    >>> framing.feed(b"\0\3abc\0"), framing.feed(b"\1x")
    ([b'abc'], [b'x'])
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int) -> None:
        self._buffer = b""
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now.

        Raises:
            BadStreamError: a message is announced that is empty or longer than the limit.
        """
        data, messages, at = self._buffer + data, [], 0
        while len(data) - at >= 2:
            length = data[at] << 8 | data[at + 1]
            if not 0 < length <= self._limit:
                raise BadStreamError
            if len(data) - at - 2 < length:
                break
            messages.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        self._buffer = data[at:]
        return messages


class _Connection:
    __slots__ = ("client", "deadline", "ended", "events", "framing", "sock", "unsent")

    def __init__(self, sock: socket.socket, client: Any, limit: int, deadline: float) -> None:
        self.sock = sock
        self.client = client
        self.framing = Framing(limit)
        self.deadline = deadline
        self.unsent = b""
        self.events = selectors.EVENT_READ
        # The client will send no more, but may still read.
        self.ended = False


class TcpService:
    """All TCP connections of a worker.

    Args:
        selector: told about every connection; its data is a callable that takes the events.
        answer: gives the answers.
        limits: what clients may take up.
    """

    def __init__(self, selector: selectors.BaseSelector, answer: Answer, limits: TcpLimits) -> None:
        self._selector = selector
        self._answer = answer
        self._limits = limits
        self._seldom = Seldom(_AGAIN)
        # In the order of their deadlines, the longest idle first.
        self._connections: OrderedDict[int, _Connection] = OrderedDict()
        self._resting: list[socket.socket] = []
        self._rested = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def listen(self, sock: socket.socket) -> None:
        """Take connections from a listening socket."""
        self._selector.register(sock, selectors.EVENT_READ, lambda _: self._accept(sock))

    def sweep(self, now: float) -> float:
        """Close idle connections; when to come again, in seconds of the monotonic clock."""
        if self._resting and now >= self._rested:
            for sock in self._resting:
                self.listen(sock)
            self._resting.clear()
        while self._connections:
            connection = next(iter(self._connections.values()))
            if connection.deadline > now:
                return self._soon(connection.deadline)
            self._close(connection)
        return self._soon(now + self._limits.idle)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            self._close(connection)

    def _soon(self, at: float) -> float:
        return min(at, self._rested) if self._resting else at

    def _make_room(self, listener: socket.socket) -> None:
        """No descriptor is left for a connection that waits, or it is gone again."""
        if self._connections:
            self._close(next(iter(self._connections.values())))
            return
        self._selector.unregister(listener)
        self._resting.append(listener)
        self._rested = time.monotonic() + _REST

    def _tell(self, error: OSError) -> None:
        if error.errno in {errno.EMFILE, errno.ENFILE} and self._seldom.due(error.errno):
            log.warning(
                "dns.not-accepted",
                reason=error.strerror,
                consequence="connections over TCP make room for each other, or wait",
                fix="raise LimitNOFILE of this service",
            )

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                sock, client = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._tell(error)
                self._make_room(listener)
                return
            if len(self._connections) >= self._limits.connections:
                self._close(next(iter(self._connections.values())))
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            deadline = time.monotonic() + self._limits.idle
            connection = _Connection(sock, client, self._limits.query, deadline)
            self._connections[sock.fileno()] = connection
            self._selector.register(sock, connection.events, self._handler(connection))

    def _handler(self, connection: _Connection) -> Callable[[int], None]:
        def handle(events: int) -> None:
            try:
                if events & selectors.EVENT_WRITE:
                    self._send(connection)
                if events & selectors.EVENT_READ:
                    self._receive(connection)
            except (OSError, BadStreamError):
                self._close(connection)
            else:
                self._settle(connection)

        return handle

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        connection.ended = not data
        answers, now = [], time.time()
        for message in connection.framing.feed(data):
            self._touch(connection)
            answer = self._answer(message, connection.client, now)
            if answer is not None:
                answers.append(len(answer).to_bytes(2, "big") + answer)
        if answers:
            connection.unsent += b"".join(answers)
            self._send(connection)

    def _send(self, connection: _Connection) -> None:
        if not connection.unsent:
            return
        try:
            sent = connection.sock.send(connection.unsent)
        except BlockingIOError:
            return
        connection.unsent = connection.unsent[sent:]
        self._touch(connection)

    def _settle(self, connection: _Connection) -> None:
        """Wait for what can go on now; close what is done."""
        if connection.ended and not connection.unsent:
            self._close(connection)
            return
        events = 0
        if not connection.ended and len(connection.unsent) <= self._limits.unsent:
            events |= selectors.EVENT_READ
        if connection.unsent:
            events |= selectors.EVENT_WRITE
        if events != connection.events:
            connection.events = events
            self._selector.modify(connection.sock, events, self._handler(connection))

    def _touch(self, connection: _Connection) -> None:
        connection.deadline = time.monotonic() + self._limits.idle
        self._connections.move_to_end(connection.sock.fileno())

    def _close(self, connection: _Connection) -> None:
        if self._connections.pop(connection.sock.fileno(), None) is not None:
            self._selector.unregister(connection.sock)
            connection.sock.close()
