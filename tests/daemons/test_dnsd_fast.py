"""The compiled hot path inside the daemon: threads, counts, changes under load, faults of ours."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.message
import pytest

from mailmum.daemons import dnsd_fast
from mailmum.daemons.dnsd_fast import Packed, choose
from mailmum.daemons.dnsd_trace import FRESH, recent_crash
from mailmum.daemons.listening import StartFailed
from mailmum.dns.counters import Key
from mailmum.index.mirror import Mirror
from tests.daemons.dnsd_kit import BL, Database, Served, codes, reverse, serving
from tests.daemons.test_dnsd_processes import ROOT, command, environment, workers_of
from tests.dns.both import Both, extension
from tests.dns.world import World
from tests.support.logs import captured_logs
from tests.support.ports import free_port
from tests.support.process import running
from tests.support.waiting import eventually


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address and one blocked network."""
    database = Database(tmp_path)
    database.block("203.0.113.7", "198.51.100.0/24")
    return database


def query(address: str, type_: str = "A") -> bytes:
    """A question about an address in the block list."""
    return dns.message.make_query(f"{reverse(address)}.{BL}", type_).to_wire()


class Asked(NamedTuple):
    """Where somebody answers."""

    host: str
    port: int


@contextmanager
def clients(served: Served | Asked, count: int) -> Iterator[list[socket.socket]]:
    """Connected sockets, so that several threads get something to do."""
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for sock in socks:
            sock.settimeout(5)
            sock.connect((served.host, served.port))
        yield socks
    finally:
        for sock in socks:
            sock.close()


def test_counts_can_be_read_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the thread goes on counting; those that nobody has read are not counted again.

    Whoever rests between two pieces of them does so until answering ends, and no longer.
    """
    monkeypatch.setattr(dnsd_fast, "_BREATH", 3600.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, ExitStack() as stack:
        sock.bind(("127.0.0.1", 0))
        service = extension().Service([sock.fileno()], False)
        service.use(Both(World()).mirror.world)
        thread = threading.Thread(target=service.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(service.stop)
        (asker,) = stack.enter_context(clients(Asked(*sock.getsockname()), 1))
        taken = []
        ended = threading.Event()
        # More than are copied without a pause, and fewer.
        for size in (2500, 2500, 3):
            for first in range(0, size, 40):
                some = range(first, min(first + 40, size))
                for number in some:
                    asker.send(query(f"203.{number >> 8}.113.{number & 255}"))
                for _ in some:
                    assert asker.recv(512)[3] & 15 == 3
            taken.append((size, Packed(service.take()[0], ended)))
        found: list[tuple[int, dict[Key, int]]] = []
        readers = [
            threading.Thread(
                target=lambda size=size, one=one: found.append((size, one.read())), daemon=True
            )
            for size, one in [*taken, *taken]
        ]
        for reader in readers:
            reader.start()
        assert len(service.take()[0]) == 0
        ended.set()
        for reader in readers:
            reader.join()
    assert len(found) == 6
    assert all(len(counts) == sum(counts.values()) == size for size, counts in found)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_answer_is_counted_once(database: Database, threads: int) -> None:
    """By whatever thread and engine it was given, and who asked about whom is known."""
    asked = 0
    with (
        serving(database, engine="compiled", threads=threads) as served,
        clients(served, 12) as socks,
    ):
        for turn in range(20):
            for at, sock in enumerate(socks):
                # The second of each is for the Python engine: single digits may be IPv6.
                for address in (f"198.51.100.{at}", "1.2.3.4"):
                    sock.send(query(address))
            for sock in socks:
                for _ in range(2):
                    assert sock.recv(512)[3] & 15 in (0, 3)
                    asked += 1
            if turn % 5 == 0:
                time.sleep(0.05)
        sink = served.sink
    counts = [one for parcel in sink.parcels for one in parcel.taken.batch.clients]
    assert sum(one.count for one in counts) == asked
    seen = {one.subject for one in counts if one.verdict == "block"}
    assert seen == {(4, 0xC6336400 + at) for at in range(12)}
    assert all(one.wide for one in counts if one.verdict == "block")


def test_changes_while_questions_come_in(database: Database) -> None:
    """Each question is answered, and by the state before a change or the one after it."""
    stop, wrong = threading.Event(), []

    def ask_on(served: Served) -> None:
        with clients(served, 4) as socks:
            while not stop.is_set():
                for sock in socks:
                    for address in ("203.0.113.7", "192.0.2.9", "192.0.2.10"):
                        sock.send(query(address))
                for sock in socks:
                    for _ in range(3):
                        answer = dns.message.from_wire(sock.recv(512))
                        texts = {str(item) for rrset in answer.answer for item in rrset}
                        first = answer.question[0].name.to_text().startswith("7.113")
                        # Whatever the address is listed by at the moment, it is that one thing.
                        right = [{"127.0.0.2"}] if first else [set(), {"127.0.0.2"}, {"127.0.0.3"}]
                        if texts not in right:
                            wrong.append(answer)

    with serving(database, engine="compiled", threads=2) as served:
        asking = threading.Thread(target=ask_on, args=(served,))
        asking.start()
        try:
            for _ in range(60):
                # More than a merge takes for, so that merges come and go too.
                database.block("192.0.2.9", "192.0.2.10", "192.0.2.0/25")
                eventually(lambda: served.codes("192.0.2.10") == ["127.0.0.2"])
                database.unlist("192.0.2.9", "192.0.2.10", "192.0.2.0/25")
                eventually(lambda: served.codes("192.0.2.10") == [])
        finally:
            stop.set()
            asking.join(10)
        assert not asking.is_alive()
    assert not wrong


def test_both_addresses_of_a_change_show_together(database: Database) -> None:
    """The index read anew in between is another one, and seen as a whole."""
    with serving(database, engine="compiled") as served:
        database.block("192.0.2.9")
        eventually(lambda: served.codes("192.0.2.9") == ["127.0.0.2"])
        database.rewind()
        eventually(lambda: served.codes("192.0.2.9") == [])
        assert served.codes("203.0.113.7") == ["127.0.0.2"]


def test_a_fault_in_the_mirror_costs_speed_only(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on Python answers everything; it is logged once."""

    def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    with captured_logs() as logs, serving(database, engine="compiled") as served:
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
        monkeypatch.setattr(Mirror, "_note", fail)
        database.block("192.0.2.9")
        eventually(lambda: served.codes("192.0.2.9") == ["127.0.0.2"])
        database.unlist("192.0.2.9")
        eventually(lambda: served.codes("192.0.2.9") == [])
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
    assert len([entry for entry in logs if entry["event"] == "dns.mirror-fault"]) == 1


def test_without_an_index_nothing_is_decided_here(database: Database) -> None:
    """SERVFAIL while the database is away and there is no snapshot."""
    with database.trouble("away"), serving(database, engine="compiled", wait=False) as served:
        assert served.ask(f"{reverse('203.0.113.7')}.{BL}").rcode() == 2


def test_the_choice_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python when told so, or for a day after a crash; an error when there must be the other."""
    assert choose("python", None)[0] is None
    assert choose("auto", None)[0] is not None
    trace = tmp_path / "crash"
    trace.touch()
    assert choose("auto", trace)[0] is not None
    trace.write_text("Fatal Python error")
    found, reason = choose("auto", trace)
    assert found is None
    assert str(trace) in reason
    assert choose("compiled", trace)[0] is not None
    os.utime(trace, (0, time.time() - FRESH))
    assert recent_crash(trace) is None
    monkeypatch.setattr("mailmum.compiled.load", lambda: (None, "no compiler"))
    assert choose("auto", None) == (None, "no compiler")
    with pytest.raises(StartFailed, match="no compiler"):
        choose("compiled", None)


def soon(port: int) -> list[str]:
    """What is answered at once; nothing when there is no answer."""
    try:
        return codes(port, "203.0.113.7", timeout=0.2)
    except dns.exception.Timeout:
        return []


@pytest.mark.parametrize("workers", [1, 2])
def test_after_a_crash_python_answers(database: Database, workers: int) -> None:
    """The process that is started again does without compiled code."""
    port = free_port("both")
    start = command(database, port, workers)
    with running(start, "^ready", env=environment(), cwd=ROOT) as child:
        assert codes(port, "203.0.113.7") == ["127.0.0.2"]
        for pid in workers_of(child.pid) or [child.pid]:
            os.kill(pid, signal.SIGSEGV)
        if workers > 1:
            # The two that died, and those in their places.
            eventually(lambda: child.output.count("dns.loaded") == 4)
            assert child.output.count("crashed lately") == 2
            eventually(lambda: soon(port) == ["127.0.0.2"])
    assert (database.folder / "crash").read_text().startswith("Fatal Python error")
    if workers == 1:
        with running(start, "^ready", env=environment(), cwd=ROOT) as child:
            assert codes(port, "203.0.113.7") == ["127.0.0.2"]
            assert "crashed lately" in child.output
