"""Editing a channel: what is changed, what stays, and what is refused."""

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailmum.control.alerts import outbox, sending
from mailmum.control.alerts.channels import try_channel
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.alerts.editing import edit_channel, renew_secret
from mailmum.control.alerts.models import Channel, Parcel
from mailmum.control.alerts.receivers import end
from mailmum.control.alerts.sending import stop_link
from mailmum.control.alerts.work import weekly
from mailmum.control.journal.models import Record
from mailmum.control.listings.undo import undo
from mailmum.daemons.outgoing import Unsafe
from mailmum.domain.errors import BadInput, Conflict, NotFound
from tests.control.alerts.kit import NOW, called, compared, holds, mailed, parameters
from tests.control.alerts.test_outbox import FROM, reaching, work
from tests.support.https import https_site, text
from tests.support.mail_sink import mail_sink
from tests.support.ports import free_port
from tests.support.world import World

HOOK = "https://hook.example/in"


def fields() -> list[dict[str, Any]]:
    """All channels, as they are kept."""
    return [dict(one) for one in Channel.objects.order_by("pk").values()]


def test_what_is_left_out_stays(world: World) -> None:
    """The key above all; the journal tells what it was and is, and the same again is no change."""
    called(world.owner, HOOK, kinds=("spike",), reports=True)
    [before] = fields()
    for _ in range(2):
        edit_channel(world.admin, "hook", {"target": f"{HOOK}2", "least": None}, now=NOW)
    assert fields() == [{**before, "target": f"{HOOK}2"}]
    given = {"name": " pager ", "least": "critical", "kinds": [], "reports": False}
    edit_channel(world.admin, "hook", given, now=NOW)
    after = {"name": "pager", "least": "critical", "kinds": [], "reports": False}
    assert fields() == [{**before, **after, "target": f"{HOOK}2"}]
    records = list(Record.objects.filter(what="alerts.edit").order_by("seq"))
    assert [one.summary for one in records] == [
        "alert channel hook",
        "alert channel hook is now pager",
    ]
    assert records[0].before is not None
    assert records[0].after is not None
    assert (records[0].before["target"], records[0].after["target"]) == (HOOK, f"{HOOK}2")
    assert before["secret"] not in str([(one.before, one.after) for one in records])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "other"}, "name"),
        ({"target": "http://hook.example/"}, "target"),
        ({"target": "https://10.0.0.1/"}, "target"),
        ({"target": "owner@example.net"}, "target"),
        ({"target": ""}, "target"),
        ({"least": "grave"}, "least"),
        ({"kinds": ["spike", "unknown"]}, "kinds"),
    ],
)
def test_what_is_refused_changes_nothing(world: World, given: dict[str, Any], field: str) -> None:
    """Also what stands beside it and could be used."""
    called(world.owner, HOOK)
    mailed(world.owner, "other")
    before = fields()
    with pytest.raises((BadInput, Unsafe, Conflict)) as caught:
        edit_channel(world.admin, "hook", {"reports": True, "name": "new", **given}, now=NOW)
    assert caught.value.field == field
    assert fields() == before
    assert not Record.objects.filter(what="alerts.edit").exists()


def test_mail_does_not_become_a_webhook(world: World) -> None:
    """It is said how to have one."""
    mailed(world.owner)
    with pytest.raises(BadInput, match="add a channel of the kind webhook"):
        edit_channel(world.admin, "on call", {"target": HOOK}, now=NOW)


def test_nobody_elses_channel(world: World) -> None:
    """For an outsider there is none."""
    called(world.owner, HOOK)
    before = fields()
    with pytest.raises(NotFound):
        edit_channel(world.outsider, "hook", {"name": "mine"}, now=NOW)
    with pytest.raises(NotFound):
        renew_secret(world.outsider, "hook")
    assert fields() == before


def test_a_name_that_somebody_else_has(world: World) -> None:
    """In another account it is free, and so it is for the channel itself."""
    mailed(world.outsider, "theirs")
    mailed(world.owner)
    edit_channel(world.admin, "on call", {"name": "theirs"}, now=NOW)
    edit_channel(world.admin, "theirs", {"name": "theirs", "reports": True}, now=NOW)
    assert Channel.objects.filter(name="theirs").count() == 2


def test_what_waits_goes_to_the_right_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a minute, however long the next try was away; once."""
    mailed(world.owner, target="ownr@example.net")
    compared(world.owner, holds())
    with parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=free_port("tcp"), mail_from=FROM):
        for later in (60, 120, 240, 480):
            work(NOW + later)
    assert Parcel.objects.get().due == NOW + 480 + 8 * outbox.FIRST_PAUSE
    edit_channel(world.admin, "on call", {"target": "owner@example.net"}, now=NOW + 500)
    compared(world.owner, holds(), now=NOW + 510)
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        for later in (559, 560, 700, 9000):
            work(NOW + later)
            sink.messages(0 if later == 559 else 1)
        [got] = sink.messages(1)
    assert got["To"] == "owner@example.net"


@pytest.mark.parametrize("taken", [True, False])
def test_what_is_being_sent_to_the_old_address_goes_to_the_new_one_too(
    world: World, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    """Whatever the old one says to it: the channel is changed while it is spoken to."""
    mailed(world.owner, target="old@example.net")
    compared(world.owner, holds())
    send = sending.send

    def edited_meanwhile(parcel: Parcel, now: float) -> None:
        monkeypatch.setattr(sending, "send", send)
        edit_channel(world.admin, "on call", {"target": "new@example.net"}, now=now)
        if not taken:
            raise sending.Failed("550 no such user", final=True)
        send(parcel, now)

    monkeypatch.setattr(sending, "send", edited_meanwhile)
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        for later in (60, 120, 180, 9000):
            work(NOW + later)
            compared(world.owner, holds(), now=NOW + later + 1)
        got = sink.messages(1 + taken)
    assert sorted(one["To"] for one in got) == ["new@example.net"] + ["old@example.net"] * taken


def test_who_has_ended_it_is_not_reached_by_an_edit(world: World) -> None:
    """Neither from nor to their address; another address gets it."""
    first = mailed(world.owner)
    token = stop_link(first).rstrip("/").rpartition("/")[2]
    end(token, now=NOW)
    edit_channel(world.admin, "on call", {"target": "boss@example.net"}, now=NOW)
    assert Channel.objects.get().stopped is None
    edit_channel(world.admin, "on call", {"target": "Owner@example.net"}, now=NOW)
    assert Channel.objects.get().stopped == NOW
    # As an older version kept it: with the channel only.
    mailed(world.owner, "other", target="old@example.net")
    Channel.objects.filter(name="other").update(stopped=5)
    for target in ("boss@example.net", "old@example.net"):
        edit_channel(world.admin, "other", {"target": target}, now=NOW)
    assert Channel.objects.get(name="other").stopped == 5


def test_the_first_report_is_the_next(world: World) -> None:
    """Not the one of a week that nobody had asked about; who asked before gets what is due."""
    mailed(world.owner)
    account, week = world.owner.account, 7 * 86_400
    edit_channel(world.admin, "on call", {"reports": True}, now=NOW)
    assert weekly(account, now=NOW + 60) == 0
    monday = datetime(2026, 11, 30, 7, tzinfo=UTC).timestamp()
    assert weekly(account, now=monday) == 1
    mailed(world.owner, "other")
    edit_channel(world.admin, "other", {"reports": True}, now=monday + week + 1)
    assert weekly(account, now=monday + week + 2) == 2
    assert manner_of(account).reported == monday + week


def test_a_new_key_signs_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also what waits; the journal tells of it and keeps neither."""
    with https_site(tmp_path) as site:
        reaching(monkeypatch, site)
        site.answers["/hook"] = text(b"wrong signature", 403)
        old = called(world.owner, site.url("/hook")).secret
        compared(world.owner, holds())
        work(NOW + 60)
        new = renew_secret(world.admin, "hook").secret
        site.answers["/hook"] = text(b"", 204)
        work(NOW + 130)
        first, second = site.asked
    for secret, asked in ((old, first), (new, second)):
        signed = asked.headers["mailmum-timestamp"].encode() + b"." + asked.body
        made = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        assert asked.headers["mailmum-signature"] == f"v1={made}"
    assert (old != new, len(new)) == (True, 64)
    record = Record.objects.get(what="alerts.rotate-key")
    told = str((record.summary, record.before, record.after))
    assert old not in told
    assert new not in told
    with pytest.raises(BadInput, match="stays so; make another"):
        undo(world.admin, record.seq)


def test_mail_has_no_key(world: World) -> None:
    """That is said, and nothing is noted."""
    mailed(world.owner)
    with pytest.raises(Conflict, match="only webhooks have a key"):
        renew_secret(world.admin, "on call")
    assert not Record.objects.filter(what="alerts.rotate-key").exists()


def test_an_edit_gives_no_more_tests(world: World) -> None:
    """A channel that was tested a moment ago was, whatever its address is now."""
    mailed(world.owner)
    try_channel(world.admin, "on call", now=NOW)
    edit_channel(world.admin, "on call", {"target": "boss@example.net"}, now=NOW + 1)
    with pytest.raises(Conflict, match="a moment ago"):
        try_channel(world.admin, "on call", now=NOW + 2)
