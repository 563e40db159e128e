"""Proposals are decided once, by who may, through the ordinary services."""

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from mailmum.control.alerts.report import report
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.listings.undo import undo
from mailmum.control.suggestions.ideas import Idea, ideas
from mailmum.control.suggestions.inbox import (
    HISTORY,
    accept,
    dismiss,
    open_suggestions,
    put,
    thinking,
    waiting,
)
from mailmum.control.suggestions.models import Suggestion
from mailmum.domain.errors import Conflict, NotFound, SeveralRefused
from mailmum.domain.listings import Action
from mailmum.traffic.periods import DAY
from tests.control.monitor.kit import Traffic
from tests.support.world import World

CLIENT = "203.0.113.7"


def proposed(world: World, now: float, kind: str = "block", **more: Any) -> int:
    """The number of a proposal that was put in."""
    idea = Idea(**{"kind": kind, "target": CLIENT, "text": "turned away", "weight": 5, **more})
    put(world.owner.account, [idea], now=now)
    return Suggestion.objects.get(kind=kind, target=idea.target).pk


def listing(world: World) -> Version:
    """The one listing of the owner."""
    return current(world.owner).get()


def test_the_inbox_follows_what_speaks_for_it(world: World, traffic: Traffic) -> None:
    """Once each; numbers are refreshed; what no longer holds goes."""
    first = proposed(world, traffic.now)
    again = proposed(world, traffic.now + 3600, text="turned away more", weight=9)
    assert first == again
    assert Suggestion.objects.get().text == "turned away more"
    assert waiting(world.owner) == 1
    assert waiting(world.outsider) == 0
    assert put(world.owner.account, [], now=traffic.now) == 0
    assert not Suggestion.objects.exists()


def test_one_target_listed_twice(world: World, traffic: Traffic) -> None:
    """For all servers and for one: two proposals, which say where, and are decided one by one."""
    traffic.listed(Action.BLOCK, CLIENT)
    traffic.listed(Action.BLOCK, CLIENT, server="mx1")
    Version.objects.update(changed=datetime.fromtimestamp(traffic.now - 200 * DAY, UTC))
    for new in (2, 0):
        found = ideas(world.owner, now=traffic.now)
        assert put(world.owner.account, found, now=traffic.now) == new
    everywhere, here = open_suggestions(world.owner).order_by("scope")
    assert everywhere.text == "it has decided nothing in 90 days"
    assert here.text == "at mx1 it has decided nothing in 90 days"
    dismiss(world.owner, everywhere.pk, now=traffic.now)
    put(world.owner.account, ideas(world.owner, now=traffic.now), now=traffic.now)
    assert [one.pk for one in open_suggestions(world.owner)] == [here.pk]
    accept(world.owner, here.pk, now=traffic.now)
    assert listing(world).scope == 0


def test_where_earlier_proposals_hold(world: World, traffic: Traffic) -> None:
    """An upgrade finds it in their evidence; what is about no listing has none."""
    earlier = [
        Idea("drop", CLIENT, "", {"days": 90, "age": 99, "scope": 7}),
        Idea("block", CLIENT, "", {"stopped": 24}),
    ]
    put(world.owner.account, earlier, now=traffic.now)
    import_module("mailmum.control.suggestions.migrations.0002_scope").scopes(apps, None)
    found = Suggestion.objects.order_by("kind").values_list("kind", "scope")
    assert list(found) == [("block", 0), ("drop", 7)]


def test_accepting_a_block(world: World, traffic: Traffic) -> None:
    """Makes an ordinary listing with an end, journaled as who accepted; once."""
    number = proposed(world, traffic.now)
    result = accept(world.admin, number, now=traffic.now)
    one = listing(world)
    assert (one.action, one.target, one.source) == ("block", CLIENT, "person")
    assert one.expires == pytest.approx(traffic.now + 30 * DAY, abs=2)
    assert (one.reason, one.note) == ("", "suggested: turned away")
    assert result.change is not None
    record = Record.objects.get(seq=result.change)
    assert (record.what, record.actor) == ("listing.block", "admin@example.net")
    with pytest.raises(NotFound):
        accept(world.owner, number, now=traffic.now)
    assert Suggestion.objects.get().decided_by == "admin@example.net"


def test_accepting_the_others(world: World, traffic: Traffic) -> None:
    """Allow has no end; a listing gets an end, or goes."""
    accept(world.owner, proposed(world, traffic.now, "allow"), now=traffic.now)
    assert (listing(world).action, listing(world).expires) == ("allow", None)
    traffic.listed(Action.BLOCK, CLIENT)
    number = listing(world).number
    accept(world.owner, proposed(world, traffic.now, "shorten", listing=number), now=traffic.now)
    assert listing(world).expires == pytest.approx(traffic.now + 30 * DAY, abs=2)
    accept(world.owner, proposed(world, traffic.now, "drop", listing=number), now=traffic.now)
    assert not current(world.owner).exists()
    missing = proposed(world, traffic.now, "drop", listing=number, target="203.0.113.9")
    with pytest.raises(NotFound):
        accept(world.owner, missing, now=traffic.now)
    assert Suggestion.objects.get(target="203.0.113.9").state == "open"


def test_what_would_hit_mail_by_now(world: World, traffic: Traffic) -> None:
    """Is refused: since it was proposed somebody delivered."""
    number = proposed(world, traffic.now, "widen", target="203.0.113.0/24")
    traffic.log(*traffic.mail("203.0.113.9", 2, "a.example"))
    with pytest.raises(Conflict, match=r"mail from 203\.0\.113\.0/24 was accepted \(2\)"):
        accept(world.owner, number, now=traffic.now)
    traffic.listed(Action.ALLOW, "203.0.113.9")
    accept(world.owner, number, now=traffic.now)
    assert current(world.owner).filter(target="203.0.113.0/24", action="block").exists()


def test_guards_hold(world: World, traffic: Traffic) -> None:
    """As for any other listing; then the proposal waits on."""
    number = proposed(world, traffic.now, target="192.0.2.25")
    with pytest.raises(SeveralRefused):
        accept(world.owner, number, now=traffic.now)
    assert waiting(world.owner) == 1
    assert not current(world.owner).exists()


def test_a_dismissed_network_stays_away_wider_and_narrower(world: World, traffic: Traffic) -> None:
    """One client more or less moves its edges; another network, and a client in it, are others."""
    number = proposed(world, traffic.now, "widen", target="203.0.113.0/29")
    dismiss(world.admin, number, now=traffic.now)
    targets = ("203.0.113.0/28", "203.0.113.4/30", "203.0.113.8/29", "2001:db8::/125")
    found = [Idea("widen", target, "turned away") for target in targets]
    assert put(world.owner.account, [*found, Idea("block", CLIENT, "x")], now=traffic.now) == 3
    waits = open_suggestions(world.owner).values_list("target", flat=True)
    assert set(waits) == {"203.0.113.8/29", "2001:db8::/125", CLIENT}


def test_what_was_dismissed_stays_away(world: World, traffic: Traffic) -> None:
    """Whatever speaks for it; another kind for the same target is another proposal."""
    number = proposed(world, traffic.now)
    dismiss(world.admin, number, now=traffic.now)
    assert Record.objects.get(what="suggestion.dismiss").summary == f"suggestion to block {CLIENT}"
    proposed(world, traffic.now + 3600, weight=10**6)
    put(world.owner.account, [], now=traffic.now + 7200)
    assert list(open_suggestions(world.owner)) == []
    proposed(world, traffic.now + 9000, "allow")
    assert waiting(world.owner) == 1
    with pytest.raises(NotFound):
        dismiss(world.owner, number, now=traffic.now)


def test_a_dismissal_is_undone_and_done_again(world: World, traffic: Traffic) -> None:
    """It waits again for who may decide; what has gone meanwhile does not come back."""
    number = proposed(world, traffic.now)
    _, made = dismiss(world.admin, number, now=traffic.now)
    with pytest.raises(NotFound):
        undo(world.outsider, made.seq)
    undone = undo(world.owner, made.seq)
    one = open_suggestions(world.owner).get()
    assert (one.pk, one.decided, one.decided_by) == (number, None, "")
    again = undo(world.owner, undone.seq)
    one = Suggestion.objects.get()
    assert (one.state, one.decided_by) == ("dismissed", world.owner.actor.name)
    back = undo(world.owner, again.seq)
    put(world.owner.account, [], now=traffic.now)
    with pytest.raises(Conflict, match="is gone, or has been decided"):
        undo(world.owner, back.seq)


def test_what_was_accepted_may_come_again(world: World, traffic: Traffic) -> None:
    """When the listing has ended and what speaks for it has not; old decisions are forgotten."""
    accept(world.owner, proposed(world, traffic.now), now=traffic.now)
    put(world.owner.account, [Idea("block", CLIENT, "again")], now=traffic.now + 40 * DAY)
    assert waiting(world.owner) == 1
    list(thinking(traffic.now + HISTORY + DAY))
    assert not Suggestion.objects.filter(state="accepted").exists()


def test_nobody_elses(world: World, traffic: Traffic) -> None:
    """An outsider neither accepts nor dismisses."""
    number = proposed(world, traffic.now)
    for decide in (accept, dismiss):
        with pytest.raises(NotFound):
            decide(world.outsider, number, now=traffic.now)
    assert waiting(world.owner) == 1
    assert not Version.objects.exists()


def test_the_report_names_them(world: World, traffic: Traffic) -> None:
    """As something to review."""
    proposed(world, traffic.now)
    review = next(one for one in report(world.owner).sections if one.title == "To review")
    assert ("Suggestion: block it for 30 days", CLIENT, "turned away") in review.rows
