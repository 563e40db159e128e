"""Removal requests over the API."""

from mailmum.control.requests.asking import ask
from tests.api.conftest import Callers


def make(api: Callers, count: int = 1) -> list[int]:
    """A server that refuses a network, and requests about clients in it; their numbers."""
    api.admin("POST", "/servers", {"name": "mx1"})
    api.admin("POST", "/listings", {"targets": ["203.0.113.0/24"], "action": "block"})
    ref = api.admin("GET", "/servers/mx1")[1]["ref"]
    for number in range(count):
        client, address = f"203.0.113.{number}", f"192.0.2.{number}"
        ask(ref, client, text="Mended", reply_to="a@b.example", address=address)
    return [one["id"] for one in api.viewer("GET", "/requests")[1]["requests"]][::-1]


def test_listing_and_showing(api: Callers) -> None:
    """In pieces, newest first; each with what blocks and what was seen."""
    numbers = make(api, 3)
    status, page = api.viewer("GET", "/requests", limit="2")
    assert (status, [one["id"] for one in page["requests"]]) == (200, numbers[:0:-1])
    rest = api.viewer("GET", "/requests", limit="2", cursor=str(page["next"]))[1]
    assert ([one["id"] for one in rest["requests"]], rest["next"]) == (numbers[:1], None)
    one = api.viewer("GET", f"/requests/{numbers[0]}")[1]
    assert (one["from"], one["client"], one["server"]) == ("192.0.2.0", "203.0.113.0", "mx1")
    assert one["because"]["target"] == "203.0.113.0/24"
    assert one["seen"] == {"contacts": 0, "accepted": 0, "rejected": 0, "verdict": "caution"}
    assert api.viewer("GET", f"/requests/{10**30}")[0] == 404


def test_answering(api: Callers) -> None:
    """Allowed, unlisted with what still blocks, declined; then none is open."""
    first, second, third = make(api, 3)
    api.admin("POST", "/listings", {"targets": ["203.0.113.1"], "action": "block"})
    allowed = api.admin("POST", f"/requests/{first}/accept", {"for": "30d"})[1]
    assert (allowed["request"]["state"], allowed["still"]) == ("allowed", None)
    explained = api.viewer("GET", "/explain", client="203.0.113.0", server="mx1")[1]
    assert (explained["verdict"], explained["because"]["scope"]) == ("allow", "mx1")
    unlisted = api.admin("POST", f"/requests/{second}/accept", {"how": "unlist"})[1]
    assert unlisted["still"]["target"] == "203.0.113.0/24"
    declined = api.admin("POST", f"/requests/{third}/decline", {"answer": "No"})[1]
    assert declined["request"]["answer"] == "No"
    assert declined["change"] == api.viewer("GET", "/journal")[1]["records"][0]["seq"]
    assert api.viewer("GET", "/requests")[1]["requests"] == []
    assert len(api.viewer("GET", "/requests", state="all")[1]["requests"]) == 3
    assert api.outsider("GET", "/requests", state="all")[1]["requests"] == []
