"""Sightings become listings, each once: whatever is killed, repeated or done twice meanwhile."""

from collections.abc import Collection

import pytest
from django.db import DatabaseError

from mailmum.control.accounts.models import Account
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.listings.services import unlist_targets
from mailmum.control.listings.undo import undo
from mailmum.control.servers.services import add_server
from mailmum.control.traffic.models import Seen
from mailmum.control.traffic.terms import set_terms
from mailmum.control.triggers import acting, following
from mailmum.control.triggers.acting import Elsewhere, Standing, keep_busy
from mailmum.control.triggers.evidence import show
from mailmum.control.triggers.following import KEEP_EVERY, Follower
from mailmum.control.triggers.models import Finding, Offence, Trigger
from mailmum.control.triggers.services import add_trigger, clear_trigger, edit_trigger
from mailmum.domain.errors import NotFound
from mailmum.traffic.sightings import Outcome
from mailmum.traffic.terms import Terms
from tests.control.triggers.kit import CLIENT, Scene


def test_the_sighting_that_completes_it_lists(scene: Scene) -> None:
    """With the trigger as its source, an end, the public reason, and the evidence as its note."""
    scene.trigger(lifetime="2h", reason="Too many unknown recipients")
    scene.see(count=2)
    scene.follow()
    assert scene.listed() == []
    scene.see(count=1, ago=30)
    assert scene.follow() == 1
    [version] = Version.objects.filter(source="trigger")
    assert (version.target, version.action, version.origin) == (CLIENT, "block", "test")
    assert (version.scope, version.reason) == (0, "Too many unknown recipients")
    assert version.note == "3 unknown recipients within 10 min (3 are enough)"
    assert abs((version.expires or 0) - (scene.now - 30 + 7200)) <= 1
    record = Record.objects.get(seq=version.since)
    assert (record.what, record.actor, record.summary) == (
        "listing.trigger",
        "trigger test",
        CLIENT,
    )
    finding = Finding.objects.get()
    assert (finding.kind, finding.listing) == ("list", version.number)
    assert finding.evidence["count"] == 3
    assert finding.evidence["numbers"] == list(
        Seen.objects.order_by("pk").values_list("pk", flat=True)
    )


def test_other_accounts_are_not_touched(scene: Scene) -> None:
    """Neither their sightings count here, nor are their clients listed."""
    scene.trigger()
    scene.see(count=2)
    scene.see_foreign(count=5)
    scene.follow()
    assert scene.listed() == []
    scene.see(count=1)
    scene.follow()
    assert not Version.objects.filter(account=scene.world.outsider.account).exists()
    with pytest.raises(NotFound):
        edit_trigger(scene.world.outsider, "test", {"threshold": 4})


def test_a_restart_neither_forgets_nor_doubles(scene: Scene) -> None:
    """After each sighting, what had been counted is counted again."""
    scene.trigger()
    for _ in range(3):
        scene.see(count=1)
        scene.follow()
        scene.restart()
    scene.follow()
    assert scene.found() == [("list", CLIENT)]
    scene.see(count=2)
    scene.restart()
    scene.follow()
    assert scene.found() == [("list", CLIENT)]


def test_two_followers_list_once(scene: Scene) -> None:
    """The second to commit finds that the trigger stands elsewhere, and begins anew."""
    trigger = scene.trigger()
    first, second = scene.follower, type(scene.follower)()
    list(second.steps(scene.now))
    scene.see()
    scene.follow()
    list(second.steps(scene.now))
    assert scene.found() == [("list", CLIENT)]
    assert second.followed.get(trigger.pk) is None
    list(second.steps(scene.now))
    assert second.followed[trigger.pk].at == first.followed[trigger.pk].at
    assert Record.objects.filter(what="listing.trigger").count() == 1


def test_how_far_it_was_followed_is_written_for_many_at_once(scene: Scene) -> None:
    """By the first that comes to it; the second begins anew, and so does who was edited."""
    numbers = [scene.trigger(name).pk for name in ("one", "two")]
    second = type(scene.follower)()
    list(second.steps(scene.now))
    scene.see(count=2)
    later = scene.now + KEEP_EVERY + 1
    list(scene.follower.steps(later))
    newest = Seen.objects.latest("pk").pk
    assert set(Trigger.objects.values_list("position", flat=True)) == {newest}
    list(second.steps(later))
    assert not second.followed
    scene.see(count=1, ago=50)
    Trigger.objects.filter(pk=numbers[0]).update(revision=9)
    one, two = (scene.follower.followed[number].trigger for number in numbers)
    assert keep_busy([Standing(one, newest, 5), Standing(two, newest, 5)]) == [one]
    assert list(Trigger.objects.order_by("pk").values_list("newest", flat=True))[1] == 5
    list(second.steps(later))
    mine = Version.objects.filter(source="trigger", until=None, target=CLIENT)
    assert set(mine.values_list("origin", flat=True)) == {"one", "two"}


def test_a_change_has_its_own_account_looked_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all the others; where none has changed, nobody's."""
    looked: list[object] = []
    real = following._active

    def active(now: float, accounts: Collection[int] | None) -> dict[int, int]:
        looked.append(accounts and set(accounts))
        return real(now, accounts)

    scene.trigger()
    monkeypatch.setattr(following, "_active", active)
    scene.follower = Follower()
    list(scene.follower.steps(scene.now))
    add_trigger(scene.world.outsider, "theirs", {"mode": "enforce"}, preset="dictionary-attack")
    for later in (1, 2):
        list(scene.follower.steps(scene.now + later))
    assert looked == [None, {scene.world.outsider.account.pk}]
    assert len(scene.follower.followed) == 2


def test_a_failure_while_writing_leaves_nothing_behind(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Position, listing, finding and offence are one; then it is done whole."""
    scene.trigger()
    scene.see()
    with monkeypatch.context() as broken:
        broken.setattr(acting, "_keep_offences", _away)
        with pytest.raises(DatabaseError):
            scene.follow()
    assert (scene.listed(), scene.found()) == ([], [])
    scene.restart()
    scene.follow()
    assert scene.listed() == [CLIENT]


def _away(*_: object) -> None:
    raise DatabaseError("away")


def test_an_edit_in_between_is_not_overrun(scene: Scene) -> None:
    """What was decided by the trigger as it was before is not written."""
    trigger = scene.trigger()
    scene.see()
    judged = scene.follower.followed[trigger.pk]
    edit_trigger(scene.world.owner, "test", {"threshold": 50})
    with pytest.raises(Elsewhere):
        acting.act(judged.trigger, [], {}, position=judged.at + 3, newest=0)
    scene.follow()
    assert scene.listed() == []


def test_it_counts_from_when_it_was_switched_on(scene: Scene) -> None:
    """What had been seen before does not list anybody at the moment when it is saved."""
    scene.see(count=5)
    scene.trigger(mode="off")
    edit_trigger(scene.world.owner, "test", {"mode": "enforce"})
    scene.follow()
    scene.see(count=2)
    scene.follow()
    assert scene.listed() == []


def test_observe_lists_nobody_and_tells_who_would_have_been(scene: Scene) -> None:
    """And who would have been is listed when it is enforced and goes on."""
    scene.trigger(mode="observe")
    scene.see()
    scene.follow()
    assert (scene.listed(), scene.found()) == ([], [("would", CLIENT)])
    assert not Record.objects.filter(what="listing.trigger").exists()
    edit_trigger(scene.world.owner, "test", {"mode": "enforce"})
    scene.follow()
    scene.see()
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_what_has_run_out_already_is_not_listed(scene: Scene) -> None:
    """A log that comes a day late, with a lifetime of an hour: told, but too late to list."""
    scene.trigger(lifetime="1h")
    scene.see(ago=86_400)
    scene.follow()
    assert (scene.listed(), scene.found()) == ([], [("past", CLIENT)])


def test_offends_again_longer_with_the_same_number(scene: Scene) -> None:
    """The listing that had run out goes on as the next version of the same listing."""
    scene.trigger(lifetime="1h", window="1m", longest="30d")
    scene.see(ago=3 * 3600)
    scene.see(ago=1800)
    scene.follow()
    assert [kind for kind, _ in scene.found()] == ["past", "list"]
    assert Finding.objects.order_by("id").last().times == 2  # type: ignore[union-attr]
    version = Version.objects.get(source="trigger", until=None)
    assert abs((version.expires or 0) - (scene.now - 1798 + 7200)) <= 1


def test_networks_replace_their_parts_in_one_change(scene: Scene) -> None:
    """Undo puts the parts back; whoever is listed with it is remembered for as long as it is."""
    scene.trigger(merge=2)
    scene.see("203.0.113.7")
    scene.follow()
    scene.see("203.0.113.8")
    scene.follow()
    assert scene.listed() == ["203.0.113.0/24"]
    record = Record.objects.filter(what="listing.trigger").latest("seq")
    assert [one["target"] for one in record.before or []] == ["203.0.113.7"]
    assert Finding.objects.get(merged=True).evidence["parts"] == ["203.0.113.7", "203.0.113.8"]
    assert Offence.objects.count() == 3
    assert len(set(Offence.objects.values_list("until", flat=True))) == 1
    undo(scene.world.owner, record.seq)
    assert scene.listed() == ["203.0.113.7"]


def test_the_brake_stops_the_trigger_and_all_can_be_undone_as_one(scene: Scene) -> None:
    """It says why; what it listed stays until somebody clears it, and clearing can be undone."""
    scene.trigger(brake=2)
    for last in (1, 2, 3, 4):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    trigger = Trigger.objects.get()
    assert scene.listed() == ["203.0.113.1", "203.0.113.2"]
    assert trigger.stopped_at is not None
    assert trigger.stopped_why == "it would list more than 2 in 10 min"
    assert [kind for kind, _ in scene.found()] == ["list", "list", "stop"]
    assert Record.objects.filter(what="trigger.stop").count() == 1
    scene.see("203.0.113.5")
    scene.follow()
    change, count = clear_trigger(scene.world.owner, "test")
    assert (scene.listed(), count) == ([], 2)
    assert change is not None
    undo(scene.world.owner, change)
    assert scene.listed() == ["203.0.113.1", "203.0.113.2"]


def test_who_was_taken_off_by_hand_is_not_listed_again_at_once(scene: Scene) -> None:
    """A person's word holds at least as long as the listing would have."""
    scene.trigger()
    scene.see()
    scene.follow()
    unlist_targets(scene.world.owner, [CLIENT])
    scene.see(count=5, ago=20)
    scene.follow()
    assert scene.listed() == []


def test_where_it_happened(scene: Scene) -> None:
    """A listing for that server only; what a server that is gone had seen lists nowhere."""
    scene.trigger(where="server")
    scene.see(server="mx2")
    scene.follow()
    [version] = Version.objects.filter(source="trigger", until=None)
    assert version.scope == scene.servers["mx2"]


def test_a_list_that_was_never_seen_before_counts_from_its_first_hit(scene: Scene) -> None:
    """And one's own list never does, whatever it rejects."""
    scene.trigger(metric="lists", threshold=2)
    for rbl in ("new.rbl.example", "bl.mailmum.internal"):
        scene.see(count=1, outcome=Outcome.REJECTED, rbl=rbl)
        scene.follow()
    assert scene.listed() == []
    scene.see(count=1, outcome=Outcome.REJECTED, rbl="other.rbl.example")
    scene.follow()
    assert scene.listed() == [CLIENT]
    assert dict(Finding.objects.get().evidence["lists"]) == {
        "new.rbl.example": 1,
        "other.rbl.example": 1,
    }


def test_the_score_that_counted_stands_in_the_evidence(scene: Scene) -> None:
    """Also when the trigger has another by then."""
    trigger = scene.trigger(metric="score", score=12.5, threshold=1)
    scene.see(count=1, score=14.0)
    scene.follow()
    edit_trigger(scene.world.owner, trigger.name, {"score": 20})
    found = Finding.objects.get()
    assert found.rule["score"] == 12.5
    says = show(scene.world.viewer, [found])[0]["says"]
    assert says == "1 message of a spam score of 12.5 or more within 10 min (1 is enough)"


def test_traps_are_found_though_addresses_are_hashed(scene: Scene) -> None:
    """The trap is hashed by the same key."""
    set_terms(scene.world.owner.account.pk, Terms(privacy="hashed"))
    scene.trigger(metric="trap", threshold=1, traps=["Trap@Example.net"])
    scene.see(count=1, recipient="other@example.net")
    scene.follow()
    assert scene.listed() == []
    scene.see(count=1, recipient="trap@example.net")
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_a_trap_whose_address_is_kept_no_more_catches_nobody(scene: Scene) -> None:
    """Rather than everybody who writes to its domain."""
    scene.trigger(metric="trap", threshold=1, traps=["trap@example.net", "@old.example"])
    set_terms(scene.world.owner.account.pk, Terms(privacy="no-local-parts"))
    scene.restart()
    scene.follow()
    scene.see(count=3, recipient="anybody@example.net")
    scene.follow()
    assert scene.listed() == []
    scene.see("203.0.113.8", 1, recipient="anybody@old.example")
    scene.follow()
    assert scene.listed() == ["203.0.113.8"]


def test_a_restored_backup_of_traffic_is_followed_from_its_end(scene: Scene) -> None:
    """Numbers that come again must not be taken for those that were judged."""
    scene.trigger()
    scene.see(count=2)
    scene.follow()
    Trigger.objects.update(position=10_000, since=9_000)
    scene.restart()
    scene.follow()
    scene.follow()
    scene.see()
    scene.follow()
    assert scene.listed() == [CLIENT]


def test_suspended_accounts_are_left_alone(scene: Scene) -> None:
    """Nothing of theirs is answered, so nothing is listed."""
    scene.trigger()
    Account.objects.filter(pk=scene.world.owner.account.pk).update(suspended=True)
    scene.see()
    scene.follow()
    assert scene.listed() == []


def test_triggers_of_two_accounts_each_see_their_own(scene: Scene) -> None:
    """The same name, the same client: two listings, one in each."""
    scene.trigger()
    add_server(scene.world.outsider, "second")
    add_trigger(
        scene.world.outsider,
        "test",
        {"metric": "unknown-recipients", "threshold": 3, "window": "10m", "mode": "enforce"},
    )
    scene.follow()
    scene.see()
    scene.see_foreign()
    scene.follow()
    owners = Version.objects.filter(source="trigger").values_list("account", flat=True)
    assert sorted(owners) == sorted([scene.world.owner.account.pk, scene.world.outsider.account.pk])
