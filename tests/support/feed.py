"""Puts sightings into the traffic database of a service that runs elsewhere.

    feed(service, "mx1", [{"client": "203.0.113.7", "outcome": "accepted"}])

It is a process of its own, because Django's settings are those of one installation.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from tests.support.service import Service


def feed(service: Service, server: str, seen: Sequence[dict[str, Any]]) -> None:
    """Keep sightings, given by their fields; the time is now where none is given."""
    subprocess.run(
        [sys.executable, "-m", "tests.support.feed", server],
        input=json.dumps(list(seen)),
        text=True,
        env=service.environment,
        timeout=60,
        check=True,
    )


def main() -> None:
    """Read sightings from standard input and keep them."""
    from mailmum.control import prepare

    prepare.set_up_django()
    from mailmum.control.servers.models import Server
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Outcome, Sighting, Source
    from tests.control.traffic.kit import Batch

    server = Server.objects.get(name=sys.argv[1], removed=None)
    seen = [
        Sighting(**{"time": time.time()} | one | {"outcome": Outcome(one["outcome"])})
        for one in json.load(sys.stdin)
    ]
    keep(server.account_id, server.pk, Source.LOG, Batch(seen))


if __name__ == "__main__":
    main()
