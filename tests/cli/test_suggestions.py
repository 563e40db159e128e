"""`suggestions`: a table, and one line for each decision."""

import json

from tests.cli.service import Service, answer, error

ONE = {
    "id": 4,
    "kind": "block",
    "target": "203.0.113.7",
    "listing": None,
    "does": "block it for 30d",
    "why": "turned away 24 times on 4 days, nothing was accepted",
    "evidence": {"stopped": 24},
    "made": "2026-11-27T10:00:00Z",
    "decided": None,
    "decided_by": None,
}
PLACE = "/api/v1/suggestions"


def test_a_list(service: Service) -> None:
    """With what accepting it will do."""
    service.on("GET", PLACE, answer({"suggestions": [ONE]}))
    lines = service.run("suggestions", "list").stdout.splitlines()
    assert lines[0] == "suggestion\ttarget\taccepting it will\twhy\tmade"
    assert lines[1].startswith("4\t203.0.113.7\tblock it for 30d\tturned away")
    assert json.loads(service.run("suggestions", "list", "--json").stdout) == [ONE]
    service.on("GET", PLACE, answer({"suggestions": []}))
    assert "nothing is proposed" in service.run("suggestions", "list").stderr
    service.run("suggestions", "list", "--dismissed")
    assert service.asked[-1].query == {"dismissed": "1"}


def test_deciding(service: Service) -> None:
    """Several at once; a refusal ends it with its reason."""
    service.on("POST", f"{PLACE}/4/accept", answer({"change": 12}))
    service.on("POST", f"{PLACE}/5/accept", answer({"change": None}))
    done = service.run("suggestions", "accept", "4", "5")
    assert done.stdout.splitlines() == ["accepted: 4, change 12", "accepted: 5"]
    service.on("POST", f"{PLACE}/4/dismiss", answer(ONE | {"change": 13}))
    out = service.run("suggestions", "dismiss", "4").stdout
    assert out == "dismissed: block 203.0.113.7, change 13\n"
    service.on("POST", f"{PLACE}/6/accept", error("conflict", "mail was accepted", status=409))
    done = service.run("suggestions", "accept", "4", "6", "5")
    assert (done.exit_code, "mail was accepted" in done.stderr) == (1, True)
    assert done.stdout == "accepted: 4, change 12\n"
    assert "error" in json.loads(service.run("suggestions", "accept", "4", "6", "--json").stdout)
    assert service.run("suggestions", "accept").exit_code == 2
