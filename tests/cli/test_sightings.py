"""`sightings`: pages become one table, one array, or a file."""

import json

from click.testing import CliRunner

from mailmum.cli.main import cli
from mailmum.cli.sightings import OUTCOMES, SOURCES
from mailmum.traffic.sightings import Outcome, Source
from tests.cli.service import Answer, Service, answer
from tests.cli.shapes import sighting


def page(*numbers: int, following: str | None = None) -> Answer:
    """A page of sightings."""
    found = [sighting(number) for number in numbers]
    return answer({"sightings": found, "next": following, "after": 9})


def test_the_words_are_those_of_the_service() -> None:
    """The command line knows them without loading it."""
    assert list(OUTCOMES) == [one.value for one in Outcome]
    assert list(SOURCES) == [one.value for one in Source]


def test_a_line_each(service: Service) -> None:
    """Parted by tabs in a pipe; what is unknown is empty."""
    rows = [
        sighting(delivery="sent", outcome="accepted", rbl=None, sender=""),
        sighting(count=5, client=None, client_name=None, sender=None, recipient=None),
    ]
    service.on("GET", "/api/v1/sightings", answer({"sightings": rows, "next": None, "after": 9}))
    lines = service.run("sightings").stdout.splitlines()
    assert [line.split("\t") for line in lines[1:]] == [
        [
            "2026-11-22 14:20:07 UTC", "mx1", "accepted (sent)", "203.0.113.77",
            "vps.cloud.example", "<>", "<info@example.net>", "blocked",
        ],
        [
            "2026-11-22 14:20:07 UTC", "mx1", "rejected x 5", "", "vps.cloud.example", "", "",
            "zen.rbl.example",
        ],
    ]  # fmt: skip


def test_filters_go_out_and_pages_come_in(service: Service) -> None:
    """Until there are as many as were wanted."""
    service.on("GET", "/api/v1/sightings", page(9, 8, following="x"), page(7, 6, following="y"))
    words = ("--client", "203.0.113.0/24", "--outcome", "rejected", "--since", "2h")
    done = service.run("sightings", *words, "--limit", "3", "--json")
    assert [one["id"] for one in json.loads(done.stdout)] == [9, 8, 7]
    assert service.asked[0].query == {
        "client": "203.0.113.0/24",
        "outcome": "rejected",
        "since": "2h",
        "limit": "3",
    }
    assert service.asked[1].query["cursor"] == "x"


def test_all_of_them(service: Service) -> None:
    """With a limit of 0."""
    service.on("GET", "/api/v1/sightings", page(9, following="x"), page(), page(8))
    done = service.run("sightings", "--limit", "0", "--json")
    assert len(json.loads(done.stdout)) == 1
    service.on("GET", "/api/v1/sightings", page(9, following="x"), page(following="y"), page(8))
    done = service.run("sightings", "--limit", "0", "--json")
    assert [one["id"] for one in json.loads(done.stdout)] == [9, 8]


def test_a_file(service: Service) -> None:
    """As the service writes it; several outcomes are all sent."""
    service.on("GET", "/api/v1/sightings/export", Answer(body=b"id,server\r\n1,mx1\r\n"))
    words = ("--csv", "--outcome", "lost", "--outcome", "protocol")
    assert service.run("sightings", *words).stdout_bytes == b"id,server\r\n1,mx1\r\n"
    assert service.asked[0].query == {"outcome": "protocol"}
    assert "limit" not in service.asked[0].query


def test_a_word_that_is_none(service: Service) -> None:
    """Usage, with those that are."""
    done = CliRunner().invoke(cli, ["sightings", "--outcome", "blocked"])
    assert done.exit_code == 2
    assert "relay-denied" in done.stderr
