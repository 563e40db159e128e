"""Measure a large feed: memory whoever subscribes, and how long its swap keeps an answering thread.

    .venv/bin/python bench/feed_bench.py                       a million addresses, 100 accounts
    .venv/bin/python bench/feed_bench.py --entries 100000

One thread asks the index again and again and notes its longest pauses; another makes entries ready
from their bytes, as a daemon does, and has the first put them in place.  So what is measured is the
Python engine, which needs the interpreter; the compiled one answers without it, and is told of the
same swap through the mirror.  Pauses contain whatever else the machine does: the same is measured
without a swap, to compare.  So the longest step that keeps the interpreter's lock is also told in
processor time: that is what an answer can wait for because of the swap, on any machine.
"""

import argparse
import gc
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from mailmum import compiled
from mailmum.dns.worlds import empty_world
from mailmum.dns.zones import Zone, ZoneConfig
from mailmum.domain.listings import Action
from mailmum.domain.targets import NetworkTarget
from mailmum.index.entries import Builder, Entries, packed, unpacked
from mailmum.index.index import Index
from mailmum.index.mirror import Mirror
from mailmum.index.records import Changes, Everything, FeedRecord, KeyRecord, ServerRecord

FIRST, LAST = 0x0100_0000, 0xDF00_0000
SWITCH, BREATH = 0.0005, 0.0002
Job = Callable[[], None]
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=100)
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH)
    print(f"{options.entries} entries, {options.accounts} accounts, load {os.getloadavg()[0]:.1f}")
    old, new = (packed_list(options.entries, seed) for seed in (1, 2))
    print(f"packed: {len(old) / options.entries:.1f} bytes an entry")
    gc.collect()
    first = timed("ready from their bytes, nobody else running", lambda: unpacked(old))
    print(f"longest step of that with the lock: {longest_step(new):.2f} ms of processor time")
    print(f"columns in memory: {size_of(first) / options.entries:.1f} bytes an entry")
    before = memory()
    index = make_index(options.accounts, first)
    print(f"memory of {options.accounts} subscriptions: {(memory() - before) / 1024:.0f} KB")
    gc.freeze()
    measure(index, options.accounts, new)


def packed_list(count: int, seed: int) -> bytes:
    chance = random.Random(seed)
    builder = Builder()
    while len(builder) < count:
        builder.add(NetworkTarget(4, chance.randrange(FIRST, LAST), 32))
    return packed(builder.build())


def make_index(accounts: int, entries: Entries) -> Index:
    servers = tuple(
        ServerRecord(number, number, f"ref{number}", (KeyRecord(f"k{number:011}"),))
        for number in range(1, accounts + 1)
    )
    index = Index.build(Everything(1, servers, (), feeds_of(accounts, entries)))
    hot, reason = compiled.load()
    if hot is None:
        print(f"without the compiled engine: {reason}")
        return index
    faults: list[Exception] = []
    config = ZoneConfig("rbl.example.net", addresses=("192.0.2.53",), hostmaster="", public_url="")
    world = empty_world(hot, Zone(config), 1232)
    index.watcher = timed("first mirroring", lambda: Mirror(index, world, hot, faults.append))
    return index


def feeds_of(accounts: int, entries: Entries) -> tuple[FeedRecord, ...]:
    return tuple(
        FeedRecord(number, number, 0, Action.BLOCK, "drop", "", None, entries)
        for number in range(1, accounts + 1)
    )


def measure(index: Index, accounts: int, data: bytes) -> None:
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    stop = threading.Event()
    answering = Answering(index, jobs, stop)
    thread = threading.Thread(target=answering.run)
    thread.start()
    time.sleep(2)
    print(f"longest pauses without a swap: {answering.longest()}")
    entries = timed("ready from their bytes, beside answers", lambda: unpacked(data, breathe))
    print(f"longest pauses meanwhile: {answering.longest()}")
    applied, spent = [], []
    for record in feeds_of(accounts, entries):
        done = threading.Event()

        def apply(record: FeedRecord = record, done: threading.Event = done) -> None:
            began, at = time.perf_counter(), time.thread_time()
            index.apply(Changes(index.position + 1, feeds=((record.account, (record,)),)))
            applied.append(time.perf_counter() - began)
            spent.append(time.thread_time() - at)
            done.set()

        jobs.put(apply)
        done.wait()
    print(
        f"put in place: {applied[0] * 1000:.2f} ms for the first account, "
        f"{max(applied[1:], default=0) * 1000:.2f} ms at most for another"
    )
    print(f"of that processor time: {max(spent) * 1000:.2f} ms at most")
    print(f"longest pauses meanwhile: {answering.longest()}")
    stop.set()
    thread.join()


def longest_step(data: bytes) -> float:
    """The longest time between two breaths, but for the first, in which a digest is made."""
    moments: list[float] = []
    unpacked(data, lambda: moments.append(time.thread_time()))
    moments.append(time.thread_time())
    return 1000 * max(end - begin for begin, end in pairwise(moments))


class Answering:
    """Looks addresses up, does what is put into its queue, and notes its pauses."""

    def __init__(self, index: Index, jobs: "queue.SimpleQueue[Job]", stop: threading.Event) -> None:
        self._index, self._jobs, self._stop = index, jobs, stop
        self._pauses: list[float] = []
        self._count = 0

    def run(self) -> None:
        """Answer until told to stop."""
        chance = random.Random(3)
        found = self._index.key(b"k00000000001", 0.0)
        assert found is not None
        last = time.perf_counter()
        while not self._stop.is_set():
            for _ in range(20):
                self._index.find_address(found.server, 4, chance.randrange(FIRST, LAST), 0.0)
                self._count += 1
            if not self._jobs.empty():
                self._jobs.get()()
            now = time.perf_counter()
            self._pauses.append(now - last)
            last = now

    def longest(self) -> str:
        """The longest pauses since this was asked last."""
        pauses, self._pauses = self._pauses, []
        worst = sorted(pauses)[-3:]
        return ", ".join(f"{pause * 1000:.2f}" for pause in worst) + " ms"


def breathe() -> None:
    time.sleep(BREATH)


def timed(what: str, call: Callable[[], Result]) -> Result:
    began = time.perf_counter()
    result = call()
    print(f"{what}: {(time.perf_counter() - began) * 1000:.0f} ms")
    return result


def size_of(entries: Entries) -> int:
    hosts = entries.bases[4].hosts
    buckets, _ = hosts.firsts.buckets
    columns = [*hosts.firsts.arrays(), hosts.details.ids, *([] if buckets is None else [buckets])]
    return sum(len(column) * column.itemsize for column in columns)


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    main()
