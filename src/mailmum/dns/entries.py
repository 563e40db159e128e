"""Within a key's zone: what a name there means, whether it is listed, and what its records say.

A name is listed when the verdict on the client that it spells is the action of the list.  It exists
without being listed when something listed may lie below it.
"""

from dataclasses import dataclass
from struct import Struct

from mailmum.dns import counters, reverse, texts, wire
from mailmum.dns.counters import Client, client_of
from mailmum.dns.reply import Place, Reply
from mailmum.dns.reverse import Address, Where
from mailmum.dns.zones import Kind
from mailmum.domain.codes import TEST
from mailmum.domain.listings import Action
from mailmum.domain.targets import address_text
from mailmum.index.index import Hit, Index, ServerEntry

_TEST_ADDRESS, _TEST_NAME, _NEVER_NAME = 0x7F000002, (b"test",), (b"invalid",)
_CODE = Struct(">I")
_WORDS = {Action.BLOCK: counters.BLOCK, Action.ALLOW: counters.ALLOW}


@dataclass(frozen=True, slots=True)
class _Finding:
    """What is known about a name.

    Attributes:
        hit: the listing that decides, whatever its action.
        test: whether it is a test entry.
        below: whether something listed may lie below the name; asked only when it is not listed.
        client: whom the name spells, as it is counted; None for nobody.
    """

    hit: Hit | None = None
    test: bool = False
    below: bool = False
    client: Client | None = None


@dataclass(frozen=True, slots=True)
class KeyZone:
    """The zone of one key and list at one time.

    Attributes:
        place: the zone as the query names it.
        kind: which list.
        server: whose key it is.
        index: the listings.
        now: Unix time in seconds.
    """

    place: Place
    kind: Kind
    server: ServerEntry
    index: Index
    now: float

    def reply(self, type_: int, labels: tuple[bytes, ...]) -> Reply:
        """The reply about the name of these lower-case labels, which come before the zone."""
        finding = self._find(labels)
        hit, verdict = finding.hit, None
        if type_ == wire.A and finding.client is not None:
            verdict = (self.server.record.id, self.kind.value, finding.client, _code(hit))
        if finding.test or (hit is not None and hit.action is self.kind.action):
            records = self._records(type_, hit, labels)
            authority = () if records else (self.place.soa(),)
            return Reply(wire.NOERROR, records, authority, verdict=verdict)
        rcode = wire.NOERROR if finding.below else wire.NXDOMAIN
        return Reply(rcode, authority=(self.place.soa(self._left(hit)),), verdict=verdict)

    def _find(self, labels: tuple[bytes, ...]) -> _Finding:
        if self.kind.names:
            return self._find_name(labels)
        spelt = reverse.read(labels)
        if isinstance(spelt, Address):
            return self._find_address(spelt)
        return _Finding(below=spelt is Where.ABOVE)

    def _find_address(self, spelt: Address) -> _Finding:
        if spelt.version == 4 and spelt.value == _TEST_ADDRESS:
            return _Finding(test=True)
        hit = self.index.find_address(self.server, spelt.version, spelt.value, self.now)
        client = client_of(spelt.version, spelt.value)
        if spelt.nibbles is None:
            return _Finding(hit, client=client)
        # The test entry ::ffff:7f00:2 lies below 0.0.0.0 read as nibbles.
        below = spelt.nibbles == 0 or self.index.address_below(
            self.server, 6, spelt.nibbles << 112, 16, self.kind.action, self.now
        )
        return _Finding(hit, below=below, client=client)

    def _find_name(self, labels: tuple[bytes, ...]) -> _Finding:
        if labels == _TEST_NAME:
            return _Finding(test=True)
        name, action = texts.lookup_name(labels), self.kind.action
        hit = self.index.find_name(self.server, name, self.now)
        never = labels == _NEVER_NAME
        if hit is not None and hit.action is action and not never:
            return _Finding(hit, client=name)
        below = self.index.name_below(self.server, name, action, self.now)
        if not below and (hit is not None or self.now < self.server.blocks_from):
            # An exception for this host alone: the domain around it still lists what is below.
            # In a pause a block of the host may be such an exception, which `find_name` conceals.
            wildcard = self.index.find_name(self.server, f"*.{name}", self.now)
            below = wildcard is not None and wildcard.action is action
        # RFC 5782 section 5: INVALID is never listed, not even by who lists that whole domain.
        return _Finding(None if never else hit, below=below, client=name)

    def _records(self, type_: int, hit: Hit | None, labels: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The records of a listed name, none of some types; without a hit it is a test entry."""
        left, ttl = self._left(hit), self.place.ttl
        if left is not None:
            ttl = min(ttl, left)
        if type_ in (wire.A, wire.ANY):
            code = TEST if hit is None else entry_code(hit, self.kind, self.server)
            return (wire.answer(wire.A, ttl, _CODE.pack(code)),)
        if type_ != wire.TXT:
            return ()
        text = texts.TEST_TEXT.encode() if hit is None else self._text(hit, labels)
        return (wire.answer(wire.TXT, ttl, wire.strings(text)),)

    def _text(self, hit: Hit, labels: tuple[bytes, ...]) -> bytes:
        why, record = self.place.zone.why, self.server.record
        link = f"{why}{record.ref}/{self._client(labels)}" if why else ""
        own = record.text if hit.action is Action.BLOCK else ""
        reason = hit.reason or own or texts.DEFAULT_TEXTS[self.kind.action]
        return texts.txt(reason, link, record.keys)

    def _client(self, labels: tuple[bytes, ...]) -> str:
        spelt = None if self.kind.names else reverse.read(labels)
        if isinstance(spelt, Address):
            return address_text(spelt.version, spelt.value)
        return texts.name_client(labels)

    def _left(self, hit: Hit | None) -> int | None:
        """Whole seconds for which the verdict will hold, at least 1; None when it has no end.

        It ends with the listing, or with the account.
        """
        if hit is None:
            return None
        ends = [end for end in (hit.expires, self.server.record.ends) if end is not None]
        return max(1, int(min(ends) - self.now)) if ends else None


def _code(hit: Hit | None) -> int:
    """The verdict as it is counted."""
    if hit is None:
        return counters.NONE
    return _WORDS[hit.action] if hit.single else _WORDS[hit.action] | counters.WIDE


def entry_code(hit: Hit, kind: Kind, server: ServerEntry) -> int:
    """The return code of a listing: its own, the server's, or the default for its sort."""
    if hit.code is not None:
        return hit.code
    if server.record.code is not None:
        return server.record.code
    return texts.code_of(hit.source, hit.single, kind.names)
