"""Nobody is listed who must not be, and it is told why."""

from ipaddress import ip_address
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from mailmum.control.feeds.services import pause
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import list_targets, remove_server
from mailmum.control.servers.services import edit_server
from mailmum.control.traffic.router import traffic_database
from mailmum.control.triggers import guard, many
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.models import Finding, Trigger
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_network, parse_target
from mailmum.traffic.sightings import Delivery, Outcome
from mailmum.triggers.rules import Group, Metric, Rule
from tests.control.providers_kit import provider
from tests.control.triggers.kit import CLIENT, Scene
from tests.support.nameserver import NameServer


def _reason(scene: Scene) -> str:
    """Why the one that would have been listed was spared."""
    scene.follow()
    assert scene.listed() == []
    [finding] = Finding.objects.filter(kind="spare")
    return finding.reason


def _mail(scene: Scene, count: int, client: str = CLIENT, **more: Any) -> None:
    scene.see(client, count, Outcome.ACCEPTED, ago=90_000, **more)


def test_clients_that_deliver_mail(scene: Scene) -> None:
    """Five accepted messages in sixty days keep from being listed, four do not."""
    scene.trigger()
    _mail(scene, 5)
    _mail(scene, 4, "203.0.113.8")
    scene.see()
    assert _reason(scene) == "delivered 5 accepted messages in 60 days"
    scene.see("203.0.113.8")
    scene.follow()
    assert scene.listed() == ["203.0.113.8"]


@pytest.mark.parametrize(
    "more",
    [
        {"reason": "hold: header Subject: odd"},
        {"reason": "discard: header Subject: odd"},
        {"delivery": Delivery.BOUNCED},
        {"spam": True, "score": 9.0},
    ],
)
def test_what_was_never_delivered_speaks_for_nobody(scene: Scene, more: dict[str, Any]) -> None:
    """The client was told that it is accepted, but nobody got it."""
    scene.trigger()
    _mail(scene, 5, **more)
    scene.see()
    scene.follow()
    assert scene.listed() == [CLIENT]


@pytest.mark.parametrize(
    ("rule", "counted", "other"),
    [
        ({"metric": "score", "score": 15.0}, {"score": 18.2}, {"score": 14.9}),
        (
            {"metric": "trap", "traps": ["trap@example.net", "@old.example"]},
            {"recipient": "Any@OLD.example"},
            {"recipient": "b@fold.example"},
        ),
    ],
)
def test_what_the_trigger_itself_counts_speaks_for_nobody(
    scene: Scene, rule: dict[str, Any], counted: dict[str, Any], other: dict[str, Any]
) -> None:
    """Else it would spare whoever sends much of it at once, and whoever comes again."""
    scene.trigger(**rule)
    scene.see(CLIENT, 12, Outcome.ACCEPTED, **counted)
    scene.see("203.0.113.8", 5, Outcome.ACCEPTED, ago=80, **other)
    scene.see("203.0.113.8", 12, Outcome.ACCEPTED, **counted)
    scene.follow()
    assert scene.listed() == [CLIENT]
    assert "203.0.113.8" in Finding.objects.filter(kind="spare").values_list("target", flat=True)


@pytest.mark.parametrize("whole", [False, True])
def test_many_looked_up_at_once_are_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Whether a backtest has looked ahead or not: at each time the same are spared."""
    if whole:
        _read_whole(monkeypatch)
    clients = [f"203.0.113.{last}" for last in range(1, 6)]
    for last, client in enumerate(clients, start=1):
        _mail(scene, last, client)
        scene.see(client, last, Outcome.ACCEPTED, ago=4 * 86_400)
        scene.see(client, last, Outcome.ACCEPTED, ago=400, delivery=Delivery.BOUNCED)
    rule = Rule(Metric.UNKNOWN, 3, 600, accepted=5, days=3)
    since, until = scene.now - 5 * 86_400, scene.now + 5
    packed = [ip_address(client).packed for client in clients[:4]]
    ahead = AccountGuard(scene.world.viewer, rule, asks_often=True)
    list(ahead.foresee([bytes(10) + b"\xff\xff" + one for one in packed], since, until))
    said = []
    for client in clients:
        for at in range(int(since), int(until), 3600):
            plain = AccountGuard(scene.world.viewer, rule)
            said.append(plain.spared(0, parse_network(client), at))
            assert ahead.spared(0, parse_network(client), at) == said[-1]
    assert "" in said
    assert "delivered 5 accepted messages in 3 days" in said


def _read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask about one costs more than all there is."""
    for module, name in ((many, "HOURS"), (many, "NOISE"), (guard, "_SEEK")):
        monkeypatch.setattr(module, name, 10**9)


@pytest.mark.parametrize(
    ("group", "targets"),
    [
        (Group.NETWORK, ["203.0.113.0/24", "2001:db8::/64", "198.51.100.0/24", "192.0.2.0/24"]),
        (Group.DOMAIN, [".a.example", ".b.example", ".ab.example", ".none.example"]),
    ],
)
def test_networks_and_domains_read_as_a_whole_are_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, group: Group, targets: list[str]
) -> None:
    """What speaks for nobody is left out the same, and no neighbour's."""
    _read_whole(monkeypatch)
    clients = (
        ("203.0.113.0", "h.a.example"),
        ("203.0.113.255", "A.example"),
        ("203.0.112.255", "x.ab.example"),
        ("203.0.114.0", "bab.example"),
        ("2001:db8::1", "h.b.example"),
        ("198.51.100.7", "b.example"),
    )
    for place, (client, name) in enumerate(clients):
        for ago, more in ((90_000, {}), (90_000, {"score": 16.0}), (400, {"spam": True})):
            scene.see(client, 2 + place, Outcome.ACCEPTED, ago=ago, client_name=name, **more)
    rule = Rule(Metric.SCORE, 3, 600, group, score=15.0, accepted=4, days=3)
    often = AccountGuard(scene.world.viewer, rule, asks_often=True)
    said = set()
    for text in targets * 2:
        for at in (scene.now - 86_400, scene.now):
            plain = AccountGuard(scene.world.viewer, rule)
            told = plain.spared(0, parse_target(text), at)
            assert often.spared(0, parse_target(text), at) == told
            said.add(told)
    assert len(said) > 2


def test_spam_of_many_clients_in_a_network_speaks_for_nobody(scene: Scene) -> None:
    """Of all days, however many clients it came from on each: a day is looked at once."""
    for day in range(1, 11):
        for last in range(1, 6):
            ago = day * 86_400
            scene.see(f"203.0.113.{last}", 1, Outcome.ACCEPTED, ago=ago, spam=True, score=9.0)
    rule = Rule(Metric.UNKNOWN, 3, 600, Group.NETWORK, accepted=5, days=30)
    network = parse_target("203.0.113.0/24")
    for often in (False, True):
        asked = AccountGuard(scene.world.viewer, rule, asks_often=often)
        assert asked.spared(0, network, scene.now) == ""
    scene.see("203.0.113.9", 5, Outcome.ACCEPTED, ago=90_000)
    asked = AccountGuard(scene.world.viewer, rule)
    assert asked.spared(0, network, scene.now) == "delivered 5 accepted messages in 30 days"


def test_mail_of_today_counts_up_to_the_moment(scene: Scene) -> None:
    """By the hour, so that a sender of this morning is known."""
    scene.trigger()
    scene.see(CLIENT, 5, Outcome.ACCEPTED, ago=100)
    scene.see()
    assert "delivered 5" in _reason(scene)


def test_mail_that_is_too_old_does_not(scene: Scene) -> None:
    """Beyond the days that the trigger looks back."""
    scene.trigger(days=2)
    scene.see(CLIENT, 5, Outcome.ACCEPTED, ago=5 * 86_400)
    scene.see()
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_the_exception_can_be_switched_off(scene: Scene) -> None:
    """With 0 messages nobody is spared for the mail that it delivers."""
    scene.trigger(accepted=0)
    _mail(scene, 50)
    scene.see()
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_networks_in_which_somebody_delivers_mail(scene: Scene) -> None:
    """All clients in it count, also those that did nothing wrong."""
    scene.trigger(group="network")
    _mail(scene, 5, "203.0.113.99")
    scene.see()
    assert _reason(scene).startswith("delivered 5")


def test_domains_under_which_mail_is_delivered(scene: Scene) -> None:
    """By verified names; other domains that end alike are others."""
    scene.trigger(group="domain")
    _mail(scene, 5, "198.51.100.1", client_name="mx.pool.example")
    _mail(scene, 5, "198.51.100.1", client_name="mx.whirlpool.example")
    scene.see(client_name="dsl.pool.example")
    assert _reason(scene).startswith("delivered 5")
    scene.see(client_name="a.lpool.example")
    scene.follow()
    assert scene.listed() == [".lpool.example"]


def test_clients_that_are_allowed(scene: Scene) -> None:
    """By a network around them too; an allow on another server says nothing here."""
    scene.trigger(where="server")
    wish = make_wish(Action.ALLOW, now=scene.now)
    list_targets(scene.world.owner, ["203.0.113.0/24"], wish, server="mx1")
    scene.see()
    assert _reason(scene) == "is allowed by 203.0.113.0/24"
    scene.see(server="mx2")
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_another_accounts_allow_does_not_matter(scene: Scene) -> None:
    """What the outsider allows is their own matter."""
    scene.trigger()
    list_targets(scene.world.outsider, [CLIENT], make_wish(Action.ALLOW, now=scene.now))
    scene.see()
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_own_servers_and_private_space(scene: Scene) -> None:
    """Always on."""
    scene.trigger()
    edit_server(scene.world.owner, "mx2", addresses=[CLIENT])
    scene.see()
    assert "own server mx2" in _reason(scene)
    scene.see("192.168.1.9")
    scene.follow()
    assert Finding.objects.latest("id").reason == "is in private space"
    assert scene.listed() == []


@pytest.mark.parametrize("use", ["list", "except"])
def test_protected_providers(scene: Scene, names: NameServer, use: str) -> None:
    """Whatever lies in the networks of a provider; one that is only named protects nobody."""
    names.spf(bigmail="v=spf1 ip4:203.0.113.0/28 -all", other="v=spf1 ip4:198.51.100.0/24 -all")
    provider(scene.world.owner, "Bigmail", "bigmail.example", use)
    provider(scene.world.owner, "Other", "other.example", "warn")
    scene.trigger(accepted=0)
    scene.see()
    scene.see("198.51.100.7")
    scene.follow()
    assert scene.listed() == ["198.51.100.7"]
    [finding] = Finding.objects.filter(kind="spare")
    assert finding.target == CLIENT
    assert finding.reason == "belongs to the mail provider Bigmail"


def test_a_provider_of_one_server(scene: Scene, names: NameServer) -> None:
    """Its mail is kept from what lists there, and everywhere; not from what lists elsewhere."""
    names.spf(bigmail="v=spf1 ip4:203.0.113.0/28 -all")
    provider(scene.world.owner, "Bigmail", "bigmail.example", "except", "mx2")
    scene.trigger("each", where="server", accepted=0)
    scene.see(server="mx1")
    scene.see(server="mx2")
    scene.follow()
    [one] = Version.objects.filter(source="trigger", until=None)
    assert one.scope == scene.servers["mx1"]
    scene.trigger("all", threshold=2, accepted=0)
    scene.see(count=2, ago=20)
    scene.follow()
    spared = Finding.objects.filter(kind="spare", reason="belongs to the mail provider Bigmail")
    assert {finding.trigger.name for finding in spared} == {"each", "all"}
    remove_server(scene.world.owner, "mx2")
    scene.restart()
    scene.see(ago=10)
    scene.follow()
    assert scene.listed() == [CLIENT, CLIENT]


def test_a_provider_that_comes_while_triggers_count(scene: Scene, names: NameServer) -> None:
    """From its first set on it is protected, and no longer than it is known."""
    scene.trigger(accepted=0, brake=0)
    scene.see("198.51.100.7")
    scene.follow()
    names.spf(bigmail="v=spf1 ip4:203.0.113.0/28 -all")
    provider(scene.world.owner, "Bigmail", "bigmail.example", "except")
    scene.see()
    scene.follow()
    assert scene.listed() == ["198.51.100.7"]
    pause(scene.world.owner, "Bigmail", paused=True)
    scene.see(ago=30)
    scene.follow()
    assert scene.listed() == ["198.51.100.7", CLIENT]


def test_networks_that_a_provider_has_a_part_of(scene: Scene, names: NameServer) -> None:
    """They would hit it, too; sets of another account count for nothing."""
    names.spf(bigmail="v=spf1 ip4:203.0.113.240/28 -all", other="v=spf1 ip4:203.0.113.0/24 -all")
    provider(scene.world.outsider, "Other", "other.example", "except")
    scene.trigger(group="network")
    scene.see()
    scene.follow()
    assert scene.listed() == ["203.0.113.0/24"]
    provider(scene.world.owner, "Bigmail", "bigmail.example", "except")
    scene.restart()
    scene.trigger("again", group="network", threshold=2)
    scene.see(count=2, ago=5)
    scene.follow()
    [finding] = Finding.objects.filter(kind="spare")
    assert finding.reason == "belongs to the mail provider Bigmail"


def test_triggers_that_spare_the_same_look_it_up_once(scene: Scene) -> None:
    """However many count the same."""
    asked: list[int] = []
    for more in (1, 3):
        for _ in range(more):
            scene.trigger(f"test-{Trigger.objects.count()}")
        scene.see(ago=60 - 10 * len(asked))
        with CaptureQueriesContext(connections[traffic_database()]) as made:
            scene.follow()
        asked.append(sum('clientday"' in one["sql"].lower() for one in made.captured_queries))
    assert Finding.objects.filter(kind="list").count() == 1 + 3
    assert asked[0] == asked[1] > 0


def test_public_suffixes(scene: Scene) -> None:
    """Strangers have their names below one, whatever came from one of them."""
    guard = AccountGuard(scene.world.viewer, Rule(Metric.UNKNOWN, 3, 600))
    assert guard.spared(0, parse_target(".github.io"), scene.now).startswith("is a public suffix")
    assert guard.spared(0, parse_target(".a.github.io"), scene.now) == ""
