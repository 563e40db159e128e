"""Who is told of what is open: each channel once, however late it comes to it."""

import pytest

from mailmum.control.alerts import trials
from mailmum.control.alerts.comparing import CALM
from mailmum.control.alerts.conditions import Severity
from mailmum.control.alerts.editing import edit_channel
from mailmum.control.alerts.models import Alert, Channel, Notice, Parcel
from mailmum.control.alerts.outbox import KEPT, pack
from mailmum.control.alerts.receivers import end, resume
from mailmum.control.alerts.sending import stop_link
from mailmum.control.alerts.work import sending
from tests.control.alerts.kit import NOW, called, compared, habits, holds, mailed
from tests.support.world import World

HOOK = "https://hook.example/in"


def told(name: str) -> list[tuple[str, str]]:
    """What a channel is told, in order."""
    rows = Notice.objects.filter(channel__name=name).order_by("id")
    return [(about, event) for about, event in rows.values_list("alert__about", "event")]


def taken(now: float = NOW) -> None:
    """All that is due was sent and taken."""
    pack(now=now)
    Parcel.objects.filter(ended=None).update(ended=int(now), sent=True, tries=1)


def test_a_new_channel_is_told_of_what_is_open(world: World) -> None:
    """Once, gathered as ever, by what it asks for; of what may be over when it holds again."""
    habits(world.owner, digest=300)
    compared(world.owner, holds("a"), holds("b"), holds("quiet", severity=Severity.NOTICE))
    compared(world.owner, holds("a"), holds("quiet", severity=Severity.NOTICE), now=NOW + 60)
    mailed(world.owner, "late", least="warning")
    mailed(world.outsider, "stranger")
    for minute in range(2, 5):
        compared(world.owner, holds("a"), now=NOW + 60 * minute)
    assert told("late") == [("a", "opened")]
    assert Notice.objects.get(channel__name="late").due == NOW + 120 + 300
    taken(NOW + 1000)
    compared(world.owner, holds("a"), holds("b"), now=NOW + 1060)
    compared(world.owner, holds("a"), holds("b"), now=NOW + 1120)
    assert told("late") == [("a", "opened"), ("b", "opened")]
    assert told("stranger") == []
    for later in (1180, 1180 + CALM):
        compared(world.owner, now=NOW + later)
    assert told("late")[2:] == [("a", "closed"), ("b", "closed")]


def test_quiet_hours_hold_for_it_too(world: World) -> None:
    """But for what is critical."""
    grave = holds("mx1", severity=Severity.CRITICAL)
    compared(world.owner, holds())
    compared(world.owner, grave, kind="server-silent")
    # It is 12:03 in Berlin.
    habits(world.owner, zone="Europe/Berlin", quiet_from=12 * 60, quiet_until=14 * 60, digest=60)
    mailed(world.owner)
    compared(world.owner, holds(), now=NOW + 60)
    compared(world.owner, grave, kind="server-silent", now=NOW + 60)
    due = dict(Notice.objects.values_list("alert__kind", "due"))
    assert due == {"spike": NOW - 180 + 2 * 3600, "server-silent": NOW + 120}


def test_what_has_grown_graver_is_told_to_who_asks_for_the_grave(world: World) -> None:
    """Once, and its end, though it was less grave by then."""
    mailed(world.owner, "pager", least="critical")
    grave = holds(severity=Severity.CRITICAL)
    for at, one in enumerate((holds(), grave, grave, holds())):
        compared(world.owner, one, now=NOW + 60 * at)
    assert told("pager") == [("mx1/auth", "opened")]
    for later in (300, 300 + CALM):
        compared(world.owner, now=NOW + later)
    assert told("pager") == [("mx1/auth", "opened"), ("mx1/auth", "closed")]


def test_who_asks_for_more_is_told_of_it(world: World) -> None:
    """And who asks for less of the end of what was told."""
    mailed(world.owner, "a", kinds=("feed-held",))
    mailed(world.owner, "b")
    compared(world.owner, holds())
    edit_channel(world.admin, "a", {"kinds": []}, now=NOW + 30)
    edit_channel(world.admin, "b", {"kinds": ["feed-held"]}, now=NOW + 30)
    for later in (60, 120):
        compared(world.owner, holds(), now=NOW + later)
    for later in (180, 180 + CALM):
        compared(world.owner, now=NOW + later)
    assert told("a") == told("b") == [("mx1/auth", "opened"), ("mx1/auth", "closed")]


def test_another_address_is_told_as_a_new_channel_is(world: World) -> None:
    """Of what was sent to the other one; what waits goes there anyway, and the same is no news."""
    called(world.owner, HOOK)
    compared(world.owner, holds("sent"))
    taken(NOW + 60)
    compared(world.owner, holds("sent"), holds("waits"), now=NOW + 120)
    edit_channel(world.admin, "hook", {"target": f"{HOOK}2"}, now=NOW + 130)
    assert told("hook") == [("waits", "opened")]
    for later in (180, 240):
        compared(world.owner, holds("sent"), holds("waits"), now=NOW + later)
    assert told("hook") == [("waits", "opened"), ("sent", "opened")]
    taken(NOW + 400)
    edit_channel(world.admin, "hook", {"target": f"{HOOK}2", "name": "other"}, now=NOW + 410)
    compared(world.owner, holds("sent"), holds("waits"), now=NOW + 420)
    assert len(told("other")) == 2


def test_who_wants_it_again_is_told_what_came_meanwhile(world: World) -> None:
    """And not again what they were told before."""
    token = stop_link(mailed(world.owner)).rstrip("/").rpartition("/")[2]
    compared(world.owner, holds("a"))
    end(token, now=NOW + 1)
    compared(world.owner, holds("a"), holds("b"), now=NOW + 60)
    resume(token)
    compared(world.owner, holds("a"), holds("b"), now=NOW + 120)
    assert told("on call") == [("a", "opened"), ("b", "opened")]


def test_who_wants_it_again_is_told_what_was_on_its_way_when_it_ended(world: World) -> None:
    """It was not sent; what the link came with was."""
    token = stop_link(mailed(world.owner)).rstrip("/").rpartition("/")[2]
    compared(world.owner, holds("sent"))
    taken(NOW + 60)
    compared(world.owner, holds("sent"), holds("waits"), now=NOW + 120)
    end(token, now=NOW + 121)
    for _ in sending(NOW + 180):
        pass
    assert Parcel.objects.get(sent=False).ended == NOW + 180
    resume(token)
    compared(world.owner, holds("sent"), holds("waits"), now=NOW + 240)
    waiting = Notice.objects.filter(parcel=None).values_list("alert__about", "event")
    assert list(waiting) == [("waits", "opened")]


def test_strangers_are_told_late_as_seldom_as_they_are_sent_tests(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others later; what opens is told at once."""
    monkeypatch.setattr(trials, "MOST", 2)
    compared(world.owner, holds("a"), holds("b"))
    for name in "xyz":
        mailed(world.owner, name, target=f"{name}@example.net")
    both = (holds("a"), holds("b"))
    compared(world.owner, *both, now=NOW + 60)
    assert (len(told("x")), len(told("y")), told("z")) == (2, 2, [])
    compared(world.owner, *both, holds("c"), now=NOW + 120)
    assert told("z") == [("c", "opened")]
    compared(world.owner, *both, holds("c"), now=NOW + 60 + trials.SECONDS)
    assert told("z") == [("c", "opened"), ("a", "opened"), ("b", "opened")]


def test_what_an_older_version_forgot_is_not_told_again(world: World) -> None:
    """It removed after some weeks what it had sent, also of what is open still."""
    mailed(world.owner)
    compared(world.owner, holds())
    Notice.objects.all().delete()
    later = NOW + KEPT + 60
    mailed(world.owner, "new")
    Channel.objects.filter(name="new").update(created="2026-12-01T00:00:00Z")
    compared(world.owner, holds(), now=later)
    assert (told("on call"), told("new")) == ([], [("mx1/auth", "opened")])
    assert Alert.objects.get().closed is None
