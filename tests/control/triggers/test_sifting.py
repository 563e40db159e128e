"""What the database sifts out could not have mattered: with all rows the judge says the same."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mailmum.control.journal.moments import moment
from mailmum.control.traffic.models import ClientDay, ClientHour, Seen, Zone
from mailmum.control.triggers import backtest as module
from mailmum.control.triggers import helping, sifting
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.contexts import context_of
from mailmum.control.triggers.guard import AccountGuard
from mailmum.traffic.codes import OUTCOMES, SOURCES
from mailmum.traffic.packing import pack_client
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.sightings import Outcome, Source
from mailmum.triggers.backtest import run
from mailmum.triggers.contacts import Contact
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Group, Metric, Rule, Where
from tests.control.triggers.kit import Scene

CLIENTS = [
    *(f"203.0.113.{last}" for last in (1, 2, 3, 255)),
    "198.51.100.7",
    "0.0.0.1",
    "255.255.255.254",
    *(f"2001:db8:0:{net:x}::{last}" for net in (0, 1) for last in (1, 2)),
    "::1:2",
]
RULES = [
    Rule(Metric.UNKNOWN, threshold=4, window=600, lifetime=4 * HOUR),
    Rule(Metric.UNKNOWN, threshold=6, window=3 * HOUR, lifetime=DAY, merge=2),
    Rule(Metric.LISTS, threshold=2, window=DAY, lifetime=2 * DAY),
    Rule(Metric.LISTS, threshold=3, window=2 * DAY, lifetime=DAY, where=Where.SERVER),
    Rule(Metric.CONNECTIONS, threshold=9, window=600, group=Group.NETWORK, lifetime=6 * HOUR),
    Rule(Metric.CONNECTIONS, threshold=25, window=DAY, group=Group.WIDE, lifetime=6 * HOUR),
    Rule(Metric.RBL, threshold=1, window=60, lifetime=DAY),
    Rule(Metric.UNKNOWN, threshold=3, window=7 * DAY, lifetime=HOUR),
]


def rows_of(scene: Scene, chance: random.Random, first: int, hours: int) -> list[ClientHour]:
    """Counts of a few clients: some come often, some in one hour, some never come near."""
    account = scene.world.owner.account.pk
    zones = list(Zone.objects.filter(account=account).values_list("pk", flat=True))
    made = {}
    for _ in range(chance.randint(20, 150)):
        outcome = chance.choice((Outcome.UNKNOWN_RECIPIENT, Outcome.REJECTED, Outcome.CONNECTED))
        server = chance.choice(("mx1", "mx2"))
        key = (
            first + chance.choice((0, 1, 2, 9, chance.randrange(hours))) * HOUR,
            pack_client(chance.choice(CLIENTS)),
            scene.servers[server],
            SOURCES[Source.LOG if server == "mx1" else chance.choice((Source.LOG, Source.DNS))],
            OUTCOMES[outcome],
            chance.choice(zones) if outcome is Outcome.REJECTED else 0,
        )
        made[key] = chance.choice((1, 1, 2, 5))
    return [
        ClientHour(
            account=account,
            start=start,
            client=client,
            server=server,
            source=source,
            outcome=outcome,
            rbl=rbl,
            count=count,
        )
        for (start, client, server, source, outcome, rbl), count in made.items()
    ]


def keep_only(hours: list[ClientHour]) -> None:
    """These counts by the hour and what they come to by the day, as both are kept together."""
    days: Counter[tuple[Any, ...]] = Counter()
    for one in hours:
        rest = one.client, one.server, one.source, one.outcome, one.rbl
        days[one.account, start_of(one.start, DAY), *rest] += one.count
    for model in (ClientHour, ClientDay):
        model.objects.all().delete()
    ClientHour.objects.bulk_create(hours)
    ClientDay.objects.bulk_create(
        ClientDay(
            account=account,
            start=start,
            client=client,
            server=server,
            source=source,
            outcome=outcome,
            rbl=rbl,
            count=count,
        )
        for (account, start, client, server, source, outcome, rbl), count in days.items()
    )


def unsifted(scene: Scene, rule: Rule, since: float, until: float) -> list[tuple[int, int, str]]:
    """The judge on every row that there is."""
    reading = scene.world.viewer
    context = context_of(reading.account.pk, rule, since)
    contacts = [
        Contact(
            -1,
            row.start * 1000,
            row.server,
            row.source,
            row.outcome,
            bytes(row.client),
            row.rbl,
            row.count,
        )
        for row in ClientHour.objects.filter(account=reading.account.pk)
        if since <= row.start < until
    ]
    contacts.sort(key=lambda one: (one.at, one.client or b""))
    judge = Judge(rule, context, AccountGuard(reading, rule))
    *_, outcome = run(judge, contacts)
    return [(one.offence.begin, one.scope, one.target.text) for one in outcome.listed]


@pytest.mark.parametrize("way", ["seeks", "reads through", "many groups"])
@pytest.mark.parametrize("rule", RULES, ids=lambda one: f"{one.metric} {one.threshold}")
def test_sifted_and_unsifted_say_the_same(
    scene: Scene, rule: Rule, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way rows are found, and with pieces so short that much lies across their edges."""
    monkeypatch.setattr(sifting, "_PIECE", 1)
    monkeypatch.setattr(sifting, "_SHORTEST", 5 * HOUR)
    # Who is listed is left out from the next three hours on.
    monkeypatch.setattr(sifting, "_READ", 3 * HOUR)
    if way != "seeks":
        monkeypatch.setattr(sifting, "_SEEKS", -1)
        # In two shares, as where there is much.
        monkeypatch.setattr(module, "DIVIDED", 1)
        monkeypatch.setattr(module, "_SUMMED", 20)
        monkeypatch.setattr(helping, "_processors", lambda: 1)
    if way == "many groups":
        monkeypatch.setattr(sifting, "_GROUPS", 0)
    judged = replace(rule, accepted=0, brake=0)
    for name in "abc":
        scene.see(CLIENTS[0], 1, Outcome.REJECTED, rbl=f"{name}.rbl.example")
    # The log of one server begins in the midst of it.
    scene.see(CLIENTS[0], 1, ago=60 * HOUR, server="mx2", source=Source.DNS)
    scene.see(CLIENTS[0], 1, ago=40 * HOUR, server="mx2")
    since = int(scene.now) // HOUR * HOUR - 3 * DAY
    # Counts only: the single sightings that stand for them elsewhere have been forgotten.
    Seen.objects.all().delete()
    listed = 0
    for seed in range(2):
        chance = random.Random(seed)
        keep_only(rows_of(scene, chance, since + HOUR, 60))
        report = last_of(backtest(scene.world.viewer, judged, days=3, now=scene.now))
        names = {0: "account"} | {number: name for name, number in scene.servers.items()}
        expected = unsifted(scene, judged, scene.now - 3 * DAY, scene.now)
        assert report.listings == len(expected)
        told = sorted((one["begin"], one["target"], one["scope"]) for one in report.listed)
        assert told == sorted(
            (moment(begin // 1000), target, names[scope]) for begin, scope, target in expected
        )
        listed += len(expected)
    assert listed


def test_who_is_listed_is_not_read_until_that_ends(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes every hour of ten days and is listed on the first costs no more than that day."""
    looked_at: list[list[sifting.Row]] = []
    raw = sifting.raw
    monkeypatch.setattr(sifting, "raw", lambda rows: _noted(raw(rows), looked_at))
    first = int(scene.now) // HOUR * HOUR - 10 * DAY
    ClientHour.objects.bulk_create(
        ClientHour(
            account=scene.world.owner.account.pk,
            start=first + hour * HOUR,
            client=pack_client(CLIENTS[0]),
            server=scene.servers["mx1"],
            source=SOURCES[Source.LOG],
            outcome=OUTCOMES[Outcome.UNKNOWN_RECIPIENT],
            rbl=0,
            count=1,
        )
        for hour in range(240)
    )
    rule = Rule(Metric.UNKNOWN, threshold=4, window=6 * HOUR, lifetime=30 * DAY, accepted=0)
    report = last_of(backtest(scene.world.viewer, rule, days=11, now=scene.now))
    assert (report.listings, report.rows) == (1, 240)
    assert sum(map(len, looked_at)) == 24


def _noted(
    chunks: Iterator[list[sifting.Row]], into: list[list[sifting.Row]]
) -> Iterator[list[sifting.Row]]:
    for chunk in chunks:
        into.append(chunk)
        yield chunk
