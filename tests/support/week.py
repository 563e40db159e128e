"""Two weeks of mail as pages show it: senders that are welcome, networks that abuse, odd values.

    feed(1, {"mx1": 3, "mx2": 4}, count=2000)     in this process
    feed_service(running, count=2000)             into a service that runs

Who comes is made up, with a fixed seed.  Strangers write what they like: some of it is markup, some
of it is long.
"""

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Source, Update
from tests.support.service import Service

EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
LONG_NAME = "mta-out-14.eu-central.a-newsletter-delivery-platform-with-a-name.example"
LONG_SENDER = f"bounce+8f3a=verein=lists.example=0123456789abcdef@{LONG_NAME}"
LONG_CLIENT = "2001:db8:4f:1c00:9a3e:21ff:fe07:b1d4"
DAY = 86_400


class Batch(NamedTuple):
    """What was found in a stretch of a log."""

    sightings: list[Sighting]
    updates: tuple[Update, ...] = ()


def feed(account: int, servers: Mapping[str, int], count: int = 2000, now: float = 0.0) -> None:
    """Keep two weeks of log lines of each server, and lookups of the first; then list the worst.

    The last server is silent since three hours; failing logins are many in the last whole hour, and
    since a day a new network abuses.
    """
    from mailmum.control.traffic.intake import Lookup, keep, keep_lookups
    from mailmum.control.traffic.working_up import Lister

    clock = now or time.time()
    chance = random.Random(4)
    for name, number in servers.items():
        silent = 3 * 3600 if name == list(servers)[-1] and len(servers) > 1 else 0
        made = [*_weeks(chance, clock, count // len(servers)), *_news(clock)]
        sightings = sorted((one for one in made if one.time < clock - silent), key=_time)
        for at in range(0, len(sightings), 500):
            keep(account, number, Source.LOG, Batch(sightings[at : at + 500]), now=clock)
        if name == next(iter(servers)):
            asked = [
                Lookup(account, number, clock - 300, "203.0.113.77", Outcome.LISTED, 12),
                Lookup(account, number, clock - 200, "dsl-7.pool.example", Outcome.UNLISTED, 3),
                Lookup(account, number, clock - 100, "198.51.100.25", Outcome.ALLOWED, 1),
            ]
            keep_lookups(Source.DNS, asked, now=clock)
    for _ in Lister().steps(clock):
        pass


def _time(one: Sighting) -> float:
    return one.time


def _weeks(chance: random.Random, now: float, count: int) -> Iterator[Sighting]:
    for _ in range(count):
        # More by day than by night, nothing for three hours on the fourth day.
        ago = 14 * DAY * chance.random()
        night = (now - ago) % DAY < DAY / 3
        if 3.4 * DAY < ago < 3.4 * DAY + 3 * 3600 or (night and chance.random() < 0.5):
            continue
        yield _one(chance, now - ago)


def _news(now: float) -> Iterator[Sighting]:
    hour = now // 3600 * 3600 - 3600
    for number in range(60):
        yield _seen(hour + number * 59, f"203.0.113.{140 + number % 9}", None, Outcome.AUTH_FAILED)
    for number in range(40):
        yield _seen(
            now - 80_000 + number * 1700, f"2001:db8:4f:1c00::{number:x}", None, Outcome.REJECTED,
            rbl="zen.rbl.example", sender="winner@prizes.example", recipient="info@office.example",
        )  # fmt: skip
    yield from _odd(now)


def _one(chance: random.Random, at: float) -> Sighting:
    kind = chance.random()
    if kind < 0.3:
        last = chance.randrange(90, 110)
        name = f"smtp-out-{last}.bigmail.example"
        return _seen(
            at, f"192.0.2.{last}", name, Outcome.ACCEPTED, queue_id=f"4F{chance.getrandbits(24):X}",
            sender=f"person{last}@bigmail.example", recipient=f"staff{last % 7}@office.example",
            code=250, delivery=Delivery.SENT, score=round(chance.random() * 3, 1),
        )  # fmt: skip
    if kind < 0.6:
        last = min(int(chance.paretovariate(0.8)), 255)
        return _seen(
            at, f"203.0.113.{last}", f"vps-{last}.cheapcloud.example", Outcome.REJECTED,
            sender="promo@win-now.example", recipient=f"info{last % 9}@office.example", code=554,
            rbl="bl.mailmum.internal",
            reason=f"5.7.1 Service unavailable; Client host [203.0.113.{last}] blocked",
        )  # fmt: skip
    if kind < 0.78:
        last = chance.randrange(64, 96)
        rbl = chance.choice(["zen.rbl.example", "zen.rbl.example", "bl.copper.example"])
        return _seen(
            at, f"198.51.100.{last}", f"dsl-{last}.pool.example", Outcome.REJECTED, rbl=rbl,
            sender=f"x{last}@dsl.example", recipient="sales@office.example", code=554,
            reason=f"5.7.1 Service unavailable; blocked using {rbl}",
        )  # fmt: skip
    if kind < 0.88:
        return _seen(
            at, f"203.0.113.{chance.randrange(128, 200)}", None, Outcome.UNKNOWN_RECIPIENT,
            sender="a@b.example", recipient=f"nobody{chance.randrange(99)}@office.example",
            code=550, reason="5.1.1 User unknown in virtual mailbox table",
        )  # fmt: skip
    outcome = chance.choice(
        [Outcome.DEFERRED, Outcome.AUTH_FAILED, Outcome.LOST, Outcome.RELAY_DENIED]
    )
    return _seen(at, f"198.51.100.{chance.randrange(200, 250)}", None, outcome, helo="ylmf-pc")


def _odd(now: float) -> Iterator[Sighting]:
    """What must neither break the layout nor come alive."""
    yield _seen(now - 20, "203.0.113.66", EVIL, Outcome.REJECTED, helo=EVIL, reason=EVIL, code=554)
    yield _seen(
        now - 30, LONG_CLIENT, LONG_NAME, Outcome.ACCEPTED, helo=f"x.{LONG_NAME}",
        sender=LONG_SENDER, recipient=LONG_SENDER, queue_id="4FLONG", delivery=Delivery.BOUNCED,
        score=-12.75,
    )  # fmt: skip
    yield _seen(now - 40, None, None, Outcome.LOST)
    yield _seen(now - 50, "203.0.113.67", None, Outcome.REJECTED, sender="", recipient=EVIL)


def _seen(
    at: float, client: str | None, name: str | None, outcome: Outcome, **more: object
) -> Sighting:
    given = {"helo": name, "host": "mx", "service": "smtpd"} | more
    return Sighting(at, client=client, client_name=name, outcome=outcome, **given)  # type: ignore[arg-type]


def feed_service(service: Service, count: int = 2000) -> None:
    """Feed a running service, from a process that has its parameters."""
    command = [sys.executable, "-m", "tests.support.week", str(count)]
    subprocess.run(command, env=service.environment, check=True, timeout=120)


def main(count: int) -> None:
    """Feed the first account of the service whose parameters this process has."""
    from mailmum.control import prepare

    prepare.set_up_django()
    from mailmum.control.servers.models import Server

    servers = {one.name: one for one in Server.objects.filter(removed=None).order_by("pk")}
    first = next(iter(servers.values()))
    feed(first.account_id, {name: one.pk for name, one in servers.items()}, count)


if __name__ == "__main__":
    main(int(sys.argv[1]))
