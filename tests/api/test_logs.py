"""Handing in log lines: once each where positions are told, bounded, by whoever may."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from mailmum.control import doctor
from mailmum.control.accounts.models import Role
from mailmum.control.accounts.services import set_role
from mailmum.control.servers.services import add_server, add_shipping_token, edit_server
from mailmum.control.traffic import intake
from mailmum.control.traffic.models import Seen
from mailmum.control.traffic.values import to_kept
from mailmum.index.records import SourceUnavailable
from tests.api.conftest import Caller, Callers
from tests.postfix.log.faulty import POISON, faulty
from tests.support.world import World


@pytest.fixture
def shipper(world: World) -> Caller:
    """Who has a token for the logs of mx1."""
    add_server(world.owner, "mx1")
    return Caller(add_shipping_token(world.admin, "mx1", "mx1").secret)


def line(number: int) -> str:
    """A rejected client."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    client = f"unknown[203.0.113.{number}]"
    return (
        f"{moment} mx1 postfix/smtpd[{number}]: NOQUEUE: reject: RCPT from {client}: 554 5.7.1 "
        f"<{client}>: Client host rejected: Access denied; from=<a@sender.example> "
        f"to=<b@example.net> proto=SMTP helo=<x>\n"
    )


def hand_in(
    caller: Caller,
    body: str | bytes,
    *,
    server: str = "mx1",
    kind: str = "text/plain",
    encoding: str = "",
    **query: Any,
) -> tuple[int, Any]:
    """Status and decoded answer."""
    headers = {"Authorization": f"Bearer {caller.token}"}
    if encoding:
        headers["Content-Encoding"] = encoding
    response = Client().generic(
        "POST",
        f"/api/v1/servers/{server}/logs",
        body,
        content_type=kind,
        query_params=query,
        headers=headers,
    )
    return response.status_code, json.loads(response.content)


def clients() -> list[str]:
    """The clients that are kept, in order."""
    return [str(one.sighting.client) for one in to_kept(list(Seen.objects.order_by("id")))]


def test_with_positions_each_line_counts_once(shipper: Caller, world: World) -> None:
    """A batch that is sent again is not taken again, and the answer tells where to go on."""
    status, answer = hand_in(shipper, line(1), stream="a", position="p1")
    assert (status, answer["kept"], answer["position"], answer["lines"]) == (200, True, "p1", 1)
    assert answer["sightings"] == 1
    again = hand_in(shipper, line(1), stream="a", position="p1")[1]
    assert (again["kept"], again["position"]) == (False, "p1")
    following = {"stream": "a", "after": "p1", "position": "p2"}
    body = gzip.compress((line(2) + line(3)).encode())
    assert hand_in(shipper, body, encoding="gzip", **following)[1]["kept"]
    assert clients() == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    assert {row.account for row in Seen.objects.all()} == {world.owner.account.pk}
    assert shipper("GET", "/servers/mx1/logs", stream="a") == (200, {"position": "p2"})
    assert shipper("GET", "/servers/mx1/logs", stream="b") == (200, {"position": None})


def test_a_server_shows_when_it_logged_last(api: Callers, shipper: Caller) -> None:
    """A contact that was logged, not when it was handed in."""
    assert api.viewer("GET", "/servers/mx1")[1]["last_logged"] is None
    today, then = datetime.now(UTC), datetime.now(UTC) - timedelta(days=2)
    hand_in(shipper, line(1).replace(f"{today:%Y-%m-%d}", f"{then:%Y-%m-%d}"))
    assert api.viewer("GET", "/servers/mx1")[1]["last_logged"].startswith(f"{then:%Y-%m-%d}T")


def test_a_line_may_be_cut_anywhere(shipper: Caller) -> None:
    """What is unfinished waits for the next batch, and sessions go on."""
    text = line(1)
    raw = {"kind": "application/octet-stream", "stream": "a"}
    hand_in(shipper, text[:50], position="p1", **raw)
    hand_in(shipper, text[50:], after="p1", position="p2", **raw)
    assert clients() == ["203.0.113.1"]


def test_without_positions_lines_count_as_often_as_they_come(shipper: Caller) -> None:
    """As other programs post them: text, or objects of which one is bad."""
    good, bad = {"message": line(1).strip()}, {"no": "message"}
    body = f"{json.dumps(good)}\n{json.dumps(bad)}\nnot json\n"
    for _ in range(2):
        status, answer = hand_in(shipper, body, kind="application/x-ndjson")
        assert (status, answer["kept"], answer["lines"], answer["sightings"]) == (200, True, 3, 1)
    assert hand_in(shipper, line(2))[1]["sightings"] == 1
    assert clients() == ["203.0.113.1", "203.0.113.1", "203.0.113.2"]


def test_a_bad_line_costs_no_other(shipper: Caller) -> None:
    """Whatever bytes it has."""
    body = line(1).encode() + b"\xff\x00\x1b[2J" * 1000 + b"\n" + line(2).encode()
    status, answer = hand_in(shipper, body)
    assert (status, answer["lines"]) == (200, 3)
    assert clients() == ["203.0.113.1", "203.0.113.2"]


def test_a_line_that_cannot_be_read_costs_no_other(shipper: Caller, world: World) -> None:
    """It is passed over by a fault of ours, and the doctor tells it to whose server it is."""
    with faulty():
        body = line(1).encode() + POISON + line(2).encode()
        status, answer = hand_in(shipper, body, stream="a", position="p1")
    assert (status, answer["kept"], answer["lines"], answer["unrecognised"]) == (200, True, 3, 1)
    assert clients() == ["203.0.113.1", "203.0.113.2"]
    [told] = [one for one in doctor.checks(world.viewer) if "passed over" in str(one["message"])]
    assert (told["name"], told["state"]) == ("server mx1", "warn")
    assert "by a fault of ours: 1, the last at 20" in str(told["message"])
    assert not any("passed over" in str(one["message"]) for one in doctor.checks(world.outsider))


def test_classic_headers_are_of_the_senders_zone(shipper: Caller) -> None:
    """By name, or by its offset where the name is not known here."""
    moment = datetime.now(UTC).replace(microsecond=0)
    text = line(1).partition(" ")[2]
    for query in ({"zone": "Etc/GMT-2"}, {"zone": "Nowhere/At-All", "offset": 7200}):
        Seen.objects.all().delete()
        local = datetime.fromtimestamp(moment.timestamp() + 7200, UTC)
        hand_in(shipper, f"{local:%b} {local.day:2} {local:%H:%M:%S} {text}", **query)
        assert Seen.objects.get().time == moment.timestamp() * 1000


@pytest.mark.parametrize(
    ("body", "extra", "status", "says"),
    [
        (b"x", {"encoding": "br"}, 422, "only gzip"),
        (b"x", {"encoding": "gzip"}, 422, "not gzip"),
        (gzip.compress(bytes(17 * 1024 * 1024)), {"encoding": "gzip"}, 413, "more than 16 MiB"),
        (b"", {"after": "p"}, 422, "after is given without position"),
        (b"", {"position": "p" * 4001}, 422, "4000"),
        (b"", {"stream": "s" * 191}, 422, "190"),
        (b"", {"stream": "a\x00"}, 422, "control characters"),
        (b"", {"lost": -1}, 422, "greater than"),
        (b"", {"at": "nan"}, 422, "at"),
    ],
)
def test_what_is_refused(
    shipper: Caller, body: bytes, extra: dict[str, Any], status: int, says: str
) -> None:
    """With the reason, and nothing is kept."""
    got, answer = hand_in(shipper, body, **extra)
    assert got == status, answer
    assert says in answer["error"]["message"]
    assert clients() == []


def test_who_may(api: Callers, world: World, shipper: Caller) -> None:
    """Whoever may write, for every server; a token of one server for that one only."""
    add_server(world.owner, "mx2")
    add_server(world.outsider, "theirs")
    for caller in (api.owner, api.admin):
        assert hand_in(caller, line(1), server="mx2")[0] == 200
    for caller in (api.viewer, api.reader):
        assert hand_in(caller, line(1), server="mx2")[0] == 403
    assert hand_in(api.outsider, line(1))[0] == 404
    assert hand_in(api.nobody, line(1))[0] == 401
    # The same answer for every name but its own: nothing can be learned from it.
    answers = [hand_in(shipper, line(1), server=name) for name in ("mx2", "theirs", "none")]
    assert {status for status, _ in answers} == {403}
    assert len({json.dumps(answer) for _, answer in answers}) == 1
    assert clients() == ["203.0.113.1"] * 2


def test_a_token_follows_its_server_and_its_person(
    api: Callers, world: World, shipper: Caller
) -> None:
    """Renamed, removed; and nobody hands in for somebody who may not write any more."""
    edit_server(world.owner, "mx1", new_name="mail")
    assert shipper("GET", "/me")[1]["token"]["server"] == "mail"
    assert hand_in(shipper, line(1), server="mail")[0] == 200
    set_role(world.owner, "admin@example.net", Role.VIEWER)
    assert hand_in(shipper, line(1), server="mail")[0] == 401
    set_role(world.owner, "admin@example.net", Role.ADMIN)
    api.owner("DELETE", "/servers/mail")
    assert hand_in(shipper, line(1), server="mail")[0] == 404


def test_tokens_over_the_api(api: Callers, world: World) -> None:
    """Made for one server and shown with it; not for a stranger's, and with no other scope."""
    add_server(world.owner, "mx1")
    add_server(world.outsider, "theirs")
    wanted = {"name": "mx1", "scopes": ["ship"], "server": "mx1", "for": None}
    status, made = api.admin("POST", "/tokens", wanted)
    assert (status, made["scopes"], made["server"]) == (201, ["ship"], "mx1")
    assert hand_in(Caller(made["token"]), line(1))[0] == 200
    assert api.admin("GET", "/tokens")[1]["tokens"][-1]["server"] == "mx1"
    assert api.admin("POST", "/tokens", wanted | {"server": "theirs"})[0] == 404
    assert api.admin("POST", "/tokens", wanted | {"server": ""})[0] == 422
    assert api.admin("POST", "/tokens", wanted | {"scopes": ["ship", "write"]})[0] == 422
    assert api.viewer("POST", "/tokens", wanted)[0] == 403


def test_a_database_that_is_away(shipper: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """503: the sender keeps the lines."""

    def fail(*_: object, **__: object) -> None:
        raise SourceUnavailable("at /secret/path") from OperationalError()

    monkeypatch.setattr(intake, "keep", fail)
    status, answer = hand_in(shipper, line(1))
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    assert "secret" not in str(answer)
    monkeypatch.setattr(intake, "mark_of", fail)
    assert shipper("GET", "/servers/mx1/logs")[0] == 503


def test_two_that_post_at_once(shipper: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is read again behind the other."""
    keep, tried = intake.keep, []

    def late(*words: Any, **named: Any) -> None:
        tried.append(named["after"])
        if len(tried) == 1:
            hand_in(shipper, line(1))
        keep(*words, **named)

    monkeypatch.setattr(intake, "keep", late)
    assert hand_in(shipper, line(2))[1]["kept"]
    assert clients() == ["203.0.113.1", "203.0.113.2"]
