"""`tail`: what comes is printed once, whatever becomes of the connection."""

import json

import pytest

from mailmum.cli import tail
from tests.cli.service import Answer, Service, error
from tests.cli.shapes import sighting

LIVE = "/api/v1/sightings/live"
END = error("unauthenticated", "the token has expired", status=401)


def stream(*numbers: int, cursor: int | None = None, cut: int | None = None) -> Answer:
    """Events of sightings, then how far that is all."""
    body = b"".join(
        b"id: %d\nevent: sighting\ndata: %s\n\n" % (n, json.dumps(sighting(n)).encode())
        for n in numbers
    )
    if cursor is not None:
        body += b"id: %d\nevent: cursor\ndata: %d\n\n" % (cursor, cursor)
    return Answer(body=body, content_type="text/event-stream", cut=cut)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing."""
    monkeypatch.setattr(tail, "_PAUSES", (0.0,))


def printed(service: Service, *answers: Answer) -> list[int]:
    """The numbers of what is printed until a refusal ends it."""
    service.on("GET", LIVE, *answers, END)
    done = service.run("tail", "--json")
    assert done.exit_code == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"id"')]
    return [json.loads(line)["id"] for line in lines]


def cursors(service: Service) -> list[str | None]:
    """With what the stream was asked for."""
    return [asked.query.get("after") for asked in service.asked]


def test_a_line_a_sighting(service: Service) -> None:
    """Time, server, outcome, client, mail, why; nothing in it moves the cursor."""
    odd = sighting(8, client_name="a\x1b]0;x\x07", helo=None, sender=None, rbl=None)
    event = b"id: 8\nevent: sighting\ndata: %s\n\n" % json.dumps(odd).encode()
    service.on("GET", LIVE, stream(7, cursor=7), Answer(body=event), END)
    start = "2026-11-22 14:20:07 UTC  mx1  rejected  203.0.113.77"
    assert service.run("tail").stdout.splitlines() == [
        f"{start} vps.cloud.example  <promo@win.example> -> <info@example.net>  zen.rbl.example",
        f"{start} a\\x1b]0;x\\x07  <info@example.net>  blocked",
    ]


def test_a_stream_that_ends_is_asked_for_again(service: Service) -> None:
    """From where it ended, also when only the cursor had moved."""
    given = [stream(cursor=3), stream(4, 5, cursor=5), stream(cursor=9), stream(10)]
    assert printed(service, *given) == [4, 5, 10]
    assert cursors(service) == [None, "3", "5", "9", "10"]


def test_what_broke_off_in_the_middle_comes_again(service: Service) -> None:
    """It was not printed, and the cursor had not moved."""
    whole = len(stream(4).body)
    given = [stream(cursor=3), stream(4, 5, cut=whole // 2), stream(4, 5, cursor=5)]
    assert printed(service, *given) == [4, 5]
    assert cursors(service) == [None, "3", "3", "5"]


def test_a_service_that_is_away_is_waited_for(service: Service) -> None:
    """Told once; where nothing was ever followed it is a failure."""
    away = error("unavailable", "the database cannot be used just now", status=503)
    assert printed(service, stream(cursor=3), away, away, stream(4, cursor=4)) == [4]
    service.on("GET", LIVE, stream(cursor=3), away, away, END)
    assert service.run("tail").stderr.count("waiting for it") == 1
    service.on("GET", LIVE, away)
    assert service.run("tail").exit_code == 1


def test_a_refusal_within_the_stream(service: Service) -> None:
    """Has its words."""
    body = {"error": {"code": "conflict", "problem": "too many follow", "fix": "close some"}}
    event = b"event: refused\ndata: %s\n\n" % json.dumps(body).encode()
    service.on("GET", LIVE, Answer(body=event, content_type="text/event-stream"))
    done = service.run("tail")
    assert (done.exit_code, done.stderr) == (1, "mailmum: too many follow; close some\n")


def test_filters_go_out_each_time(service: Service) -> None:
    """With the cursor from the second on."""
    service.on("GET", LIVE, stream(cursor=3), END)
    service.run("tail", "--server", "mx1", "--source", "dns", "--client", "203.0.113.0/24")
    expected = {"server": "mx1", "source": "dns", "client": "203.0.113.0/24"}
    assert [asked.query for asked in service.asked] == [expected, expected | {"after": "3"}]
