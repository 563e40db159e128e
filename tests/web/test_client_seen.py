"""What was seen of a client, on its page; traffic that cannot be read leaves the verdict."""

import time

import pytest
from django.db import connection, transaction

from mailmum.control.listings.draft import make_wish
from mailmum.control.listings.services import list_targets
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Outcome
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.web.conftest import Response, Visitors, text_of

__all__ = ["traffic"]

EVIL = "<script>alert(1)</script>"


def opened(site: Visitors, client: str) -> Response:
    """The page of a client as a viewer sees it."""
    return site.viewer.get("client", query={"q": client})


def test_an_address(site: Visitors, traffic: Traffic) -> None:
    """Figures, names, senders, servers, neighbours and single sightings, each with its counts."""
    traffic.log(*traffic.pool(), *traffic.mail("198.51.100.64", 3, "mail.shop.example"))
    response = opened(site, "198.51.100.64")
    seen = response.context["seen"]
    assert [(one.look.word, one.count) for one in seen.figures] == [
        ("Accepted", 3),
        ("Public RBL", 5),
    ]
    assert (seen.found.contacts, seen.found.clients, seen.name) == (8, 1, "dsl-64.pool.example")
    assert len(seen.latest) == 8
    assert seen.neighbours[0].one.client.text == "198.51.100.64"
    assert len(seen.neighbours) == 16
    senders = [(one.sender, one.accepted, one.stopped) for one in seen.found.senders]
    assert senders == [("x@pool.example", 0, 5), ("news@mail.shop.example", 3, 0)]
    text = text_of(response)
    for words in (
        "dsl-64.pool.example , one IPv4 address.",
        "x@pool.example 0 5",
        "mx1 3 5",
        "198.51.100.0/24",
        "owner@example.net",
        "Because of",
    ):
        assert words in text
    drawn = response.content.decode()
    assert drawn.count('class="chart"') == 1
    assert "16 of 256 addresses were seen, of 1 mail was accepted." in drawn
    assert drawn.count("<circle") == 1 + 1  # one neighbour, and the legend


@pytest.mark.parametrize("client", ["198.51.100.0/24", ".pool.example", "2001:db8::7"])
def test_networks_names_and_ipv6(site: Visitors, traffic: Traffic, client: str) -> None:
    """Each has its page; what has no picture has none."""
    traffic.log(*traffic.pool(), *traffic.mail("2001:db8::7", 2, "six.example"))
    response = opened(site, client)
    found = response.context["seen"].found
    assert found.contacts == (2 if ":" in client else 80)
    assert ("address by address" in response.content.decode()) == (client == "198.51.100.0/24")


def test_by_name_it_is_not_known_who_decided(site: Visitors, traffic: Traffic) -> None:
    """So it is not said to have been no list, and leads to no sightings that were counted else."""
    traffic.log(*traffic.pool())
    (rejected,) = opened(site, ".pool.example").context["seen"].figures
    assert (rejected.look.word, rejected.count, rejected.link) == ("Rejected", 80, "")
    (listed,) = opened(site, "198.51.100.0/24").context["seen"].figures
    assert (listed.look.word, listed.count) == ("Public RBL", 80)
    assert "what=rbl" in listed.link
    checked = site.admin.get("listing-add", query={"target": ".pool.example"})
    assert "Rejected 80" in text_of(checked)


def test_what_holds_for_a_network(site: Visitors, traffic: Traffic) -> None:
    """A listing inside it says nothing about all of it; one around it does."""
    traffic.listed(Action.ALLOW, "198.51.100.7", server="mx2")
    response = opened(site, "198.51.100.0/24")
    assert {row.word for row in response.context["rows"]} == {"none"}
    assert [row.version.target for row in response.context["met"]] == ["198.51.100.7"]
    traffic.listed(Action.BLOCK, "198.51.0.0/16")
    response = opened(site, "198.51.100.0/24")
    assert {row.word for row in response.context["rows"]} == {"block"}
    assert "198.51.0.0/16 blocked for the account" in text_of(response)
    traffic.listed(Action.BLOCK, ".spam.example")
    words = {row.word for row in opened(site, ".mail.spam.example").context["rows"]}
    assert words == {"block"}


def test_journal_and_listings_about_it(site: Visitors, traffic: Traffic) -> None:
    """Changes of all that covers it, and of nothing else."""
    traffic.listed(Action.BLOCK, "203.0.113.0/24")
    traffic.listed(Action.BLOCK, "192.0.2.0/24")
    response = opened(site, "203.0.113.7")
    assert [row.summary for row in response.context["records"]] == ["203.0.113.0/24"]
    assert [row.version.target for row in response.context["met"]] == ["203.0.113.0/24"]


def test_nothing_was_seen(site: Visitors, traffic: Traffic) -> None:
    """It is said, with what to do next, and no picture claims a zero."""
    text = text_of(opened(site, "192.0.2.9"))
    assert "Nothing was seen of 192.0.2.9 in 31 days." in text
    assert "See which servers report" in text
    assert "Timeline" not in text


def test_only_lookups(site: Visitors, traffic: Traffic) -> None:
    """Then it is not claimed that no mail was accepted."""
    traffic.asked("203.0.113.7", Outcome.UNLISTED, 40)
    text = text_of(opened(site, "203.0.113.7"))
    assert "Only lookups of it are known" in text
    assert "mx1 \N{EN DASH} 0" in text
    assert "a lookup" in text


def test_others_see_nothing_of_it(site: Visitors, traffic: Traffic) -> None:
    """Neither an account what another has seen, nor an outsider the page."""
    traffic.foreign(*traffic.pool(), *traffic.mail("198.51.100.64", 3, "x.example"))
    response = opened(site, "198.51.100.64")
    assert response.context["seen"].nothing
    assert STRANGE not in response.content.decode()
    for visitor, status in ((site.outsider, 404), (site.nobody, 302)):
        query = {"q": "198.51.100.64"}
        assert visitor.get("client", query=query).status_code == status


def test_text_of_strangers_stays_text(site: Visitors, traffic: Traffic) -> None:
    """Names, senders and replies are shown as they were written."""
    traffic.log(
        traffic.seen(
            "203.0.113.201",
            Outcome.REJECTED,
            client_name=f"{EVIL}.example",
            helo=EVIL,
            sender=f"{EVIL}@example.net",
            recipient=EVIL,
            rbl=EVIL,
            reason=EVIL,
        )
    )
    response = opened(site, "203.0.113.201")
    assert EVIL not in response.content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in response.content.decode()


def test_traffic_that_cannot_be_read(
    site: Visitors, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict and the listings stand, and the page says what is missing."""
    traffic.listed(Action.BLOCK, "203.0.113.7")
    monkeypatch.setattr("mailmum.web.views.client.seen_of", _broken)
    response = opened(site, "203.0.113.7")
    text = text_of(response)
    assert response.status_code == 200
    assert {row.word for row in response.context["rows"]} == {"block"}
    assert "What was seen cannot be shown just now." in text
    assert response.context["reference"] in text
    assert "203.0.113.7 blocked for the account" in text


def _broken(*_: object, **__: object) -> None:
    """What a database says that lacks the table."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM a_table_that_is_not_there")


def test_pages_of_what_is_allowed(site: Visitors, traffic: Traffic) -> None:
    """Only who may write finds Block and Allow."""
    list_targets(traffic.world.admin, ["203.0.113.9"], make_wish(Action.BLOCK, now=time.time()))
    wanted = "listings/add/?action=block&amp;target=203.0.113.0/24"
    query = {"q": "203.0.113.0/24"}
    assert wanted in site.admin.get("client", query=query).content.decode()
    assert wanted not in site.viewer.get("client", query=query).content.decode()
