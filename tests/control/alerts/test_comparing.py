"""What holds opens an alert once, what no longer holds closes it, and each is told once."""

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from mailmum.control.alerts import comparing
from mailmum.control.alerts.comparing import CALM, look
from mailmum.control.alerts.conditions import Condition, Severity
from mailmum.control.alerts.models import Alert, Notice
from mailmum.control.alerts.watches import WATCHES, Watch
from tests.control.alerts.kit import NOW, asking, compared, habits, holds, mailed
from tests.support.world import World


def told() -> list[tuple[str, str]]:
    """Each notice: to whom, and of what."""
    rows = Notice.objects.order_by("id").values_list("channel__name", "event")
    return [(str(name), event) for name, event in rows]


def test_what_holds_opens_one_alert(world: World) -> None:
    """However often it is looked; what it says follows what holds."""
    mailed(world.owner)
    for minute in range(5):
        compared(world.owner, holds(text=f"{400 + minute} failed logins"), now=NOW + 60 * minute)
    [alert] = Alert.objects.all()
    assert (alert.text, alert.opened, alert.since) == ("404 failed logins", NOW, NOW - 600)
    assert told() == [("on call", "opened")]


def test_what_is_over_closes_after_a_while(world: World) -> None:
    """Then it is told; what comes again meanwhile stays one alert, told once."""
    mailed(world.owner)
    compared(world.owner, holds())
    compared(world.owner, now=NOW + 60)
    assert Alert.objects.get().closed is None
    compared(world.owner, holds(), now=NOW + 120)
    compared(world.owner, now=NOW + 180)
    compared(world.owner, now=NOW + 180 + CALM - 1)
    assert Alert.objects.get().closed is None
    compared(world.owner, now=NOW + 180 + CALM)
    assert Alert.objects.get().closed == NOW + 180 + CALM
    assert told() == [("on call", "opened"), ("on call", "closed")]
    compared(world.owner, now=NOW + 10 * CALM)
    compared(world.owner, holds(), now=NOW + 11 * CALM)
    assert Alert.objects.count() == 2
    assert told()[2:] == [("on call", "opened")]


def test_a_clock_that_was_set_back(world: World) -> None:
    """Nothing stays open for ever because of it."""
    compared(world.owner, holds())
    compared(world.owner, now=NOW + 60)
    compared(world.owner, now=NOW - 86_400)
    assert Alert.objects.get().closed == NOW - 86_400


def test_a_watch_that_cannot_be_asked_closes_nothing(world: World) -> None:
    """And the others are asked all the same."""

    def away(*_: object) -> list[Condition]:
        raise DatabaseError("away")

    compared(world.owner, holds())
    watches = [Watch("spike", "", away), asking("server-silent", holds("mx1"))]
    for minute in range(0, 3 * CALM, CALM):
        look(world.owner.account, watches, now=NOW + minute)
    assert set(Alert.objects.filter(closed=None).values_list("kind", flat=True)) == {
        "spike",
        "server-silent",
    }


def test_channels_are_told_of_what_they_ask_for(world: World) -> None:
    """By severity and kind; an end only where the beginning was told."""
    mailed(world.owner, "all")
    mailed(world.owner, "grave", least="critical")
    mailed(world.owner, "silence", kinds=("server-silent",))
    compared(world.owner, holds())
    compared(world.owner, holds("mx1", severity=Severity.CRITICAL), kind="server-silent")
    assert sorted(told()) == [
        ("all", "opened"),
        ("all", "opened"),
        ("grave", "opened"),
        ("silence", "opened"),
    ]
    mailed(world.owner, "late")
    for later in (60, 60 + CALM):
        compared(world.owner, now=NOW + later)
        compared(world.owner, now=NOW + later, kind="server-silent")
    ends = [name for name, event in told() if event == "closed"]
    assert sorted(ends) == ["all", "all", "grave", "silence"]


def test_quiet_hours_hold_back_all_but_the_gravest(world: World) -> None:
    """Until they end, in the zone of the account."""
    mailed(world.owner)
    # It is 12:03 in Berlin.
    habits(world.owner, zone="Europe/Berlin", quiet_from=12 * 60, quiet_until=14 * 60, digest=60)
    compared(world.owner, holds())
    compared(world.owner, holds("mx1", severity=Severity.CRITICAL), kind="server-silent")
    due = dict(Notice.objects.values_list("alert__kind", "due"))
    assert due == {"spike": NOW - 180 + 2 * 3600, "server-silent": NOW + 60}


def test_accounts_never_meet(world: World) -> None:
    """The same thing in two accounts is two alerts, told to each account's own channels."""
    mailed(world.owner, "ours")
    mailed(world.outsider, "theirs")
    compared(world.owner, holds())
    assert told() == [("ours", "opened")]
    compared(world.outsider)
    assert Alert.objects.get().missing is None
    compared(world.outsider, holds())
    assert sorted(told()) == [("ours", "opened"), ("theirs", "opened")]


def test_more_than_anybody_reads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many of one kind are bounded, and so is what each says."""
    monkeypatch.setattr(comparing, "MOST", 3)
    many = [holds(f"mx{number}" * 200, text="x" * 9999, link="y" * 9999) for number in range(9)]
    look(world.owner.account, [asking("spike", *many)], now=NOW)
    assert Alert.objects.count() == 3
    assert {len(one.text) for one in Alert.objects.all()} == {500}


def test_one_open_alert_about_a_thing(world: World) -> None:
    """The database itself sees to it, whatever two workers do."""
    compared(world.owner, holds())
    alert = Alert.objects.get()
    alert.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        alert.save(force_insert=True)


def test_kinds_have_words_of_their_own() -> None:
    """Two watches with one word would close each other's alerts."""
    kinds = [watch.kind for watch in WATCHES]
    assert len(kinds) == len(set(kinds))
    assert all(len(kind) <= 20 for kind in kinds)
