"""The inbox in pages without script."""

from mailmum.control.listings.queries import current
from mailmum.control.suggestions.ideas import Idea
from mailmum.control.suggestions.inbox import put
from mailmum.control.suggestions.models import Suggestion
from tests.control.alerts.kit import NOW
from tests.control.monitor.kit import Traffic, traffic
from tests.support.world import World
from tests.web.conftest import Visitors, text_of, undo_address

__all__ = ["traffic"]


def test_accept_and_undo(site: Visitors, world: World) -> None:
    """One click makes the listing, one takes it back."""
    put(world.owner.account, [Idea("block", "203.0.113.7", "<b>why</b>", {}, 5)], now=NOW)
    number = Suggestion.objects.get().pk
    page = site.viewer.get("suggestions")
    assert "<b>why" not in page.content.decode()
    assert "203.0.113.7" in text_of(page)
    assert "Accept" not in text_of(page).replace("Accepting", "")
    assert "Suggestions 1" in text_of(page)
    page = site.admin.post("suggestion-accept", {}, number=number)
    assert "Done." in text_of(page)
    assert current(world.owner).get().target == "203.0.113.7"
    site.admin.client.post(undo_address(page), follow=True)
    assert not current(world.owner).exists()
    assert "Nothing is suggested" in text_of(site.viewer.get("suggestions"))


def test_dismiss(site: Visitors, world: World) -> None:
    """It stays away."""
    put(world.owner.account, [Idea("allow", "203.0.113.7", "why", {}, 5)], now=NOW)
    number = Suggestion.objects.get().pk
    page = site.admin.post("suggestion-dismiss", {}, number=number)
    assert "203.0.113.7 will not be suggested again." in text_of(page)
    assert "dismissed the suggestion to allow 203.0.113.7" in text_of(site.viewer.get("journal"))
    assert site.admin.post("suggestion-dismiss", {}, number=number).status_code == 404
    site.admin.client.post(undo_address(page), follow=True)
    assert Suggestion.objects.get().state == "open"


def test_what_is_refused_by_now(site: Visitors, world: World, traffic: Traffic) -> None:
    """Says why, and it waits on."""
    put(world.owner.account, [Idea("block", "203.0.113.7", "why", {}, 5)], now=NOW)
    traffic.log(*traffic.mail("203.0.113.7", 1, "a.example"))
    page = site.admin.post("suggestion-accept", {}, number=Suggestion.objects.get().pk)
    assert (
        "Nothing was changed: since this was suggested mail from 203.0.113.7 was accepted (1)"
        in text_of(page)
    )
    assert "203.0.113.7" in text_of(site.viewer.get("suggestions"))


def test_all_kinds(site: Visitors, world: World) -> None:
    """Each with what accepting does; those about a listing lead to it."""
    found = [
        Idea(kind, f"203.0.113.{at}", "why", {}, 5, at if kind in ("drop", "shorten") else None)
        for at, kind in enumerate(("block", "widen", "allow", "shorten", "drop"), start=1)
    ]
    put(world.owner.account, found, now=NOW)
    page = site.viewer.get("suggestions")
    for words in ("block it for 30 days", "allow it", "remove the listing", "let the listing end"):
        assert words in text_of(page)
    assert f"/a/{world.owner.account.pk}/listings/5/" in page.content.decode()
