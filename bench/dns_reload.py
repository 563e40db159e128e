"""What a change of one listing costs rbldnsd: how long until it shows, and how long it is silent.

    .venv/bin/python -m bench.dns_reload                   a million addresses, with and without -f

Again and again a line is added to the file and rbldnsd told to look (SIGHUP).  A prober asks every
millisecond about what was added, until a second after it shows: so the same as what
bench.dns_changes tells of dnsd.  With -f rbldnsd has a child answer while it loads, which takes
the memory of both.
"""

import argparse
import itertools
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from bench.dns_bench import free_port, process
from bench.dns_data import SIZES, query, write_zones
from bench.dns_peers import RBLDNSD, check_programs, rbldnsd

ADDED = 0xF0000000
AFTER = 1.0
PATIENCE = 60.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--world", choices=SIZES, default="one")
    parser.add_argument("--kinds", default=",".join(RBLDNSD.values()), help="data types, commas")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    check_programs(RBLDNSD, RBLDNSD, "blast")
    with tempfile.TemporaryDirectory(prefix="mailmum-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        (zone,) = write_zones(folder, SIZES[options.world])
        # Never the same one twice: what was added before is in the file.
        addresses = itertools.count(ADDED)
        for kind in options.kinds.split(","):
            zones = [zone.replace("ip4trie", kind)]
            for more in ((), ("-f",)):
                command = rbldnsd(port := free_port(), folder, zones, *more)
                name = f"{' '.join(('rbldnsd', *more))}, {kind}"
                measure(options.rounds, name, command, port, addresses)
    print(f"load {os.getloadavg()[0]:.1f}")


def measure(
    rounds: int, name: str, command: list[str], port: int, addresses: Iterator[int]
) -> None:
    """All rounds of one way to run it."""
    file = Path(command[command.index("-w") + 1]) / "zone0"
    core = str(min(os.sched_getaffinity(0)))
    shown, silent, missing = [], [], 0
    with process("rbldnsd", command, port, core) as server:
        for address in itertools.islice(addresses, rounds):
            # It looks at the time and size of the file.
            with file.open("a") as lines:
                lines.write(f"{IPv4Address(address)}\n")
            began = time.perf_counter()
            server.child.send_signal(signal.SIGHUP)
            seen, longest, lost = watch(port, address, began)
            shown.append(seen)
            silent.append(longest)
            missing += lost
    print(
        f"{name}: shown after {statistics.median(shown) * 1e3:.0f} ms at the median, "
        f"{max(shown) * 1e3:.0f} at most; longest silence {statistics.median(silent) * 1e3:.0f} ms "
        f"at the median, {max(silent) * 1e3:.0f} at most; {missing} questions without an answer in "
        "a second",
        flush=True,
    )


def watch(port: int, address: int, began: float) -> tuple[float, float, int]:
    """Seconds until it is listed, the longest without an answer, and questions without one."""
    shown, longest, missing = 0.0, 0.0, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect(("127.0.0.1", port))
        while not shown or time.perf_counter() < began + shown + AFTER:
            asked = time.perf_counter()
            if not shown and asked > began + PATIENCE:
                sys.exit(f"not shown within {PATIENCE:.0f} s, {missing} questions unanswered")
            sock.send(query(address))
            try:
                answer = sock.recv(512)
            except TimeoutError:
                missing += 1
                longest = max(longest, time.perf_counter() - asked)
                continue
            now = time.perf_counter()
            longest = max(longest, now - asked)
            if answer[3] & 15 == 0 and not shown:
                shown = now - began
            time.sleep(0.001)
    return shown, longest, missing


if __name__ == "__main__":
    main()
