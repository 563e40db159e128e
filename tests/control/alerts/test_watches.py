"""What each watch finds, and that it finds it in its own account only."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import resolve
from django.utils import timezone

from mailmum.control.accounts.access import Owning
from mailmum.control.accounts.models import Account
from mailmum.control.alerts import outbox, work
from mailmum.control.alerts.channels import Wish, add_channel
from mailmum.control.alerts.comparing import Outcome, look
from mailmum.control.alerts.conditions import Condition
from mailmum.control.alerts.models import Alert, Manner, Notice
from mailmum.control.alerts.watches import WATCHES, Watch, title_of
from mailmum.control.feeds.models import Feed, FeedVersion
from mailmum.control.feeds.services import add_feed, upload_feed
from mailmum.control.feeds.wishes import make_wish as feed_wish
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets, remove_server, unlist_targets
from mailmum.control.servers.services import add_server, rotate_key
from mailmum.control.traffic import tallies
from mailmum.control.traffic.models import Process, RevokedUse
from mailmum.control.triggers.following import Follower
from mailmum.control.triggers.models import Trigger
from mailmum.control.triggers.services import add_trigger
from mailmum.domain.listings import Action
from mailmum.traffic.periods import DAY, HOUR, start_of
from mailmum.traffic.sightings import Outcome as Happened
from tests.control.alerts.kit import habits, mailed
from tests.control.monitor.kit import Traffic
from tests.support.damaged import traffic_damaged
from tests.support.logs import captured_logs
from tests.support.world import World


def found(access: Owning, kind: str, now: float, **manner: Any) -> list[Condition]:
    """What a watch finds; it is asked where it says that it can find anything."""
    watch = next(one for one in WATCHES if one.kind == kind)
    conditions = list(watch.look(access, Manner(account=access.account, **manner), now))
    assert watch.where is not None
    assert not conditions or access.account.pk in watch.where(now)
    return conditions


def test_a_silent_server(world: World, traffic: Traffic) -> None:
    """One that usually speaks; what is silent is a parameter of the account."""
    traffic.log(*traffic.pool(ago=3000))
    traffic.foreign(*traffic.pool(ago=60))
    [one] = found(world.owner, "server-silent", traffic.now + 3 * DAY)
    assert (one.about, one.link, one.severity) == ("mx1", "server/mx1/", "critical")
    assert found(world.owner, "server-silent", traffic.now - 2900) == []
    later = traffic.now + 3 * DAY
    assert found(world.owner, "server-silent", later, silent_after=30 * DAY) == []
    assert found(world.outsider, "server-silent", traffic.now) == []


def test_a_spike(world: World, traffic: Traffic) -> None:
    """In the last whole hour; from which size on is a parameter of the account."""
    ago = traffic.now - (start_of(traffic.now, HOUR) - 1800)
    traffic.log(*traffic.pool(ago=ago))
    assert found(world.owner, "spike", traffic.now) == []
    traffic.log(*traffic.mail("198.51.100.201", 1, "a.example", ago=4 * DAY))
    [one] = found(world.owner, "spike", traffic.now)
    assert one.about == "mx1/rbl"
    assert one.text.startswith("80 contacts stopped by public RBLs at the server mx1")
    assert found(world.owner, "spike", traffic.now, spike_least=81) == []
    assert found(world.outsider, "spike", traffic.now) == []


def test_a_revoked_key(world: World, traffic: Traffic) -> None:
    """Only its end is told, to its own account, and only while it is used."""
    old = rotate_key(world.owner, "mx1", keep=0)
    assert old is not None
    key = "k7dqpmw2x4hnt9ab"
    RevokedUse.objects.create(
        key=key, server=traffic.servers["mx1"], queries=3, last=int(traffic.now - 60)
    )
    [one] = found(world.owner, "revoked-key", traffic.now)
    assert "…t9ab" in one.text
    assert key not in f"{one.text}{one.about}{one.link}"
    assert found(world.owner, "revoked-key", traffic.now + 3 * DAY) == []
    assert found(world.outsider, "revoked-key", traffic.now) == []


def test_a_listed_sender(world: World, traffic: Traffic) -> None:
    """A block of who had delivered; not what an allow keeps, nor what is long known."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"), *traffic.pool())
    traffic.foreign(*traffic.mail("203.0.113.9", 5, "x.example"))
    traffic.listed(Action.BLOCK, "198.51.100.201", "198.51.100.64/27", "203.0.113.9")
    now = traffic.now
    [one] = found(world.owner, "listed-sender", now)
    assert "you list 198.51.100.201, from which 12 messages were accepted" in one.text
    assert found(world.owner, "listed-sender", now, accepted_least=13) == []
    assert found(world.owner, "listed-sender", now + 3 * DAY) == []
    assert found(world.outsider, "listed-sender", now) == []
    unlist_targets(world.owner, ["198.51.100.201"])
    assert found(world.owner, "listed-sender", now) == []


def test_a_network_with_an_exception(world: World, traffic: Traffic) -> None:
    """Nothing is lost when what had delivered is allowed; two with one beginning are both seen."""
    traffic.log(*traffic.mail("198.51.100.0", 3, "first.example"))
    traffic.listed(Action.BLOCK, "198.51.100.0/24", "198.51.100.0/25")
    assert {one.about for one in found(world.owner, "listed-sender", traffic.now)} == {
        "198.51.100.0/24/0",
        "198.51.100.0/25/0",
    }
    traffic.listed(Action.ALLOW, "198.51.100.0")
    assert found(world.owner, "listed-sender", traffic.now) == []


def test_mail_that_speaks_for_nobody(world: World, traffic: Traffic) -> None:
    """Spam is why a trigger lists who sent it: the mail beside it counts, where that is lost."""
    given = {"mode": "enforce", "where": "server"}
    add_trigger(world.owner, "spam", given, preset="spam-score")
    follower = Follower()
    list(follower.steps(time.time()))
    for client in ("203.0.113.7", "203.0.113.8"):
        mail = traffic.mail(client, 12, "x.example")
        traffic.log(*(one._replace(score=18.2) for one in mail))
    traffic.log(*traffic.mail("203.0.113.7", 3, "x.example"), server="mx2")
    traffic.log(*traffic.mail("203.0.113.8", 2, "x.example"))
    list(follower.steps(time.time()))
    mail = traffic.mail("203.0.113.9", 9, "x.example")
    traffic.log(*(one._replace(spam=True) for one in mail))
    traffic.listed(Action.BLOCK, "203.0.113.9")
    [one] = found(world.owner, "listed-sender", traffic.now)
    assert "a trigger lists 203.0.113.8, from which 2 messages were accepted" in one.text
    assert found(world.owner, "listed-sender", traffic.now, accepted_least=3) == []


def test_spam_of_long_ago_takes_nothing_from_mail_of_today(
    world: World, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a network so busy that it is looked at a few days back only."""
    old = 5 * 86_400
    spam = traffic.mail("198.51.100.5", 8, "a.example", ago=old)
    traffic.log(*(one._replace(spam=True) for one in spam))
    traffic.log(*traffic.mail("198.51.100.5", 8, "a.example"))
    for last in range(10, 40):
        traffic.log(traffic.seen(f"198.51.100.{last}", Happened.REJECTED, ago=old))
    traffic.listed(Action.BLOCK, "198.51.100.0/24")
    for budget in (1000, 20):
        monkeypatch.setattr("mailmum.control.monitor.looking.BUDGET", budget)
        [one] = found(world.owner, "listed-sender", traffic.now)
        assert "from which 8 messages were accepted" in one.text


def test_a_trigger_that_has_stopped_itself(world: World) -> None:
    """Until somebody lets it go on, and in its own account only."""
    made = add_trigger(world.owner, "two-lists-hit", {}, preset="two-lists")
    assert found(world.owner, "trigger-stopped", time.time()) == []
    at = datetime.fromtimestamp(1_790_000_000, UTC)
    Trigger.objects.filter(pk=made.pk).update(stopped_at=at, stopped_why="11 in 10 minutes")
    [one] = found(world.owner, "trigger-stopped", time.time())
    assert one.text == "the trigger two-lists-hit has stopped itself: 11 in 10 minutes"
    assert (one.since, one.link) == (1_790_000_000, "trigger/two-lists-hit/")
    assert found(world.outsider, "trigger-stopped", time.time()) == []


def test_feeds_that_need_somebody(world: World) -> None:
    """An update that is held back, and a source that fails three times in a row."""
    now = time.time()
    add_feed(world.owner, feed_wish("drop", "", kind="upload"))
    upload_feed(world.owner, "drop", b"203.0.113.1")
    FeedVersion.objects.create(
        feed=Feed.objects.get(), state="held", at=timezone.now(), entries=2, added=0, removed=98
    )
    [held] = found(world.owner, "feed-held", now)
    assert held.text.endswith("held back: 0 would come, 98 would leave")
    assert found(world.outsider, "feed-held", now) == []
    problem = {"failing": timezone.now(), "problem": "it says 404"}
    Feed.objects.update(failures=2, **problem)
    assert found(world.owner, "feed-failing", now) == []
    Feed.objects.update(failures=3)
    [failing] = found(world.owner, "feed-failing", now)
    assert failing.text == "the feed drop cannot be refreshed: it says 404"
    assert found(world.outsider, "feed-failing", now) == []
    for one in (held, failing):
        assert resolve(f"/a/1/{one.link}").url_name == "feed"
    # Of a server that is gone nothing comes any more, and nothing waits for anybody.
    Feed.objects.update(scope=add_server(world.owner, "old").pk)
    remove_server(world.owner, "old")
    for kind in ("feed-held", "feed-failing"):
        assert found(world.owner, kind, now) == []


def test_losses_are_the_operators(world: World) -> None:
    """They are of the whole installation, and nobody else can do anything about them."""
    now = time.time()
    tallies.add({"lost/sightings": 7, "lost/clients": 0}, now)
    Process.objects.create(
        process="p1",
        part="dns",
        host="rbl",
        number=1,
        seen=int(now - 600),
        started=int(now - 9000),
        ended=False,
    )
    [lost] = found(world.owner, "counts-lost", now)
    assert "(sightings): 7 so far" in lost.text
    [lagging] = found(world.owner, "part-silent", now)
    assert lagging.about == "dns/rbl"
    for kind in ("counts-lost", "part-silent"):
        assert found(world.outsider, kind, now) == []
        assert found(world.owner, kind, now + 3 * DAY) == []


def test_a_database_of_traffic_that_is_away(world: World, traffic: Traffic) -> None:
    """The operator is told, what cannot be asked closes nothing, and the log says it once."""
    mailed(world.owner)
    old = rotate_key(world.owner, "mx1", keep=0)
    assert old is not None
    RevokedUse.objects.create(
        key="k7dqpmw2x4hnt9ab", server=traffic.servers["mx1"], last=int(traffic.now - 60)
    )
    list(work.looking(traffic.now))
    with captured_logs() as heard:
        with traffic_damaged():
            for later in (60, 120, 900):
                list(work.looking(traffic.now + later))
        held = [(one.account_id, one.kind) for one in Alert.objects.filter(closed=None)]
        for later in (960, 1600):
            list(work.looking(traffic.now + later))
    first = world.owner.account.pk
    assert sorted(held) == [(first, "revoked-key"), (first, "traffic-away")]
    assert Notice.objects.filter(alert__kind="traffic-away", event="opened").count() == 1
    assert Notice.objects.filter(alert__kind="traffic-away", event="closed").count() == 1
    [alert] = Alert.objects.filter(kind="traffic-away")
    assert (alert.severity, alert.closed) == ("critical", int(traffic.now + 1600))
    assert "cannot be used (file is not a database)" in alert.text
    told = [one for one in heard if one["event"].startswith("alerts.")]
    assert [one["event"] for one in told if one["event"] != "alerts.changed"] == [
        "alerts.not-asked",
        "alerts.asked-again",
    ]
    assert {"revoked-key", "part-silent"} <= set(told[1]["kinds"])


def test_links_lead_to_pages(world: World, traffic: Traffic) -> None:
    """Whatever a watch links to is a page of the account."""
    ago = traffic.now - (start_of(traffic.now, HOUR) - 1800)
    traffic.log(*traffic.pool(ago=ago), *traffic.mail("198.51.100.201", 2, "a.example", ago=ago))
    traffic.listed(Action.BLOCK, "198.51.100.201")
    traffic.log(*traffic.mail("198.51.100.202", 1, "a.example", ago=4 * DAY))
    RevokedUse.objects.create(
        key="k7dqpmw2x4hnt9ab", server=traffic.servers["mx1"], last=int(traffic.now)
    )
    done = look(world.owner.account, now=traffic.now)
    assert {one.kind for one in done.opened} >= {"spike", "revoked-key", "listed-sender"}
    for one in done.opened:
        assert resolve(f"/a/1/{one.link.partition('?')[0]}").url_name != "account"
        assert title_of(one.kind) != one.kind


def _listed_in_a_row(traffic: Traffic, first: int, last: int) -> list[str]:
    """Block so many who had delivered, all at once."""
    clients = [f"203.0.113.{one}" for one in range(first, last)]
    traffic.log(*(one for client in clients for one in traffic.mail(client, 1, "a.example")))
    traffic.listed(Action.BLOCK, *clients)
    return clients


def _told(account: Account) -> set[str]:
    """Of whom there is an open alert."""
    found = Alert.objects.filter(account=account, closed=None, kind="listed-sender")
    return {one.partition("/")[0] for one in found.values_list("about", flat=True)}


def test_many_senders_are_listed_at_once(
    world: World, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message tells of all of them; others that are listed later push none of them out."""
    account, now = world.owner.account, traffic.now
    monkeypatch.setattr("mailmum.control.alerts.senders.SECONDS", 3600.0)
    habits(world.owner, digest=0)
    mailed(world.owner)
    first = _listed_in_a_row(traffic, 1, 46)
    assert len(look(account, now=now).opened) == 45
    [parcel] = outbox.pack(now=now)
    assert len(parcel.content["events"]) == 45
    # A busy machine: just a few are looked at each time.
    monkeypatch.setattr("mailmum.control.alerts.senders.SECONDS", 0.0)
    monkeypatch.setattr("mailmum.control.alerts.senders.LISTED", 40)
    more = _listed_in_a_row(traffic, 100, 130)
    for minute in range(1, 4):
        assert not look(account, now=now + 60 * minute).closed
    assert _told(account) == {*first, *more}
    traffic.listed(Action.ALLOW, first[3])
    unlist_targets(world.owner, [first[4]])
    for minute in range(4, 30):
        look(account, now=now + 60 * minute)
    assert _told(account) == {*first, *more} - {first[3], first[4]}


def test_more_senders_than_can_be_told_one_by_one(
    world: World, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is told as a number, and those that were told stay."""
    monkeypatch.setattr("mailmum.control.alerts.watches.MOST", 5)
    monkeypatch.setattr("mailmum.control.alerts.comparing.MOST", 5)
    monkeypatch.setattr("mailmum.control.alerts.senders.SECONDS", 3600.0)
    account, now = world.owner.account, traffic.now
    first = _listed_in_a_row(traffic, 1, 5)
    look(account, now=now)
    assert _told(account) == set(first)
    _listed_in_a_row(traffic, 100, 107)
    assert not look(account, now=now + 60).closed
    assert _told(account) == {*first, "more"}
    [one] = Alert.objects.filter(account=account, about="more")
    assert one.text.startswith("7 more listings of these two days block")


def test_very_many_new_listings(
    world: World, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest are looked at; it costs no more than those."""
    monkeypatch.setattr("mailmum.control.alerts.senders.LISTED", 5)
    traffic.log(*traffic.mail("198.51.100.201", 2, "a.example"))
    traffic.listed(Action.BLOCK, "198.51.100.201")
    wish = make_wish(Action.BLOCK, now=traffic.now)
    list_targets(world.owner, [f"203.0.113.{last}" for last in range(1, 10)], wish, confirmed=True)
    assert found(world.owner, "listed-sender", traffic.now) == []


def test_accounts_with_nothing_to_tell_are_not_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those where something can hold, or where an alert is open that may close."""
    asked: list[tuple[int, list[str]]] = []

    def noting(account: Account, watches: list[Watch], *, now: float) -> Outcome:
        asked.append((account.pk, [one.kind for one in watches]))
        return Outcome()

    monkeypatch.setattr(work, "look", noting)
    first, other = world.owner.account.pk, world.outsider.account.pk
    now = time.time()
    list(work.looking(now))
    assert asked == [(first, ["traffic-away", "counts-lost", "part-silent"])]
    asked.clear()
    add_trigger(
        world.outsider, "x", {"metric": "auth", "threshold": 1, "window": "1m", "mode": "observe"}
    )
    Trigger.objects.update(stopped_at=timezone.now(), stopped_why="it would list too many")
    Alert.objects.create(
        account=world.outsider.account,
        kind="spike",
        about="x",
        severity="warning",
        text="x",
        since=1,
        opened=1,
    )
    list(work.looking(now))
    assert asked[1:] == [(other, ["spike", "trigger-stopped"])]
    Account.objects.filter(pk=other).update(suspended=True)
    asked.clear()
    list(work.looking(now))
    assert [account for account, _ in asked] == [first]


def test_an_account_that_makes_it_fail_harms_no_other(world: World) -> None:
    """A time zone that is none, as an older version might have kept: the next is still asked."""
    for access in (world.owner, world.outsider):
        add_channel(access, Wish("mail", "email", "oncall@example.net"))
        add_trigger(
            access, "x", {"metric": "auth", "threshold": 1, "window": "1m", "mode": "observe"}
        )
    Trigger.objects.update(stopped_at=timezone.now(), stopped_why="it would list too many")
    Alert.objects.create(
        account=world.owner.account,
        kind="spike",
        about="x",
        severity="warning",
        text="x",
        since=1,
        opened=1,
        missing=1,
    )
    Manner.objects.create(account=world.owner.account, zone="No/Where", quiet_from=1, quiet_until=2)
    done = [one.pk for one in work.looking(time.time()) if isinstance(one, Account)]
    assert done == [world.outsider.account.pk]
    assert [one.account_id for one in Alert.objects.filter(kind="trigger-stopped")] == done
