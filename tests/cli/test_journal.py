"""`journal`: a table of changes, one whole change, and undoing it."""

import json
from typing import Any, get_args

from mailmum.api.journal import Wanted
from mailmum.cli.journal import journal
from mailmum.control.listings.history import KINDS
from tests.cli.service import Service, answer, error

PLACE = "/api/v1/journal"


def record(seq: int = 9, **more: Any) -> dict[str, Any]:
    """A change as the API tells it."""
    one = {
        "seq": seq,
        "when": "2026-11-27T10:00:00Z",
        "actor": "trigger guesses",
        "via": "",
        "what": "listing.trigger",
        "server": None,
        "summary": "203.0.113.7",
        "count": 1,
        "before": None,
        "after": [
            {
                "id": 4,
                "action": "block",
                "target": "203.0.113.7",
                "scope": "account",
                "source": "trigger",
                "origin": "guesses",
                "note": "10 failed logins within 1 h (10 are enough)",
            }
        ],
        "undoable": True,
        "undone_by": None,
        "evidence": [],
    }
    return one | more


def finding(target: str, count: int = 3) -> dict[str, Any]:
    """What a trigger had counted, as the API tells it."""
    return {
        "target": target,
        "listing": 4,
        "says": f"{count} connections within 1 h (3 are enough)",
        "evidence": {
            "first": "2026-11-27T09:00:00Z",
            "last": "2026-11-27T09:59:58Z",
            "servers": [{"server": "mx1", "count": count - 1}, {"server": "mx2", "count": 1}],
            "lists": [],
            "sightings": list(range(11, 11 + min(count, 50))),
        },
    }


def test_list(service: Service) -> None:
    """Newest first, no more than was asked for, whatever comes in a page."""
    pages = [
        {"records": [record(9), record(8, undone_by=9, undoable=False)], "next": 8},
        {"records": [record(7), record(6)], "next": None},
    ]
    service.on("GET", PLACE, *map(answer, pages))
    words = ("--kind", "triggers", "--target", "203.0.113.7", "--server", "mx1", "--limit", "3")
    lines = service.run("journal", "list", *words).stdout.splitlines()
    assert lines[0] == "change\twhen\twho\twhat\tserver\tabout\tundone"
    assert [line.split("\t")[0] for line in lines[1:]] == ["9", "8", "7"]
    assert lines[2].endswith("\t203.0.113.7\tundone by 9")
    given = {"kind": "triggers", "target": "203.0.113.7", "server": "mx1", "limit": "3"}
    assert [one.query for one in service.asked] == [given, given | {"cursor": "8"}]
    service.on("GET", PLACE, answer({"records": [], "next": None}))
    assert "there is no such change" in service.run("journal", "list").stderr
    assert service.run("journal", "list", "--json").stdout == "[]\n"


def test_kinds_are_those_of_the_pages() -> None:
    """One set of words, wherever changes are looked for."""
    kinds = next(one for one in journal.commands["list"].params if one.name == "kind").type
    assert list(kinds.choices) == list(KINDS)  # type: ignore[attr-defined]
    assert get_args(Wanted.model_fields["kind"].annotation) == ("", *KINDS)


def test_show(service: Service) -> None:
    """With the evidence of a trigger, and how to take it back."""
    service.on("GET", f"{PLACE}/9", answer(record()))
    assert service.run("journal", "show", "9").stdout.splitlines() == [
        "change 9: listing.trigger by trigger guesses, 2026-11-27 10:00:00 UTC",
        "  203.0.113.7",
        (
            "  after: listing 4: block 203.0.113.7 (all servers), from trigger guesses, "
            "note: 10 failed logins within 1 h (10 are enough)"
        ),
        "to undo it: mailmum journal undo 9",
    ]
    assert json.loads(service.run("journal", "show", "9", "--json").stdout) == record()
    told = record(
        what="account.set",
        server="mx1",
        before={"ttl": 60, "contact": "", "askers": []},
        after={"ttl": 30, "contact": "", "askers": ["192.0.2.1", "192.0.2.2"]},
        undoable=False,
        undone_by=11,
    )
    service.on("GET", f"{PLACE}/9", answer(told))
    assert service.run("journal", "show", "9").stdout.splitlines()[1:] == [
        "  203.0.113.7 (server mx1)",
        "  ttl: 60 -> 30",
        "  askers: none -> 192.0.2.1, 192.0.2.2",
        "undone by 11",
    ]


def test_times_are_those_of_people(service: Service) -> None:
    """Whether they are kept as typed, in seconds, or as a moment, which is how JSON has them."""
    changes = [
        ({"window": "10m", "days": 60}, {"window": "1d12h", "days": 30}),
        ({"blocks_from": 0}, {"blocks_from": 1795845198}),
        ({"blocks_from": None}, {"blocks_from": 0}),
        ({"key_keep": 604800, "digest": 60}, {"key_keep": 0, "digest": 90}),
        ({"expires": "2026-11-29T10:00:00Z"}, {"expires": None}),
        (None, {"old_key_lives": 3600}),
    ]
    shown = []
    for before, after in changes:
        told = record(before=before, after=after, undoable=False, undone_by=11)
        service.on("GET", f"{PLACE}/9", answer(told))
        shown.append(service.run("journal", "show", "9").stdout.splitlines()[2:-1])
        assert json.loads(service.run("journal", "show", "9", "--json").stdout) == told
    assert shown == [
        ["  window: 10 min -> 1 day 12 h", "  days: 60 -> 30"],
        ["  blocks_from: now -> 2026-11-28 05:53:18 UTC"],
        ["  blocks_from: somebody resumes -> now"],
        ["  key_keep: 7 days -> 0 s", "  digest: 1 min -> 1 min 30 s"],
        ["  expires: 2026-11-29 10:00:00 UTC -> none"],
        ["  after: old_key_lives 1 h"],
    ]


def test_the_reasons_of_a_trigger_stand_below(service: Service) -> None:
    """As `explain` tells them: when, where, and which sightings; of very many the latest."""
    service.on("GET", f"{PLACE}/9", answer(record(evidence=[finding("203.0.113.7")])))
    lines = service.run("journal", "show", "9").stdout.splitlines()
    when = "2026-11-27 09:00:00 UTC to 2026-11-27 09:59:58 UTC"
    assert lines[3:] == [
        "  why 203.0.113.7:",
        f"    3 connections within 1 h (3 are enough): {when}",
        "    mx1 2, mx2 1, sightings 11, 12, 13",
        "to undo it: mailmum journal undo 9",
    ]
    service.on("GET", f"{PLACE}/9", answer(record(evidence=[finding("203.0.113.7", 300)])))
    lines = service.run("journal", "show", "9").stdout.splitlines()
    assert lines[5] == "    mx1 299, mx2 1, of them the latest 50: sightings 11 to 60"


def test_undo(service: Service) -> None:
    """In one line; what stands in its way is told."""
    made = {"change": 12, "summary": "undid 9: 203.0.113.7"}
    service.on("POST", f"{PLACE}/9/undo", answer(made))
    result = service.run("journal", "undo", "9")
    assert result.stdout == "undid 9: 203.0.113.7, in change 12\n"
    refusal = error("conflict", "change 9 was undone by change 12 already", status=409)
    service.on("POST", f"{PLACE}/9/undo", refusal)
    result = service.run("journal", "undo", "9")
    assert (result.exit_code, "by change 12 already" in result.stderr) == (1, True)
    assert service.run("journal", "undo", "x").exit_code == 2
