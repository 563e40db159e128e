"""`server add | list | show | edit | rotate-key | remove`."""

import json

import pytest

from tests.cli.service import Service, answer, error
from tests.cli.shapes import KEY, server


def test_a_server_tells_when_it_logged_last(service: Service) -> None:
    """Only of a server whose log is read."""
    one = server("mx1", last_logged="2026-11-22T15:00:00Z")
    service.on("GET", "/api/v1/servers/mx1", answer(one), answer(server("mx1")))
    assert "last logged: 2026-11-22 15:00:00 UTC" in service.run("server", "show", "mx1").stdout
    assert "last logged" not in service.run("server", "show", "mx1").stdout


def test_add_sends_name_and_addresses_and_shows_the_zones(service: Service) -> None:
    """What comes next is told."""
    service.on("POST", "/api/v1/servers", answer(server(), 201))
    result = service.run(
        "server", "add", "mx1", "--address", "192.0.2.25", "--address", "mx1.example.net"
    )
    assert result.exit_code == 0
    sent = {"name": "mx1", "addresses": ["192.0.2.25", "mx1.example.net"]}
    assert service.asked[0].json == sent
    assert f"bl   {KEY}.bl.mailmum.internal  (blocked addresses)" in result.stdout
    assert result.stdout.endswith("next: mailmum postfix setup --server mx1\n")


def test_add_as_json_has_key_and_zones(service: Service) -> None:
    """The contract of scripts: name, key, zones."""
    service.on("POST", "/api/v1/servers", answer(server(), 201))
    told = json.loads(service.run("server", "add", "mx1", "--json").stdout)
    assert told["name"] == "mx1"
    assert told["key"] == KEY
    assert set(told["zones"]) == {"bl", "wl", "dbl", "dwl"}


def test_a_name_that_is_taken(service: Service) -> None:
    """Exit 1 with the reason."""
    refused = error("conflict", "there is a server mx1 already", "choose another", status=409)
    service.on("POST", "/api/v1/servers", refused)
    result = service.run("server", "add", "mx1")
    assert result.exit_code == 1
    assert result.stderr == "mailmum: there is a server mx1 already; choose another\n"


def test_list(service: Service) -> None:
    """A line each; what was never asked says so."""
    found = [server(), server("mx2", last_query="2026-11-22T15:00:00Z", addresses=[])]
    service.on("GET", "/api/v1/servers", answer({"servers": found}))
    lines = service.run("server", "list").stdout.splitlines()
    assert lines[1].split("\t") == ["mx1", KEY, "never", "192.0.2.25"]
    assert lines[2].split("\t") == ["mx2", KEY, "2026-11-22 15:00:00 UTC", ""]
    assert json.loads(service.run("server", "list", "--json").stdout) == found


def test_a_list_says_where_blocking_is_paused(service: Service) -> None:
    """Once for the account, beside the table, which scripts read; a forgotten pause costs most."""
    whole = {"scope": "account", "until": None}
    own = {"scope": "mx3", "until": "2026-11-22T15:00:00Z"}
    found = [server(paused=whole), server("mx2", paused=whole), server("mx3", paused=own)]
    service.on("GET", "/api/v1/servers", answer({"servers": found}))
    result, until = service.run("server", "list"), "2026-11-22 15:00:00 UTC"
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.splitlines() == [
        "mailmum: blocking is paused for the account until you resume it: nothing is blocked",
        f"mailmum: blocking is paused for server mx3 until {until}: nothing is blocked",
    ]


def test_an_empty_list_says_what_to_do(service: Service) -> None:
    """The first command of a new administrator."""
    service.on("GET", "/api/v1/servers", answer({"servers": []}))
    assert "mailmum server add NAME" in service.run("server", "list").stderr


def test_show_tells_old_keys(service: Service) -> None:
    """Those that are still answered, and those that are not."""
    old = [
        {"key": "aaaabbbbcccc", "until": "2026-11-29T10:00:00Z", "revoked": False},
        {"key": "ddddeeeeffff", "until": "2026-11-01T10:00:00Z", "revoked": True},
    ]
    service.on("GET", "/api/v1/servers/mx1", answer(server(old_keys=old)))
    out = service.run("server", "show", "mx1").stdout
    assert "old key aaaabbbbcccc: still answered until 2026-11-29 10:00:00 UTC" in out
    assert "old key ddddeeeeffff: revoked since 2026-11-01 10:00:00 UTC" in out


@pytest.mark.parametrize("name", ["", "a/b", "..", "."])
def test_a_name_that_cannot_be_one_is_never_asked_for(service: Service, name: str) -> None:
    """It would name another resource of the API."""
    result = service.run("server", "remove", name)
    assert result.exit_code == 1
    assert "there is no server" in result.stderr
    assert service.asked == []


def test_a_strange_name_stays_one_segment(service: Service) -> None:
    """Blanks and question marks are escaped in the address."""
    service.on("GET", "/api/v1/servers/a%20b%3F", answer(server()))
    assert service.run("server", "show", "a b?").exit_code == 0


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["--name", "mx9"], {"name": "mx9"}),
        (["--address", "192.0.2.26"], {"addresses": ["192.0.2.26"]}),
        (["--no-addresses"], {"addresses": []}),
    ],
)
def test_edit_sends_what_changes(service: Service, options: list[str], sent: object) -> None:
    """What is left out stays."""
    service.on("PATCH", "/api/v1/servers/mx1", answer(server()))
    assert service.run("server", "edit", "mx1", *options).exit_code == 0
    assert service.asked[0].json == sent


@pytest.mark.parametrize("options", [[], ["--address", "192.0.2.1", "--no-addresses"]])
def test_edit_without_sense_is_wrong_usage(service: Service, options: list[str]) -> None:
    """Nothing to change, or a contradiction."""
    assert service.run("server", "edit", "mx1", *options).exit_code == 2
    assert service.asked == []


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (["--ttl", "120"], {"ttl": 120, "code": "127.0.0.8", "text": "Ask us"}),
        (["--code", "127.0.0.9", "--text", ""], {"ttl": None, "code": "127.0.0.9", "text": ""}),
        (["--code", "", "--ttl", ""], {"ttl": None, "code": None, "text": "Ask us"}),
    ],
)
def test_its_own_answers(service: Service, options: list[str], sent: object) -> None:
    """What is left out stays, what is given empty is the account's; shown where it differs."""
    own = {"ttl": None, "code": "127.0.0.8", "text": "Ask us"}
    service.on("GET", "/api/v1/servers/mx1", answer(server(own=own)))
    service.on("PATCH", "/api/v1/servers/mx1", answer(server(own=own)))
    shown = service.run("server", "edit", "mx1", *options).stdout
    assert service.asked[-1].json == {"own": sent}
    assert "  answers of its own: code 127.0.0.8, text Ask us\n" in shown


@pytest.mark.parametrize("ttl", ["1h", "-5", "9" * 20, "²"])
def test_a_ttl_is_a_number(service: Service, ttl: str) -> None:
    """Refused before anything is asked."""
    assert service.run("server", "edit", "mx1", "--ttl", ttl).exit_code == 2
    assert service.asked == []


@pytest.mark.parametrize(("options", "keep"), [([], None), (["--keep", "0s"], "0s")])
def test_rotate_key(service: Service, options: list[str], keep: str | None) -> None:
    """Without --keep the account's parameter holds."""
    service.on("POST", "/api/v1/servers/mx1/rotate-key", answer(server(key="newkey234567")))
    result = service.run("server", "rotate-key", "mx1", *options)
    assert service.asked[0].json == {"keep": keep}
    assert "newkey234567.bl." in result.stdout
    assert "mailmum postfix setup --server mx1" in result.stdout


def test_remove_says_what_went_with_it(service: Service) -> None:
    """The server's own listings."""
    removed = {"removed": "mx1", "listings": 3, "change": 9}
    service.on("DELETE", "/api/v1/servers/mx1", answer(removed))
    result = service.run("server", "remove", "mx1")
    assert result.stdout == "removed: server mx1 with 3 listings of its own\n"
    assert json.loads(service.run("server", "remove", "mx1", "--json").stdout) == removed


def test_who_may_ask(service: Service) -> None:
    """Given, taken back, and shown with who was refused."""
    barred = {"queries": 7, "sender": "203.0.113.9", "last": "2026-11-22T15:00:00Z"}
    one = server(askers=["192.0.2.0/24"], barred=barred)
    service.on("PATCH", "/api/v1/servers/mx1", answer(one), answer(server()))
    service.on("POST", "/api/v1/servers", answer(one, 201))
    shown = service.run("server", "edit", "mx1", "--asked-from", "192.0.2.0/24").stdout
    assert service.asked[-1].json == {"askers": ["192.0.2.0/24"]}
    assert "asked from: 192.0.2.0/24\n" in shown
    assert "refused: 7 lookups from elsewhere, the last by 203.0.113.9, 2026-11-22 15:00" in shown
    shown = service.run("server", "edit", "mx1", "--asked-from-anywhere").stdout
    assert service.asked[-1].json == {"askers": []}
    assert "asked from" not in shown
    service.run("server", "add", "mx1", "--asked-from", "192.0.2.0/24")
    assert service.asked[-1].json["askers"] == ["192.0.2.0/24"]
    both = ("--asked-from", "192.0.2.1", "--asked-from-anywhere")
    assert service.run("server", "edit", "mx1", *both).exit_code == 2
