"""Changing triggers: by whom, with what said, and what stands in the journal."""

from datetime import timedelta
from typing import Any

import pytest

from mailmum.control import doctor
from mailmum.control.accounts.models import Account
from mailmum.control.journal.models import Record
from mailmum.control.servers.services import add_server
from mailmum.control.triggers import tidying
from mailmum.control.triggers.models import Offence, Trigger
from mailmum.control.triggers.queries import find_trigger, findings_of, show, triggers_of
from mailmum.control.triggers.services import (
    add_trigger,
    clear_trigger,
    edit_trigger,
    remove_trigger,
    resume_trigger,
)
from mailmum.control.triggers.values import rule_of
from mailmum.control.witnesses.services import add_witness
from mailmum.domain.errors import BadInput, Conflict, NotFound
from mailmum.triggers.presets import PRESETS
from tests.control.triggers.kit import CLIENT, Scene
from tests.support.world import World

FIELDS = {"metric": "auth", "threshold": "10", "window": "1h"}


def test_a_trigger_from_its_fields(world: World) -> None:
    """As people write them; off unless it is said otherwise; one record in the journal."""
    add_server(world.owner, "mx1")
    made = add_trigger(world.admin, "Passwords", FIELDS | {"server": "mx1", "lifetime": "2d"})
    rule = rule_of(made)
    assert (made.mode, rule.threshold, rule.window, rule.lifetime) == ("off", 10, 3600, 172_800)
    [shown] = show(world.viewer, made)
    assert (shown["server"], shown["window"], shown["lifetime"]) == ("mx1", "1h", "2d")
    record = Record.objects.latest("seq")
    assert (record.what, record.summary) == ("trigger.add", "trigger Passwords")
    assert record.actor == "admin@example.net"
    assert record.after is not None
    assert record.after["threshold"] == 10


@pytest.mark.parametrize("name", [one.name for one in PRESETS])
def test_every_preset_can_be_used(world: World, name: str) -> None:
    """Off; one needs public lists that are asked, another an address of one's own."""
    for zone in ("one.example", "two.example"):
        add_witness(world.owner, zone)
    given = {}
    if name == "trap":
        with pytest.raises(BadInput, match="takes an address of yours") as refused:
            add_trigger(world.owner, "my-trap", {"threshold": 2}, preset=name)
        assert refused.value.field == "traps"
        given = {"traps": "spamtrap@example.org"}
    made = add_trigger(world.owner, f"my-{name}", given, preset=name)
    assert made.mode == "off"
    assert made.reason


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        (
            {"metric": "rudeness"},
            "metric",
            "the metric rudeness is not known; choose one of rbl, lists",
        ),
        ({"threshold": "many"}, "threshold", "many is not a whole number"),
        ({"threshold": "٣"}, "threshold", "is not a whole number"),
        ({"threshold": -3}, "threshold", "the threshold, -3, is out of range; give 1 to 1,000,000"),
        ({"threshold": "9" * 25}, "threshold", "9999, is out of range; give 1 to 1,000,000"),
        ({"brake": "few"}, "brake", "the brake few is not a whole number"),
        ({"window": "soon"}, "window", "the window: soon is no length of time"),
        ({"quiet": "0s"}, "quiet", "the quiet time, 0s, is out of range; give 1m to 36500d"),
        ({"window": ""}, "window", "is no length of time"),
        ({"window": "10 min"}, "window", "the window: '10 min' is no length of time; did you mean"),
        ({"window": None}, "window", "the window: null is no length of time"),
        ({"threshold": None}, "threshold", "the threshold null is not a whole number"),
        ({"where": "mx1"}, "where", "the place of the listing mx1 is not known; choose one of"),
        ({"metric": "trap", "traps": "a@"}, "traps", "a@ is no mail address"),
        ({"metric": "score", "score": "nan"}, "score", "nan is no score"),
        ({"metric": "trap", "traps": "nobody"}, "traps", "nobody is no mail address"),
        (
            {"metric": "rbl", "lists": "zen..example"},
            "lists",
            "has an empty label; name a list by its zone",
        ),
        ({"mode": "on"}, "mode", "the mode on is not known; choose one of off, observe, enforce"),
        ({"reason": "a\x07b"}, "reason", "control character"),
        ({"group": "continent"}, "group", "one of address, network, wide, domain"),
    ],
)
def test_refuses(world: World, given: dict[str, Any], field: str, said: str) -> None:
    """The field at fault is named, and nothing is made."""
    with pytest.raises(BadInput) as refused:
        add_trigger(world.owner, "test", FIELDS | given)
    assert refused.value.field == field
    assert said in str(refused.value)
    assert not triggers_of(world.owner).exists()


def test_refuses_what_is_not_kept_long_enough(world: World) -> None:
    """And trap addresses where only domains are kept."""
    Account.objects.filter(pk=world.owner.account.pk).update(
        recent_days=2, privacy="no-local-parts"
    )
    world.owner.account.refresh_from_db()
    with pytest.raises(BadInput, match="kept for 2 days only"):
        add_trigger(world.owner, "test", FIELDS | {"window": "3d"})
    trap = {"metric": "trap", "threshold": 1, "window": "1h", "traps": "trap@example.net"}
    with pytest.raises(BadInput, match="only the domains of addresses are kept"):
        add_trigger(world.owner, "test", trap)
    add_trigger(world.owner, "test", trap | {"traps": "@trap.example"})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (" ", "a trigger needs a name; write for example"),
        (
            "presets",
            "presets cannot be the name of a trigger: it stands for something else",
        ),
        ("a-", "a- cannot be the name of a trigger; use up to 80 letters"),
    ],
)
def test_what_is_wrong_with_a_name_is_told(world: World, name: str, said: str) -> None:
    """Not only of what it may consist."""
    with pytest.raises(BadInput) as refused:
        add_trigger(world.owner, name, FIELDS)
    assert said in str(refused.value)


@pytest.mark.parametrize("missing", ["metric", "threshold", "window"])
def test_what_is_missing_is_explained(world: World, missing: str) -> None:
    """What it stands for, and an example that would do."""
    fields = {name: value for name, value in FIELDS.items() if name != missing}
    with pytest.raises(BadInput, match=f"the {missing} is missing: ") as refused:
        add_trigger(world.owner, "test", fields)
    example = refused.value.fix.removeprefix("give it, for example ").partition(",")[0]
    add_trigger(world.owner, "test", fields | {missing: example})


@pytest.mark.parametrize("name", ["a b", "-a", "a" * 81, "a/b", "a\0b", "ä"])
def test_names_are_those_of_servers(world: World, name: str) -> None:
    """They stand in addresses of pages, and in listings."""
    with pytest.raises(BadInput, match="cannot be the name of a trigger"):
        add_trigger(world.owner, name, FIELDS)
    with pytest.raises(NotFound):
        find_trigger(world.owner, name)


def test_a_name_is_taken_once_in_an_account(world: World) -> None:
    """And free again when that trigger has been removed."""
    add_trigger(world.owner, "test", FIELDS)
    with pytest.raises(Conflict, match="there is a trigger test already"):
        add_trigger(world.owner, "test", FIELDS)
    add_trigger(world.outsider, "test", FIELDS)
    remove_trigger(world.owner, "test")
    add_trigger(world.owner, "test", FIELDS)


def test_edits_what_is_given_and_leaves_the_rest(world: World) -> None:
    """Another metric forgets what belonged to the one before; nothing new leaves no record."""
    add_trigger(world.owner, "test", {}, preset="spam-score")
    edit_trigger(world.owner, "test", {"threshold": 7})
    trigger = find_trigger(world.owner, "test")
    assert (rule_of(trigger).threshold, rule_of(trigger).score) == (7, 15.0)
    edit_trigger(world.owner, "test", {"metric": "auth"})
    assert rule_of(find_trigger(world.owner, "test")).score is None
    last = Record.objects.latest("seq")
    assert last.before is not None
    assert last.after is not None
    assert (last.before["metric"], last.after["metric"]) == ("score", "auth")
    edit_trigger(world.owner, "test", {"metric": "auth"})
    assert Record.objects.latest("seq").seq == last.seq


def test_outsiders_find_nothing(scene: Scene) -> None:
    """Neither to read nor to change, and the answer is that of a name that there never was."""
    outsider = scene.world.outsider
    trigger = scene.trigger()
    scene.see()
    scene.follow()
    assert not triggers_of(outsider).exists()
    assert not findings_of(outsider, trigger).exists()
    for act in (
        lambda: edit_trigger(outsider, "test", {"threshold": 1}),
        lambda: remove_trigger(outsider, "test"),
        lambda: clear_trigger(outsider, "test"),
        lambda: resume_trigger(outsider, "test"),
    ):
        with pytest.raises(NotFound, match="there is no trigger test"):
            act()
    assert scene.listed() == [CLIENT]


def test_removing_leaves_listings_or_takes_them(scene: Scene) -> None:
    """As one wishes."""
    scene.trigger()
    scene.see()
    scene.follow()
    remove_trigger(scene.world.owner, "test")
    assert scene.listed() == [CLIENT]
    scene.trigger("other")
    scene.see("203.0.113.8")
    scene.follow()
    assert remove_trigger(scene.world.owner, "other", with_listings=True)[1] == 1
    assert scene.listed() == [CLIENT]
    scene.see("203.0.113.9")
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_goes_on_after_the_brake_from_nothing(scene: Scene) -> None:
    """What had been counted before does not stop it at once again."""
    scene.trigger(brake=1)
    for last in (1, 2):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    assert Trigger.objects.get().stopped_at is not None
    resume_trigger(scene.world.owner, "test")
    scene.follow()
    scene.see("203.0.113.3")
    scene.follow()
    assert scene.listed() == ["203.0.113.1", "203.0.113.3"]
    seq = Record.objects.latest("seq").seq
    resume_trigger(scene.world.owner, "test")
    assert Record.objects.latest("seq").seq == seq


def test_the_doctor_tells_of_triggers(scene: Scene) -> None:
    """That all are followed, that none has been taken up, that one has stopped itself."""

    def told() -> list[tuple[str, str]]:
        found = doctor.checks(scene.world.viewer)
        return [(one["name"], one["state"]) for one in found if "trigger" in one["name"]]

    assert told() == []
    trigger = scene.trigger(brake=1)
    assert told() == [("triggers", "ok")]
    Trigger.objects.update(since=None, changed=trigger.changed - timedelta(minutes=5))
    assert told() == [("trigger test", "warn")]
    scene.restart()
    scene.follow()
    for last in (1, 2):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    assert told() == [("trigger test", "warn")]
    assert not [one for one in doctor.checks(scene.world.outsider) if "trigger" in one["name"]]


def test_what_was_decided_long_ago_is_forgotten(scene: Scene) -> None:
    """What listed somebody later than what came to nothing; offences when they are forgiven."""
    scene.trigger(quiet="1d", lifetime="1h")
    scene.see()
    scene.see("192.168.1.9")
    scene.follow()
    assert [kind for kind, _ in scene.found()] == ["list", "spare"]
    list(tidying.steps(scene.now + 50 * 86_400))
    assert len(scene.found()) == 2
    list(tidying.steps(scene.now + 100 * 86_400))
    assert [kind for kind, _ in scene.found()] == ["list"]
    assert Offence.objects.exists()
    Trigger.objects.update(newest=round((scene.now + 9 * 86_400) * 1000))
    list(tidying.steps(scene.now + 401 * 86_400))
    assert not scene.found()
    assert not Offence.objects.exists()
