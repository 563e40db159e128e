"""A backtest says what would have been: held against following the same sightings live."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers import weighing
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.models import Finding
from mailmum.control.triggers.progress import Progress
from mailmum.control.triggers.report import Report
from mailmum.control.triggers.values import rule_of
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from mailmum.triggers.presets import PRESETS, Preset
from mailmum.triggers.rules import Metric, Rule, Where
from tests.control.triggers.kit import CLIENT, Scene
from tests.support.world import World

RULE = Rule(Metric.UNKNOWN, threshold=3, window=600, lifetime=3600)


def _tried(scene: Scene, rule: Rule = RULE, days: int = 30) -> Report:
    return last_of(backtest(scene.world.viewer, rule, days=days))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"group": "network", "threshold": 4},
        {"merge": 2, "lifetime": "12h"},
        {"where": "server"},
        {"metric": "lists", "threshold": 2},
        {"metric": "score", "score": 10, "threshold": 1},
        {"group": "domain"},
        {"metric": "connections", "threshold": 5},
    ],
)
def test_it_lists_whom_the_live_trigger_lists(scene: Scene, fields: dict[str, Any]) -> None:
    """The same clients, at the same moments, for as long: by the second, not by the hour."""
    trigger = scene.trigger(mode="observe", **fields)
    for ago in (300_000, 200_000, 90_000, 90_300, 4000, 3500):
        for last in (7, 8, 99):
            name = f"h{last}.pool.example"
            scene.see(f"203.0.113.{last}", 2, ago=ago, client_name=name)
            scene.see(
                f"203.0.113.{last}",
                1 + ago % 3,
                ago=ago - 100,
                server="mx2" if last == 8 else "mx1",
                client_name=name,
            )
            for rbl in ("a.rbl.example", "b.rbl.example"):
                scene.see(f"203.0.113.{last}", 1, Outcome.REJECTED, ago=ago, rbl=rbl, score=12.5)
    # Live they come in the order of time.
    _renumber()
    scene.follow()
    live = [
        (one.target, one.scope, one.begin, one.times)
        for one in Finding.objects.exclude(kind="spare").order_by("id")
    ]
    report = _tried(scene, rule_of(trigger))
    tried = [(one["target"], one["scope"], one["begin"], one["times"]) for one in report.listed]
    names = {0: "account"} | {number: name for name, number in scene.servers.items()}
    assert live
    assert [(t, names[s], _moment(b), n) for t, s, b, n in live] == tried


def _renumber() -> None:
    """Number sightings anew in the order of time, as they would have come."""
    rows = list(Seen.objects.order_by("time", "pk"))
    base = rows[-1].pk + max(row.pk for row in rows)
    Seen.objects.all().delete()
    for number, row in enumerate(rows, start=base):
        row.pk = number
    Seen.objects.bulk_create(rows)


def _moment(millis: int) -> str:
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_without_sightings_hours_stand_for_them(scene: Scene) -> None:
    """What is too old to be kept one by one is known by the hour."""
    scene.see(ago=20 * 86_400)
    Seen.objects.all().delete()
    report = _tried(scene)
    assert (report.listings, report.exact_since) == (1, None)
    assert (report.listed[0]["target"], report.listed[0]["exact"]) == (CLIENT, False)
    assert report.listed[0]["begin"].endswith(":00:00Z")


def test_what_is_known_is_told_and_nothing_stands_for_what_is_not(scene: Scene) -> None:
    """Where nothing is older than the sightings no counts by the hour stand for them."""
    report = _tried(scene)
    assert (report.known_since, report.exact_since) == (None, report.since)
    scene.see(ago=2 * 86_400)
    report = _tried(scene)
    day = int(scene.now - 2 * 86_400) // 86_400 * 86_400
    assert (report.known_since, report.exact_since) == (_moment(day * 1000), report.since)
    scene.see("203.0.113.8", ago=20 * 86_400)
    Seen.objects.filter(time__lt=(scene.now - 10 * 86_400) * 1000).delete()
    report = _tried(scene)
    day = int(scene.now - 20 * 86_400) // 86_400 * 86_400
    assert report.known_since == _moment(day * 1000)
    assert report.exact_since == _moment(int(scene.now - 2 * 86_400) // 3600 * 3600 * 1000)


def test_rules_by_single_sightings_know_no_more_than_these(scene: Scene) -> None:
    """Counts are kept for longer, and tell no score, recipient or name."""
    scene.see(ago=20 * 86_400)
    Seen.objects.all().delete()
    scene.see(ago=5 * 86_400, score=20.0)
    scored = _tried(scene, Rule(Metric.SCORE, 3, 600, score=15.0))
    assert scored.known_since == _moment(int(scene.now - 5 * 86_400) * 1000)
    assert _tried(scene).known_since is not None
    assert (_tried(scene).known_since or "") < (scored.known_since or "")


def test_what_it_would_have_stopped_and_whose_mail(scene: Scene) -> None:
    """All that came while it would have been listed; what was refused all the same apart."""
    scene.see(ago=7200)
    scene.see(count=2, ago=7000)
    scene.see(count=4, outcome=Outcome.ACCEPTED, ago=6900)
    scene.see(count=9, outcome=Outcome.CONNECTED, ago=86_400)
    report = _tried(scene, Rule(Metric.UNKNOWN, 3, 600, lifetime=7200, accepted=0))
    assert (report.listings, report.hit) == (1, 1)
    assert report.hits == [{"client": CLIENT, "accepted": 4, "target": CLIENT}]
    assert report.accepted == 4
    assert report.contacts - report.turned_away == 4
    assert report.median_seconds == 2


def test_what_came_before_and_after_a_listing_was_not_stopped_by_it(scene: Scene) -> None:
    """Not even in the same hour; where single sightings are gone all of that hour counts."""
    hour = int(scene.now - 5 * 86_400) // 3600 * 3600
    ago = scene.now - hour
    scene.see(ago=ago - 60)  # listed with the third, two seconds later
    scene.see(count=4, ago=ago - 600)
    scene.see(count=1, outcome=Outcome.ACCEPTED, ago=ago - 1800)
    scene.see(count=2, outcome=Outcome.CONNECTED, ago=ago - 60)
    scene.see(count=5, outcome=Outcome.CONNECTED, ago=ago - 3000)
    # Ends half an hour after it began, and on the hour.
    for lifetime in (1800, 3600 - 62):
        report = _tried(scene, Rule(Metric.UNKNOWN, 3, 60, lifetime=lifetime, accepted=0))
        more = 5 if lifetime > 3000 else 0
        assert (report.listings, report.accepted) == (1, 1)
        assert (report.contacts, report.turned_away) == (5 + more, 4)
    Seen.objects.all().delete()
    report = _tried(scene, Rule(Metric.UNKNOWN, 3, 60, lifetime=1800, accepted=0))
    assert (report.listings, report.contacts, report.turned_away) == (1, 15, 7)


@pytest.mark.parametrize("enough", [0, 50])
def test_all_listings_tell_whose_mail_they_hit(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    """Also those of which it is not counted what they would have stopped; nobody twice.

    The same whether the guard had looked their mail up or not: it looks further back.
    """
    monkeypatch.setattr(weighing, "WEIGHED", 1)
    clients = ["203.0.113.1", "203.0.113.2", "2001:db8::1", "198.51.100.1"]
    for client in clients:
        scene.see(client, ago=7200)
        scene.see(client, count=2, outcome=Outcome.ACCEPTED, ago=90_000)
        scene.see(client, count=1, outcome=Outcome.ACCEPTED, ago=7000)
        scene.see(client, count=5, outcome=Outcome.ACCEPTED, ago=40 * 86_400)
    scene.see("203.0.113.9", 4, Outcome.ACCEPTED, ago=7000)
    report = _tried(scene, Rule(Metric.UNKNOWN, 3, 600, accepted=enough, merge=2))
    assert (report.listings, report.weighed, report.hit) == (5, 1, 5)
    hit = [(one["client"], one["accepted"], one["target"]) for one in report.hits]
    assert sorted(hit) == sorted(
        [("203.0.113.9", 4, "203.0.113.0/24"), *((one, 3, one) for one in clients)]
    )


def test_mail_that_is_the_evidence_is_none_that_is_hit(scene: Scene) -> None:
    """Spam that was accepted before it was judged; what else came of them counts."""
    rule = Rule(Metric.SCORE, threshold=2, window=3600, score=10.0, accepted=0)
    for client, good in (("203.0.113.1", 0), ("203.0.113.2", 3)):
        scene.see(client, 4, Outcome.ACCEPTED, ago=7200, score=12.5)
        scene.see(client, good, Outcome.ACCEPTED, ago=90_000, score=1.0)
    report = _tried(scene, rule)
    assert report.listings == 2
    assert report.hits == [{"client": "203.0.113.2", "accepted": 3, "target": "203.0.113.2"}]


def test_who_would_have_been_spared(scene: Scene) -> None:
    """With the reason; and more to be accepted spares fewer."""
    scene.see(count=6, outcome=Outcome.ACCEPTED, ago=90_000)
    scene.see(ago=7200)
    report = _tried(scene)
    assert (report.listings, report.spared) == (0, 1)
    assert report.spared_targets[0]["reason"] == "delivered 6 accepted messages in 60 days"
    assert _tried(scene, Rule(Metric.UNKNOWN, 3, 600, accepted=7)).listings == 1


def test_who_is_spared_counts_once(scene: Scene) -> None:
    """However often he would have been listed; so do targets, on whatever servers they came."""
    for ago in (200_000, 90_000, 7200):
        scene.see(count=6, outcome=Outcome.ACCEPTED, ago=ago)
        scene.see(ago=ago)
        scene.see("198.51.100.1", ago=ago)
        scene.see("198.51.100.1", ago=ago, server="mx2")
    report = _tried(scene, Rule(Metric.UNKNOWN, 3, 600, lifetime=3600, where=Where.SERVER))
    assert (report.listings, report.targets, report.spared) == (6, 1, 1)
    [spared] = report.spared_targets
    assert (spared["target"], spared["times"]) == (CLIENT, 3)
    assert spared["when"] == _moment(int(scene.now - 200_000 + 2) * 1000)


def test_who_is_allowed_would_have_been_spared(scene: Scene) -> None:
    """By what is allowed now."""
    wish = make_wish(Action.ALLOW, now=scene.now)
    list_targets(scene.world.owner, ["203.0.113.0/24"], wish)
    scene.see(ago=7200)
    scene.see("198.51.100.1", ago=7200)
    report = _tried(scene)
    assert [one["target"] for one in report.listed] == ["198.51.100.1"]
    assert report.spared_targets[0]["reason"] == "is allowed by 203.0.113.0/24"


def test_of_counts_only_the_hour_is_told(scene: Scene) -> None:
    """Of listings, of who was spared, and of the brake; beside it what is kept is exact."""
    for last in (1, 2, 3):
        scene.see(f"203.0.113.{last}", ago=20 * 86_400)
    scene.see("203.0.113.4", 5, Outcome.ACCEPTED, ago=21 * 86_400)
    scene.see("203.0.113.4", ago=20 * 86_400)
    Seen.objects.all().delete()
    scene.see("203.0.113.5", ago=7200)
    report = _tried(scene, Rule(Metric.UNKNOWN, 3, 600, brake=1))
    told = {one["target"]: one["exact"] for one in report.listed}
    assert told == {f"203.0.113.{last}": last == 5 for last in (1, 2, 3, 5)}
    assert [one["exact"] for one in report.spared_targets] == [False]
    assert report.brake is not None
    assert not report.brake_exact


def test_the_brake_is_told(scene: Scene) -> None:
    """When it would have stopped the trigger, and what it would have listed without."""
    for last in (1, 2, 3):
        scene.see(f"203.0.113.{last}", ago=7200)
    report = _tried(scene, Rule(Metric.UNKNOWN, 3, 600, brake=1))
    assert report.listings == 3
    assert report.brake is not None
    assert report.brake_exact
    assert all(one["exact"] for one in report.listed)
    assert sum(one["listings"] for one in report.by_day) == 3


def test_another_accounts_past_is_not_looked_at(scene: Scene) -> None:
    """Neither its counts nor its sightings."""
    scene.see_foreign(count=50)
    report = _tried(scene)
    assert (report.listings, report.rows) == (0, 0)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda one: one.name)
def test_who_has_no_history_yet_is_told_so(world: World, preset: Preset) -> None:
    """No sighting, no public list, no server: nothing would have been listed."""
    report = last_of(backtest(world.viewer, preset.rule))
    assert (report.listings, report.rows, report.hit) == (0, 0, 0)


def test_progress_comes_first_and_the_report_last(scene: Scene) -> None:
    """From nothing to all of it, phase by phase; nothing is changed."""
    scene.see(ago=7200)
    *steps, report = backtest(scene.world.viewer, RULE, days=3)
    assert isinstance(report, Report)
    assert next(one.phase for one in steps if isinstance(one, Progress)) == "reading"
    assert all(0 <= one.done <= 1 for one in steps if isinstance(one, Progress))
    assert not Finding.objects.exists()


def test_only_so_many_days(scene: Scene) -> None:
    """What lies before is not looked at."""
    scene.see(ago=5 * 86_400)
    assert _tried(scene, days=3).listings == 0
    assert _tried(scene, days=6).listings == 1
