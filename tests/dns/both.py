"""Both engines over one index: the compiled one must give the bytes of the other, or nothing."""

import socket
import sys
from functools import cache
from types import ModuleType
from typing import Any

import dns.edns
import dns.message

from mailmum import compiled
from mailmum.daemons.dnsd_fast import Packed
from mailmum.dns.counters import CountBatch
from mailmum.dns.engine import MAX_UDP
from mailmum.dns.limits import Limiter, Limits
from mailmum.dns.worlds import empty_world
from mailmum.dns.zones import Zone, ZoneConfig
from mailmum.index.index import Index
from mailmum.index.mirror import Mirror
from tests.dns.world import CONFIG, NOW, World, make_engine

Client = tuple[str, int]
CLIENT: Client = ("192.0.2.1", 4711)


def sender_of(client: Client) -> bytes:
    """A client as the kernel tells it: struct sockaddr_in or sockaddr_in6."""
    six = ":" in client[0]
    family = socket.AF_INET6 if six else socket.AF_INET
    head = family.to_bytes(2, sys.byteorder) + client[1].to_bytes(2, "big")
    address = socket.inet_pton(family, client[0])
    return head + bytes(4) + address + bytes(4) if six else head + address + bytes(8)


SENDER = sender_of(CLIENT)


def extension() -> ModuleType:
    """`compiled.hot`, which the tests insist on."""
    found, reason = compiled.load()
    assert found is not None, reason
    return found


@cache
def _clerk() -> Any:
    """One for all: its tables are large."""
    return extension().Clerk()


class Twin:
    """The limiter of the Python engine, and beside it the one that threads share with it.

    Attributes:
        shared: whether the compiled engine has left a packet to Python, which then asks both.
    """

    def __init__(self, limits: Limits) -> None:
        spared = list(limits.spared)
        self.compiled = extension().Limiter(limits.rate, limits.slip, spared, bytes(range(16)))
        self.shared = False
        self._plain = Limiter(limits)

    def check(self, sender: bytes, now: float) -> int:
        """What the plain one says; the compiled one must say the same."""
        said = self._plain.check(sender, now)
        if self.shared:
            ours = self.compiled.check(sender, now)
            assert ours == said, ("limiters differ", sender.hex(), now, ours, said)
        return said

    def know(self, sender: bytes, now: float) -> None:
        """Both know the sender."""
        self._plain.know(sender, now)
        self.compiled.know(sender, now)


class Both:
    """A world and the two engines.

    Args:
        world: what is listed.
        limits: what is sent to one network; None for any number.
        config: of the zones.

    Attributes:
        index: what both answer from.
        faults: what went wrong in the mirror.
        answered: how many packets the compiled engine answered.
    """

    def __init__(
        self, world: World, limits: Limits | None = None, config: ZoneConfig = CONFIG
    ) -> None:
        hot = extension()
        self.index = Index.build(world.everything())
        self.twin = None if limits is None else Twin(limits)
        self.engine = make_engine(world, config, index=self.index, limit=self.twin)
        self.faults: list[Exception] = []
        empty = empty_world(hot, Zone(config), MAX_UDP)
        self.mirror = Mirror(self.index, empty, hot, self.faults.append)
        self.index.watcher = self.mirror
        self.clerk = _clerk()
        self.clerk.limit(None if self.twin is None else self.twin.compiled)
        self.counted()
        self.answered = 0

    def check(self, packet: bytes, now: float) -> bytes | None:
        """The compiled answer, held against both ways of the Python engine."""
        assert self.twin is None, "what is limited can be asked once only: check_limited"
        ours: bytes | None = self.clerk.answer(self.mirror.world, packet, now, SENDER)
        self._hold_against(ours, packet, now)
        return ours

    def check_all(self, packets: list[bytes], now: float) -> list[bytes | None]:
        """The same for a batch, in which steps of all packets follow one another."""
        assert self.twin is None, "what is limited can be asked once only: check_limited"
        found: list[bytes | None]
        found = self.clerk.answer_all(self.mirror.world, packets, now, SENDER)
        for ours, packet in zip(found, packets, strict=True):
            self._hold_against(ours, packet, now)
        return found

    def check_limited(self, packet: bytes, now: float, client: Client) -> bytes | None:
        """The compiled answer within limits, held against one of the ways of the Python engine."""
        assert self.twin is not None
        sender = sender_of(client)
        ours: bytes | None = self.clerk.answer(self.mirror.world, packet, now, sender)
        assert not self.faults
        self.twin.shared = ours is None
        theirs = self.engine.handle(packet, client, now, False)
        cookie = self.engine.good_cookie(packet, client, now)
        if cookie is not None:
            self.clerk.remember(cookie[0], sender, *cookie[1:])
        if ours is None:
            return None
        self.answered += 1
        # Silence is nothing to send here, and None there.
        assert (ours or None) == theirs, (client, packet.hex(), ours.hex(), theirs and theirs.hex())
        return ours

    def forget(self) -> None:
        """Have the Python engine go the ordinary way again, as after a change of servers."""
        self.engine._quick.clear()

    def _hold_against(self, ours: bytes | None, packet: bytes, now: float) -> None:
        assert not self.faults
        cookie = self.engine.good_cookie(packet, CLIENT, now)
        if cookie is not None:
            # As the daemon does after Python has answered.
            self.clerk.remember(cookie[0], SENDER, *cookie[1:])
        if ours is None:
            return
        self.answered += 1
        self.forget()
        for way in ("ordinary", "quick"):
            theirs = self.engine.handle(packet, CLIENT, now, False)
            assert ours == theirs, (way, packet.hex(), ours.hex(), theirs and theirs.hex())

    def counted(self) -> tuple[dict[Any, int], int]:
        """What the compiled engine has counted, and how many found no room."""
        counted, _, lost = self.clerk.take()
        batch = CountBatch(Packed(counted).read())
        return {
            (one.server, one.list, one.subject, one.verdict, one.wide): one.count
            for one in batch.clients
        }, lost

    def cookie(self, now: float, client: bytes = b"12345678") -> bytes:
        """A good cookie, made at that time for that part of the client's."""
        option = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, client)
        query = dns.message.make_query("example.net", "A", use_edns=0, options=[option])
        answer = self.engine.handle(query.to_wire(), CLIENT, now, False)
        assert answer is not None
        return b"".join(one.to_wire() or b"" for one in dns.message.from_wire(answer).options[:1])

    def ask(
        self, name: str, type_: str = "A", *, now: float = NOW, **options: Any
    ) -> dns.message.Message | None:
        """The compiled answer to a question."""
        query = dns.message.make_query(name, type_, **options)
        answer = self.check(query.to_wire(), now)
        if answer is None:
            return None
        response = dns.message.from_wire(answer)
        assert query.is_response(response)
        return response
