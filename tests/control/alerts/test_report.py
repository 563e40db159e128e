"""The report says what pages say, reads as text, and goes out once a week."""

import time
from datetime import UTC, datetime

import pytest

from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.letters import Envelope
from mailmum.control.alerts.models import Parcel
from mailmum.control.alerts.outbox import send_due
from mailmum.control.alerts.report import Report, Section, report, report_as, report_from
from mailmum.control.alerts.report_letter import as_html, as_text, report_letter
from mailmum.control.alerts.work import weekly
from mailmum.control.journal.services import Actor, change
from mailmum.domain.listings import Action
from mailmum.traffic.periods import DAY, HOUR
from tests.control.alerts.kit import NOW, compared, habits, holds, mailed, parameters
from tests.control.monitor.kit import STRANGE, Traffic
from tests.support.mail_sink import mail_sink
from tests.support.world import World


def section(made: Report, title: str) -> Section:
    """A table of it."""
    return next(one for one in made.sections if one.title == title)


@pytest.fixture
def filled(traffic: Traffic) -> Traffic:
    """Traffic of both accounts, and listings."""
    traffic.log(
        *traffic.pool(ago=2 * HOUR), *traffic.mail("198.51.100.201", 20, "a.example", ago=2 * HOUR)
    )
    traffic.foreign(*traffic.pool(ago=2 * HOUR))
    traffic.listed(Action.BLOCK, "203.0.113.7", "198.51.100.0/24")
    return traffic


def test_what_was_stopped_and_by_what(world: World, filled: Traffic) -> None:
    """In figures that add up, up to now."""
    with change(world.owner.account.pk, Actor(0, "trigger flood"), "listing.trigger") as by:
        by.count = 3
    made = report(world.owner, now=time.time())
    assert made.headline.startswith("80 of 100 contacts were stopped (80\u00a0%)")
    rows = section(made, "What was stopped").rows
    assert ("Stopped by public RBLs", "80") in rows
    assert ("Accepted", "20") in rows
    assert section(made, "By what").rows == (("zen.rbl.example", "80"),)
    assert section(made, "Servers").rows[0] == ("mx1", "100", "20", "80")
    assert section(made, "What changed").rows[:2] == (
        ("Blocks made", "2", "owner@example.net"),
        ("Blocks made by triggers", "3", "trigger flood"),
    )
    assert STRANGE not in str(made)
    assert report_from(report_as(made)) == made


def test_like_is_compared_with_like(world: World, traffic: Traffic) -> None:
    """Servers that were not seen in the whole time before are left out of both sides, and named."""
    for days in (20, 15, 13, 10, 3):
        traffic.log(*traffic.mail("198.51.100.201", 2, "a.example", ago=days * DAY))
    whole = section(report(world.owner, now=traffic.now), "What was stopped")
    assert whole.columns[1:] == ("Contacts", "Before")
    assert whole.rows == (("Accepted", "2", "4"),)
    assert whole.note == ""
    traffic.log(*traffic.pool(ago=2 * DAY), server="mx2")
    made = report(world.owner, now=traffic.now)
    part = section(made, "What was stopped")
    assert part.columns[1:] == ("Contacts", "Compared", "Before")
    assert part.rows == (
        ("Accepted", "2", "2", "4"),
        ("Stopped by public RBLs", "80", "0", "0"),
    )
    day = datetime.fromtimestamp(traffic.now - 2 * DAY, UTC)
    why = f"all but mx2 (seen only since {day.day} {day:%b})."
    assert part.note.endswith(why)
    assert why in " ".join(as_text(made, "UTC").split())
    assert why in as_html(made, "UTC")
    kept = report_as(made)
    for one in kept["sections"]:
        del one["note"]
    # As reports that were made before there were notes.
    assert section(report_from(kept), "What was stopped").note == ""


def test_the_gravest_alerts_come_first(world: World) -> None:
    """However many others have been open for longer."""
    many = [holds(f"mx{number}/auth") for number in range(12)]
    compared(world.owner, *many)
    grave = holds("mx1", text="nothing is seen", severity=Severity.CRITICAL)
    compared(world.owner, grave, kind="server-silent")
    rows = section(report(world.owner, now=NOW + 60), "To review").rows
    assert (len(rows), rows[0][1]) == (10, "Nothing is seen")


def test_an_account_without_anything(world: World) -> None:
    """Says so, in every table."""
    made = report(world.outsider, now=NOW)
    assert made.headline == "Nothing was seen."
    text = as_text(made, "UTC")
    for one in made.sections:
        assert one.title in text
        if not one.rows:
            assert one.none in text


def test_texts_and_columns() -> None:
    """Numbers stand on the right, long texts go on below, and markup stays text."""
    evil = '<script>alert("x")</script>' + "y" * 90
    made = Report(
        "Example", 0, 7 * DAY, "Five.", (Section("T", ("Name", "N"), ((evil, "5"),), (0.5,)),)
    )
    lines = as_text(made, "Europe/Berlin").splitlines()
    assert lines[1] == "Thu 1 Jan 1970, 01:00 CET to Thu 8 Jan 1970, 01:00 CET"
    assert max(map(len, lines)) < 80
    table = lines[lines.index("=") + 2 :]
    assert table[0].endswith("  5")
    assert "".join(line.removesuffix("  5").strip() for line in table) == evil
    html = as_html(made, "Europe/Berlin")
    assert "<script" not in html
    assert "width:60px" in html
    envelope = Envelope("m@a.example", "o@b.example", "1", "Example", "u", "https://s", "UTC")
    letter = report_letter(envelope, made, NOW)
    assert letter["Subject"] == "[MailMum] Example: Five"
    assert "<img" not in letter.as_string()


def test_once_a_week(world: World, filled: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its hour, to who asked for it; after a rest only the latest."""
    mailed(world.owner, "boss", reports=True)
    mailed(world.owner, "on call")
    habits(world.owner, zone="Europe/Berlin", report_day=4, report_hour=7)
    # It is Friday, 12:03 in Berlin.
    assert weekly(world.owner.account, now=NOW) == 1
    for later in (0, 60, DAY, 6 * DAY):
        assert weekly(world.owner.account, now=NOW + later) == 0
    assert weekly(world.outsider.account, now=NOW) == 0
    assert weekly(world.owner.account, now=NOW + 30 * DAY) == 1
    assert weekly(world.owner.account, now=NOW + 30 * DAY + 60) == 0
    assert weekly(world.owner.account, now=NOW - 30 * DAY) == 0
    with (
        mail_sink() as sink,
        parameters(
            monkeypatch, smtp_host="127.0.0.1", smtp_port=sink.port, mail_from="m@a.example"
        ),
    ):
        list(send_due(now=NOW + 31 * DAY))
        first, _second = sink.messages(2)
    assert first["To"] == "owner@example.net"
    parts = [part.get_content_type() for part in first.iter_parts()]
    assert parts == ["text/plain", "text/html"]
    assert {one.channel.name for one in Parcel.objects.all()} == {"boss"}


def test_who_comes_later_gets_the_next(world: World) -> None:
    """A channel that was made after the hour waits for a week."""
    channel = mailed(world.owner, "boss", reports=True)
    habits(world.owner, report_day=4, report_hour=7)
    channel.created = datetime.fromtimestamp(NOW - 60, UTC)
    channel.save()
    assert weekly(world.owner.account, now=NOW) == 0
    assert weekly(world.owner.account, now=NOW + 7 * DAY) == 1
