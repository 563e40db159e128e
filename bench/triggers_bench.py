"""Measure triggers: the backtest over a month, and following what is new.

    .venv/bin/python bench/triggers_bench.py                 10M rows, some minutes to make them
    .venv/bin/python bench/triggers_bench.py --rows 1000000
    .venv/bin/python bench/triggers_bench.py --data DIR      keep the data, to measure again

A month of counts by client and hour is made, of clients that come often and clients that come once;
a third of what comes is rejected by public lists, and some hundreds attack now and then.  Then each
preset is tried on it.  The figures are of this machine in this hour, so the time that SQLite takes
to read all the rows once is told beside them, to be quoted as a ratio.  Where there are two
processors a second process takes a share of each backtest: its time is told apart.

Following is measured in sightings a second, with one trigger and with ten.
"""

import argparse
import os
import platform
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HOURS = 30 * 24
CHUNK = 100_000
MAPPED = bytes(10) + b"\xff\xff"
# Outcome as in mailmum.traffic.codes, list, and how many of a hundred: of those who send mail that
# people want, and of all others.
WANTED = ((1, 0, 90), (3, 0, 4), (5, 0, 2), (8, 0, 4))
UNWANTED = (
    (2, 1, 30),
    (2, 2, 12),
    (2, 3, 5),
    (2, 0, 8),
    (5, 0, 9),
    (4, 0, 2),
    (6, 0, 6),
    (7, 0, 7),
    (8, 0, 8),
    (9, 0, 12),
    (1, 0, 1),
)


def main() -> None:
    options = read_options()
    traffic, reading = opened(options.data, fill, options.rows)
    once = read_once(traffic)
    print(f"all rows read once by SQLite alone: {once:.2f} s of CPU")
    try_presets(reading, once)
    follow(reading)


def opened(data: str, make: Callable[[Path, int, int], None], many: int):
    """The database of traffic in a folder (empty: a new one), filled where there is none yet."""
    folder = Path(data or tempfile.mkdtemp(prefix="mailmum-bench-"))
    os.environ |= {"MAILMUM_DATA": str(folder), "MAILMUM_LOG_LEVEL": "error"}
    traffic = folder / "traffic.sqlite3"
    fresh = not traffic.exists()
    reading = set_up()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    if fresh:
        make(traffic, reading.account.pk, many)
    return traffic, reading


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--data", default="")
    return parser.parse_args()


def set_up():
    from mailmum.control import config, logs, prepare

    prepare.folder(Path(os.environ["MAILMUM_DATA"]))
    logs.set_up(config.current(), "bench")
    prepare.set_up_django()
    prepare.database(config.current())
    prepare.first_account(config.current())
    from mailmum.control.accounts.access import system_access
    from mailmum.control.accounts.models import Account
    from mailmum.control.servers.services import add_server

    access = system_access(Account.objects.get())
    if not access.account.servers.exists():
        add_server(access, "mx1")
    return access


def fill(path: Path, account: int, rows: int) -> None:
    began, chance = time.monotonic(), random.Random(7)
    often = [address(chance) for _ in range(20_000)]
    now = int(time.time())
    first = now - now % 3600 - (HOURS - 1) * 3600
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    with connection:
        for number, name in enumerate(("zen", "copper", "drop"), start=1):
            connection.execute(
                "INSERT INTO traffic_zone (id, account, name) VALUES (?, ?, ?)",
                (number, account, f"{name}.rbl.example"),
            )
        connection.execute(
            "INSERT INTO traffic_lastseen (server, source, account, time, kept)"
            " VALUES (1, 1, ?, ?, ?)",
            (account, now * 1000, now * 1000),
        )
    for hour in range(HOURS):
        some = sorted(set(hour_rows(account, first + hour * 3600, rows // HOURS, often, chance)))
        with connection:
            connection.executemany(
                "INSERT OR IGNORE INTO traffic_clienthour"
                " (account, start, client, server, source, outcome, rbl, count)"
                " VALUES (?, ?, ?, 1, 1, ?, ?, ?)",
                some,
            )
    with connection:
        connection.execute(
            "INSERT INTO traffic_clientday"
            " (account, start, client, server, source, outcome, rbl, count)"
            " SELECT account, start - start % 86400, client, server, source, outcome, rbl,"
            " SUM(count) FROM traffic_clienthour GROUP BY 1, 2, 3, 4, 5, 6, 7"
        )
        # By these it is known how many there are.
        connection.execute(
            "INSERT INTO traffic_total (account, step, start, server, source, outcome, rbl, count)"
            " SELECT account, 86400, start, server, source, outcome, rbl, SUM(count)"
            " FROM traffic_clientday GROUP BY 1, 2, 3, 4, 5, 6, 7"
        )
    # Whatever is read would be looked for in gigabytes of log first.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    print(f"made in {time.monotonic() - began:.0f} s")


def hour_rows(
    account: int, start: int, rows: int, often: list[bytes], chance: random.Random
) -> Iterator[tuple[int, int, bytes, int, int, int]]:
    half = len(often) // 2
    for _ in range(rows):
        wanted = chance.random() < 0.25
        outcome, rbl = pick(WANTED if wanted else UNWANTED, chance)
        # Senders that are wanted come again and again; of the others a fifth do.
        if wanted:
            client = often[chance.randrange(half)]
        elif chance.random() < 0.2:
            client = often[half + chance.randrange(half)]
        else:
            client = address(chance)
        count = 1 if chance.random() < 0.8 else chance.randint(2, 8)
        yield account, start, client, outcome, rbl, count
    for attacker in chance.sample(often[half : half + 400], 4):
        yield account, start, attacker, chance.choice((5, 6, 7)), 0, chance.randint(20, 400)


def pick(mix: tuple[tuple[int, int, int], ...], chance: random.Random) -> tuple[int, int]:
    at = chance.randrange(100)
    for outcome, rbl, weight in mix:
        at -= weight
        if at < 0:
            return outcome, rbl
    raise AssertionError("the weights are a hundred together")


def address(chance: random.Random) -> bytes:
    return MAPPED + chance.randint(0x0B00_0000, 0xDF00_0000).to_bytes(4, "big")


def read_once(path: Path) -> float:
    connection = sqlite3.connect(path)
    began = time.process_time()
    connection.execute("SELECT COUNT(*), SUM(count) FROM traffic_clienthour").fetchone()
    return time.process_time() - began


def try_presets(reading, once: float) -> None:
    from mailmum.control.triggers.backtest import backtest, last_of
    from mailmum.control.triggers.history import by_sighting
    from mailmum.triggers.presets import PRESETS

    print(
        f"{'preset':20} {'rows':>11} {'seconds':>8} {'of CPU':>7} {'helper':>7}"
        f" {'ratio':>6} {'listings':>9} {'hit':>6}"
    )
    for preset in PRESETS:
        if by_sighting(preset.rule):
            continue
        began, helped = time.process_time(), helpers_time()
        report = last_of(backtest(reading, preset.rule))
        spent, helped = time.process_time() - began, helpers_time() - helped
        print(
            f"{preset.name:20} {report.rows:11,} {report.seconds:8.2f} {spent:7.2f} {helped:7.2f}"
            f" {(spent + helped) / once:6.1f} {report.listings:9,} {report.hit:6,}"
        )
    own, other = (
        resource.getrusage(who).ru_maxrss // 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"memory at most {own} MB, and {other} MB in the second process")


def helpers_time() -> float:
    """Processor time of the second process of backtests, of all that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def follow(reading) -> None:
    from mailmum.control.traffic.intake import keep
    from mailmum.control.triggers.following import Follower
    from mailmum.control.triggers.models import Trigger
    from mailmum.control.triggers.services import add_trigger, remove_trigger
    from mailmum.traffic.sightings import Outcome, Sighting, Source

    class Batch:
        updates = ()

        def __init__(self, sightings: list[Sighting]) -> None:
            self.sightings = sightings

    chance, server = random.Random(8), reading.account.servers.get()
    clients = [f"198.51.100.{last}" for last in range(256)]
    outcomes = (Outcome.REJECTED, Outcome.ACCEPTED, Outcome.UNKNOWN_RECIPIENT, Outcome.CONNECTED)
    for many in (1, 10):
        for number in range(many):
            add_trigger(reading, f"t{number}", {"mode": "observe"}, preset="dictionary-attack")
        follower = Follower()
        list(follower.steps(time.time()))
        seen = [
            Sighting(time.time(), client=chance.choice(clients), outcome=chance.choice(outcomes))
            for _ in range(50_000)
        ]
        keep(reading.account.pk, server.pk, Source.LOG, Batch(seen))
        began = time.monotonic()
        taken = sum(follower.steps(time.time()))
        seconds = time.monotonic() - began
        print(f"followed with {many} triggers: {taken / seconds:,.0f} sightings a second")
        for trigger in Trigger.objects.filter(removed=None):
            remove_trigger(reading, trigger.name)


if __name__ == "__main__":
    main()
