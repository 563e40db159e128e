r"""Postfix's `socketmap` lookups (socketmap_table(5)) for `check_client_access`.

    check_client_access socketmap:inet:127.0.0.1:10053:KEY

A lookup is one netstring, the name of the map (here the zone key of the server), a blank and the
key; the reply is one too:

    >>> lookups = Lookups()
    >>> lookups.feed(b"20:k7dqpmw2x4hnt9ab 203.0.113.7,"[:9]), lookups.fault
    ([], None)
    >>> Lookups().feed(b"28:k7dqpmw2x4hnt9ab 203.0.113.7,")
    [Lookup(map='k7dqpmw2x4hnt9ab', key='203.0.113.7')]
    >>> found(b"REJECT 5.7.1 Sent spam"), NOT_FOUND
    (b'25:OK REJECT 5.7.1 Sent spam,', b'9:NOTFOUND ,')

Postfix looks up the client's verified name, the domains above it, its address and the networks
around it, one after the other, and takes the first that is found.  The verdict is always about the
client itself, so what lies above is not found:

- A name is only blocked here.  Nothing in a lookup tells whether the name is the verified one, and
  by any other a client could allow itself.
- A domain that is looked up right after a name below it is asked for that name's sake, whose
  verdict has been given.
- An address is blocked or allowed; part of one is not found.

The parser takes whatever bytes come, in pieces of any size, and never raises.
"""

from dataclasses import dataclass

from mailmum.policy.clients import UNKNOWN, address_of, name_of
from mailmum.policy.engine import ACCESS
from mailmum.policy.requests import Fault, Request

LOOKUP_LIMIT = 4096
"""Bytes of one lookup; Postfix's keys are names and addresses."""

_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup.

    Attributes:
        map: the name of the map: the zone key.
        key: what is looked up.
    """

    map: str
    key: str


class Lookups:
    """Takes the bytes of one connection apart.

    Attributes:
        fault: what broke the connection, or None; nothing is read after it.
    """

    __slots__ = ("_buffer", "fault")

    def __init__(self) -> None:
        self._buffer = b""
        self.fault: Fault | None = None

    @property
    def unfinished(self) -> bool:
        """Whether a lookup has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Lookup]:
        """The lookups that these bytes complete."""
        found: list[Lookup] = []
        if self.fault is None:
            self._buffer += data
            self._take_all(found)
        return found

    def _take_all(self, found: list[Lookup]) -> None:
        while self._buffer and self._take(found):
            continue
        if self.fault is not None:
            self._buffer = b""

    def _take(self, found: list[Lookup]) -> bool:
        """Move one lookup from the buffer to `found`; False when there is no whole one."""
        head, colon, _ = self._buffer[: _DIGITS + 1].partition(b":")
        if not head.isdigit() or len(head) > _DIGITS or (not colon and len(head) == _DIGITS):
            self.fault = Fault.MALFORMED
            return False
        if not colon:
            return False
        size, start = int(head), len(head) + 1
        if size > LOOKUP_LIMIT:
            self.fault = Fault.TOO_LONG
            return False
        if len(self._buffer) <= start + size:
            return False
        name, blank, key = self._buffer[start : start + size].partition(b" ")
        if self._buffer[start + size : start + size + 1] != b"," or not blank:
            self.fault = Fault.MALFORMED
            return False
        found.append(Lookup(name.decode("utf-8", "replace"), key.decode("utf-8", "replace")))
        self._buffer = self._buffer[start + size + 1 :]
        return True


def request_of(lookup: Lookup, before: Lookup | None) -> Request | None:
    """The request that a lookup stands for; None when nothing is to be found.

    Args:
        lookup: the lookup.
        before: the one before it on the same connection.
    """
    if address_of(lookup.key) is not None:
        return Request(ACCESS, lookup.map, lookup.key, UNKNOWN, UNKNOWN)
    if ":" in lookup.key or lookup.key.startswith(".") or name_of(lookup.key) is None:
        return None
    if before is not None and before.map == lookup.map:
        above = f".{lookup.key.lower()}"
        if before.key.lower().endswith(above):
            return None
    return Request(ACCESS, lookup.map, name=lookup.key, reverse=UNKNOWN)


def found(action: bytes) -> bytes:
    """The reply that carries an action."""
    return _netstring(b"OK " + action)


def _netstring(text: bytes) -> bytes:
    return b"%d:%b," % (len(text), text)


NOT_FOUND = _netstring(b"NOTFOUND ")
