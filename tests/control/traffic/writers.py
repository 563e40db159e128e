"""Processes that keep sightings in a data folder, several at once, some of which are killed.

    MAILMUM_DATA=... python -m tests.control.traffic.writers SEED

Writers 1 and 2 follow streams of their own; two more follow the stream of server 3 both, and only
one of them can get on with each batch; the writer of server 4 is killed again and again and started
anew.  Then what is kept is printed as JSON.

It is a program because Django's connections do not go well with the fork of a test run.
"""

import json
import os
import random
import signal
import sys
import time
from typing import Any

from mailmum.control import config, prepare
from tests.control.traffic.kit import NOW, Batch, seen

EACH, BATCHES, KILLED = 20, 25, 4
SERVERS = (1, 2, 3, KILLED)


def sightings(server: int, number: int) -> Batch:
    """What a batch holds: some clients that all writers share, and some of its own."""
    return Batch(
        [
            seen(
                NOW - number * 10 - n,
                f"203.0.113.{n % 7}" if n % 2 else f"10.{server}.{number % 250}.{n}",
                client_name="mail.spam.example",
                rbl="a.rbl.example",
            )
            for n in range(EACH)
        ]
    )


def follow(server: int) -> None:
    """Keep batches from where the stream stands until all are kept."""
    from mailmum.control.traffic.intake import Mark, OutOfStep, keep, mark_of
    from mailmum.traffic.sightings import Source

    parent = os.getppid()
    while os.getppid() == parent:  # nobody stays behind when a test is given up
        stands = mark_of(server, "file:a")
        number = int(stands.position) if stands else 0
        if number >= BATCHES:
            return
        mark = Mark(server, "file:a", str(number + 1), b"state")
        after = stands.position if stands else None
        try:
            keep(1, server, Source.LOG, sightings(server, number), mark=mark, after=after, now=NOW)
        except OutOfStep:
            continue


def start(server: int) -> int:
    """A process that follows."""
    child = os.fork()
    if child == 0:
        follow(server)
        os._exit(0)
    return child


def ended(child: int) -> int:
    """How a process ended."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Start all, kill one of them again and again, and tell what is kept."""
    chance = random.Random(int(sys.argv[1]))
    prepare.set_up_django()
    prepare.database(config.current())
    from django.db import connections

    connections.close_all()
    others = [start(server) for server in (1, 2, 3, 3)]
    kills = 0
    while True:
        child = start(KILLED)
        time.sleep(chance.uniform(0.01, 0.12))
        os.kill(child, signal.SIGKILL)
        if ended(child) == 0:
            break
        kills += 1
        if kills > 40:  # a slow machine; let it end
            assert ended(start(KILLED)) == 0
            break
    statuses = [ended(other) for other in others]
    print(json.dumps({"kills": kills, "statuses": statuses, **kept()}))  # noqa: T201


def kept() -> dict[str, Any]:
    """What is in the database."""
    from django.db.models import Sum

    from mailmum.control.traffic.models import ClientDay, Seen, Stream, Total

    clients = ClientDay.objects.values_list("client").annotate(sum=Sum("count"))
    totals = Total.objects.filter(step=86_400).values_list("server").annotate(sum=Sum("count"))
    return {
        "seen": list(Seen.objects.order_by("id").values_list("server", "time")),
        "clients": [[bytes(client).hex(), count] for client, count in clients.order_by()],
        "totals": list(totals.order_by()),
        "marks": list(Stream.objects.values_list("server", "position")),
    }


if __name__ == "__main__":
    main()
