"""The engine: a request in, an answer out; no clock, no socket, no log.

Which server asks is told by the zone key in `policy_context` (Postfix 3.1 and later).  With
`:allow` after it the answer is never a block: for a check that stands before the administrator's
own people have been let through.  There is one
verdict on the client's address and one on each of its names, of which allow beats block; but only
the name that the DNS confirms can allow, since a client chooses its HELO and the name in its
reverse zone.  The same client gets the same answer whatever the state of the SMTP session, so a
check may stand in any list of restrictions.

When in doubt mail flows: without an index, for an unknown, revoked or missing key, for a request
that is not understood and about the machine itself (loopback) the answer is DUNNO.

    >>> Engine().answer(Request(kind=ACCESS), now=0.0).action
    b'DUNNO'
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from mailmum.domain.clients import NameSubject, Subject
from mailmum.domain.listings import Action
from mailmum.domain.public import DEFAULT_TEXTS
from mailmum.index.index import Hit, Index, ServerEntry
from mailmum.index.records import Changes
from mailmum.policy.actions import ALLOW, DUNNO, reject
from mailmum.policy.clients import ODD, Client, client_of
from mailmum.policy.requests import Request

ACCESS = "smtpd_access_policy"
"""The only kind of request that Postfix sends."""

ONLY_ALLOW = ":allow"
"""Stands after the key where nothing is to be blocked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered, and what is to be counted.

    Attributes:
        action: in Postfix's words, one line.
        server: number of the server that asked, 0 when it is not known.
        verdict: the action of the listing that decided, None without a verdict.
        subject: what of the client it covers.
        wide: whether it is of a network or a domain.
        fault: why there could be no verdict, one of a few words of our own, or empty.
        revoked: the key that was shown, when it is a revoked one of that server.
    """

    action: bytes = DUNNO
    server: int = 0
    verdict: Action | None = None
    subject: Subject | None = None
    wide: bool = False
    fault: str = ""
    revoked: str = ""


_NOT_READY = Answer(fault="not-ready")
_UNKNOWN_REQUEST = Answer(fault="unknown-request")
_NO_KEY = Answer(fault="no-key")
_UNKNOWN_KEY = Answer(fault="unknown-key")
_UNKNOWN_SERVER = Answer(fault="unknown-server")


class Engine:
    """Answers requests from an index.

    Args:
        public_url: how browsers reach the pages, without a trailing slash; empty for no links.

    Attributes:
        index: the listings, None while there are none.  It may be replaced or changed between two
            requests by the thread that calls `answer`.
    """

    def __init__(self, public_url: str = "") -> None:
        self._public_url = public_url
        self.index: Index | None = None
        self._named: tuple[Index, int, dict[str, ServerEntry | None]] | None = None

    def apply(self, changes: Changes) -> None:
        """Take over changes into the index, if there is one."""
        if self.index is not None:
            self.index.apply(changes)

    def answer(self, request: Request, now: float) -> Answer:
        """The answer to a request at `now` (Unix time in seconds)."""
        index = self.index
        if index is None:
            return _NOT_READY
        server = self._server_of(index, request, now)
        if isinstance(server, Answer):
            return server
        number = server.record.id
        found = _decide(index, server, client_of(request), now)
        if found is None:
            return Answer(server=number)
        hit, subject = found
        if hit.action is Action.ALLOW:
            action = ALLOW
        elif request.context.strip().endswith(ONLY_ALLOW):
            action = DUNNO
        else:
            action = self._reject(server, hit, subject)
        return Answer(action, number, hit.action, subject, not hit.single)

    def _server_of(self, index: Index, request: Request, now: float) -> ServerEntry | Answer:
        """The server that asks, by key or by name."""
        if request.kind == ACCESS and request.server:
            return self._names(index).get(request.server) or _UNKNOWN_SERVER
        return _server(index, request, now)

    def _names(self, index: Index) -> dict[str, ServerEntry | None]:
        """Servers by name and by reference; None for a name that several accounts have.

        Tenants name their servers as they like, so a name may become another's, or several's.  A
        reference never does, and no name hides one.
        """
        if self._named is None or self._named[0] is not index or self._named[1] != index.position:
            names: dict[str, ServerEntry | None] = {}
            for entry in index.servers:
                if entry.record.active:
                    taken = entry.record.name in names
                    names[entry.record.name] = None if taken else entry
            active = (entry for entry in index.servers if entry.record.active)
            names |= {entry.record.ref: entry for entry in active}
            self._named = index, index.position, names
        return self._named[2]

    def _reject(self, server: ServerEntry, hit: Hit, subject: Subject) -> bytes:
        link = ""
        # The page about a name with an odd label would not be found.
        if self._public_url and ODD not in subject.text:
            link = f"{self._public_url}/why/{server.record.ref}/{quote(subject.text, safe=':')}"
        keys = (key.key for key in server.record.keys)
        reason = hit.reason or server.record.text or DEFAULT_TEXTS[Action.BLOCK]
        return reject(reason, link, keys)


def _server(index: Index, request: Request, now: float) -> ServerEntry | Answer:
    """The server that asks, or what to answer when it may not."""
    if request.kind != ACCESS:
        return _UNKNOWN_REQUEST
    key = request.context.strip().removesuffix(ONLY_ALLOW).lower()
    if not key:
        return _NO_KEY
    state = index.key(key.encode(), now)
    if state is None:
        return _UNKNOWN_KEY
    if state.revoked:
        return Answer(server=state.server.record.id, revoked=key)
    return state.server


def _decide(
    index: Index, server: ServerEntry, client: Client, now: float
) -> tuple[Hit, Subject] | None:
    """The listing that decides, an allow before a block, and what of the client it covers."""
    if client.address is not None and client.address.is_loopback:
        return None
    block: tuple[Hit, Subject] | None = None
    for hit, subject, confirmed in _hits(index, server, client, now):
        if hit.action is Action.BLOCK:
            block = block or (hit, subject)
        elif confirmed:
            return hit, subject
    return block


def _hits(
    index: Index, server: ServerEntry, client: Client, now: float
) -> Iterator[tuple[Hit, Subject, bool]]:
    """What decides about the address and about each name, and whether that can allow."""
    if client.address is not None:
        address = client.address
        hit = index.find_address(server, address.version, address.address, now)
        if hit is not None:
            yield hit, address, True
    names: list[tuple[NameSubject, bool]] = [(name, False) for name in client.claimed]
    if client.verified is not None:
        names.insert(0, (client.verified, True))
    for name, confirmed in names:
        hit = index.find_name(server, name.name, now)
        if hit is not None:
            yield hit, name, confirmed
