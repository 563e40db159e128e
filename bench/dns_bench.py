"""The DNS engines against rbldnsd and against the bare kernel: answers a second on one core.

    .venv/bin/python -m bench.dns_bench                       one account, a million listings
    .venv/bin/python -m bench.dns_bench --world many          10,000 accounts, 10,000 zones
    .venv/bin/python -m bench.dns_bench --servers compiled,rbldnsd,rbldnsd-set
    .venv/bin/python -m bench.dns_bench --servers compiled,echo --threads 2
    .venv/bin/python -m bench.dns_bench --generator dnsperf --servers compiled,rbldnsd,nsd,knot

Makes the data, starts every server with the same listings on one core, and has a load generator
(blast.c) on another ask them the same 200,000 queries in turn, round after round.  A machine's
speed drifts, so what counts is the median of the ratios within rounds.  Each round also tells the
processor time that an answer took; where others work on the machine too, that says more than the
rate.  What dnsd counts is added up and held against what was asked.

`echo` (echo.c) sends back what it gets: no server can be faster.  `rbldnsd` keeps its listings in
an ip4trie, `rbldnsd-set` in an ip4set.  NSD and Knot get ordinary zones, networks as wildcards.
Needs cc and taskset; rbldnsd, nsd, knot and dnsperf for what they are named in (all but rbldnsd are
Debian packages that the tests do without).  `--first` asks for the cores with the highest priority,
which root may have; where others work on the machine it starves them.
"""

import argparse
import contextlib
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.dns_data import (
    BASE,
    SIZES,
    FixedSource,
    Sizes,
    query,
    write_names,
    write_queries,
    write_zones,
)
from bench.dns_peers import PEERS, RBLDNSD, check_programs, peer, rbldnsd
from mailmum.daemons import dnsd
from mailmum.daemons.counts import Parcel
from mailmum.daemons.dnsd import DnsdOptions
from mailmum.dns.limits import SPARED, Limits, parse_networks
from mailmum.dns.zones import ZoneConfig

HERE = Path(__file__).parent
OURS = ("compiled", "python")
RATIOS = (
    ("compiled", "rbldnsd"),
    ("compiled", "rbldnsd-set"),
    ("compiled", "echo"),
    ("compiled", "nsd"),
    ("compiled", "knot"),
    ("python", "rbldnsd"),
    ("rbldnsd", "echo"),
    ("compiled", "python"),
)
SERVERS = (*OURS, "echo", *RBLDNSD, *PEERS)
FIRST = ("nice", "-n", "-20")
LOADING = 180.0
"""Seconds that a server may take to load its listings."""


def serve(engine: str, port: int, threads: int, sizes: Sizes) -> None:
    """Be dnsd, and say at the end how much was counted."""
    counted = [0, 0, 0]

    def sink(parcel: Parcel) -> None:
        batch = parcel.taken.batch
        counted[0] += sum(batch.counts.values())
        counted[1] += batch.nameless
        counted[2] += batch.lost

    # All that is on by default is on: the limit too, which is above what anybody can ask here.
    limits = Limits(rate=1_000_000, spared=parse_networks(SPARED))
    options = DnsdOptions(
        (("127.0.0.1", port),), ZoneConfig(BASE), threads=threads, engine=engine, limits=limits
    )
    dnsd.run(options, lambda: FixedSource(sizes), sink)
    print("counted", *counted, flush=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    child: "subprocess.Popen[str]"


@contextlib.contextmanager
def process(
    name: str, command: list[str], port: int, cores: str, first: tuple[str, ...] = ()
) -> Iterator[Server]:
    """Run a server on some cores until it has answered and the block is done."""
    child = subprocess.Popen(
        [*first, "taskset", "-c", cores, *command],
        # rbldnsd has a line to say for each of its zones.
        stdout=subprocess.PIPE if name in OURS else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(port, name, child)
        yield Server(name, port, child)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()


def wait_for(port: int, name: str, child: "subprocess.Popen[str]") -> None:
    """Wait until a question is answered from listings."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.05)
        sock.connect(("127.0.0.1", port))
        end = time.monotonic() + LOADING
        while time.monotonic() < end and child.poll() is None:
            with contextlib.suppress(OSError):
                sock.send(query(0x7F000001))
                answer = sock.recv(512)
                if name == "echo" or answer[3] & 15 == 3:
                    return
            time.sleep(0.01)
    sys.exit(f"{name} does not answer on port {port}")


@dataclass(frozen=True, slots=True)
class Rate:
    """What a server did in one round: answers, their rate, processor time an answer in seconds."""

    answered: int
    rate: float
    cost: float


def processor_time(pid: int) -> float:
    """Seconds that all threads of a process and of its children have run so far."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    own = sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(processor_time(int(child)) for child in children)


def perf(server: Server, seconds: float, names: Path) -> dict[str, float]:
    """One round by dnsperf, told as blast does."""
    core = str(max(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, "dnsperf", "-s", "127.0.0.1", "-p", str(server.port)]
    command += ["-d", str(names), "-l", str(seconds), "-c", "4", "-q", "128"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {
        word: float(value[1]) if (value := re.search(pattern, text)) else 0.0
        for word, pattern in {
            "answered": r"Queries completed: +(\d+)",
            "lost": r"Queries lost: +(\d+)",
            "listed": r"NOERROR (\d+)",
            "seconds": r"Run time \(s\): +([0-9.]+)",
        }.items()
    }
    if not found["answered"]:
        sys.exit(f"dnsperf got no answer of {server.name}: {text}")
    return found


def blast(
    program: Path | None,
    server: Server,
    seconds: float,
    queries: Path,
    first: tuple[str, ...] = (),
) -> Rate:
    """One round of one server; by dnsperf without a program."""
    core = str(max(os.sched_getaffinity(0)))
    before = processor_time(server.child.pid)
    if program is None:
        found = perf(server, seconds, queries.with_suffix(".names"))
    else:
        command = ["taskset", "-c", core, program, str(server.port), str(seconds), queries]
        run = subprocess.run(
            [*first, *map(str, command)], capture_output=True, text=True, check=True
        )
        found = {name: float(value) for name, value in re.findall(r"(\w+) ([0-9.]+)", run.stdout)}
    used = processor_time(server.child.pid) - before
    if not found["answered"]:
        sys.exit(f"{server.name} answered nothing in {seconds} s: is the machine too busy?")
    if found["lost"] > found["answered"] / 1000:
        print(f"  {server.name} lost {found['lost']:.0f} of {found['answered']:.0f}")
    listed = found["listed"] / found["answered"]
    if server.name != "echo" and not 0.4 < listed < 0.7:
        sys.exit(f"{server.name} lists {listed:.0%} of the queries: these are not the listings")
    answered = int(found["answered"])
    return Rate(answered, answered / found["seconds"], used / answered)


def free_port() -> int:
    """A port that nobody has at the moment, over UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return int(udp.getsockname()[1])


def compile_c(folder: Path, name: str) -> Path:
    """The program of a source file beside this one."""
    program = folder / name
    subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / f"{name}.c")], check=True)
    return program


def command_of(name: str, port: int, options: argparse.Namespace, folder: Path) -> list[str]:
    """How to start a server."""
    if name == "echo":
        return [str(folder / "echo"), str(port)]
    if name in OURS:
        own = ["--serve", name, "--port", str(port), "--threads", str(options.threads)]
        return [sys.executable, "-m", "bench.dns_bench", "--world", options.world, *own]
    if name in PEERS:
        return peer(name, port, options.threads, folder, SIZES[options.world])
    return rbldnsd(port, folder, write_zones(folder, SIZES[options.world], RBLDNSD[name]))


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Rate]]:
    """All rounds."""
    write_queries(folder / "queries", SIZES[options.world], options.queries)
    write_names(folder / "queries.names", folder / "queries")
    program = None if options.generator == "dnsperf" else compile_c(folder, "blast")
    compile_c(folder, "echo")
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    first = FIRST if options.first else ()
    with contextlib.ExitStack() as stack:
        servers = []
        for name in options.servers.split(","):
            port = free_port()
            command = command_of(name, port, options, folder)
            started = process(name, command, port, ",".join(map(str, cores)), first)
            servers.append(stack.enter_context(started))
        rounds = []
        for number in range(options.rounds):
            at = number % len(servers)
            rates = {
                server.name: blast(program, server, options.seconds, folder / "queries", first)
                for server in servers[at:] + servers[:at]
            }
            rounds.append(rates)
            told = (f"{name} {rates[name].rate:,.0f}" for name in sorted(rates))
            print(f"round {number + 1}: " + ", ".join(told), flush=True)
        for server in servers:
            if server.name in OURS:
                check_counts(server, sum(rates[server.name].answered for rates in rounds))
    return rounds


def check_counts(server: Server, answered: int) -> None:
    """End a server of ours, and hold what it counted against what it answered."""
    server.child.send_signal(signal.SIGTERM)
    output, _ = server.child.communicate(timeout=60)
    counted, nameless, lost = map(int, output.split()[-3:])
    # The few that asked whether it answers, and those lost on the way back.
    print(
        f"{server.name}: {answered:,} answers seen, {counted:,} counted ({nameless:,} of them "
        f"without their client), {lost:,} lost"
    )


def report(options: argparse.Namespace, rounds: list[dict[str, Rate]]) -> None:
    """The ratios, and the conditions."""
    print(f"\n{'':28}{'answers a second':>28}{'answers per processor time':>34}")
    for one, other in RATIOS:
        if not {one, other} <= rounds[0].keys():
            continue
        rates = sorted(rates[one].rate / rates[other].rate for rates in rounds)
        costs = sorted(rates[other].cost / rates[one].cost for rates in rounds)
        told = "".join(
            f"{statistics.median(found):14.3f} ({found[0]:.3f} to {found[-1]:.3f})   "
            for found in (rates, costs)
        )
        print(f"{one + ' / ' + other:24}{told}")
    sizes = SIZES[options.world]
    each = f"{sizes.addresses:,} addresses and {sizes.networks:,} networks"
    print(
        f"\nmedians of {len(rounds)} rounds of {options.seconds} s; {sizes.accounts:,} accounts of "
        f"{each}; {options.queries:,} queries by {options.generator}, no EDNS; "
        f"{options.threads} threads; Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    """Parse arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--world", choices=SIZES, default="one")
    parser.add_argument("--servers", default="compiled,rbldnsd,echo,python", help="with commas")
    parser.add_argument("--generator", choices=("blast", "dnsperf"), default="blast")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--queries", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=1, help="of the compiled engine")
    parser.add_argument("--first", action="store_true", help="before all other work")
    parser.add_argument("--serve", choices=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.port, options.threads, SIZES[options.world])
        return
    check_programs(options.servers.split(","), SERVERS, options.generator)
    with tempfile.TemporaryDirectory(prefix="mailmum-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        report(options, measure(options, folder))


if __name__ == "__main__":
    main()
