"""`explain`: verdict, reason and what was overruled; exit status 0 whatever it is."""

import json
from typing import Any

import pytest

from tests.cli.service import Service, answer, error
from tests.cli.shapes import listing, sighting

NET = listing("203.0.113.0/24", id=4, reason="spam")
ALLOW = listing(action="allow", id=9, scope="mx1")


def told(server: str | None = None, **more: Any) -> dict[str, Any]:
    """An explanation."""
    return {
        "client": "203.0.113.7",
        "server": server,
        "verdict": "block",
        "because": NET,
        "overruled": [],
        "servers": [],
        "sightings": [],
    } | more


def at(server: str, **more: Any) -> dict[str, Any]:
    """An explanation for one server of several."""
    return {"server": server, "verdict": "block", "because": NET, "overruled": []} | more


@pytest.mark.parametrize("verdict", ["block", "allow", "none"])
def test_the_exit_status_is_0_whatever_the_verdict(service: Service, verdict: str) -> None:
    """A verdict is an answer, not a failure."""
    because = None if verdict == "none" else NET
    service.on("GET", "/api/v1/explain", answer(told("mx1", verdict=verdict, because=because)))
    result = service.run("explain", "203.0.113.7", "--server", "mx1", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verdict"] == verdict
    assert service.asked[0].query == {"client": "203.0.113.7", "server": "mx1"}


def test_at_one_server(service: Service) -> None:
    """The listing that decided, then those overruled."""
    given = told("mx1", verdict="allow", because=ALLOW, overruled=[NET])
    service.on("GET", "/api/v1/explain", answer(given))
    assert service.run("explain", "203.0.113.7", "--server", "mx1").stdout.splitlines() == [
        "203.0.113.7 at server mx1: allow",
        "  because of listing 9: allow 203.0.113.7 (server mx1)",
        '  overruled: listing 4: block 203.0.113.0/24 (all servers), "spam"',
    ]


def test_at_all_servers_only_those_that_differ_are_told(service: Service) -> None:
    """Twenty servers of one mind are one line."""
    own = at("mx1", verdict="allow", because=ALLOW, overruled=[NET])
    service.on("GET", "/api/v1/explain", answer(told(servers=[own, at("mx2"), at("mx3")])))
    lines = service.run("explain", "203.0.113.7").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "203.0.113.7 at all servers: block",
        "203.0.113.7 at server mx1: allow",
    ]


def test_a_network_is_refused(service: Service) -> None:
    """The service's message is passed on, exit 1."""
    refused = error("bad-input", "203.0.113.0/24 is a network", "give one address", status=422)
    service.on("GET", "/api/v1/explain", refused)
    result = service.run("explain", "203.0.113.0/24")
    assert result.exit_code == 1
    assert result.stderr == "mailmum: 203.0.113.0/24 is a network; give one address\n"


def test_what_was_seen_of_it_last(service: Service) -> None:
    """A few lines, the latest first; all of them in JSON."""
    seen = [sighting(number) for number in range(9)]
    service.on("GET", "/api/v1/explain", answer(told("mx1", sightings=seen)))
    lines = service.run("explain", "203.0.113.7", "--server", "mx1").stdout.splitlines()
    assert [line[:40] for line in lines[2:]] == ["  seen 2026-11-22 14:20:07 UTC  mx1  rej"] * 5
    printed = json.loads(service.run("explain", "203.0.113.7", "--json").stdout)
    assert printed["sightings"] == seen
