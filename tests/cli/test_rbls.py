"""`rbl`: tables, and words for what is not known."""

import json
from typing import Any

from tests.cli.service import Answer, Service, answer

LIST: dict[str, Any] = {
    "zone": "wild.example",
    "created": "2026-11-27T10:00:00Z",
    "state": "wildcard",
    "says": "it lists everything: given up, perhaps, and sold",
    "since": "2026-11-27T10:00:00Z",
    "checked": "2026-11-27T10:30:00Z",
}
FOUND = {"lists": [LIST], "proposals": ["zen.rbl.example"]}
PLACE = "/api/v1/rbls"


def test_lists(service: Service) -> None:
    """With how they fare, and which the mail servers use."""
    service.on("GET", PLACE, answer(FOUND))
    lines = service.run("rbl", "list").stdout.splitlines()
    assert lines[1].split("\t")[:2] == ["wild.example", "wildcard"]
    assert lines[-1] == "not asked, but used by your mail servers: zen.rbl.example"
    assert json.loads(service.run("rbl", "list", "--json").stdout) == FOUND
    service.on("GET", PLACE, answer({"lists": [], "proposals": []}))
    assert "no public RBL is asked" in service.run("rbl", "list").stderr


def test_changing_them(service: Service) -> None:
    """Adding tells how it fares."""
    others = [LIST | {"zone": "other.example"}, LIST]
    service.on("POST", PLACE, answer({"lists": others, "proposals": []}, 201))
    (_, line) = service.run("rbl", "add", "Wild.example.").stdout.splitlines()
    assert line.split("\t")[:2] == ["wild.example", "wildcard"]
    assert service.asked[-1].json == {"zone": "Wild.example."}
    service.on("DELETE", f"{PLACE}/wild.example", Answer(204))
    assert service.run("rbl", "remove", "wild.example").stdout == "removed: wild.example\n"
    assert service.run("rbl", "remove", "a/b").exit_code == 1
    service.on("POST", f"{PLACE}/health", answer(FOUND))
    assert "it lists everything" in service.run("rbl", "health").stdout


def test_a_client(service: Service) -> None:
    """Unknown is not the same as not listed."""
    said = {
        "client": "203.0.113.7",
        "lists": [
            {"zone": "a", "listed": True, "codes": ["127.0.0.2"], "note": "", "asked": None},
            {"zone": "b", "listed": False, "codes": [], "note": "", "asked": None},
            {"zone": "c", "listed": None, "codes": [], "note": "no answer", "asked": None},
        ],
    }
    service.on("GET", f"{PLACE}/check", answer(said))
    lines = service.run("rbl", "check", "203.0.113.7").stdout.splitlines()
    assert lines[1:] == ["a\tlisted\t127.0.0.2\t", "b\tnot listed\t\t", "c\tnot known\t\tno answer"]


def test_a_comparison(service: Service) -> None:
    """A table, then what is worth a word."""
    found = {
        "since": "2026-10-28T00:00:00Z",
        "complete": False,
        "lists": [
            {
                "zone": "zen.rbl.example",
                "own": False,
                "stopped": 1234,
                "clients": 17,
                "alone": 16,
                "together": [{"zone": "mailmum.internal", "clients": 1}],
                "senders": 1,
                "accepted": 7,
                "examples": [{"client": "198.51.100.201", "stopped": 1, "accepted": 7}],
            }
        ],
    }
    service.on("GET", f"{PLACE}/compare", answer(found))
    lines = service.run("rbl", "compare", "--days", "7").stdout.splitlines()
    assert lines == [
        "list\tstopped\tclients\talone\talso senders\ttheir mail",
        "zen.rbl.example\t1,234\t17\t16\t1\t7",
        "zen.rbl.example: of its clients were stopped by others, too: mailmum.internal 1",
        "zen.rbl.example: stopped 198.51.100.201 (1), which delivered accepted mail (7)",
        "there is very much of it: compared since 2026-10-28 00:00:00 UTC",
    ]
    assert service.asked[-1].query == {"days": "7"}
