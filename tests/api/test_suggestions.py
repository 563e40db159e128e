"""Suggestions over the API: for whom, and with what in them."""

import pytest

from mailmum.control.suggestions.ideas import Idea
from mailmum.control.suggestions.inbox import put
from mailmum.control.suggestions.models import Suggestion
from tests.api.conftest import Callers
from tests.support.world import World

NOW = 1_795_777_380.0


@pytest.fixture
def number(world: World) -> int:
    """A proposal."""
    put(world.owner.account, [Idea("block", "203.0.113.7", "why", {"stopped": 24}, 5)], now=NOW)
    return Suggestion.objects.get().pk


def test_from_a_proposal_to_a_listing(api: Callers, number: int) -> None:
    """With what it does, why, and the change that came of it."""
    [one] = api.viewer("GET", "/suggestions")[1]["suggestions"]
    assert (one["id"], one["does"], one["evidence"]) == (
        number,
        "block it for 30 days",
        {"stopped": 24},
    )
    status, done = api.admin("POST", f"/suggestions/{number}/accept")
    assert (status, done["change"] > 0) == (200, True)
    assert api.viewer("GET", "/suggestions")[1]["suggestions"] == []
    assert api.viewer("GET", "/explain", client="203.0.113.7")[1]["verdict"] == "block"
    assert api.admin("POST", f"/suggestions/{number}/accept")[0] == 404


def test_dismissing(api: Callers, number: int) -> None:
    """It is told among those that were dismissed."""
    assert api.admin("POST", f"/suggestions/{number}/dismiss")[1]["decided_by"] == (
        "admin@example.net"
    )
    told = api.viewer("GET", "/suggestions", dismissed="true")[1]["suggestions"]
    assert [one["id"] for one in told] == [number]


@pytest.mark.parametrize("what", ["accept", "dismiss"])
def test_who_may_not(api: Callers, number: int, what: str) -> None:
    """Viewers and tokens that read; for an outsider there is none."""
    path = f"/suggestions/{number}/{what}"
    for who in (api.viewer, api.reader):
        assert who("POST", path)[0] == 403
    assert api.outsider("POST", path)[0] == 404
    assert api.nobody("POST", path)[0] == 401
    assert api.outsider("GET", "/suggestions")[1]["suggestions"] == []
    assert Suggestion.objects.get().state == "open"
