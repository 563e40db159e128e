"""The quick way: the common queries answered from prepared parts.

Nearly all queries are for an A record of a reversed address in a list of a known key, and of one
client after another only the address differs.  What follows the address in the packet (key, list,
BASE, type, class, OPT) is the *tail*; a `Plan` holds everything that can be known from header and
tail alone, so that a query costs two dictionary look-ups, reading the address, asking the index,
and joining four byte strings.

Rules:

- Only an optimisation.  A plan is made after the ordinary way has understood a query of this
  form, from the same functions, and a property test holds both ways equal byte for byte.
- Whatever is out of the ordinary (test entries, names that may be above an entry, a lifetime
  shorter than the TTL, a cookie) is left to the ordinary way: `answer` returns None.
- A plan is made anew when the index has moved (its SOA tells the position), and no longer used
  once its key is revoked or its account about to end.  Plans hold on to servers, so all of them go
  when servers change.
- The table of plans has a limit; when it is full it is emptied.  Tails are kept in lower case only,
  so that resolvers that vary the case of names (0x20) do not fill it.
"""

from struct import Struct

from mailmum.dns import entries, reverse, wire
from mailmum.dns.counters import ALLOW, BLOCK, NONE, WIDE, Counters, client_of, mark_of
from mailmum.dns.wire import Query
from mailmum.dns.zones import KINDS, Kind, Zone
from mailmum.domain.listings import Action
from mailmum.index.index import Hit, Index, ServerEntry

PLANS = 32_768
"""Most plans kept; one takes about a kilobyte."""

TAIL_LIMIT = 220
"""Longest tail for which a plan is made, in bytes; answers then stay well below 512."""

# Labels with their length byte, and what they are worth as the first to fourth octet of an address.
_FOURTH = {bytes((len(text),)) + text: value for text, value in reverse.OCTETS.items()}
_FIRST, _SECOND, _THIRD = (
    {label: value << shift for label, value in _FOURTH.items()} for shift in (24, 16, 8)
)
_V4_FIRST, _V4_LAST = wire.HEADER + 8, wire.HEADER + 16
_V6_END = wire.HEADER + 64
_V6_LENGTHS = b"\x01" * 32
_CODE = Struct(">I")


class Plan:
    """All about one header and tail that does not depend on the address.

    Attributes:
        key: the zone key.
        server: its server.
        position: of the index when the plan was made.
        until: when the plan can no longer be used.
        action: what this list lists.
        ttl: of answers, in seconds.
        none: what a verdict is counted under, when there is none.
        single: the same when a single address of this list's action decides.
        wide: the same when a network does.
        other: the same when a single address of the other action does.
        other_wide: the same when a network does.
        size: bytes of the tail that belong to the question.
        listed: header of an answer, after the identifier.
        unlisted: header of a negative answer, after the identifier.
        negative: by where the tail begins, what follows the question in a negative answer.
        positive: by code, source and whether it is a single address, the same when listed.
    """

    __slots__ = (
        "action",
        "key",
        "kind",
        "listed",
        "negative",
        "none",
        "opt",
        "other",
        "other_wide",
        "position",
        "positive",
        "server",
        "single",
        "size",
        "ttl",
        "unlisted",
        "until",
        "wide",
    )

    server: ServerEntry
    position: int
    until: float
    action: Action
    ttl: int
    none: int
    single: int
    wide: int
    other: int
    other_wide: int

    def __init__(
        self, key: bytes, kind: Kind, size: int, heads: tuple[bytes, bytes, bytes]
    ) -> None:
        self.key = key
        self.kind = kind
        self.action = kind.action
        self.size = size
        self.listed, self.unlisted, self.opt = heads
        self.negative: dict[int, bytes] = {}
        self.positive: dict[object, bytes] = {}

    def renew(self, index: Index, now: float) -> bool:
        """Take over what the index says now; False when there is something out of the ordinary.

        That is: the key is no longer good, the account has ended or will within the TTL, or not
        everybody may ask.
        """
        state = index.key(self.key, now)
        if state is None or state.revoked:
            return False
        self.server = state.server
        record = state.server.record
        if record.askers:
            return False
        name = self.key.decode("ascii")
        until = [key.until for key in record.keys if key.key == name and key.until is not None]
        if record.ends is not None:
            until.append(record.ends - record.ttl - 1)
        self.until = min(until, default=float("inf"))
        if now >= self.until:
            return False
        self.position = index.position
        self.ttl = record.ttl
        self._mark(record.id)
        self.negative.clear()
        self.positive.clear()
        return True

    def _mark(self, server: int) -> None:
        def mark(code: int) -> int:
            return mark_of(server, self.kind.value, code)

        own, other = (BLOCK, ALLOW) if self.action is Action.BLOCK else (ALLOW, BLOCK)
        self.none = mark(NONE)
        self.single, self.wide = mark(own), mark(own | WIDE)
        self.other, self.other_wide = mark(other), mark(other | WIDE)


class Quick:
    """The table of plans of one engine."""

    __slots__ = ("_count", "_note", "_opt_size", "_tables", "_zone")

    def __init__(self, zone: Zone, tally: Counters, opt_size: int) -> None:
        self._zone = zone
        self._note = tally.log.append
        self._opt_size = opt_size
        self._tables: dict[bytes, dict[bytes, Plan]] = {}
        self._count = 0

    def clear(self) -> None:
        """Forget all plans."""
        self._tables.clear()
        self._count = 0

    def answer(self, packet: bytes, index: Index, now: float) -> bytes | None:
        """The answer to a packet, or None when it is for the ordinary way."""
        table = self._tables.get(packet[2:12])
        if table is None:
            return None
        version = 4
        try:
            # Slices beyond the end are short or empty, and then no key; an index raises.
            b = 13 + packet[12]
            c = b + 1 + packet[b]
            d = c + 1 + packet[c]
            at = d + 1 + packet[d]
            address = (
                _FOURTH[packet[12:b]]
                | _THIRD[packet[b:c]]
                | _SECOND[packet[c:d]]
                | _FIRST[packet[d:at]]
            )
            plan = table[packet[at:]]
        except (KeyError, IndexError):
            found = _find_other(table, packet)
            if found is None:
                return None
            plan, at, version, address = found
        # The test entry, and octets that may be nibbles of an IPv6 address.
        special = version == 4 and (address >> 24 == 127 or at == _V4_FIRST)
        stale = plan.position != index.position or now >= plan.until
        if special or (stale and not plan.renew(index, now)):
            return None
        hit = index.find_address(plan.server, version, address, now)
        client = address if version == 4 else client_of(6, address)
        if hit is None:
            self._note(plan.none + client)
        elif hit.expires is not None and hit.expires - now < plan.ttl + 1:
            return None
        elif hit.action is plan.action:
            self._note((plan.single if hit.single else plan.wide) + client)
            sort = (hit.code, hit.source, hit.single)
            ending = plan.positive.get(sort) or self._make_positive(plan, hit, sort)
            return packet[:2] + plan.listed + packet[12 : at + plan.size] + ending
        else:
            self._note((plan.other if hit.single else plan.other_wide) + client)
        ending = plan.negative.get(at) or self._make_negative(plan, at)
        return packet[:2] + plan.unlisted + packet[12 : at + plan.size] + ending

    def learn(self, query: Query, index: Index, now: float) -> None:
        """Make a plan from a query that the ordinary way has answered, if it is of the form."""
        depth = len(self._zone.base) + 2
        count = len(query.labels) - depth
        if query.type != wire.A or count not in (4, 32) or query.klass != wire.CLASS_IN:
            return
        at = query.at(depth)
        in_place = at == _V6_END if count == 32 else _V4_FIRST <= at <= _V4_LAST
        if not in_place or len(query.packet) - at > TAIL_LIMIT or not _plain_opt(query):
            return
        self._add(query, at, query.packet[query.end - 4 : query.end], index, now)

    def _add(self, query: Query, at: int, ending: bytes, index: Index, now: float) -> None:
        depth = len(self._zone.base) + 2
        key, label = (part.lower() for part in query.labels[-depth : 2 - depth])
        kind = KINDS.get(label)
        if kind is None or kind.names:
            return
        plan = Plan(key, kind, query.end - at, self._heads(query))
        if not plan.renew(index, now):
            return
        if self._count >= PLANS:
            self.clear()
        name_end = query.end - len(ending)
        tail = query.packet[at:name_end].lower() + query.packet[name_end:]
        table = self._tables.setdefault(query.packet[2:12], {})
        self._count += tail not in table
        table[tail] = plan

    def _heads(self, query: Query) -> tuple[bytes, bytes, bytes]:
        """The headers of both answers after the identifier, and the OPT record."""
        opt = b""
        if query.opt is not None:
            opt = wire.opt_record(self._opt_size, 0, dnssec=query.opt.dnssec)
        packet, end = query.packet, query.end
        listed = wire.write(packet, end, wire.NOERROR, answers=(b"",), opt=opt)
        unlisted = wire.write(packet, end, wire.NXDOMAIN, authority=(b"",), opt=opt)
        return listed[2:12], unlisted[2:12], opt

    def _make_negative(self, plan: Plan, at: int) -> bytes:
        # Key and list come before BASE, each with its length byte.
        base_at = at + len(plan.key) + len(plan.kind.value) + 2
        soa = self._zone.soa(wire.pointer(at), base_at, plan.position, plan.ttl, plan.ttl)
        ending = plan.negative[at] = soa + plan.opt
        return ending

    def _make_positive(self, plan: Plan, hit: Hit, sort: object) -> bytes:
        code = entries.entry_code(hit, plan.kind, plan.server)
        record = wire.answer(wire.A, plan.ttl, _CODE.pack(code))
        ending = record + plan.opt
        if len(plan.positive) < 64:
            plan.positive[sort] = ending
        return ending


def _plain_opt(query: Query) -> bool:
    if query.opt is None:
        return query.records == 0
    return query.records == 1 and query.opt.bare


def _find_other(table: dict[bytes, Plan], packet: bytes) -> tuple[Plan, int, int, int] | None:
    """Plan, beginning of the tail, version and address of what is not plainly IPv4.

    That is IPv6, and zones in capital letters.
    """
    plan = table.get(packet[_V6_END:]) or table.get(packet[_V6_END:].lower())
    if plan is not None:
        value = _read_nibbles(packet)
        return None if value is None or value >> 32 == 0xFFFF else (plan, _V6_END, 6, value)
    at, octets = wire.HEADER, []
    for values in (_FOURTH, _THIRD, _SECOND, _FIRST):
        end = at + 1 + packet[at] if at < len(packet) else at
        value = values.get(packet[at:end])
        if value is None:
            return None
        octets.append(value)
        at = end
    plan = table.get(packet[at:].lower())
    return None if plan is None else (plan, at, 4, sum(octets))


def _read_nibbles(packet: bytes) -> int | None:
    """The address that 32 labels of one hexadecimal digit spell, last digit first."""
    digits = packet[13:_V6_END:2]
    if packet[12:_V6_END:2] != _V6_LENGTHS or not digits.isalnum():
        return None
    try:
        return int.from_bytes(bytes.fromhex(digits[::-1].decode("ascii")), "big")
    except ValueError:
        return None
