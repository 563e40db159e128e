"""A trigger that follows and a backtest of it say the same, whatever is counted and for whom."""

import random
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from mailmum.control.traffic.intake import keep, keep_lookups
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers import sifting, streams
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.contexts import context_of
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.models import Finding
from mailmum.control.triggers.values import rule_of
from mailmum.control.witnesses.models import Witness, Word
from mailmum.control.witnesses.services import add_witness
from mailmum.traffic.batches import Lookup
from mailmum.traffic.packing import pack_client
from mailmum.traffic.periods import DAY, HOUR
from mailmum.traffic.sightings import Outcome, Sighting, Source
from mailmum.triggers.judge import Judge
from tests.control.traffic.kit import Batch
from tests.control.triggers.kit import Scene

CLIENTS = [
    *(f"203.0.113.{last}" for last in (1, 2, 3, 255)),
    "198.51.100.7",
    *(f"2001:db8:0:{net}::{last}" for net in (1, 2) for last in (1, 2)),
]
NAMES = [None, "h1.pool.example", "H2.Pool.example", "pool.example", "a.github.io", "localhost"]
LISTS = ["a.rbl.example", "b.rbl.example", "c.rbl.example"]
OUTCOMES = [
    Outcome.UNKNOWN_RECIPIENT,
    Outcome.UNKNOWN_RECIPIENT,
    Outcome.AUTH_FAILED,
    Outcome.RELAY_DENIED,
    Outcome.PROTOCOL,
    Outcome.REJECTED,
    Outcome.DEFERRED,
    Outcome.WARNED,
    Outcome.ACCEPTED,
]
METRICS: list[dict[str, Any]] = [
    {"metric": "unknown-recipients"},
    {"metric": "auth"},
    {"metric": "relay"},
    {"metric": "protocol"},
    {"metric": "connections"},
    {"metric": "rbl"},
    {"metric": "rbl", "lists": LISTS[:2]},
    {"metric": "lists"},
    {"metric": "lists", "lists": LISTS[1:]},
    {"metric": "asked"},
    {"metric": "asked", "lists": LISTS[:2]},
    {"metric": "score", "score": 10},
    {"metric": "trap", "traps": ["trap@example.net", "@old.example"]},
]


def _called(metric: dict[str, Any]) -> str:
    return f"{metric['metric']}{' of some' if 'lists' in metric else ''}"


def _fields(chance: random.Random, metric: dict[str, Any]) -> dict[str, Any]:
    """A trigger that counts by a metric, however else it is."""
    group = chance.choice(["address", "address", "network", "wide", "domain"])
    if metric["metric"] == "asked" and group == "domain":
        group = "wide"
    different = metric["metric"] in ("lists", "asked")
    return metric | {
        "threshold": chance.randint(1, 2) if different else chance.randint(1, 4),
        "window": chance.choice(["1m", "1h", "6h", "1d", "2d"]),
        "group": group,
        "server": chance.choice(["", "", "", "mx2"]),
        "where": chance.choice(["account", "account", "server"]),
        "lifetime": chance.choice(["1m", "30m", "6h"]),
        "growth": chance.choice([1, 2, 3]),
        "longest": chance.choice(["6h", "2d"]),
        "quiet": chance.choice(["1m", "1h", "30d"]),
        "merge": 0 if group == "domain" else chance.choice([0, 2, 3]),
        "accepted": chance.choice([0, 2, 5]),
        "days": chance.choice([1, 60]),
        "brake": 0,
        "mode": chance.choice(["observe", "enforce"]),
    }


def _times(chance: random.Random, now: float) -> list[float]:
    """Some days, with hours in which much comes at once."""
    begun = [now - chance.randrange(3 * DAY) for _ in range(6)]
    pauses = [0, 5, 59, 60, 1800, HOUR]
    made = {
        round(chance.choice(begun) + chance.choice(pauses) + chance.random(), 3) for _ in range(160)
    }
    return sorted(at for at in made if at < now)


def _fill(scene: Scene, chance: random.Random) -> None:
    account = scene.world.owner.account.pk
    for at in _times(chance, scene.now):
        seen = Sighting(
            at,
            "mx1",
            "smtpd",
            chance.choice(CLIENTS),
            outcome=chance.choice(OUTCOMES),
            client_name=chance.choice(NAMES),
            rbl=chance.choice([None, *LISTS, "bl.mailmum.internal"]),
            score=chance.choice([None, 9.9, 10.0, 15.5]),
            recipient=chance.choice([None, "Trap@Example.net", "any@old.example", "o@example.net"]),
        )
        server = scene.servers[chance.choice(["mx1", "mx2"])]
        keep(account, server, Source.LOG, Batch([seen]), now=scene.now)
        told = Lookup(account, server, seen.time, seen.client or "", Outcome.UNLISTED, 2)
        keep_lookups(Source.DNS, [told], now=scene.now)
        if chance.random() < 0.5:
            _say(scene, chance, at, server)


def _say(scene: Scene, chance: random.Random, at: float, server: int) -> None:
    zone = chance.choice(LISTS)
    Word.objects.create(
        account=scene.world.owner.account,
        witness=Witness.objects.get(zone=zone).pk,
        zone=zone,
        client=pack_client(chance.choice(CLIENTS)),
        server=server,
        sighting=1,
        at=round(at * 1000),
        until=0,
    )


def _mix(chance: random.Random) -> None:
    """Have some come later than others that happened after them."""
    models: tuple[type[Any], ...] = (Seen, Word)
    for model in models:
        rows = list(model.objects.order_by("pk"))
        model.objects.all().delete()
        rows.sort(key=lambda row: row.pk + chance.choice([0, 0, 0, 30, 90]))
        for number, row in enumerate(rows, start=max(row.pk for row in rows) + 1):
            row.pk = number
        model.objects.bulk_create(rows)


def _follow(scene: Scene, chance: random.Random) -> None:
    """With a restart here and there."""
    for _ in range(3):
        list(islice(scene.follower.steps(time.time()), chance.randrange(1, 20)))
        scene.restart()
    while scene.follow():
        pass


def _moment(millis: int) -> str:
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("metric", METRICS, ids=_called)
def test_live_and_tried_are_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, metric: dict[str, Any], seed: int
) -> None:
    """Who is listed when, for the so-manieth time, and who is spared and why."""
    chance = random.Random(f"{metric} {seed}")
    monkeypatch.setattr(streams, "PIECE", 13)
    monkeypatch.setattr(sifting, "_SHORTEST", chance.choice([5 * HOUR, DAY]))
    for zone in LISTS:
        add_witness(scene.world.owner, zone)
    trigger = scene.trigger(**_fields(chance, metric))
    _fill(scene, chance)
    _follow(scene, chance)
    names = {0: "account"} | {number: name for name, number in scene.servers.items()}
    found = Finding.objects.order_by("id")
    live = [
        (one.target, names[one.scope], _moment(one.begin), one.times)
        for one in found.exclude(kind="spare")
    ]
    # Each once, as it was the first time, and how often.
    spares = list(found.filter(kind="spare"))
    times = Counter(one.target for one in spares)
    spared = {
        one.target: (_moment(one.evidence["last"]), one.reason, times[one.target])
        for one in reversed(spares)
    }
    report = last_of(backtest(scene.world.viewer, rule_of(trigger), now=scene.now))
    assert live[:200] == [
        (one["target"], one["scope"], one["begin"], one["times"]) for one in report.listed
    ], trigger.rule
    assert report.spared == len(spared)
    assert {
        one["target"]: (one["when"], one["reason"], one["times"]) for one in report.spared_targets
    } == spared


@pytest.mark.parametrize("metric", METRICS, ids=_called)
def test_what_comes_late_is_judged_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, metric: dict[str, Any]
) -> None:
    """As by one judge to whom all of it comes in the order in which it was kept."""
    chance = random.Random(f"{metric} late")
    monkeypatch.setattr(streams, "PIECE", 13)
    for zone in LISTS:
        add_witness(scene.world.owner, zone)
    trigger = scene.trigger(**_fields(chance, metric))
    _fill(scene, chance)
    _mix(chance)
    _follow(scene, chance)
    found = Finding.objects.order_by("id")
    live = [(one.scope, one.target, one.begin, one.times, one.reason) for one in found]
    monkeypatch.setattr(streams, "PIECE", 10_000)
    rule, account = rule_of(trigger), scene.world.owner.account
    guard = AccountGuard(scene.world.viewer, rule)
    judge = Judge(rule, context_of(account.pk, rule, scene.now), guard)
    assert live == [
        (one.scope, one.target.text, one.offence.begin, one.offence.times, one.reason)
        for contact in streams.stream_of(rule).between(0, 10**9, account.pk).contacts[account.pk]
        for one in judge.take(contact)
    ]
