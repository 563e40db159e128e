"""What a guard reads as a whole for very many says the same as what it looks up one by one."""

import random
from ipaddress import ip_address
from typing import Any

import pytest

from mailmum.control.traffic.intake import keep
from mailmum.control.traffic.models import ClientDay, ClientHour, NameDay, Seen
from mailmum.control.triggers import guard, many
from mailmum.control.triggers.guard import AccountGuard
from mailmum.domain.targets import parse_target
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Source
from mailmum.triggers.rules import Group, Metric, Rule
from tests.control.traffic.kit import Batch
from tests.control.triggers.kit import Scene

NOW = 1_790_000_000
CLIENTS = [f"203.0.113.{last}" for last in (0, 7, 255)] + ["203.0.114.0", "2001:db8::1"]
NAMES = [None, "a.pool.example", "Pool.example", "b.whirlpool.example"]
TARGETS = {
    Group.ADDRESS: CLIENTS,
    Group.NETWORK: ["203.0.113.0/24", "203.0.114.0/24", "2001:db8::/64"],
    Group.DOMAIN: [".pool.example", ".example", ".whirlpool.example"],
}
KINDS: list[dict[str, Any]] = [
    {},
    {},
    {},
    {"spam": True, "score": 16.0},
    {"score": 15.0},
    {"delivery": Delivery.BOUNCED},
    {"reason": "hold: odd"},
    {"recipient": "trap@example.net"},
]
RULES: list[dict[str, Any]] = [
    {"metric": Metric.UNKNOWN},
    {"metric": Metric.SCORE, "score": 15.0},
    {"metric": Metric.TRAP, "traps": ("trap@example.net",)},
]


def _fill(scene: Scene, chance: random.Random, days: int) -> None:
    """Accepted mail of some days, and gaps in what is kept of it."""
    seen = [
        Sighting(
            NOW - chance.randrange(days * DAY),
            "mx1",
            "smtpd",
            chance.choice(CLIENTS),
            outcome=chance.choice([Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED]),
            client_name=chance.choice(NAMES),
            **chance.choice(KINDS),
        )
        for _ in range(chance.choice([20, 120]))
    ]
    account = scene.world.owner.account.pk
    keep(account, scene.servers["mx1"], Source.LOG, Batch(sorted(seen, key=lambda one: one.time)))
    for _ in range(chance.randrange(3)):
        day = NOW - NOW % DAY - chance.randrange(days) * DAY
        gone = chance.choice([ClientDay, ClientHour, NameDay, Seen])
        begin = {"hour__gte": day, "hour__lt": day + DAY}
        if gone is not Seen:
            begin = {"start__gte": day, "start__lt": day + DAY}
        gone._default_manager.filter(**begin).delete()


@pytest.mark.parametrize("seed", [0, 4, 10, 21, 38, 43, 46, 47])
def test_many_at_once_are_as_one_by_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever is kept of their mail, also where counts or sightings of a day are missing."""
    chance = random.Random(seed)
    for module, name in ((many, "HOURS"), (many, "NOISE"), (guard, "_SEEK")):
        # To ask about one costs more than all there is.
        monkeypatch.setattr(module, name, chance.choice([2, 10**9]))
    days = chance.choice([3, 12, 80])
    _fill(scene, chance, days)
    for _ in range(6):
        rule = Rule(
            threshold=3,
            window=600,
            group=chance.choice(list(TARGETS)),
            accepted=chance.choice([1, 2, 4]),
            days=chance.choice([1, 3, 60]),
            **chance.choice(RULES),
        )
        often = AccountGuard(scene.world.viewer, rule, asks_often=True)
        since = NOW - chance.randrange(1, days + 1) * DAY
        some = chance.sample(CLIENTS, chance.randrange(len(CLIENTS)))
        list(often.foresee(map(_packed, some), since, NOW + 5))
        for at in sorted(chance.randrange(since, NOW) for _ in range(6)):
            for text in TARGETS[rule.group]:
                alone = AccountGuard(scene.world.viewer, rule)
                said = alone.spared(0, parse_target(text), at)
                assert often.spared(0, parse_target(text), at) == said, (rule, at, text)


def _packed(client: str) -> bytes:
    address = ip_address(client)
    return (b"" if address.version == 6 else bytes(10) + b"\xff\xff") + address.packed


@pytest.mark.parametrize("often", [False, True])
def test_spam_of_two_months_speaks_for_nobody(scene: Scene, often: bool) -> None:
    """Of every day of which sightings are kept, however many these are."""
    seen = [
        Sighting(NOW - day * DAY, "mx1", "smtpd", CLIENTS[1], outcome=Outcome.ACCEPTED, spam=True)
        for day in range(1, 60)
    ]
    keep(scene.world.owner.account.pk, scene.servers["mx1"], Source.LOG, Batch(seen))
    asked = AccountGuard(scene.world.viewer, Rule(Metric.UNKNOWN, 3, 600), asks_often=often)
    for text in (CLIENTS[1], "203.0.113.0/24"):
        assert asked.spared(0, parse_target(text), NOW) == ""
