"""`feed` and `provider`: what is sent, what is said, and how they end."""

import json
from pathlib import Path
from typing import Any

from tests.cli.service import Service, answer, error


def feed(name: str = "drop", **more: Any) -> dict[str, Any]:
    """A feed as the API gives it."""
    return {
        "id": 3,
        "name": name,
        "kind": "url",
        "source": "https://lists.example/drop.txt",
        "format": "",
        "action": "block",
        "use": "list",
        "scope": "account",
        "reason": "",
        "code": None,
        "every": "6h",
        "shrink": 50,
        "grow": 100,
        "state": "ok",
        "entries": 60,
        "addresses": 60,
        "changed": "2026-11-22T10:00:00Z",
        "checked": "2026-11-22T10:00:00Z",
        "next": "2026-11-22T16:00:00Z",
        "failing": None,
        "problem": "",
        "versions": [],
    } | more


def test_a_feed_is_changed(service: Service) -> None:
    """Only what was said is sent; to say nothing is a mistake."""
    service.on("PATCH", "/api/v1/feeds/drop", answer(feed(every="1h")))
    result = service.run("feed", "edit", "drop", "--every", "1h", "--shrink", "0")
    assert (result.exit_code, result.stdout) == (0, "drop: ok, blocks at all servers, every 1 h\n")
    [asked] = service.asked
    assert json.loads(asked.body) == {"every": "1h", "shrink": 0}
    assert service.run("feed", "edit", "drop").exit_code == 2


def test_the_code_of_a_feed_is_changed(service: Service) -> None:
    """To another, or by an empty one to the usual; both are told."""
    service.on("PATCH", "/api/v1/feeds/drop", answer(feed(code="127.0.0.9")))
    result = service.run("feed", "edit", "drop", "--code", "127.0.0.9")
    assert result.stdout == "drop: ok, blocks at all servers, every 6 h, code 127.0.0.9\n"
    service.on("PATCH", "/api/v1/feeds/drop", answer(feed(kind="upload", source="")))
    result = service.run("feed", "edit", "drop", "--code", "")
    assert result.stdout == "drop: ok, blocks at all servers\n"
    assert [json.loads(one.body) for one in service.asked] == [{"code": "127.0.0.9"}, {"code": ""}]
    service.on("GET", "/api/v1/feeds/drop", answer(feed(code="127.0.0.9", reason="Listed")))
    lines = service.run("feed", "show", "drop").stdout.splitlines()
    assert lines[2:4] == ["reason: Listed", "return code: 127.0.0.9"]


def test_what_a_provider_is_for_is_changed(service: Service) -> None:
    """In the words of the command line; to say nothing is a mistake."""
    service.on("GET", "/api/v1/feeds/Webmail", answer(feed(name="Webmail", kind="spf")))
    service.on("PATCH", "/api/v1/feeds/Webmail", answer(feed(name="Webmail", kind="spf")))
    assert service.run("provider", "edit", "Webmail", "--use", "allow").exit_code == 0
    assert json.loads(service.asked[-1].body) == {"use": "list"}
    more = ("--code", "127.0.0.9", "--shrink", "9", "--grow", "0")
    assert service.run("provider", "edit", "Webmail", *more).exit_code == 0
    wanted = {"code": "127.0.0.9", "shrink": 9, "grow": 0}
    assert json.loads(service.asked[-1].body) == wanted
    # A list that blocks is not made to allow by it.
    service.on("GET", "/api/v1/feeds/drop", answer(feed()))
    done = service.run("provider", "edit", "drop", "--use", "allow")
    assert (done.exit_code, "mailmum feed edit drop" in done.stderr) == (1, True)
    assert service.run("provider", "edit", "Webmail").exit_code == 2


PREVIEW: dict[str, Any] = {
    "entries": 10_000,
    "sample": [f"203.0.113.{number}" for number in range(20)],
    "format": "plain",
    "lines": 10_050,
    "exceptions": 0,
    "left_out": {"is in private space": 1_200},
    "own_servers": [],
    "missing": [],
    "undenied": [],
    "bad": 50,
    "bad_lines": [
        {"line": number, "text": "\x1b[2J", "problem": "\x1b[2J is no target"}
        for number in range(1, 21)
    ],
    "impact": {
        "verdict": "dangerous",
        "warnings": ["2 clients delivered 1,204 accepted messages in 30 days"],
        "days": 30,
        "since": "2026-10-29T00:00:00Z",
        "complete": True,
        "contacts": 3137,
        "clients": 41,
        "accepted": 1204,
        "rejected": 1933,
        "kept": 4,
        "hits": [
            {"client": "203.0.113.7", "accepted": 1200, "rejected": 1, "kept": False},
            {"client": "203.0.113.8", "accepted": 4, "rejected": 0, "kept": True},
            *({"client": "203.0.113.9", "accepted": 0, "rejected": 9, "kept": False},) * 18,
        ],
    },
}


def test_a_look_at_a_file_before_it_is_handed_in(service: Service, tmp_path: Path) -> None:
    """What it would bring and whom that would have hit, in a few lines however long it is."""
    file = tmp_path / "list.csv"
    file.write_text("203.0.113.7\n")
    service.on("POST", "/api/v1/feeds/preview/upload", answer(PREVIEW))
    more = ("--dry-run", "--action", "block", "--server", "mx1", "--format", "plain")
    done = service.run("feed", "add", "mine", str(file), *more)
    assert (done.exit_code, done.stderr) == (0, "")
    [asked] = service.asked
    assert asked.body == file.read_bytes()
    wanted = {"filename": "list.csv", "format": "plain", "action": "block", "server": "mx1"}
    assert asked.query == wanted
    seen = "3,137 contacts of 41 clients since 2026-10-29"
    assert done.stdout.splitlines() == [
        "10,000 entries, read as plain; nothing was kept",
        *(f"  203.0.113.{number}" for number in range(5)),
        "  and 9,995 more",
        "  1,200 left out: is in private space",
        *(f"  line {number} cannot be read: \\x1b[2J is no target" for number in range(1, 6)),
        "  and 45 further lines",
        "to block all of it: dangerous",
        "  ! 2 clients delivered 1,204 accepted messages in 30 days",
        f"  {seen}, 1,204 accepted, 4 of these kept by your allows, 1,933 rejected",
        "  delivers mail: 203.0.113.7, 1,200 accepted, 1 rejected",
        "  delivers mail: 203.0.113.8, 4 accepted, 0 rejected, kept by an allow",
    ]
    done = service.run("feed", "add", "mine", str(file), *more, "--json")
    assert json.loads(done.stdout) == PREVIEW


def test_a_look_at_what_would_renew_a_feed(service: Service, tmp_path: Path) -> None:
    """Read by the service as the feed reads it; what would come and go is told."""
    file = tmp_path / "list.txt"
    file.write_text("203.0.113.7\n")
    path = "/api/v1/feeds/mine/preview"
    changes = {"added": 1234, "removed": 2, "impact": None}
    service.on("POST", path, answer(PREVIEW | changes))
    done = service.run("feed", "upload", "mine", str(file), "--dry-run")
    assert done.stdout.startswith(
        "10,000 entries, read as plain; nothing was kept\n  1,234 added, 2 removed\n"
    )
    [asked] = service.asked
    assert (asked.path, asked.query, asked.body) == (
        path,
        {"filename": "list.txt"},
        file.read_bytes(),
    )


def test_a_look_at_what_is_fetched(service: Service) -> None:
    """The same; nothing is said of whom it would hit where it blocks nobody."""
    service.on("POST", "/api/v1/feeds/preview", answer(PREVIEW | {"impact": None, "bad": 0}))
    allows = ("--action", "allow", "--dry-run")
    done = service.run("feed", "add", "mine", "https://lists.example/", *allows)
    assert [one.path for one in service.asked] == ["/api/v1/feeds/preview"]
    assert "to block" not in done.stdout
    nothing = PREVIEW["impact"] | {"contacts": 0, "warnings": [], "hits": []}
    service.on("POST", "/api/v1/feeds/preview", answer(PREVIEW | {"impact": nothing}))
    done = service.run("feed", "add", "mine", "https://lists.example/", "--dry-run")
    assert done.stdout.endswith("  nothing was seen of it since 2026-10-29\n")
    unknown = PREVIEW["impact"] | {"accepted": None, "kept": 0}
    service.on("POST", "/api/v1/feeds/preview", answer(PREVIEW | {"impact": unknown}))
    done = service.run("feed", "add", "mine", "https://lists.example/", "--dry-run")
    assert "since 2026-10-29, unknown accepted, 1,933 rejected" in done.stdout


def test_a_file_that_is_handed_in(service: Service, tmp_path: Path) -> None:
    """What is refused leaves a feed that waits for its list."""
    file = tmp_path / "list.txt"
    file.write_text("203.0.113.7\n")
    service.on("POST", "/api/v1/feeds", answer(feed("mine", kind="upload", source=""), 201))
    refused = error("bad-input", "the format is unclear", status=422)
    service.on("POST", "/api/v1/feeds/mine/upload", refused)
    done = service.run("feed", "add", "mine", str(file))
    assert done.exit_code == 1
    assert f"mailmum feed upload mine {file}" in done.stderr
    assert "the format is unclear" in done.stderr
    assert "the source is empty" in service.run("feed", "add", "mine", "").stderr


def test_a_feed_is_added_and_refreshed(service: Service) -> None:
    """With what was asked for, and nothing else."""
    service.on("POST", "/api/v1/feeds", answer(feed(), 201))
    done = feed(outcome="current", told="")
    service.on("POST", "/api/v1/feeds/drop/refresh", answer(done))
    result = service.run(
        "feed",
        "add",
        "drop",
        "https://lists.example/drop.txt",
        "--action",
        "allow",
        "--shrink",
        "9",
    )
    assert result.exit_code == 0
    assert result.stdout == "drop: 60 entries, current\n"
    sent = service.asked[0].json
    assert (sent["kind"], sent["action"], sent["shrink"]) == ("url", "allow", 9)
    assert sent["source"] == "https://lists.example/drop.txt"
    assert [one.path for one in service.asked] == ["/api/v1/feeds", "/api/v1/feeds/drop/refresh"]


def test_a_file_here_is_handed_in(service: Service, tmp_path: Path) -> None:
    """Its name goes along, for finding out the format; a missing one asks for nothing."""
    path = tmp_path / "list.csv"
    path.write_text("target\n192.0.2.1\n")
    service.on("POST", "/api/v1/feeds", answer(feed("mine", kind="upload", source=""), 201))
    done = feed("mine", kind="upload", source="", outcome="current", told="")
    service.on("POST", "/api/v1/feeds/mine/upload", answer(done))
    assert service.run("feed", "add", "mine", str(path)).exit_code == 0
    assert service.asked[1].body == path.read_bytes()
    assert service.asked[1].query == {"filename": "list.csv"}
    result = service.run("feed", "add", "mine", str(tmp_path / "none.txt"))
    assert (result.exit_code, "cannot be read" in result.stderr) == (1, True)
    assert len(service.asked) == 2


def test_a_refresh_that_fails_is_a_failure(service: Service) -> None:
    """It says that the feed stays as it was; as JSON too."""
    told, had = "lists.example answers with HTTP 404", [{"at": "2026-11-22T10:00:00Z"}]
    done = feed(outcome="failed", told=told, state="failing", versions=had)
    service.on("POST", "/api/v1/feeds/drop/refresh", answer(done))
    result = service.run("feed", "refresh", "drop")
    assert result.exit_code == 1
    assert "drop stays as it was (60 entries): lists.example answers with" in result.stderr
    result = service.run("feed", "refresh", "drop", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["outcome"] == "failed"
    service.on("POST", "/api/v1/feeds/drop/refresh", answer(done | {"versions": []}))
    result = service.run("feed", "refresh", "drop")
    assert "drop has nothing yet, and is tried again: lists.example" in result.stderr


def test_what_the_list_says_cannot_reach_the_terminal(service: Service) -> None:
    """Texts of others are made visible."""
    version = {
        "at": "2026-11-22T10:00:00Z",
        "state": "held",
        "entries": 1,
        "added": 0,
        "removed": 59,
        "held": "it shrank",
        "left_out": {"is in private space": 2},
        "own_servers": ["192.0.2.25"],
        "bad_lines": [{"line": 3, "text": "x", "problem": "\x1b[2J is no target"}],
        "undenied": ["exists:\x1b[2J%{i}.x.example"],
    }
    service.on("GET", "/api/v1/feeds/drop", answer(feed(versions=[version], state="held")))
    result = service.run("feed", "show", "drop")
    too_much = "may hold too much, denied to some senders by: exists:"
    for words in ("held back: it shrank", "2 left out: is in private space", too_much):
        assert words in result.stdout
    assert "\x1b" not in result.stdout


def test_what_covers_own_servers_is_counted(service: Service) -> None:
    """Nobody shall wonder why there are so few."""
    service.on("GET", "/api/v1/feeds/drop", answer(feed(entries=0, kept_out=3)))
    said = "drop: ok, 0 of 3 entries (3 left out: they cover own servers), blocks"
    assert said in service.run("feed", "show", "drop").stdout


def test_a_provider_that_is_proposed_needs_no_domain(service: Service) -> None:
    """Its name is found in any case; an unknown one says what to do."""
    known = {"providers": [{"name": "Google", "domain": "_spf.google.com"}]}
    service.on("GET", "/api/v1/providers", answer(known))
    made = feed("Google", kind="spf", source="_spf.google.com", use="except", action="allow")
    service.on("POST", "/api/v1/feeds", answer(made, 201))
    service.on(
        "POST", "/api/v1/feeds/Google/refresh", answer(made | {"outcome": "current", "told": ""})
    )
    assert service.run("provider", "add", "google").exit_code == 0
    sent = service.asked[1].json
    assert (sent["name"], sent["source"], sent["use"]) == ("Google", "_spf.google.com", "except")
    result = service.run("provider", "add", "nobody")
    assert (result.exit_code, "mailmum provider proposals" in result.stderr) == (1, True)


def test_names_that_cannot_be_one_are_never_asked_for(service: Service) -> None:
    """They would name another resource of the API."""
    for name in ("..", "a/b", ""):
        assert service.run("feed", "remove", name).exit_code == 1
    assert service.asked == []


def test_releasing_and_dropping(service: Service) -> None:
    """The refusal of the service comes through."""
    service.on("POST", "/api/v1/feeds/drop/release", answer(feed()))
    assert service.run("feed", "release", "drop").stdout == "drop: in force with 60 entries\n"
    assert service.run("feed", "release", "drop", "--drop").stdout == "drop: dropped\n"
    assert [one.json for one in service.asked] == [{"drop": False}, {"drop": True}]
    refused = error("conflict", "nothing of the feed drop is held back", status=409)
    service.on("POST", "/api/v1/feeds/drop/release", refused)
    result = service.run("feed", "release", "drop")
    assert (result.exit_code, result.stderr) == (
        1,
        "mailmum: nothing of the feed drop is held back\n",
    )


def test_a_provider_of_one_server(service: Service) -> None:
    """Where it counts is told, as of a list."""
    rows = [feed("Webmail", kind="spf", use=use, scope="mx1") for use in ("list", "except", "warn")]
    service.on("GET", "/api/v1/feeds", answer({"feeds": rows}))
    lines = service.run("provider", "list").stdout.splitlines()[1:]
    assert [line.split("\t")[2] for line in lines] == [
        "blocks at server mx1",
        "triggers leave them out at server mx1",
        "warns at server mx1",
    ]
