"""DNS over TCP: pipelining, streams in any pieces, slow and idle clients, too many of them."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.daemons.dnsd_options import TcpLimits
from mailmum.daemons.dnsd_tcp import BadStreamError, Framing
from tests.daemons.dnsd_kit import (
    BL,
    SMALL,
    Database,
    Served,
    receive_message,
    serving,
)
from tests.support.waiting import eventually

NAME = f"7.113.0.203.{BL}"


def framed(name: str = NAME, type_: str = "A", **options: int) -> bytes:
    """A query with its length prefix."""
    query = dns.message.make_query(name, type_)
    query.id = options.get("id", 0)
    wire = query.to_wire()
    return len(wire).to_bytes(2, "big") + wire


@contextlib.contextmanager
def connected(served: Served) -> Iterator[socket.socket]:
    """A connection of a client that waits for some seconds.

    Its buffers are small, so that few answers which it does not read fill all there is on the way.
    """
    family = socket.AF_INET6 if ":" in served.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, 16_384)
        sock.settimeout(15)
        sock.connect((served.host, served.port))
        yield sock


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address, with a text of some length."""
    database = Database(tmp_path)
    database.block("203.0.113.7", reason="r" * 250)
    return database


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
def test_messages_come_whole_in_whatever_pieces(messages: list[bytes], data: st.DataObject) -> None:
    """A stream cut anywhere gives the messages that went in."""
    stream = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
    framing, found, at = Framing(40), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        found += framing.feed(stream[at : at + size])
        at += size
    assert found == messages


@given(st.binary(max_size=200))
def test_any_stream_is_cut_or_refused(stream: bytes) -> None:
    """No message is empty or longer than the limit, whatever comes."""
    with contextlib.suppress(BadStreamError):
        assert all(0 < len(message) <= 100 for message in Framing(100).feed(stream))


def test_several_queries_in_one_segment(database: Database) -> None:
    """All are answered, in order (RFC 7766 section 6.2.1.1)."""
    with serving(database) as served, connected(served) as sock:
        sock.sendall(b"".join(framed(id=number) for number in range(1, 60)))
        for number in range(1, 60):
            response = receive_message(sock)
            assert response.id == number
            assert response.answer


def test_a_query_byte_by_byte(database: Database) -> None:
    """Each byte in a segment of its own."""
    with serving(database) as served, connected(served) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(id=7):
            sock.sendall(bytes((byte,)))
            time.sleep(0.001)
        assert receive_message(sock).id == 7


def test_a_half_closed_connection_gets_its_answers(database: Database) -> None:
    """A client that has said all it will say may still read."""
    with serving(database) as served, connected(served) as sock:
        sock.sendall(framed(id=1) + framed(id=2))
        sock.shutdown(socket.SHUT_WR)
        assert [receive_message(sock).id for _ in range(2)] == [1, 2]
        assert sock.recv(1) == b""


def test_a_slow_client_holds_up_nobody(database: Database) -> None:
    """Half a query, and another that reads nothing; UDP and other connections are answered."""
    with serving(database) as served, connected(served) as half, connected(served) as deaf:
        half.sendall(framed()[:10])
        deaf.setblocking(False)
        query = framed(type_="TXT")
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                deaf.send(query * 20)
        for _ in range(20):
            assert served.codes("203.0.113.7")
            assert served.ask(NAME, tcp=True).answer


def test_what_a_client_does_not_read_is_bounded(database: Database) -> None:
    """The server stops reading from it; once it reads, all answers are there."""
    with serving(database, tcp=TcpLimits(unsent=10_000)) as served, connected(served) as sock:
        sock.setblocking(False)
        query, sent = framed(type_="TXT", id=5), 0
        connections = served.worker.loop._tcp._connections

        def stuck() -> bool:
            """One more piece of the stream, as long as answers go into the kernel's buffers."""
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                sent += sock.send((query * 50)[sent % len(query) :])
            return any(len(one.unsent) > 10_000 for one in connections.values())

        eventually(stuck, 60)
        (connection,) = connections.values()
        # One chunk of queries beyond the limit at most.
        assert len(connection.unsent) < 10_000 + 4096 // len(query) * 400
        sock.settimeout(15)
        for _ in range(sent // len(query)):
            assert receive_message(sock).id == 5


def test_idle_connections_are_closed(database: Database) -> None:
    """After the time without a whole query; a drip of bytes is not a query."""
    with serving(database, tcp=SMALL) as served, connected(served) as sock:
        began = time.monotonic()
        sock.sendall(framed(id=1))
        assert receive_message(sock).id == 1
        with contextlib.suppress(ConnectionError):
            for byte in framed():
                sock.sendall(bytes((byte,)))
                time.sleep(0.05)
                if time.monotonic() - began > SMALL.idle + 1:
                    break
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""
        assert time.monotonic() - began < SMALL.idle + 10


def test_a_used_connection_stays(database: Database) -> None:
    """Each query renews it."""
    with serving(database, tcp=SMALL) as served, connected(served) as sock:
        for number in range(1, 7):
            time.sleep(SMALL.idle / 3)
            sock.sendall(framed(id=number))
            assert receive_message(sock).id == number


def test_the_longest_idle_makes_room(database: Database) -> None:
    """Beyond the most connections allowed, a new one is served and the oldest closed."""
    limits = TcpLimits(connections=5, idle=30)
    with serving(database, tcp=limits) as served, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connected(served)) for _ in range(5)]
        for sock in socks:
            sock.sendall(framed(id=1))
            assert receive_message(sock).id == 1
        socks[0].sendall(framed(id=2))
        assert receive_message(socks[0]).id == 2
        with connected(served) as one_more:
            one_more.sendall(framed(id=3))
            assert receive_message(one_more).id == 3
            assert socks[1].recv(1) == b""
            socks[0].sendall(framed(id=4))
            assert receive_message(socks[0]).id == 4
        assert len(served.worker.loop._tcp) <= 5


def test_many_connections_at_once(database: Database) -> None:
    """Far more than are kept: each gets its answer or is closed, and all goes on."""
    with serving(database, tcp=TcpLimits(connections=20)) as served:
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                sock = stack.enter_context(connected(served))
                sock.sendall(framed(id=1))
                assert receive_message(sock).id == 1
            assert len(served.worker.loop._tcp) <= 20
        assert served.ask(NAME, tcp=True).answer
        eventually(lambda: len(served.worker.loop._tcp) == 0)


@pytest.mark.parametrize("stream", [b"\x00\x00", b"\xff\xff" + bytes(100), b"GET / HTTP/1.1\r\n"])
def test_what_is_not_dns_is_closed(database: Database, stream: bytes) -> None:
    """An empty message, one too long, another protocol."""
    with serving(database) as served:
        with connected(served) as sock:
            sock.sendall(stream)
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        assert served.ask(NAME, tcp=True).answer


def test_large_answers_come_by_tcp(database: Database) -> None:
    """What UDP truncates."""
    database.block("203.0.113.8", reason="ü" * 300)
    with serving(database) as served:
        name = f"8.113.0.203.{BL}"
        assert served.ask(name, "TXT").flags & dns.flags.TC
        response = served.ask(name, "TXT", tcp=True)
        assert response.answer[0].rdtype == dns.rdatatype.TXT
        assert len(b"".join(response.answer[0][0].strings)) > 600


def test_a_client_that_breaks_off_is_forgotten(database: Database) -> None:
    """A reset in the middle of an answer."""
    with serving(database) as served:
        for _ in range(10):
            sock = socket.create_connection((served.host, served.port), timeout=3)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.sendall(framed() * 10)
            sock.close()
        eventually(lambda: len(served.worker.loop._tcp) == 0)
        assert served.codes("203.0.113.7")
