"""Faults around a service that goes on: a database that is slow, a clock that jumps, floods.

One service suffers them in turn, since each must leave it as it was.  All the time somebody asks
about a blocked address, and every answer has to be right.
"""

import os
import random
import resource
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest

from mailmum.control.journal.services import _LOCK
from tests.e2e.test_faults import asking, blocked, listed, try_to_block
from tests.e2e.test_up import pid_of
from tests.support.clock import Clock
from tests.support.full import full_disk
from tests.support.postgres import postgres, postgres_again
from tests.support.proxy import bad_line
from tests.support.service import Service, make_service
from tests.support.tables import fresh_database

KEPT = "203.0.113.200"


@dataclass
class World:
    """A service with one server and one listing, and its clock."""

    made: Service
    zone: str
    clock: Clock

    def output(self) -> str:
        """What the service has written."""
        assert self.made.child is not None
        return self.made.child.output


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Started once for all faults."""
    folder = tmp_path_factory.mktemp("faults")
    clock, made = Clock(folder), make_service(folder)
    made.environment |= clock.environment
    with made.up():
        zone = made.json("server", "add", "mx1")["zones"]["bl"]
        made.run("block", KEPT)
        made.eventually(lambda: blocked(made, zone, KEPT))
        yield World(made, zone, clock)


@contextmanager
def undisturbed(world: World) -> Iterator[None]:
    """Every answer about what is blocked is right all the time."""
    with asking(world.made, world.zone, KEPT) as answers:
        yield
    assert answers[0] > 0
    assert answers[1] == 0, f"{answers[1]} of {sum(answers)} answers were wrong or missing"


@contextmanager
def taken(made: Service) -> Iterator[None]:
    """The lock of whoever writes rules, in other hands."""
    if url := made.environment.get("MAILMUM_DATABASE"):
        with psycopg.connect(url) as holder:
            holder.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            yield
        return
    database = sqlite3.connect(made.data / "mailmum.sqlite3", isolation_level=None, timeout=30)
    with closing(database):
        database.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def in_turns(made: Service) -> Iterator[None]:
    """Somebody else writes most of the time, as a backup or a long report does."""
    stop = threading.Event()

    def take() -> None:
        while not stop.wait(0.1):
            with taken(made):
                stop.wait(0.4)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def test_a_database_that_is_busy_most_of_the_time(world: World) -> None:
    """Changes wait for their turn; those that are acknowledged are in force."""
    made = world.made
    with undisturbed(world), in_turns(made):
        told = [one for one in ("203.0.113.1", "203.0.113.2") if try_to_block(made, one)]
        assert told, "no change got its turn"
        made.eventually(lambda: all(blocked(made, world.zone, one) for one in told))
    made.eventually(lambda: try_to_block(made, "203.0.113.3"))
    assert {KEPT, *told, "203.0.113.3"} <= listed(made)


def shows(world: World, address: str, there: bool) -> bool:
    """Whether an address is blocked, or is not, as wanted."""
    return blocked(world.made, world.zone, address) is there


def test_the_clock_jumps(world: World) -> None:
    """Hours on and back: what has ended ends, and is in force again; all else stays as it is."""
    made, ending = world.made, "203.0.113.40"
    made.run("block", ending, "--for", "1h")
    made.eventually(lambda: blocked(made, world.zone, ending))
    with undisturbed(world):
        for seconds, there in ((7200, False), (-7200, True), (-86_400, True), (86_400, True)):
            world.clock.jump(seconds)
            made.eventually(partial(shows, world, ending, there))
            address = f"203.0.113.{60 + abs(seconds) % 97}"
            made.run("block", address)
            made.eventually(partial(shows, world, address, True))
    assert world.clock.shift == 0


def test_pages_without_descriptors(world: World) -> None:
    """Connections wait, it is told once, and then they are served."""
    made = world.made
    pid = pid_of(world.output(), "web")
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    host, _, port = made.web.rpartition(":")
    used = processor_time(pid)
    with undisturbed(world), ExitStack() as stack:
        highest = max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        try:
            for _ in range(highest + 2):
                stack.enter_context(socket.create_connection((host, int(port))))
            made.eventually(lambda: "web.not-accepted" in world.output())
            # Long enough for it to try again and again.
            time.sleep(3)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    made.run("listings")
    assert world.output().count("web.not-accepted") == 1
    assert "socket.accept() out of system resource" not in world.output()
    assert processor_time(pid) - used < 3


def test_a_worker_without_descriptors(world: World) -> None:
    """It says so, and later lists whom it would have listed meanwhile; the same process goes on."""
    made, first, second = world.made, "203.0.113.249", "203.0.113.250"
    rule = "--metric connections --threshold 3 --within 10m --mode enforce"
    made.run("trigger", "add", "flood", *rule.split())
    pid = pid_of(world.output(), "worker")
    # What came before a trigger is followed does not count for it.
    made.eventually(lambda: caught(world, first) or not contact(world, first))
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with undisturbed(world):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            hang_up(made)
            made.eventually(lambda: "triggers.failed" in world.output())
            assert all(contact(world, second) for _ in range(3))
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        made.eventually(lambda: caught(world, second))
    [told] = [line for line in world.output().splitlines() if "triggers.failed" in line]
    assert "no file descriptor is left" in told
    assert pid_of(world.output(), "worker") == pid


def hang_up(made: Service) -> None:
    """Have PostgreSQL end all connections; those to SQLite the worker itself makes anew."""
    if url := made.environment.get("MAILMUM_DATABASE"):
        with psycopg.connect(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def contact(world: World, client: str) -> bool:
    """A mail server asks the policy service about somebody; whether it has no objection."""
    host, _, port = world.made.policy.rpartition(":")
    request = (
        f"request=smtpd_access_policy\nclient_address={client}\nclient_name=unknown\n"
        f"recipient=somebody@example.net\ninstance={os.urandom(8).hex()}\n"
        f"policy_context={world.zone.partition('.')[0]}\n\n"
    )
    with socket.create_connection((host, int(port)), 5) as stream:
        stream.sendall(request.encode())
        return stream.recv(1000) == b"action=DUNNO\n\n"


def caught(world: World, address: str) -> bool:
    """Whether a trigger has listed an address: DNS tells by its code that it was no person."""
    name = ".".join(reversed(address.split(".")))
    return world.made.lookup(f"{name}.{world.zone}") == ["127.0.0.4"]


def processor_time(pid: int) -> float:
    """Seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_floods_of_what_is_no_request(world: World) -> None:
    """Over UDP and TCP, to DNS, the policy service and the pages, while questions come in."""
    made, chance = world.made, random.Random(6)
    host, _, port = made.policy.rpartition(":")
    web_host, _, web_port = made.web.rpartition(":")
    places = [made.dns, (host, int(port)), (web_host, int(web_port))]
    with undisturbed(world), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        for _ in range(60):
            for _ in range(30):
                datagrams.sendto(damaged(chance, world.zone), made.dns)
            for place in places:
                with suppress(OSError), socket.create_connection(place, 5) as stream:
                    stream.sendall(chance.randbytes(chance.randrange(1, 3000)))
            # So many at a time as find room in the socket's buffer beside the questions.
            made.ask(f"7.113.0.203.{world.zone}")
    made.run("listings")
    assert "internal-fault" not in world.output()


def damaged(chance: random.Random, zone: str) -> bytes:
    """A question with some bytes changed, or cut, or nothing but garbage."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(0, 600))
    labels = [b"7", b"113", b"0", b"203", *zone.encode().split(b".")]
    name = b"".join(bytes((len(label),)) + label for label in labels)
    packet = bytearray(b"\1\2\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1")
    for _ in range(chance.randrange(1, 6)):
        packet[chance.randrange(2, len(packet))] = chance.randrange(256)
    return bytes(packet[: chance.randrange(len(packet) // 2, len(packet) + 1)])


@pytest.mark.once
def test_a_database_that_is_slow_gone_full_and_back(tmp_path: Path) -> None:
    """PostgreSQL behind a bad line: changes are late or refused, none that was told is lost."""
    with (
        full_disk() as disk,
        postgres(disk.environment) as cluster,
        bad_line(cluster.port) as line,
    ):
        made = make_service(tmp_path, sqlite=True)
        url = fresh_database(cluster.url(), empty=True)
        with psycopg.connect(url, autocommit=True) as connection:
            # The cluster of the tests forgets the last changes in a crash; this is not to.
            connection.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = on")
        made.environment["MAILMUM_DATABASE"] = url.replace(f":{cluster.port}/", f":{line.port}/")
        with made.up():
            zone = made.json("server", "add", "mx1")["zones"]["bl"]
            made.run("block", KEPT)
            made.eventually(lambda: blocked(made, zone, KEPT))
            with undisturbed(World(made, zone, Clock(tmp_path))):
                line.delay = 0.05
                made.run("block", "203.0.113.1")
                made.eventually(lambda: blocked(made, zone, "203.0.113.1"))
                line.cut()
                assert not try_to_block(made, "203.0.113.2")
                line.mend()
                made.eventually(lambda: try_to_block(made, "203.0.113.3"))
                made.eventually(lambda: blocked(made, zone, "203.0.113.3"))
                with disk.full():
                    refuse_many(made)
                made.eventually(lambda: try_to_block(made, "203.0.113.5"))
                made.eventually(lambda: blocked(made, zone, "203.0.113.5"))
                crash(url)
                made.eventually(lambda: try_to_block(made, "203.0.113.4"))
                made.eventually(lambda: blocked(made, zone, "203.0.113.4"))
                with disk.full(log=True):
                    fill_log(url)
                    assert not try_to_block(made, "203.0.113.2")
                with postgres_again(cluster, disk.environment) as again:
                    line.behind = again.port
                    made.eventually(lambda: try_to_block(made, "203.0.113.6"))
                    made.eventually(lambda: blocked(made, zone, "203.0.113.6"))
                    kept = {KEPT, *(f"203.0.113.{number}" for number in (1, 3, 4, 5, 6))}
                    assert kept <= listed(made) <= {*kept, "203.0.113.2"}


def refuse_many(made: Service) -> None:
    """Block more than there is room for: nothing of it is taken, and the refusal says why."""
    many = "".join(f"198.51.100.{number}\n" for number in range(256))
    refusal = made.run("block", "-", given=many, status=1).stderr
    assert "the disk of the database is full" in refusal


def crash(url: str) -> None:
    """Kill one process of PostgreSQL, which makes it throw all out and recover."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGKILL)
        with suppress(psycopg.OperationalError):
            connection.execute("SELECT 1")


def fill_log(url: str) -> None:
    """Have PostgreSQL write until there is no room for its log: then it stops itself."""
    with suppress(psycopg.OperationalError):
        for number in range(1000):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("SELECT pg_logical_emit_message(false, '', %s)", [str(number)])
                connection.execute("SELECT pg_switch_wal()")
        raise AssertionError("its log found room all the time")
