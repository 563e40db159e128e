"""What a server answers with where it differs from its account, over the API."""

from tests.api.conftest import Callers


def test_a_server_says_it_and_takes_it_back(api: Callers) -> None:
    """All three at once; other changes leave them; nobody else may."""
    made = api.admin("POST", "/servers", {"name": "mx1"})[1]
    assert (made["ttl"], made["own"]) == (60, {"ttl": None, "code": None, "text": ""})
    own = {"ttl": 5, "code": "127.0.0.9", "text": "Not from there"}
    status, edited = api.admin("PATCH", "/servers/mx1", {"own": own})
    assert (status, edited["ttl"], edited["own"]) == (200, 5, own)
    assert api.admin("PATCH", "/servers/mx1", {"addresses": ["192.0.2.25"]})[1]["own"] == own
    assert api.viewer("PATCH", "/servers/mx1", {"own": {}})[0] == 403
    assert api.outsider("PATCH", "/servers/mx1", {"own": {}})[0] == 404
    assert api.admin("PATCH", "/servers/mx1", {"own": {}})[1]["own"] == made["own"]


def test_what_cannot_be_answered_with(api: Callers) -> None:
    """The field is named."""
    api.admin("POST", "/servers", {"name": "mx1"})
    for name, value in (("ttl", 0), ("code", "10.0.0.1"), ("text", "a\0")):
        status, body = api.admin("PATCH", "/servers/mx1", {"own": {name: value}})
        assert (status, body["error"]["field"]) == (422, name)
