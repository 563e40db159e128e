"""Triggers over the API: what people write comes back, and what was decided is explained."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from mailmum.control.triggers.models import Trigger
from tests.api.conftest import Callers
from tests.control.triggers.kit import CLIENT, Scene, scene

__all__ = ["scene"]

RULE = {"metric": "unknown-recipients", "threshold": 3, "window": "10m"}


def _tried(api: Callers, body: dict[str, Any]) -> list[dict[str, Any]]:
    response: Any = api.viewer.raw("POST", "/triggers/backtest", json.dumps(body))
    assert response.status_code == 200

    async def read() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return [json.loads(line) for line in async_to_sync(read)().splitlines()]


def test_what_is_written_comes_back(api: Callers) -> None:
    """Added, shown, listed, edited, removed."""
    status, made = api.admin("POST", "/triggers", {"name": "t", **RULE, "lifetime": "36h"})
    assert (status, made["mode"], made["lifetime"], made["in_force"]) == (201, "off", "1d12h", 0)
    assert api.viewer("GET", "/triggers/t")[1] == made
    assert api.viewer("GET", "/triggers")[1] == {"triggers": [made]}
    status, edited = api.admin("PATCH", "/triggers/t", {"threshold": 9, "mode": "observe"})
    assert (status, edited["threshold"], edited["mode"]) == (200, 9, "observe")
    assert edited["window"] == "10m"
    status, gone = api.admin("DELETE", "/triggers/t", listings="true")
    assert (status, gone["removed"], gone["listings"]) == (200, "t", 0)
    assert api.viewer("GET", "/triggers/t")[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"name": "t", **RULE, "threshold": 0}, 422, "threshold"),
        ({"name": "t", **RULE, "window": "soon"}, 422, "window"),
        ({"name": "t", **RULE, "thresold": 3}, 422, "thresold"),
        ({"name": "t", "metric": "auth"}, 422, "threshold"),
        ({"name": "presets", **RULE}, 422, "name"),
        ({"name": "t", **RULE, "server": "nowhere"}, 404, "server"),
        ({"name": "t", "preset": "none"}, 422, "preset"),
    ],
)
def test_refusals_name_the_field(
    api: Callers, body: dict[str, Any], status: int, field: str
) -> None:
    """In the one form of all errors."""
    answered, error = api.admin("POST", "/triggers", body)
    assert (answered, error["error"]["field"].rpartition(".")[2]) == (status, field)
    assert not Trigger.objects.exists()


def test_another_accounts_servers_do_not_exist(api: Callers, scene: Scene) -> None:
    """The outsider cannot name a server of the owner's, nor see a trigger of theirs."""
    scene.trigger("mine")
    status, _ = api.outsider("POST", "/triggers", {"name": "t", **RULE, "server": "mx2"})
    assert status == 404
    assert api.outsider("GET", "/triggers")[1] == {"triggers": []}
    for method, path in (
        ("GET", "/triggers/mine"),
        ("GET", "/triggers/mine/findings"),
        ("POST", "/triggers/mine/clear"),
        ("DELETE", "/triggers/mine"),
    ):
        assert api.outsider(method, path)[0] == 404
    tried = api.outsider.raw("POST", "/triggers/backtest", json.dumps({"name": "mine"}))
    assert tried.status_code == 404


def test_a_change_of_the_journal_has_the_evidence(api: Callers, scene: Scene) -> None:
    """That of this change, when a listing goes on by another; no other change has any."""
    scene.trigger("mine", lifetime="1h", merge=2)
    scene.see(ago=3000)
    scene.see("198.51.100.1", ago=3000)
    scene.follow()
    first = api.viewer("GET", "/journal")[1]["records"][0]["seq"]
    scene.see("198.51.100.2", ago=2900)
    scene.follow()
    second = api.viewer("GET", "/journal")[1]["records"][0]["seq"]
    told = {seq: api.viewer("GET", f"/journal/{seq}")[1] for seq in (first, second, first - 1)}
    found = {seq: [one["target"] for one in told[seq]["evidence"]] for seq in told}
    assert found == {
        first: [CLIENT, "198.51.100.1"],
        second: ["198.51.100.0/24"],
        first - 1: [],
    }
    assert [one["id"] for one in told[first]["after"]] == [
        one["listing"] for one in told[first]["evidence"]
    ]
    assert told[first]["evidence"][0]["evidence"]["count"] == 3
    assert len(told[first]["evidence"][0]["evidence"]["sightings"]) == 3
    assert told[second]["evidence"][0]["evidence"]["parts"] == ["198.51.100.1", "198.51.100.2"]
    assert api.outsider("GET", f"/journal/{first}")[0] == 404


def test_explain_has_the_evidence(api: Callers, scene: Scene) -> None:
    """Which sightings, how many, and what is enough; a person's listing has none."""
    scene.trigger("mine")
    scene.see()
    scene.follow()
    told = api.viewer("GET", "/explain", client=CLIENT)[1]
    assert told["verdict"] == "block"
    [finding] = told["evidence"]
    assert finding["listing"] == told["because"]["id"]
    assert finding["says"] == "3 unknown recipients within 10 min (3 are enough)"
    assert finding["evidence"]["count"] == 3
    assert len(finding["evidence"]["sightings"]) == 3
    assert finding["evidence"]["servers"] == [{"server": "mx1", "count": 3}]
    assert api.viewer("GET", "/explain", client="198.51.100.1")[1]["evidence"] == []
    found = api.viewer("GET", "/triggers/mine/findings", limit="1")[1]
    assert found == {"findings": [finding], "next": None}


def test_explain_still_tells_when_the_trigger_is_gone(api: Callers, scene: Scene) -> None:
    """Its listing stays, and so does the reason."""
    scene.trigger("mine")
    scene.see()
    scene.follow()
    assert api.admin("DELETE", "/triggers/mine")[0] == 200
    assert len(api.viewer("GET", "/explain", client=CLIENT)[1]["evidence"]) == 1


def test_findings_come_in_pages(api: Callers, scene: Scene) -> None:
    """Newest first, without gaps."""
    scene.trigger("mine")
    for last in (1, 2, 3):
        scene.see(f"203.0.113.{last}")
        scene.follow()
    first = api.viewer("GET", "/triggers/mine/findings", limit="2")[1]
    rest = api.viewer("GET", "/triggers/mine/findings", cursor=str(first["next"]))[1]
    targets = [one["target"] for one in first["findings"] + rest["findings"]]
    assert targets == ["203.0.113.3", "203.0.113.2", "203.0.113.1"]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_backtest_streams_progress_and_both_reports(api: Callers, scene: Scene) -> None:
    """The rule as it would be, beside the trigger as it is saved; a viewer may try."""
    scene.trigger("mine", mode="off")
    scene.see(ago=7200)
    *progress, last = _tried(api, {"name": "mine", "threshold": 4})
    assert all(set(one) == {"progress"} for one in progress)
    assert (last["saved"]["listings"], last["report"]["listings"]) == (1, 0)
    *_, alone = _tried(api, {"name": "mine"})
    assert set(alone) == {"report"}
    assert alone["report"]["listed"][0]["target"] == CLIENT
    *_, fresh = _tried(api, {**RULE, "threshold": 2, "history": 7})
    assert fresh["report"]["listings"] == 1
    status, refused = api.viewer("POST", "/triggers/backtest", {"name": "mine", "preset": "trap"})
    assert (status, refused["error"]["field"]) == (422, "preset")


def test_clear_and_resume(api: Callers, scene: Scene) -> None:
    """All that it listed in one change; going on when it had been stopped."""
    scene.trigger("mine", brake=1)
    for last in (1, 2):
        scene.see(f"203.0.113.{last}")
    scene.follow()
    shown = api.viewer("GET", "/triggers/mine")[1]
    assert (shown["in_force"], shown["stopped_why"]) == (1, "it would list more than 1 in 10 min")
    cleared = api.admin("POST", "/triggers/mine/clear")[1]
    assert cleared["listings"] == 1
    one = api.viewer("GET", f"/journal/{cleared['change']}")[1]
    assert (one["what"], one["undoable"]) == ("listing.clear", True)
    assert api.admin("POST", f"/journal/{cleared['change']}/undo", {})[0] == 200
    records = api.viewer("GET", "/journal", None, kind="triggers")[1]["records"]
    assert {record["what"] for record in records} == {
        "trigger.add",
        "listing.trigger",
        "trigger.stop",
        "listing.clear",
    }
    assert api.admin("POST", "/triggers/mine/resume")[1]["stopped"] is None
    assert api.admin("POST", "/triggers/mine/resume")[0] == 200
    assert api.reader("POST", "/triggers/mine/clear")[0] == 403
