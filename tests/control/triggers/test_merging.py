"""Networks in place of their parts, through whatever happens in between."""

from mailmum.control.journal.models import Record
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import explain
from mailmum.control.listings.services import list_targets, unlist_targets
from mailmum.control.listings.undo import undo
from mailmum.control.servers.pauses import pause, resume
from mailmum.control.triggers.backtest import backtest, last_of
from mailmum.control.triggers.models import Finding
from mailmum.control.triggers.values import rule_of
from mailmum.domain.clients import parse_subject
from mailmum.domain.listings import Action
from mailmum.domain.verdicts import Word
from tests.control.triggers.kit import Scene
from tests.support.world import granted


def _verdict(client: str) -> Word:
    """What the account says of a client by now."""
    reading = granted("viewer@example.net")
    return explain(reading, parse_subject(client), None).verdict.word


def _allow(scene: Scene, target: str) -> None:
    list_targets(scene.world.owner, [target], make_wish(Action.ALLOW, now=scene.now))


def test_ipv6_merges_twice_through_restarts_and_a_pause(scene: Scene) -> None:
    """Addresses to a /64, two /64s to a /48; what is allowed inside stays allowed throughout."""
    scene.trigger(merge=2, lifetime="2d")
    for client in ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1"):
        scene.see(client)
        scene.follow()
        scene.restart()
    assert scene.listed() == ["2001:db8:0:1::/64", "2001:db8:0:2::1"]
    _allow(scene, "2001:db8:0:2::99")
    assert pause(scene.world.owner) is not None
    scene.see("2001:db8:0:2::2", ago=30)
    scene.follow()
    assert scene.listed() == ["2001:db8::/48"]
    assert _verdict("2001:db8:0:3::1") is Word.NONE
    assert resume(scene.world.owner) is not None
    assert _verdict("2001:db8:0:3::1") is Word.BLOCK
    assert _verdict("2001:db8:0:2::99") is Word.ALLOW
    assert _verdict("2001:db8:1::1") is Word.NONE
    scene.restart()
    for client in ("2001:db8:0:1::1", "2001:db8:0:7::7"):
        scene.see(client, ago=20)
    scene.follow()
    assert scene.listed() == ["2001:db8::/48"]
    assert Finding.objects.filter(kind="list").count() == 7
    # One record each: the last was the address, its /64 and the /48 at once.
    last = Version.objects.get(target="2001:db8::/48").since
    undo(scene.world.owner, last)
    assert scene.listed() == ["2001:db8:0:1::/64", "2001:db8:0:2::1"]


def test_parts_that_have_ended_and_what_is_allowed_meanwhile(scene: Scene) -> None:
    """Only who is listed at once counts; and a network that is allowed is not listed."""
    scene.trigger(merge=3, lifetime="1h", growth=1)
    scene.see("203.0.113.1", ago=2 * 3600)
    scene.see("203.0.113.2", ago=1800)
    scene.see("203.0.113.3", ago=1700)
    scene.follow()
    assert scene.listed() == ["203.0.113.2", "203.0.113.3"]
    _allow(scene, "203.0.113.0/24")
    scene.restart()
    scene.see("203.0.113.4", ago=600)
    scene.follow()
    assert scene.listed() == ["203.0.113.2", "203.0.113.3"]
    assert _verdict("203.0.113.2") is Word.ALLOW
    assert scene.found()[-1] == ("spare", "203.0.113.4")
    unlist_targets(scene.world.owner, ["203.0.113.0/24"])
    scene.see("203.0.113.5", ago=500)
    scene.follow()
    assert scene.listed() == ["203.0.113.0/24"]
    assert _verdict("203.0.113.200") is Word.BLOCK


def test_whom_a_person_took_off_is_not_listed_with_its_network(scene: Scene) -> None:
    """What was taken off stays off for as long as it would have been listed."""
    scene.trigger(merge=3, lifetime="2d")
    for last in (1, 2):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    unlist_targets(scene.world.owner, ["203.0.113.1"])
    scene.see("203.0.113.3", ago=30)
    scene.follow()
    assert scene.listed() == ["203.0.113.2", "203.0.113.3"]
    assert _verdict("203.0.113.1") is Word.NONE
    told = Finding.objects.latest("id")
    assert (told.kind, told.target) == ("spare", "203.0.113.0/24")
    assert told.reason == "203.0.113.1 in it was taken off by owner@example.net"
    # Back by undo, it counts again.
    undo(scene.world.owner, Record.objects.filter(what="listing.unlist").latest("seq").seq)
    scene.see("203.0.113.4", ago=20)
    scene.follow()
    assert scene.listed() == ["203.0.113.0/24"]


def test_nor_with_a_wider_network_of_which_it_is_no_part_itself(scene: Scene) -> None:
    """Its /64 is not listed because of it; with others of the /48 it would be all the same."""
    scene.trigger(merge=2, lifetime="2d")
    scene.see("2001:db8:0:1::1")
    scene.follow()
    unlist_targets(scene.world.owner, ["2001:db8:0:1::1"])
    for net in (1, 2, 3):
        for last in (2, 3):
            scene.see(f"2001:db8:0:{net}::{last}", ago=40)
            scene.follow()
            scene.restart()
    own = ["2001:db8:0:1::2", "2001:db8:0:1::3"]
    assert scene.listed() == [*own, "2001:db8:0:2::/64", "2001:db8:0:3::/64"]
    assert _verdict("2001:db8:0:1::1") is Word.NONE
    told = Finding.objects.latest("id")
    assert (told.kind, told.target) == ("spare", "2001:db8::/48")
    assert told.reason == "2001:db8:0:1::1 in it was taken off by owner@example.net"
    undo(scene.world.owner, Record.objects.filter(what="listing.unlist").latest("seq").seq)
    for last in (1, 2):
        scene.see(f"2001:db8:0:4::{last}", ago=30)
    scene.follow()
    assert "2001:db8::/48" in scene.listed()


def test_whom_a_person_took_off_long_ago_keeps_no_network_from_a_trial(scene: Scene) -> None:
    """He would not be listed any more; until then he does."""
    trigger = scene.trigger(merge=2, lifetime="2d", mode="enforce")
    scene.see("203.0.113.1", ago=40)
    scene.follow()
    unlist_targets(scene.world.owner, ["203.0.113.1"])
    scene.see("203.0.113.2", ago=30)
    tried = []
    for _ in range(2):
        report = last_of(backtest(scene.world.viewer, rule_of(trigger)))
        tried.append([one["target"] for one in report.listed])
        Version.objects.update(expires=int(scene.now) - 5 * 86_400)
    parts = ["203.0.113.1", "203.0.113.2"]
    assert tried == [parts, [*parts, "203.0.113.0/24"]]
