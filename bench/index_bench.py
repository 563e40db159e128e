"""Measure the index: building, memory, lookups, changes, merges, snapshots.

    .venv/bin/python bench/index_bench.py                  both worlds, some minutes
    .venv/bin/python bench/index_bench.py --world one --addresses 100000

Two worlds: `one` is a single account with a million addresses and 20,000 networks, `many` is 10,000
accounts of 100 listings.  Each is measured in a process of its own, so that neither warms or
fragments the other's memory.  The seeds are fixed; the figures are of this machine in this hour, so
quote them as ratios to a figure of the same run.
"""

import argparse
import gc
import os
import platform
import random
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import TypeVar

from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget
from mailmum.index.index import Index
from mailmum.index.records import Changes, Everything, KeyRecord, ServerRecord
from mailmum.index.snapshot import dump, load

FIRST, LAST = 0x0100_0000, 0xDF00_0000
WORLDS = ("one", "many")
Query = tuple[bytes, int]
Result = TypeVar("Result")


def main() -> None:
    options = read_options()
    if options.world:
        measure(options)
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    for world in WORLDS:
        command = [sys.executable, __file__, "--world", world]
        for name in ("addresses", "networks", "accounts", "each", "queries", "changes"):
            command += [f"--{name}", str(getattr(options, name))]
        subprocess.run(command, check=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--world", choices=WORLDS, help="measure one world, in this process")
    parser.add_argument("--addresses", type=int, default=1_000_000)
    parser.add_argument("--networks", type=int, default=20_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=100, help="listings of each account")
    parser.add_argument("--queries", type=int, default=200_000)
    parser.add_argument("--changes", type=int, default=10_000)
    return parser.parse_args()


def measure(options: argparse.Namespace) -> None:
    chance = random.Random(42)
    one = options.world == "one"
    accounts = 1 if one else options.accounts
    total = options.addresses + options.networks if one else accounts * options.each
    say(f"--- {options.world}: {accounts:,} accounts, {total:,} listings")

    listings = one_account(options, chance) if one else many_accounts(options, chance)
    servers = tuple(
        ServerRecord(number, number, f"ref{number}", (KeyRecord(key(number).decode()),))
        for number in range(1, accounts + 1)
    )
    index, seconds = timed(lambda: Index.build(Everything(1, servers, listings)))
    say("build", f"{seconds:.2f} s")

    # What a daemon does too once it has loaded: a full collection walks a million objects.
    _, seconds = timed(gc.collect)
    gc.freeze()
    say("full collection", f"{seconds * 1e3:.0f} ms, then frozen")
    queries = make_queries(options, chance, accounts)
    say("lookup, key and address", lookups(index, queries))
    snapshots(index, total)
    changes(index, options.changes, chance, accounts)
    say("lookup with overlay", lookups(index, queries))
    merge(index)
    say("lookup merged", lookups(index, queries))
    say("most memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def one_account(options: argparse.Namespace, chance: random.Random) -> Iterator[Listing]:
    for number in range(options.addresses):
        yield block(number + 1, 1, chance.randrange(FIRST, LAST), 32)
    for number in range(options.networks):
        address = chance.randrange(FIRST, LAST)
        yield block(options.addresses + number + 1, 1, address, chance.randrange(16, 29))


def many_accounts(options: argparse.Namespace, chance: random.Random) -> Iterator[Listing]:
    for number in range(options.accounts * options.each):
        prefix = 32 if chance.random() < 0.8 else chance.randrange(16, 32)
        account = number // options.each + 1
        yield block(number + 1, account, chance.randrange(FIRST, LAST), prefix)


def block(number: int, account: int, address: int, prefix: int) -> Listing:
    first = address >> (32 - prefix) << (32 - prefix)
    target = NetworkTarget(4, first, prefix)
    return Listing(number, account, 0, Action.BLOCK, target, reason="Listed")


def key(account: int) -> bytes:
    return b"k%011d" % account


def make_queries(options: argparse.Namespace, chance: random.Random, accounts: int) -> list[Query]:
    """Half of them for listed addresses, which the same seed gives again."""
    again = random.Random(42)
    one = options.world == "one"
    listings = one_account(options, again) if one else many_accounts(options, again)
    every = max(1, (options.addresses if one else accounts * options.each) * 2 // options.queries)
    queries: list[Query] = []
    for number, listing in enumerate(listings):
        if number % every == 0 and isinstance(listing.target, NetworkTarget):
            queries.append((key(listing.account), listing.target.first))
            queries.append((key(chance.randint(1, accounts)), chance.randrange(FIRST, LAST)))
    chance.shuffle(queries)
    return queries


def lookups(index: Index, queries: list[Query]) -> str:
    now = time.time()
    rounds = []
    hits = 0
    for _ in range(5):
        began = time.perf_counter()
        hits = 0
        for label, address in queries:
            state = index.key(label, now)
            if state and index.find_address(state.server, 4, address, now) is not None:
                hits += 1
        rounds.append(time.perf_counter() - began)
    # The best: other processes only ever add to it.
    each = min(rounds) / len(queries)
    return f"{each * 1e6:.2f} us, {1 / each:,.0f} a second, {hits / len(queries):.0%} listed"


def snapshots(index: Index, total: int) -> None:
    """Times, and the memory of what was loaded: exactly what is allocated for it."""
    pieces, noted = timed(lambda: dump(index))
    data, written = timed(lambda: b"".join(pieces))
    say(
        "snapshot",
        f"noted in {noted * 1e3:.1f} ms, written in {written:.2f} s, {len(data):,} bytes",
    )
    loaded, seconds = timed(lambda: load(data))
    say("load", f"{seconds:.2f} s")
    del loaded
    gc.collect()
    tracemalloc.start()
    loaded = load(data)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert loaded.position == index.position
    say("memory", f"{size / total:.1f} bytes a listing, servers and keys included")


def changes(index: Index, count: int, chance: random.Random, accounts: int) -> None:
    took = []
    for number in range(count):
        account = chance.randint(1, accounts)
        new = block(5_000_000 + number, account, chance.randrange(FIRST, LAST), 32)
        batch = Changes(2 + number, listings=(new,))
        began = time.perf_counter()
        index.apply(batch)
        took.append(time.perf_counter() - began)
    took.sort()
    p99 = took[len(took) * 99 // 100]
    say(
        "apply",
        f"median {median(took) * 1e6:.1f} us, p99 {p99 * 1e6:.1f}, most {took[-1] * 1e6:.0f}",
    )


def merge(index: Index) -> None:
    size = index.overlay_size
    plan, begun = timed(index.begin_merge)
    steps = [time.perf_counter()]
    merged, ran = timed(lambda: plan.run(lambda: steps.append(time.perf_counter())))
    _, finished = timed(lambda: index.finish_merge(merged))
    longest = max(after - before for before, after in pairwise(steps))
    say(
        f"merge of {size:,}",
        f"begin {begun * 1e3:.1f} ms, run {ran:.2f} s (longest step {longest * 1e3:.1f} ms), "
        f"finish {finished * 1e3:.1f} ms",
    )


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def say(name: str, figure: str = "") -> None:
    print(f"{name:<24}{figure}", flush=True)


if __name__ == "__main__":
    main()
