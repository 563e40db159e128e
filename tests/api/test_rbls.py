"""Public lists over the API: for whom, and with what in them."""

from typing import Any

import pytest

from mailmum.control.witnesses.models import Witness
from tests.api.conftest import Callers
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.control.witnesses.kit import GOOD, LISTED, WILD, lists
from tests.support.world import World

__all__ = ["traffic"]


def test_from_adding_to_asking(api: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a list fares is told with the answer to adding it."""
    with lists(monkeypatch):
        status, told = api.admin("POST", "/rbls", {"zone": WILD})
        assert (status, told["lists"][0]["state"]) == (201, "wildcard")
        assert api.admin("POST", "/rbls", {"zone": GOOD})[0] == 201
        states = {one["zone"]: one["state"] for one in api.viewer("GET", "/rbls")[1]["lists"]}
        assert states == {GOOD: "works", WILD: "wildcard"}
        status, found = api.viewer("GET", "/rbls/check", client=LISTED)
        assert status == 200
        assert [(one["zone"], one["listed"], one["codes"]) for one in found["lists"]] == [
            (GOOD, True, ["127.0.0.2"]),
            (WILD, None, []),
        ]
        status, again = api.admin("POST", "/rbls/health")
        assert (status, len(again["lists"])) == (200, 2)
        assert api.admin("DELETE", f"/rbls/{WILD}")[0] == 204
        assert api.admin("DELETE", f"/rbls/{WILD}")[0] == 404
        status, answer = api.viewer("GET", "/rbls/check", client="203.0.113.0/24")
        assert (status, answer["error"]["code"]) == (422, "bad-input")
        for client, fix in (
            ("mail.example", "write for example 203.0.113.7"),
            ("203.0.113.7/24", "did you mean 203.0.113.0/24?"),
        ):
            error = api.viewer("GET", "/rbls/check", client=client)[1]["error"]
            assert (error["fix"], error["field"]) == (fix, "client")


def test_a_comparison(api: Callers, traffic: Traffic) -> None:
    """Of one's own traffic."""
    traffic.log(*traffic.pool())
    traffic.foreign(*traffic.pool())
    status, told = api.viewer("GET", "/rbls/compare", days="7")
    assert status == 200
    [one] = told["lists"]
    assert (one["zone"], one["stopped"], one["clients"], one["alone"]) == (
        "zen.rbl.example",
        80,
        16,
        16,
    )
    assert STRANGE not in str(told)
    assert api.viewer("GET", "/rbls")[1]["proposals"] == ["zen.rbl.example"]
    assert api.outsider("GET", "/rbls")[1]["proposals"] == [STRANGE]
    assert api.viewer("GET", "/rbls/compare", days="401")[0] == 422


CHANGES: list[tuple[str, str, Any]] = [
    ("POST", "/rbls", {"zone": WILD}),
    ("POST", "/rbls/health", None),
    ("DELETE", f"/rbls/{GOOD}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_who_may_not(
    api: Callers,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    body: Any,
) -> None:
    """Viewers and tokens that read change nothing, an outsider nothing of others."""
    with lists(monkeypatch) as running:
        Witness.objects.create(
            account=world.owner.account, zone=GOOD, created=world.owner.account.created
        )
        for who in (api.viewer, api.reader):
            assert who(method, path, body)[0] == 403
        assert api.nobody(method, path, body)[0] == 401
        assert running.resolver.asked == []
        if method == "DELETE":
            assert api.outsider(method, path, body)[0] == 404
        else:
            api.outsider(method, path, body)
        assert GOOD not in str(api.outsider("GET", "/rbls"))
    assert list(Witness.objects.filter(account=world.owner.account).values_list("zone")) == [
        (GOOD,)
    ]
