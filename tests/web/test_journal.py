"""The journal in the browser."""

import re
from typing import Any

import pytest

from mailmum.control.accounts.models import Role
from mailmum.control.accounts.services import Told, set_parameters, set_role
from mailmum.control.journal.models import Record
from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.queries import current
from mailmum.control.listings.services import list_targets
from mailmum.control.listings.undo import undo
from mailmum.control.servers.services import add_server, edit_server, rotate_key
from mailmum.control.triggers.evidence import evidence_in
from mailmum.domain.listings import Action
from tests.control.triggers.kit import Scene, scene
from tests.support.world import World
from tests.web.conftest import Visitors, text_of

__all__ = ["scene"]


def listed(world: World, action: Action, *targets: str, **more: Any) -> int:
    """List something; the number of the change."""
    result = list_targets(world.admin, targets, make_wish(action, now=0, **more))
    assert result.change is not None
    return result.change


def test_who_changed_what(site: Visitors, world: World) -> None:
    """Newest first, with what was different before."""
    add_server(world.admin, "mx1")
    edit_server(world.admin, "mx1", new_name="mx2", addresses=["192.0.2.25"])
    rotate_key(world.admin, "mx2")
    listed(world, Action.BLOCK, "203.0.113.7", reason="spam", lifetime="1d")
    listed(world, Action.BLOCK, "203.0.113.7", reason="more spam", lifetime="")
    listed(world, Action.ALLOW, "203.0.113.7")
    set_parameters(world.owner, ttl=30, code=None, key_keep=3600, told=Told(contact=""))
    set_role(world.owner, "viewer@example.net", Role.ADMIN)
    text = text_of(site.viewer.get("journal"))
    told = [
        "owner@example.net changed people: viewer@example.net is admin, was viewer",
        "owner@example.net changed the parameters of the account",
        "TTL: 60 → 30",
        "old keys live on: 7 days → 1 h",
        "admin@example.net allowed 203.0.113.7",
        "action: block → allow",
        "reason: more spam → none",
        "reason: spam → more spam",
        "admin@example.net blocked 203.0.113.7",
        "reason: spam",
        "admin@example.net made a new key for server mx2",
        "admin@example.net changed server mx1 is now mx2",
        "own addresses: none → 192.0.2.25",
        "admin@example.net added server mx1",
    ]
    place = 0
    for line in told:
        place = text.find(line, place)
        assert place >= 0, line
    assert "outsider" not in text


def test_a_change_of_many_names_them(site: Visitors, world: World) -> None:
    """In a part to open, as far as the journal tells them."""
    listed(world, Action.BLOCK, *(f"198.51.100.{i}" for i in range(120)))
    text = text_of(site.viewer.get("journal"))
    assert (
        "198.51.100.0, 198.51.100.1, 198.51.100.2, 198.51.100.3, 198.51.100.4 and 115 more" in text
    )
    assert "120 listings" in text
    assert "198.51.100.99 and 20 more" in text


def test_only_a_target_or_a_server(site: Visitors, world: World) -> None:
    """As the address says; unknown ones find nothing or are left out."""
    add_server(world.admin, "mx1")
    listed(world, Action.BLOCK, "203.0.113.7", ".spam.example")
    listed(world, Action.BLOCK, "203.0.113.8")

    def count(**query: str) -> int:
        return len(site.viewer.get("journal", query=query).context["rows"])

    assert count(target="203.0.113.7") == 1
    assert count(target=" .SPAM.example ") == 1
    assert count(target="203.0.113.9") == 0
    assert count(server="mx1") == 1
    assert count(server="nowhere") == count()
    assert "No listing of exactly 203.0.113.9" in text_of(
        site.viewer.get("journal", query={"target": "203.0.113.9"})
    )
    assert "control character" in text_of(site.viewer.get("journal", query={"target": "a\x00"}))


def test_pages_of_a_long_journal(site: Visitors, world: World) -> None:
    """Each change once, and the filter stays."""
    add_server(world.admin, "mx1")
    for i in range(60):
        edit_server(world.admin, "mx1", addresses=[f"192.0.2.{i}"])
    first = site.viewer.get("journal", query={"server": "mx1"})
    assert "1 to 50 of 61" in text_of(first)
    address = first.context["next_query"]
    assert address.startswith("server=mx1&before=")
    second = site.viewer.client.get(f"{site.viewer.path('journal')}?{address}")
    assert "51 to 61 of 61" in text_of(second)
    numbers = [row.seq for page in (first, second) for row in page.context["rows"]]
    assert len(set(numbers)) == 61


def test_undo_and_undo_of_that(site: Visitors, world: World) -> None:
    """Each is a change of its own; the first tells by which it was undone."""
    seq = listed(world, Action.BLOCK, "203.0.113.7", "203.0.113.8")
    here = site.admin.path("journal")
    response = site.admin.post("undo", {"next": here}, seq=seq)
    assert response.redirect_chain[-1][0] == here
    assert not current(world.admin).exists()
    assert f"Undid {seq}: 203.0.113.7, 203.0.113.8." in text_of(response)
    assert f"undone by {seq + 1}" in text_of(response)
    site.admin.post("undo", {}, seq=seq + 1)
    assert current(world.admin).count() == 2


def test_what_cannot_be_undone_says_why(site: Visitors, world: World) -> None:
    """Done already, a later change in the way, a kind that is not undone: nothing changes."""
    seq = listed(world, Action.BLOCK, "203.0.113.7", reason="spam")
    later = listed(world, Action.BLOCK, "203.0.113.7", reason="more")
    blocked = site.admin.post("undo", {}, seq=seq)
    assert f"has been changed since by change {later}; undo change {later} first" in text_of(
        blocked
    )
    site.admin.post("undo", {}, seq=later)
    assert f"was undone by change {later + 1} already" in text_of(
        site.admin.post("undo", {}, seq=later)
    )
    assert "cannot be undone: an account is not undone" in text_of(
        site.admin.post("undo", {}, seq=1)
    )
    assert "no change 98765" in text_of(site.admin.post("undo", {}, seq=98765))


def test_undoing_from_the_page_of_a_listing(site: Visitors, world: World) -> None:
    """One stays there as long as it is there."""
    made = listed(world, Action.BLOCK, "203.0.113.7", reason="spam")
    here = site.admin.path("listing", number=current(world.admin).get().number)
    gone = site.admin.post("undo", {"next": here}, seq=made)
    assert gone.redirect_chain[-1][0] == site.admin.path("listings")
    assert "Undid " in text_of(gone)
    site.admin.post("undo", {}, seq=made + 1)
    edited = listed(world, Action.BLOCK, "203.0.113.7", reason="more")
    stays = site.admin.post("undo", {"next": here}, seq=edited)
    assert stays.redirect_chain[-1] == (here, 302)


@pytest.mark.parametrize("who", ["admin", "viewer"])
def test_the_button_is_there_for_those_who_may(site: Visitors, world: World, who: str) -> None:
    """And only on changes that can be undone."""
    seq = listed(world, Action.BLOCK, "203.0.113.7")
    rotate = add_server(world.admin, "mx1")
    rotate_key(world.admin, rotate.name)
    visitor = getattr(site, who)
    page = visitor.get("journal").content.decode()
    assert (visitor.path("undo", seq=seq) in page) == (who == "admin")
    assert visitor.path("undo", seq=seq + 2) not in page


def test_filters(site: Visitors, world: World) -> None:
    """By who, by kind and by time, together; what cannot be understood is said."""
    add_server(world.owner, "mx1")
    first = listed(world, Action.BLOCK, "203.0.113.7")
    undo(world.owner, first)

    def kinds(**query: str) -> list[str]:
        response = site.viewer.get("journal", query=query)
        return [row.verb or "undid" for row in response.context["rows"]]

    assert kinds(kind="listings") == ["blocked"]
    assert kinds(kind="undone") == ["undid"]
    assert kinds(kind="servers") == ["added"]
    assert kinds(who="ADMIN@", kind="listings") == ["blocked"]
    assert kinds(who="owner@", kind="listings") == []
    assert kinds(who="%") == []
    assert kinds(kind="servers", since="2h") == ["added"]
    assert kinds(since="2100-01-01") == []
    assert kinds(until="2020-01-01") == []
    assert kinds(kind="nonsense") == kinds()
    assert kinds(target="203.0.113.7/32", kind="undone") == ["undid"]
    faulty = text_of(site.viewer.get("journal", query={"since": "whenever"}))
    assert "whenever" in faulty
    other = world.outsider.account.pk
    home = site.outsider.client.get(f"/a/{other}/journal/?who=admin")
    assert home.context["rows"] == []


def test_more_than_a_page_keeps_its_filter(site: Visitors, world: World) -> None:
    """The link to what follows carries all of it."""
    for number in range(51):
        listed(world, Action.BLOCK, f"203.0.113.{number}")
    response = site.viewer.get("journal", query={"kind": "listings", "who": "admin"})
    assert len(response.context["rows"]) == 50

    assert "who=admin&kind=listings&before=" in response.context["next_query"]


def test_many_targets_are_told_as_people_write_numbers(site: Visitors, world: World) -> None:
    """The first few, and how many more."""
    listed(world, Action.BLOCK, *(f"198.51.{at // 250}.{at % 250}" for at in range(1005)))
    assert "198.51.0.4 and 1,000 more" in text_of(site.viewer.get("journal"))


def test_the_journal_shows_evidence_of_some_and_reads_no_more(site: Visitors, scene: Scene) -> None:
    """Of a change with many listings: it says of how many, and the page stays short."""
    scene.trigger("mine", threshold=1)
    for last in range(12):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    page = site.viewer.get("journal", query={"kind": "triggers"})
    assert "12 listings" in text_of(page)
    assert text_of(page).count("Evidence of 10 of them") == 1
    assert len(re.findall("Look at them", text_of(page))) == 10
    record = Record.objects.get(what="listing.trigger")
    assert len(evidence_in(scene.world.viewer, [record], 10)[record.seq]) == 10
    assert len(evidence_in(scene.world.viewer, [record])[record.seq]) == 12
