"""What is to be told arrives once, at real servers, through failures and restarts."""

import hashlib
import hmac
import json
import re
import subprocess
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from django.db import DatabaseError

from mailmum.control.alerts import channels, outbox, sending
from mailmum.control.alerts.comparing import CALM
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.models import Alert, Notice, Parcel
from mailmum.control.alerts.receivers import end
from mailmum.control.alerts.work import sending as worker_step
from mailmum.daemons.outgoing import Outgoing, Unsafe
from mailmum.domain.reachable import parse_reachable
from tests.control.alerts.kit import NOW, called, compared, habits, holds, mailed, parameters
from tests.support.https import Site, https_site, text
from tests.support.mail_sink import mail_sink
from tests.support.ports import free_port
from tests.support.world import World

FROM = "mailmum@rbl.example.net"


def work(now: float) -> None:
    """What the worker does."""
    for _ in worker_step(now):
        pass


def reaching(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """Let webhooks reach this machine, and trust the site's authority."""
    way = Outgoing(reach=parse_reachable("127.0.0.0/8, ::1/128"), trust=site.trust)
    for place in (channels, sending):
        monkeypatch.setattr(place, "outgoing", lambda: way)


def test_mail_by_the_book(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gathered into one message, with the headers that such mail has, as text and as HTML."""
    mailed(world.owner)
    evil = holds("mx2/auth", text='<img src=x onerror="alert(1)"> on mx2 & more')
    compared(world.owner, holds(), evil)
    with (
        mail_sink() as sink,
        parameters(
            monkeypatch,
            smtp_host="127.0.0.1",
            smtp_port=sink.port,
            mail_from=FROM,
            public_url="https://rbl.example.net",
        ),
    ):
        work(NOW + 59)
        sink.messages(0)
        for later in (60, 65, 4000):
            work(NOW + later)
        [got] = sink.messages(1)
    assert (got["From"], got["To"]) == (FROM, "owner@example.net")
    assert got["Subject"] == "[MailMum] Example: 2 alerts"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Message-ID"] == f"<{Parcel.objects.get().ref}@rbl.example.net>"
    assert parsedate_to_datetime(got["Date"]).timestamp() == NOW + 60
    # As it stands there: the reader here would decode what mail clients do not.
    link = dict(got.raw_items())["List-Unsubscribe"]
    assert re.fullmatch(r"<https://rbl\.example\.net/stop/[\w:-]+/>", link)
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, rich = (part.get_content() for part in got.iter_parts())
    assert "Warning: 412 failed logins at the server mx1" in plain
    assert f"https://rbl.example.net/a/{world.owner.account.pk}/server/mx1/" in plain
    assert "<img" not in rich
    assert "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; on mx2 &amp; more" in rich


def test_no_text_becomes_a_header(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition may carry anything; at worst the message is refused and that is told."""
    mailed(world.owner)
    compared(world.owner, holds(text="a\r\nBcc: all@example.net\r\n\r\nhello"))
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        work(NOW + 60)
        [got] = sink.messages(1)
    assert got["Bcc"] is None
    assert got["X-Rcpt-Args"] == "<owner@example.net>"
    assert "Bcc: all@example.net" in got["Subject"]


def test_a_server_that_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again with growing pauses, and what is told then is what was to be told."""
    mailed(world.owner)
    compared(world.owner, holds())
    port = free_port("tcp")
    with parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=port, mail_from=FROM):
        for later in (60, 61, 119):
            work(NOW + later)
        parcel = Parcel.objects.get()
        assert (parcel.tries, parcel.due, parcel.ended) == (1, NOW + 120, None)
        assert f"127.0.0.1:{port}" in parcel.error
        work(NOW + 120)
        assert Parcel.objects.get().due == NOW + 240
    compared(world.owner, now=NOW + 130)
    compared(world.owner, now=NOW + 130 + CALM)
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        work(NOW + 240)
        assert "412 failed logins" in sink.messages(1)[0]["Subject"]
        work(NOW + 240 + CALM)
        assert sorted(one["Subject"].split(":")[1] for one in sink.messages(2)) == [
            " 412 failed logins at the server mx1",
            " over",
        ]


def test_what_nobody_takes_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three days, or at once when the receiver is refused for good; never silently."""
    mailed(world.owner)
    compared(world.owner, holds())
    with parameters(monkeypatch, smtp_host=""):
        work(NOW + 60)
        parcel = Parcel.objects.get()
        assert "smtp_host" in parcel.error
        work(NOW + 60 + outbox.GIVE_UP)
    parcel.refresh_from_db()
    assert (parcel.sent, parcel.ended) == (False, NOW + 60 + outbox.GIVE_UP)
    compared(world.owner, holds("other"), now=NOW + 10 * CALM)
    with (
        mail_sink("-f", "RCPT") as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        work(NOW + 11 * CALM)
    latest = Parcel.objects.latest("id")
    assert (latest.sent, latest.ended, latest.tries) == (False, NOW + 11 * CALM, 1)


def test_a_webhook_is_signed(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that openssl can tell who sent it; the same parcel comes again with the same id."""
    with https_site(tmp_path) as site:
        reaching(monkeypatch, site)
        site.answers["/hook"] = text(b"<b>busy</b>", 503)
        channel = called(world.owner, site.url("/hook"))
        compared(world.owner, holds())
        work(NOW + 60)
        assert "503" in Parcel.objects.get().error
        site.answers["/hook"] = text(b"", 204)
        work(NOW + 130)
        work(NOW + 999)
        first, second = site.asked
    assert first.body == second.body
    assert first.headers["mailmum-id"] == second.headers["mailmum-id"]
    told = json.loads(second.body)
    assert told["id"] == second.headers["mailmum-id"]
    assert [(one["event"], one["kind"], one["about"]) for one in told["events"]] == [
        ("opened", "spike", "mx1/auth")
    ]
    signed = second.headers["mailmum-timestamp"].encode() + b"." + second.body
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", channel.secret],
        input=signed,
        capture_output=True,
        check=True,
    )
    expected = done.stdout.decode().split()[-1]
    assert second.headers["mailmum-signature"] == f"v1={expected}"
    assert first.headers["mailmum-signature"] != second.headers["mailmum-signature"]
    assert hmac.compare_digest(
        expected, hmac.new(channel.secret.encode(), signed, hashlib.sha256).hexdigest()
    )


def test_webhooks_do_not_reach_into_the_network(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Refused when it is added; and when it is sent, should leave have been taken away since."""
    with https_site(tmp_path) as site:
        with pytest.raises(Unsafe, match="loopback"):
            called(world.owner, site.url("/hook"))
        with monkeypatch.context() as once:
            reaching(once, site)
            called(world.owner, site.url("/hook"))
        compared(world.owner, holds())
        work(NOW + 60)
        assert site.asked == []
    parcel = Parcel.objects.get()
    assert "loopback" in parcel.error
    assert (parcel.sent, parcel.ended) == (False, NOW + 60)


def test_a_webhook_that_is_gone_for_good(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """410 ends it; a redirect is not followed."""
    with https_site(tmp_path) as site:
        reaching(monkeypatch, site)
        site.answers["/gone"] = text(b"", 410)
        site.answers["/moved"] = text(b"", 302, Location=site.url("/other"))
        called(world.owner, site.url("/gone"), "gone")
        called(world.owner, site.url("/moved"), "moved")
        compared(world.owner, holds())
        work(NOW + 60)
        assert sorted(one.path for one in site.asked) == ["/gone", "/moved"]
    ended = {one.channel.name: one.ended for one in Parcel.objects.all()}
    assert ended == {"gone": NOW + 60, "moved": None}
    moved = Parcel.objects.get(channel__name="moved")
    assert moved.error.startswith("it answers 302 and redirects, which is not followed")


def test_two_workers_send_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever claims a parcel sends it."""
    mailed(world.owner)
    compared(world.owner, holds())
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        outbox.pack(now=NOW + 60)
        first, second = outbox.send_due(now=NOW + 60), outbox.send_due(now=NOW + 60)
        assert len([*first, *second]) == 1
        sink.messages(1)


def test_the_database_goes_away_while_sending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent and not noted goes out again with the same id, so a receiver can tell."""
    mailed(world.owner)
    compared(world.owner, holds())
    outbox.pack(now=NOW + 60)
    sent, real = list[str](), sending.send

    def failing(parcel: Parcel, now: float) -> None:
        real(parcel, now)
        sent.append(parcel.ref)
        if len(sent) == 1:
            raise DatabaseError("away")

    monkeypatch.setattr(sending, "send", failing)
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        with pytest.raises(DatabaseError):
            list(outbox.send_due(now=NOW + 60))
        list(outbox.send_due(now=NOW + 61))
        list(outbox.send_due(now=NOW + 120))
        list(outbox.send_due(now=NOW + 9999))
        ids = {one["Message-ID"] for one in sink.messages(2)}
    assert len(ids) == 1
    assert len(sent) == 2


def test_what_opened_and_ended_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In quiet hours, is told once, as over."""
    mailed(world.owner)
    habits(world.owner, quiet_from=10 * 60, quiet_until=14 * 60)
    compared(world.owner, holds())
    for later in (60, 60 + CALM):
        compared(world.owner, now=NOW + later)
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        work(NOW + 2 * 3600)
        sink.messages(0)
        work(NOW + 3 * 3600)
        [got] = sink.messages(1)
    assert got["Subject"].startswith("[MailMum] Example: over: 412 failed logins")
    assert Notice.objects.filter(parcel=None).count() == 0


def test_a_receiver_who_has_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gets nothing more, not even what was on its way."""
    channel = mailed(world.owner)
    compared(world.owner, holds())
    outbox.pack(now=NOW + 60)
    token = sending.stop_link(channel).rstrip("/").rpartition("/")[2]
    end(token, now=NOW + 61)
    compared(world.owner, holds(), holds("other"), now=NOW + 62)
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        work(NOW + 3600)
        sink.messages(0)
    assert Parcel.objects.get().ended == NOW + 3600


def test_the_gravest_stands_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And more than one message holds goes into the next."""
    monkeypatch.setattr(outbox, "EVENTS", 2)
    mailed(world.owner)
    compared(
        world.owner,
        holds("a", text="first"),
        holds("b", text="second", severity=Severity.CRITICAL),
        holds("c", text="third"),
    )
    with (
        mail_sink() as sink,
        parameters(monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from=FROM),
    ):
        work(NOW + 60)
        work(NOW + 65)
        messages = {one["Subject"]: one for one in sink.messages(2)}
    two = messages["[MailMum] Example: 2 alerts"]
    plain = next(two.iter_parts()).get_content()
    assert plain.index("Critical: second") < plain.index("Warning: first")
    assert "[MailMum] Example: third" in messages


def test_those_whom_nobody_takes_hold_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three failures in a row the others wait for the next go; what is new goes first."""
    for number in range(5):
        mailed(world.owner, f"channel {number}")
    compared(world.owner, holds())
    with parameters(monkeypatch, smtp_host=""):
        outbox.pack(now=NOW + 60)
        assert len(list(outbox.send_due(now=NOW + 60))) == 3
        compared(world.outsider, holds())
        mailed(world.outsider, "other")
        compared(world.outsider, holds(), holds("more"))
        outbox.pack(now=NOW + 121)
        tried = [one.channel.name for one in outbox.send_due(now=NOW + 121)]
    assert sorted(tried) == ["channel 3", "channel 4", "other"]


def test_what_is_old_goes(world: World) -> None:
    """Parcels after some weeks, unless what they told is open; closed alerts after a year."""
    mailed(world.owner)
    compared(world.owner, holds())
    outbox.pack(now=NOW + 60)
    Parcel.objects.update(ended=NOW)
    old = Alert.objects.create(
        account=world.owner.account,
        kind="spike",
        about="old",
        severity="notice",
        text="old",
        since=1,
        opened=1,
        closed=int(NOW),
    )
    outbox.forget(now=NOW + outbox.KEPT + 10)
    assert Parcel.objects.exists()
    for later in (outbox.KEPT + 20, outbox.KEPT + 20 + CALM):
        compared(world.owner, now=NOW + later)
    assert Notice.objects.filter(event="closed").count() == 1
    outbox.forget(now=NOW + outbox.KEPT + 30 + CALM)
    assert not Parcel.objects.exists()
    compared(world.owner, holds("other"), now=NOW + outbox.KEPT + 9 * CALM)
    assert Alert.objects.filter(pk=old.pk).exists()
    outbox.forget(now=NOW + outbox.KEPT + outbox.HISTORY + 10 * CALM)
    assert list(Alert.objects.values_list("about", flat=True)) == ["other"]
