"""Response rate limiting: what one network gets over UDP while nothing proves that it asked.

Whoever sends packets with a false sender has our answers sent to a victim.  So responses to one
network (/24 of IPv4, /56 of IPv6) are limited, unless

- the packet shows a good cookie (RFC 7873), or came over TCP: then the sender is who he says;
- the sender is *known*: within the day he has asked about a client with a key that is in use, over
  TCP or with a good cookie; or he is one of those who may ask a server that tells who may;
- he is in a network that the configuration spares, as loopback is.

Of the responses beyond the limit every so many-th (*slip*) is sent cut off, with TC set.  A
resolver then comes back over TCP, and is known from then on: so no resolver of an account loses
more than its first few answers, and asks again.  The others get nothing, and are counted.

The limit is that of a leaky bucket: `rate` responses a second in the long run, and as many as fall
into two seconds at once.  Times are whole microseconds in 40 bits that wrap around, as in the
compiled engine, which has the same in a table of fixed size; a clock that jumps empties buckets.

    >>> limiter = Limiter(Limits(rate=1, slip=2))
    >>> sender = bytes((192, 0, 2, 1))
    >>> [limiter.check(sender, 1000.0) for _ in range(7)]
    [0, 0, 0, 2, 1, 2, 1]
    >>> limiter.know(sender, 1000.0)
    >>> limiter.check(sender, 1000.0)
    0
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from mailmum.domain.ranges import Range, holds

PASS, SLIP, DROP = range(3)
RATE, SLIPS = 500, 2
"""Defaults: responses a second to a network, and how many of those beyond it are cut off."""

SPARED = "127.0.0.0/8,::1"
"""Networks that no limit holds for, unless configured otherwise."""

WINDOW = 2_000_000
KNOWN = 86_400
"""Microseconds of a burst; seconds for which somebody is known."""

MASK = (1 << 40) - 1
MOST_NETWORKS, MOST_KNOWN = 65_536, 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is configured.

    Attributes:
        rate: responses a second to one network.
        slip: every so many-th response beyond that is sent cut off; 0 for none.
        spared: networks that no limit holds for.
    """

    rate: int = RATE
    slip: int = SLIPS
    spared: tuple[Range, ...] = ()


class Limit(Protocol):
    """Decides about responses over UDP."""

    def check(self, sender: bytes, now: float) -> int:
        """`PASS`, `SLIP` or `DROP` for one response to a sender (packed address)."""
        ...

    def know(self, sender: bytes, now: float) -> None:
        """The sender has proved to be a resolver of an account."""
        ...


class Limiter:
    """The limiter of the Python engine.

    Packets come in batches of one time, most often several of one sender, so the bucket of the last
    one is kept at hand, and is put back when another is asked for.
    """

    __slots__ = (
        *("_beyond", "_brim", "_buckets", "_cost", "_empty", "_known", "_limits", "_network"),
        *("_now", "_sender"),
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cost = max(1_000_000 // limits.rate, 1)
        # By network: when its bucket will be empty.
        self._buckets: dict[bytes, int] = {}
        self._known: dict[bytes, float] = {}
        self._beyond = 0
        # Of the last one asked about: when its bucket will be empty, and until when it has room.
        self._sender = self._network = b""
        self._now = 0.0
        self._empty = self._brim = 0

    def check(self, sender: bytes, now: float) -> int:
        """See `Limit`."""
        # On the way of nearly every answer, so no more than it takes.
        if now == self._now and sender == self._sender and self._empty <= self._brim:
            self._empty += self._cost
            return PASS
        return self._check(sender, now)

    def _check(self, sender: bytes, now: float) -> int:
        buckets, cost = self._buckets, self._cost
        if self._network in buckets:
            buckets[self._network] = self._empty & MASK
        network = sender[:3] if len(sender) == 4 else sender[:7]
        ticks = int(now * 1e6) & MASK
        ahead = (buckets.get(network, ticks) - ticks) & MASK
        if ahead > WINDOW + cost:
            ahead = 0
        self._sender, self._network, self._now = sender, network, now
        self._empty, self._brim = ticks + ahead, ticks + WINDOW
        if ahead <= WINDOW:
            if len(buckets) >= MOST_NETWORKS and network not in buckets:
                buckets.clear()
            self._empty += cost
            buckets[network] = self._empty & MASK
            return PASS
        if self._known.get(sender, 0.0) > now or holds(self._limits.spared, sender):
            return PASS
        self._beyond += 1
        slip = self._limits.slip
        return SLIP if slip and self._beyond % slip == 0 else DROP

    def know(self, sender: bytes, now: float) -> None:
        """See `Limit`."""
        if len(self._known) >= MOST_KNOWN and sender not in self._known:
            self._known.clear()
        self._known[sender] = now + KNOWN


@lru_cache(maxsize=4096)
def packed(address: str) -> bytes:
    r"""An address as sockets tell it (text, maybe with a zone) as bytes; none for anything else.

    >>> packed("192.0.2.1"), packed("fe80::1%eth0")[-1:], packed("")
    (b'\xc0\x00\x02\x01', b'\x01', b'')
    """
    try:
        return ipaddress.ip_address(address.partition("%")[0]).packed
    except ValueError:
        return b""


def parse_networks(text: str) -> tuple[Range, ...]:
    """Networks with commas between.

    Raises:
        ValueError: one of them is none.
    """
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        network = ipaddress.ip_network(part, strict=False)
        found.append((network.version, int(network[0]), int(network[-1])))
    return tuple(found)
