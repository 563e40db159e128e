"""A trigger that fails harms no other, and loses nothing but what it fails on."""

import time

import pytest

from mailmum.control.alerts.comparing import look
from mailmum.control.alerts.models import Alert
from mailmum.control.alerts.watches import WATCHES
from mailmum.control.doctor_triggers import trigger_findings
from mailmum.control.traffic.models import Seen
from mailmum.control.triggers import failing
from mailmum.control.triggers.models import Skipped, Trigger
from mailmum.control.triggers.services import add_trigger
from mailmum.traffic.sightings import Outcome
from tests.control.triggers.kit import CLIENT, Scene

_AUTH = Outcome.AUTH_FAILED
OTHER = "203.0.113.9"


def follow_on(scene: Scene, seconds: int = 30) -> None:
    """Follow for a while, a step every three seconds, by a clock of our own."""
    began = time.time()
    for second in range(0, seconds, 3):
        list(scene.follower.steps(began + second))


def spoil(**columns: object) -> int:
    """What no address is, or no time: the last sighting becomes one that nobody can judge."""
    last = Seen.objects.latest("pk")
    Seen.objects.filter(pk=last.pk).update(**columns)
    return last.pk


def said_by_doctor(scene: Scene) -> dict[str, str]:
    """What doctor says is wrong."""
    told = trigger_findings(scene.world.owner, time.time())
    return {name: message for name, state, message, _ in told if state == "warn"}


@pytest.mark.parametrize(
    "columns",
    [
        # Twenty bytes are no address: the judge fails.
        {"client": bytes(range(20))},
        # So late that the listing's end cannot be kept: writing fails.
        {"time": 2**63 - 1},
    ],
)
def test_a_sighting_that_cannot_be_judged_is_left_out(
    scene: Scene, columns: dict[str, object]
) -> None:
    """After some tries; what came before and after it counts, and is listed once."""
    trigger = scene.trigger(threshold=1)
    scene.see(count=1)
    scene.see(OTHER, count=1)
    bad = spoil(**columns)
    scene.see("203.0.113.10", count=1)
    follow_on(scene)
    assert scene.listed() == [CLIENT, "203.0.113.10"]
    [left_out] = Skipped.objects.all()
    assert (left_out.trigger_id, left_out.number) == (trigger.pk, bad)
    assert "left out" in said_by_doctor(scene)["trigger test"]
    # After a restart it is left out at once, and what was listed is not listed again.
    scene.restart()
    scene.see("203.0.113.11", count=1)
    scene.follow()
    assert scene.listed() == [CLIENT, "203.0.113.10", "203.0.113.11"]
    assert [kind for kind, _ in scene.found()] == ["list"] * 3


def test_what_had_been_counted_before_it_still_counts(scene: Scene) -> None:
    """Two, one that fails, and the third: counted as if the one had not been."""
    scene.trigger(threshold=3)
    scene.see(count=2)
    scene.see(OTHER, count=1)
    spoil(client=bytes(range(20)))
    follow_on(scene)
    scene.see(count=1, ago=30)
    follow_on(scene)
    assert scene.found() == [("list", CLIENT)]


def test_all_others_go_on_meanwhile(scene: Scene) -> None:
    """Other triggers of the account, and those of other accounts, within the same step."""
    scene.trigger(threshold=1)
    add_trigger(
        scene.world.outsider,
        "test",
        {"metric": "unknown-recipients", "threshold": 3, "window": "10m", "mode": "enforce"},
    )
    scene.trigger("another", metric="auth", threshold=1, group="network")
    scene.see(OTHER, count=1)
    spoil(client=bytes(range(20)))
    scene.see_foreign(CLIENT)
    scene.see("198.51.100.7", count=1, outcome=_AUTH)
    scene.follow()
    assert sorted(scene.listed()) == ["198.51.100.0/24", CLIENT]
    follow_on(scene)
    assert Skipped.objects.count() == 1


def test_a_trigger_that_cannot_be_read_is_tried_again_and_told(scene: Scene) -> None:
    """It waits longer each time, goes on where it stood, and then is told no more."""
    trigger = scene.trigger(threshold=1)
    scene.trigger("another", threshold=1, group="network", metric="auth")
    rule = trigger.rule
    Trigger.objects.filter(pk=trigger.pk).update(rule=rule | {"threshold": 0})
    scene.restart()
    scene.see(count=1)
    scene.see(OTHER, count=1, outcome=_AUTH)
    follow_on(scene)
    assert scene.listed() == ["203.0.113.0/24"]
    assert Skipped.objects.get().number == 0
    assert "fails" in said_by_doctor(scene)["trigger test"]
    watch = [one for one in WATCHES if one.kind == "trigger-failing"]
    look(scene.world.owner.account, watch)
    look(scene.world.outsider.account, watch)
    assert [(one.account_id, one.about) for one in Alert.objects.all()] == [
        (scene.world.owner.account.pk, "test")
    ]
    Trigger.objects.filter(pk=trigger.pk).update(rule=rule)
    for later in (0, 700, 701):
        list(scene.follower.steps(time.time() + 40 + later))
    assert scene.listed() == ["203.0.113.0/24", CLIENT]
    assert not Skipped.objects.exists()
    assert said_by_doctor(scene) == {}


def test_when_everything_fails_nothing_more_is_left_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not they that are wrong then: they wait for a mended version, and count with it."""
    monkeypatch.setattr(failing, "IN_A_ROW", 2)
    scene.trigger(threshold=1)
    scene.see(count=1)
    for last in range(20, 25):
        scene.see(f"203.0.113.{last}", count=1)
        spoil(client=bytes(range(20)))
    follow_on(scene, 60)
    assert scene.listed() == [CLIENT]
    left_out = Skipped.objects.exclude(number=0)
    assert left_out.count() == 2
    good = bytes.fromhex("00000000000000000000ffffcb007163")
    Seen.objects.filter(pk__gt=max(left_out.values_list("number", flat=True))).update(client=good)
    for later in (0, 700, 701, 702):
        list(scene.follower.steps(time.time() + 60 + later))
    assert scene.listed() == [CLIENT, "203.0.113.99"]
