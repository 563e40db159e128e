"""policyd with real sockets: answering, following changes, going on without the database."""

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailmum.daemons import policyd
from mailmum.daemons.policyd_options import Limits
from mailmum.policy.engine import Answer, Engine
from mailmum.policy.requests import Request
from mailmum.traffic.sightings import Outcome, Sighting
from tests.daemons import dnsd_kit
from tests.daemons.dnsd_kit import Database
from tests.daemons.policyd_kit import DUNNO, Client, request, serving
from tests.support.logs import captured_logs
from tests.support.ports import free_port
from tests.support.process import running
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
REJECTED = "REJECT 5.7.1 Sent spam. See https://mx.example.net/why/ref1ref1/203.0.113.7"
ALLOWED = "permit_auth_destination"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address and one domain, one allowed address."""
    database = Database(tmp_path)
    database.block("203.0.113.7", reason="Sent spam")
    database.block(".spam.example")
    database.block("203.0.113.9", action="allow")
    return database


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_several_requests_on_one_connection(database: Database, host: str) -> None:
    """Each answered in turn, over either version of IP."""
    with serving(database, host=host) as served, served.client() as client:
        for _ in range(3):
            assert client.ask() == REJECTED
            assert client.ask("203.0.113.8") == DUNNO
            assert client.ask("203.0.113.9") == ALLOWED
            assert client.ask("2001:db8::1", helo_name="mx.spam.example").startswith("REJECT")


def test_requests_however_they_arrive(database: Database) -> None:
    """Many in one segment, and one byte by byte."""
    with serving(database) as served, served.client() as client:
        client.socket.sendall((request() + request("203.0.113.8")) * 200)
        assert [client.read() for _ in range(400)] == [REJECTED, DUNNO] * 200
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request():
            client.socket.sendall(bytes([byte]))
        assert client.read() == REJECTED


def test_a_client_that_has_nothing_more_to_say_gets_its_reply(database: Database) -> None:
    """Half closed, as netcat does."""
    with serving(database) as served, served.client() as client:
        client.socket.sendall(request())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read() == REJECTED
        assert client.closed()


def test_changes_are_answered_at_once(database: Database) -> None:
    """On a connection that stays open; what counts is that each shows, and within moments."""
    with serving(database) as served, served.client() as client:
        delays = []
        for _ in range(10):
            for change, expected in ((database.block, "REJECT"), (database.unlist, DUNNO)):
                began = time.monotonic()
                change("192.0.2.9")
                eventually(lambda: client.ask("192.0.2.9").startswith(expected))  # noqa: B023
                delays.append(time.monotonic() - began)
        assert statistics.median(delays) < 1.0


def test_the_database_goes_away_and_comes_back(database: Database) -> None:
    """Answers go on; one line in the log each way; what happened meanwhile is taken over."""
    with serving(database) as served, captured_logs() as logs:
        with database.trouble("away"):
            database.block("192.0.2.9")
            time.sleep(0.6)
            assert served.ask() == REJECTED
            assert served.ask("192.0.2.9") == DUNNO
        eventually(lambda: served.ask("192.0.2.9").startswith("REJECT"))
        eventually(lambda: any(entry["event"] == "policy.source-back" for entry in logs))
    events = [entry["event"] for entry in logs if "source" in entry["event"]]
    assert events == ["policy.source-away", "policy.source-back"]


def test_without_database_and_snapshot_mail_flows(database: Database) -> None:
    """DUNNO and not ready; then everything as it should be, on the same connection."""
    with (
        database.trouble("away"),
        serving(database, wait=False) as served,
        served.client() as client,
    ):
        assert client.ask() == DUNNO
        time.sleep(0.3)
        assert not served.ready.is_set()
        (database.folder / "away").unlink()
        assert served.ready.wait(5)
        assert client.ask() == REJECTED
        (database.folder / "away").touch()


def test_without_the_database_it_starts_from_the_snapshot(
    database: Database, tmp_path: Path
) -> None:
    """The one that dnsd saves; policyd itself never writes it."""
    snapshot = tmp_path / "snapshot"
    with dnsd_kit.serving(database, snapshot=snapshot):
        eventually(snapshot.exists)
    with database.trouble("away"), serving(database, snapshot=snapshot) as served:
        assert served.ask() == REJECTED
    saved = snapshot.read_bytes()
    with serving(database, snapshot=snapshot) as served:
        database.block("192.0.2.9")
        eventually(lambda: served.ask("192.0.2.9").startswith("REJECT"))
        time.sleep(0.6)
    assert snapshot.read_bytes() == saved


def test_a_damaged_snapshot_is_mentioned_and_ignored(database: Database, tmp_path: Path) -> None:
    """The database gives what is needed."""
    snapshot = tmp_path / "snapshot"
    snapshot.write_bytes(b"garbage")
    with captured_logs() as logs, serving(database, snapshot=snapshot) as served:
        assert served.ask() == REJECTED
    assert [entry["event"] for entry in logs].count("policy.snapshot-damaged") == 1


@pytest.mark.parametrize("garbage", [b"\n\n", b"GET / HTTP/1.1\n\n", b"x" * 100_000, b"\0\n\n"])
def test_what_is_no_request_closes_the_connection(database: Database, garbage: bytes) -> None:
    """Requests before it are answered; others do not notice; one line in the log."""
    with captured_logs() as logs, serving(database) as served, served.client() as other:
        for _ in range(2):
            with served.client() as client:
                client.socket.sendall(request() + garbage)
                assert client.read() == REJECTED
                assert client.closed()
        assert other.ask() == REJECTED
    events = [entry["event"] for entry in logs]
    assert events.count("policy.connection-broken") == 1


def test_slow_and_silent_clients_are_closed(database: Database) -> None:
    """A request that does not end, and a connection that is not used; a busy one stays."""
    limits = Limits(idle=2.0, request=0.5)
    with serving(database, limits=limits) as served, ExitStack() as stack:
        slow, silent, busy = (stack.enter_context(served.client()) for _ in range(3))
        slow.socket.sendall(b"request=smtpd_access_policy\n")
        began = time.monotonic()
        while time.monotonic() - began < 4.0:
            assert busy.ask() == REJECTED
            time.sleep(0.2)
        assert slow.closed()
        assert silent.closed()
        assert busy.ask() == REJECTED


def test_a_client_that_does_not_read_is_closed(database: Database) -> None:
    """What waits for it is bounded, and others are served meanwhile."""
    limits = Limits(request=1.0)
    with (
        serving(database, limits=limits) as served,
        served.client() as other,
        ExitStack() as stack,
    ):
        deaf = stack.enter_context(contextlib.closing(Client(served.port)))
        deaf.socket.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):
            _send(deaf, 100_000_000)
        assert other.ask() == REJECTED
        deaf.socket.settimeout(5)
        with pytest.raises(ConnectionError):
            _send(deaf, 100_000_000)
        assert other.ask() == REJECTED


def _send(client: Client, most: int) -> None:
    sent = 0
    while sent < most:
        sent += client.socket.send(request() * 500)


def test_with_too_many_connections_the_longest_idle_goes(database: Database) -> None:
    """New ones are served; what is in use stays."""
    with serving(database, limits=Limits(connections=5)) as served, ExitStack() as stack:
        clients = [stack.enter_context(served.client()) for _ in range(5)]
        for client in clients:
            assert client.ask() == REJECTED
        assert clients[0].ask() == REJECTED
        newest = stack.enter_context(served.client())
        assert newest.ask() == REJECTED
        assert clients[1].closed()
        for client in (clients[0], *clients[2:]):
            assert client.ask() == REJECTED


def test_a_fault_of_ours_lets_mail_flow(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DUNNO, logged once with what shows it but without the key, counted."""
    answer = Engine.answer

    def fail(engine: Engine, asked: Request, now: float) -> Answer:
        if asked.address == "192.0.2.66":
            raise ZeroDivisionError(asked)
        return answer(engine, asked, now)

    monkeypatch.setattr(Engine, "answer", fail)
    with captured_logs() as logs, serving(database) as served, served.client() as client:
        assert client.ask("192.0.2.66") == DUNNO
        assert client.ask("192.0.2.66") == DUNNO
        assert client.ask() == REJECTED
        eventually(lambda: _faults(served.sink) == {"internal": 2})
    (fault,) = (entry for entry in logs if entry["event"] == "policy.internal-fault")
    assert "192.0.2.66" in fault["request"]
    assert dnsd_kit.KEY not in fault["request"]
    assert "ZeroDivisionError" in fault["exception"]
    assert dnsd_kit.KEY not in fault["exception"]


def test_a_fault_in_a_change_ends_the_process(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an index that may be half changed nothing should be answered; it is started again."""
    monkeypatch.setattr(Engine, "apply", lambda *_: 1 / 0)
    with serving(database) as served:
        database.block("192.0.2.9")
        eventually(lambda: len(served.failures) == 1)


def test_every_request_about_a_recipient_is_counted(database: Database) -> None:
    """Once, however many lists of restrictions name the service."""
    with serving(database) as served, served.client() as client:
        for address in ("203.0.113.7", "203.0.113.8", "203.0.113.9"):
            for message in range(3):
                instance = f"{address}.{message}"
                for recipient in ("a@here.example", "b@here.example"):
                    for _ in range(2):
                        client.ask(address, instance=instance, recipient=recipient)
                # At the end of the data Postfix names no recipient, when there were several.
                client.ask(address, instance=instance, recipient="")
        # Without an instance (a client other than Postfix) there is no telling.
        client.ask("203.0.113.8")
        client.ask("203.0.113.8")
        eventually(lambda: served.sink.total("none") == 8)
        assert (served.sink.total("block"), served.sink.total("allow")) == (6, 6)
        seen = [one for parcel in served.sink.parcels for one in parcel.taken.sightings]
        assert len(seen) == 20
    counted = {(one.server, one.list) for batch in served.sink.batches for one in batch.verdicts}
    assert counted == {(1, "policy")}


def test_requests_are_sightings(database: Database) -> None:
    """With all that Postfix tells and nothing that it does not know."""
    with serving(database) as served, served.client() as client:
        client.ask(
            "203.0.113.7",
            instance="1",
            client_name="mail.spam.example",
            reverse_client_name="other.example",
            sender="someone@spam.example",
            recipient="me@here.example",
        )
        client.ask("::ffff:198.51.100.1", instance="2", recipient="x" * 999, helo_name="é" * 999)
        client.ask("unknown", instance="3", helo_name="")
        client.ask(instance="4", key="n0suchkey0000000", recipient="me@here.example")
        eventually(lambda: served.sink.total("none") == 2)
        seen = [one for parcel in served.sink.parcels for one in parcel.taken.sightings]
    assert {one.server for one in seen} == {1}
    found = [one.sighting._replace(time=0.0) for one in seen]
    assert found == [
        Sighting(
            0.0,
            service="policy",
            client="203.0.113.7",
            client_name="mail.spam.example",
            helo="mx.sender.example",
            sender="someone@spam.example",
            recipient="me@here.example",
            outcome=Outcome.LISTED,
        ),
        Sighting(
            0.0,
            service="policy",
            client="198.51.100.1",
            helo="é" * 255,
            sender="",
            recipient="x" * 320,
            outcome=Outcome.UNLISTED,
        ),
        Sighting(0.0, service="policy", outcome=Outcome.UNLISTED),
    ]


def _faults(sink: dnsd_kit.Sink) -> dict[str, int]:
    """Faults counted so far, by kind."""
    sums: Counter[str] = Counter()
    for batch in sink.batches:
        sums.update(dict(batch.faults))
    return dict(sums)


def test_a_wrong_key_is_told_in_the_log_once(database: Database) -> None:
    """Mail flows; the line says what to do."""
    with captured_logs() as logs, serving(database) as served, served.client() as client:
        for key in ("k0000000000000000", "k0000000000000000", "", "k1111111111111111"):
            assert client.ask(key=key) == DUNNO
        eventually(lambda: _faults(served.sink) == {"unknown-key": 3, "no-key": 1})
    lines = [entry for entry in logs if entry["event"] in ("policy.unknown-key", "policy.no-key")]
    assert [line["given"] for line in lines] == ["k0000000000000000", "''"]
    assert all("policy_context" in line["fix"] for line in lines)


def test_a_request_of_another_kind_is_told_without_its_key(database: Database) -> None:
    """What it is is told, not for whom it was: the key is a good one."""
    with captured_logs() as logs, serving(database) as served, served.client() as client:
        assert client.ask(request="junk_policy") == DUNNO
    [line] = [entry for entry in logs if entry["event"] == "policy.unknown-request"]
    assert line["given"] == "junk_policy"


def command(database: Database, port: int) -> list[str]:
    """What starts policyd as a process."""
    words = [sys.executable, "-m", "tests.daemons.policyd_kit"]
    return [*words, str(database.folder), str(port)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("hanging", [False, True])
def test_a_signal_stops_it_within_a_second(
    database: Database, number: signal.Signals, hanging: bool
) -> None:
    """Exit status 0, also while the database hangs and clients are connected."""
    port = free_port()
    with ExitStack() as stack:
        child = stack.enter_context(
            running(command(database, port), "^ready", env=dict(os.environ), cwd=ROOT)
        )
        client = stack.enter_context(contextlib.closing(Client(port)))
        assert client.ask() == REJECTED
        if hanging:
            stack.enter_context(database.trouble("hanging"))
            time.sleep(0.3)
        assert child.stop(number, timeout=30) == 0
        assert client.closed()
    assert not (database.folder / "snapshot").exists()


def test_a_port_in_use_is_explained(database: Database) -> None:
    """Cause and fix, exit status 1."""
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        done = subprocess.run(
            command(database, port),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert f"the policy service cannot listen on 127.0.0.1:{port} (TCP): the port is in use" in said
    assert f"ss -lnptu 'sport = :{port}'" in said


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.1", "does not have that address"), ("no such host", "such as 127.0.0.1:10053")],
)
def test_an_address_that_cannot_be(host: str, words: str) -> None:
    """The message proposes one."""
    with pytest.raises(policyd.StartFailed, match=words):
        policyd.bind(host, 10053)
