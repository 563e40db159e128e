"""A better source begins to see a server: what both tell counts once, and nothing is left out."""

import random
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from mailmum.control.traffic.models import Seen
from mailmum.control.triggers import backtest as trying
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.models import Finding, Trigger
from mailmum.control.triggers.values import rule_of
from mailmum.traffic.sightings import Outcome, Source
from mailmum.triggers.rules import Metric, Rule
from tests.control.triggers.kit import CLIENT, Scene

DNS, LOG = Source.DNS, Source.LOG
_DAY = 86_400


def _watch(scene: Scene, **more: Any) -> Trigger:
    return scene.trigger(metric="connections", threshold=6, accepted=0, **more)


def _see(scene: Scene, source: Source, count: int, ago: float, client: str = CLIENT) -> None:
    outcome = Outcome.CONNECTED if source is LOG else Outcome.UNLISTED
    scene.see(client, count, outcome, ago=ago, source=source)


def _follow(scene: Scene) -> None:
    """Once more for a trigger that begins anew."""
    scene.follow()
    scene.follow()


def test_what_dns_told_and_the_log_tells_again_counts_once(scene: Scene) -> None:
    """Four contacts are four, whoever tells of them; six are six."""
    _watch(scene)
    _see(scene, DNS, 4, ago=100)
    scene.follow()
    _see(scene, LOG, 4, ago=100)
    _follow(scene)
    assert scene.listed() == []
    _see(scene, DNS, 4, ago=90)
    _follow(scene)
    assert scene.listed() == []
    _see(scene, LOG, 2, ago=90)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_the_first_lines_of_a_log_count_at_once(scene: Scene) -> None:
    """Not when the next one comes, nor when servers are looked up anew."""
    _watch(scene)
    _see(scene, DNS, 1, ago=1000, client="203.0.113.9")
    scene.follow()
    _see(scene, LOG, 8, ago=100)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_what_came_before_the_log_began_still_counts(scene: Scene) -> None:
    """Three that DNS told of, and then three that the log does; a restart makes no difference."""
    _watch(scene)
    _see(scene, DNS, 3, ago=100)
    scene.follow()
    _see(scene, LOG, 2, ago=90)
    _follow(scene)
    scene.restart()
    scene.follow()
    assert scene.listed() == []
    _see(scene, LOG, 1, ago=80)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_a_log_whose_older_lines_come_late_has_begun_with_them(scene: Scene) -> None:
    """Of the time between, DNS had told the same contacts."""
    _watch(scene)
    _see(scene, DNS, 4, ago=300)
    _see(scene, LOG, 1, ago=200)
    scene.follow()
    _see(scene, LOG, 4, ago=300)
    _follow(scene)
    assert scene.listed() == []
    _see(scene, LOG, 1, ago=100)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_older_lines_of_the_same_hour_count_at_once(scene: Scene) -> None:
    """Also where the log had been looked up for that hour before, and nothing else has come."""
    _watch(scene)
    ago = scene.now % 3600 + 3600
    _see(scene, DNS, 1, ago=ago - 10, client="203.0.113.9")
    scene.follow()
    _see(scene, LOG, 1, ago=ago - 1800, client="203.0.113.9")
    scene.follow()
    _see(scene, LOG, 6, ago=ago - 600)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_a_worse_source_that_is_new_where_the_better_one_is_silent(scene: Scene) -> None:
    """Only the log had ever been known, and its turn is over."""
    _watch(scene)
    _see(scene, LOG, 1, ago=9 * _DAY, client="203.0.113.9")
    scene.see("203.0.113.8", 1, Outcome.CONNECTED, ago=50, server="mx2")
    scene.follow()
    _see(scene, DNS, 6, ago=100)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_what_has_waited_for_days_counts_as_it_was_seen_then(scene: Scene) -> None:
    """The worker was away, and nothing had counted before; the log has begun meanwhile."""
    _watch(scene, lifetime="30d", longest="30d")
    _see(scene, DNS, 6, ago=4 * _DAY)
    _see(scene, LOG, 1, ago=4 * _DAY - 500)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_a_log_that_begins_elsewhere_lets_it_go_on(scene: Scene) -> None:
    """What counts of one server only need not be counted anew, nor looked up of the others."""
    trigger = _watch(scene, server="mx2")
    scene.see(CLIENT, 5, Outcome.UNLISTED, ago=100, server="mx2", source=DNS)
    _see(scene, DNS, 4, ago=100)
    scene.follow()
    going_on = scene.follower.followed[trigger.pk]
    _see(scene, LOG, 4, ago=110)
    scene.see(CLIENT, 1, Outcome.UNLISTED, ago=90, server="mx2", source=DNS)
    scene.follow()
    assert scene.follower.followed[trigger.pk] is going_on
    assert scene.listed() == [CLIENT]
    assert going_on.counting is not None
    assert list(going_on.counting.judge.context.best) == [scene.servers["mx2"]]


def test_who_is_listed_by_then_is_not_listed_again(scene: Scene) -> None:
    """For the same contacts as the log tells them."""
    _watch(scene, lifetime="1h")
    _see(scene, DNS, 7, ago=100)
    scene.follow()
    assert scene.found() == [("list", CLIENT)]
    _see(scene, LOG, 7, ago=100)
    _follow(scene)
    assert scene.found() == [("list", CLIENT)]


def test_a_log_that_is_silent_for_more_than_a_week_leaves_its_turn(scene: Scene) -> None:
    """What is asked over DNS counts again then."""
    _watch(scene)
    _see(scene, LOG, 1, ago=9 * _DAY)
    _see(scene, DNS, 1, ago=9 * _DAY)
    scene.follow()
    _see(scene, DNS, 6, ago=100)
    _follow(scene)
    assert scene.listed() == [CLIENT]


def test_a_server_that_is_new_counts_from_its_first_contact(scene: Scene) -> None:
    """Though another was known before."""
    _watch(scene)
    _see(scene, LOG, 1, ago=1000, client="203.0.113.9")
    scene.follow()
    scene.see(CLIENT, 6, Outcome.UNLISTED, ago=100, server="mx2", source=DNS)
    _follow(scene)
    assert scene.listed() == [CLIENT]


@pytest.mark.parametrize("seed", range(4))
def test_live_killed_and_tried_on_the_past_it_comes_to_the_same(scene: Scene, seed: int) -> None:
    """Each source in the order of time, the log from some moment on; held against counting."""
    chance = random.Random(seed)
    trigger = _watch(scene, mode="observe", lifetime="5m", growth=1, quiet="1h", brake=0)
    began = 3000 - 60 * chance.randrange(10, 30) + 0.5
    right: dict[str, list[float]] = {}
    for ago in range(4000, 1000, -20):
        client = f"203.0.113.{chance.randrange(3)}"
        _see(scene, DNS, 1, ago=ago, client=client)
        if ago <= began:
            _see(scene, LOG, 1, ago=ago, client=client)
        right.setdefault(client, []).append(scene.now - ago)
        if chance.random() < 0.3:
            scene.follow()
        if chance.random() < 0.1:
            scene.restart()
    _follow(scene)
    rows = Finding.objects.filter(trigger=trigger).order_by("begin", "id")
    live = [(one.target, one.begin) for one in rows]
    expected = [
        (client, round(at * 1000)) for client, times in right.items() for at in _counted(times)
    ]
    assert sorted(live) == sorted(expected)
    assert len(live) > 5
    report = last_of(backtest(scene.world.viewer, rule_of(trigger)))
    tried = [(one["target"], one["begin"]) for one in report.listed]
    assert sorted(tried) == sorted((client, _moment(begin)) for client, begin in live)


def _counted(times: list[float]) -> list[float]:
    """When a client is listed for five minutes at its sixth contact in ten."""
    begun: list[float] = []
    spent = 0
    for place, at in enumerate(times):
        inside = [one for one in times[spent : place + 1] if one > at - 600]
        if begun and at < begun[-1] + 300:
            continue
        if len(inside) >= 6:
            begun.append(at)
            spent = place + 1
    return begun


def _moment(millis: int) -> str:
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_of_the_past_before_the_log_the_next_best_source_counts(scene: Scene) -> None:
    """By the hour where sightings are gone; the hour in which the log began counts by the log."""
    rule = Rule(Metric.CONNECTIONS, threshold=6, window=600, accepted=0, lifetime=3600)
    base = time.time() // 3600 * 3600
    for days, count in ((20, 6), (10, 6)):
        scene.see(CLIENT, count, Outcome.UNLISTED, ago=scene.now - base + days * _DAY, source=DNS)
    start = scene.now - base + 5 * _DAY
    scene.see("203.0.113.8", 5, Outcome.UNLISTED, ago=start - 600, source=DNS)
    scene.see("203.0.113.8", 5, Outcome.CONNECTED, ago=start - 600, source=LOG)
    scene.see("203.0.113.9", 7, Outcome.UNLISTED, ago=start - 4000, source=DNS)
    scene.see("203.0.113.9", 5, Outcome.CONNECTED, ago=start - 4000, source=LOG)
    scene.see("203.0.113.10", 6, Outcome.CONNECTED, ago=start - 8000, source=LOG)
    scene.see("203.0.113.10", 2, Outcome.UNLISTED, ago=start - 8002, source=DNS)
    scene.see("203.0.113.10", 2, Outcome.CONNECTED, ago=start - 8002, source=LOG)
    expected = [CLIENT, CLIENT, "203.0.113.10"]
    report = last_of(backtest(scene.world.viewer, rule))
    assert [one["target"] for one in report.listed] == expected
    # What came before each listing was not stopped; by the log alone where it was there.
    assert [one["contacts"] for one in report.listed] == [0, 0, 2]
    Seen.objects.all().delete()
    report = last_of(backtest(scene.world.viewer, rule))
    assert [one["target"] for one in report.listed] == expected


def test_less_than_nothing_is_never_stopped(scene: Scene) -> None:
    """What led to a listing in the first hour of the day on which a log begins is not counted."""
    rule = Rule(Metric.CONNECTIONS, threshold=3, window=60, accepted=0, lifetime=3 * _DAY)
    ago = scene.now - (scene.now - 5 * _DAY) // _DAY * _DAY
    _see(scene, DNS, 4, ago=ago - 60)
    _see(scene, LOG, 1, ago=ago - 5 * 3600, client="203.0.113.9")
    _see(scene, LOG, 2, ago=ago - _DAY)
    report = last_of(backtest(scene.world.viewer, rule))
    assert [(one["target"], one["contacts"]) for one in report.listed] == [(CLIENT, 2)]


@pytest.mark.parametrize("ago", [100, 3700, _DAY])
def test_a_log_whose_clock_is_ahead_takes_nothing_from_a_trial(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, ago: int
) -> None:
    """By then it has not begun, and is not what an hour that has not ended is counted by."""
    rule = Rule(Metric.CONNECTIONS, threshold=6, window=600, accepted=0, lifetime=2 * _DAY)
    scene.now = scene.now // 3600 * 3600 - 1800
    _see(scene, DNS, 6, ago=ago)
    _see(scene, DNS, 4, ago=ago - 50)
    _see(scene, LOG, 1, ago=-300, client="203.0.113.9")
    # Where only hours are looked at, what led to it lies in the same one.
    for room, stopped in ((1000, 4), (0, 10)):
        monkeypatch.setattr(trying, "SIGHTINGS_LIMIT", room)
        report = last_of(backtest(scene.world.viewer, rule, now=scene.now))
        assert [(one["target"], one["contacts"]) for one in report.listed] == [(CLIENT, stopped)]
