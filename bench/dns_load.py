"""How long until a server answers from its listings, and the memory that these take.

    .venv/bin/python -m bench.dns_load                     a million addresses, 20,000 networks
    .venv/bin/python -m bench.dns_load --world told        each with one of a thousand public texts
    .venv/bin/python -m bench.dns_load --world ten         ten million, some minutes

Each server is started again and again, and asked until it answers from listings; the same with
next to none, which tells what it takes to start the program at all.  dnsd starts from a snapshot,
with the database away; how long that takes to be made and written is told too.  Files are in the
kernel's memory.  Memory is what the process has for itself (its proportional share of what it
shares), less that with no listings, for each listing.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench.dns_bench import OURS, command_of, free_port, process, processor_time
from bench.dns_data import BASE, SIZES, FixedSource, Sizes
from bench.dns_peers import PEERS, RBLDNSD, check_programs
from mailmum.daemons import dnsd, snapshots
from mailmum.daemons.counts import Parcel
from mailmum.daemons.dnsd import DnsdOptions
from mailmum.dns.zones import ZoneConfig
from mailmum.domain.listings import Listing
from mailmum.index.index import Index
from mailmum.index.records import SourceUnavailable

NEXT_TO_NONE = "few"


def serve(engine: str, port: int, snapshot: Path) -> None:
    """Be dnsd with a snapshot and no database."""

    def away() -> FixedSource:
        raise SourceUnavailable("not here")

    def sink(parcel: Parcel) -> None:
        del parcel

    options = DnsdOptions((("127.0.0.1", port),), ZoneConfig(BASE), snapshot, engine=engine)
    dnsd.run(options, away, sink)


def make(world: str, snapshot: Path) -> None:
    """Write a snapshot, in a process of its own, whose memory is gone then."""
    everything, spent = FixedSource(SIZES[world]).load(), [0.0]
    everything = replace(everything, listings=drawn(everything.listings, spent))
    began = time.perf_counter()
    index = Index.build(everything)
    built = time.perf_counter()
    snapshots.save(snapshot, index)
    size = snapshot.stat().st_size
    print(
        f"{world}: {total(SIZES[world]):,} listings made up in {spent[0]:.1f} s, "
        f"index of them built in {built - began - spent[0]:.1f} s, "
        f"snapshot of {size:,} bytes written in {time.perf_counter() - built:.2f} s",
        flush=True,
    )


def drawn(listings: Iterable[Listing], spent: list[float]) -> Iterator[Listing]:
    """Listings, and how many seconds it took to make them up."""
    iterator = iter(listings)
    while True:
        began = time.perf_counter()
        listing = next(iterator, None)
        spent[0] += time.perf_counter() - began
        if listing is None:
            return
        yield listing


def total(sizes: Sizes) -> int:
    """Listings in a world."""
    return sizes.accounts * (sizes.addresses + sizes.networks)


def main() -> None:
    """Measure and print."""
    options = read_options()
    if options.serve:
        serve(options.serve, options.port, options.snapshot)
        return
    if options.make:
        make(options.world, options.make)
        return
    names = options.servers.split(",")
    check_programs(names, (*OURS, *RBLDNSD, *PEERS), "blast")
    with tempfile.TemporaryDirectory(prefix="mailmum-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        measure(names, options, folder)
    print(f"{options.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")


def read_options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--world", choices=SIZES, default="one")
    parser.add_argument("--servers", default="compiled,rbldnsd,rbldnsd-set", help="with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--snapshot", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.set_defaults(threads=1)
    return parser.parse_args()


def measure(names: list[str], options: argparse.Namespace, folder: Path) -> None:
    """All servers with both worlds."""
    commands = {}
    for world in (NEXT_TO_NONE, options.world):
        place = folder / world
        place.mkdir()
        place.chmod(0o755)
        for name in names:
            commands[name, world] = prepared(name, world, place)
    found: dict[tuple[str, str], list[Started]] = {key: [] for key in commands}
    for _ in range(options.rounds):
        for key, (command, port) in commands.items():
            found[key].append(start(key[0], command, port))
    more = total(SIZES[options.world]) - total(SIZES[NEXT_TO_NONE])
    for name in names:
        bare, full = (middle(found[name, world]) for world in (NEXT_TO_NONE, options.world))
        print(
            f"{name:12} answers after {full.seconds:.2f} s, {full.seconds - bare.seconds:.2f} s "
            f"more than with next to no listings ({full.used - bare.used:.2f} s of the processor); "
            f"{full.memory / 1e6:,.0f} MB, {(full.memory - bare.memory) / more:.1f} bytes each"
        )


class Started(NamedTuple):
    """What it took until a server answered: seconds, those of the processor, bytes of memory."""

    seconds: float
    used: float
    memory: float


def middle(rounds: list[Started]) -> Started:
    """The median of each."""
    return Started(*map(statistics.median, zip(*rounds, strict=True)))


def prepared(name: str, world: str, place: Path) -> tuple[list[str], int]:
    """Make what a server reads; how to start it, and where it will answer."""
    port = free_port()
    if name not in OURS:
        given = argparse.Namespace(world=world, threads=1)
        return command_of(name, port, given, place), port
    snapshot, own = place / "snapshot", [sys.executable, "-m", "bench.dns_load"]
    if not snapshot.exists():
        subprocess.run([*own, "--world", world, "--make", str(snapshot)], check=True)
    return [*own, "--serve", name, "--port", str(port), "--snapshot", str(snapshot)], port


def start(name: str, command: list[str], port: int) -> Started:
    """Start a server and wait until it answers."""
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    began = time.perf_counter()
    with process(name, command, port, cores) as server:
        pid = server.child.pid
        return Started(time.perf_counter() - began, processor_time(pid), memory(pid))


def memory(pid: int) -> int:
    """Bytes that a process and its children have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = re.search(r"^Pss: +(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    own = int(found[1]) * 1024 if found else 0
    return own + sum(memory(int(child)) for child in children)


if __name__ == "__main__":
    main()
