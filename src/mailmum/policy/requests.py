r"""The Postfix policy delegation protocol (SMTPD_POLICY_README): the requests of one connection.

A request is `name=value` lines and an empty line; the reply is one such line and an empty line.
Several requests come one after the other on a connection.

    >>> parser = Parser()
    >>> parser.feed(b"request=smtpd_access_policy\nclient_address=203.0.113.7\n")
    []
    >>> [request.address for request in parser.feed(b"\n")]
    ['203.0.113.7']

The parser takes whatever bytes come, in pieces of any size, and never raises.  What Postfix would
never send (a line without `=`, an empty or an endless request) breaks the connection: there is no
telling where the next request begins.  Requests before the fault are still given.  Attributes that
nobody here cares about are skipped; of an attribute that is sent twice the first counts.
"""

from dataclasses import dataclass
from enum import StrEnum

REQUEST_LIMIT = 65_536
"""Bytes of one request, and so of a line.  Postfix's longest are a few kilobytes: it bounds
command lines to `line_length_limit`, 2048 bytes."""

_FIELDS = {
    b"request": "kind",
    b"policy_context": "context",
    b"client_address": "address",
    b"client_name": "name",
    b"reverse_client_name": "reverse",
    b"helo_name": "helo",
    b"instance": "instance",
    b"sender": "sender",
    b"recipient": "recipient",
}


class Fault(StrEnum):
    """What is wrong with a connection whose bytes are no requests."""

    TOO_LONG = "request-too-long"
    MALFORMED = "request-malformed"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; an attribute that was not sent is empty.

    Attributes:
        kind: `request`, for Postfix `smtpd_access_policy`.
        context: `policy_context`, which holds the zone key here.
        address: `client_address`.
        name: `client_name`, verified by Postfix, else `unknown`.
        reverse: `reverse_client_name`, not verified.
        helo: `helo_name`, the client's own claim.
        instance: the same for all requests about one message.
        sender: of the envelope, empty for the null sender too.
        recipient: of the envelope; empty before RCPT, and after it when there are several.
        server: name of the server, told by the socket that the request came over; never by the
            request itself, for a name proves nothing.
    """

    kind: str = ""
    context: str = ""
    address: str = ""
    name: str = ""
    reverse: str = ""
    helo: str = ""
    instance: str = ""
    sender: str = ""
    recipient: str = ""
    server: str = ""


class Parser:
    """Takes the bytes of one connection apart.

    Attributes:
        fault: what broke the connection, or None; nothing is read after it.
    """

    __slots__ = ("_buffer", "fault")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.fault: Fault | None = None

    @property
    def unfinished(self) -> bool:
        """Whether a request has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Request]:
        """The requests that these bytes complete."""
        found: list[Request] = []
        if self.fault is None:
            # The end of a request may lie across the border of two pieces.
            searched = max(len(self._buffer) - 1, 0)
            self._buffer += data
            self.fault = self._take(found, searched)
            if self.fault is not None:
                self._buffer.clear()
        return found

    def _take(self, found: list[Request], searched: int) -> Fault | None:
        """Move whole requests from the buffer to `found`; what is wrong with the rest."""
        start = 0
        while (end := self._buffer.find(b"\n\n", max(start, searched))) >= 0:
            request = _read(bytes(self._buffer[start:end]))
            if isinstance(request, Fault):
                return request
            found.append(request)
            start = end + 2
        del self._buffer[:start]
        if self._buffer.startswith(b"\n"):
            return Fault.MALFORMED
        return Fault.TOO_LONG if len(self._buffer) > REQUEST_LIMIT else None


def _read(text: bytes) -> Request | Fault:
    """A request from its lines, without the line break of the last one."""
    if not text or text.startswith(b"\n"):
        return Fault.MALFORMED
    if len(text) >= REQUEST_LIMIT:
        return Fault.TOO_LONG
    fields: dict[str, str] = {}
    for line in text.split(b"\n"):
        name, equals, value = line.partition(b"=")
        if not equals or not name:
            return Fault.MALFORMED
        field = _FIELDS.get(name)
        if field is not None and field not in fields:
            fields[field] = value.decode("utf-8", "replace")
    return Request(**fields)
