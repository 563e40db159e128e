"""Whatever is killed, fails or runs twice: in the end it is as if nothing had happened."""

import random
import time

import pytest
from django.db import DatabaseError

from mailmum.control.accounts.access import system_access
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers import acting, tidying
from mailmum.control.triggers.contexts import COLUMNS, contact_of, context_of
from mailmum.control.triggers.following import KEEP_EVERY, Follower
from mailmum.control.triggers.guard import AccountGuard
from mailmum.control.triggers.models import Finding, Trigger
from mailmum.control.triggers.values import rule_of
from mailmum.traffic.periods import DAY
from mailmum.triggers.judge import Judge
from tests.control.triggers.kit import CLIENT, Scene


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_killed_at_any_moment_it_comes_to_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Late lines, lines out of order, two followers at once, commits that fail."""
    chance = random.Random(seed)
    trigger = scene.trigger(
        mode="observe", window="2m", lifetime="5m", growth=1, merge=seed, brake=0, quiet="1h"
    )
    followers = [scene.follower, Follower()]
    for _ in range(60):
        late = chance.choice([0, 0, 0, 300, 3600, 3 * 86_400])
        scene.see(
            f"203.0.113.{chance.randrange(4)}",
            chance.randrange(1, 4),
            ago=4000 - 60 * chance.randrange(60) + late,
            server=chance.choice(["mx1", "mx2"]),
        )
        what = chance.choice(["follow", "follow", "kill", "fail", "nothing"])
        which = chance.randrange(2)
        if what == "kill":
            followers[which] = Follower()
        if what == "fail":
            _fail(followers[which], monkeypatch)
            followers[which] = Follower()
        if what != "nothing":
            list(followers[which].steps(time.time()))
    for _ in range(2):
        # One that was overtaken begins anew with the next step.
        list(followers[0].steps(time.time()))
    assert _found(trigger) == _judged(scene, Trigger.objects.get())


@pytest.mark.parametrize("tidied", [False, True])
def test_what_has_led_to_something_is_not_counted_again(scene: Scene, tidied: bool) -> None:
    """Though it is forgiven by now, and one that comes late would make it enough again."""
    scene.trigger(window="2d", lifetime="1m", quiet="1m")
    scene.see(ago=3 * DAY + 7200)
    scene.follow()
    scene.see("203.0.113.8", 1)
    list(scene.follower.steps(time.time() + KEEP_EVERY + 1))
    assert scene.found() == [("past", CLIENT)]
    if tidied:
        list(tidying.steps(scene.now))
    scene.restart()
    scene.see(count=1, ago=1.5 * DAY)
    scene.follow()
    assert scene.found() == [("past", CLIENT)]


def _fail(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(acting, "_keep_offences", _away)
        try:
            list(follower.steps(time.time()))
        except DatabaseError:
            return


def _away(*_: object) -> None:
    raise DatabaseError("away")


def _found(trigger: Trigger) -> list[tuple[str, int, int]]:
    rows = Finding.objects.filter(trigger=trigger).order_by("id")
    assert rows.count() >= 5
    return list(rows.values_list("target", "begin", "times"))


def _judged(scene: Scene, trigger: Trigger) -> list[tuple[str, int, int]]:
    """What one judge says that sees all of it from the beginning to the end."""
    account, rule = scene.world.owner.account, rule_of(trigger)
    context = context_of(account.pk, rule, 0.0)
    judge = Judge(rule, context, AccountGuard(system_access(account), rule))
    rows = Seen.objects.filter(account=account.pk).order_by("pk").values_list(*COLUMNS)
    return [
        (one.target.text, one.offence.begin, one.offence.times)
        for contact in map(contact_of, rows)
        for one in judge.take(contact)
    ]
