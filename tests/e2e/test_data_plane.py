"""DNS and the database: changes arrive, and answers go on without it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from dns.exception import DNSException

from tests.e2e.test_faults import listed, try_to_block
from tests.e2e.test_up import pid_of
from tests.support.postgres import Cluster, postgres
from tests.support.service import Service, make_service
from tests.support.tables import fresh_database


@contextmanager
def losable(folder: Path, kind: str) -> Iterator[tuple[Service, ExitStack]]:
    """A service whose database can be taken away: closing the stack does it."""
    with ExitStack() as database:
        made = make_service(folder, sqlite=True)
        if kind == "postgresql":
            cluster: Cluster = database.enter_context(postgres())
            made.environment["MAILMUM_DATABASE"] = fresh_database(cluster.url(), empty=True)
        else:
            database.callback(_lose_files, made.data)
        yield made, database


def _lose_files(data: Path) -> None:
    for path in data.glob("mailmum.sqlite3*"):
        path.rename(path.with_name(f"lost-{path.name}"))


def _find_files(data: Path) -> None:
    for path in data.glob("lost-*"):
        path.rename(path.with_name(path.name.removeprefix("lost-")))


def blocked(made: Service, name: str) -> bool:
    """Whether the name has an A record."""
    return made.lookup(name) == ["127.0.0.2"]


@pytest.mark.once
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_without_its_database_dns_goes_on(tmp_path: Path, kind: str) -> None:
    """It answers on, also after a restart of the DNS part and of everything, from its snapshot."""
    with losable(tmp_path, kind) as (made, database):
        with made.up():
            assert made.child is not None
            server = made.json("server", "add", "mx1")
            name = f"7.113.0.203.{server['zones']['bl']}"
            made.run("block", "203.0.113.7")
            made.eventually(lambda: blocked(made, name))
            os.kill(pid_of(made.child.output, "dns"), signal.SIGTERM)
            made.eventually(lambda: made.saved_block(server["key"], "203.0.113.7"))
            made.eventually(lambda: _answers(made, name))
            database.close()
            time.sleep(1.5)
            assert blocked(made, name)
            os.kill(pid_of(made.child.output, "dns"), signal.SIGKILL)
            made.eventually(lambda: _answers(made, name))
        with made.up():
            assert made.child is not None
            assert blocked(made, name)
            assert "database away" in made.child.output
            if kind == "sqlite":
                # PostgreSQL comes back in `test_faults_around`.
                _find_files(made.data)
                made.eventually(lambda: try_to_block(made, "203.0.113.8"))
                made.eventually(lambda: blocked(made, name.replace("7", "8", 1)))
                assert listed(made) == {"203.0.113.7", "203.0.113.8"}


def _answers(made: Service, name: str) -> bool:
    try:
        return blocked(made, name)
    except (OSError, DNSException):
        return False  # it is being started again


def test_a_damaged_snapshot_is_left_alone(tmp_path: Path) -> None:
    """It is named in the log; the database gives what is needed."""
    made = make_service(tmp_path)
    with made.up():
        name = f"7.113.0.203.{made.json('server', 'add', 'mx1')['zones']['bl']}"
        made.run("block", "203.0.113.7")
    path = made.data / "index.snapshot"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    with made.up():
        assert made.child is not None
        assert blocked(made, name)
        made.child.wait_for(r"dns\.snapshot-damaged|snapshot-damaged")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for tests that each have a server and an address of their own."""
    with make_service(tmp_path_factory.mktemp("running")).up() as made:
        yield made


def test_an_end_takes_effect_to_the_second(running: Service) -> None:
    """Listed for some seconds: there at once, gone when they are over; the TTL says it too."""
    name = f"7.113.0.203.{running.json('server', 'add', 'mx1')['zones']['bl']}"
    running.run("block", "203.0.113.0/24", "--code", "127.0.0.9")
    end = _listed_until(running, name)
    while (now := time.time()) < end + 1.5:
        answer = running.lookup(name)
        # A query on its way over the boundary may fall on either side.
        if time.time() < end:
            assert answer == ["127.0.0.2"]
        elif now >= end:
            assert answer == ["127.0.0.9"]
        time.sleep(0.05)


def _listed_until(made: Service, name: str) -> float:
    """List 203.0.113.7 for as short a time as this machine can see; when that ends."""
    for seconds in (3, 6, 12, 24):
        listed = made.json("block", "203.0.113.7", "--for", f"{seconds}s")
        end = _seconds(listed["listings"][0]["expires"])
        made.eventually(partial(_seen, made, name, end))
        answer = made.ask(name).answer
        if time.time() < end:
            (rrset,) = answer
            assert rrset.ttl <= seconds + 1
            return end
    raise AssertionError("the machine is too slow to see a listing before it ends")


def _seen(made: Service, name: str, end: float) -> bool:
    return blocked(made, name) or time.time() > end


def _seconds(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def test_several_workers_answer_alike(tmp_path: Path) -> None:
    """Each follows the journal; after a moment none answers the old."""
    with make_service(tmp_path, dns_workers="3").up() as made:
        name = f"7.113.0.203.{made.json('server', 'add', 'mx1')['zones']['bl']}"
        made.run("block", "203.0.113.7")
        made.eventually(lambda: all(blocked(made, name) for _ in range(20)))
        made.run("unlist", "203.0.113.7")
        made.eventually(lambda: not any(blocked(made, name) for _ in range(20)))


def test_rotated_keys(running: Service) -> None:
    """The old one lives on as long as was said; a revoked one answers nothing, and is reported."""
    old = running.json("server", "add", "mx2")["zones"]["bl"]
    running.run("block", "198.51.100.7")
    new = running.json("server", "rotate-key", "mx2")["zones"]["bl"]
    assert new != old
    running.eventually(lambda: blocked(running, f"7.100.51.198.{new}"))
    assert blocked(running, f"7.100.51.198.{old}")
    running.run("server", "rotate-key", "mx2", "--keep", "0s")
    running.eventually(lambda: not running.ask(f"7.100.51.198.{old}").answer)
    running.eventually(lambda: not running.ask(f"7.100.51.198.{new}").answer)
    running.ask(f"7.100.51.198.{new}")
    running.eventually(lambda: "revoked key" in running.run("doctor", status=1).stdout)
