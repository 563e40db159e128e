"""The ways to serve UDP: each answers everything, in bursts and with garbage in between."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from mailmum.daemons import dnsd_batch
from mailmum.daemons.dnsd_batch import ROOM, SLOTS, Batch
from mailmum.dns.engine import Engine
from tests.daemons.dnsd_kit import BL, Database, Served, serving


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address."""
    database = Database(tmp_path)
    database.block("203.0.113.7")
    return database


WAYS = [
    *("batches", "one by one", "wildcard", "IPv6"),
    *("compiled", "compiled wildcard", "compiled IPv6", "compiled wildcard of IPv6"),
]
HOSTS = {"wildcard": "0.0.0.0", "IPv6": "::1", "wildcard of IPv6": "::"}


@contextlib.contextmanager
def served_in_a_way(
    database: Database, way: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """The daemon, made to serve UDP in one of the ways."""
    compiled = way.startswith("compiled")
    host = HOSTS.get(way.removeprefix("compiled").strip(), "127.0.0.1")
    monkeypatch.setattr(dnsd_batch, "AVAILABLE", way != "one by one")
    with serving(database, host=host, engine="compiled" if compiled else "python") as served:
        served.host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        yield served


def query(number: int, type_: str = "A") -> bytes:
    """A good query with this identifier."""
    message = dns.message.make_query(f"7.113.0.203.{BL}", type_)
    message.id = number
    return message.to_wire()


@pytest.mark.parametrize("way", WAYS)
def test_a_burst_with_garbage_in_it(
    database: Database, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More datagrams than go into a batch; what gets no answer holds up nothing."""
    family = socket.AF_INET6 if "IPv6" in way else socket.AF_INET
    with (
        served_in_a_way(database, way, monkeypatch) as served,
        socket.socket(family, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(30)
        sock.connect((served.host, served.port))
        good = 3 * SLOTS
        for number in range(good):
            if number % 5 == 0:
                sock.send(b"")
            if number % 7 == 0:
                sock.send(query(number)[:9])
            sock.send(query(number))
        answers = [sock.recv(4096) for _ in range(good)]
        assert [int.from_bytes(answer[:2], "big") for answer in answers] == list(range(good))
        assert all(dns.message.from_wire(answer).answer for answer in answers)


@pytest.mark.parametrize("way", WAYS)
def test_the_longest_datagrams(
    database: Database, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is longer than the room for a query is a format error, not a crash."""
    family = socket.AF_INET6 if "IPv6" in way else socket.AF_INET
    with (
        served_in_a_way(database, way, monkeypatch) as served,
        socket.socket(family, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(30)
        sock.connect((served.host, served.port))
        for size in (ROOM - 1, ROOM, ROOM + 1, 60_000):
            sock.send(query(1) + bytes(size - len(query(1))))
            answer = sock.recv(4096)
            assert answer[3] & 15 == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_fault_in_the_middle_of_a_burst(
    database: Database, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query makes the engine raise: SERVFAIL for that one, answers for the others."""
    original = Engine.handle

    def faulty(self: Engine, packet: bytes, client: object, now: float, tcp: bool) -> bytes | None:
        if packet[:2] == b"\0\x05":
            raise ZeroDivisionError
        return original(self, packet, None, now, tcp)

    monkeypatch.setattr(Engine, "handle", faulty)
    family = socket.AF_INET6 if "IPv6" in way else socket.AF_INET
    with (
        served_in_a_way(database, way, monkeypatch) as served,
        socket.socket(family, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(30)
        sock.connect((served.host, served.port))
        for number in range(10):
            # The compiled engine hands this type over.
            sock.send(query(number, "ANY"))
        codes = [sock.recv(4096)[3] & 15 for _ in range(10)]
        assert codes == [2 if number == 5 else 0 for number in range(10)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_senders_are_spelt_out_on_demand(host: str) -> None:
    """Address and port as the socket module tells them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as here,
        socket.socket(family, socket.SOCK_DGRAM) as there,
    ):
        here.bind((host, 0))
        here.setblocking(False)
        batch = Batch(here)
        assert batch.receive() == 0
        for _ in range(3):
            there.sendto(b"x" * 20, here.getsockname())
        time.sleep(0.05)
        assert batch.receive() == 3
        for slot in range(3):
            assert batch.clients[slot][0] == host
            assert batch.clients[slot][1] == there.getsockname()[1]
            assert batch.received_lengths[batch.slots[slot][2]] == 20


def test_an_answer_that_cannot_be_sent_does_not_hold_up_the_next() -> None:
    """Port 0 takes nothing; the one after it gets its answer."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        here.bind(("127.0.0.1", 0))
        here.setblocking(False)
        there.settimeout(3)
        batch = Batch(here)
        for _ in range(3):
            there.sendto(b"ask", here.getsockname())
        time.sleep(0.05)
        assert batch.receive() == 3
        for _, base, _, length_at in batch.slots[:3]:
            batch.answers[base : base + 6] = b"answer"
            batch.answer_lengths[length_at] = 6
        batch.clients[1]._name[2:4] = b"\0\0"
        assert batch.send(0, 3) == 1
        assert [there.recv(10) for _ in range(2)] == [b"answer", b"answer"]


def test_a_closed_socket_is_an_error() -> None:
    """Told as the kernel tells it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        batch = Batch(here)
    with pytest.raises(OSError, match="recvmmsg"):
        batch.receive()
