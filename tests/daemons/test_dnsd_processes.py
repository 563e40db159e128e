"""dnsd as a process: starting, refusing to start, signals, several workers."""

import os
import signal
import socket
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.daemons.dnsd_kit import Database, codes
from tests.support.ports import free_port
from tests.support.process import Child, running
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """One blocked address."""
    database = Database(tmp_path)
    database.block("203.0.113.7")
    return database


def command(database: Database, port: int, workers: int = 1) -> list[str]:
    """Dnsd on a test's database."""
    kit = ["-m", "tests.daemons.dnsd_kit", str(database.folder), str(port), str(workers)]
    return [sys.executable, *kit]


def environment() -> dict[str, str]:
    """What it needs to find its modules."""
    return {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": os.environ["PATH"]}


def start(
    database: Database, port: int, workers: int = 1, ready: str | None = "^ready"
) -> AbstractContextManager[Child]:
    """The same, running."""
    return running(command(database, port, workers), ready, env=environment(), cwd=ROOT)


def workers_of(pid: int) -> list[int]:
    """Process ids of its workers."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(database: Database, workers: int, number: signal.Signals) -> None:
    """Exit status 0, no process left, the snapshot saved."""
    port = free_port("both")
    with start(database, port, workers) as child:
        assert codes(port, "203.0.113.7") == ["127.0.0.2"]
        pids = workers_of(child.pid)
        assert child.stop(number, timeout=30) == 0
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert (database.folder / "snapshot").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_it_stops_while_the_database_hangs(database: Database, workers: int) -> None:
    """A thread that waits for the database is left behind."""
    port = free_port("both")
    with start(database, port, workers) as child, database.trouble("hanging"):
        time.sleep(0.3)
        assert codes(port, "203.0.113.7") == ["127.0.0.2"]
        assert child.stop(timeout=30) == 0


def test_all_workers_answer_and_one_that_dies_returns(database: Database) -> None:
    """Both count queries; after one is killed the other answers, and soon two do again."""
    port = free_port("both")
    with start(database, port, workers=2) as child:
        first = workers_of(child.pid)
        assert len(first) == 2

        def counted() -> Counter[str]:
            for _ in range(20):
                assert codes(port, "203.0.113.7") == ["127.0.0.2"]
            path = database.folder / "counts"
            lines = path.read_text().splitlines() if path.exists() else []
            return Counter(line.split()[0] for line in lines)

        eventually(lambda: set(counted()) == {str(pid) for pid in first})
        os.kill(first[0], signal.SIGKILL)
        eventually(lambda: _replaced(first[0], workers_of(child.pid)))
        child.wait_for(r"dns\.worker-died.*SIGKILL")
        eventually(lambda: len(set(counted())) == 3)
        database.block("192.0.2.9")
        eventually(lambda: all(codes(port, "192.0.2.9") for _ in range(20)))


def _replaced(worker: int, workers: list[int]) -> bool:
    return len(workers) == 2 and worker not in workers


def test_workers_end_with_their_parent(database: Database) -> None:
    """A parent that is killed outright leaves nobody behind on the port."""
    port = free_port("both")
    # One more process in between: what ends this one is not what would end its child.
    shell = ["sh", "-c", '"$@" & echo "pid $!"; wait; sleep 60', "sh", *command(database, port, 2)]
    with running(shell, "^ready", env=environment(), cwd=ROOT) as child:
        pid = int(child.output.split("pid ")[1].split()[0])
        pids = workers_of(pid)
        assert len(pids) == 2
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not [worker for worker in pids if _runs(worker)])


def _runs(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_in_use_is_explained(
    database: Database, workers: int, kind: socket.SocketKind
) -> None:
    """Over UDP or TCP, also where the other one would share it."""
    port = free_port("both")
    with socket.socket(socket.AF_INET, kind) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            other.listen()
        with start(database, port, workers, ready=None) as child:
            assert child.process.wait(10) == 1
            over = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
            assert f"DNS cannot listen on 127.0.0.1:{port} ({over})" in child.output
            assert "the port is in use" in child.output
            assert f"ss -lnptu 'sport = :{port}'" in child.output


def test_a_second_daemon_on_the_same_port_is_refused(database: Database) -> None:
    """It would take half of the queries."""
    port = free_port("both")
    with start(database, port, workers=2), start(database, port, workers=2, ready=None) as child:
        assert child.process.wait(10) == 1
        assert "the port is in use" in child.output


def test_a_second_start_goes_on(database: Database) -> None:
    """On the same port at once, with connections of the first still lingering."""
    port = free_port("both")
    for workers in (1, 2, 1):
        with start(database, port, workers):
            assert codes(port, "203.0.113.7", tcp=True) == ["127.0.0.2"]
