"""Kill workers and stop PostgreSQL under load, and see that triggers neither skip nor double.

    .venv/bin/python -m bench.worker_kills                       some minutes
    .venv/bin/python -m bench.worker_kills --kills 100 --stops 10 --seed 7

One PostgreSQL, a service on it that follows a mail log, a second worker and a second DNS server
with folders of their own.  Lines come in all the time.  Now one of the two workers is killed (-9)
at a random moment, now PostgreSQL is stopped, every other time without letting it finish, and
started again some seconds later; both DNS servers are asked all the while.  In the end

- every line that was written is kept once, as a sighting;
- each trigger has found what one judge finds that sees the same from beginning to end, and made
  each listing once;
- each alert was opened once, and told once to a mail server that takes everything;
- DNS has answered every question, and everything has mended itself.

It stops with an error where that is not so, and tells how long it took things to be well again
after each stop: a figure of this machine in this hour.
"""

import argparse
import email
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from bench.worker_load import BLOCKED, Answers, Log
from mailmum.traffic.codes import SOURCES
from mailmum.traffic.sightings import Source
from tests.e2e.test_faults import blocked
from tests.support.mail_sink import Sink, mail_sink
from tests.support.postgres import Cluster, postgres, postgres_again
from tests.support.proxy import Line, bad_line
from tests.support.service import MAILMUM, Service, make_service
from tests.support.tables import fresh_database

KEPT = f"SELECT count(*) FROM traffic_seen WHERE source = {SOURCES[Source.LOG]}"  # noqa: S608
STOPPED = "SELECT count(*) FROM triggers_trigger WHERE stopped_at IS NOT NULL"
OPENED = "FROM alerts_alert WHERE kind = 'trigger-stopped'"
PATIENCE = 90.0
TRIGGERS = (
    ("addresses", "--metric unknown-recipients --threshold 4 --within 10m --brake 0"),
    ("networks", "--metric unknown-recipients --threshold 9 --within 5m --group network --brake 0"),
)
BRAKED = "--metric unknown-recipients --threshold 1 --within 1m --brake 3"
"""One that stops itself after three listings, which is worth an alert."""


@dataclass
class World:
    """All that runs.

    Attributes:
        made: the service.
        other: the folder and variables of the second worker and the second DNS server.
        cluster: PostgreSQL as it was started first.
        line: the way to it.
        stack: ends it all.
    """

    made: Service
    other: Service
    cluster: Cluster
    line: Line
    stack: ExitStack
    pid: int = 0
    second: subprocess.Popen[bytes] | None = None

    def start_worker(self) -> None:
        """Start the second worker."""
        with (self.other.data.parent / "worker.log").open("ab") as log:
            self.second = subprocess.Popen(
                [MAILMUM, "worker"], env=self.other.environment, stdout=log, stderr=log
            )

    def end_worker(self) -> None:
        """End the second worker."""
        if self.second is not None:
            self.second.kill()
            self.second.wait()

    def kill_worker(self, chance: random.Random) -> str:
        """Kill one of the two workers; which."""
        if chance.random() < 0.5 and self.second is not None:
            self.end_worker()
            self.start_worker()
            return "second"
        pid = newest_pid(self.made, "worker")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return "first"

    def stop_database(self, number: signal.Signals, seconds: float) -> None:
        """Stop PostgreSQL, and start it again some seconds later."""
        os.kill(self.pid, number)
        time.sleep(seconds)
        again = self.stack.enter_context(postgres_again(self.cluster, {}))
        self.line.behind, self.pid = again.port, again.pid


def main() -> None:
    options = read_options()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="mailmum-kills-") as folder, ExitStack() as stack:
        sink = stack.enter_context(mail_sink())
        world = start(Path(folder), stack, sink)
        zone = world.made.json("server", "add", "mx1")["zones"]["bl"]
        world.made.run("block", BLOCKED)
        for name, words in TRIGGERS:
            add_trigger(world.made, name, words)
        world.made.run("alerts", "add", "me", "owner@example.net")
        world.made.run("alerts", "habits", "digest=0")
        for made in (world.made, world.other):
            made.eventually(partial(blocked, made, zone, BLOCKED), PATIENCE)
        answers = [Answers(one, zone) for one in (world.made, world.other)]
        log = Log(Path(folder, "mail.log"), chance)
        writer = threading.Thread(target=log.write)
        writer.start()
        try:
            suffer(world, chance, options)
        finally:
            log.stopped.set()
            writer.join()
        settle(world, log)
        for asked in answers:
            asked.end()
        check(world, log, sink, answers)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="how many workers are killed")
    parser.add_argument("--stops", type=int, default=4, help="how often PostgreSQL is stopped")
    parser.add_argument("--away", type=float, default=5.0, help="for how many seconds each time")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def start(folder: Path, stack: ExitStack, sink: Sink) -> World:
    """PostgreSQL, the service, and the parts beside it."""
    cluster = stack.enter_context(postgres())
    line = stack.enter_context(bad_line(cluster.port))
    url = fresh_database(cluster.url(), empty=True)
    with psycopg.connect(url, autocommit=True) as connection:
        # What is told as done stays done, however PostgreSQL ends.
        connection.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = on")
    url = url.replace(f":{cluster.port}/", f":{line.port}/")
    (folder / "mail.log").touch()
    made = make_service(
        folder, "--log", f"mx1={folder}/mail.log", sqlite=True, database=url, smtp_host="127.0.0.1",
        smtp_port=str(sink.port), smtp_tls="none", mail_from="mailmum@example.net",
    )  # fmt: skip
    (folder / "other").mkdir()
    other = make_service(folder / "other", sqlite=True, database=url)
    other.environment |= {
        name: value for name, value in made.environment.items() if name.startswith("MAILMUM_SMTP")
    } | {"MAILMUM_MAIL_FROM": "mailmum@example.net"}
    stack.enter_context(made.up())
    world = World(made, other, cluster, line, stack, cluster.pid)
    world.start_worker()
    stack.callback(world.end_worker)
    host, port = other.dns
    dns = subprocess.Popen(
        [MAILMUM, "dns", "--dns", f"{host}:{port}"],
        env=other.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(dns.kill)
    return world


def add_trigger(made: Service, name: str, words: str) -> None:
    """Add a trigger that lists."""
    made.run("trigger", "add", name, "--mode", "enforce", *words.split())


def suffer(world: World, chance: random.Random, options: argparse.Namespace) -> None:
    """Kills and stops in a random order."""
    acts = ["kill"] * options.kills + ["stop"] * options.stops
    chance.shuffle(acts)
    stops = 0
    for number, act in enumerate(acts, start=1):
        add_trigger(world.made, f"braked-{number}", BRAKED)
        time.sleep(chance.uniform(0.3, 2.5))
        if act == "kill":
            print(f"{number:3} killed the {world.kill_worker(chance)} worker", flush=True)
            continue
        stops += 1
        how = signal.SIGQUIT if stops % 2 else signal.SIGINT
        world.stop_database(how, chance.uniform(0.2, options.away))
        began = time.monotonic()
        world.made.eventually(lambda: is_well(world), PATIENCE)
        word = "at once" if how == signal.SIGQUIT else "fast"
        print(
            f"{number:3} stopped PostgreSQL ({word}) and started it; triggers stand at the newest "
            f"sighting {time.monotonic() - began:.1f} s later",
            flush=True,
        )


@contextmanager
def database(world: World) -> Iterator[psycopg.Connection]:
    with psycopg.connect(world.made.environment["MAILMUM_DATABASE"], autocommit=True) as found:
        yield found


def number(world: World, question: str) -> int:
    """One number of the database; -1 while it does not answer."""
    try:
        with database(world) as connection:
            row = connection.execute(question).fetchone()
    except psycopg.OperationalError:
        return -1
    assert row is not None
    return int(row[0] or 0)


def is_well(world: World) -> bool:
    """Whether triggers have followed all that there was a moment ago."""
    newest = number(world, "SELECT max(id) FROM traffic_seen")
    deadline = time.monotonic() + 10
    while newest > 0 and time.monotonic() < deadline:
        if positions(world) >= newest:
            return True
        time.sleep(0.1)
    return False


def positions(world: World) -> int:
    """How far the triggers that have not stopped themselves have followed, the last of them."""
    return number(world, "SELECT min(position) FROM triggers_trigger WHERE stopped_at IS NULL")


def newest_pid(made: Service, part: str) -> int:
    """The process of a part as it was started last."""
    assert made.child is not None
    lines = [line for line in made.child.output.splitlines() if '"part started"' in line]
    return int(next(one["pid"] for one in map(json.loads, reversed(lines)) if one["part"] == part))


def settle(world: World, log: Log) -> None:
    """Wait until all that was written has been kept and judged, and told."""
    world.made.eventually(lambda: number(world, KEPT) >= log.rejects, PATIENCE)
    newest = number(world, "SELECT max(id) FROM traffic_seen")
    world.made.eventually(lambda: positions(world) >= newest, PATIENCE)
    # Alerts are looked for once a minute.
    world.made.eventually(lambda: is_told(world), 180)


def is_told(world: World) -> bool:
    """Whether nothing waits to be told any more."""
    parcels = number(world, "SELECT count(*) FROM alerts_parcel WHERE ended IS NULL")
    notices = number(world, "SELECT count(*) FROM alerts_notice WHERE parcel_id IS NULL")
    opened = number(world, f"SELECT count(*) {OPENED}")
    return parcels == notices == 0 and opened == number(world, STOPPED)


def check(world: World, log: Log, sink: Sink, answers: list[Answers]) -> None:
    """What has come of it."""
    kept = number(world, KEPT)
    faults = [] if kept == log.rejects else [f"{log.rejects} were written, {kept} are kept"]
    for one, name in zip(answers, ("first", "second"), strict=True):
        print(f"DNS, {name} server: {one.right} right answers, {one.wrong} wrong or missing")
        faults += [f"{one.wrong} answers of the {name} server"] if one.wrong else []
    faults += compare(world)
    faults += told(world, sink)
    for verb in ("alerts", "suggestions", "trigger"):
        world.made.json(verb, "list")
    world.made.json("alerts", "report")
    print(f"{kept} sightings kept; the API answers")
    if faults:
        sys.exit("FAILED: " + "; ".join(faults))
    print("all is as if nothing had happened")


def told(world: World, sink: Sink) -> list[str]:
    """Where alerts were told twice or not at all.

    A message that was taken and not noted as sent goes out again, with the same id: that is how a
    receiver can tell.
    """
    arrived = Counter(
        message["Message-ID"]
        for path in sink.folder.iterdir()
        if (message := email.message_from_bytes(path.read_bytes()))["Message-ID"]
    )
    sent = number(world, "SELECT count(*) FROM alerts_parcel WHERE sent")
    stopped, opened = number(world, STOPPED), number(world, f"SELECT count(*) {OPENED}")
    each = number(world, f"SELECT count(DISTINCT about) {OPENED}")
    told_once = f"event = 'opened' AND alert_id IN (SELECT id {OPENED})"
    notices = number(world, f"SELECT count(*) FROM alerts_notice WHERE {told_once}")  # noqa: S608
    print(
        f"{stopped} triggers have stopped themselves: {opened} alerts, told in {sent} messages, of "
        f"which {len(arrived)} arrived, {arrived.total() - len(arrived)} of them once more"
    )
    same = stopped == opened == each == notices and sent == len(arrived)
    return [] if same else ["alerts were told twice, or not at all"]


def compare(world: World) -> list[str]:
    """Where triggers have found anything else than one judge finds that sees it all."""
    os.environ |= {
        name: value for name, value in world.made.environment.items() if name.startswith("MAILMUM_")
    }
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailmum.control.settings"
    import django

    django.setup()
    from mailmum.control.listings.models import Version
    from mailmum.control.triggers.models import Finding, Trigger

    faults = []
    for trigger in Trigger.objects.order_by("name"):
        rows = Finding.objects.filter(trigger=trigger).order_by("id")
        found = list(rows.values_list("target", "begin", "times"))
        wanted = judged(trigger)
        listed = Version.objects.filter(source="trigger", origin=trigger.name, until=None)
        again = [one for one, many in Counter(listed.values_list("target")).items() if many > 1]
        print(f"trigger {trigger.name}: {len(found)} findings, {listed.count()} listings")
        if found != wanted:
            skipped, doubled = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
            faults.append(
                f"{trigger.name}: {skipped.total()} skipped, {doubled.total()} too many of "
                f"{len(wanted)}, for example {list(skipped)[:2]} {list(doubled)[:2]}"
            )
        faults += [f"{trigger.name}: listed twice {again[:2]}"] if again else []
    return faults


def judged(trigger: object) -> list[tuple[str, int, int]]:
    """What one judge says that sees all of it from the beginning to the end."""
    from mailmum.control.accounts.access import system_access
    from mailmum.control.traffic.models import Seen
    from mailmum.control.triggers.contexts import COLUMNS, contact_of, context_of
    from mailmum.control.triggers.guard import AccountGuard
    from mailmum.control.triggers.models import Trigger
    from mailmum.control.triggers.values import rule_of
    from mailmum.triggers.judge import Judge

    assert isinstance(trigger, Trigger)
    rule = rule_of(trigger)
    context = context_of(trigger.account_id, rule, 0.0)
    judge = Judge(rule, context, AccountGuard(system_access(trigger.account), rule))
    rows = Seen.objects.filter(account=trigger.account_id, pk__gt=trigger.since or 0)
    return [
        (one.target.text, one.offence.begin, one.offence.times)
        for contact in map(contact_of, rows.order_by("pk").values_list(*COLUMNS))
        if not judge.stopped
        for one in judge.take(contact)
    ]


if __name__ == "__main__":
    main()
