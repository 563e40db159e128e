"""A database of files for dnsd, and dnsd around it: in a thread, or as a process of its own.

The database is a folder with a journal, one JSON line a change.  A file beside it makes it away, or
hang.  So a test can change it under a daemon in another process.

Run as a program it is dnsd itself: `python -m tests.daemons.dnsd_kit FOLDER PORT WORKERS`.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
import dns.query

from mailmum.daemons import dnsd
from mailmum.daemons.counts import Parcel
from mailmum.daemons.dnsd import DnsdOptions, Pace, TcpLimits
from mailmum.daemons.dnsd_sockets import bind_sets
from mailmum.daemons.dnsd_worker import Worker
from mailmum.dns.counters import CountBatch
from mailmum.dns.limits import Limits
from mailmum.dns.zones import ZoneConfig
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import parse_target
from mailmum.index.records import (
    Changes,
    Everything,
    KeyRecord,
    ServerRecord,
    SourceRewound,
    SourceUnavailable,
)
from tests.support.ports import free_port

BASE = "rbl.example.net"
KEY = "k7f3q9x2m4t8aaaa"
BL, WL, DBL = f"{KEY}.bl.{BASE}", f"{KEY}.wl.{BASE}", f"{KEY}.dbl.{BASE}"
ZONE = ZoneConfig(BASE, addresses=("127.0.0.1",), public_url="https://mx.example.net")
SERVER = ServerRecord(1, 1, "ref1ref1", (KeyRecord(KEY),), ttl=60)
USUAL = TcpLimits()
SMALL = TcpLimits(connections=5, idle=0.5)
QUICK = Pace(poll=0.2, recheck=0.5, retry=(0.05, 0.2), snapshot=0.3, merge_after=50)


class Database:
    """A journal in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / "journal"
        self._journal.touch()

    @property
    def position(self) -> int:
        """How many changes there were."""
        return len(self.lines())

    def block(self, *targets: str, action: str = "block", **fields: Any) -> None:
        """List targets in one change."""
        self._append([{"target": target, "action": action, **fields} for target in targets])

    def unlist(self, *targets: str) -> None:
        """Remove the listings of targets in one change."""
        self._append([{"target": target, "action": None} for target in targets])

    def rewind(self) -> None:
        """Forget the last change, as a backup does."""
        lines = self._journal.read_text().splitlines(keepends=True)
        self._journal.write_text("".join(lines[:-1]))

    @contextlib.contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """Make it `away`, `hanging` or `broken` for a while."""
        (self.folder / kind).touch()
        try:
            yield
        finally:
            (self.folder / kind).unlink()

    def lines(self) -> list[list[dict[str, Any]]]:
        """All changes."""
        return [json.loads(line) for line in self._journal.read_text().splitlines()]

    def check(self) -> None:
        """Raise or hang, when there is trouble."""
        while (self.folder / "hanging").exists():
            time.sleep(0.01)
        if (self.folder / "away").exists():
            raise SourceUnavailable("the database is away")
        if (self.folder / "broken").exists():
            raise ZeroDivisionError("a fault of ours")

    def read(self) -> list[list[dict[str, Any]]]:
        """All changes, unless there is trouble."""
        self.check()
        lines = self.lines()
        # Trouble that came between may be older than the last of them.
        self.check()
        return lines

    def size(self) -> int:
        """Of the journal, in bytes; changes when it does."""
        return self._journal.stat().st_size

    def _append(self, entries: list[dict[str, Any]]) -> None:
        with self._journal.open("a") as file:
            file.write(json.dumps(entries) + "\n")


class Source:
    """The database as dnsd sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = -1
        database.check()

    def load(self) -> Everything:
        """All listings."""
        listings: dict[str, Listing] = {}
        lines = self._database.read()
        for number, entries in enumerate(lines, start=1):
            for at, entry in enumerate(entries):
                listings.pop(entry["target"], None)
                if entry["action"] is not None:
                    listings[entry["target"]] = _listing(entry, 1000 * number + at)
        return Everything(len(lines), (SERVER,), iter(listings.values()))

    def changes(self, after: int) -> Iterator[Changes]:
        """One batch for each listing, those of one change with one position."""
        lines = self._database.read()
        if after > len(lines):
            raise SourceRewound("the journal is shorter")
        current: dict[str, Listing] = {}
        for number, entries in enumerate(lines, start=1):
            for at, entry in enumerate(entries):
                before = current.pop(entry["target"], None)
                now = None if entry["action"] is None else _listing(entry, 1000 * number + at)
                if now is not None:
                    current[entry["target"]] = now
                if number > after:
                    listings, gone = (now,) if now else (), (before,) if before else ()
                    yield Changes(number, listings=listings, gone=gone)

    def wait(self, seconds: float) -> bool:
        """Look at the file every few milliseconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._database.check()
            size = self._database.size()
            if size != self._seen:
                self._seen = size
                return True
            time.sleep(0.003)
        return False

    def close(self) -> None:
        """Nothing is held."""


def _listing(entry: dict[str, Any], number: int) -> Listing:
    return Listing(
        number,
        1,
        0,
        Action(entry["action"]),
        parse_target(entry["target"]),
        reason=entry.get("reason", ""),
        expires=entry.get("expires"),
    )


@dataclass
class Sink:
    """Keeps what was counted; away when told so."""

    parcels: list[Parcel] = field(default_factory=list)
    away: bool = False

    def __call__(self, parcel: Parcel) -> None:
        if self.away:
            raise SourceUnavailable("the database is away")
        self.parcels.append(parcel)

    @property
    def batches(self) -> list[CountBatch]:
        """The counts of all parcels."""
        return [parcel.taken.batch for parcel in self.parcels]

    def total(self, verdict: str) -> int:
        """How often a verdict was counted so far."""
        return sum(
            count.count for b in self.batches for count in b.verdicts if count.verdict == verdict
        )


@dataclass
class Served:
    """A daemon that runs in a thread."""

    port: int
    worker: Worker
    sink: Sink
    ready: threading.Event
    host: str = "127.0.0.1"

    def ask(self, name: str, type_: str = "A", **options: Any) -> dns.message.Message:
        """Ask it over UDP."""
        return ask(self.port, name, type_, host=self.host, **options)

    def codes(self, address: str) -> list[str]:
        """What is answered about an IPv4 address in the block list."""
        return codes(self.port, address)


def ask(
    port: int,
    name: str,
    type_: str = "A",
    *,
    host: str = "127.0.0.1",
    tcp: bool = False,
    timeout: float = 3.0,
    **options: Any,
) -> dns.message.Message:
    """One question by dnspython."""
    query = dns.message.make_query(name, type_, **options)
    send = dns.query.tcp if tcp else dns.query.udp
    return send(query, host, timeout, port)


def reverse(address: str) -> str:
    """The labels of an IPv4 address before a zone."""
    return ".".join(reversed(address.split(".")))


def codes(port: int, address: str, **options: Any) -> list[str]:
    """The addresses answered about an IPv4 address in the block list."""
    response = ask(port, f"{reverse(address)}.{BL}", **options)
    return [str(item) for rrset in response.answer for item in rrset]


@contextlib.contextmanager
def serving(
    database: Database,
    *,
    snapshot: Path | None = None,
    host: str = "127.0.0.1",
    tcp: TcpLimits = USUAL,
    wait: bool = True,
    pace: Pace = QUICK,
    zone: ZoneConfig = ZONE,
    engine: str = "auto",
    threads: int = 1,
    port: int = 0,
    limits: Limits | None = None,
) -> Iterator[Served]:
    """Run a worker in a thread for the length of a `with` block."""
    port = port or free_port("both", host)
    options = DnsdOptions(
        ((host, port),),
        zone,
        snapshot,
        tcp=tcp,
        pace=pace,
        engine=engine,
        threads=threads,
        limits=limits,
    )
    sink, ready = Sink(), threading.Event()
    interval = sys.getswitchinterval()
    worker = Worker(
        options, lambda: bind_sets(options.listen, options.threads, shared=False),
        lambda: Source(database), sink,
        ready=ready.set,
    )  # fmt: skip
    thread = threading.Thread(target=worker.run, name="dnsd")
    thread.start()
    try:
        if wait:
            assert ready.wait(10)
        yield Served(port, worker, sink, ready, host)
    finally:
        worker.stop()
        thread.join(5)
        sys.setswitchinterval(interval)
        assert not thread.is_alive()


def receive_exactly(sock: socket.socket, size: int) -> bytes:
    """So many bytes from a TCP connection, or fewer at its end."""
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            break
        data += chunk
    return data


def receive_message(sock: socket.socket) -> dns.message.Message:
    """The next response on a TCP connection."""
    length = int.from_bytes(receive_exactly(sock, 2), "big")
    return dns.message.from_wire(receive_exactly(sock, length))


def main() -> None:
    """Be dnsd, and say when it is ready."""
    folder, port, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    database = Database(folder)
    options = DnsdOptions(
        (("127.0.0.1", port),),
        ZONE,
        folder / "snapshot",
        workers,
        threads=int(os.environ.get("THREADS", "1")),
        crash=folder / "crash",
        pace=QUICK,
    )

    def sink(parcel: Parcel) -> None:
        database.check()
        counted = sum(one.count for one in parcel.taken.batch.verdicts)
        with (folder / "counts").open("a") as file:
            file.write(f"{os.getpid()} {counted}\n")

    def ready() -> None:
        # On a line of its own, whatever another thread is writing at the moment.
        sys.stdout.write("\nready\n")
        sys.stdout.flush()

    try:
        dnsd.run(options, lambda: Source(database), sink, ready=ready)
    except dnsd.StartFailed as failure:
        sys.exit(f"mailmum: {failure}")


if __name__ == "__main__":
    main()
