"""`block`, `allow`, `unlist`, `listings`: what is sent, what is said."""

import json
from typing import Any

import pytest

from tests.cli.service import Service, answer, error
from tests.cli.shapes import listing


def listed(*outcomes: tuple[dict[str, Any], str, dict[str, Any] | None]) -> Any:
    """The answer to block and allow."""
    made = [{"listing": one, "outcome": word, "was": was} for one, word, was in outcomes]
    return answer({"change": 7, "listings": made})


@pytest.mark.parametrize("action", ["block", "allow"])
def test_only_what_was_given_is_sent(service: Service, action: str) -> None:
    """What is left out keeps its value when the target is listed already."""
    service.on("POST", "/api/v1/listings", listed((listing(action=action), "added", None)))
    result = service.run(action, "203.0.113.7")
    assert result.exit_code == 0
    assert service.asked[0].json == {"targets": ["203.0.113.7"], "action": action}
    assert result.stdout == f"added: {action} 203.0.113.7 (all servers)\n"


def test_every_option_is_sent(service: Service) -> None:
    """One request with everything."""
    service.on("POST", "/api/v1/listings", listed((listing(), "added", None)))
    options = "--server mx1 --for 7d --reason spam --note mine --code 127.0.0.9 --force"
    service.run("block", "203.0.113.7", ".spam.example", *options.split())
    assert service.asked[0].json == {
        "targets": ["203.0.113.7", ".spam.example"],
        "action": "block",
        "server": "mx1",
        "for": "7d",
        "reason": "spam",
        "note": "mine",
        "code": "127.0.0.9",
        "force": True,
    }


def test_empty_texts_and_never_clear(service: Service) -> None:
    """An option that was given empty is sent: it takes a former value away."""
    service.on("POST", "/api/v1/listings", listed((listing(), "changed", listing(reason="x"))))
    service.run("block", "203.0.113.7", "--reason", "", "--for", "never")
    sent = service.asked[0].json
    assert sent["reason"] == ""
    assert sent["for"] is None


def test_standard_input(service: Service) -> None:
    """`-` reads one target a line."""
    service.on("POST", "/api/v1/listings", listed((listing(), "added", None)))
    service.run("block", "-", input="# spammers\n203.0.113.7\n\n.top # all of it\n")
    assert service.asked[0].json["targets"] == ["203.0.113.7", ".top"]


@pytest.mark.parametrize("verb", ["block", "allow", "unlist"])
def test_empty_standard_input_does_nothing(service: Service, verb: str) -> None:
    """A pipeline that found nothing is no failure, and nothing is asked of the service."""
    result = service.run(verb, "-", "--json", input="# none\n")
    assert result.exit_code == 0
    assert "no target on standard input" in result.stderr
    assert json.loads(result.stdout)["change"] is None
    assert service.asked == []


def test_what_a_changed_listing_was_is_told(service: Service) -> None:
    """With the summary when there are several."""
    was = listing(action="allow", reason="customer")
    service.on(
        "POST",
        "/api/v1/listings",
        listed(
            (listing(expires="2026-12-01T00:00:00Z"), "changed", was),
            (listing("192.0.2.1"), "unchanged", None),
        ),
    )
    assert service.run("block", "203.0.113.7", "192.0.2.1").stdout.splitlines() == [
        (
            "changed: block 203.0.113.7 (all servers), until 2026-12-01 00:00:00 UTC; "
            'was: allow 203.0.113.7 (all servers), "customer"'
        ),
        "unchanged: block 192.0.2.1 (all servers)",
        "0 added, 1 changed, 1 unchanged in change 7",
    ]


def test_json_of_a_block(service: Service) -> None:
    """Each listing with what became of it, and the number of the change."""
    service.on("POST", "/api/v1/listings", listed((listing(), "changed", listing(action="allow"))))
    told = json.loads(service.run("block", "203.0.113.7", "--json").stdout)
    assert told["change"] == 7
    assert told["listings"] == [{**listing(), "outcome": "changed", "was": listing(action="allow")}]


def test_a_reason_of_a_stranger_cannot_steer_the_terminal(service: Service) -> None:
    """What comes back is shown escaped."""
    found = listing(reason="\x1b[2Jfree\nadded: allow 0.0.0.0/0")
    service.on("POST", "/api/v1/listings", listed((found, "added", None)))
    out = service.run("block", "203.0.113.7").stdout
    assert out.count("\n") == 1
    assert "\x1b" not in out


def test_a_guarded_target_needs_force(service: Service) -> None:
    """The service's message is passed on."""
    refused = error(
        "needs-confirmation", "10.0.0.1 is in private space", "repeat it with --force", status=409
    )
    service.on("POST", "/api/v1/listings", refused)
    result = service.run("block", "10.0.0.1", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "needs-confirmation"
    assert result.stderr == "mailmum: 10.0.0.1 is in private space; repeat it with --force\n"


def test_unlist_of_what_is_not_listed_is_no_failure(service: Service) -> None:
    """It says so and exits 0."""
    removed = {"change": 8, "removed": [listing()], "not_listed": ["198.51.100.1"]}
    service.on("POST", "/api/v1/listings/remove", answer(removed))
    result = service.run("unlist", "203.0.113.7", "198.51.100.1", "--server", "mx1")
    assert result.exit_code == 0
    assert service.asked[0].json == {"targets": ["203.0.113.7", "198.51.100.1"], "server": "mx1"}
    assert result.stdout.splitlines() == [
        "removed: block 203.0.113.7 (all servers)",
        "not listed: 198.51.100.1 (server mx1)",
    ]


def test_listings_asks_with_its_filters(service: Service) -> None:
    """Server, covering client and action."""
    service.on("GET", "/api/v1/listings", answer({"listings": [listing()], "next": None}))
    service.run("listings", "--server", "mx1", "--covering", "203.0.113.7", "--action", "block")
    asked = service.asked[0].query
    assert asked.pop("limit") == "1000"
    assert asked == {"server": "mx1", "covering": "203.0.113.7", "action": "block"}


def test_listings_as_json_is_a_list_of_listings(service: Service) -> None:
    """All pages in one document."""
    service.on(
        "GET",
        "/api/v1/listings",
        answer({"listings": [listing(id=2)], "next": "2"}),
        answer({"listings": [listing(id=1)], "next": None}),
    )
    told = json.loads(service.run("listings", "--json").stdout)
    assert told == [listing(id=2), listing(id=1)]


def test_a_disabled_imported_listing_in_a_row(service: Service) -> None:
    """Source with its origin, state with the action."""
    found = listing(enabled=False, source="feed", origin="drop.txt", code="127.0.0.9")
    service.on("GET", "/api/v1/listings", answer({"listings": [found], "next": None}))
    row = service.run("listings").stdout.splitlines()[1].split("\t")
    expected = ["12", "203.0.113.7", "block (disabled)", "account", "feed drop.txt", "127.0.0.9"]
    assert row == [*expected, "", ""]
