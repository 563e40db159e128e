"""dnsd against rbldnsd: answers a second on one core, over UDP, with the same listings.

    .venv/bin/python bench/dns_bench.py [--rounds 12] [--seconds 3]

Both serve 1,000,000 addresses and 20,000 networks (fixed seed) and get the same 200,000 queries, of
which about half are listed.  The server runs on one core, the load generator (blast.c, compiled
here) on another; the two servers take turns, and what counts is the median of the ratios of
neighbouring rounds, since a machine's speed drifts.  Each round also tells the processor time that
an answer took; where others work on the machine too, that says more than the rate.  Needs rbldnsd,
cc and taskset; `nice -n -20` keeps others off the cores.
"""

import argparse
import contextlib
import os
import platform
import random
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from mailmum.daemons import dnsd
from mailmum.daemons.counts import Parcel
from mailmum.daemons.dnsd import DnsdOptions
from mailmum.dns.zones import ZoneConfig
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.records import Changes, Everything, KeyRecord, ServerRecord

BASE, KEY = "rbl.example.net", "k7f3q9x2m4t8aaaa"
ZONE = f"{KEY}.bl.{BASE}"
FIRST, LAST = 0x01000000, 0xDF000000
Network = tuple[int, int]


def make_listings(addresses: int, networks: int) -> tuple[list[int], list[Network]]:
    """Addresses, and networks from /16 to /28; the same every time."""
    chance = random.Random(42)
    singles = sorted({chance.randrange(FIRST, LAST) for _ in range(addresses)})
    wide: set[Network] = set()
    while len(wide) < networks:
        prefix = chance.randrange(16, 29)
        wide.add((chance.randrange(FIRST, LAST) >> 32 - prefix << 32 - prefix, prefix))
    return singles, sorted(wide)


class FixedSource:
    """A database in which nothing ever happens."""

    def __init__(self, addresses: int, networks: int) -> None:
        self._counts = addresses, networks

    def load(self) -> Everything:
        """All listings, of one account with one server."""
        server = ServerRecord(1, 1, "ref1ref1", (KeyRecord(KEY),))
        return Everything(1, (server,), self._listings())

    def changes(self, after: int) -> Iterator[Changes]:
        """None."""
        return iter(())

    def wait(self, seconds: float) -> bool:
        """Wait in vain."""
        time.sleep(seconds)
        return False

    def close(self) -> None:
        """Nothing is held."""

    def _listings(self) -> Iterator[Listing]:
        singles, wide = make_listings(*self._counts)
        targets = [(address, 32) for address in singles] + wide
        for number, (first, prefix) in enumerate(targets, start=1):
            yield Listing(number, 1, 0, Action.BLOCK, NetworkTarget(4, first, prefix))


def serve(port: int, addresses: int, networks: int) -> None:
    """Be dnsd."""

    def sink(parcel: Parcel) -> None:
        del parcel

    options = DnsdOptions((("127.0.0.1", port),), ZoneConfig(BASE))
    source = FixedSource(addresses, networks)
    dnsd.run(options, lambda: source, sink, ready=lambda: print("ready", flush=True))


def write_zone(path: Path, singles: list[int], wide: list[Network]) -> None:
    """The same listings for rbldnsd."""
    with path.open("w") as file:
        file.write(f"$SOA 60 ns.{BASE} hostmaster.{BASE} 1 600 120 604800 60\n:127.0.0.2:Listed\n")
        file.writelines(f"{IPv4Address(address)}\n" for address in singles)
        file.writelines(f"{IPv4Address(first)}/{prefix}\n" for first, prefix in wide)


def write_queries(path: Path, singles: list[int], wide: list[Network], count: int) -> None:
    """A queries: 46 % listed addresses, 4 % in networks, the rest at random."""
    chance = random.Random(7)
    with path.open("wb") as file:
        for _ in range(count):
            dice = chance.random()
            if dice < 0.46:
                address = chance.choice(singles)
            elif dice < 0.5:
                first, prefix = chance.choice(wide)
                address = first + chance.randrange(1 << 32 - prefix)
            else:
                address = chance.randrange(FIRST, LAST)
            labels = [*str(IPv4Address(address)).split(".")[::-1], *ZONE.split(".")]
            name = b"".join(bytes((len(label),)) + label.encode() for label in labels)
            packet = struct.pack(">6H", 0, 0, 1, 0, 0, 0) + name + b"\0\0\1\0\1"
            file.write(struct.pack(">H", len(packet)) + packet)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    pid: int


@contextlib.contextmanager
def process(name: str, command: list[str], port: int) -> Iterator[Server]:
    """Run a server on the first core until it has answered and the block is done."""
    core = min(os.sched_getaffinity(0))
    child = subprocess.Popen(
        ["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield Server(name, port, child.pid)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


def wait_for(port: int) -> None:
    """Wait until the test entry, or a denial, is answered."""
    name = b"".join(bytes((len(x),)) + x.encode() for x in f"1.0.0.127.{ZONE}".split("."))
    packet = b"\0\1\0\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        for _ in range(600):
            with contextlib.suppress(OSError):
                sock.send(packet)
                if sock.recv(512)[3] & 15 == 3:
                    return
            time.sleep(0.1)
    sys.exit(f"nobody answers on port {port}")


@dataclass(frozen=True, slots=True)
class Rate:
    """What a server did in one round: answers a second, and seconds of processor time an answer."""

    answers: float
    cost: float


def processor_time(pid: int) -> float:
    """Seconds that all threads of a process have run so far."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def blast(program: Path, server: Server, seconds: float, queries: Path) -> Rate:
    """One round of one server."""
    core = max(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(core), str(program), str(server.port), str(seconds)]
    before = processor_time(server.pid)
    run = subprocess.run([*command, str(queries)], capture_output=True, text=True, check=True)
    used = processor_time(server.pid) - before
    found = {name: float(value) for name, value in re.findall(r"(\w+) ([0-9.]+)", run.stdout)}
    if found["lost"] > found["answered"] / 1000:
        print(f"  {server.name} lost {found['lost']:.0f} of {found['answered']:.0f}")
    if not 0.4 < found["listed"] / found["answered"] < 0.7:
        sys.exit(f"{server.name} lists {found['listed']:.0f} of {found['answered']:.0f}: not these")
    return Rate(found["answered"] / found["seconds"], used / found["answered"])


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def measure(arguments: argparse.Namespace, folder: Path) -> list[tuple[float, float]]:
    """The ratios of all rounds: of rates, and of processor time the other way round."""
    singles, wide = make_listings(arguments.addresses, arguments.networks)
    write_zone(folder / "zone", singles, wide)
    write_queries(folder / "queries", singles, wide, arguments.queries)
    program = folder / "blast"
    source = Path(__file__).with_name("blast.c")
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    ours, theirs = free_port(), free_port()
    sizes = [str(arguments.addresses), str(arguments.networks)]
    dnsd_command = [sys.executable, __file__, "--serve", str(ours), "--sizes", *sizes]
    rival = [
        shutil.which("rbldnsd", path="/usr/sbin:/usr/bin") or sys.exit("rbldnsd is missing"),
        *("-n", "-a", "-c", "0", "-u", "nobody", "-b", f"127.0.0.1/{theirs}", "-w", str(folder)),
        f"{ZONE}:ip4trie:zone",
    ]
    ratios = []
    with process("dnsd", dnsd_command, ours) as us, process("rbldnsd", rival, theirs) as them:
        for number in range(1, arguments.rounds + 1):
            rates = {}
            for server in (us, them) if number % 2 else (them, us):
                rates[server] = blast(program, server, arguments.seconds, folder / "queries")
            mine, other = rates[us], rates[them]
            ratios.append((mine.answers / other.answers, other.cost / mine.cost))
            print(
                f"round {number}: dnsd {mine.answers:.0f}/s {mine.cost * 1e6:.2f} us, "
                f"rbldnsd {other.answers:.0f}/s {other.cost * 1e6:.2f} us, "
                f"ratios {ratios[-1][0]:.3f} {ratios[-1][1]:.3f}"
            )
    return ratios


def main() -> None:
    """Parse arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--addresses", type=int, default=1_000_000)
    parser.add_argument("--networks", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, *arguments.sizes)
        return
    with tempfile.TemporaryDirectory(prefix="mailmum-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ratios = measure(arguments, folder)
    for at, what in enumerate(("answers a second", "answers per processor time")):
        values = [ratio[at] for ratio in ratios]
        print(
            f"dnsd / rbldnsd ip4trie, {what}: median {statistics.median(values):.3f} "
            f"of {len(values)} rounds ({min(values):.3f} to {max(values):.3f})"
        )
    print(
        f"{arguments.addresses} addresses, {arguments.networks} networks, no EDNS, "
        f"{arguments.seconds} s a round, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
