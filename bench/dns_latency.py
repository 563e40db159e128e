"""How long answers take while a server is half busy.

    .venv/bin/python -m bench.dns_latency [--servers compiled,rbldnsd,echo] [--world one]

What each server can do at most on one core is measured first; then it gets half as many questions
a second as the slowest of them can answer, the same for all, and half of its own.  Each question is
sent when it is due, so that waiting for others is part of how long it takes.  Servers take turns.

Echo decides nothing and has no other thread: it gets every rate, and how long it takes at one is
what machine and generator leave to a server there.  A machine that takes processors away from its
guests makes tails of milliseconds for all.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.dns_bench import SERVERS, Server, blast, command_of, compile_c, free_port, process
from bench.dns_data import SIZES, write_queries
from bench.dns_peers import check_programs

WORDS = ("p50", "p99", "p999", "longest")


def main() -> None:
    """Measure and print."""
    options = read_options()
    check_programs(options.servers.split(","), SERVERS, "blast")
    with tempfile.TemporaryDirectory(prefix="mailmum-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with started(options, folder) as servers:
            measure(options, folder, servers)
    print(
        f"\n{options.rounds} rounds of {options.seconds} s, world {options.world}, no EDNS; "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


def read_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--world", choices=SIZES, default="one")
    parser.add_argument("--servers", default="compiled,rbldnsd,echo", help="with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.set_defaults(threads=1)
    return parser.parse_args()


@contextlib.contextmanager
def started(options: argparse.Namespace, folder: Path) -> Iterator[list[Server]]:
    """All servers, on the first core."""
    compile_c(folder, "echo")
    core = str(min(os.sched_getaffinity(0)))
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(process(name, command_of(name, port, options, folder), port, core))
            for name in options.servers.split(",")
            for port in (free_port(),)
        ]


def measure(options: argparse.Namespace, folder: Path, servers: list[Server]) -> None:
    """The most of each, then how long answers take at half of that."""
    queries, program = folder / "queries", compile_c(folder, "blast")
    write_queries(queries, SIZES[options.world], 100_000)
    most = {one.name: blast(program, one, options.seconds, queries).rate for one in servers}
    told = ", ".join(f"{name} {rate:,.0f}" for name, rate in most.items())
    print(f"at most: {told} answers a second")
    own = {name: f"half of {name}'s" for name in most}
    rates = {own[name]: int(rate / 2) for name, rate in most.items()}
    rates["the same"] = min(rates.values())
    found: dict[tuple[str, str, int], list[dict[str, int]]] = {}
    for number in range(options.rounds):
        at = number % len(servers)
        for one in servers[at:] + servers[:at]:
            for what in rates if one.name == "echo" else ("the same", own[one.name]):
                said = half_busy(program, one, options.seconds, queries, rates[what])
                found.setdefault((what, one.name, rates[what]), []).append(said)
    for (what, name, rate), rounds in sorted(found.items()):
        medians = [statistics.median(said[word] for said in rounds) for word in WORDS]
        words = ", ".join(
            f"{word} {value:,.0f}" for word, value in zip(WORDS, medians, strict=True)
        )
        lost = sum(said["lost"] for said in rounds)
        print(f"{what:20} {name:12} {rate:>9,} a second: {words} us; {lost} lost")


def half_busy(
    program: Path, server: Server, seconds: float, queries: Path, rate: int
) -> dict[str, int]:
    """One round: what blast says."""
    core = str(max(os.sched_getaffinity(0)))
    given = [str(server.port), str(seconds), str(queries), "4096", "4", str(rate)]
    command = ["taskset", "-c", core, str(program), *given]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        word: int(value) for word, value in re.findall(r"([a-z0-9]+) (\d+)\b(?!\.)", run.stdout)
    }


if __name__ == "__main__":
    main()
