"""The API: every request with everybody, and errors in one form."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from mailmum.api import servers as server_operations
from mailmum.api.urls import api as description
from mailmum.control.accounts.services import add_token
from mailmum.control.alerts.channels import told
from mailmum.control.alerts.models import Manner
from mailmum.control.config import current
from mailmum.control.requests.asking import ask
from mailmum.control.servers.services import add_shipping_token
from mailmum.control.suggestions.ideas import Idea
from mailmum.control.suggestions.inbox import put
from mailmum.control.suggestions.models import Suggestion
from mailmum.control.traffic.router import LABEL, traffic_database
from mailmum.control.witnesses.services import add_witness
from tests.api.conftest import Caller, Callers
from tests.control.alerts.kit import NOW, called, compared, holds, mailed, parameters
from tests.support.damaged import traffic_damaged
from tests.support.ports import free_port
from tests.support.undone import undone
from tests.support.world import World

# Every operation, with a body that would do. A new one that is missing here fails the walk below.
OPERATIONS: dict[tuple[str, str], tuple[str, Any]] = {
    ("GET", "/me"): ("read", None),
    ("GET", "/doctor"): ("read", None),
    ("GET", "/hits"): ("read", None),
    ("GET", "/servers"): ("read", None),
    ("POST", "/servers"): ("write", {"name": "mx2"}),
    ("GET", "/servers/{name}"): ("read", None),
    ("PATCH", "/servers/{name}"): ("write", {"addresses": []}),
    ("DELETE", "/servers/{name}"): ("write", None),
    ("POST", "/servers/{name}/rotate-key"): ("write", {}),
    ("POST", "/servers/{name}/pause"): ("write", {"for": "1h"}),
    ("DELETE", "/servers/{name}/pause"): ("write", None),
    ("GET", "/pause"): ("read", None),
    ("POST", "/pause"): ("write", {}),
    ("DELETE", "/pause"): ("write", None),
    ("GET", "/servers/{name}/logs"): ("write", None),
    ("POST", "/servers/{name}/logs"): ("write", ""),
    ("GET", "/listings"): ("read", None),
    ("POST", "/listings"): ("write", {"targets": ["203.0.113.9"], "action": "block"}),
    ("POST", "/listings/remove"): ("write", {"targets": ["203.0.113.7"]}),
    ("GET", "/listings/{number}"): ("read", None),
    ("PATCH", "/listings/{number}"): ("write", {"reason": "changed"}),
    ("DELETE", "/listings/{number}"): ("write", None),
    ("GET", "/explain"): ("read", None),
    ("GET", "/check"): ("read", None),
    ("GET", "/sightings"): ("read", None),
    ("GET", "/sightings/export"): ("read", None),
    ("GET", "/sightings/live"): ("read", None),
    ("GET", "/triggers"): ("read", None),
    ("POST", "/triggers"): ("write", {"name": "new", "preset": "two-lists"}),
    ("GET", "/triggers/presets"): ("read", None),
    ("POST", "/triggers/backtest"): ("read", {"preset": "two-lists"}),
    ("GET", "/triggers/{name}"): ("read", None),
    ("PATCH", "/triggers/{name}"): ("write", {"threshold": 3}),
    ("DELETE", "/triggers/{name}"): ("write", None),
    ("POST", "/triggers/{name}/clear"): ("write", None),
    ("POST", "/triggers/{name}/resume"): ("write", None),
    ("GET", "/triggers/{name}/findings"): ("read", None),
    ("GET", "/journal"): ("read", None),
    ("GET", "/journal/{seq}"): ("read", None),
    ("POST", "/journal/{seq}/undo"): ("write", {}),
    ("GET", "/requests"): ("read", None),
    ("GET", "/requests/{number}"): ("read", None),
    ("POST", "/requests/{number}/accept"): ("write", {}),
    ("POST", "/requests/{number}/decline"): ("write", {}),
    ("GET", "/tokens"): ("read", None),
    ("POST", "/tokens"): ("write", {"name": "t", "scopes": ["read"]}),
    ("DELETE", "/tokens/{number}"): ("write", None),
    ("POST", "/import"): ("write", None),
    ("GET", "/feeds"): ("read", None),
    ("POST", "/feeds"): ("write", {"name": "new", "source": "https://lists.example/"}),
    ("POST", "/feeds/preview"): ("write", {"name": "x", "kind": "file", "source": "api.txt"}),
    ("POST", "/feeds/preview/upload"): ("write", [{"target": "192.0.2.1", "action": "block"}]),
    ("GET", "/feeds/{feed}"): ("read", None),
    ("PATCH", "/feeds/{feed}"): ("write", {"every": "1h"}),
    ("DELETE", "/feeds/{feed}"): ("write", None),
    ("POST", "/feeds/{feed}/refresh"): ("write", {}),
    ("POST", "/feeds/{feed}/upload"): ("write", [{"target": "192.0.2.1", "action": "block"}]),
    ("POST", "/feeds/{feed}/preview"): ("write", [{"target": "192.0.2.1", "action": "block"}]),
    ("POST", "/feeds/{feed}/release"): ("write", {}),
    ("POST", "/feeds/{feed}/pause"): ("write", {}),
    ("POST", "/feeds/{feed}/resume"): ("write", {}),
    ("GET", "/providers"): ("read", None),
    ("GET", "/export"): ("read", None),
    ("GET", "/alerts"): ("read", None),
    ("POST", "/alerts/{number}/acknowledge"): ("write", None),
    ("GET", "/alerts/channels"): ("read", None),
    ("POST", "/alerts/channels"): (
        "write",
        {"name": "new", "kind": "email", "target": "new@example.net"},
    ),
    ("POST", "/alerts/channels/{name}/test"): ("write", None),
    ("PATCH", "/alerts/channels/{name}"): ("write", {"least": "critical"}),
    ("POST", "/alerts/channels/{name}/rotate-key"): ("write", None),
    ("DELETE", "/alerts/channels/{name}"): ("write", None),
    ("GET", "/alerts/habits"): ("read", None),
    ("PUT", "/alerts/habits"): ("write", told(Manner(digest=300))),
    ("GET", "/alerts/report"): ("read", None),
    ("GET", "/rbls"): ("read", None),
    ("POST", "/rbls"): ("write", {"zone": "other.rbl.example"}),
    ("GET", "/rbls/check"): ("read", None),
    ("GET", "/rbls/compare"): ("read", None),
    ("POST", "/rbls/health"): ("write", None),
    ("DELETE", "/rbls/{zone}"): ("write", None),
    ("GET", "/suggestions"): ("read", None),
    ("POST", "/suggestions/{number}/accept"): ("write", None),
    ("POST", "/suggestions/{number}/dismiss"): ("write", None),
}
# What stands behind a name in a path, where it is not a server or a listing.
PLACES = {
    "/tokens/": {"{number}": "{token}"},
    "/requests/": {"{number}": "{request}"},
    "/alerts/": {"{number}": "{alert}", "{name}": "{channel}"},
    "/suggestions/": {"{number}": "{suggestion}"},
}
QUERY = {
    ("GET", "/explain"): {"client": "203.0.113.7"},
    ("GET", "/check"): {"target": "203.0.113.0/24"},
    ("GET", "/export"): {"format": "json"},
    ("GET", "/rbls/check"): {"client": "203.0.113.7"},
}


@pytest.fixture
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Public lists are asked through a resolver that is not there."""
    monkeypatch.setattr("mailmum.daemons.resolving.TIMEOUT", 0.05)
    with parameters(monkeypatch, rbl_resolver=f"127.0.0.1:{free_port('both')}"):
        yield


@pytest.fixture
def things(api: Callers, world: World, nobody_answers: None) -> dict[str, str]:
    """A server, a listing, its change and a token, in the owner's account; and what is told."""
    alert = compared(world.owner, holds()).opened[0].pk
    mailed(world.owner, "hook")
    called(world.owner, "https://hook.example/in", "signed")
    add_witness(world.owner, "rbl.example")
    put(world.owner.account, [Idea("block", "203.0.113.99", "why")], now=NOW)
    assert api.admin("POST", "/servers", {"name": "mx1"})[0] == 201
    status, listed = api.admin(
        "POST",
        "/listings",
        {"targets": ["203.0.113.7"], "action": "block", "note": "private note"},
    )
    assert status == 200
    _feeds(api)
    trigger = {"name": "mx1", "preset": "two-lists"}
    assert api.admin("POST", "/triggers", trigger)[0] == 201
    token = api.owner("GET", "/tokens")[1]["tokens"][-1]["id"]
    return {
        "{name}": "mx1",
        "{number}": str(listed["listings"][0]["listing"]["id"]),
        "{seq}": str(listed["change"]),
        "{token}": str(token),
        "{feed}": "drop",
        "{request}": str(_request(api)),
        "{alert}": str(alert),
        "{channel}": "hook",
        "{zone}": "rbl.example",
        "{suggestion}": str(Suggestion.objects.get().pk),
    }


def _feeds(api: Callers) -> None:
    """One from a file, of which an update is held back, and one of uploads."""
    folder = current().data / "feeds"
    folder.mkdir(exist_ok=True)
    for name, source in (("drop", "api.txt"), ("mine", "")):
        wanted = {"name": name, "source": source, "reason": "private note"}
        assert api.admin("POST", "/feeds", wanted)[0] == 201
    for count, outcome in ((50, "current"), (2, "held")):
        lines = [f"198.51.100.{number}" for number in range(count)]
        (folder / "api.txt").write_text("\n".join(lines))
        status, body = api.admin("POST", "/feeds/drop/refresh", {})
        assert (status, body["outcome"]) == (200, outcome)


def _request(api: Callers) -> int:
    ref = api.owner("GET", "/servers/mx1")[1]["ref"]
    ask(ref, "203.0.113.7", text="private note of a sender", reply_to="", address="192.0.2.1")
    number: int = api.owner("GET", "/requests")[1]["requests"][0]["id"]
    return number


def call(caller: Caller, operation: tuple[str, str], things: dict[str, str]) -> tuple[int, Any]:
    """Make a request that would do for somebody who may."""
    method, template = operation
    path = template
    for place, names in PLACES.items():
        for name, meant in names.items() if template.startswith(place) else ():
            path = path.replace(name, things[meant])
    for name, value in things.items():
        path = path.replace(name, value)
    return caller(method, path, OPERATIONS[operation][1], **QUERY.get(operation, {}))


def test_the_walk_knows_every_operation() -> None:
    """Nobody can add one and forget to try it with an outsider."""
    schema = description.get_openapi_schema()
    known = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in schema["paths"].items()
        for method in methods
    }
    assert known == set(OPERATIONS)


# Of the same kind of thing: what they are about is made once for them.
KINDS = sorted({path.split("/")[1] for _, path in OPERATIONS})


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_and_who_may_not(
    api: Callers,
    world: World,
    things: dict[str, str],
    kind: str,
    subtests: pytest.Subtests,
) -> None:
    """Everybody, one after the other; what an operation did is undone before the next."""
    for operation in OPERATIONS:
        if operation[1].split("/")[1] == kind:
            with subtests.test(" ".join(operation)), undone():
                _everybody(api, world, dict(things), operation)


def _everybody(
    api: Callers, world: World, things: dict[str, str], operation: tuple[str, str]
) -> None:
    _without_a_token_nothing(api, things, operation)
    for who in ("viewer", "reader"):
        _reading_is_not_writing(api, things, operation, who)
    _handing_in_logs_is_nothing_else(api, world, things, operation)
    _an_outsider_meets_nothing(api, things, operation)
    _an_admin_may(api, things, operation)


def _without_a_token_nothing(
    api: Callers, things: dict[str, str], operation: tuple[str, str]
) -> None:
    """401 with the way to do it."""
    status, body = call(api.nobody, operation, things)
    assert status == 401
    assert body["error"]["code"] == "unauthenticated"
    assert "Bearer" in body["error"]["fix"]


def _reading_is_not_writing(
    api: Callers, things: dict[str, str], operation: tuple[str, str], who: str
) -> None:
    """A viewer, and a token of scope read, may look at all and change nothing."""
    kind = OPERATIONS[operation][0]
    journal = api.owner("GET", "/journal")[1]["records"][0]["seq"]
    status, body = call(getattr(api, who), operation, things)
    if kind == "read":
        assert status == 200
    else:
        assert (status, body["error"]["code"]) == (403, "forbidden")
    assert api.owner("GET", "/journal")[1]["records"][0]["seq"] == journal


def _handing_in_logs_is_nothing_else(
    api: Callers, world: World, things: dict[str, str], operation: tuple[str, str]
) -> None:
    """A token that stands on a mail server opens nothing that is not about its logs."""
    shipper = Caller(add_shipping_token(world.admin, "mx1", "mx1").secret)
    journal = api.owner("GET", "/journal")[1]["records"][0]["seq"]
    status, body = call(shipper, operation, things)
    if operation[1] in ("/me", "/servers/{name}/logs"):
        assert status == 200
    else:
        assert (status, body["error"]["code"]) == (403, "forbidden")
    assert api.owner("GET", "/journal")[1]["records"][0]["seq"] == journal


def _an_outsider_meets_nothing(
    api: Callers, things: dict[str, str], operation: tuple[str, str]
) -> None:
    """What has a name is not found; what is a list has nothing of it."""
    status, body = call(api.outsider, operation, things)
    if "{" in operation[1]:
        assert (status, body["error"]["code"]) == (404, "not-found")
    assert "private note" not in str(body)
    assert "mx1" not in str(body).replace("no server mx1", "").replace("no trigger mx1", "")
    after = api.owner("GET", f"/listings/{things['{number}']}")
    assert after[0] == 200
    assert after[1]["reason"] == ""


def _an_admin_may(api: Callers, things: dict[str, str], operation: tuple[str, str]) -> None:
    """The same requests succeed for somebody who may; the token is the admin's own."""
    if operation == ("DELETE", "/tokens/{number}"):
        made = api.admin("POST", "/tokens", {"name": "own", "scopes": ["read"]})[1]
        things["{token}"] = str(made["id"])
    if operation in (("POST", "/feeds/{feed}/upload"), ("POST", "/feeds/{feed}/preview")):
        things["{feed}"] = "mine"
    if operation == ("POST", "/alerts/channels/{name}/rotate-key"):
        things["{channel}"] = "signed"
    status, _ = call(api.admin, operation, things)
    assert status in (200, 201, 204)


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "says"),
    [
        ("POST", "/listings", {"targets": ["203.0.113.7/24"], "action": "block"}, "target", "/24?"),
        ("POST", "/listings", {"targets": [], "action": "block"}, "targets", "at least 1"),
        ("POST", "/listings", {"targets": ["203.0.113.7"]}, "action", "required"),
        ("POST", "/listings", {"targets": "203.0.113.7", "action": "block"}, "targets", "list"),
        ("POST", "/listings", {"targets": [7], "action": "block"}, "targets", "string"),
        ("POST", "/listings", {"targets": ["a.example"], "action": "deny"}, "action", "block"),
        (
            "POST",
            "/listings",
            {"targets": ["a.example"], "action": "block", "resaon": "x"},
            "resaon",
            "no such field",
        ),
        (
            "POST",
            "/listings",
            {"targets": ["a.example"], "action": "block", "reason": "a\x00b"},
            "reason",
            "control character",
        ),
        (
            "POST",
            "/listings",
            {"targets": ["a.example"], "action": "block", "expires": "2030-01-01T00:00:00"},
            "expires",
            "time zone",
        ),
        (
            "POST",
            "/listings",
            {"targets": ["a.example"], "action": "block", "expires": "2001-01-01T00:00:00Z"},
            "expires",
            "past",
        ),
        ("POST", "/servers", {"name": "mx 1"}, "name", "cannot be the name"),
        ("POST", "/servers/mx1/rotate-key", {"keep": "soon"}, "keep", "no length of time"),
        ("GET", "/explain?client=", None, "client", "is empty"),
        ("GET", "/explain?client=192.0.2.1/5", None, "client", "bits beyond"),
        ("POST", "/tokens", {"name": "t", "scopes": ["admin"]}, "scopes", "match"),
    ],
)
def test_bad_input_says_where_and_why(
    api: Callers, method: str, path: str, body: Any, field: str, says: str
) -> None:
    """422, the field, the reason; nothing is written."""
    status, answer = api.admin(method, path, body)
    assert status == 422, answer
    assert answer["error"]["code"] == "bad-input"
    assert answer["error"]["field"] == field
    assert says in answer["error"]["message"]
    assert api.admin("GET", "/listings")[1]["total"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/listings"),
        ("GET", "/explain"),
        ("GET", "/journal"),
        ("GET", "/doctor"),
        ("GET", "/export"),
        ("POST", "/import"),
    ],
)
def test_a_misspelt_parameter_is_an_error(api: Callers, method: str, path: str) -> None:
    """It is named, with those there are: a dry run must not become an import."""
    body = {"targets": ["203.0.113.7"]} if method == "POST" else None
    status, answer = api.admin(method, path, body, dryrun="true", format="plain", client="::1")
    assert (status, answer["error"]["code"]) == (422, "bad-input")
    assert answer["error"]["field"] in ("dryrun", "format", "client")
    assert "there is no parameter" in answer["error"]["problem"]
    assert "server" in answer["error"]["fix"]
    assert api.admin("GET", "/listings")[1]["total"] == 0


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, "not-found"),
        ("GET", "/servers/a/b", 404, "not-found"),
        ("GET", "/listings/-1", 404, "not-found"),
        ("PUT", "/servers", 405, "method-not-allowed"),
        ("PATCH", "/import", 405, "method-not-allowed"),
    ],
)
def test_addresses_that_are_none(
    api: Callers, method: str, path: str, status: int, code: str
) -> None:
    """The framework's own errors come in the same form; of a method, with those it takes."""
    response = api.admin.raw(method, path, "")
    error = json.loads(response.getvalue())["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert path in error["problem"]
    assert response.has_header("Allow") == (status == 405)


def test_a_fault_of_ours_has_the_form_too(api: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """500, without a word of what went wrong inside."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(server_operations, "servers_of", fail)
    client = Client(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {api.viewer.token}"}
    response = client.get("/api/v1/servers", headers=headers)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "failed"
    assert "secret" not in response.content.decode()


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b'"x"', b"null", b"{}" * 10])
def test_bodies_that_are_no_json(api: Callers, body: bytes) -> None:
    """Broken, foreign and empty bodies are answered in the same form."""
    response = api.admin.raw("POST", "/listings", body)
    assert response.status_code == 422
    assert b'"bad-input"' in b"".join(response)


def test_unknown_server(api: Callers) -> None:
    """Named in the answer."""
    status, answer = api.admin(
        "POST", "/listings", {"targets": ["a.example"], "action": "block", "server": "nope"}
    )
    assert (status, answer["error"]["field"]) == (404, "server")
    assert "nope" in answer["error"]["message"]


def test_paging_goes_through_everything_once(api: Callers) -> None:
    """By cursor, newest first, also while the list grows."""
    targets = [f"203.0.113.{n}" for n in range(25)]
    api.admin("POST", "/listings", {"targets": targets, "action": "block"})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.viewer("GET", "/listings", limit="10", **cursor)[1]
        seen += [listing["target"] for listing in page["listings"]]
        api.admin("POST", "/listings", {"targets": [f"198.51.100.{len(seen)}"], "action": "block"})
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == sorted(targets)


def test_explain_names_the_listing_and_those_overruled(api: Callers) -> None:
    """For the account and for each server."""
    api.admin("POST", "/servers", {"name": "mx1"})
    api.admin("POST", "/listings", {"targets": ["203.0.113.0/24"], "action": "block"})
    api.admin("POST", "/listings", {"targets": ["203.0.113.7"], "action": "allow", "server": "mx1"})
    whole = api.viewer("GET", "/explain", client="203.0.113.7")[1]
    assert (whole["verdict"], whole["because"]["target"]) == ("block", "203.0.113.0/24")
    assert [each["verdict"] for each in whole["servers"]] == ["allow"]
    one = api.viewer("GET", "/explain", client="203.0.113.7", server="mx1")[1]
    assert (one["verdict"], one["because"]["scope"]) == ("allow", "mx1")
    assert [listing["target"] for listing in one["overruled"]] == ["203.0.113.0/24"]


def test_left_out_fields_keep_their_value(api: Callers) -> None:
    """And null for the lifetime means without end."""
    first = {"targets": ["203.0.113.7"], "action": "block", "reason": "spam", "for": "7d"}
    api.admin("POST", "/listings", first)
    kept = api.admin("POST", "/listings", {**first, "reason": "more"})[1]["listings"][0]
    assert kept["outcome"] == "changed"
    assert kept["was"]["reason"] == "spam"
    del first["for"]
    kept = api.admin("POST", "/listings", first)[1]["listings"][0]
    assert kept["listing"]["expires"] is not None
    ended = api.admin("POST", "/listings", {**first, "for": None})[1]["listings"][0]
    assert ended["listing"]["expires"] is None


def test_a_database_that_fails_is_our_fault(api: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, with what to do, and nothing of the database's words."""

    def fail(*_: object) -> None:
        raise OperationalError("database is locked at /secret/path")

    monkeypatch.setattr(server_operations, "servers_of", fail)
    status, answer = api.viewer("GET", "/servers")
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    assert "secret" not in str(answer)


def test_every_answer_tells_of_traffic_that_is_away(api: Callers) -> None:
    """What it shows stands still meanwhile; where there is one database no answer comes at all."""
    own = traffic_database() == LABEL
    notice = "MailMum-Notice"
    assert api.viewer("GET", "/me")[1]["traffic_away"] is False
    assert notice not in api.viewer.raw("GET", "/triggers", "")
    with traffic_damaged():
        for path, status in (("/triggers", 200), ("/suggestions", 200), ("/servers/none", 404)):
            response = api.viewer.raw("GET", path, "")
            assert response.status_code == status
            assert ("triggers list nobody" in response.get(notice, "")) is own
        assert api.viewer("GET", "/me")[1]["traffic_away"] is own
        status, refused = api.viewer("GET", "/sightings")
        assert status == 503
        assert ("of traffic" in refused["error"]["problem"]) is own
    assert notice not in api.viewer.raw("GET", "/triggers", "")


@pytest.mark.usefixtures("db")
def test_strangers_are_not_told_of_traffic_that_is_away() -> None:
    """They would know when triggers list nobody."""
    with traffic_damaged():
        for path, status in (("/triggers", 401), ("/nowhere", 404)):
            response = Client().get(f"/api/v1{path}")
            assert (response.status_code, response.get("MailMum-Notice")) == (status, None)


def test_with_both_databases_away_it_is_not_only_traffic(api: Callers) -> None:
    """A disk that is gone takes both with it; then nothing can be changed either."""

    def away(*_: object) -> None:
        raise OperationalError("disk I/O error")

    with traffic_damaged(), connections["default"].execute_wrapper(away):
        status, answer = api.viewer("GET", "/servers")
    assert status == 503
    assert answer["error"]["problem"] == "the database cannot be used just now"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/listings", {"q": "a\0"}),
        ("/listings", {"server": "a\0"}),
        ("/journal", {"target": "a\0"}),
        ("/explain", {"client": "a\0"}),
        ("/servers/a%00", {}),
    ],
)
def test_nul_is_refused(api: Callers, path: str, query: dict[str, str]) -> None:
    """PostgreSQL would fail on it; the answer is that of any bad or unknown name."""
    status, answer = api.viewer("GET", path, **query)
    assert status in (404, 422), answer


def test_a_token_makes_none_that_outlives_it(api: Callers, world: World) -> None:
    """A token that leaked ends when it was to end."""
    short = Caller(add_token(world.admin, "short", writes=True, lifetime=3600).secret)
    made = short("POST", "/tokens", {"name": "long", "scopes": ["write"], "for": None})[1]
    assert made["expires"] is not None
    assert datetime.fromisoformat(made["expires"]) <= timezone.now() + timedelta(seconds=3600)


def test_a_token_ends_with_the_one_that_made_it(api: Callers, world: World) -> None:
    """Whoever got hold of one and made others of it has none of them when it is revoked."""
    first = add_token(world.admin, "first", writes=True)
    made = Caller(first.secret)("POST", "/tokens", {"name": "second", "scopes": ["write"]})[1]
    third = Caller(made["token"])("POST", "/tokens", {"name": "third", "scopes": ["read"]})[1]
    assert Caller(third["token"])("GET", "/me")[0] == 200
    assert api.owner("DELETE", f"/tokens/{first.token.pk}")[0] == 204
    for secret in (first.secret, made["token"], third["token"]):
        assert Caller(secret)("GET", "/me")[0] == 401
