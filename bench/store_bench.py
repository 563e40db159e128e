"""Measure the store of sightings: keeping them, and every kind of question with many rows kept.

    .venv/bin/python bench/store_bench.py                       keeping only, under a minute
    .venv/bin/python bench/store_bench.py --rows 10000000       questions too, some minutes
    .venv/bin/python bench/store_bench.py --rows 10000000 --database postgresql://...
    .venv/bin/python bench/store_bench.py --there --folder /tmp/big [--database postgresql://...]

With `--there` nothing is kept and nothing changed: asked is what lies there, as `web_bench` has
filled it.  Else the database has to be empty, since everything goes to account 1.

Traffic is made up, with a fixed seed: a third comes from a thousand busy clients, half from a pool
of two hundred thousand in forty /16 that come seldom, the rest from clients seen once.  Time is
that of this process on its processor, which on SQLite is all there is; on PostgreSQL the wall
clock.  The figures are of this machine in this hour.
"""

import argparse
import os
import platform
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any, NamedTuple

DAYS = 30
BATCH = 20_000
NOW = 1_790_000_000
ACCOUNT, SERVERS = 1, tuple(range(1, 21))


class Batch(NamedTuple):
    """What is found in a stretch of a log."""

    sightings: list[Any]
    updates: tuple[Any, ...] = ()


def main() -> None:
    options = read_options()
    if options.database:
        os.environ["MAILMUM_DATABASE"] = options.database
    if options.there:
        there(options.folder)
        return
    with tempfile.TemporaryDirectory(prefix="mailmum-store-", dir=options.folder) as folder:
        set_up(folder)
        say(
            f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}"
        )
        keeping(options.batches)
        if options.rows:
            fill(options.rows)
            questions()
        say("memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batches", type=int, default=15, help=f"of {BATCH}, for keeping")
    parser.add_argument("--rows", type=int, default=0, help="roll-up rows for the questions")
    parser.add_argument("--folder", help="where the databases lie for the time being")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL instead")
    parser.add_argument("--there", action="store_true", help="only ask, of what the folder holds")
    options = parser.parse_args()
    if options.there and not options.folder:
        parser.error("--there needs --folder: where are the data?")
    return options


def set_up(folder: str) -> None:
    from pathlib import Path

    from mailmum.control import config, prepare
    from mailmum.control.config import Overrides

    parameters = config.use(Overrides(data=Path(folder)))
    prepare.set_up_django()
    prepare.database(parameters)


def there(folder: str) -> None:
    """Ask only, of the account that has the latest counts, as of then."""
    global ACCOUNT, NOW
    set_up(folder)
    from mailmum.control.traffic.models import Changed, Total

    say(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]}")
    last = Total.objects.filter(step=60).order_by("-start").first()
    if last is None:
        raise SystemExit(f"there is no traffic in {folder}: fill it with bench.web_bench")
    ACCOUNT, NOW = last.account, last.start + 60
    say("rows", ", ".join(f"{name} {count:,}" for name, count in sizes()))
    behind = Changed.objects.filter(account=ACCOUNT, step=86_400, start__lt=NOW - 86_400).count()
    say("not summed", f"{behind} days by network")
    ask()


def traffic(chance: random.Random, span: tuple[float, float], count: int) -> Iterator[Any]:
    """Sightings in the order of time."""
    from mailmum.traffic.sightings import Outcome, Sighting

    outcomes = [Outcome.REJECTED] * 11 + [Outcome.ACCEPTED] * 4 + [Outcome.UNKNOWN_RECIPIENT] * 2
    outcomes += [Outcome.AUTH_FAILED, Outcome.PROTOCOL, Outcome.LOST]
    lists = ("zen.rbl.example", "bl.drop.example", "b.barrier.example", "mailmum.internal")
    begin, end = span
    pace = (end - begin) / count
    for number in range(count):
        client = one_client(chance)
        outcome = chance.choice(outcomes)
        name = f"host-{client.replace('.', '-').replace(':', '-')}.pool.example"
        yield Sighting(
            begin + number * pace,
            "mx1.example.net",
            "smtpd",
            client,
            name if chance.random() < 0.6 else None,
            name if chance.random() < 0.5 else "localhost",
            f"news{chance.randrange(3000)}@offers{chance.randrange(300)}.example",
            f"user{chance.randrange(300)}@example.net",
            outcome,
            250 if outcome is Outcome.ACCEPTED else 554,
            chance.choice(lists) if outcome is Outcome.REJECTED else None,
            f"{chance.getrandbits(40):X}" if outcome is Outcome.ACCEPTED else None,
            None,
            None,
            f"Service unavailable; Client host [{client}] blocked using {lists[0]}",
        )


def one_client(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.35:
        number = min(int(chance.paretovariate(0.7)), 1000)
        return f"198.51.{number // 250}.{number % 250}"
    if kind < 0.85:
        number = chance.randrange(200_000)
        network, host = divmod(number, 100)
        return f"203.{network // 50}.{5 * (network % 50)}.{host}"
    if kind < 0.9:
        return f"2001:db8:{chance.randrange(4096):x}::{chance.randrange(64):x}"
    return ".".join(str(chance.randrange(1, 224)) for _ in range(4))


def keeping(batches: int) -> None:
    """How quickly sightings are kept, with all that they add, in batches of a busy hour each."""
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Source

    chance = random.Random(1)
    speeds = []
    for number in range(batches):
        # In an account of its own, two batches an hour.
        begin = NOW - 86_400 + number * 1800
        batch = Batch(list(traffic(chance, (begin, begin + 1800), BATCH)))
        speeds.append(BATCH / spent(partial(keep, 99, 99, Source.LOG, batch)))
    say("kept", f"{median(speeds):,.0f} a second at the median, slowest {min(speeds):,.0f}")


def fill(rows: int) -> None:
    """Thirty days for one account with twenty servers, until there are so many roll-up rows."""
    from mailmum.control.traffic.intake import keep
    from mailmum.traffic.sightings import Source

    chance = random.Random(2)
    # About as many as two rows come of a sighting; what it really is, is said at the end.
    total = round(rows / 1.9)
    began, speeds = time.monotonic(), []
    span = DAYS * 86_400 / (total / BATCH)
    for number in range(max(total // BATCH, 1)):
        begin = NOW - DAYS * 86_400 + number * span
        batch = Batch(list(traffic(chance, (begin, begin + span), BATCH)))
        server = SERVERS[number % len(SERVERS)]
        speeds.append(BATCH / spent(partial(keep, ACCOUNT, server, Source.LOG, batch)))
    say("filled", f"{total:,} sightings in {time.monotonic() - began:.0f} s")
    say(
        "kept then",
        f"{median(speeds):,.0f} a second; last tenth {median(speeds[-len(speeds) // 10 :]):,.0f}",
    )
    say("rows", ", ".join(f"{name} {count:,}" for name, count in sizes()))


def sizes() -> list[tuple[str, int]]:
    from mailmum.control.traffic import models

    tables = (models.Seen, models.Total, models.ClientHour, models.ClientDay, models.NameDay)
    return [(table.__name__, table.objects.count()) for table in tables]


def questions() -> None:
    """Every kind of question that pages and checks ask, and the worker's own work."""
    from mailmum.control.traffic.retention import CHUNK, expire
    from mailmum.control.traffic.terms import set_terms
    from mailmum.control.traffic.working_up import Lister
    from mailmum.traffic.terms import Terms

    listed: list[object] = []
    seconds = spent(lambda: listed.extend(Lister().steps(NOW)))
    say("listed", f"the worst of {len(listed)} hours and days in {seconds:.1f} s")
    ask()
    set_terms(ACCOUNT, Terms(recent_days=13, minute_days=1, hour_days=29, day_days=29))
    steps = expire(ACCOUNT, NOW)
    times = [spent(partial(next, steps, None)) for _ in range(500)]
    say("expire", f"{CHUNK} rows in {1000 * median(times):.1f} ms, at most {1000 * max(times):.1f}")


def ask() -> None:
    """Each question five times."""
    for name, question in asked():
        times = [spent(question) for _ in range(5)]
        say(f"{1000 * median(times):9.1f} ms  first {1000 * times[0]:7.1f}  {name}")


def asked() -> Iterator[tuple[str, Callable[[], object]]]:
    from mailmum.control.traffic import clients, names, totals
    from mailmum.control.traffic.find import find, latest, news
    from mailmum.control.traffic.reading import Wanted
    from mailmum.control.traffic.worst import worst
    from mailmum.domain.targets import NameTarget, parse_network
    from mailmum.traffic.sightings import Outcome

    month, day = Wanted(since=NOW - 30 * 86_400), Wanted(since=NOW - 86_400)
    one = Wanted(since=NOW - 30 * 86_400, servers=frozenset({3}))
    for name, wanted in (("30 days", month), ("24 hours", day), ("30 days, one server", one)):
        yield f"totals, {name}", partial(totals.by_outcome, ACCOUNT, wanted, now=NOW)
        yield f"totals by server, {name}", partial(totals.by_server, ACCOUNT, wanted, now=NOW)
        yield f"hits by list, {name}", partial(totals.by_list, ACCOUNT, wanted, now=NOW)
        yield f"worst clients, {name}", partial(worst, ACCOUNT, wanted, now=NOW)
        yield f"worst networks, {name}", partial(worst, ACCOUNT, wanted, networks=True, now=NOW)
    yield "over 30 days by hour", partial(totals.over_time, ACCOUNT, month, 3600, now=NOW)
    yield "over 24 hours by minute", partial(totals.over_time, ACCOUNT, day, 60, now=NOW)
    for text in (
        "198.51.0.1",
        "203.1.35.9",
        "203.1.35.0/24",
        "203.1.0.0/16",
        "64.0.0.0/8",
        "203.0.0.0/8",
        "203.0.0.0/9",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "0.0.0.0/0",
        "2001:db8::/33",
    ):
        network = parse_network(text)
        yield f"about {text}, 30 days", partial(clients.about, ACCOUNT, network, month, now=NOW)
        if network.version == 4 and network.prefix >= 16:
            yield (
                f"clients in {text}, 30 days",
                partial(clients.clients_in, ACCOUNT, network, month, now=NOW),
            )
        wanted = Wanted(client=network)
        yield f"sightings of {text}", partial(find, ACCOUNT, wanted)
    yield "newest sightings", partial(find, ACCOUNT, Wanted())
    server = Wanted(servers=frozenset({3}), outcomes=frozenset({Outcome.AUTH_FAILED}))
    yield "newest of a server and outcome", partial(find, ACCOUNT, server)
    yield "sender, found", partial(find, ACCOUNT, Wanted(sender="news17@offers1"))
    yield "sender, not there", partial(find, ACCOUNT, Wanted(sender="nobody"))
    yield "what is new", lambda: news(ACCOUNT, Wanted(), latest() - 500)
    for name, whole in (
        ("host-203-1-35-9.pool.example", False),
        ("host-203-1-35-9.pool.example", True),
        ("example", True),
    ):
        yield (
            f"under {name}, 30 days",
            partial(names.under, ACCOUNT, NameTarget(name, whole), month, now=NOW),
        )
    yield (
        "every count of 30 days, in order",
        lambda: sum(1 for _ in clients.in_order(ACCOUNT, month, 3600, now=NOW)),
    )


def spent(work: Callable[[], object]) -> float:
    from django.db import connections

    from mailmum.control.traffic.router import traffic_database

    clock = time.process_time
    if connections[traffic_database()].vendor == "postgresql":
        clock = time.perf_counter
    began = clock()
    work()
    return clock() - began


def say(*words: str) -> None:
    print(f"{words[0]:12} {' '.join(words[1:])}" if len(words) > 1 else words[0], flush=True)


if __name__ == "__main__":
    main()
