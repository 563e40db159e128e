"""`requests list | show | accept | decline`."""

import json
from typing import Any

from tests.cli.service import Service, answer
from tests.cli.shapes import listing


def one(**more: Any) -> dict[str, Any]:
    """A request as the API gives it; a stranger wrote it."""
    return {
        "id": 4,
        "state": "open",
        "server": "mx1",
        "client": "203.0.113.7",
        "text": "We mended it.\n\x1b[2Jthanks",
        "reply_to": "admin@sender.example",
        "from": "192.0.2.1",
        "created": "2026-11-22T15:00:00Z",
        "answered": None,
        "answered_by": "",
        "answer": "",
        "change": None,
    } | more


def test_list(service: Service) -> None:
    """A line each, whatever was written; --all asks for answered ones too."""
    service.on("GET", "/api/v1/requests", answer({"requests": [one()], "next": None}))
    result = service.run("requests", "list")
    assert result.stdout.splitlines()[1].split("\t")[:4] == ["4", "open", "203.0.113.7", "mx1"]
    assert "\x1b" not in result.stdout
    assert service.asked[0].query["state"] == "open"
    service.run("requests", "list", "--all")
    assert service.asked[1].query["state"] == "all"


def test_an_empty_list(service: Service) -> None:
    """Says so on standard error."""
    service.on("GET", "/api/v1/requests", answer({"requests": [], "next": None}))
    assert "no request waits" in service.run("requests", "list").stderr
    assert json.loads(service.run("requests", "list", "--json").stdout) == []


def test_show(service: Service) -> None:
    """With what blocks, and what was seen; control characters do nothing."""
    seen = {"contacts": 9, "accepted": None, "rejected": 8, "verdict": "caution"}
    found = one(because=listing("203.0.113.0/24"), seen=seen)
    service.on("GET", "/api/v1/requests/4", answer(found))
    out = service.run("requests", "show", "4").stdout
    assert "request 4: 203.0.113.7 at server mx1, open" in out
    assert "  | We mended it." in out
    assert "\x1b" not in out
    assert "blocked by listing 12: block 203.0.113.0/24" in out
    assert "9 contacts, accepted mail not known, 8 turned away" in out
    done = one(because=None, seen=None, answered="2026-11-23T15:00:00Z", answered_by="a@b.example",
               answer="Not yet")  # fmt: skip
    service.on("GET", "/api/v1/requests/4", answer(done))
    out = service.run("requests", "show", "4").stdout
    assert "no listing blocks it there now" in out
    assert out.endswith("  answer: Not yet\n")


def test_accept_and_decline(service: Service) -> None:
    """What is sent, and what still blocks."""
    done = {"request": one(state="unlisted"), "change": 9, "still": listing("203.0.113.0/24")}
    service.on("POST", "/api/v1/requests/4/accept", answer(done))
    result = service.run("requests", "accept", "4", "--unlist")
    assert service.asked[0].json == {"how": "unlist", "everywhere": False, "for": None}
    assert result.stdout.splitlines()[0] == "request 4 about 203.0.113.7: unlisted in change 9"
    assert "still blocked by listing 12" in result.stdout
    service.run("requests", "accept", "4", "--everywhere", "--for", "30d")
    assert service.asked[1].json == {"how": "allow", "everywhere": True, "for": "30d"}
    assert service.run("requests", "accept", "4", "--unlist", "--for", "1d").exit_code == 2
    declined = {"request": one(state="declined"), "change": 10, "still": None}
    service.on("POST", "/api/v1/requests/4/decline", answer(declined))
    told = service.run("requests", "decline", "4", "--answer", "Not yet", "--json")
    assert json.loads(told.stdout) == declined
    assert service.asked[-1].json == {"answer": "Not yet"}
