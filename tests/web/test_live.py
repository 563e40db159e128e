"""Live without script: the latest sightings, filters, and who gets at the stream at all."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError

from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.web.conftest import Response, Visitors, text_of

__all__ = ["traffic"]

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def busy(traffic: Traffic) -> Traffic:
    """Mail, rejects at two servers, and a lookup."""
    traffic.log(*traffic.mail("192.0.2.33", 2, "mail.shop.example"))
    traffic.log(*traffic.pool()[:3], server="mx2")
    traffic.asked("203.0.113.7", Outcome.LISTED, 4)
    return traffic


def clients(response: Response) -> list[str | None]:
    """Whose rows the page shows."""
    return sorted({row.seen.client for row in response.context["rows"]})


def test_the_latest(site: Visitors, busy: Traffic) -> None:
    """All servers and outcomes, newest first, and the cursor of what comes next."""
    response = site.viewer.get("live")
    assert clients(response) == ["192.0.2.33", "198.51.100.64", "203.0.113.7"]
    text = text_of(response)
    for words in (
        "Accepted",
        "Public RBL",
        "Listed",
        "\N{MULTIPLICATION SIGN}4",
        "owner@example.net",
        "zen.rbl.example",
    ):
        assert words in text
    assert response.context["cursor"] > 0


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"server": "mx2"}, ["198.51.100.64"]),
        ({"lookups": "no"}, ["192.0.2.33", "198.51.100.64"]),
        ({"show": "accepted"}, ["192.0.2.33"]),
        ({"show": ["own", "accepted"]}, ["192.0.2.33", "203.0.113.7"]),
        ({"q": "203.0.113.0/24"}, ["203.0.113.7"]),
        ({"q": "192.0.2.33", "show": "rbl"}, []),
        ({"q": ".shop.example"}, ["192.0.2.33"]),
        ({"q": "dsl-64.pool.example"}, ["198.51.100.64"]),
    ],
)
def test_filters(site: Visitors, busy: Traffic, query: dict[str, Any], shown: list[str]) -> None:
    """In the address, so that a view can be sent to somebody; the stream has the same."""
    response = site.viewer.get("live", query=query)
    assert clients(response) == shown
    for value in query.values():
        assert (value if isinstance(value, str) else value[0]).replace(
            "/", "%2F"
        ) in response.context["stream"]


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ({"q": "203.0.113.7/24"}, "q", "is no client, network or name"),
        ({"q": EVIL}, "q", "is no client, network or name"),
        ({"server": "mx9"}, "server", "mx9"),
    ],
)
def test_what_is_refused(
    site: Visitors, busy: Traffic, query: dict[str, str], field: str, says: str
) -> None:
    """Beside the field, and then nothing is followed."""
    response = site.viewer.get("live", query=query)
    faults = response.context["form"].faults
    assert says in "".join(one for each in faults.values() for one in each)
    assert "data-stream" not in response.content.decode()
    assert EVIL not in response.content.decode()
    assert field in faults or field == "server"


def test_rows_lead_to_block_and_allow(site: Visitors, busy: Traffic) -> None:
    """For who may; the page of the client for everybody."""
    wanted = "listings/add/?action=block&amp;target=192.0.2.33"
    assert wanted in site.admin.get("live").content.decode()
    viewed = site.viewer.get("live").content.decode()
    assert wanted not in viewed
    assert "client/?q=192.0.2.33" in viewed


def test_text_of_strangers_stays_text(site: Visitors, traffic: Traffic) -> None:
    """In the page, and in what the stream puts into it."""
    traffic.log(
        traffic.seen(
            "203.0.113.9",
            Outcome.REJECTED,
            client_name=EVIL,
            helo=f"helo{EVIL}",
            sender=EVIL,
            recipient=EVIL,
            rbl=EVIL,
            reason=EVIL,
        )
    )
    page = site.admin.get("live").content.decode()
    assert EVIL not in page
    assert page.count("&lt;script&gt;") >= 6


def test_traffic_that_cannot_be_read(
    site: Visitors, busy: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said; the page stands."""

    def away() -> int:
        raise DatabaseError

    monkeypatch.setattr("mailmum.control.monitor.search.now_is", away)
    response = site.viewer.get("live")
    assert "Sightings cannot be shown just now." in text_of(response)
    assert "data-stream" not in response.content.decode()


def test_others_see_nothing_of_it(site: Visitors, traffic: Traffic) -> None:
    """Neither the page nor the stream."""
    traffic.foreign(*traffic.pool())
    page = site.owner.get("live")
    assert page.context["rows"] == []
    assert STRANGE not in page.content.decode()
    for visitor, status in ((site.outsider, 404), (site.nobody, 302)):
        for name in ("live", "live-stream"):
            assert visitor.get(name).status_code == status


@pytest.mark.parametrize("after", ["x", "-1", "1" * 19, "\N{FULLWIDTH DIGIT ONE}"])
def test_cursors_that_are_none(site: Visitors, traffic: Traffic, after: str) -> None:
    """400, for the address and for what a browser sends by itself."""
    assert site.viewer.get("live-stream", query={"after": after}).status_code == 400
    path = site.viewer.path("live-stream")
    header = {"Last-Event-ID": after}
    if after.isascii():
        assert site.viewer.client.get(path, headers=header).status_code == 400


def test_times(site: Visitors, traffic: Traffic) -> None:
    """Of today to the second, of another day the day; the exact one is the title."""
    day = 3 * 86_400
    traffic.log(traffic.seen("192.0.2.33", Outcome.LOST, ago=day))
    then = datetime.fromtimestamp(traffic.now - day, UTC)
    page = site.viewer.get("live").content.decode()
    assert f'title="{then:%Y-%m-%d %H:%M:%S} UTC">{then.day} {then:%b}' in page
