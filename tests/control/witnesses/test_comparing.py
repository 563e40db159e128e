"""What lists caught, held against a naive count over the same sightings."""

import random

import pytest

from mailmum.control import config
from mailmum.control.witnesses.comparing import compare
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome, Sighting
from tests.control.monitor.kit import STRANGE, Traffic
from tests.support.world import World

ZONES = ("a.rbl.example", "b.rbl.example", "kx.bl.mailmum.internal", None)


def made_up(traffic: Traffic, seed: int) -> list[Sighting]:
    """Contacts of a few clients, stopped by lists or accepted."""
    chance = random.Random(seed)
    seen = []
    for _ in range(400):
        rbl = chance.choice(ZONES)
        client = f"203.0.113.{chance.randrange(40)}"
        outcome = Outcome.REJECTED if rbl or chance.random() < 0.3 else Outcome.ACCEPTED
        seen.append(traffic.seen(client, outcome, ago=chance.random() * 20 * DAY, rbl=rbl))
    return seen


@pytest.mark.parametrize("seed", range(3))
def test_beside_a_naive_count(world: World, traffic: Traffic, seed: int) -> None:
    """Contacts, clients, alone, together, and who delivered all the same."""
    seen = made_up(traffic, seed)
    traffic.log(*seen)
    traffic.foreign(*seen)
    base = config.current().zone
    by: dict[str, dict[str, int]] = {}
    accepted: dict[str, int] = {}
    for one in seen:
        client = one.client or ""
        if one.outcome is Outcome.ACCEPTED:
            accepted[client] = accepted.get(client, 0) + 1
        elif one.rbl:
            name = base if one.rbl.endswith(base) else one.rbl
            clients = by.setdefault(name, {})
            clients[client] = clients.get(client, 0) + 1
    found = {one.zone: one for one in compare(world.owner, now=traffic.now).lists}
    assert set(found) == set(by)
    for name, clients in by.items():
        caught = found[name]
        others = [set(other) for zone, other in by.items() if zone != name]
        assert (caught.stopped, caught.clients) == (sum(clients.values()), len(clients))
        assert caught.alone == sum(not any(client in it for it in others) for client in clients)
        assert dict(caught.together) == {
            zone: len(set(other) & set(clients))
            for zone, other in by.items()
            if zone != name and set(other) & set(clients)
        }
        assert caught.senders == sum(client in accepted for client in clients)
        assert caught.accepted == sum(accepted.get(client, 0) for client in clients)
        assert caught.own is (name == base)
    assert STRANGE not in str(found)


def test_examples(world: World, traffic: Traffic) -> None:
    """Those with the most accepted mail first."""
    for last, mail in ((7, 3), (8, 9)):
        client = f"203.0.113.{last}"
        traffic.log(
            traffic.seen(client, Outcome.REJECTED, rbl="a.rbl.example"),
            *traffic.mail(client, mail, "good.example"),
        )
    [one] = compare(world.owner, now=traffic.now).lists
    assert [(it.client, it.stopped, it.accepted) for it in one.examples] == [
        ("203.0.113.8", 1, 9),
        ("203.0.113.7", 1, 3),
    ]


def test_very_much(world: World, traffic: Traffic) -> None:
    """Only whole days are compared, the latest, and that is said."""
    traffic.log(*traffic.pool(ago=60), *traffic.pool(ago=5 * DAY))
    found = compare(world.owner, budget=20, now=traffic.now)
    assert not found.complete
    assert found.lists[0].stopped == 80
    assert found.since > traffic.now - 5 * DAY


def test_lookups_alone(world: World, traffic: Traffic) -> None:
    """Where no log is read, what we answered as listed is what our own lists caught."""
    traffic.asked("203.0.113.7", Outcome.LISTED, 5)
    traffic.asked("203.0.113.8", Outcome.UNLISTED, 5)
    [one] = compare(world.owner, now=traffic.now).lists
    assert (one.own, one.stopped, one.clients, one.alone) == (True, 5, 1, 1)
    assert compare(world.outsider, now=traffic.now).lists == ()
