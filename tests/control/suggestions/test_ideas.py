"""What is proposed, and what is not, from what was seen."""

from datetime import UTC, datetime

import pytest

from mailmum.control.accounts.access import Owning
from mailmum.control.listings.models import Version
from mailmum.control.suggestions import ideas as thinking
from mailmum.control.suggestions.ideas import Idea, ideas
from mailmum.control.traffic.working_up import Lister
from mailmum.domain.listings import Action
from mailmum.traffic.periods import DAY
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import STRANGE, Traffic
from tests.control.providers_kit import provider
from tests.support.nameserver import NameServer
from tests.support.world import World


def listed(traffic: Traffic) -> None:
    """What the worker lists beforehand."""
    list(Lister().steps(traffic.now))


def again(traffic: Traffic, client: str, *, days: int = 4, times: int = 6) -> None:
    """Somebody who is turned away day after day."""
    for day in range(days):
        ago = day * DAY + 60
        traffic.log(*[traffic.seen(client, Outcome.REJECTED, ago=ago) for _ in range(times)])


def found(access: Owning, traffic: Traffic) -> list[tuple[str, str]]:
    """Kind and target of each idea."""
    listed(traffic)
    return sorted((one.kind, one.target) for one in ideas(access, now=traffic.now))


def only(access: Owning, traffic: Traffic) -> Idea:
    """The one idea there is."""
    listed(traffic)
    [one] = ideas(access, now=traffic.now)
    return one


def test_a_repeat_offender(world: World, traffic: Traffic) -> None:
    """With the numbers that speak for it; the other account's are not ours."""
    again(traffic, "203.0.113.7")
    traffic.foreign(*traffic.pool())
    one = only(world.owner, traffic)
    assert (one.kind, one.target) == ("block", "203.0.113.7")
    assert one.evidence == {"stopped": 24, "days": 4, "accepted": 0}
    assert one.text == "turned away 24 times on 4 days, nothing was accepted"
    assert STRANGE not in str(ideas(world.outsider, now=traffic.now))


@pytest.mark.parametrize(
    "why", ["seldom", "a day or two", "delivers", "blocked", "allowed", "in a network", "own"]
)
def test_who_is_not_worth_a_block(world: World, traffic: Traffic, why: str) -> None:
    """Whoever delivered, is listed already, or did not come often enough."""
    client = "192.0.2.25" if why == "own" else "203.0.113.7"
    again(
        traffic,
        client,
        days=2 if why == "a day or two" else 4,
        times=4 if why == "seldom" else 12,
    )
    if why == "delivers":
        traffic.log(*traffic.mail(client, 1, "a.example"))
    if why in ("blocked", "allowed"):
        traffic.listed(Action.BLOCK if why == "blocked" else Action.ALLOW, client)
    if why == "in a network":
        traffic.listed(Action.BLOCK, "203.0.113.0/24")
    assert found(world.owner, traffic) == []


def test_a_network(world: World, traffic: Traffic) -> None:
    """As narrow as it can be, in place of its clients; who delivered beside them is spared."""
    for day in range(4):
        traffic.log(*traffic.pool(ago=day * DAY + 60))
    traffic.log(*traffic.mail("198.51.100.201", 9, "news.example"))
    assert found(world.owner, traffic) == [("widen", "198.51.100.64/27")]
    [one] = ideas(world.owner, now=traffic.now)
    assert one.evidence == {"clients": 16, "stopped": 320, "accepted": 0}
    traffic.listed(Action.BLOCK, "198.51.100.0/24")
    assert found(world.owner, traffic) == []


@pytest.mark.parametrize(
    ("clients", "network"),
    [
        ([f"2001:db8:0:7::{last}" for last in (1, 2, 3, 4)], "2001:db8:0:7::/64"),
        ([f"203.0.113.{last}" for last in (8, 9, 10, 11)], "203.0.113.8/29"),
    ],
)
def test_a_network_is_no_part_of_a_site(
    world: World, traffic: Traffic, clients: list[str], network: str
) -> None:
    """Four addresses side by side stand for a /64 or a /29, unless somebody else delivers there."""
    traffic.log(*(traffic.seen(one, Outcome.REJECTED) for one in clients for _ in range(20)))
    assert found(world.owner, traffic) == [("widen", network)]
    other = clients[-1].removesuffix("4").removesuffix("11") + "14"
    traffic.log(*traffic.mail(other, 1, "good.example"))
    assert found(world.owner, traffic) == []


def test_a_sender_that_a_public_list_stops(world: World, traffic: Traffic) -> None:
    """Worth an exception when it delivers much more; not when there is one, or it was blocked."""
    for last, mail in ((1, 12), (2, 9), (3, 12), (4, 12)):
        client = f"203.0.113.{last}"
        traffic.log(
            traffic.seen(client, Outcome.REJECTED, rbl="zen.rbl.example"),
            *traffic.mail(client, mail, "good.example"),
        )
    traffic.listed(Action.ALLOW, "203.0.113.3")
    traffic.listed(Action.BLOCK, "203.0.113.4")
    assert found(world.owner, traffic) == [("allow", "203.0.113.1")]
    [one] = ideas(world.owner, now=traffic.now)
    assert one.text == "12 of its messages were accepted, and zen.rbl.example stopped it 1 time"


def test_listings_that_decide_nothing(world: World, traffic: Traffic) -> None:
    """After a month they may end, after three they may go; what has hits or an end stays."""
    targets = ("203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5")
    traffic.listed(Action.BLOCK, *targets)
    traffic.listed(Action.ALLOW, "203.0.113.6")
    for target, age in zip((*targets, "203.0.113.6"), (200, 40, 200, 10, 200, 200), strict=True):
        changed = datetime.fromtimestamp(traffic.now - age * DAY, UTC)
        Version.objects.filter(target=target).update(changed=changed)
    Version.objects.filter(target=targets[4]).update(expires=int(traffic.now + 9 * DAY))
    traffic.asked(targets[2], Outcome.LISTED, 3, ago=50 * DAY)
    assert found(world.owner, traffic) == [
        ("drop", "203.0.113.1"),
        ("shorten", "203.0.113.2"),
        ("shorten", "203.0.113.3"),
    ]
    assert found(world.outsider, traffic) == []


def test_not_more_than_anybody_reads(
    world: World, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weightiest of each kind."""
    monkeypatch.setattr(thinking, "EACH", 2)
    for place, times in ((1, 7), (2, 9), (3, 8)):
        again(traffic, f"203.0.{place}.7", times=times)
    assert found(world.owner, traffic) == [("block", "203.0.2.7"), ("block", "203.0.3.7")]


@pytest.mark.parametrize("use", ["allow", "except"])
def test_nobody_of_a_protected_provider(
    world: World, traffic: Traffic, names: NameServer, use: str
) -> None:
    """Neither a client of it, nor a network that holds any of it."""
    names.spf(mailer="v=spf1 ip4:203.0.113.7 ip4:198.51.100.70 -all")
    again(traffic, "203.0.113.7")
    for day in range(4):
        traffic.log(*traffic.pool(ago=day * DAY + 60))
    assert found(world.owner, traffic) == [
        ("block", "203.0.113.7"),
        ("widen", "198.51.100.64/27"),
    ]
    provider(world.owner, "Mailer", "mailer.example", "list" if use == "allow" else use)
    assert ("block", "203.0.113.7") not in found(world.owner, traffic)
    assert not [one for one in found(world.owner, traffic) if one[0] == "widen"]
    assert ("block", "198.51.100.70") not in found(world.owner, traffic)


def test_a_provider_that_is_only_warned_of(
    world: World, traffic: Traffic, names: NameServer
) -> None:
    """It may be blocked, but whoever accepts that has read whose it is; others never hear of it."""
    names.spf(mailer="v=spf1 ip4:203.0.113.0/28 -all")
    again(traffic, "203.0.113.7")
    provider(world.outsider, "Theirs", "mailer.example", "except")
    assert "provider" not in only(world.owner, traffic).text
    provider(world.owner, "Mailer", "mailer.example", "warn")
    assert only(world.owner, traffic).text == (
        "turned away 24 times on 4 days, nothing was accepted; but it has addresses of the mail "
        "provider Mailer"
    )
