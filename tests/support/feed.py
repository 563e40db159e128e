"""Puts sightings into the traffic database of a service that runs elsewhere.

    with feeding(service) as feed:
        feed("mx1", [{"client": "203.0.113.7", "outcome": "accepted"}])

It is a process of its own, because Django's settings are those of one installation; and one for
all that a test feeds, because loading Django takes a second.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.support.service import Service

Feed = Callable[[str, Sequence[dict[str, Any]]], None]
"""Keeps sightings of a server, given by their fields; the time is now where none is given."""


@contextmanager
def feeding(service: Service) -> Iterator[Feed]:
    """What feeds the service, whether it runs at the moment or not."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.feed"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=service.environment,
    ) as process:

        def feed(server: str, seen: Sequence[dict[str, Any]]) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([server, list(seen)]) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "kept\n"

        yield feed


def feed(service: Service, server: str, seen: Sequence[dict[str, Any]]) -> None:
    """Keep sightings this once."""
    with feeding(service) as keep:
        keep(server, seen)


def main() -> None:
    """Keep what comes, server and sightings in one line, until nothing more does."""
    from mailmum.control import prepare

    prepare.set_up_django()
    from django.db import connections

    for line in sys.stdin:
        _keep(*json.loads(line))
        # The service may be stopped, and its database with it.
        connections.close_all()
        sys.stdout.write("kept\n")
        sys.stdout.flush()


def _keep(name: str, seen: list[dict[str, Any]]) -> None:
    from mailmum.control.servers.models import Server
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Outcome, Sighting, Source
    from tests.control.traffic.kit import Batch

    server = Server.objects.get(name=name, removed=None)
    sightings = [
        Sighting(**{"time": time.time()} | one | {"outcome": Outcome(one["outcome"])})
        for one in seen
    ]
    keep(server.account_id, server.pk, Source.LOG, Batch(sightings))


if __name__ == "__main__":
    main()
