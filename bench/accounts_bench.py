"""Measure the worker with thousands of accounts: its rounds, and how soon triggers list.

    .venv/bin/python bench/accounts_bench.py                    2,000 accounts
    .venv/bin/python bench/accounts_bench.py --accounts 500
    .venv/bin/python bench/accounts_bench.py --data DIR         keep the data, to measure again

Each account has a server, a listing, a channel for alerts and two triggers; twenty of them have
traffic.  First each task of the worker goes round once, by itself, and then once more, when nothing
has changed.  Then the real worker runs as a process of its own, and sightings that complete a
trigger are kept in accounts chosen by chance, while its rounds are due: how long until each listing
has been committed is what somebody waits who is attacked.
"""

import argparse
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BUSY = 20
ATTACKS = 60
PAUSE = 0.5


def main() -> None:
    options = read_options()
    folder = Path(options.data or tempfile.mkdtemp(prefix="mailmum-bench-"))
    os.environ |= {"MAILMUM_DATA": str(folder), "MAILMUM_LOG_LEVEL": "warning"}
    fresh = not (folder / "traffic.sqlite3").exists()
    set_up()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    if fresh:
        fill(options.accounts)
    rounds()
    soon(options.seconds)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0, help="for the worker to start")
    parser.add_argument("--data", default="")
    return parser.parse_args()


def set_up() -> None:
    from mailmum.control import config, logs, prepare

    prepare.folder(Path(os.environ["MAILMUM_DATA"]))
    logs.set_up(config.current(), "bench")
    prepare.set_up_django()
    prepare.database(config.current())


def fill(accounts: int) -> None:
    from django.db import transaction

    began = time.monotonic()
    for first in range(0, accounts, 100):
        with transaction.atomic():
            for number in range(first, min(first + 100, accounts)):
                fill_one(number)
    print(f"{accounts:,} accounts made in {time.monotonic() - began:.0f} s")


def fill_one(number: int) -> None:
    from mailmum.control.accounts.services import create_account
    from mailmum.control.alerts.channels import Wish, add_channel
    from mailmum.control.listings.draft import make_wish
    from mailmum.control.listings.services import list_targets
    from mailmum.control.servers.services import add_server
    from mailmum.control.triggers.services import add_trigger
    from mailmum.domain.listings import Action

    access = create_account(f"account-{number}", f"owner-{number}@example.net")
    server = add_server(access, "mx1")
    list_targets(access, ["203.0.113.9"], make_wish(Action.BLOCK, now=time.time()))
    add_channel(access, Wish(name="mail", kind="email", target=f"o{number}@example.net"))
    add_trigger(access, "users", {"mode": "enforce", "threshold": 3}, preset="dictionary-attack")
    add_trigger(access, "logins", {"mode": "observe"}, preset="password-guessing")
    if number % 100 == 0 and number // 100 < BUSY:
        traffic(access.account.pk, server.pk, number)


def traffic(account: int, server: int, seed: int) -> None:
    """Two days of a busy server."""
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Outcome, Sighting, Source

    chance, now = random.Random(seed), time.time()
    outcomes = (Outcome.REJECTED, Outcome.ACCEPTED, Outcome.LOST, Outcome.CONNECTED)
    seen = [
        Sighting(
            now - 48 * 3600 + 86.4 * at / 2,
            client=f"198.51.{chance.randrange(100)}.{chance.randrange(256)}",
            outcome=chance.choice(outcomes),
        )
        for at in range(4000)
    ]
    keep(account, server, Source.LOG, batch(seen))


def batch(sightings):
    from types import SimpleNamespace

    return SimpleNamespace(sightings=sightings, updates=())


def rounds() -> None:
    """Each task of the worker, once and once more."""
    from django.db import connections

    from mailmum.control.suggestions.inbox import thinking
    from mailmum.control.triggers.following import Follower
    from mailmum.control.worker import Task, slow_tasks, tasks

    counted = [0]

    def count(execute, sql, params, many, context):
        counted[0] += 1
        return execute(sql, params, many, context)

    for name in connections:
        connections[name].execute_wrappers.append(count)
    follower = Follower()
    # Those that are left out wait for others.
    todo = [
        *tasks(threading.Event()),
        *(one for one in slow_tasks() if one.name not in ("feeds", "witnesses")),
        Task("suggestions", 3600.0, thinking),
    ]
    todo.append(Task("following", 0.25, follower.steps))
    print(f"{'task':12} {'first':>9} {'queries':>9} {'again':>9} {'queries':>9}   seconds of CPU")
    for task in todo:
        figures = []
        for _ in range(2):
            counted[0], began = 0, time.process_time()
            for _ in task.steps(time.time()):
                pass
            figures += [f"{time.process_time() - began:9.2f}", f"{counted[0]:9,}"]
        print(f"{task.name:12} {' '.join(figures)}", flush=True)
    for name in connections:
        connections[name].execute_wrappers.clear()
        connections[name].close()


def soon(seconds: float) -> None:
    """How soon attacked accounts list while the worker goes its rounds."""
    worker = subprocess.Popen([sys.executable, "-m", "mailmum", "worker"])
    try:
        time.sleep(seconds)
        waits = sorted(attack(number) for number in range(ATTACKS))
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()
    late = sum(wait > 2 for wait in waits)
    middle = waits[len(waits) // 2]
    print(
        f"{len(waits)} attacks, each in another account: listed after {middle:.2f} s at the median,"
        f" {waits[-1]:.2f} s at most; {late} later than 2 s"
    )


def attack(number: int) -> float:
    """Let a client attack an account; seconds until it has been listed there."""
    from mailmum.control.accounts.models import Account
    from mailmum.control.listings.models import Version
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Outcome, Sighting, Source

    accounts = list(Account.objects.filter(name__startswith="account-").order_by("pk"))
    account = accounts[(number * 61) % len(accounts)]
    # Another in each run: who is listed already would seem to be listed at once.
    client = f"2001:db8::{random.getrandbits(16):x}:{number + 1:x}"
    seen = [Sighting(time.time(), client=client, outcome=Outcome.UNKNOWN_RECIPIENT)] * 3
    keep(account.pk, account.servers.get().pk, Source.LOG, batch(seen))
    began = time.monotonic()
    mine = Version.objects.filter(account=account, source="trigger", target=client, until=None)
    while not mine.exists() and time.monotonic() - began < 120:
        time.sleep(0.02)
    waited = time.monotonic() - began
    time.sleep(PAUSE)
    return waited


if __name__ == "__main__":
    main()
