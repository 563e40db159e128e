"""The table's filters, stale listings, and changing what is chosen."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import current
from mailmum.control.monitor import hits
from mailmum.control.servers.services import add_server
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import Traffic, traffic
from tests.support.world import World
from tests.web.conftest import Response, Visitors, text_of, undo_address
from tests.web.test_listings import ALLOW, BLOCK, listed, shown

__all__ = ["traffic"]

DAY = 86_400


@pytest.fixture
def many(world: World) -> list[int]:
    """More than a page of them; their numbers."""
    add_server(world.admin, "mx1")
    listed(world, BLOCK, [f"203.0.113.{last}" for last in range(60)], reason="spam")
    listed(world, ALLOW, ["192.0.2.25"], "mx1")
    return [one.number for one in current(world.viewer).order_by("number")]


def asked(site: Visitors, numbers: list[int], **more: str) -> Response:
    """The form to change what is chosen."""
    return site.admin.post("listings-bulk", {"number": numbers, **more})


def reasons(world: World) -> dict[str, int]:
    """How many listings say what."""
    found: dict[str, int] = {}
    for one in current(world.viewer):
        found[one.reason] = found.get(one.reason, 0) + 1
    return found


def test_chips(site: Visitors, many: list[int]) -> None:
    """Choose by action and source, with counts; several sources together; none means all."""
    del many
    Version.objects.filter(target="203.0.113.1").update(source="feed", origin="A list")
    Version.objects.filter(target="203.0.113.2").update(source="trigger", origin="Busy")
    Version.objects.filter(target="203.0.113.3").update(enabled=False)
    text = text_of(site.viewer.get("listings"))
    assert "Block 60 Allow 1 People 59 Triggers 1 Feeds 1" in text
    assert "Switched off 1" in text
    both = site.viewer.get("listings", query={"source": ["feed", "trigger"]})
    assert shown(both) == ["203.0.113.2", "203.0.113.1"]
    assert shown(site.viewer.get("listings", query={"state": "off"})) == ["203.0.113.3"]
    assert shown(site.viewer.get("listings", query={"action": ["allow"]})) == ["192.0.2.25"]
    every = site.viewer.get("listings", query={"action": ["allow", "block"]})
    assert every.context["page"].total == 61
    Version.objects.filter(target="203.0.113.4").update(created=datetime(2020, 1, 1, tzinfo=UTC))
    assert shown(site.viewer.get("listings", query={"older": "30"})) == ["203.0.113.4"]


def test_hits_and_stale_ones(site: Visitors, traffic: Traffic) -> None:
    """Each row says how often it decided; those without a hit can be reviewed."""
    traffic.listed(Action.BLOCK, "203.0.113.7", "203.0.113.8")
    traffic.asked("203.0.113.7", Outcome.LISTED, 12)
    response = site.viewer.get("listings")
    hits = {row.version.target: row.hits.count for row in response.context["rows"]}
    assert hits == {"203.0.113.7": 12, "203.0.113.8": 0}
    assert "today" in text_of(response)
    assert "Nobody made a listing" in text_of(site.viewer.get("listings", query={"idle": "30"}))
    long_ago = datetime.fromtimestamp(traffic.now - 60 * DAY, UTC)
    Version.objects.update(changed=long_ago)
    stale = site.viewer.get("listings", query={"idle": "30"})
    assert shown(stale) == ["203.0.113.8"]
    assert "1 listing of 2 looked at" in text_of(stale)
    assert "Remove" not in text_of(stale)
    assert "Remove" in text_of(site.admin.get("listings", query={"idle": "30"}))
    other = traffic.world.outsider.account.pk
    assert "Nothing is listed yet" in text_of(
        site.outsider.client.get(f"/a/{other}/listings/?idle=30")
    )


def test_all_stale_ones_at_once(site: Visitors, traffic: Traffic) -> None:
    """On further pages too, but none that had a hit, nor what the text does not fit."""
    traffic.listed(Action.BLOCK, *(f"203.0.113.{last}" for last in range(70)), "192.0.2.7")
    traffic.asked("203.0.113.7", Outcome.LISTED, 12)
    Version.objects.update(changed=datetime.fromtimestamp(traffic.now - 60 * DAY, UTC))
    within = {"idle": "30", "q": "203.0.113.0/24"}
    page = site.admin.get("listings", query=within)
    assert "All without a hit" in text_of(page)
    assert "All without a hit" not in text_of(site.admin.get("listings", query={"idle": "400"}))
    given = {"all": "1", "match": urlencode(within)}
    asked = site.admin.post("listings-bulk", given)
    assert "Change 69 listings" in text_of(asked)
    numbers = list(asked.context["numbers"])
    done = {"number": numbers, "expected": "69", "do": "remove"}
    assert "Removed 69 listings." in text_of(site.admin.post("listings-bulk", done))
    left = current(traffic.world.viewer).order_by("target")
    assert [one.target for one in left] == ["192.0.2.7", "203.0.113.7"]


def test_what_could_not_be_counted_is_not_stale(
    site: Visitors, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading broke off nobody knows."""
    monkeypatch.setattr(hits, "BUDGET", 0)
    traffic.listed(Action.BLOCK, "203.0.113.0/24")
    traffic.asked("203.0.113.7", Outcome.LISTED, 12)
    Version.objects.update(changed=datetime.fromtimestamp(traffic.now - 60 * DAY, UTC))
    assert shown(site.admin.get("listings", query={"idle": "30"})) == []


def test_traffic_that_is_away(
    site: Visitors, many: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table stands without its hits."""
    del many
    monkeypatch.setattr("mailmum.web.views.listings.tolerant", lambda _, otherwise: otherwise)
    response = site.viewer.get("listings")
    assert len(shown(response)) == 50
    assert "not known just now" in response.content.decode()


def test_chosen_ones(site: Visitors, world: World, many: list[int]) -> None:
    """How many and whom first; then the change, with undo in the answer."""
    response = asked(site, many[:3])
    text = text_of(response)
    assert "Change 3 listings" in text
    assert "They hold on all servers (3)." in text
    assert reasons(world) == {"spam": 60, "": 1}
    more = {"do": "change", "expected": "3", "for": "7d", "reason": "looked at"}
    done = asked(site, many[:3], **more)
    assert "Changed 3 listings." in text_of(done)
    assert reasons(world) == {"spam": 57, "": 1, "looked at": 3}
    ends = {one.expires is None for one in current(world.viewer).filter(reason="looked at")}
    assert ends == {False}
    site.admin.client.post(undo_address(done))
    assert reasons(world) == {"spam": 60, "": 1}


def test_all_that_fit(site: Visitors, world: World, many: list[int]) -> None:
    """Of more than one page; what is listed meanwhile stays as it is."""
    choice = {"all": "1", "match": "action=block", "number": [many[0]]}
    response = site.admin.post("listings-bulk", choice)
    found = response.context["found"]
    assert (found.total, found.actions) == (60, {"block": 60})
    listed(world, BLOCK, ["203.0.113.200"], reason="later")
    send = choice | {"do": "change", "expected": "60", "upto": str(found.upto), "for": "keep"}
    done = site.admin.post("listings-bulk", send | {"reason": "all", "server": "mx1"})
    assert "Changed 60 listings." in text_of(done)
    assert reasons(world) == {"all": 60, "": 1, "later": 1}
    assert current(world.viewer).filter(scope=0).count() == 1


def test_another_count_by_now(site: Visitors, world: World, many: list[int]) -> None:
    """Nothing is done, and what is there now is shown."""
    send = {"all": "1", "match": "", "do": "remove", "expected": "60", "upto": str(many[-1])}
    response = site.admin.post("listings-bulk", send)
    assert "61 are chosen by now, not 60" in text_of(response)
    assert response.context["found"].total == 61
    assert len(current(world.viewer)) == 61


def test_removing_all_asks_first(site: Visitors, world: World, many: list[int]) -> None:
    """The button of the table that removes what is ticked shows all that fit first."""
    choice: dict[str, Any] = {"all": "1", "match": "", "number": many[:2]}
    response = site.admin.post("listings-remove", choice)
    assert "Change 61 listings" in text_of(response)
    assert len(current(world.viewer)) == 61
    upto = str(response.context["found"].upto)
    done = site.admin.post(
        "listings-bulk", choice | {"do": "remove", "expected": "61", "upto": upto}
    )
    assert "Removed 61 listings." in text_of(done)
    assert not current(world.viewer)
    site.admin.client.post(undo_address(done))
    assert len(current(world.viewer)) == 61


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({}, "nothing to change was given"),
        ({"code": "1.2.3.4"}, "127.0.0.0/8"),
        ({"for": "other", "other": "soon"}, "soon"),
        ({"for": "other"}, "the lifetime is empty"),
        ({"server": "gone"}, "there is no server gone"),
    ],
)
def test_what_cannot_be_done(
    site: Visitors, world: World, many: list[int], more: dict[str, str], fault: str
) -> None:
    """The form says why and keeps what was typed."""
    response = asked(
        site, many[:2], **({"do": "change", "expected": "2", "for": "keep", "note": ""} | more)
    )
    assert fault in text_of(response)
    assert reasons(world) == {"spam": 60, "": 1}


def test_nothing_chosen(site: Visitors, many: list[int]) -> None:
    """Neither numbers of others nor nonsense choose anything."""
    del many
    for numbers in ([], ["x", "9" * 30, "-1"], [10**9]):
        response = site.admin.post("listings-bulk", {"number": numbers})
        assert "Nothing was chosen, so nothing was changed." in text_of(response)


def test_who_may(site: Visitors, world: World, many: list[int]) -> None:
    """Neither a viewer nor an outsider; and an outsider cannot choose another's at home."""
    send = {"number": many, "do": "remove", "expected": "61"}
    assert site.viewer.post("listings-bulk", send).status_code == 403
    assert site.outsider.post("listings-bulk", send).status_code == 404
    other = world.outsider.account.pk
    home = site.outsider.client.post(f"/a/{other}/listings/bulk/", send, follow=True)
    assert "0 are chosen by now" in text_of(home) or "Nothing was chosen" in text_of(home)
    assert len(current(world.viewer)) == 61
