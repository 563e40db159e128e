"""dnsd with real sockets: answering, following changes, and going on without the database."""

import socket
import statistics
import threading
import time
from pathlib import Path
from unittest import mock

import dns.message
import dns.rcode
import pytest

from mailmum.daemons import snapshots
from mailmum.daemons.dnsd_worker import Worker
from mailmum.dns.engine import Engine
from mailmum.index.index import Index
from mailmum.index.snapshot import MAGIC
from tests.daemons.dnsd_kit import (
    BL,
    DBL,
    KEY,
    Database,
    Served,
    ask,
    codes,
    reverse,
    serving,
)
from tests.support.logs import captured_logs
from tests.support.waiting import eventually


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address and one domain."""
    database = Database(tmp_path)
    database.block("203.0.113.7", reason="Sent spam")
    database.block(".spam.example")
    return database


def test_udp_and_tcp_give_the_same_answers(database: Database) -> None:
    """Addresses, names, TXT and denials."""
    with serving(database) as served:
        for name in (f"7.113.0.203.{BL}", f"8.113.0.203.{BL}", f"mx.spam.example.{DBL}", BL):
            for type_ in ("A", "TXT", "SOA"):
                by_udp, by_tcp = served.ask(name, type_), served.ask(name, type_, tcp=True)
                assert by_udp.answer == by_tcp.answer
                assert by_udp.authority == by_tcp.authority
                assert by_udp.rcode() == by_tcp.rcode()
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
        text = served.ask(f"7.113.0.203.{BL}", "TXT").answer[0][0]
        assert text.strings == (b"Sent spam. See https://mx.example.net/why/ref1ref1/203.0.113.7",)


def test_ipv6(database: Database) -> None:
    """The same on ::1."""
    with serving(database, host="::1") as served:
        for tcp in (False, True):
            response = served.ask(f"7.113.0.203.{BL}", tcp=tcp)
            assert str(response.answer[0][0]) == "127.0.0.2"


@pytest.mark.parametrize(
    ("wildcard", "asked"),
    [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.53"), ("::", "::1")],
)
def test_a_wildcard_answers_from_the_address_that_was_asked(
    database: Database, wildcard: str, asked: str
) -> None:
    """A connected socket takes answers from no other address."""
    with serving(database, host=wildcard) as served:
        for tcp in (False, True):
            response = ask(served.port, f"7.113.0.203.{BL}", host=asked, tcp=tcp)
            assert response.answer


def _comes(served: Served, wanted: list[str]) -> None:
    eventually(lambda: served.codes("192.0.2.9") == wanted)


def test_changes_are_answered_soon(database: Database) -> None:
    """Block and unlist one after another; what counts is that each shows, and within moments."""
    with serving(database) as served:
        assert served.codes("192.0.2.9") == []
        delays = []
        for _ in range(15):
            for wanted, act in (
                (["127.0.0.2"], database.block),
                ([], database.unlist),
            ):
                began = time.monotonic()
                act("192.0.2.9")
                _comes(served, wanted)
                delays.append(time.monotonic() - began)
        assert statistics.median(delays) < 1.0


def test_a_listing_ends_to_the_second(database: Database) -> None:
    """Without any change from the database."""
    end = int(time.time()) + 2
    database.block("192.0.2.9", expires=end)
    with serving(database) as served:
        while time.time() < end - 0.2:
            assert served.codes("192.0.2.9") == ["127.0.0.2"]
            time.sleep(0.02)
        time.sleep(max(0, end + 0.05 - time.time()))
        assert served.codes("192.0.2.9") == []


def test_a_large_change_in_many_batches_arrives_whole(database: Database) -> None:
    """Also after merges, and with the database away in between."""
    addresses = [f"198.51.100.{number}" for number in range(200)]
    with serving(database) as served:
        database.block(*addresses)
        eventually(lambda: served.codes(addresses[-1]) == ["127.0.0.2"])
        with database.trouble("away"):
            time.sleep(0.3)
            database.unlist(*addresses[:100])
        eventually(lambda: served.codes(addresses[99]) == [])
        index = served.worker.loop.engine.index
        assert index is not None
        eventually(lambda: index.overlay_size < 50)
        for number, address in enumerate(addresses):
            assert served.codes(address) == ([] if number < 100 else ["127.0.0.2"])


def test_the_database_goes_away_and_comes_back(database: Database) -> None:
    """Answers go on; one line in the log each way; what happened meanwhile is taken over."""
    with serving(database) as served, captured_logs() as logs:
        with database.trouble("away"):
            database.block("192.0.2.9")
            time.sleep(0.6)
            assert served.codes("203.0.113.7") == ["127.0.0.2"]
            assert served.codes("192.0.2.9") == []
        eventually(lambda: served.codes("192.0.2.9") == ["127.0.0.2"])
        eventually(lambda: any(entry["event"] == "dns.source-back" for entry in logs))
    events = [entry["event"] for entry in logs if "source" in entry["event"]]
    assert events == ["dns.source-away", "dns.source-back"]


def test_a_restored_backup_is_loaded_anew(database: Database) -> None:
    """The journal ends before the position that the daemon has reached."""
    with serving(database) as served:
        assert served.ask(f"x.spam.example.{DBL}").answer
        with database.trouble("away"):
            database.rewind()
        eventually(lambda: not served.ask(f"x.spam.example.{DBL}").answer)
        assert served.codes("203.0.113.7") == ["127.0.0.2"]


def test_a_fault_in_following_does_not_stop_answers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread is started again after a pause."""
    monkeypatch.setattr("mailmum.daemons.threads.KeptThread.__init__.__defaults__", (0.5,))
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _: died.set())
    with serving(database) as served:
        with database.trouble("broken"):
            assert died.wait(5)
            assert served.codes("203.0.113.7") == ["127.0.0.2"]
        database.block("192.0.2.9")
        eventually(lambda: served.codes("192.0.2.9") == ["127.0.0.2"])


def test_without_database_and_snapshot_the_server_fails_until_there_is_one(
    database: Database, tmp_path: Path
) -> None:
    """SERVFAIL, not ready; then everything as it should be."""
    with (
        database.trouble("away"),
        serving(database, wait=False, snapshot=tmp_path / "none") as served,
    ):
        assert served.ask(f"7.113.0.203.{BL}").rcode() == dns.rcode.SERVFAIL
        assert served.ask("example.org").rcode() == dns.rcode.REFUSED
        time.sleep(0.3)
        assert not served.ready.is_set()
        (database.folder / "away").unlink()
        assert served.ready.wait(5)
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
        (database.folder / "away").touch()


def test_a_restart_without_the_database_goes_on_from_the_snapshot(
    database: Database, tmp_path: Path
) -> None:
    """It is ready, answers as before, and catches up when the database is back."""
    snapshot = tmp_path / "snapshot"
    with serving(database, snapshot=snapshot) as served:
        database.block("192.0.2.9")
        eventually(lambda: served.codes("192.0.2.9") == ["127.0.0.2"])
    assert snapshot.stat().st_mode & 0o777 == 0o600
    with database.trouble("away"), serving(database, snapshot=snapshot) as served:
        assert served.codes("192.0.2.9") == ["127.0.0.2"]
        assert served.ask(f"mx.spam.example.{DBL}").answer
        database.block("192.0.2.10")
        (database.folder / "away").unlink()
        eventually(lambda: served.codes("192.0.2.10") == ["127.0.0.2"])
        (database.folder / "away").touch()


def test_a_restart_reads_the_database_before_it_is_ready(
    database: Database, tmp_path: Path
) -> None:
    """What changed while the daemon was down is answered from the first moment of readiness."""
    snapshot = tmp_path / "snapshot"
    with serving(database, snapshot=snapshot):
        pass
    database.unlist("203.0.113.7")
    with serving(database, snapshot=snapshot) as served:
        assert served.codes("203.0.113.7") == []


def test_a_snapshot_is_saved_while_running(database: Database, tmp_path: Path) -> None:
    """So that a crash loses little."""
    snapshot = tmp_path / "snapshot"
    with serving(database, snapshot=snapshot):
        eventually(snapshot.exists)
        position = snapshots.read(snapshot).position
        database.block("192.0.2.9")
        eventually(lambda: snapshots.read(snapshot).position > position)


def test_a_snapshot_of_another_version_is_not_called_damaged(
    database: Database, tmp_path: Path
) -> None:
    """After an upgrade it is passed over with a word, and made anew."""
    snapshot = tmp_path / "snapshot"
    with serving(database, snapshot=snapshot):
        pass
    data = bytearray(snapshot.read_bytes())
    data[len(MAGIC)] ^= 0x40
    snapshot.write_bytes(data)
    with captured_logs() as logs, serving(database, snapshot=snapshot) as served:
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
    told = {entry["event"]: entry for entry in logs if "snapshot-" in entry["event"]}
    assert "dns.snapshot-damaged" not in told
    assert "this version reads" in told["dns.snapshot-outdated"]["reason"]
    assert snapshots.read(snapshot).position


def test_a_damaged_snapshot_is_mentioned_and_ignored(database: Database, tmp_path: Path) -> None:
    """With the database as without."""
    snapshot = tmp_path / "snapshot"
    with serving(database, snapshot=snapshot):
        pass
    data = bytearray(snapshot.read_bytes())
    data[len(data) // 2] ^= 1
    snapshot.write_bytes(data)
    with captured_logs() as logs, serving(database, snapshot=snapshot) as served:
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
    assert [entry["file"] for entry in logs if entry["event"] == "dns.snapshot-damaged"] == [
        str(snapshot)
    ]
    snapshot.write_bytes(b"garbage")
    with database.trouble("away"), serving(database, snapshot=snapshot, wait=False) as served:
        assert served.ask(f"7.113.0.203.{BL}").rcode() == dns.rcode.SERVFAIL


def test_a_snapshot_that_cannot_be_saved_is_mentioned_once(
    database: Database, tmp_path: Path
) -> None:
    """Answers go on."""
    with (
        captured_logs() as logs,
        serving(database, snapshot=tmp_path / "missing" / "snapshot") as served,
    ):
        eventually(lambda: any(entry["event"] == "dns.snapshot-not-saved" for entry in logs))
        time.sleep(0.5)
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
    assert [entry["event"] for entry in logs].count("dns.snapshot-not-saved") == 1


def test_counts_are_handed_over(database: Database) -> None:
    """Also those of the last moment; kept while the database is away."""
    with serving(database) as served:
        served.sink.away = True
        for _ in range(5):
            served.codes("203.0.113.7")
            served.codes("192.0.2.1")
        time.sleep(1.5)
        assert not served.sink.batches
        served.sink.away = False
        eventually(lambda: served.sink.total("block") == 5)
        served.codes("203.0.113.7")
    assert served.sink.total("block") == 6
    assert served.sink.total("none") == 5


def test_a_fault_of_ours_is_answered_counted_and_logged_once(database: Database) -> None:
    """SERVFAIL over UDP and TCP, silence for a response, the packet in the log, service goes on."""
    original = Engine.handle

    def faulty(self: Engine, packet: bytes, client: object, now: float, tcp: bool) -> bytes | None:
        if b"\x05fault" in packet:
            raise ZeroDivisionError(packet, packet.hex())
        return original(self, packet, None, now, tcp)

    with mock.patch.object(Engine, "handle", faulty), serving(database) as served:
        with captured_logs() as logs:
            for tcp in (False, True, False):
                response = _raw(served, f"fault.{BL}", tcp=tcp)
                assert response.rcode() == dns.rcode.SERVFAIL
            assert served.codes("203.0.113.7") == ["127.0.0.2"]
        faults = [entry for entry in logs if entry["event"] == "dns.internal-fault"]
        assert len(faults) == 1
        assert b"\x05fault".hex() in faults[0]["packet"]
        assert KEY.encode().hex() not in faults[0]["packet"]
        assert "ZeroDivisionError" in faults[0]["exception"]
        for form in (KEY, KEY.encode().hex()):
            assert form not in faults[0]["exception"]
    kinds = [dict(batch.faults) for batch in served.sink.batches]
    assert sum(kind.get("internal", 0) for kind in kinds) == 3


def _raw(served: Served, name: str, *, tcp: bool) -> dns.message.Message:
    """A response whose question dnspython does not insist on."""
    wire = dns.message.make_query(name, "A").to_wire()
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(3)
        sock.connect((served.host, served.port))
        sock.sendall(len(wire).to_bytes(2, "big") + wire if tcp else wire)
        data = sock.recv(4096)
    return dns.message.from_wire(data[2:] if tcp else data)


def test_garbage_over_udp_does_not_disturb(database: Database) -> None:
    """Whatever is sent, the next good query is answered."""
    with serving(database) as served, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for size in (0, 1, 11, 12, 13, 100, 4095, 4096, 4097, 60000):
            for byte in (b"\x00", b"\x3f", b"\xc0", b"\xff"):
                sock.sendto(byte * size, ("127.0.0.1", served.port))
        assert served.codes("203.0.113.7") == ["127.0.0.2"]


def test_stopping_does_not_wait_for_a_hanging_database(database: Database) -> None:
    """It would hang for as long as this test waits."""
    with serving(database) as served, database.trouble("hanging"):
        time.sleep(0.3)
        assert served.codes("203.0.113.7") == ["127.0.0.2"]
        served.worker.stop()
        eventually(lambda: _is_closed(served.worker))


def _is_closed(worker: Worker) -> bool:
    return all(sock.fileno() == -1 for one in worker.loop._sockets for sock in one.udp)


def test_queries_are_answered_while_the_database_is_read_again(database: Database) -> None:
    """The index that answers stays in use until the new one is whole."""
    reading, go_on = threading.Event(), threading.Event()
    build = Index.build

    def slow(everything: object) -> Index:
        reading.set()
        assert go_on.wait(5)
        return build(everything)  # type: ignore[arg-type]

    with serving(database) as served:
        with mock.patch.object(Index, "build", slow), database.trouble("away"):
            database.rewind()
            (database.folder / "away").unlink()
            assert reading.wait(5)
            assert codes(served.port, "203.0.113.7") == ["127.0.0.2"]
            go_on.set()
            (database.folder / "away").touch()
        eventually(lambda: not served.ask(f"{reverse('192.0.2.1')}.x.spam.example.{DBL}").answer)
