"""What the service's own doctor says of counts."""

import shutil
import time
from unittest import mock

import pytest

from mailmum.control import doctor
from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.models import Manner
from mailmum.control.config import current
from mailmum.control.feeds.refreshing import refresh
from mailmum.control.feeds.services import add_feed
from mailmum.control.feeds.wishes import make_wish as make_feed_wish
from mailmum.control.listings.services import remove_server
from mailmum.control.servers.services import add_server
from mailmum.control.traffic import rewriting, tallies
from mailmum.control.traffic.models import Process, Rewriting, ServerUse
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.services import add_trigger
from mailmum.control.witnesses.models import Health
from mailmum.control.witnesses.services import add_witness
from mailmum.dns.witness import State
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import Traffic, traffic
from tests.support.damaged import traffic_damaged
from tests.support.world import World

__all__ = ["traffic"]
HOUR, DAY = 3600, 86_400


def told(world: World) -> list[str]:
    """What it says of counts; all of it are warnings that say what to do."""
    found = [one for one in doctor.checks(world.viewer) if one["name"] == "counts"]
    assert all(one["state"] == "warn" and one["fix"] for one in found)
    return [one["message"] for one in found]


def report(ago: float, *, ended: bool = False, part: str = "dns") -> None:
    """A process that reported so many seconds ago."""
    seen = int(time.time() - ago)
    Process(
        process=f"{part}{ago}",
        part=part,
        host="ns1",
        number=1,
        seen=seen,
        started=seen,
        ended=ended,
    ).save(force_insert=True)


def test_counts_that_are_not_stored_are_told(world: World) -> None:
    """Of a part that has not reported for a minute and did not end as it should."""
    report(5)
    report(3000, part="policy", ended=True)
    assert told(world) == []
    Process.objects.filter(part="dns").update(seen=int(time.time()) - 90)
    (message,) = told(world)
    assert message.startswith("nothing that the part dns on ns1 counts has been stored since 20")
    report(20)
    assert told(world) == []


def test_it_tells_how_far_privacy_is(world: World) -> None:
    """To those of the account, as long as something is to be rewritten."""
    account = world.owner.account.pk

    def told_by(access: Reading) -> list[tuple[str, str]]:
        found = doctor.checks(access)
        return [(one["state"], one["message"]) for one in found if one["name"] == "privacy"]

    assert told_by(world.viewer) == []
    rewriting.begin(account, "hashed")
    ((state, message),) = told_by(world.viewer)
    assert (state, message.rpartition(": ")[2]) == ("ok", "not begun yet")
    Rewriting.objects.filter(account=account).update(time=1_790_000_000_000)
    assert told_by(world.viewer)[0][1].endswith("done up to 2026-09-21 14:13:20 UTC")
    assert told_by(world.outsider) == []


def test_losses_are_told_for_a_day(world: World) -> None:
    """With how much it was."""
    now = time.time()
    tallies.add({"lost/clients": 7}, now - 90_000)
    assert told(world) == []
    tallies.add({"lost/clients": 3, "lost/sightings": 1}, now - 60)
    (message,) = told(world)
    assert "clients 10, sightings 1" in message


def test_a_server_is_silent_by_the_rule_of_marks_and_alerts(traffic: Traffic) -> None:
    """What asks and what is logged each by what is usual of it; of what is rare nobody can tell."""
    busy = [traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=HOUR + 40 * n) for n in range(2000)]
    traffic.log(*busy)
    traffic.log(traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=2 * DAY), server="mx2")
    ServerUse.objects.create(server=traffic.servers["mx1"], queries=9, last=int(traffic.now) - HOUR)

    def told(access: Reading) -> list[tuple[str, str, str]]:
        found = [one for one in doctor.checks(access) if one["name"].startswith("server ")]
        kinds = ("asked at", "has not asked", "nothing has come")
        return [
            (one["name"][7:], one["state"], one["message"])
            for one in found
            if one["message"].startswith(kinds)
        ]

    asked, never, unlogged, rare = told(traffic.world.viewer)
    assert asked[:2] == ("mx1", "ok")
    assert unlogged[:2] == ("mx1", "warn")
    assert unlogged[2].endswith(", which is long for it")
    assert never == ("mx2", "warn", "has not asked yet")
    assert rare[:2] == ("mx2", "warn")
    assert rare[2].endswith("; whether that is long for it is not known")
    Manner.objects.create(account=traffic.world.owner.account, silent_after=2 * HOUR)
    assert unlogged not in told(traffic.world.viewer)
    ServerUse.objects.update(last=int(traffic.now) - 2 * DAY)
    assert told(traffic.world.viewer)[0][2].startswith("has not asked since ")
    assert told(traffic.world.outsider) == [("foreign", "warn", "has not asked yet")]


@pytest.mark.parametrize(("free", "state"), [(2**40, ""), (100 * 2**20, "warn"), (0, "fail")])
def test_a_disk_that_is_filling_up(world: World, free: int, state: str) -> None:
    """Told before it is full, and graver then."""
    usage = shutil.disk_usage(".")._replace(free=free)
    with mock.patch.object(shutil, "disk_usage", return_value=usage):
        found = [one for one in doctor.checks(world.viewer) if one["name"] == "disk"]
    assert [one["state"] for one in found] == ([state] if state else [])
    assert all(f"{free // 2**20} MiB" in one["message"] and one["fix"] for one in found)


def test_without_the_database_of_traffic_the_rest_is_told(traffic: Traffic) -> None:
    """It is told first what is wrong, and nothing that needs it fails the rest."""
    add_trigger(traffic.world.admin, "guessing", {"mode": "enforce"}, preset="password-guessing")
    Trigger.objects.update(since=0)
    before = {one["name"]: one for one in doctor.checks(traffic.world.viewer)}
    assert "traffic" not in before
    assert "alerts" not in before
    assert before["triggers"]["state"] == "ok"
    with traffic_damaged():
        found = {one["name"]: one for one in doctor.checks(traffic.world.viewer)}
        of_one = {one["name"]: one for one in doctor.checks(traffic.world.viewer, "mx1")}
    assert found["traffic"]["state"] == "fail"
    assert "cannot be used (file is not a database)" in found["traffic"]["message"]
    assert found["dns engine"]["state"] == "ok"
    for name in ("triggers", "alerts", "suggestions and report"):
        assert found[name]["state"] == "warn", name
        assert "traffic" in found[name]["message"] + found[name]["fix"]
    assert "list nobody" in found["triggers"]["message"]
    assert "is not known while" in of_one["server mx1"]["message"]


def test_public_lists_that_are_not_believed(world: World) -> None:
    """Each with what is wrong with it, to the account that asks it."""
    for zone, state in (("well.example", State.WORKS), ("sold.example", State.WILDCARD)):
        add_witness(world.admin, zone)
        Health.objects.create(zone=zone, state=state.value, since=1_795_000_000, checked=0)
    [one] = [one for one in doctor.checks(world.viewer) if one["name"].startswith("rbl ")]
    assert (one["name"], one["state"]) == ("rbl sold.example", "warn")
    assert "it lists everything" in one["message"]
    assert "mailmum rbl remove sold.example" in one["fix"]
    assert not any(one["name"].startswith("rbl ") for one in doctor.checks(world.outsider))


def test_feeds_that_fail_or_wait(world: World) -> None:
    """A feed that has nothing fails; one that holds its last good version is a warning."""
    feed = add_feed(world.admin, make_feed_wish("own list", "missing.txt"))
    refresh(feed.pk)
    found = {one["name"]: one for one in doctor.checks(world.viewer)}["feed own list"]
    assert (found["state"], "No such file" in found["message"]) == ("fail", True)
    assert found["fix"] == "when that is mended: mailmum feed refresh 'own list'"
    folder = current().data / "feeds"
    folder.mkdir(exist_ok=True)
    for count in (60, 1):
        lines = (f"203.0.113.{number}\n" for number in range(count))
        (folder / "missing.txt").write_text("".join(lines))
        refresh(feed.pk)
    (folder / "missing.txt").unlink()
    found = {one["name"]: one for one in doctor.checks(world.viewer)}["feed own list"]
    assert (found["state"], "held back" in found["message"]) == ("warn", True)
    assert found["fix"].endswith("then: mailmum feed release 'own list'")
    assert "feed own list" not in {one["name"] for one in doctor.checks(world.outsider)}


def test_a_feed_of_a_server_that_was_removed(world: World) -> None:
    """Is told as that, whatever else could be said of it."""
    add_server(world.admin, "old")
    feed = add_feed(world.admin, make_feed_wish("own list", "missing.txt", server="old"))
    refresh(feed.pk)
    remove_server(world.admin, "old")
    [found] = [one for one in doctor.checks(world.viewer) if one["name"] == "feed own list"]
    assert found["message"] == "is for the server old, which was removed, so it holds nowhere"
    assert "mailmum feed remove 'own list'" in found["fix"]
