"""Which lists hit, how far they overlap, and which would have been enough.

What a log can tell: Postfix's smtpd asks its lists in the order of the configuration and stops at
the first that rejects, so of one contact only one list is known.  Of a client more becomes known
when it comes again, when another server asks other lists, and where lists only warn.  Overlap is
therefore counted by client, is a lower bound, and a list further down in the order looks weaker
than it is.  postscreen asks all lists at once and logs each that names a client: of its contacts it
is known which list alone would have caught them.

    >>> register = Register(own=("mailmum.internal",))
    >>> register.bit("zen.dnsbl.example"), register.bit("bl.mailmum.internal")
    (1, 2)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mailmum.traffic.kinds import is_own

LISTS = 63
OTHERS = "(other lists)"


@dataclass(frozen=True, slots=True)
class ListUse:
    """What one list did.

    Attributes:
        zone: its zone.
        own: whether it is one of one's own.
        hits: contacts that it stopped or warned of.
        warned: those of them that it only warned of.
        clients: addresses it named.
        alone: those of them that no other list was seen to name.
        alone_hits: the contacts of these.
        good: those of them that also delivered accepted mail.
        named: contacts, of those at which all lists are known, at which it named the client.
        sole: those of them at which no other list did.
    """

    zone: str
    own: bool
    hits: int
    warned: int
    clients: int
    alone: int
    alone_hits: int
    good: int
    named: int = 0
    sole: int = 0


@dataclass(frozen=True, slots=True)
class Cover:
    """How many listed clients a list adds to those before it, and what they name together."""

    zone: str
    added: int
    together: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """All lists together.

    Attributes:
        lists: those with the most hits first.
        listed: clients that any list named.
        several: those of them that more than one list named.
        covers: the smallest choice found that names them all, the list that names most first.
        both: clients that two lists named, by their zones in the order of `lists`.
        known: contacts at which all lists that name the client are known.
    """

    lists: tuple[ListUse, ...] = ()
    listed: int = 0
    several: int = 0
    covers: tuple[Cover, ...] = ()
    both: tuple[tuple[str, str, int], ...] = ()
    known: int = 0


class Register:
    """The lists that were met, each with a bit; beyond `LISTS` they share one."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        self.zones: list[str] = []
        self.own = 0
        self._bases = tuple(own)
        self._bits: dict[str, int] = {}
        self._hits: list[int] = []
        self._warned: list[int] = []
        self._named: list[int] = []
        self._sole: list[int] = []
        self._known = 0

    def bit(self, zone: str) -> int:
        """The bit of a list."""
        found = self._bits.get(zone)
        return found if found is not None else self._met(zone)

    def hit(self, bit: int, *, warned: bool) -> None:
        """Count a hit."""
        at = bit.bit_length() - 1
        self._hits[at] += 1
        self._warned[at] += warned

    def name(self, zones: Iterable[str], bits: int) -> int:
        """Count a contact at which all lists that name the client are known; their bits.

        `bits` is that of the one that decided.
        """
        self._known += 1
        for zone in zones:
            bits |= self.bit(zone)
        for at in range(len(self.zones)):
            if bits >> at & 1:
                self._named[at] += 1
                self._sole[at] += bits == 1 << at
        return bits

    def is_own(self, bit: int) -> bool:
        """Whether it is one of one's own."""
        return bit & self.own != 0

    def overlap(self, masks: Iterable[tuple[int, bool, int, int]]) -> Overlap:
        """What the sets of lists that named the same client come to."""
        sets = list(masks)
        order = sorted(range(len(self.zones)), key=lambda at: (-self._hits[at], self.zones[at]))
        return Overlap(
            tuple(self._use(at, sets) for at in order),
            sum(clients for _, _, clients, _ in sets),
            sum(clients for lists, _, clients, _ in sets if lists.bit_count() > 1),
            tuple(self._covers(sets)),
            tuple(self._both(order, sets)),
            self._known,
        )

    def _met(self, zone: str) -> int:
        if len(self.zones) >= LISTS:
            zone = OTHERS
        found = self._bits.get(zone)
        if found is None:
            found = self._bits[zone] = 1 << len(self.zones)
            self.zones.append(zone)
            self._hits.append(0)
            self._warned.append(0)
            self._named.append(0)
            self._sole.append(0)
            if is_own(zone, self._bases):
                self.own |= found
        return found

    def _use(self, at: int, sets: list[tuple[int, bool, int, int]]) -> ListUse:
        bit = 1 << at
        named = [one for one in sets if one[0] & bit]
        alone = [one for one in named if one[0] == bit]
        return ListUse(
            self.zones[at],
            self.is_own(bit),
            self._hits[at],
            self._warned[at],
            sum(clients for _, _, clients, _ in named),
            sum(clients for _, _, clients, _ in alone),
            sum(listed for _, _, _, listed in alone),
            sum(clients for _, good, clients, _ in named if good),
            self._named[at],
            self._sole[at],
        )

    def _covers(self, sets: list[tuple[int, bool, int, int]]) -> list[Cover]:
        # Which choice is the smallest is a hard question; taking the best at each step comes near.
        left = [(lists, clients) for lists, _, clients, _ in sets]
        found: list[Cover] = []
        together = 0
        while left:
            gains = [
                sum(clients for lists, clients in left if lists >> at & 1)
                for at in range(len(self.zones))
            ]
            best = max(range(len(gains)), key=lambda at: (gains[at], self._hits[at], -at))
            together += gains[best]
            found.append(Cover(self.zones[best], gains[best], together))
            left = [(lists, clients) for lists, clients in left if not lists >> best & 1]
        return found

    def _both(
        self, order: list[int], sets: list[tuple[int, bool, int, int]]
    ) -> list[tuple[str, str, int]]:
        found = []
        for place, one in enumerate(order):
            for two in order[place + 1 :]:
                pair = 1 << one | 1 << two
                clients = sum(count for lists, _, count, _ in sets if lists & pair == pair)
                if clients:
                    found.append((self.zones[one], self.zones[two], clients))
        return found
