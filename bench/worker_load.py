"""What `worker_kills` lets come in: lines of a mail log, and questions to DNS."""

import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.test_faults import blocked
from tests.support.service import Service

BLOCKED = "192.0.2.200"


@dataclass
class Log:
    """A mail log that is written to all the time.

    Attributes:
        path: where.
        rejects: how many recipients were refused in it, each a sighting.
    """

    path: Path
    random: random.Random
    rejects: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        """Write sessions until told to stop."""
        with self.path.open("a", buffering=1) as file:
            while not self.stopped.wait(0.03):
                file.write(self._session())

    def _session(self) -> str:
        network, last = self.random.randrange(200), self.random.randrange(4)
        client = f"unknown[198.18.{network}.{last}]"
        many = self.random.randrange(1, 4)
        head = (
            f"{datetime.now(UTC):%b %d %H:%M:%S} mx1 postfix/smtpd[{self.random.randrange(9999)}]"
        )
        reject = (
            f"{head}: NOQUEUE: reject: RCPT from {client}: 550 5.1.1 <x@example.net>: Recipient "
            "address rejected: User unknown in local recipient table; from=<a@b.example> "
            "to=<x@example.net> proto=ESMTP helo=<b.example>\n"
        )
        self.rejects += many
        return (
            f"{head}: connect from {client}\n{reject * many}{head}: disconnect from {client} "
            f"ehlo=1 mail=1 rcpt=0/{many} quit=1 commands=2/{2 + many}\n"
        )


class Answers:
    """Asks a DNS server about a blocked address all the time.

    Attributes:
        right: how many answers were right.
        wrong: how many were not, or did not come.
    """

    def __init__(self, made: Service, zone: str) -> None:
        self.right = self.wrong = 0
        self._made, self._zone = made, zone
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def end(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join(30)

    def _ask(self) -> None:
        while not self._stop.wait(0.02):
            if blocked(self._made, self._zone, BLOCKED):
                self.right += 1
            else:
                self.wrong += 1
