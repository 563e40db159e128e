"""How long from a change made over the API until DNS answers it.

    .venv/bin/python -m bench.visibility [--changes 200] [--listings 0] [--postgresql]

Starts the whole service on a fresh folder, lists as many addresses as asked for by an import, then
blocks one address after another.  Two times are taken for each: from the moment the request is sent
and from the moment its answer has come (the change is committed), both until the first DNS answer
that shows it, asked for again and again on one socket.
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import dns.message
import dns.query
import urllib3

from tests.support.postgres import postgres
from tests.support.service import Service, make_service
from tests.support.tables import fresh_database


def main() -> None:
    """Measure and print."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = make_service(folder, sqlite=True)
        if options.postgresql:
            cluster = stack.enter_context(postgres())
            made.environment["MAILMUM_DATABASE"] = fresh_database(cluster.url())
        stack.enter_context(made.up())
        zone = made.json("server", "add", "mx1")["zones"]["bl"]
        if options.listings:
            _fill(made, folder, options.listings)
        sent, committed = zip(*(_one(made, zone, n) for n in range(options.changes)), strict=True)
    database = "PostgreSQL" if options.postgresql else "SQLite"
    print(f"{options.changes} changes, {options.listings} listings before, {database}:")
    for label, times in (("since the request", sent), ("since the commit", committed)):
        ordered = sorted(times)
        print(
            f"  {label}: median {statistics.median(ordered) * 1e3:.1f} ms, "
            f"p99 {ordered[int(len(ordered) * 0.99) - 1] * 1e3:.1f} ms, "
            f"most {ordered[-1] * 1e3:.1f} ms"
        )


def _one(made: Service, zone: str, number: int) -> tuple[float, float]:
    octets = (203, 0, 113 + number // 250, number % 250)
    query = dns.message.make_query(".".join(map(str, reversed(octets))) + "." + zone, "A")
    credential = json.loads((made.data / "cli.json").read_text())
    began = time.perf_counter()
    answer = urllib3.request(
        "POST",
        f"{made.url}/api/v1/listings",
        json={"targets": [".".join(map(str, octets))], "action": "block"},
        headers={"Authorization": f"Bearer {credential['token']}"},
    )
    committed = time.perf_counter()
    assert answer.status == 200, answer.data
    while not dns.query.udp(query, made.dns[0], port=made.dns[1], timeout=5).answer:
        assert time.perf_counter() - began < 10, "not visible in ten seconds"
    seen = time.perf_counter()
    return seen - began, max(seen - committed, 0.0)


def _fill(made: Service, folder: Path, count: int) -> None:
    path = folder / "fill.txt"
    with path.open("w") as file:
        file.writelines(
            f"{11 + n // 65536 % 80}.{n >> 8 & 255}.{n & 255}.7\n" for n in range(count)
        )
    made.run("import", str(path))
    last = count - 1
    name = f"7.{last & 255}.{last >> 8 & 255}.{11 + last // 65536 % 80}"
    zone = made.json("server", "show", "mx1")["zones"]["bl"]
    made.eventually(lambda: bool(made.lookup(f"{name}.{zone}")), 120)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--listings", type=int, default=0)
    parser.add_argument("--postgresql", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
