"""A trigger that stops listing for a while, or comes back: what was true of whom it had listed."""

import pytest

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import list_targets, unlist_targets
from mailmum.control.listings.undo import undo
from mailmum.control.triggers.models import Offence, Trigger
from mailmum.control.triggers.services import (
    clear_trigger,
    edit_trigger,
    remove_trigger,
    resume_trigger,
)
from mailmum.domain.listings import Action
from tests.control.triggers.kit import CLIENT, Scene


def _switch(scene: Scene, *modes: str) -> None:
    for mode in modes:
        edit_trigger(scene.world.owner, "test", {"mode": mode})
        scene.follow()


def _remembered() -> dict[str, tuple[int, int]]:
    """How often each was listed, and until when."""
    rows = Offence.objects.values_list("target", "times", "until")
    return {target: (times, until) for target, times, until in rows}


def _current() -> list[tuple[int, str, str, int, int | None]]:
    """All listings of everybody."""
    rows = Version.objects.filter(until=None).order_by("number")
    return list(rows.values_list("account", "target", "source", "scope", "expires"))


@pytest.mark.parametrize("modes", [["observe"], ["off"], ["off", "observe", "off"]])
def test_who_was_taken_off_by_hand_stays_off(scene: Scene, modes: list[str]) -> None:
    """And how often somebody was listed is known, though the trigger did not list for a while."""
    scene.trigger(lifetime="2d")
    scene.see()
    scene.follow()
    known = _remembered()
    unlist_targets(scene.world.owner, [CLIENT])
    _switch(scene, *modes, "enforce")
    scene.see(ago=20)
    scene.follow()
    assert scene.listed() == []
    assert _remembered() == known


def test_what_was_only_observed_is_forgotten(scene: Scene) -> None:
    """Also of those who had been listed before: then that counts, and ends when it did."""
    scene.trigger(lifetime="1h", window="1m", merge=3)
    scene.see(ago=3 * 3600)
    scene.see("203.0.113.8", ago=1800)
    scene.follow()
    known = _remembered()
    _switch(scene, "observe")
    scene.see(ago=900)
    scene.see("203.0.113.9", ago=800)
    scene.see("203.0.113.8", ago=30)
    scene.follow()
    assert [kind for kind, _ in scene.found()] == ["past", "list", "would", "would", "would"]
    assert scene.found()[-1] == ("would", "203.0.113.0/24")
    _switch(scene, "enforce")
    assert _remembered() == known
    scene.see("203.0.113.9", ago=20)
    scene.see("203.0.113.8", ago=20)
    scene.follow()
    assert scene.listed() == ["203.0.113.8", "203.0.113.9"]


def test_one_that_is_called_as_another_was_makes_no_listing_shorter(scene: Scene) -> None:
    """What the other had listed runs out by itself."""
    scene.trigger(lifetime="20d")
    scene.see()
    scene.follow()
    [before] = _current()
    remove_trigger(scene.world.owner, "test")
    scene.trigger(lifetime="1d")
    scene.see(ago=20)
    scene.see("203.0.113.8", ago=20)
    scene.follow()
    [after, other] = _current()
    assert after == before
    assert (other[1], (before[4] or 0) - (other[4] or 0) > 18 * 86_400) == ("203.0.113.8", True)


def test_what_it_had_listed_when_it_stopped_goes_and_comes_back_as_one(scene: Scene) -> None:
    """Networks in place of their parts too; what people list meanwhile is not touched.

    When it goes on nobody is listed again before the time, and each is remembered as listed once.
    """
    owner, outsider = scene.world.owner, scene.world.outsider
    scene.trigger(brake=4, merge=3, lifetime="2d")
    for access in (owner, outsider):
        list_targets(access, ["203.0.113.2"], make_wish(Action.BLOCK, now=scene.now))
    for client in ("203.0.113.1", "203.0.113.2", "203.0.113.3", "198.51.100.1", "198.51.101.1"):
        scene.see(client)
    scene.follow()
    assert Trigger.objects.get().stopped_at is not None
    assert scene.listed() == ["203.0.113.0/24", "198.51.100.1"]
    list_targets(owner, ["198.51.100.1"], make_wish(Action.ALLOW, now=scene.now))
    before, people = _current(), [one for one in _current() if one[2] == "person"]
    change, count = clear_trigger(owner, "test")
    assert (count, _current()) == (2, people)
    assert change is not None
    undone = undo(owner, change)
    assert sorted(_current()) == sorted(before)
    undo(owner, undone.seq)
    assert _current() == people
    resume_trigger(owner, "test")
    scene.follow()
    for client in ("203.0.113.1", "203.0.113.4", "192.0.2.1"):
        scene.see(client, ago=20)
    scene.follow()
    assert scene.listed() == ["192.0.2.1"]
    assert {times for times, _ in _remembered().values()} == {1}
