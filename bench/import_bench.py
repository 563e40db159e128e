"""An import of a million addresses: seconds and memory.

    .venv/bin/python -m bench.import_bench [--entries 1000000] [--profile]
    MAILMUM_DATABASE=postgresql://... .venv/bin/python -m bench.import_bench

Into a fresh database, as one change, in this process and without the API: reading, checking,
comparing with what is listed, writing.  A second import of the same file follows, in which nothing
changes.
"""

import argparse
import cProfile
import os
import pstats
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIRST, LAST = 0x0B00_0000, 0x6000_0000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailmum-import-") as folder:
        path = Path(folder) / "list.txt"
        write(path, options.entries)
        access = prepared(Path(folder))
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(one, access, path)
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        else:
            one(access, path)
        one(access, path)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{most:.0f} MB at most; load {os.getloadavg()[0]:.1f}")


def write(path: Path, count: int) -> None:
    """A file of addresses in no order; made piece by piece, for the sake of the memory measured."""
    chance = random.Random(3)
    step, start = 7_368_787, chance.randrange(LAST - FIRST)  # a prime, so that none comes twice
    with path.open("w") as file:
        for number in range(count):
            value = FIRST + (start + number * step) % (LAST - FIRST)
            file.write(f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}\n")


def prepared(folder: Path) -> Any:
    """A fresh database, and the permission to write in its account."""
    from mailmum.control import config, prepare
    from mailmum.control.config import Overrides

    parameters = config.use(Overrides(data=folder))
    prepare.set_up_django()
    prepare.database(parameters)
    from mailmum.control.accounts import services

    return services.create_account("bench", "owner@example.net")


def one(access: Any, path: Path) -> None:
    """Import the file."""
    from mailmum.control.imports.options import ImportOptions, Report
    from mailmum.control.imports.services import run_import

    began, used, checked = time.perf_counter(), time.process_time(), 0.0
    for step in run_import(access, pieces(path), ImportOptions(format="plain", label="list")):
        if isinstance(step, Report):
            took, busy = time.perf_counter() - began, time.process_time() - used
            print(
                f"{step.added:,} added, {step.unchanged:,} unchanged: {took:.1f} s, "
                f"{busy:.1f} s of the processor, {checked:.1f} of them until written",
                flush=True,
            )
        elif step.phase == "checking":
            checked = time.process_time() - used


def pieces(path: Path) -> Iterator[bytes]:
    """The file as it comes over the network."""
    with path.open("rb") as file:
        while piece := file.read(65536):
            yield piece


if __name__ == "__main__":
    main()
