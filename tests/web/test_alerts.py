"""Alerts and who is told, in pages without script."""

import pytest
from django.test import Client

from mailmum.control.alerts.comparing import CALM, look, manner_of
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Alert, Channel, Manner
from mailmum.control.alerts.sending import stop_link
from mailmum.traffic.periods import DAY
from tests.control.alerts.kit import NOW, called, compared, holds, mailed
from tests.control.monitor.kit import Traffic, traffic
from tests.support.world import World
from tests.web.conftest import Visitors, text_of

__all__ = ["traffic"]

EVIL = '<img src=x onerror="alert(1)">'
CHANNEL = {"name": "on call", "kind": "email", "target": "o@example.net", "least": "warning"}
HABITS = {
    "zone": "Europe/Berlin",
    "quiet_from": "22:00",
    "quiet_until": "07:00",
    "digest": "300",
    "silent_after": "900",
    "spike_times": "4",
    "spike_least": "50",
    "accepted_least": "1",
    "report_day": "4",
    "report_hour": "8",
}


def test_open_alerts(site: Visitors, world: World) -> None:
    """The gravest first, texts as texts, and their number in the navigation until seen."""
    compared(world.owner, holds(text=f"{EVIL} at mx1"))
    compared(
        world.owner,
        holds("mx1", severity=Severity.CRITICAL, text="nothing is seen of mx1"),
        kind="server-silent",
    )
    page = site.viewer.get("alerts")
    assert EVIL not in page.content.decode()
    text = text_of(page)
    assert text.index("Nothing is seen of mx1") < text.index(EVIL)
    assert "Nobody is told." in text
    assert "Alerts 2" in text_of(site.viewer.get("servers"))
    assert "Seen" not in text_of(page)
    number = Alert.objects.get(kind="spike").pk
    assert "Noted." in text_of(site.admin.post("alert-acknowledge", {}, number=number))
    assert "Alerts 1" in text_of(site.viewer.get("servers"))
    assert "seen by admin@example.net" in text_of(site.viewer.get("alerts"))
    assert "Alerts 1" not in text_of(site.outsider.client.get("/", follow=True))


def test_a_server_that_has_just_fallen_silent(site: Visitors, traffic: Traffic) -> None:
    """The page says what the mark beside it shows, before the worker has looked, and after."""
    traffic.log(*traffic.pool(ago=DAY))
    traffic.log(*traffic.pool(ago=DAY), server="mx2")
    page = site.admin.get("alerts")
    assert page.content.decode().count('class="st late"') == 4
    assert text_of(page).count("found just now") == 2
    assert "I have seen alert" not in page.content.decode()
    look(traffic.world.owner.account)
    traffic.log(*traffic.pool(), server="mx2")
    text = text_of(site.admin.get("alerts"))
    assert "found just now" not in text
    assert text.count("may be over") == 1


def test_past_alerts(site: Visitors, world: World) -> None:
    """With when they were over; in pages."""
    for at in range(60):
        compared(world.owner, holds(f"mx{at}"), kind="spike", now=NOW)
        Alert.objects.filter(closed=None).update(closed=int(NOW) + at)
    page = site.viewer.get("alerts-past")
    assert page.context["page"].total == 60
    assert "over at" in text_of(page)
    following = site.viewer.get("alerts-past", query={"before": page.context["page"].next})
    assert len(following.context["rows"]) == 10
    assert "No alert is open" in text_of(site.viewer.get("alerts"))


def test_an_alert_that_may_be_over(site: Visitors, world: World) -> None:
    """Says so until it closes."""
    compared(world.owner, holds())
    compared(world.owner, now=NOW + 60)
    assert "may be over since" in text_of(site.viewer.get("alerts"))
    compared(world.owner, now=NOW + 60 + CALM)
    assert "may be over since" not in text_of(site.viewer.get("alerts"))


def test_telling_somebody(site: Visitors) -> None:
    """Added, tested (there is no mail server here) and removed; faults stand at their fields."""
    page = site.admin.post("alert-channel-add", {**CHANNEL, "target": "nobody", "kinds": "spike"})
    assert "is not an e-mail address" in "".join(page.context["form"]["target"].faults)
    assert 'value="spike" checked' in page.content.decode()
    page = site.admin.post("alert-channel-add", CHANNEL | {"reports": "1"})
    assert "Added on call." in text_of(page)
    assert "No mail is sent." in text_of(page)
    channel = Channel.objects.get()
    assert (channel.reports, channel.least) == (True, "warning")
    page = site.admin.post("alert-channel-test", {"name": "on call"})
    assert "was not taken: no mail server is set" in text_of(page)
    page = site.admin.post("alert-channel-test", {"name": "on call"})
    assert "was tested a moment ago" in text_of(page)
    page = site.admin.post("alert-channel-remove", {"name": "on call"})
    assert "Removed on call" in text_of(page)
    assert not Channel.objects.exists()
    journal = text_of(site.viewer.get("journal"))
    assert "added the alert channel on call (email to o@example.net)" in journal


def test_editing_a_channel(site: Visitors, world: World) -> None:
    """What stands there is what it is; a fault stands at its field, and the old address stays."""
    hook = called(world.owner, "https://hook.example/in", kinds=("spike",), least="warning")
    assert f"/alerts/channels/{hook.pk}/" in site.admin.get("alert-channels").content.decode()
    page = site.admin.get("alert-channel", number=hook.pk)
    source = page.content.decode()
    for part in (hook.target, hook.secret, 'value="warning" checked', 'value="spike" checked'):
        assert part in source
    given = {"name": "pager", "target": "http://hook.example/2", "least": "critical"}
    page = site.admin.post("alert-channel", given, number=hook.pk)
    assert "https" in "".join(page.context["form"]["target"].faults)
    assert 'value="http://hook.example/2"' in page.content.decode()
    assert Channel.objects.get().target == hook.target
    given["target"] = "https://hook.example/2"
    page = site.admin.post("alert-channel", given, number=hook.pk)
    assert "Saved pager. Test it to see whether the new address works." in text_of(page)
    edited = Channel.objects.get()
    assert (edited.name, edited.target, edited.kinds) == ("pager", given["target"], [])
    assert edited.secret == hook.secret
    journal = text_of(site.admin.get("journal"))
    assert "changed the alert channel hook is now pager" in journal
    assert "address: https://hook.example/in → https://hook.example/2" in journal
    assert "hook.example/2" not in text_of(site.viewer.get("journal"))


def test_a_new_key_for_a_webhook(site: Visitors, world: World) -> None:
    """By a button on its page; mail has none."""
    hook = called(world.owner, "https://hook.example/in")
    page = site.admin.post("alert-channel-key", {}, number=hook.pk)
    assert "hook has a new key." in text_of(page)
    secret = Channel.objects.get().secret
    assert secret != hook.secret
    assert secret in page.content.decode()
    assert "made a new key for the alert channel hook" in text_of(site.viewer.get("journal"))
    mail = mailed(world.owner)
    page = site.admin.post("alert-channel-key", {}, number=mail.pk)
    assert "only webhooks have a key" in text_of(page)
    assert "Make a new key" not in text_of(page)


def test_the_secret_of_a_webhook(site: Visitors) -> None:
    """Is for those who may change it."""
    url = "https://hook.example/t0ken?k=1"
    hook = {"name": "hook", "kind": "webhook", "target": url, "least": "notice"}
    site.admin.post("alert-channel-add", hook)
    secret = Channel.objects.get().secret
    page = site.admin.get("alert-channels").content.decode()
    assert secret in page
    assert url in page
    for name in ("alert-channels", "journal"):
        page = site.viewer.get(name).content.decode()
        assert secret not in page
        assert "t0ken" not in page
        assert "https://hook.example/…" in page
    assert url in site.admin.get("journal").content.decode()


def test_habits(site: Visitors, world: World) -> None:
    """What is typed is what stands, and is shown again."""
    page = site.admin.post("alert-habits", HABITS)
    assert "Saved how alerts are told." in text_of(page)
    manner = manner_of(world.owner.account)
    assert (manner.quiet_from, manner.report_day, manner.digest) == (1320, 4, 300)
    source = site.admin.get("alert-channels").content.decode()
    assert 'value="22:00"' in source
    assert '<option value="4" selected>Friday' in source
    assert manner_of(world.outsider.account).zone == "UTC"


def test_the_zone_that_is_proposed(site: Visitors, world: World) -> None:
    """The browser's, for as long as nothing was set; it is said that it does not hold yet."""
    site.admin.client.cookies["zone"] = "Europe/Berlin"
    page = site.admin.get("alert-channels")
    assert page.context["habits"]["zone"].value == "Europe/Berlin"
    assert "until you save it, UTC holds" in text_of(page)
    # A report that was made has set nothing.
    Manner.objects.create(account=world.owner.account, reported=5)
    assert "until you save it" in text_of(site.admin.get("alert-channels"))
    site.admin.post("alert-habits", {**HABITS, "zone": "UTC"})
    page = site.admin.get("alert-channels")
    assert page.context["habits"]["zone"].value == "UTC"
    assert "until you save it" not in text_of(page)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("quiet_from", "late", "is no time of day"),
        ("quiet_until", "", "need a beginning and an end"),
        ("digest", "x", "is not a number"),
        ("zone", "Nowhere", "is no time zone"),
        ("report_hour", "24", "not between 0 and 23"),
    ],
)
def test_habits_that_are_refused(
    site: Visitors, world: World, field: str, value: str, says: str
) -> None:
    """Beside a field, with what was typed."""
    page = site.admin.post("alert-habits", {**HABITS, field: value})
    assert says in str(page.context["habits"].faults)
    assert manner_of(world.owner.account).zone == "UTC"


def test_the_report(site: Visitors, world: World) -> None:
    """As it is sent."""
    assert "Nothing was seen." in text_of(site.viewer.get("alerts-report"))


def test_the_link_in_mail(world: World) -> None:
    """Looking at it changes nothing; a mail client's POST without cookies ends the channel."""
    channel = mailed(world.owner)
    link = "/stop/" + stop_link(channel).partition("/stop/")[2]
    stranger = Client(enforce_csrf_checks=True)
    page = stranger.get(link)
    assert "Send me no more" in text_of(page)
    assert page["X-Robots-Tag"] == "noindex, nofollow"
    assert Channel.objects.get().stopped is None
    page = stranger.post(link, {"List-Unsubscribe": "One-Click"})
    assert "You get no more of this" in text_of(page)
    assert Channel.objects.get().stopped is not None
    assert "Send me no more" in text_of(stranger.post(link, {"again": "1"}))
    assert Channel.objects.get().stopped is None
    for wrong in ("/stop/x/", f"{link[:-2]}/", "/stop/%00/"):
        assert stranger.post(wrong).status_code == 404
