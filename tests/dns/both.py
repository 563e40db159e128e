"""Both engines over one index: the compiled one must give the bytes of the other, or nothing."""

import socket
import sys
from functools import cache
from types import ModuleType
from typing import Any

import dns.edns
import dns.message

from mailmum import compiled
from mailmum.dns.counters import LISTS, NOBODY, CountBatch, mark_of
from mailmum.dns.engine import MAX_UDP
from mailmum.dns.worlds import empty_world
from mailmum.dns.zones import Zone
from mailmum.index.index import Index
from mailmum.index.mirror import Mirror
from tests.dns.world import CONFIG, NOW, World, make_engine

CLIENT = ("192.0.2.1", 4711)
SENDER = (
    socket.AF_INET.to_bytes(2, sys.byteorder)
    + CLIENT[1].to_bytes(2, "big")
    + socket.inet_aton(CLIENT[0])
    + bytes(8)
)
"""The same as the kernel tells it: struct sockaddr_in."""


def extension() -> ModuleType:
    """`compiled.hot`, which the tests insist on."""
    found, reason = compiled.load()
    assert found is not None, reason
    return found


@cache
def _clerk() -> Any:
    """One for all: its tables are large."""
    return extension().Clerk()


class Both:
    """A world and the two engines.

    Attributes:
        index: what both answer from.
        faults: what went wrong in the mirror.
        answered: how many packets the compiled engine answered.
    """

    def __init__(self, world: World) -> None:
        hot = extension()
        self.index = Index.build(world.everything())
        self.engine = make_engine(world, index=self.index)
        self.faults: list[Exception] = []
        empty = empty_world(hot, Zone(CONFIG), MAX_UDP)
        self.mirror = Mirror(self.index, empty, hot, self.faults.append)
        self.index.watcher = self.mirror
        self.clerk = _clerk()
        self.counted()
        self.answered = 0

    def check(self, packet: bytes, now: float) -> bytes | None:
        """The compiled answer, held against both ways of the Python engine."""
        ours: bytes | None = self.clerk.answer(self.mirror.world, packet, now, SENDER)
        assert not self.faults
        cookie = self.engine.good_cookie(packet, CLIENT, now)
        if cookie is not None:
            # As the daemon does after Python has answered.
            self.clerk.remember(cookie[0], SENDER, *cookie[1:])
        if ours is None:
            return None
        self.answered += 1
        self.engine._quick.clear()
        for way in ("ordinary", "quick"):
            theirs = self.engine.handle(packet, CLIENT, now, False)
            assert ours == theirs, (way, packet.hex(), ours.hex(), theirs and theirs.hex())
        return ours

    def counted(self) -> tuple[dict[Any, int], int]:
        """What the compiled engine has counted, and how many found no room."""
        found, _, lost = self.clerk.take(
            lambda server, list_, code: mark_of(server, LISTS[list_], code), NOBODY
        )
        batch = CountBatch(found)
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
