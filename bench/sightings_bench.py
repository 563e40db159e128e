"""Measure backtests that go by single sightings: scores, trap addresses, domains of hosts.

    .venv/bin/python -m bench.sightings_bench                  a million, half of them meant
    .venv/bin/python -m bench.sightings_bench --sightings 200000
    .venv/bin/python -m bench.sightings_bench --data DIR       keep the data
    .venv/bin/python -m bench.sightings_bench --only trap

Sightings of seven days are made, from 60,000 clients that all send much: the worst there is, since
nearly everybody is listed.  Half of them have a high score and go to the trap; of these three
tenths were accepted, of the others five.  The figures are seconds of processor time of this
process, on this machine in this hour; what each report says is told as a digest, to be compared
before and after a change.
"""

import argparse
import hashlib
import json
import random
import resource
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

from bench.triggers_bench import MAPPED, opened

DAY, HOUR, DAYS = 86_400, 3600, 7
CLIENTS, DOMAINS = 60_000, 5000
BEGIN = 1_795_000_000 // DAY * DAY
NOW = BEGIN + DAYS * DAY - 1800
ACCEPTED, REJECTED = 1, 2


def main() -> None:
    options = read_options()
    _, reading = opened(options.data, fill, options.sightings)
    try_rules(reading, options.only)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sightings", type=int, default=1_000_000)
    parser.add_argument("--data", default="")
    parser.add_argument("--only", default="")
    return parser.parse_args()


def fill(path: Path, account: int, many: int) -> None:
    began, chance = time.monotonic(), random.Random(7)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    span = NOW - BEGIN
    rows = []
    for number in range(many):
        at = (BEGIN * 1000) + (number * span * 1000 + chance.randrange(span * 1000)) // many
        who, meant = chance.randrange(CLIENTS), number % 2
        outcome = ACCEPTED if chance.random() < (0.3 if meant else 0.5) else REJECTED
        to = "trap" if meant else f"u{chance.randrange(500)}"
        score = round(15 + 10 * chance.random() if meant else 10 * chance.random(), 1)
        client = MAPPED + (0x0B000000 + who * 257).to_bytes(4, "big")
        name = f"h{who}.net{who % DOMAINS}.example"
        rows.append(
            (account, at, at // 3_600_000 * HOUR, client, outcome, name, f"{to}@example.net", score)
        )
    with connection:
        connection.executemany(
            "INSERT INTO traffic_seen (account, server, source, time, hour, client, outcome, rbl,"
            " count, host, service, client_name, recipient, score)"
            " VALUES (?, 1, 1, ?, ?, ?, ?, 0, 1, 'mx1', 'smtpd', ?, ?, ?)",
            rows,
        )
        for table, step in (("clienthour", HOUR), ("clientday", DAY)):
            connection.execute(
                f"INSERT INTO traffic_{table}"  # noqa: S608 (names of our own)
                " (account, start, client, server, source, outcome, rbl, count)"
                " SELECT account, hour - hour % ?, client, 1, 1, outcome, 0, COUNT(*)"
                " FROM traffic_seen GROUP BY 1, 2, 3, 6",
                (step,),
            )
        connection.execute(
            "INSERT INTO traffic_total (account, step, start, server, source, outcome, rbl, count)"
            " SELECT account, 86400, start, server, source, outcome, rbl, SUM(count)"
            " FROM traffic_clientday GROUP BY account, start, server, source, outcome, rbl"
        )
        connection.execute(
            "INSERT INTO traffic_lastseen (server, source, account, time, kept)"
            " VALUES (1, 1, ?, ?, ?)",
            (account, NOW * 1000, NOW * 1000),
        )
    fill_names(connection)
    connection.close()
    print(f"made in {time.monotonic() - began:.0f} s")


def fill_names(connection: sqlite3.Connection) -> None:
    from mailmum.traffic.packing import reversed_name

    connection.create_function("reversed", 1, lambda name: reversed_name(name).encode())
    with connection:
        connection.execute(
            "INSERT INTO traffic_nameday"
            " (account, start, name, kind, client, server, source, outcome, count)"
            " SELECT account, hour - hour % 86400, reversed(client_name), 1, client, 1, 1, outcome,"
            " COUNT(*) FROM traffic_seen GROUP BY account, hour / 86400, client_name, outcome"
        )


def try_rules(reading, only: str) -> None:
    from mailmum.control.triggers.backtest import backtest, last_of

    print(f"{'rule':24} {'rows':>9} {'of CPU':>7} {'listings':>9} {'spared':>7} {'hit':>6}  digest")
    for name, rule in rules().items():
        if only and only != name:
            continue
        began = time.process_time()
        report = last_of(backtest(reading, rule, now=NOW))
        spent = time.process_time() - began
        told = report.as_dict() | {"seconds": 0}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
        print(
            f"{name:24} {report.rows:9,} {spent:7.2f} {report.listings:9,} {report.spared:7,}"
            f" {report.hit:6,}  {digest}"
        )
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def rules():
    from mailmum.triggers.presets import PRESETS
    from mailmum.triggers.rules import Group, Where

    ready = {preset.name: preset.rule for preset in PRESETS}
    score, trap = ready["spam-score"], ready["trap"]
    return {
        "spam-score": score,
        "trap": trap,
        "score, 6 in 2 hours": replace(score, threshold=6, window=2 * HOUR),
        "score, no exception": replace(score, accepted=0),
        "score, by network": replace(score, group=Group.NETWORK, merge=0, brake=20),
        "score, merged": replace(score, merge=5),
        "score, by server": replace(score, where=Where.SERVER),
        "score, by domain": replace(score, group=Group.DOMAIN),
        "trap, by domain": replace(trap, group=Group.DOMAIN),
    }


if __name__ == "__main__":
    main()
