"""`pause`, `resume`, and the same of a server."""

import json

from tests.cli.service import Service, answer, error
from tests.cli.shapes import listing, server

UNTIL = {"scope": "mx1", "until": "2026-11-22T15:00:00Z"}
OPEN = {"scope": "account", "until": None}


def test_pause_of_the_account(service: Service) -> None:
    """Without a time until one resumes; the same again says so."""
    answers = [answer({"change": change, "paused": OPEN}) for change in (7, None)]
    service.on("POST", "/api/v1/pause", *answers)
    said = "blocking is paused for the account until you resume it"
    assert service.run("pause").stdout == f"{said}\n"
    assert service.asked[0].json == {"for": None}
    assert service.run("pause").stdout == f"{said}, as before\n"


def test_pause_of_a_server_for_some_time(service: Service) -> None:
    """The time goes out as it was typed, and the end comes back."""
    service.on("POST", "/api/v1/servers/mx1/pause", answer({"change": 7, "paused": UNTIL}))
    result = service.run("server", "pause", "mx1", "--for", "2h")
    assert service.asked[0].json == {"for": "2h"}
    assert "paused for server mx1 until 2026-11-22 15:00:00 UTC" in result.stdout


def test_resume_tells_what_is_left(service: Service) -> None:
    """A server may still be under the account's pause; what was not paused is no error."""
    service.on("DELETE", "/api/v1/servers/mx1/pause", answer({"change": 8, "paused": OPEN}))
    lines = service.run("server", "resume", "mx1").stdout.splitlines()
    assert lines == [
        "resumed: listings of server mx1 block again",
        "blocking is paused for the account until you resume it",
    ]
    service.on("DELETE", "/api/v1/pause", answer({"change": None, "paused": None}))
    result = service.run("resume")
    assert (result.exit_code, result.stdout) == (0, "the account was not paused itself\n")


def test_as_json(service: Service) -> None:
    """What the service says."""
    told = {"change": 7, "paused": OPEN}
    service.on("POST", "/api/v1/pause", answer(told))
    assert json.loads(service.run("pause", "--json").stdout) == told


def test_refusals_are_told(service: Service) -> None:
    """Exit 1 with the reason."""
    refused = error("bad-input", "'soon' is no length of time", "write for example 7d", status=400)
    service.on("POST", "/api/v1/pause", refused)
    result = service.run("pause", "--for", "soon")
    assert result.exit_code == 1
    assert result.stderr == "mailmum: 'soon' is no length of time; write for example 7d\n"


def test_show_and_explain_tell_of_it(service: Service) -> None:
    """Why there is no verdict, and the listing that would block."""
    service.on("GET", "/api/v1/servers/mx1", answer(server(paused=UNTIL)))
    assert "blocking is paused for server mx1 until" in service.run("server", "show", "mx1").stdout
    verdict = {"verdict": "none", "because": None, "overruled": [listing()], "paused": UNTIL}
    explained = {"client": "203.0.113.7", "server": "mx1", **verdict, "servers": []}
    service.on("GET", "/api/v1/explain", answer({**explained, "sightings": []}))
    lines = service.run("explain", "203.0.113.7", "--server", "mx1").stdout.splitlines()
    assert lines[:2] == [
        "203.0.113.7 at server mx1: none",
        "  blocking is paused for server mx1 until 2026-11-22 15:00:00 UTC",
    ]
    assert lines[2].startswith("  overruled: listing 12")
