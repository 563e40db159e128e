"""Logs that are followed are kept line by line exactly once, whatever is killed."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from mailmum.daemons.tailing_rotated import older_parts
from mailmum.postfix.log.reader import LogReader, Settings
from tests.support.forks import Forks, forks, told, wait_until
from tests.support.mail_log import MailLog
from tests.support.service import Service, make_service

KILLS = 15


class Writer:
    """Appends lines to a log, and puts it aside now and then, in a thread of its own."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.lines: list[str] = []
        self.rotates = threading.Event()
        self._source = MailLog(seed)
        self._chance = random.Random(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Write no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.005):
            self._write(self._source.some(self._chance.randrange(1, 12)))
            if self._chance.random() < 0.02 and self.rotates.is_set():
                self._rotate()
        self._write(self._source.rest())

    def _write(self, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        cut = self._chance.randrange(len(text) + 1)
        with self.path.open("a") as file:
            # As a log daemon may: not all of it at once.
            file.write(text[:cut])
            file.flush()
            file.write(text[cut:])
        self.lines += lines

    def _rotate(self) -> None:
        parts = older_parts(self.path)
        for part in parts:
            number, *ending = part.name.removeprefix("mail.log.").split(".")
            part.rename(part.with_name(".".join(["mail.log", str(int(number) + 1), *ending])))
        self.path.rename(self.path.with_name("mail.log.1"))
        older = self.path.with_name("mail.log.2")
        if older.exists():
            subprocess.run(["gzip", older], check=True)


def expected(lines: list[str]) -> Counter[Any]:
    """What one reader finds in all lines, read at once."""
    reader = LogReader(Settings(now=time.time(), zone=UTC, hold=None))
    found = reader.feed("".join(f"{line}\n" for line in lines).encode())
    rest = reader.finish()
    assert reader.unrecognised == 0
    assert not found.updates
    return Counter(tuple(told(one)) for one in (*found.sightings, *rest.sightings))


def kept(forked: Forks) -> Counter[Any]:
    """What the store holds, in the same form."""
    return Counter(tuple(row) for row in forked.rows())


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service with a server mx1 whose log is followed."""
    log = tmp_path / "mail.log"
    log.touch()
    made = make_service(tmp_path, logs=f"mx1={log}")
    made.run("migrate")
    return made


@pytest.mark.timeout(180)
def test_killed_at_any_moment(tmp_path: Path, service: Service) -> None:
    """Again and again, while lines are written and files put aside: each line counts once."""
    chance = random.Random(7)
    with forks(service, tmp_path) as forked, Writer(tmp_path / "mail.log", 7) as writer:
        forked.add_server("mx1")
        pid = forked.start("collect")
        # A log is first read from its start, not from what had been put aside before.
        wait_until(forked.rows)
        forked.kill(pid)
        writer.rotates.set()
        for _ in range(KILLS):
            pid = forked.start("collect")
            time.sleep(chance.uniform(0, 0.5))
            assert forked.kill(pid) == signal.SIGKILL
        writer.stop()
        wanted = expected(writer.lines)
        pid = forked.start("collect")
        wait_until(lambda: kept(forked).total() >= wanted.total())
        wait_until(lambda: kept(forked) == wanted, 5)
        assert forked.kill(pid, signal.SIGTERM) == 0
    assert len(writer.lines) > 500
    assert older_parts(tmp_path / "mail.log")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("spool", [True, False])
def test_both_sides_killed(tmp_path: Path, service: Service, *, spool: bool) -> None:
    """The sender and the service, in turn and together; with a spool and without."""
    chance = random.Random(8)
    with forks(service, tmp_path) as forked, Writer(tmp_path / "mail.log", 8) as writer:
        words = ["--spool", str(tmp_path / "spool")] if spool else []
        told = {"MAILMUM_URL": service.url, "MAILMUM_TOKEN": forked.add_server("mx1")}
        told["MAILMUM_DATA"] = ""

        def start() -> tuple[int, int]:
            web = forked.start("web", MAILMUM_WEB=service.web)
            return web, forked.start("ship", str(tmp_path / "mail.log"), *words, **told)

        web, ship = start()
        wait_until(forked.rows)
        writer.rotates.set()
        for turn in range(KILLS if spool else 6):
            time.sleep(chance.uniform(0.1, 0.6))
            if turn % 3 != 1:
                forked.kill(web)
            if turn % 3 != 0:
                forked.kill(ship)
            time.sleep(chance.uniform(0, 0.2))
            if turn % 3 != 1:
                web = forked.start("web", MAILMUM_WEB=service.web)
            if turn % 3 != 0:
                ship = forked.start("ship", str(tmp_path / "mail.log"), *words, **told)
        writer.stop()
        wanted = expected(writer.lines)
        wait_until(lambda: kept(forked).total() >= wanted.total(), 60)
        wait_until(lambda: kept(forked) == wanted, 10)
        assert forked.kill(ship, signal.SIGTERM) == 0
    assert len(writer.lines) > 500
