"""Faults while questions come in: answers go on, what was acknowledged is kept, all mends itself.

Here whatever runs is killed while changes are made, and the disk is full; what comes from around
(a slow database, clocks, floods, descriptors) is in `test_faults_around`.  Damaged snapshots and a
database that is away at the start or replaced have tests of their own.
"""

import json
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception

from tests.e2e.test_up import pid_of
from tests.support.service import MAILMUM, Service, service

FULL = 4096
"""Bytes that a file may have on the full disk: whatever is there already is longer."""


def blocked(made: Service, zone: str, address: str) -> bool:
    """Whether DNS blocks an address; False while it does not answer."""
    name = ".".join(reversed(address.split(".")))
    try:
        return made.lookup(f"{name}.{zone}") == ["127.0.0.2"]
    except (dns.exception.Timeout, OSError):
        return False


@contextmanager
def asking(made: Service, zone: str, address: str) -> Iterator[list[int]]:
    """Ask about a blocked address all the time; how many answers were right, and how many not."""
    found, stop = [0, 0], threading.Event()

    def ask() -> None:
        while not stop.wait(0.02):
            found[not blocked(made, zone, address)] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(30)


def listed(made: Service) -> set[str]:
    """The targets of all listings."""
    return {one["target"] for one in made.json("listings")}


def try_to_block(made: Service, address: str) -> bool:
    """Block an address; whether the service said that it has."""
    command = [str(MAILMUM), "block", address, "--json"]
    done = subprocess.run(command, env=made.environment, capture_output=True, check=False)
    return done.returncode == 0


def test_whatever_is_killed_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """In the midst of changes; DNS goes on but for the moment of its own death."""
    with service(tmp_path) as made:
        assert made.child is not None
        zone = made.json("server", "add", "mx1")["zones"]["bl"]
        kept = ["203.0.113.200"]
        made.run("block", *kept)
        made.eventually(lambda: blocked(made, zone, kept[0]))
        with asking(made, zone, kept[0]) as answers:
            for number, part in enumerate(("web", "policy", "worker", "dns"), start=1):
                if part == "dns":
                    assert answers[0] > 0
                    assert answers[1] == 0, "a question was not answered though dns was alive"
                address = f"203.0.113.{number}"
                made.run("block", address)
                os.kill(pid_of(made.child.output, part), signal.SIGKILL)
                kept.append(address)
                made.child.wait_for(rf'"part": "{part}".*"part ended, starting it again"', 20)
                made.eventually(lambda: try_to_block(made, "203.0.113.201"))
        made.eventually(lambda: all(blocked(made, zone, one) for one in kept))
        assert {*kept, "203.0.113.201"} == listed(made)


def processes(made: Service) -> list[int]:
    """All of a service, by process id."""
    assert made.child is not None
    found, seen = [made.child.pid], []
    while found:
        pid = found.pop()
        seen.append(pid)
        children = Path(f"/proc/{pid}/task/{pid}/children")
        if children.exists():
            found += [int(child) for child in children.read_text().split()]
    return seen


@contextmanager
def limited(made: Service, what: int, most: int) -> Iterator[None]:
    """Let no process of a service have more of something for a while."""
    before = {}
    for pid in processes(made):
        before[pid] = resource.prlimit(pid, what)
        resource.prlimit(pid, what, (most, before[pid][1]))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, what, limits)


def test_a_full_disk(tmp_path: Path) -> None:
    """Of SQLite: changes are refused whole, answers go on; afterwards everything is as it was."""
    with service(tmp_path, sqlite=True) as made:
        zone = made.json("server", "add", "mx1")["zones"]["bl"]
        made.run("block", "203.0.113.7")
        made.eventually(lambda: blocked(made, zone, "203.0.113.7"))
        with limited(made, resource.RLIMIT_FSIZE, FULL):
            assert not try_to_block(made, "203.0.113.20")
            for _ in range(10):
                assert blocked(made, zone, "203.0.113.7")
        made.eventually(lambda: try_to_block(made, "203.0.113.8"))
        made.eventually(lambda: blocked(made, zone, "203.0.113.8"))
        assert listed(made) == {"203.0.113.7", "203.0.113.8"}
        assert blocked(made, zone, "203.0.113.7")
        _damaged_traffic(made, zone)


def _damaged_traffic(made: Service, zone: str) -> None:
    """Everybody is told, answers and changes go on, and with the file back all is as it was."""
    trigger = ("trigger", "add", "guessing", "--preset", "password-guessing", "--mode", "enforce")
    made.run(*trigger)
    made.eventually(lambda: "triggers" in _well(made))
    file = made.data / "traffic.sqlite3"
    # As a restored backup comes: another file of that name, without what belongs to the old one.
    with set_aside(file), set_aside(made.data / "traffic.sqlite3-wal"):
        file.write_bytes(os.urandom(65536))
        made.eventually(lambda: "database of traffic is away" in made.run("listings").stderr)
        found = {one["name"]: one for one in made.json("doctor", status=1)["checks"]}
        assert (found["traffic"]["state"], found["triggers"]["state"]) == ("fail", "warn")
        made.run("block", "203.0.113.9")
        made.eventually(lambda: blocked(made, zone, "203.0.113.9"))
    made.eventually(lambda: "triggers" in _well(made))
    made.eventually(lambda: "traffic" not in made.run("listings").stderr)


@contextmanager
def set_aside(file: Path) -> Iterator[None]:
    """A file is not there for a while."""
    aside = file.with_name(f"aside-{file.name}")
    there = file.exists()
    if there:
        file.rename(aside)
    yield
    if there:
        aside.replace(file)
    else:
        file.unlink(missing_ok=True)


def _well(made: Service) -> set[str]:
    """What the doctor finds well; not its exit status, since nothing has set Postfix up here."""
    command = [str(MAILMUM), "doctor", "--json"]
    done = subprocess.run(command, env=made.environment, capture_output=True, check=False)
    return {one["name"] for one in json.loads(done.stdout)["checks"] if one["state"] == "ok"}
