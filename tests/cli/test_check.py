"""`check`: the verdict first, numbers with their words, and commands to run."""

import json
from typing import Any

import pytest

from tests.cli.service import Service, answer, error
from tests.cli.shapes import checked, listing

LOST = {
    "client": "198.51.100.201",
    "name": "out1.news.example",
    "country": "DE",
    "contacts": 620,
    "accepted": 610,
    "rejected": 10,
    "kept": False,
}


def told(service: Service, *words: str, **more: Any) -> list[str]:
    """What is printed."""
    service.on("GET", "/api/v1/check", answer(checked(**more)))
    return service.run("check", "198.51.100.0/24", *words).stdout.splitlines()


def test_all_of_it_in_the_order_of_importance(service: Service) -> None:
    """Verdict, reasons, counts, who, listings, better ways."""
    lines = told(
        service,
        verdict="dangerous",
        warnings=["3 clients delivered 1,204 accepted messages in 30 days"],
        contacts=3137,
        clients=41,
        accepted=1204,
        rejected=1933,
        servers=[{"server": "mx1", "contacts": 1, "clients": 1, "accepted": None, "rejected": 0}],
        hits=[LOST, LOST | {"client": "198.51.100.9", "accepted": 0}],
        senders=[{"domain": "news.example", "messages": 610}],
        refused_senders=[{"domain": "<>", "contacts": 1200}],
        names=[{"name": "a.example", "verified": False, "contacts": 9, "accepted": 0}],
        countries=[{"country": "DE", "clients": 3}],
        covered_by=[
            listing("198.51.0.0/16", id=4),
            listing("198.51.100.0/24", id=-3, source="feed", origin="drop"),
        ],
        inside=[listing("198.51.100.7", id=5)] * 6,
        more_inside=10,
        better=[
            {
                "way": "narrower",
                "block": ["198.51.100.64/27"],
                "allow": [],
                "stops": 1893,
                "of": 1933,
                "commands": ["mailmum block 198.51.100.64/27"],
            }
        ],
    )
    assert lines == [
        "198.51.100.0/24: dangerous",
        "  ! 3 clients delivered 1,204 accepted messages in 30 days",
        "  3,137 contacts of 41 clients since 2026-10-23, 1,204 accepted, 1,933 rejected",
        "  holds 256 addresses",
        "  clients by country: DE 3",
        "  at mx1: 1 contact of 1 client, unknown accepted, 0 rejected",
        "  delivers mail: 198.51.100.201 (out1.news.example), 610 accepted, 10 rejected",
        "  senders of the latest accepted mail: news.example 610",
        "  senders of what was turned away lately: <> 1,200",
        "  names: a.example (claimed)",
        "  covered by listing 4: block 198.51.0.0/16 (all servers)",
        "  covered by an entry: block 198.51.100.0/24 (all servers), from feed drop",
        *["  inside is listing 5: block 198.51.100.7 (all servers)"] * 5,
        "  and 11 more listings inside",
        "  better: block less; would have stopped 1,893 of 1,933 and no accepted sender",
        "    mailmum block 198.51.100.64/27",
    ]


def test_what_is_unknown_is_not_zero(service: Service) -> None:
    """Nor is an IPv6 network written out; an address holds one."""
    lines = told(service, accepted=None, contacts=4, addresses=2**96, country="NL")
    assert "accepted unknown" in lines[1]
    assert lines[2] == "  holds 2^96 addresses, NL"
    lines = told(service, addresses=1, reverse=["mail.city.example"])
    assert lines[2:4] == ["  holds 1 address", "  reverse name: mail.city.example"]
    assert not any("holds" in line for line in told(service, addresses=None))


def test_why_it_is_safe(service: Service) -> None:
    """The verdict has its reason, too, and nothing seen is no row of noughts."""
    lines = told(service, verdict="safe", contacts=80, clients=1, accepted=0, rejected=80)
    assert lines[0].endswith(": safe")
    assert lines[1:3] == [
        "  no accepted mail would have been lost",
        "  80 contacts of 1 client since 2026-10-23, 0 accepted, 80 rejected",
    ]
    lines = told(service, verdict="safe", contacts=0)
    assert lines[1] == "  nothing was seen of it since 2026-10-23"


def test_options_and_json(service: Service) -> None:
    """They go out as they are; the answer comes as it is."""
    service.on("GET", "/api/v1/check", answer(checked()))
    done = service.run("check", ".top", "--server", "mx1", "--days", "7", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, checked())
    assert service.asked[0].query == {"target": ".top", "server": "mx1", "days": "7"}


@pytest.mark.parametrize("verdict", ["safe", "caution", "dangerous"])
def test_the_exit_status_is_0_whatever_the_verdict(service: Service, verdict: str) -> None:
    """It is an answer, not a failure."""
    service.on("GET", "/api/v1/check", answer(checked(verdict=verdict)))
    assert service.run("check", "198.51.100.0/24").exit_code == 0


def test_what_strangers_call_themselves_moves_no_cursor(service: Service) -> None:
    """Names and senders are made visible."""
    lines = told(
        service,
        senders=[{"domain": "a\x1b[2J", "messages": 1}],
        refused_senders=[{"domain": "b\x1b[2J", "contacts": 1}],
        reverse=["c\x1b[2J"],
        hits=[LOST],
    )
    for letter in "abc":
        assert f"{letter}\\x1b[2J" in "".join(lines)
    assert "\x1b" not in "".join(lines)


def test_a_refusal_is_passed_on(service: Service) -> None:
    """Exit 1 with the service's words."""
    refused = error("bad-input", "bits beyond /24 are set", "did you mean it?", status=422)
    service.on("GET", "/api/v1/check", refused)
    done = service.run("check", "203.0.113.7/24")
    assert (done.exit_code, done.stderr.count("did you mean it?")) == (1, 1)
