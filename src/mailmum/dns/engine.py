"""The engine: a packet in, a packet or silence out, and everything counted.

    >>> zone = Zone(ZoneConfig("rbl.example.net"))
    >>> engine = Engine(None, zone, counters=Counters(), cookie_secret=b"secret")
    >>> engine.handle(b"short", None, 0.0, tcp=False) is None
    True

The engine has no clock, no socket and no thread.  Its index may be replaced or changed between two
packets by the thread that calls `handle`; no query ever sees half of a change.
"""

from typing import Literal, Protocol

from mailmum.dns import answers, wire
from mailmum.dns.cookies import GOOD_SIZE, Cookies
from mailmum.dns.counters import Counters
from mailmum.dns.limits import DROP, PASS, Limit, packed
from mailmum.dns.quick import Quick
from mailmum.dns.reply import Reply
from mailmum.dns.wire import Opt, Query, Settled
from mailmum.dns.zones import Zone, ZoneConfig
from mailmum.index.index import Index
from mailmum.index.records import Changes

MAX_UDP = 1232
"""UDP payload in bytes that reaches nearly everybody unfragmented (DNS flag day 2020)."""

__all__ = ["MAX_UDP", "Engine", "Zone", "ZoneConfig"]

_CUT = 512
"""UDP payload without EDNS (RFC 1035 section 4.2.1)."""

_GOOD_OPTION = wire.option_head(wire.OPTION_COOKIE, GOOD_SIZE)
_BADCOOKIE = Reply(wire.BADCOOKIE, fault="badcookie")


class Client(Protocol):
    """The sender of a packet as sockets give it: its address at 0."""

    def __getitem__(self, at: Literal[0], /) -> object: ...


class Engine:
    """Answers DNS packets from an index.

    Args:
        index: the listings, or None while there are none: then SERVFAIL.
        zone: the zones served.
        counters: what is counted into.
        cookie_secret: secret of server cookies, the same for all that answer at one address.
        max_udp: most bytes sent over UDP, and announced in OPT records.
        require_cookies: whether a client that sends a cookie over UDP without a good server cookie
            gets BADCOOKIE instead of an answer.
        limit: what is sent over UDP to who has not proved that he asked; None for any number.
    """

    def __init__(
        self,
        index: Index | None,
        zone: Zone,
        *,
        counters: Counters,
        cookie_secret: bytes,
        max_udp: int = MAX_UDP,
        require_cookies: bool = False,
        limit: Limit | None = None,
    ) -> None:
        self._index = index
        self.zone = zone
        self.counters = counters
        self._max_udp = max(max_udp, _CUT)
        self._require_cookies = require_cookies
        self._limit = limit
        self._cookies = Cookies(cookie_secret)
        self._quick = Quick(zone, counters, self._max_udp)
        self._quick_answer = self._quick.answer

    @property
    def index(self) -> Index | None:
        """The listings answered from."""
        return self._index

    @index.setter
    def index(self, index: Index | None) -> None:
        self._index = index
        self._quick.clear()

    def apply(self, changes: Changes) -> None:
        """Take over changes into the index, if there is one."""
        if self._index is None:
            return
        self._index.apply(changes)
        if changes.servers or changes.gone_servers:
            self._quick.clear()

    def handle(self, packet: bytes, client: Client | None, now: float, tcp: bool) -> bytes | None:
        """The response to one packet, or None for silence.

        Args:
            packet: the message, without a length prefix.
            client: its sender, for cookies.
            now: Unix time in seconds.
            tcp: whether it came over TCP.
        """
        index, limited = self._index, None
        if index is not None:
            quick = self._quick_answer(packet, index, now)
            if quick is not None:
                limit = self._limit
                if limit is None:
                    return quick
                sender = getattr(client, "packed", None)
                if sender is None:
                    sender = _sender(client)
                if tcp:
                    limit.know(sender, now)
                    return quick
                limited = limit.check(sender, now)
                if limited == PASS:
                    return quick
                # It is not answered, so it is not counted as if it were.
                self.counters.log.pop()
        parsed = wire.parse(packet)
        if parsed is None:
            self.counters.fault("ignored")
            return None
        cookie, known = self._cookie(parsed.opt, client, now)
        reply = self._decide(parsed, client, now, refused=bool(cookie) and not (known or tcp))
        if limited is None:
            proved, about = tcp or known, reply.verdict is not None
            limited = (
                PASS if reply.spared else self._limited(client, now, proved=proved, about=about)
            )
        if limited != PASS:
            return self._write_limited(packet, parsed, reply, cookie, limited)
        self._count(reply)
        return self._write(packet, parsed, reply, cookie, 0xFFFF if tcp else self._room(parsed))

    def _decide(
        self, parsed: Query | Settled, client: Client | None, now: float, *, refused: bool
    ) -> Reply:
        """The reply; `refused` for a client that has no good cookie, where one is required."""
        if self._require_cookies and refused:
            return _BADCOOKIE
        if isinstance(parsed, Settled):
            return Reply(parsed.rcode, fault=parsed.kind)
        index, sender = self._index, _sender(client)
        reply = answers.decide(self.zone, parsed, index, now, sender)
        if reply.barred is not None:
            self.counters.barred(reply.barred, str(client[0]) if client else "")
        if index is not None and reply.verdict is not None and not reply.spared:
            self._quick.learn(parsed, index, now)
        return reply

    def _limited(
        self, client: Client | None, now: float, *, proved: bool, about: bool = True
    ) -> int:
        """What the limit says of a response.

        Args:
            client: to whom.
            now: Unix time in seconds.
            proved: whether he is who he says.
            about: whether he asked about a client of a server that there is.
        """
        if self._limit is None:
            return PASS
        if not proved:
            return self._limit.check(_sender(client), now)
        if about:
            self._limit.know(_sender(client), now)
        return PASS

    def _write_limited(
        self, packet: bytes, parsed: Query | Settled, reply: Reply, cookie: bytes, limited: int
    ) -> bytes | None:
        """Nothing, or the response cut off."""
        if limited == DROP:
            self.counters.fault("limited")
            return None
        self.counters.fault("slipped")
        return self._write(packet, parsed, reply, cookie, 0)

    def good_cookie(
        self, packet: bytes, client: Client, now: float
    ) -> tuple[bytes, int, int] | None:
        """The cookie in a packet, from when and before when it is answered with itself.

        None when there is none that would be at `now`.
        """
        # Most packets have none, and need not be read for it.
        parsed = wire.parse(packet) if _GOOD_OPTION in packet else None
        cookie = None if parsed is None or parsed.opt is None else parsed.opt.cookie
        if cookie is None:
            return None
        span = self._cookies.stays_good(cookie, str(client[0]), now)
        return None if span is None else (cookie, *span)

    def _cookie(self, opt: Opt | None, client: Client | None, now: float) -> tuple[bytes, bool]:
        """The cookie to send back, empty for none, and whether the client's was good."""
        if opt is None or opt.cookie is None:
            return b"", False
        return self._cookies.reply(opt.cookie, str(client[0]) if client else "", now)

    def _room(self, parsed: Query | Settled) -> int:
        return _CUT if parsed.opt is None else min(parsed.opt.size, self._max_udp)

    def _count(self, reply: Reply) -> None:
        if reply.fault:
            self.counters.fault(reply.fault)
        if reply.verdict is not None:
            self.counters.count(*reply.verdict)
        if reply.revoked is not None:
            self.counters.revoked(*reply.revoked)

    def _write(
        self, packet: bytes, parsed: Query | Settled, reply: Reply, cookie: bytes, limit: int
    ) -> bytes:
        opt = b""
        if parsed.opt is not None:
            options = [(wire.OPTION_COOKIE, cookie)] if cookie else []
            if reply.extended is not None:
                options.append((wire.OPTION_EDE, reply.extended.to_bytes(2, "big")))
            opt = wire.opt_record(
                self._max_udp, reply.rcode, dnssec=parsed.opt.dnssec, options=options
            )
        return wire.write(
            packet,
            parsed.end,
            reply.rcode,
            answers=reply.answers,
            authority=reply.authority,
            opt=opt,
            limit=limit,
        )


def _sender(client: Client | None) -> bytes:
    """The packed address of a client; those of the hot path have it as the kernel told it."""
    known: bytes | None = getattr(client, "packed", None)
    if known is not None:
        return known
    return packed(str(client[0])) if client else b""
