"""Pauses over the API."""

from tests.api.conftest import Callers


def test_pausing_and_resuming_a_server(api: Callers) -> None:
    """The answer has the change and what there is now; the server and explain tell it too."""
    api.admin("POST", "/servers", {"name": "mx1"})
    api.admin("POST", "/listings", {"targets": ["203.0.113.7"], "action": "block"})
    status, paused = api.admin("POST", "/servers/mx1/pause", {"for": "2h"})
    assert status == 200
    assert paused["paused"]["scope"] == "mx1"
    assert api.viewer("GET", "/servers/mx1")[1]["paused"] == paused["paused"]
    assert api.viewer("GET", "/pause")[1] == {"pauses": [paused["paused"]]}
    explained = api.viewer("GET", "/explain", client="203.0.113.7")[1]
    assert (explained["verdict"], explained["paused"]) == ("block", None)
    (one,) = explained["servers"]
    assert (one["verdict"], one["because"], one["paused"]) == ("none", None, paused["paused"])
    assert one["overruled"][0]["target"] == "203.0.113.7"
    assert api.admin("DELETE", "/servers/mx1/pause")[1]["paused"] is None
    assert api.admin("DELETE", "/servers/mx1/pause")[1] == {"change": None, "paused": None}


def test_the_account_and_undo(api: Callers) -> None:
    """A pause without an end, taken back over the journal."""
    status, paused = api.admin("POST", "/pause", {})
    assert (status, paused["paused"]) == (200, {"scope": "account", "until": None})
    api.admin("POST", "/servers", {"name": "mx1"})
    assert api.viewer("GET", "/servers/mx1")[1]["paused"]["scope"] == "account"
    assert api.admin("DELETE", "/servers/mx1/pause")[1]["paused"]["scope"] == "account"
    assert api.admin("POST", f"/journal/{paused['change']}/undo", {})[0] == 200
    assert api.viewer("GET", "/pause")[1] == {"pauses": []}
    assert api.outsider("GET", "/pause")[1] == {"pauses": []}


def test_a_time_that_is_none(api: Callers) -> None:
    """Named as the field that was sent."""
    for wanted in ("soon", "0s", "400d"):
        status, body = api.admin("POST", "/pause", {"for": wanted})
        assert (status, body["error"]["field"]) == (422, "for")
