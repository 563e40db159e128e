"""Check, sightings and their export over the API: what they tell, and to whom."""

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError

from mailmum.control.monitor import impact
from mailmum.control.traffic import find
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from tests.api.conftest import Callers
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.support.world import World

__all__ = ["traffic"]

CHECK = {"addresses", "clients", "accepted", "rejected", "covered_by", "warnings"}


@pytest.fixture
def filled(traffic: Traffic) -> Traffic:
    """A network with abuse and mail; the other account has the same."""
    mail = traffic.mail("198.51.100.201", 12, "out1.news.example")
    traffic.log(*traffic.pool(ago=3600), *mail)
    traffic.foreign(*traffic.pool(), *mail)
    return traffic


def table(api: Callers, who: str, **query: str) -> list[dict[str, Any]]:
    """An export."""
    response = getattr(api, who).raw("GET", "/sightings/export", "", **query)
    assert response["Content-Type"].startswith("text/csv")

    async def read() -> bytes:
        return b"".join([piece async for piece in response])

    content = async_to_sync(read)().decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def test_a_check_has_what_scripts_depend_on(api: Callers, filled: Traffic) -> None:
    """The fields of the contract, for a viewer too."""
    filled.listed(Action.BLOCK, "198.51.0.0/16")
    status, told = api.viewer("GET", "/check", target="198.51.100.0/24", days="7")
    assert status == 200
    assert set(told) >= CHECK
    assert (told["addresses"], told["clients"]) == (256, 17)
    assert (told["accepted"], told["rejected"]) == (12, 80)
    assert [listing["target"] for listing in told["covered_by"]] == ["198.51.0.0/16"]
    assert (told["verdict"], told["days"]) == ("dangerous", 7)
    assert told["better"][0]["commands"] == ["mailmum block 198.51.100.64/27"]
    assert told["senders"] == [{"domain": "out1.news.example", "messages": 12}]
    assert told["refused_senders"] == [{"domain": "pool.example", "contacts": 80}]
    assert told["reverse"] == []
    assert STRANGE not in str(told)


def test_an_outsider_checks_their_own(api: Callers, filled: Traffic) -> None:
    """Nothing of the others: neither counts, nor names, nor listings, nor servers."""
    filled.listed(Action.BLOCK, "198.51.0.0/16")
    told = api.outsider("GET", "/check", target="198.51.100.0/24")[1]
    assert told["covered_by"] == []
    assert [one["server"] for one in told["servers"]] == ["foreign"]
    assert "news.example" not in str(told)
    status, answer = api.outsider("GET", "/check", target="198.51.100.0/24", server="mx1")
    assert (status, answer["error"]["field"]) == (404, "server")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"target": "203.0.113.7/24"}, "target"),
        ({"target": "127.0.0.1"}, "target"),
        ({"target": "a.example", "days": "0"}, "days"),
        ({"target": "a.example", "days": "401"}, "days"),
        ({}, "target"),
    ],
)
def test_a_check_that_cannot_be(api: Callers, query: dict[str, str], field: str) -> None:
    """Names the field."""
    status, answer = api.viewer("GET", "/check", **query)
    assert (status, answer["error"]["field"]) == (422, field)


def test_sightings_by_pages(api: Callers, filled: Traffic) -> None:
    """Newest first, each once, though more come meanwhile; what came is there with the cursor."""
    first = api.viewer("GET", "/sightings", limit="30")[1]
    found, cursor = first["sightings"], first["next"]
    filled.log(filled.seen("203.0.113.9", Outcome.LOST, ago=0))
    while cursor:
        page = api.viewer("GET", "/sightings", limit="30", cursor=cursor)[1]
        found, cursor = found + page["sightings"], page["next"]
    assert len(found) == len({one["id"] for one in found}) == 92
    assert [one["time"] for one in found] == sorted((one["time"] for one in found), reverse=True)
    assert {one["server"] for one in found} == {"mx1"}
    news = api.viewer("GET", "/sightings", after=str(first["after"]))[1]
    assert [one["client"] for one in news["sightings"]] == ["203.0.113.9"]
    again = api.viewer("GET", "/sightings", after=str(news["after"]))[1]
    assert again["sightings"] == []


def test_sightings_by_filter(api: Callers, filled: Traffic) -> None:
    """Several at once; words may come more than once."""
    told = api.viewer("GET", "/sightings", outcome="accepted", client="198.51.100.128/25")[1]
    assert len(told["sightings"]) == 12
    assert {one["sender"] for one in told["sightings"]} == {"news@out1.news.example"}
    response = api.viewer.raw("GET", "/sightings?outcome=accepted&outcome=rejected&limit=1000", "")
    both = json.loads(response.getvalue())["sightings"]
    assert {one["outcome"] for one in both} == {"accepted", "rejected"}
    assert len(both) == 92


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"outcome": "blocked"}, "outcome"),
        ({"client": "mail.example"}, "client"),
        ({"since": "soon"}, "since"),
        ({"limit": "1001"}, "limit"),
        ({"after": "-1"}, "after"),
        ({"client": "x" * 301}, "client"),
    ],
)
def test_a_filter_that_cannot_be(api: Callers, query: dict[str, str], field: str) -> None:
    """Names the field."""
    status, answer = api.viewer("GET", "/sightings", **query)
    assert (status, answer["error"]["field"]) == (422, field)


def test_nobody_elses_sightings(api: Callers, filled: Traffic) -> None:
    """In no direction, on no way."""
    for way in ({}, {"after": "0"}, {"name": STRANGE}, {"rbl": STRANGE}):
        for who in ("viewer", "owner"):
            assert STRANGE not in str(getattr(api, who)("GET", "/sightings", limit="1000", **way))
    mine = api.outsider("GET", "/sightings", limit="1000")[1]["sightings"]
    assert {one["server"] for one in mine} == {"foreign"}
    assert api.outsider("GET", "/sightings", server="mx1")[0] == 404


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_an_export_has_all_that_is_found(api: Callers, filled: Traffic) -> None:
    """The same filter as the search, and nobody else's."""
    rows = table(api, "viewer", client="198.51.100.64/27")
    assert len(rows) == 80
    assert rows[0]["client_name"].endswith(".pool.example")
    assert rows[0]["rbl"] == "zen.rbl.example"
    assert STRANGE not in str(table(api, "viewer"))
    assert {row["server"] for row in table(api, "outsider")} == {"foreign"}


def test_an_explanation_shows_what_was_seen(api: Callers, filled: Traffic) -> None:
    """The latest of that client, at that server; a verdict is told without traffic too."""
    told = api.viewer("GET", "/explain", client="198.51.100.201")[1]
    assert len(told["sightings"]) == 10
    assert {one["outcome"] for one in told["sightings"]} == {"accepted"}
    by_name = api.viewer("GET", "/explain", client="dsl-64.pool.example")[1]
    assert {one["client"] for one in by_name["sightings"]} == {"198.51.100.64"}
    other = api.viewer("GET", "/explain", client="198.51.100.201", server="mx2")[1]
    assert other["sightings"] == []
    foreign = api.outsider("GET", "/explain", client="198.51.100.201")[1]
    assert {one["server"] for one in foreign["sightings"]} == {"foreign"}


def test_without_traffic_there_is_a_verdict(
    api: Callers, filled: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An explanation goes on; a check cannot, and says so."""

    def away(*_: object, **__: object) -> None:
        raise OperationalError("away at /secret/path")

    monkeypatch.setattr(find._Search, "page", away)
    monkeypatch.setattr(impact, "look", away)
    status, told = api.viewer("GET", "/explain", client="198.51.100.201")
    assert (status, told["verdict"], told["sightings"]) == (200, "none", [])
    for path, query in (("/check", {"target": "198.51.100.0/24"}), ("/sightings", {})):
        status, answer = api.viewer("GET", path, **query)
        assert (status, answer["error"]["code"]) == (503, "unavailable")
        assert "secret" not in str(answer)


def test_a_stream_is_asked_for_like_a_search(api: Callers, world: World) -> None:
    """What cannot be is refused before it begins; it is not kept by anybody."""
    response = api.viewer.raw("GET", "/sightings/live", "", outcome="accepted")
    assert (response.status_code, response["Content-Type"].split(";")[0]) == (
        200,
        "text/event-stream",
    )
    assert response["Cache-Control"] == "no-store"
    assert api.viewer("GET", "/sightings/live", outcome="blocked")[0] == 422
    assert api.outsider("GET", "/sightings/live", server="mx1")[0] == 404
