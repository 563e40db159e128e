"""Monitoring against the whole service: check, search, and following live through a restart."""

import csv
import io
import json
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.support.feed import Feed, feeding
from tests.support.service import MAILMUM, Service, make_service

Tail = subprocess.Popen[str]


@contextmanager
def tailing(service: Service, *words: str) -> Iterator[Tail]:
    """`mailmum tail` while the block runs."""
    with subprocess.Popen(
        [MAILMUM, "tail", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=service.environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def seen(*clients: str, outcome: str = "rejected") -> list[dict[str, Any]]:
    """A sighting of each."""
    return [{"client": client, "outcome": outcome, "helo": "a\u001b[2J"} for client in clients]


def lines(process: Tail, count: int) -> list[str]:
    """The clients of the next lines."""
    assert process.stdout is not None
    return [json.loads(process.stdout.readline())["client"] for _ in range(count)]


def follows(process: Tail, feed: Feed) -> None:
    """Wait until it follows: something is seen again and again until it is printed."""
    assert process.stdout is not None
    for _ in range(20):
        feed("mx1", seen("192.0.2.1"))
        if select.select([process.stdout], [], [], 2)[0]:
            break
    feed("mx1", seen("192.0.2.2"))
    while lines(process, 1) != ["192.0.2.2"]:
        pass


def test_following_goes_on_through_a_restart(tmp_path: Path) -> None:
    """What came while the service was away comes then, once; ctrl-C ends it cleanly."""
    service = make_service(tmp_path)
    with ExitStack() as stack:
        with service.up():
            service.run("server", "add", "mx1")
            service.run("server", "add", "mx2")
            feed = stack.enter_context(feeding(service))
            feed("mx1", seen("203.0.113.1"))
            process = stack.enter_context(tailing(service, "--json", "--server", "mx1"))
            follows(process, feed)
            feed("mx2", seen("203.0.113.2"))
            feed("mx1", seen("203.0.113.3", "203.0.113.4"))
            assert lines(process, 2) == ["203.0.113.3", "203.0.113.4"]
        feed("mx1", seen("203.0.113.5"))
        with service.up():
            feed("mx1", seen("203.0.113.6"))
            assert lines(process, 2) == ["203.0.113.5", "203.0.113.6"]
            process.send_signal(signal.SIGINT)
            rest, told = process.communicate(timeout=30)
            assert (process.returncode, rest) == (0, "")
            assert "waiting for it" in told
            assert "Traceback" not in told


def test_nobody_reads_any_more(tmp_path: Path) -> None:
    """It ends by itself, also while nothing comes; and what came is searched and checked."""
    service = make_service(tmp_path)
    with service.up(), ExitStack() as stack:
        service.run("server", "add", "mx1")
        feed = stack.enter_context(feeding(service))
        with tailing(service, "--json") as process:
            follows(process, feed)
            assert process.stdout is not None
            process.stdout.close()
            feed("mx1", seen("203.0.113.7"))
            assert process.wait(30) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        feed("mx1", seen("203.0.113.8", outcome="accepted"))
        _is_searched(service)
        _is_checked(service)


def _is_searched(service: Service) -> None:
    found = service.json("sightings", "--client", "203.0.113.0/24")
    assert [one["client"] for one in found] == ["203.0.113.8", "203.0.113.7"]
    assert service.json("sightings", "--client", "203.0.113.0/24", "--limit", "1") == found[:1]
    text = service.run("sightings", "--client", "203.0.113.0/24", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["id"] for row in rows] == [str(one["id"]) for one in found]
    table = service.run("sightings").stdout
    assert "\x1b" not in table
    assert "a\\x1b[2J" in table
    assert [one["client"] for one in service.json("explain", "203.0.113.8")["sightings"]] == [
        "203.0.113.8"
    ]


def _is_checked(service: Service) -> None:
    told = service.json("check", "203.0.113.0/24", "--days", "7")
    numbers = (told["addresses"], told["clients"], told["accepted"], told["rejected"])
    assert numbers == (256, 2, 1, 1)
    assert (told["verdict"], told["covered_by"]) == ("caution", [])
    (better,) = [one for one in told["better"] if one["way"] == "exceptions"]
    for command in better["commands"]:
        service.run(*command.split()[1:])
    after = service.json("check", "203.0.113.0/24")
    assert (after["verdict"], after["kept"]) == ("safe", 1)
    assert [one["target"] for one in after["covered_by"]] == ["203.0.113.0/24"]
    assert service.json("explain", "203.0.113.8")["verdict"] == "allow"
    assert service.json("explain", "203.0.113.7")["verdict"] == "block"
