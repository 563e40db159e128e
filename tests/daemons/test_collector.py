"""The collector with a store of the test's own: it goes on whatever is missing, and says why."""

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mailmum.daemons import collector, collector_status
from mailmum.daemons.collector import CollectorOptions
from mailmum.daemons.collector_store import Destination, OutOfStep, Stood
from mailmum.daemons.collector_stream import Stream, StreamPace
from mailmum.daemons.positions import Position
from mailmum.daemons.tailing_sources import WantedLog, parse_log, parse_logs, stream_name
from mailmum.domain.errors import NotFound
from mailmum.index.records import SourceUnavailable
from mailmum.postfix.log.reader import Found, skips_of
from tests.postfix.log.faulty import POISON, faulty
from tests.support.waiting import eventually

PACE = StreamPace(poll=0.01, tick=0.02, recheck=0.02, retry=0.02)
MX1 = Destination(1, 2)


class Store:
    """Keeps what it is given; `failing` is raised instead, and `full` counts refusals to keep."""

    def __init__(self) -> None:
        self.to = MX1
        self.stood: dict[tuple[Destination, str], Stood] = {}
        self.clients: list[str | None] = []
        self.failing: Exception | None = None
        self.full: int | None = None

    def destination(self, wanted: WantedLog) -> Destination:
        """Whose log it is."""
        if self.failing is not None:
            raise self.failing
        return self.to

    def stands(self, to: Destination, stream: str) -> Stood | None:
        """Where it stands."""
        return self.stood.get((to, stream))

    def keep(
        self, to: Destination, stream: str, found: Found, stood: Stood, after: str | None
    ) -> None:
        """Keep it."""
        if self.failing is not None:
            raise self.failing
        if self.full is not None:
            self.full += 1
            raise SourceUnavailable("disk is full")
        before = self.stood.get((to, stream))
        if (before.position if before else None) != after:
            raise OutOfStep
        assert before is None or before.position != stood.position
        self.stood[to, stream] = stood
        self.clients += [one.client for one in found.sightings]


class Followed:
    """A log with a stream that follows it in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store()
        self.stopping = threading.Event()
        self.stream = Stream(WantedLog(str(path), "mx1"), self.store, self.stopping, UTC, PACE)
        self._thread = threading.Thread(target=self.stream.run)
        self._number = 0

    def write(self, count: int = 1) -> None:
        """Append rejected clients."""
        with self.path.open("a") as file:
            for _ in range(count):
                self._number += 1
                file.write(reject(self._number))

    def start(self) -> None:
        """Follow it."""
        self._thread.start()

    def stop(self) -> None:
        """Follow it no more."""
        self.stopping.set()
        if self._thread.ident is not None:
            self._thread.join(10)
            assert not self._thread.is_alive()

    @property
    def all_kept(self) -> bool:
        """Whether each client is kept, once."""
        return self.store.clients == [f"203.0.113.{at + 1}" for at in range(self._number)]


def reject(number: int) -> str:
    """A line with a rejected client."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    client = f"unknown[203.0.113.{number}]"
    return (
        f"{moment} mx1 postfix/smtpd[{number}]: NOQUEUE: reject: RCPT from {client}: 554 5.7.1 "
        f"<{client}>: Client host rejected: Access denied; from=<a@sender.example> "
        f"to=<b@example.net> proto=SMTP helo=<x>\n"
    )


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    """A log that is not followed yet."""
    made = Followed(tmp_path / "mail.log")
    yield made
    made.stop()


def test_lines_are_kept_as_they_come(followed: Followed) -> None:
    """From a log that is not there at first."""
    followed.start()
    eventually(lambda: "there is no file" in str(followed.stream.state.trouble))
    followed.write(3)
    eventually(lambda: followed.all_kept)
    followed.write()
    eventually(lambda: followed.all_kept)
    assert not followed.stream.state.trouble
    assert (followed.stream.state.lines, followed.stream.state.unrecognised) == (4, 0)
    assert followed.stream.state.to == MX1


def test_a_full_disk_is_told_once(followed: Followed) -> None:
    """A database that can be read all the time is not well again before it has taken something."""
    with capture_logs() as logs:
        followed.write()
        followed.store.full = 0
        followed.start()
        eventually(lambda: (followed.store.full or 0) >= 4)
        followed.store.full = None
        eventually(lambda: followed.all_kept and not followed.stream.state.trouble)
    told = [
        one["event"] for one in logs if one["event"] in {"collect.trouble", "collect.well_again"}
    ]
    assert told == ["collect.trouble", "collect.well_again"]


@pytest.mark.parametrize(
    "failing", [NotFound("no server mx1", fix="add it"), SourceUnavailable("gone"), OutOfStep()]
)
def test_it_goes_on_when_it_can(followed: Followed, failing: Exception) -> None:
    """Without its server, its database, or beside somebody who follows the same."""
    followed.write(2)
    followed.store.failing = failing
    followed.start()
    if not isinstance(failing, OutOfStep):
        eventually(lambda: followed.stream.state.trouble)
    time.sleep(0.05)
    assert followed.store.clients == []
    followed.store.failing = None
    eventually(lambda: followed.all_kept)
    followed.store.failing = failing
    followed.write()
    time.sleep(0.05)
    followed.store.failing = None
    eventually(lambda: followed.all_kept)


def test_a_fault_of_ours_is_told(followed: Followed) -> None:
    """To whoever asks the doctor; the thread ends by it and is started again by its keeper."""
    followed.store.failing = RuntimeError("a fault")
    with pytest.raises(RuntimeError):
        followed.stream.run()
    assert "a fault of ours" in str(followed.stream.state.trouble)


def test_a_line_that_cannot_be_read_is_skipped(followed: Followed) -> None:
    """Those around it are kept, and how many were skipped is kept with where the log stands."""
    with faulty():
        followed.write(2)
        with followed.path.open("ab") as file:
            file.write(POISON)
        followed.write(2)
        followed.start()
        eventually(lambda: followed.all_kept)
    [stood] = followed.store.stood.values()
    assert skips_of(stood.state).lines == 1
    assert (followed.stream.state.lines, followed.stream.state.unrecognised) == (5, 1)
    followed.write()
    eventually(lambda: followed.all_kept)


def test_another_reads_the_same_log(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they keep each line once."""
    other = Stream(followed.stream.wanted, followed.store, followed.stopping, UTC, PACE)
    thread = threading.Thread(target=other.run)
    lock = threading.Lock()
    keep = followed.store.keep

    def one_at_a_time(*words: Any) -> None:
        with lock:
            keep(*words)

    monkeypatch.setattr(followed.store, "keep", one_at_a_time)
    followed.start()
    thread.start()
    for _ in range(20):
        followed.write(2)
        time.sleep(0.01)
    eventually(lambda: followed.all_kept)
    followed.stop()
    thread.join(10)


def test_a_log_that_becomes_another_servers(followed: Followed) -> None:
    """From then on it is read for that one, whose stream has its own place."""
    followed.write(2)
    followed.start()
    eventually(lambda: followed.all_kept)
    followed.store.to = Destination(1, 3)
    eventually(lambda: followed.stream.state.to == Destination(1, 3))
    eventually(lambda: len(followed.store.clients) == 4)


@pytest.mark.parametrize("state", [b"", b"damaged"])
@pytest.mark.parametrize("position", ["{}", "damaged"])
def test_what_is_kept_but_not_understood(followed: Followed, position: str, state: bytes) -> None:
    """Of another version perhaps: the log is read from its start."""
    followed.write(2)
    key = (MX1, followed.stream.wanted.stream)
    followed.store.stood[key] = Stood(position, state)
    followed.start()
    eventually(lambda: followed.all_kept)


def test_the_whole(tmp_path: Path) -> None:
    """In the main thread until SIGTERM; it says how it fares."""
    log, status = tmp_path / "mail.log", tmp_path / "collect.json"
    log.write_text(reject(1))
    store = Store()
    told = []

    def ready() -> None:
        told.append(True)

        def stop() -> None:
            eventually(lambda: collector_status.read(status))
            signal.raise_signal(signal.SIGTERM)

        threading.Thread(target=stop).start()

    wanted = [parse_log(f"mx1={log}"), parse_log(f"mx2={tmp_path / 'none'}")]
    collector.run(wanted, store, CollectorOptions(status, pace=PACE), ready=ready)
    assert (told, store.clients) == ([True], ["203.0.113.1"])
    found = collector_status.read(status)
    assert found is not None
    assert [one.server for one in found.logs] == [2, 2]
    assert found.logs[0].problem == ""
    assert found.logs[0].read > 0
    assert "there is no file" in found.logs[1].problem
    assert status.stat().st_mode & 0o777 == 0o600


@given(st.text() | st.just('{"began": 1, "written": 2, "logs": [{}]}'))
def test_a_status_is_understood_or_none(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever stands in the file."""
    path = tmp_path_factory.getbasetemp() / "status.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert collector_status.read(path) is None


@given(st.text())
def test_positions_are_checked(text: str) -> None:
    """A position or a ValueError."""
    try:
        found = Position.parse(text)
    except (ValueError, RecursionError):
        return
    assert Position.parse(found.text()) == found


@pytest.mark.parametrize(
    ("text", "source", "server", "account"),
    [
        ("/var/log/mail.log", "/var/log/mail.log", "", ""),
        ("mx1=/var/log/mail.log", "/var/log/mail.log", "mx1", ""),
        ("a b/c/mx1=/var/log/mail.log", "/var/log/mail.log", "mx1", "a b/c"),
        ("/var/log/a=b.log", "/var/log/a=b.log", "", ""),
        ("mx1=/var/log/a=b.log", "/var/log/a=b.log", "mx1", ""),
        ("journal", "journal", "", ""),
        ("mx1=journal", "journal", "mx1", ""),
        ("mx1=journal:postfix@-.service+rspamd.service", None, "mx1", ""),
        ("journal:/srv/mx1/journal", "journal:/srv/mx1/journal", "", ""),
    ],
)
def test_what_is_followed(text: str, source: str | None, server: str, account: str) -> None:
    """As operators write it; and written again it is the same."""
    found = parse_log(text)
    assert (found.source, found.server, found.account) == (
        source or text.partition("=")[2],
        server,
        account,
    )
    assert str(found) == text


@pytest.mark.parametrize("text", ["mail.log", "mx1=mail.log", "=/var/log/x", "/mx1", "mx1=", "mx1"])
def test_what_cannot_be_followed(text: str) -> None:
    """Relative paths would mean another file for each part; the fix is told."""
    if text == "/mx1":
        assert parse_log(text).source == text
        return
    with pytest.raises(ValueError, match=r"write \[ACCOUNT/\]SERVER="):
        parse_log(text)


def test_several() -> None:
    """With commas, none twice."""
    assert [one.server for one in parse_logs("mx1=/a, mx2=/a,")] == ["mx1", "mx2"]
    with pytest.raises(ValueError, match="twice"):
        parse_logs("mx1=/a,mx1=/a")


@given(st.text(min_size=1, max_size=2000))
def test_names_of_streams_are_short(text: str) -> None:
    """Whatever the path; and different for different paths."""
    assert len(stream_name(f"/{text}")) <= 190
    assert stream_name(f"/{text}") != stream_name(f"/{text}x")
