"""What questions notice of changes: how soon one shows, and whether any question waits for it.

    .venv/bin/python -m bench.dns_changes [--engine compiled] [--rate 1000] [--seconds 10]

dnsd serves a million addresses and 20,000 networks while so many changes a second are made: each
lists an address of 240.0.0.0/8, every second one takes one away again.  The load generator keeps
the server's core busy.  Beside it a prober asks every millisecond about the address that is due
next, and notes when it is first listed, how long each answer takes, and whether one is missing; and
the same for a time without changes, since other work on the machine delays answers too.

When an answer came the kernel says (SO_TIMESTAMPNS): the prober shares its core with the generator,
and how long it waits there until it can look is no fault of the server.
"""

import argparse
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.dns_bench import compile_c, free_port, process
from bench.dns_data import BASE, SIZES, FixedSource, query, write_queries
from mailmum.daemons import dnsd
from mailmum.daemons.counts import Parcel
from mailmum.daemons.dnsd import DnsdOptions
from mailmum.dns.zones import ZoneConfig
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.records import Changes

FIRST = 0xF0000000
NUMBERS = 10_000_000
KEPT = 500
# asm-generic/socket.h: when a packet came, as seconds and nanoseconds.
SO_TIMESTAMPNS = 35
SIZE = SIZES["one"]


class ChangingSource(FixedSource):
    """A database in which changes are made by the clock, once a file says when they begin."""

    def __init__(self, rate: float, begin: Path) -> None:
        super().__init__(SIZE)
        self._rate = rate
        self._begin = begin

    def changes(self, after: int) -> Iterator[Changes]:
        """Those that are due."""
        for number in range(after, self._due()):
            gone = (listing(number - KEPT),) if number >= KEPT else ()
            yield Changes(number + 1, listings=(listing(number),), gone=gone)

    def wait(self, seconds: float) -> bool:
        """Until the next is due, or as long as it takes to look at the clock."""
        time.sleep(0.001)
        return self._due() > 1

    def _due(self) -> int:
        try:
            start = float(self._begin.read_text())
        except (OSError, ValueError):
            return 1
        return max(1, int((time.time() - start) * self._rate))


def listing(number: int) -> Listing:
    """What a change lists."""
    target = NetworkTarget(4, FIRST + number, 32)
    return Listing(NUMBERS + number, 1, 0, Action.BLOCK, target)


@dataclass
class Noted:
    """What the prober saw; times in seconds."""

    answers: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    silence: float = 0.0
    missing: int = 0


def probe(port: int, seconds: float, due: Iterator[tuple[int, float]]) -> Noted:
    """Ask every millisecond about what is due next, with the time when it is."""
    noted = Noted()
    address, wanted = next(due)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.connect(("127.0.0.1", port))
        end = time.time() + seconds
        while (now := time.time()) < end:
            sock.send(query(address))
            try:
                answer, heard = receive(sock)
            except TimeoutError:
                noted.missing += 1
                continue
            noted.answers.append(heard - now)
            if answer[3] & 15 == 0:
                noted.delays.append(heard - wanted)
                address, wanted = next(due)
            time.sleep(0.001)
    noted.silence = max(noted.answers, default=0.0)
    return noted


def receive(sock: socket.socket) -> tuple[bytes, float]:
    """An answer, and when it came."""
    answer, ancillary, _, _ = sock.recvmsg(512, 64)
    seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
    return answer, seconds + nanoseconds / 1e9


def serve(options: argparse.Namespace) -> None:
    """Be dnsd."""

    def sink(parcel: Parcel) -> None:
        del parcel

    parameters = DnsdOptions((("127.0.0.1", options.port),), ZoneConfig(BASE), engine=options.serve)
    dnsd.run(parameters, lambda: ChangingSource(options.rate, options.begin), sink)


def every(rate: float, start: float) -> Iterator[tuple[int, float]]:
    """Addresses and when each is listed: such as the prober has time to wait for."""
    number = int((time.time() - start) * rate) + int(rate / 4)
    while True:
        yield FIRST + number, start + (number + 1) / rate
        number = max(number + 1, int((time.time() - start) * rate) + 1)


def never() -> Iterator[tuple[int, float]]:
    """What is never listed."""
    while True:
        yield 0xF1000000, 0.0


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Both times, and what they tell."""
    write_queries(folder / "queries", SIZE, 100_000)
    program, port, begin = compile_c(folder, "blast"), free_port(), folder / "begin"
    own = ["--serve", options.engine, "--port", str(port), "--begin", str(begin)]
    command = [sys.executable, "-m", "bench.dns_changes", "--rate", str(options.rate), *own]
    core = str(min(os.sched_getaffinity(0)))
    with process(options.engine, command, port, core):
        load = threading.Thread(target=keep_busy, args=(program, port, options, folder))
        load.start()
        time.sleep(1)
        tell("without changes", probe(port, options.seconds, never()))
        start = time.time()
        begin.write_text(str(start))
        time.sleep(1)
        changed = probe(port, options.seconds, every(options.rate, start))
        tell(f"{options.rate:,.0f} changes a second", changed)
        load.join()
    seen = sorted(changed.delays)
    print(
        f"{len(seen)} changes watched: visible after {statistics.median(seen) * 1e3:.1f} ms at the "
        f"median, {seen[int(len(seen) * 0.99)] * 1e3:.1f} ms at p99, {seen[-1] * 1e3:.1f} at most"
    )


def keep_busy(program: Path, port: int, options: argparse.Namespace, folder: Path) -> None:
    """The load generator, from the first to the last second; few questions at a time."""
    core = str(max(os.sched_getaffinity(0)))
    seconds = str(2 * options.seconds + 2)
    command = ["taskset", "-c", core, program, str(port), seconds, folder / "queries", "64", "2"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    print(f"load: {run.stdout.strip()}")


def tell(when: str, noted: Noted) -> None:
    """One line."""
    answers = sorted(noted.answers)
    p99 = answers[len(answers) * 99 // 100]
    print(
        f"{when}: {len(answers)} answers, {noted.missing} missing; median "
        f"{statistics.median(answers) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, longest "
        f"{noted.silence * 1e3:.1f} ms, {sum(one > 0.01 for one in answers)} over 10 ms",
        flush=True,
    )


def main() -> None:
    """Parse arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--engine", default="compiled")
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--begin", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return
    with tempfile.TemporaryDirectory(prefix="mailmum-bench-") as name:
        measure(options, Path(name))


if __name__ == "__main__":
    main()
