"""Alerts over the API: for whom, and with what in them."""

from typing import Any

import pytest

from mailmum.control.alerts.models import Alert, Channel
from tests.api.conftest import Callers
from tests.control.alerts.kit import compared, holds
from tests.support.world import World

CHANNEL = {"name": "hook", "kind": "webhook", "target": "https://hook.example/in"}


@pytest.fixture
def number(world: World) -> int:
    """An open alert of the owner's account, and its channel."""
    compared(world.owner, holds())
    return Alert.objects.get().pk


def test_alerts_are_shown_and_seen(api: Callers, number: int) -> None:
    """Open ones with a link; who has seen them stands there, too."""
    status, told = api.viewer("GET", "/alerts")
    assert status == 200
    [one] = told["alerts"]
    assert (one["id"], one["kind"], one["severity"], one["closed"]) == (
        number,
        "spike",
        "warning",
        None,
    )
    assert one["url"].endswith("/server/mx1/")
    status, seen = api.admin("POST", f"/alerts/{number}/acknowledge")
    assert (status, seen["acknowledged_by"]) == (200, "admin@example.net")
    assert api.viewer("GET", "/alerts", past="true")[1]["alerts"] == []


def test_alerts_by_pages(api: Callers, world: World) -> None:
    """The latest first, each once."""
    compared(world.owner, *(holds(f"mx{at}") for at in range(5)))
    first = api.viewer("GET", "/alerts", limit="3")[1]
    rest = api.viewer("GET", "/alerts", limit="3", cursor=str(first["next"]))[1]
    numbers = [one["id"] for one in first["alerts"] + rest["alerts"]]
    assert numbers == sorted(numbers, reverse=True)
    assert (len(numbers), rest["next"]) == (5, None)


def test_channels_come_and_go(api: Callers) -> None:
    """The secret is for those who may change them."""
    status, made = api.admin("POST", "/alerts/channels", CHANNEL)
    assert (status, len(made["secret"])) == (201, 64)
    [shown] = api.viewer("GET", "/alerts/channels")[1]["channels"]
    assert (shown["name"], shown["secret"]) == ("hook", None)
    assert api.reader("GET", "/alerts/channels")[1]["channels"][0]["secret"] is None
    status, done = api.admin("POST", "/alerts/channels/hook/test")
    assert (status, done["sent"]) == (200, False)
    assert done["error"]
    assert api.admin("DELETE", "/alerts/channels/hook")[0] == 204
    assert api.admin("DELETE", "/alerts/channels/hook")[0] == 404


def test_channels_are_edited(api: Callers) -> None:
    """What is left out stays, the key too, until another is asked for."""
    made = api.admin("POST", "/alerts/channels", CHANNEL)[1]
    status, edited = api.admin("PATCH", "/alerts/channels/hook", {"least": "critical"})
    assert (status, edited) == (200, {**made, "least": "critical"})
    change = {"name": "pager", "kinds": ["spike"], "reports": True, "target": None}
    status, edited = api.admin("PATCH", "/alerts/channels/hook", change)
    told = {"name": "pager", "least": "critical", "kinds": ["spike"], "reports": True}
    assert (status, edited) == (200, {**made, **told})
    assert api.admin("PATCH", "/alerts/channels/hook", {})[0] == 404
    status, renewed = api.admin("POST", "/alerts/channels/pager/rotate-key")
    assert status == 200
    assert renewed == {**edited, "secret": renewed["secret"]}
    assert len(renewed["secret"]) == 64
    assert renewed["secret"] != made["secret"]
    mail = {"name": "on call", "kind": "email", "target": "o@example.net"}
    api.admin("POST", "/alerts/channels", mail)
    status, answer = api.admin("POST", "/alerts/channels/on%20call/rotate-key")
    assert (status, answer["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"target": "http://hook.example/"}, 422, "target"),
        ({"kind": "email"}, 422, "kind"),
        ({"kinds": ["unknown"]}, 422, "kinds"),
        ({"name": "other"}, 409, "name"),
        ({"secret": "mine"}, 422, "secret"),
    ],
)
def test_edits_that_are_refused(
    api: Callers, changed: dict[str, Any], status: int, field: str
) -> None:
    """With the field at fault; all stays."""
    for name in ("hook", "other"):
        api.admin("POST", "/alerts/channels", {**CHANNEL, "name": name})
    before = api.admin("GET", "/alerts/channels")
    got, answer = api.admin("PATCH", "/alerts/channels/hook", {"reports": True, **changed})
    assert (got, answer["error"]["field"]) == (status, field)
    assert api.admin("GET", "/alerts/channels") == before


def test_habits(api: Callers) -> None:
    """As they are read, so they are written."""
    status, found = api.viewer("GET", "/alerts/habits")
    assert (status, found["quiet_from"], found["digest"]) == (200, "", 60)
    changed = {**found, "zone": "Europe/Berlin", "quiet_from": "22:00", "quiet_until": "07:00"}
    assert api.admin("PUT", "/alerts/habits", changed) == (200, changed)
    assert api.viewer("GET", "/alerts/habits")[1] == changed
    status, answer = api.admin("PUT", "/alerts/habits", {**changed, "quiet_from": "late"})
    assert (status, answer["error"]["field"]) == (422, "quiet_from")
    assert api.outsider("GET", "/alerts/habits")[1] == found


def test_a_report(api: Callers) -> None:
    """Tables, and the same as text."""
    status, told = api.viewer("GET", "/alerts/report", days="3")
    assert status == 200
    assert [one["title"] for one in told["sections"]][:2] == ["What was stopped", "By what"]
    assert told["headline"] in told["text"]
    assert api.viewer("GET", "/alerts/report", days="91")[0] == 422


CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/alerts/{number}/acknowledge", None),
    ("POST", "/alerts/channels", {**CHANNEL, "name": "other"}),
    ("POST", "/alerts/channels/hook/test", None),
    ("PATCH", "/alerts/channels/hook", {"target": "https://mine.example/"}),
    ("POST", "/alerts/channels/hook/rotate-key", None),
    ("DELETE", "/alerts/channels/hook", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_who_may_not(
    api: Callers, world: World, number: int, method: str, path: str, body: Any
) -> None:
    """Viewers and tokens that read change nothing; for an outsider nothing of it is there."""
    made = api.owner("POST", "/alerts/channels", CHANNEL)[1]
    where = path.format(number=number)
    for who in (api.viewer, api.reader):
        assert who(method, where, body)[0] == 403
    assert api.nobody(method, where, body)[0] == 401
    if path != "/alerts/channels":
        assert api.outsider(method, where, body)[0] == 404
    assert api.owner("GET", "/alerts/channels")[1]["channels"] == [made]
    assert Channel.objects.get(name="hook").tested is None
    assert Alert.objects.get().acknowledged is None


def test_an_outsider_sees_nothing(api: Callers, number: int) -> None:
    """Neither alerts, nor channels, nor what the report tells."""
    api.owner("POST", "/alerts/channels", CHANNEL)
    assert api.outsider("GET", "/alerts")[1]["alerts"] == []
    assert api.outsider("GET", "/alerts/channels")[1]["channels"] == []
    assert "failed logins" not in str(api.outsider("GET", "/alerts/report"))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"target": "http://hook.example/"}, "target"),
        ({"kind": "pager"}, "kind"),
        ({"least": "grave"}, "least"),
        ({"kinds": ["spike", "unknown"]}, "kinds"),
        ({"name": "x" * 301}, "name"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_channels_that_are_refused(api: Callers, changed: dict[str, Any], field: str) -> None:
    """With the field at fault."""
    status, answer = api.admin("POST", "/alerts/channels", {**CHANNEL, **changed})
    assert (status, answer["error"]["field"]) == (422, field)
