"""`ship`: what is handed in, and that it goes on where the service stands whatever happened."""

import gzip
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailmum.cli.failures import Failure
from mailmum.cli.ship_log import ShippedLog
from mailmum.cli.ship_queue import Batch, InMemory, Queue, Spool
from mailmum.daemons.tailing_path import FileLog
from tests.cli.service import TOKEN, Service, answer, error
from tests.support.process import running
from tests.support.service import MAILMUM


class Store:
    """A service that keeps what it is given, as the real one does, and can be told to fail."""

    def __init__(self) -> None:
        self.position: str | None = None
        self.data = b""
        self.lost = 0
        self.batches = 0
        self.away = self.silent = False

    def where(self, stream: str) -> str | None:
        """Where the log stands."""
        if self.away:
            raise Failure("away", code="unavailable")
        return self.position

    def hand_in(self, stream: str, batch: Batch) -> dict[str, Any]:
        """Keep a batch that begins where the log stands."""
        self.where(stream)
        kept = batch.after == self.position
        if kept:
            self.position = batch.position
            self.data += gzip.decompress(batch.body)
            self.lost += batch.lost
            self.batches += 1
        if self.silent:
            raise Failure("the answer is lost", code="unavailable")
        return {"kept": kept, "position": self.position}


class Sender:
    """A log that is handed in to a store, with a spool or without."""

    def __init__(self, folder: Path, *, spool: bool) -> None:
        self.path = folder / "mail.log"
        self.path.touch()
        self.store = Store()
        self._spool = folder / "spool" if spool else None
        self._number = 0
        self.lines: list[str] = []
        self.log = self._made()
        self.log.begin()

    def _made(self) -> ShippedLog:
        self.queue: Queue = InMemory() if self._spool is None else Spool(self._spool, 1_000_000)
        return ShippedLog("mx1", lambda at: FileLog(self.path, at), self.queue, self.store)

    def restart(self, *, begin: bool = True) -> None:
        """As after a kill."""
        self.end()
        self.log = self._made()
        if begin:
            self.log.begin()

    def end(self) -> None:
        """Let go of everything."""
        self.log.close()
        if isinstance(self.queue, Spool):
            self.queue.close()

    def write(self, count: int = 3) -> None:
        """Append lines."""
        for _ in range(count):
            self._number += 1
            self.lines.append(f"line {self._number}")
        with self.path.open("a") as file:
            file.write("".join(f"{line}\n" for line in self.lines[-count:]))

    def read(self) -> None:
        """Read what there is, without waiting for more."""
        self.log._looked = 0.0
        self.log.read()

    def work(self) -> None:
        """Read and hand in until nothing is left to do."""
        for _ in range(20):
            self.read()
            self.log.send()
            if not self.log.begun:
                self.log.begin()

    @property
    def handed_in(self) -> list[str]:
        """The lines that the store has."""
        return self.store.data.decode().splitlines()


@pytest.fixture(params=[True, False], ids=["spool", "none"])
def sender(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sender]:
    """Somebody who hands in."""
    made = Sender(tmp_path, spool=request.param)
    yield made
    made.end()


def test_lines_are_handed_in(sender: Sender) -> None:
    """Each once, whatever is started anew."""
    for _ in range(3):
        sender.write()
        sender.work()
        sender.restart()
    assert sender.handed_in == sender.lines


def test_a_lost_answer_doubles_nothing(sender: Sender) -> None:
    """The batch was kept, and is not kept again."""
    sender.write()
    sender.read()
    sender.store.silent = True
    with pytest.raises(Failure):
        sender.log.send()
    sender.store.silent = False
    sender.write()
    sender.work()
    assert sender.handed_in == sender.lines


def test_a_lost_answer_and_a_new_start(sender: Sender) -> None:
    """The service says how far it is."""
    sender.write()
    sender.read()
    sender.store.silent = True
    with pytest.raises(Failure):
        sender.log.send()
    sender.store.silent = False
    sender.write()
    sender.restart()
    sender.work()
    assert sender.handed_in == sender.lines


def test_a_lost_answer_to_a_batch_without_lines(sender: Sender) -> None:
    """It has a number of its own, so what follows is not taken for what was kept."""
    sender.write()
    sender.work()
    sender.store.silent = True
    sender.log._told, sender.log._quiet_since = 0.0, -10.0
    before = sender.store.batches
    with pytest.raises(Failure):
        sender.log.send()
    assert sender.store.batches == before + 1
    sender.store.silent = False
    sender.write()
    sender.work()
    assert sender.handed_in == sender.lines


def test_a_service_that_is_away_is_waited_for(sender: Sender) -> None:
    """Also from the start; with a spool lines are read meanwhile, and logs may be rotated away."""
    sender.write()
    sender.work()
    sender.store.away = True
    sender.restart(begin=False)
    for _ in range(3):
        sender.write()
        sender.read()
    if isinstance(sender.queue, Spool):
        # Nothing has been read yet that a spool could begin with: that is learnt from the service.
        assert sender.queue.first() is None
    sender.store.away = False
    sender.log.begin()
    sender.work()
    assert sender.handed_in == sender.lines


def test_a_spool_outlives_rotation(tmp_path: Path) -> None:
    """What was read is not read again: the log itself may be gone."""
    sender = Sender(tmp_path, spool=True)
    sender.write()
    sender.work()
    sender.store.away = True
    for _ in range(3):
        sender.write()
        sender.read()
    sender.path.unlink()
    sender.write()
    sender.read()
    sender.restart(begin=False)
    sender.write()
    sender.read()
    sender.store.away = False
    sender.log.begin()
    sender.work()
    sender.end()
    assert sender.handed_in == sender.lines


def test_a_restored_service_gets_what_waits(sender: Sender) -> None:
    """It stands where it stood before; what it lost by that is its own."""
    sender.write()
    sender.work()
    old, data = sender.store.position, sender.store.data
    sender.write()
    sender.work()
    sender.write()
    sender.read()
    sender.store.position, sender.store.data = old, data
    sender.work()
    assert sender.handed_in[:3] == sender.lines[:3]
    assert sender.handed_in[-3:] == sender.lines[-3:]
    assert len(set(sender.handed_in)) == len(sender.handed_in)


def test_an_old_spool_sends_nothing_twice(tmp_path: Path) -> None:
    """The service is further than all that waits there."""
    sender = Sender(tmp_path, spool=True)
    sender.write()
    sender.read()
    [file] = (tmp_path / "spool").glob("*.batch")
    saved = file.read_bytes()
    for _ in range(3):
        sender.work()
        sender.write()
    sender.work()
    sender.end()
    file.write_bytes(saved)
    sender.log = sender._made()
    sender.log.begin()
    sender.write()
    sender.work()
    sender.end()
    assert sender.handed_in == sender.lines


def test_a_full_spool_drops_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In its output, and to the service with the next batch."""
    sender = Sender(tmp_path, spool=True)
    assert isinstance(sender.queue, Spool)
    sender.queue._limit = 2500
    sender.store.away = True
    for number in range(20):
        with sender.path.open("ab") as file:
            # Nothing that gzip could make small.
            noise = os.urandom(300).replace(b"\n", b"")
            file.write(b"%d %s\n" % (number, noise))
        sender.read()
    assert "the spool is full" in capsys.readouterr().err
    sender.store.away = False
    sender.work()
    sender.end()
    assert sender.store.lost > 0
    assert sender.store.data.count(b"\n") + sender.store.lost == 20
    assert sender.store.data.split(b"\n")[-2].startswith(b"19 ")
    assert sender.store.position is not None
    assert json.loads(sender.store.position)["lost"] > 0


def test_small_batches_are_gathered(sender: Sender) -> None:
    """While one waits the log is not looked at all the time."""
    sender.write()
    sender.read()
    sender.write()
    assert sender.log.read() is False


def run_once(service: Service, *words: str, tmp_path: Path) -> str:
    """Run the real command for a while against a service that answers as it is told to."""
    log = tmp_path / "mail.log"
    log.write_text("one\n")
    environment = {"MAILMUM_URL": service.url, "MAILMUM_TOKEN": TOKEN, "PATH": os.environ["PATH"]}
    command: list[str | Path] = [MAILMUM, "ship", log, *words]
    with running(command, "handing in", env=environment, stop_signal=signal.SIGTERM) as child:
        child.wait_for(lambda: any(one.method == "POST" for one in service.asked))
        time.sleep(0.1)
        assert child.stop() == 0
        return child.output


def test_the_command(service: Service, tmp_path: Path) -> None:
    """Needs the address and a token, finds out whose logs they are, and ends when it is told to."""
    path = "/api/v1/servers/mx1/logs"
    service.on("GET", "/api/v1/me", answer({"token": {"server": "mx1"}}))
    service.on("GET", path, answer({"position": None}))
    service.on("POST", path, answer({"kept": True, "position": "x"}))
    said = run_once(service, tmp_path=tmp_path)
    assert "handing in logs of mx1" in said
    posted = next(one for one in service.asked if one.method == "POST")
    assert posted.headers["authorization"] == f"Bearer {TOKEN}"
    assert gzip.decompress(posted.body) == b"one\n"
    assert posted.query["stream"].endswith(f":file:{tmp_path / 'mail.log'}")
    assert "after" not in posted.query
    assert json.loads(posted.query["position"])["number"] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Name the log files"),
        (("x", "--spool-size", "big"), "is no size"),
        (("x", "--spool-size", "1K"), "4M is the least"),
    ],
)
def test_usage(service: Service, words: tuple[str, ...], says: str) -> None:
    """Status 2."""
    result = service.run("ship", *words)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize("code", [("unauthenticated", 401), ("forbidden", 403), ("not-found", 404)])
def test_what_will_not_mend_itself_is_said_at_once(
    service: Service, tmp_path: Path, code: tuple[str, int]
) -> None:
    """A wrong token or server ends the command that was just begun."""
    service.on("GET", "/api/v1/servers/mx1/logs", error(code[0], "no", status=code[1]))
    result = service.run("ship", str(tmp_path / "mail.log"), "--server", "mx1")
    assert result.exit_code == 1
    assert "mailmum: no" in result.stderr


def test_whose_logs_are_they(service: Service, tmp_path: Path) -> None:
    """With a token that writes: the only server, else it has to be named."""
    service.on("GET", "/api/v1/me", answer({"token": {"server": None}}))
    service.on("GET", "/api/v1/servers", answer({"servers": [{"name": "mx1"}, {"name": "mx2"}]}))
    result = service.run("ship", str(tmp_path / "mail.log"))
    assert result.exit_code == 1
    assert "name the server" in result.stderr
    result = service.run("ship", str(tmp_path / "mail.log"), "--server", "..")
    assert "there is no server" in result.stderr
