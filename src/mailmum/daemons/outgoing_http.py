"""One exchange of HTTP/1.1 over a connection: a request out, a reply in, all of it bounded.

h11 reads and writes the protocol (RFC 9112).  What is bounded here: the head of a reply, its body
as it comes over the wire, its body after decompression (a small body can unpack to any size), and
the time of the whole, whatever pauses the other side makes.
"""

import socket
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import h11

from mailmum.daemons.outgoing_connect import Deadline
from mailmum.daemons.outgoing_faults import Unreached
from mailmum.domain.texts import shown

_CHUNK = 65536
_HEAD_LIMIT = 65536
_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        status: of HTTP, 200 to 599.
        headers: names in small letters; of several with one name the first.
        body: unpacked, empty for a status without one.
        url: where it came from in the end, after redirects.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    url: str = ""

    @property
    def ok(self) -> bool:
        """Whether the request did what was asked."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: the host is for messages, the target is path and query."""

    method: str
    host: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    limit: int


def exchange(connection: socket.socket, request: Request, deadline: Deadline) -> Reply:
    """Send a request and read its reply.

    Raises:
        Unreached: the reply is too long, too late, broken, or does not come.
    """
    wire = _Wire(connection, request, deadline)
    try:
        return wire.reply()
    except TimeoutError:
        raise deadline.passed(request.host) from None
    except (h11.RemoteProtocolError, zlib.error) as error:
        raise Unreached(f"{shown(request.host)} answers with broken HTTP: {error}") from None
    except OSError as error:
        raise Unreached(
            f"the connection to {shown(request.host)} broke off: {error.strerror or error}",
            fix="try again later",
        ) from None


class _Wire:
    """The connection during one exchange."""

    def __init__(self, connection: socket.socket, request: Request, deadline: Deadline) -> None:
        self._socket = connection
        self._request = request
        self._deadline = deadline
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)

    def reply(self) -> Reply:
        self._send()
        head = self._head()
        headers: dict[str, str] = {}
        for name, value in head.headers:
            headers.setdefault(name.decode("ascii"), value.decode("latin-1"))
        self._refuse_by_length(headers)
        pieces = _unpacked(self._pieces(), self._coding(headers))
        return Reply(head.status_code, headers, self._joined(pieces))

    def _send(self) -> None:
        request = self._request
        try:
            head = h11.Request(
                method=request.method, target=request.target, headers=list(request.headers)
            )
        except h11.LocalProtocolError as error:
            raise Unreached(
                f"the request to {shown(request.host)} cannot be made: {error}"
            ) from None
        data = self._state.send(head) or b""
        if request.body:
            data += self._state.send(h11.Data(request.body)) or b""
        data += self._state.send(h11.EndOfMessage()) or b""
        for at in range(0, len(data), _CHUNK):
            self._socket.settimeout(self._deadline.left(request.host))
            self._socket.sendall(data[at : at + _CHUNK])

    def _head(self) -> h11.Response:
        while True:
            event = self._event()
            # Informational ones (RFC 9110 section 15.2) come before the reply.
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise Unreached(f"{shown(self._request.host)} ended the connection unasked")

    def _pieces(self) -> Iterator[bytes]:
        read = 0
        while not isinstance(event := self._event(), h11.EndOfMessage | h11.ConnectionClosed):
            if isinstance(event, h11.Data):
                read += len(event.data)
                if read > self._request.limit:
                    raise self._too_long()
                yield bytes(event.data)

    def _event(self) -> object:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            self._socket.settimeout(self._deadline.left(self._request.host))
            self._state.receive_data(self._socket.recv(_CHUNK))
        return event

    def _joined(self, pieces: Iterator[bytes]) -> bytes:
        body = bytearray()
        for piece in pieces:
            body += piece
            if len(body) > self._request.limit:
                raise self._too_long()
        return bytes(body)

    def _refuse_by_length(self, headers: dict[str, str]) -> None:
        length = headers.get("content-length", "0")
        if self._request.method != "HEAD" and int(length) > self._request.limit:
            raise self._too_long()

    def _coding(self, headers: dict[str, str]) -> str:
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", ""):
            raise Unreached(
                f"{shown(self._request.host)} answers in an unknown coding, {shown(coding)}"
            )
        return coding

    def _too_long(self) -> Unreached:
        return Unreached(
            f"{shown(self._request.host)} answers with more than {_size(self._request.limit)}",
            fix="check that the address is the right one",
        )


def _unpacked(pieces: Iterator[bytes], coding: str) -> Iterator[bytes]:
    return gunzip(pieces) if "gzip" in coding else pieces


def gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack what gzip has packed (RFC 1952, several members too), in pieces of bounded size.

    Raises:
        zlib.error: it is not whole, or not packed by gzip.
    """
    member = zlib.decompressobj(_GZIP)
    begun = False
    for piece in pieces:
        rest = piece
        while rest:
            if member.eof:
                member = zlib.decompressobj(_GZIP)
            begun = True
            yield member.decompress(rest, _CHUNK)
            rest = member.unused_data if member.eof else member.unconsumed_tail
    while begun and not member.eof:
        # Output that did not fit in the last piece.
        more = member.decompress(member.unconsumed_tail, _CHUNK)
        if not more and not member.eof:
            raise zlib.error("the packed data breaks off")
        yield more


def _size(limit: int) -> str:
    return f"{limit // 1024**2} MB" if limit >= 1024**2 else f"{limit} bytes"
