"""Tables for terminals, lines for pipes, JSON for programs."""

import json
import re
from collections.abc import Iterator

import pytest

from mailmum.cli.failures import Failure
from mailmum.cli.output import listing_text, print_json_list
from tests.cli.service import Service, answer
from tests.cli.shapes import listing
from tests.cli.terminal import on_a_terminal, without_style

TRICKY = "\x1b[2J[bold red]free[/]\n203.0.113.9\tblock \u202e"


def test_a_terminal_gets_a_table_in_which_nothing_is_markup(service: Service) -> None:
    """Brackets stay brackets, and escapes in a reason stay text in its own row."""
    page = {"listings": [listing(reason=TRICKY), listing("192.0.2.1")], "next": None}
    service.on("GET", "/api/v1/listings", answer(page))
    shown = without_style(on_a_terminal(service, "listings"))
    assert "\x1b" not in shown
    assert "\\x1b[2J[bold red]free[/]\\n203.0.113.9\\tblock \\u202e" in shown
    rows = [line for line in shown.splitlines() if re.match(r"\s*12 ", line)]
    assert len(rows) == 2
    assert "Target" in shown


LONG = "2001:db8:1234:5678:9abc:def0:1234:5678"


def test_an_address_stays_in_one_line(service: Service) -> None:
    """So that it can be copied; prose is what wraps, and empty columns are left out."""
    found = listing(LONG, reason="spam run of May, seen by everybody here")
    service.on("GET", "/api/v1/listings", answer({"listings": [found], "next": None}))
    shown = without_style(on_a_terminal(service, "listings", width=100))
    assert LONG in shown
    assert "Code" not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_a_narrow_terminal_cuts_nothing_off(service: Service) -> None:
    """Where nothing fits, long addresses are folded, not shortened."""
    service.on("GET", "/api/v1/listings", answer({"listings": [listing(LONG)], "next": None}))
    lines = without_style(on_a_terminal(service, "listings", width=40)).splitlines()
    assert max(map(len, lines)) <= 40
    heading = next(line for line in lines if "Tar" in line)
    begins = heading.index("Tar")
    column = [re.match(r"\S*", line[begins:]) for line in lines[lines.index(heading) :]]
    assert LONG in "".join(found[0] for found in column if found is not None)


def test_a_pipe_gets_lines_with_tabs(service: Service) -> None:
    """A header and a line each, whatever the texts hold."""
    page = {"listings": [listing(reason=TRICKY), listing(".spam.example")], "next": None}
    service.on("GET", "/api/v1/listings", answer(page))
    lines = service.run("listings").stdout.splitlines()
    assert [line.count("\t") for line in lines] == [7, 7, 7]
    assert lines[0].split("\t")[:3] == ["id", "target", "action"]
    assert lines[2].split("\t")[1] == ".spam.example"


def test_an_empty_list_says_so_on_standard_error(service: Service) -> None:
    """Standard output stays empty, which scripts count on."""
    service.on("GET", "/api/v1/listings", answer({"listings": [], "next": None}))
    result = service.run("listings")
    assert (result.stdout, result.stderr) == ("", "mailmum: nothing is listed\n")
    assert result.exit_code == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_json_list_is_json(capsys: pytest.CaptureFixture[str], count: int) -> None:
    """Streamed element by element, it is a document all the same."""
    values = [listing(reason=TRICKY, id=number) for number in range(count)]
    print_json_list(iter(values))
    out = capsys.readouterr().out
    assert json.loads(out) == values
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_list_that_breaks_off_is_no_document(service: Service) -> None:
    """No second document follows the half one; the exit status tells."""
    page = {"listings": [listing()], "next": "12"}
    service.on("GET", "/api/v1/listings", answer(page), answer({"no": 1}, 500))
    result = service.run("listings", "--json")
    assert result.exit_code == 1
    assert '"error"' not in result.stdout
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(result.stdout)


def test_a_list_that_fails_at_once_is_an_error_document(service: Service) -> None:
    """Nothing of the list has been printed before the error."""
    result = service.run("listings", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "no-service"


def test_print_json_list_marks_where_it_failed() -> None:
    """Only a failure after output has begun is marked."""

    def values(count: int) -> Iterator[int]:
        yield from range(count)
        raise Failure("gone")

    for count, midway in ((0, False), (2, True)):
        with pytest.raises(Failure) as caught:
            print_json_list(values(count))
        assert caught.value.midway is midway


def test_a_listing_in_a_line() -> None:
    """All that matters, in the order in which people ask."""
    told = listing_text(
        listing(
            "203.0.113.0/24",
            scope="mx1",
            source="feed",
            origin="drop.txt",
            expires="2026-12-24T18:00:00Z",
            code="127.0.0.9",
            enabled=False,
            reason="spam",
        )
    )
    assert told == (
        "block 203.0.113.0/24 (server mx1), from feed drop.txt, until 2026-12-24 18:00:00 UTC, "
        'code 127.0.0.9, disabled, "spam"'
    )
