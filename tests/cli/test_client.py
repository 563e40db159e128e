"""The REST client: what it sends, and that every trouble has a message with cause and fix."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from mailmum.cli import client as client_module
from mailmum.cli.client import Client, segment
from mailmum.cli.failures import Failure
from mailmum.cli.locate import Service as Place
from tests.cli.service import TOKEN, Answer, Service, answer, error, lines
from tests.support.ports import free_port


def client(service: Service) -> Client:
    """A client of the test's service."""
    return Client(Place(service.url, TOKEN, "MAILMUM_TOKEN"))


def failure(service: Service, given: Answer) -> Failure:
    """What a read that is answered so fails with."""
    service.on("GET", "/api/v1/servers", given)
    with pytest.raises(Failure) as caught:
        client(service).get("/servers")
    return caught.value


def test_a_request_carries_the_token_and_only_given_queries(service: Service) -> None:
    """What is None or empty is left out; true is 1, and 0 is a number like any other."""
    service.on("GET", "/api/v1/listings", answer({"listings": [], "next": None}))
    client(service).get("/listings", server=None, q="", limit=5, days=0, dry_run=True, force=False)
    [asked] = service.asked
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["user-agent"].startswith("mailmum/")
    assert asked.query == {"limit": "5", "days": "0", "dry_run": "1"}


def test_names_are_one_segment() -> None:
    """A slash or a dot segment in a name cannot lead to another resource."""
    assert segment("a/b c?") == "a%2Fb%20c%3F"


def test_pages_are_followed_to_the_last(service: Service) -> None:
    """The cursor of each page leads to the next one."""
    service.on(
        "GET",
        "/api/v1/listings",
        answer({"listings": [{"id": 3}, {"id": 2}], "next": "2"}),
        answer({"listings": [{"id": 1}], "next": None}),
    )
    found = list(client(service).pages("/listings", "listings", limit=2))
    assert [one["id"] for one in found] == [3, 2, 1]
    assert [asked.query.get("cursor") for asked in service.asked] == [None, "2"]


def test_what_is_wrong_with_the_service_is_said_once(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, since what is asked for is answered all the same."""
    told = Answer(200, b"{}", headers={"MailMum-Notice": "traffic is away"})
    service.on("GET", "/api/v1/servers", told)
    one = client(service)
    for _ in range(3):
        assert one.get("/servers") == {}
    out, err = capsys.readouterr()
    assert (out, err) == ("", "mailmum: note: traffic is away\n")


def test_a_refusal_is_passed_on(service: Service) -> None:
    """Code, problem, fix and items are the service's own."""
    refused = error(
        "conflict", "there is one", "choose another", status=409, items=[{"target": "x"}]
    )
    caught = failure(service, refused)
    assert (caught.code, caught.message) == ("conflict", "there is one; choose another")
    assert caught.items == [{"target": "x"}]


def test_a_wrong_token_says_where_it_came_from(service: Service) -> None:
    """So that the right one can be put there."""
    caught = failure(service, error("unauthenticated", "the token is unknown", status=401))
    assert caught.message.startswith("the token is unknown; it comes from MAILMUM_TOKEN")
    assert service.url in caught.message


@pytest.mark.parametrize(
    "given",
    [
        Answer(404, b"<h1>Not Found</h1>", "text/html"),
        Answer(200, b"<h1>It works</h1>", "text/html"),
        Answer(200, b"[]"),
        Answer(422, b'{"detail": "no"}'),
        Answer(401, b"Unauthorized", "text/plain"),
    ],
)
def test_another_program_on_the_port(service: Service, given: Answer) -> None:
    """Whatever it answers, it is not taken for MailMum."""
    caught = failure(service, given)
    assert "is not MailMum's API" in caught.message
    assert caught.code == "no-service"


def test_a_redirect_is_not_followed(service: Service) -> None:
    """The token would go to wherever it leads."""
    target = {"Location": "https://elsewhere.example/api/v1/servers"}
    caught = failure(service, Answer(301, headers=target))
    assert "redirects to https://elsewhere.example" in caught.message
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("status", "said"), [(502, "does not reach the service"), (500, "failed (HTTP 500)")]
)
def test_a_service_that_fails(service: Service, status: int, said: str) -> None:
    """A proxy's error page and a fault of the service are told apart."""
    caught = failure(service, Answer(status, b"<html>", "text/html"))
    assert said in caught.message
    assert caught.fix


def test_nobody_listens(tmp_path: Path) -> None:
    """Likely the service is not running: how to start it is told with its folder."""
    place = Place(f"http://127.0.0.1:{free_port('tcp')}", TOKEN, "cli.json", tmp_path)
    with pytest.raises(Failure) as caught:
        Client(place).get("/servers")
    assert "no service answers at http://127.0.0.1" in caught.value.problem
    assert f"mailmum up --data {tmp_path}" in caught.value.fix


def test_a_host_that_nobody_knows() -> None:
    """The name is at fault, not the service."""
    with pytest.raises(Failure, match=r"the host of http://nosuch\.invalid is not known"):
        Client(Place("http://nosuch.invalid", TOKEN, "MAILMUM_TOKEN")).get("/servers")


def test_no_tls_where_tls_is_asked_for(service: Service) -> None:
    """An https address of a service that speaks plain HTTP."""
    place = Place(service.url.replace("http:", "https:"), TOKEN, "MAILMUM_TOKEN")
    with pytest.raises(Failure, match=r"no trusted connection to https://127\.0\.0\.1"):
        Client(place).get("/servers")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts that a test can wait for."""
    short = urllib3.Timeout(connect=0.2, read=0.2)
    monkeypatch.setattr(client_module, "_ORDINARY", short)


@pytest.mark.usefixtures("impatient")
def test_a_service_that_hangs(service: Service) -> None:
    """The command does not hang with it."""
    caught = failure(service, Answer(delay=2.0))
    assert "does not answer in time" in caught.message


@pytest.fixture
def mute() -> Iterator[str]:
    """Something that accepts connections, reads and closes them without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("impatient")
def test_a_port_that_accepts_and_says_nothing(mute: str) -> None:
    """A connection that nobody serves."""
    with pytest.raises(Failure, match="does not answer in time"):
        Client(Place(mute, TOKEN, "MAILMUM_TOKEN")).get("/servers")


def test_an_answer_that_breaks_off(service: Service) -> None:
    """Half an answer is no answer."""
    body = b'{"servers": [' + b" " * 5000 + b"]}"
    caught = failure(service, Answer(200, body, cut=2000))
    assert "broke off" in caught.message
    assert caught.code == "unavailable"


TEXT = "caf\udce9"


@pytest.mark.parametrize("words", [("explain", TEXT), ("server", "add", TEXT)])
def test_text_that_is_no_unicode(service: Service, words: tuple[str, ...]) -> None:
    """Bytes of another encoding on the command line arrive as lone surrogates."""
    result = service.run(*words)
    assert result.exit_code == 1
    assert "is not UTF-8 text" in result.stderr
    assert service.asked == []


def test_an_upload_of_known_size_says_so(service: Service) -> None:
    """Content-Length, and the answer's lines one by one."""
    service.on("POST", "/api/v1/import", lines({"progress": {}}, {"report": {"lines": 2}}))
    answers = list(client(service).upload("/import", [b"ab", b"cd"], 4, label="x"))
    assert answers == [{"progress": {}}, {"report": {"lines": 2}}]
    [asked] = service.asked
    assert (asked.body, asked.headers["content-length"]) == (b"abcd", "4")
    assert asked.query == {"label": "x"}


def test_an_upload_of_unknown_size_is_chunked(service: Service) -> None:
    """Standard input has no length before it ends."""
    service.on("POST", "/api/v1/import", lines({"report": {}}))
    list(client(service).upload("/import", iter([b"ab", b"cd"]), None))
    [asked] = service.asked
    assert (asked.body, asked.headers["transfer-encoding"]) == (b"abcd", "chunked")


def test_an_error_at_the_end_of_a_stream(service: Service) -> None:
    """The status was 200 when the trouble came: the last line says so."""
    body = {"error": {"code": "bad-input", "problem": "no such format", "fix": "see --help"}}
    service.on("POST", "/api/v1/import", lines({"progress": {}}, body))
    with pytest.raises(Failure, match="no such format; see --help"):
        list(client(service).upload("/import", [b"x"], 1))


def test_a_service_that_refuses_before_it_has_read_everything(service: Service) -> None:
    """A token that may not write is told, not a broken pipe."""
    refused = error("forbidden", "this token can read only", status=403)
    service.on("POST", "/api/v1/import", replace(refused, early=True))
    with pytest.raises(Failure, match="this token can read only"):
        list(client(service).upload("/import", (b"x" * 65536 for _ in range(1024)), None))


def test_health_needs_no_token(service: Service) -> None:
    """Well is a plain `ok`; anything else is not."""
    service.on("GET", "/healthz", Answer(200, b"ok", "text/plain"), Answer(200, b"<html>ok"))
    assert client(service).healthy()
    assert not client(service).healthy()
    assert "authorization" not in service.asked[0].headers
