"""The panic switch in the pages: said on every page, one button ends it."""

import time

import pytest

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import pause, pauses_of
from mailmum.control.servers.services import add_server
from mailmum.domain.listings import Action
from tests.support.world import World
from tests.web.conftest import Visitors, text_of, undo_address


@pytest.fixture
def mx1(world: World) -> Server:
    """A server with something blocked."""
    list_targets(world.admin, ["203.0.113.7"], make_wish(Action.BLOCK, now=0))
    return add_server(world.admin, "mx1")


@pytest.mark.usefixtures("mx1")
def test_the_page_says_what_stops_blocking(site: Visitors) -> None:
    """Before the button."""
    whole = text_of(site.admin.get("pause"))
    assert "1 listing that blocks in this account stops doing so." in whole
    assert "1 listing that blocks on mx1" in text_of(site.admin.get("server-pause", name="mx1"))


@pytest.mark.usefixtures("mx1")
def test_pausing_the_account_undo_and_resume(site: Visitors, world: World) -> None:
    """Every page tells it to everybody of the account; viewers get no button."""
    done = site.admin.post("pause", {"length": "1h"})
    assert "Paused: nothing is blocked now." in text_of(done)
    (found,) = pauses_of(world.viewer, time.time())
    assert found.until is not None
    assert 3590 < found.until - time.time() <= 3601
    for page in ("account", "listings", "journal", "settings"):
        seen = site.viewer.get(page)
        assert "Blocking is paused until 20" in text_of(seen)
        assert site.viewer.path("resume") not in seen.content.decode()
    site.admin.client.post(undo_address(done), {})
    assert pauses_of(world.viewer, time.time()) == []
    site.admin.post("pause", {"length": ""})
    assert "until somebody resumes it" in text_of(site.admin.get("servers"))
    ended = site.admin.post("resume", {"next": site.admin.path("journal")})
    assert ended.redirect_chain[-1][0] == site.admin.path("journal")
    assert "Resumed: listings block again." in text_of(ended)
    assert "paused all blocking of the account" in text_of(ended)


@pytest.mark.usefixtures("mx1")
def test_a_server_alone(site: Visitors, world: World) -> None:
    """The list marks it, the verdict names it as the reason and the listing that would block."""
    add_server(world.admin, "mx2")
    done = site.admin.post("server-pause", {"length": "other", "other": "2d"}, name="mx1")
    assert done.redirect_chain[-1][0] == site.admin.path("server", name="mx1")
    assert site.admin.path("server-pause", name="mx1") not in done.content.decode()
    assert text_of(site.viewer.get("servers")).count(" paused ") == 2
    verdict = text_of(site.viewer.get("client", query={"q": "203.0.113.7"}))
    assert "mx1 None Blocking is paused on mx1 until" in verdict
    assert "Overruled: 203.0.113.7 blocked by admin@example.net ; blocking is paused" in verdict
    assert "mx2 Block 203.0.113.7" in verdict
    again = site.admin.post("server-resume", {}, name="mx1")
    assert "Resumed: listings block on mx1 again." in text_of(again)
    assert "was not paused on mx1" in text_of(site.admin.post("server-resume", {}, name="mx1"))


@pytest.mark.parametrize(
    ("other", "says"),
    [("", "no time is given"), ("soon", "is no length of time"), ("500d", "within a year")],
)
@pytest.mark.usefixtures("mx1")
def test_a_time_that_makes_no_sense(site: Visitors, world: World, other: str, says: str) -> None:
    """Beside the field, with what was typed still in it; nothing is paused."""
    page = site.admin.post("pause", {"length": "other", "other": other})
    assert says in text_of(page)
    assert f'value="{other}"' in page.content.decode()
    assert 'aria-describedby="f-other-e"' in page.content.decode()
    assert pauses_of(world.viewer, time.time()) == []


@pytest.mark.usefixtures("mx1")
def test_who_may_only_look_cannot_pause(site: Visitors) -> None:
    """No way in the pages, and none past them."""
    assert site.viewer.path("pause") not in site.viewer.get("servers").content.decode()
    assert site.viewer.post("pause", {"length": "1h"}).status_code == 403
    assert site.outsider.post("pause", {"length": "1h"}).status_code == 404


def test_a_public_page_does_not_tell(site: Visitors, world: World, mx1: Server) -> None:
    """A stranger reads that nothing is refused, which is so; not why."""
    assert "is refused here" in text_of(site.nobody.client.get(f"/why/{mx1.ref}/203.0.113.7"))
    pause(world.admin)
    page = site.nobody.client.get(f"/why/{mx1.ref}/203.0.113.7")
    assert "is not refused here" in text_of(page)
    assert "paused" not in page.content.decode()
