"""Channels and habits: what is taken, what is refused, and that a test tells the truth."""

from typing import Any

import pytest
from django.core import signing

from mailmum.control.alerts import channels, trials
from mailmum.control.alerts.channels import (
    Habits,
    Wish,
    acknowledge,
    add_channel,
    remove_channel,
    set_manner,
    try_channel,
)
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.alerts.models import Alert, Channel, Notice
from mailmum.control.alerts.receivers import end, receiver_of, resume
from mailmum.control.alerts.sending import STOP_SALT, stop_link
from mailmum.control.journal.models import Record
from mailmum.daemons.outgoing import Unsafe
from mailmum.domain.errors import BadInput, Conflict, NotFound, Refusal
from tests.control.alerts.kit import NOW, compared, holds, mailed, parameters
from tests.support.mail_sink import mail_sink
from tests.support.world import World

USUAL: dict[str, Any] = {
    "zone": "Europe/Berlin",
    "quiet_from": 1320,
    "quiet_until": 420,
    "digest": 300,
    "silent_after": 900,
    "spike_times": 4,
    "spike_least": 50,
    "accepted_least": 1,
    "report_day": 0,
    "report_hour": 7,
}


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish("", "email", "a@example.net"), "name"),
        (Wish("a\nb", "email", "a@example.net"), "name"),
        (Wish("a", "email", "nobody"), "target"),
        (Wish("a", "email", "a@example.net\r\nBcc: b@example.net"), "target"),
        (Wish("a", "email", "a@example.net, b@example.net"), "target"),
        (Wish("a", "email", "a@größe.example"), "target"),
        (Wish("a", "webhook", "http://hook.example/"), "target"),
        (Wish("a", "webhook", "https://user:pw@hook.example/"), "target"),
        (Wish("a", "webhook", "file:///etc/passwd"), "target"),
        (Wish("a", "webhook", "https://10.0.0.1/"), "target"),
        (Wish("a", "webhook", "https://localhost/"), "target"),
        (Wish("a", "pager", "a@example.net"), "kind"),
        (Wish("a", "email", "a@example.net", least="grave"), "least"),
        (Wish("a", "email", "a@example.net", kinds=("unknown",)), "kinds"),
    ],
)
def test_channels_that_are_refused(world: World, wish: Wish, field: str) -> None:
    """Each for its reason, and nothing is kept."""
    with pytest.raises((BadInput, Unsafe)) as caught:
        add_channel(world.admin, wish)
    assert caught.value.field == field
    assert not Channel.objects.exists()


def test_names_and_numbers_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a name in an account, and not too many."""
    mailed(world.owner, "a")
    mailed(world.outsider, "a")
    with pytest.raises(Conflict):
        mailed(world.owner, "a")
    monkeypatch.setattr(channels, "MOST", 1)
    with pytest.raises(Conflict):
        mailed(world.owner, "b")


def test_the_journal_tells_and_keeps_no_secret(world: World) -> None:
    """Who added and removed it; what signs webhooks stands nowhere else."""
    made = add_channel(world.admin, Wish("hook", "webhook", "https://hook.example/in"))
    remove_channel(world.admin, "hook")
    records = list(Record.objects.filter(what__startswith="alerts.").order_by("seq"))
    assert [one.what for one in records] == ["alerts.add", "alerts.remove"]
    assert {one.actor for one in records} == {"admin@example.net"}
    assert made.secret not in str([(one.before, one.after, one.summary) for one in records])


def test_a_test_tells_the_truth(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was taken, and else why not; it is not tried again, nor in a loop."""
    mailed(world.owner)
    with (
        mail_sink() as sink,
        parameters(
            monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from="m@a.example"
        ),
    ):
        assert try_channel(world.admin, "on call", now=NOW).sent
        [got] = sink.messages(1)
        assert "this is a test, sent by admin@example.net" in got["Subject"]
        with pytest.raises(Conflict, match="a moment ago"):
            try_channel(world.admin, "on call", now=NOW + 9)
    with (
        mail_sink("-f", "RCPT") as sink,
        parameters(
            monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from="m@a.example"
        ),
    ):
        done = try_channel(world.admin, "on call", now=NOW + 10)
    assert (done.sent, done.error[:3]) == (False, "500")
    assert not Alert.objects.exists()


def test_nobody_elses_channels(world: World) -> None:
    """An outsider neither tests nor removes them, nor acknowledges alerts."""
    mailed(world.owner)
    compared(world.owner, holds())
    with pytest.raises(NotFound):
        try_channel(world.outsider, "on call", now=NOW)
    with pytest.raises(NotFound):
        remove_channel(world.outsider, "on call")
    with pytest.raises(NotFound):
        acknowledge(world.outsider, Alert.objects.get().pk, now=NOW)
    assert Channel.objects.get().tested is None


def test_seen_once(world: World) -> None:
    """By whom is kept; who comes later changes nothing."""
    compared(world.owner, holds())
    number = Alert.objects.get().pk
    acknowledge(world.admin, number, now=NOW + 5)
    acknowledge(world.owner, number, now=NOW + 9)
    alert = Alert.objects.get()
    assert (alert.acknowledged, alert.acknowledged_by) == (NOW + 5, "admin@example.net")
    assert Record.objects.filter(what="alerts.acknowledge").count() == 1


def token_of(channel: Channel) -> str:
    """What stands in the link of its mail."""
    return stop_link(channel).rstrip("/").rpartition("/")[2]


def test_the_link_in_mail(world: World) -> None:
    """Ends mail to whom it was sent, once; nothing that was made up does."""
    channel = mailed(world.owner)
    hook = add_channel(world.owner, Wish("hook", "webhook", "https://hook.example/in"))
    token = token_of(channel)
    end(token, now=NOW)
    end(token, now=NOW + 9)
    channel.refresh_from_db()
    assert channel.stopped == NOW
    assert Record.objects.filter(what="alerts.stop").count() == 1
    compared(world.owner, holds())
    assert set(Notice.objects.values_list("channel", flat=True)) == {hook.pk}
    for wrong in (token[:-1], "1:2:3", "", token_of(hook), signing.dumps("x", salt=STOP_SALT)):
        with pytest.raises(NotFound):
            end(wrong, now=NOW)


def test_who_wants_no_more_gets_none_by_another_channel(world: World) -> None:
    """Whatever is removed and added; until they want it again, and in this account only."""
    token = token_of(mailed(world.owner))
    other = mailed(world.owner, "nights", target="Owner@Example.net")
    remove_channel(world.owner, "on call")
    end(token, now=NOW)
    other.refresh_from_db()
    assert other.stopped == NOW
    remove_channel(world.owner, "nights")
    again = mailed(world.owner)
    assert again.stopped == NOW
    assert mailed(world.outsider).stopped is None
    with pytest.raises(Conflict, match="has ended it"):
        try_channel(world.admin, "on call", now=NOW)
    compared(world.owner, holds())
    assert not Notice.objects.filter(channel=again).exists()
    resume(token)
    resume(token)
    assert Channel.objects.get(pk=again.pk).stopped is None
    told = Record.objects.filter(what__in=["alerts.stop", "alerts.resume"]).order_by("seq")
    assert [one.what for one in told] == ["alerts.stop", "alerts.resume"]
    assert mailed(world.owner, "more").stopped is None


def test_what_older_versions_kept_of_it(world: World) -> None:
    """The mark stood with the channel, and the link named it."""
    channel = mailed(world.owner)
    old = signing.dumps(channel.pk, salt=STOP_SALT)
    assert receiver_of(old).target == channel.target
    Channel.objects.update(stopped=5)
    remove_channel(world.owner, channel.name)
    assert mailed(world.owner).stopped == 5
    with pytest.raises(NotFound):
        receiver_of(old)


def test_tests_are_few_whatever_channels_there_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing a channel and making it anew gives no more of them; others are not hindered."""
    monkeypatch.setattr(trials, "MOST", 2)
    for moment in (NOW, NOW + 1):
        mailed(world.owner)
        try_channel(world.admin, "on call", now=moment)
        remove_channel(world.owner, "on call")
    mailed(world.owner)
    with pytest.raises(Conflict, match="within the last hour"):
        try_channel(world.admin, "on call", now=NOW + 2)
    mailed(world.outsider)
    try_channel(world.outsider, "on call", now=NOW + 2)
    try_channel(world.admin, "on call", now=NOW + 3601)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"zone": "Nowhere/Land"}, "zone"),
        ({"zone": "../../etc/passwd"}, "zone"),
        ({"quiet_until": None}, "quiet_from"),
        ({"digest": 86_401}, "digest"),
        ({"silent_after": 59}, "silent_after"),
        ({"spike_times": 1}, "spike_times"),
        ({"spike_least": 0}, "spike_least"),
        ({"report_day": 7}, "report_day"),
        ({"report_hour": 24}, "report_hour"),
    ],
)
def test_habits_that_are_refused(world: World, changed: dict[str, Any], field: str) -> None:
    """Beside the field, and nothing is changed."""
    with pytest.raises(Refusal) as caught:
        set_manner(world.admin, Habits(**{**USUAL, **changed}))
    assert caught.value.field == field
    assert manner_of(world.owner.account).zone == "UTC"


def test_habits_are_journaled(world: World) -> None:
    """What it was and is; and the same again is no change."""
    for _ in range(2):
        set_manner(world.admin, Habits(**USUAL))
    record = Record.objects.get(what="alerts.set")
    assert record.before is not None
    assert record.after is not None
    assert (record.before["quiet_from"], record.after["quiet_from"]) == ("", "22:00")
    assert manner_of(world.outsider.account).digest == 60
