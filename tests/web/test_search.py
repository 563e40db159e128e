"""Search: what finds what, page by page, as CSV, and what is said when nothing is found."""

import csv
import io
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError

from mailmum.traffic.groups import Group
from mailmum.traffic.sightings import Delivery, Outcome, Source
from mailmum.web import groups
from mailmum.web.views import search
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.support.week import EVIL, LONG_CLIENT, LONG_NAME, LONG_SENDER
from tests.web.conftest import Response, Visitor, Visitors, text_of

__all__ = ["traffic"]

DAY = 86_400


@pytest.fixture
def mixed(traffic: Traffic) -> Traffic:
    """A few of each kind."""
    traffic.log(
        *traffic.mail("192.0.2.107", 2, "smtp.bigmail.example", ago=50),
        traffic.seen("203.0.113.7", Outcome.REJECTED, rbl="bl.mailmum.internal", ago=100),
        traffic.seen("203.0.113.8", Outcome.REJECTED, rbl="zen.rbl.example", ago=200),
        traffic.seen("203.0.114.9", Outcome.REJECTED, helo="odd.top", code=554, reason=EVIL),
        traffic.seen("198.51.100.9", Outcome.UNKNOWN_RECIPIENT, sender="", recipient="a@b.example"),
        traffic.seen("198.51.100.10", Outcome.AUTH_FAILED, ago=2 * DAY),
    )
    traffic.log(
        traffic.seen(
            LONG_CLIENT, Outcome.ACCEPTED, client_name=LONG_NAME, helo=EVIL, sender=LONG_SENDER,
            recipient="staff@office.example", ago=300, delivery=Delivery.BOUNCED, score=-1.5,
        ),
        traffic.seen("203.0.113.7", Outcome.LOST, ago=400)._replace(client=None),
        server="mx2",
    )  # fmt: skip
    traffic.asked("203.0.113.7", Outcome.LISTED, 12)
    traffic.asked("dsl-7.pool.example", Outcome.UNLISTED, 3, source=Source.POLICY)
    traffic.foreign(*traffic.pool())
    return traffic


def clients(response: Response) -> list[str]:
    """The clients in the table, sorted; names where only a name was asked for."""
    return sorted(row.seen.client or row.asked_name or "-" for row in response.context["rows"])


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "203.0.113.7"}, ["203.0.113.7", "203.0.113.7"]),
        ({"q": "[203.0.113.8]"}, ["203.0.113.8"]),
        ({"q": "203.0.113.0/24"}, ["203.0.113.7", "203.0.113.7", "203.0.113.8"]),
        ({"q": "2001:db8::/32"}, [LONG_CLIENT]),
        ({"q": ".bigmail.example"}, ["192.0.2.107", "192.0.2.107"]),
        ({"q": "BIGMAIL"}, ["192.0.2.107", "192.0.2.107"]),
        ({"q": "news@smtp"}, ["192.0.2.107", "192.0.2.107"]),
        ({"q": "staff@office.example"}, [LONG_CLIENT]),
        ({"q": "odd.top"}, ["203.0.114.9"]),
        ({"q": "pool.example"}, ["dsl-7.pool.example"]),
        ({"q": "<img"}, [LONG_CLIENT]),
        ({"q": "100%"}, []),
        ({"q": "203.0"}, []),
        ({"what": "own"}, ["203.0.113.7", "203.0.113.7"]),
        ({"what": "rbl"}, ["203.0.113.8"]),
        ({"what": "rejected"}, ["198.51.100.9", "203.0.114.9"]),
        ({"what": "unknown-recipient"}, ["198.51.100.9"]),
        ({"what": "listed"}, ["203.0.113.7"]),
        ({"what": "unlisted"}, ["dsl-7.pool.example"]),
        ({"what": "other"}, ["-", "dsl-7.pool.example"]),
        ({"what": "stopped", "range": "day", "source": "log"},
         ["198.51.100.9", "203.0.113.7", "203.0.113.8", "203.0.114.9"]),
        ({"server": "mx2"}, ["-", LONG_CLIENT]),
        ({"once": "1", "q": "203.0.113.7"}, ["203.0.113.7"]),
        ({"source": "policy"}, ["dsl-7.pool.example"]),
        ({"rbl": "zen.rbl.example"}, ["203.0.113.8"]),
        ({"sender": "news@"}, ["192.0.2.107", "192.0.2.107"]),
        ({"recipient": "b.example"}, ["198.51.100.9"]),
        ({"until": "1d"}, ["198.51.100.10"]),
        ({"since": "1d", "what": "auth"}, []),
    ],
)  # fmt: skip
def test_what_finds_what(site: Visitors, query: dict[str, str], found: list[str]) -> None:
    """One field understands addresses, networks, domains and parts of texts; the rest narrows."""
    response = site.viewer.get("search", query=query)
    assert response.context["form"].valid, response.context["form"].faults
    assert clients(response) == found


@pytest.mark.usefixtures("mixed")
def test_every_choice_of_outcome_is_understood(site: Visitors) -> None:
    """What the form offers never comes back refused; together the groups are everything."""
    found = 0
    for _, choices in groups.CHOICES:
        for value, _ in choices:
            response = site.viewer.get("search", query={"what": value})
            assert response.context["form"].valid
            found += len(response.context["rows"]) if value in set(Group) else 0
    assert found == len(site.viewer.get("search", query={"once": "0"}).context["rows"]) == 11


@pytest.mark.usefixtures("mixed")
def test_lookups_do_not_hide_mail(site: Visitors) -> None:
    """What asks for nothing gets each contact once, says so, and leads to every sighting."""
    first = site.viewer.get("search")
    assert "dsl-7.pool.example" not in clients(first)
    assert clients(first).count("203.0.113.7") == 1
    assert "each contact once. Show every sighting" in text_of(first)
    assert 'href="?once=0">Show every sighting<' in first.content.decode()
    assert 'name="once" value="1" checked' in first.content.decode()
    every = site.viewer.get("search", query={"once": "0"})
    assert clients(every).count("203.0.113.7") == 2
    assert "dsl-7.pool.example" in clients(every)
    assert "Only" not in text_of(every).partition("The latest")[2].partition("CSV")[0]
    assert 'export/?once=0"' in every.content.decode()
    # The form as it is sent with the box not ticked.
    sent = site.viewer.get("search", query={"q": "", "what": "", "server": ""})
    assert clients(sent) == clients(every)


def test_traffic_that_cannot_be_read(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so and stands, listings being no matter of traffic; rows alone are refused."""

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseError

    monkeypatch.setattr("mailmum.control.monitor.search.page", away)
    response = site.viewer.get("search", query={"q": "203.0.113.7"})
    assert response.status_code == 503
    text = text_of(response)
    assert "Sightings cannot be shown just now." in text
    assert "Journal" in text
    assert 'value="203.0.113.7"' in response.content.decode()
    site.viewer.client.raise_request_exception = False
    assert site.viewer.fragment("search", {"q": "203.0.113.7"}).status_code == 503


def test_nothing_seen_is_no_filter(site: Visitors) -> None:
    """Though the page has its own: there is nothing that it leaves out."""
    text = text_of(site.viewer.get("search"))
    assert "Nothing has been seen yet" in text
    assert "every sighting" not in text.lower()


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"q": "203.0.113.7/24"}, "q"),
        ({"q": "x" * 400}, "q"),
        ({"q": "a\x00b"}, "q"),
        ({"what": "nonsense"}, "what"),
        ({"server": "foreign"}, "server"),
        ({"source": "nonsense"}, "source"),
        ({"range": "eon"}, "range"),
        ({"since": "soon"}, "since"),
        ({"until": "2026-99-99"}, "until"),
        ({"before": "zzz"}, ""),
    ],
)
def test_what_cannot_be_understood_is_refused(
    site: Visitors, query: dict[str, str], field: str
) -> None:
    """With the reason, for the page and for the export alike."""
    for page in ("search", *(["search-export"] if field else [])):
        response = site.viewer.get(page, query=query)
        assert response.status_code == 200
        assert list(response.context["form"].faults) == [field]
        assert 'class="err"' in response.content.decode()


def test_pages_have_everything_once(traffic: Traffic, site: Visitors) -> None:
    """Following "Older" to the end, newest first, whatever arrives meanwhile."""
    traffic.log(*(traffic.seen(f"203.0.113.{n}", Outcome.REJECTED, ago=n // 3) for n in range(130)))
    found: list[str] = []
    query, text = "", ""
    while True:
        response = site.viewer.client.get(f"{site.viewer.path('search')}?{query}")
        found += [row.seen.client for row in response.context["rows"]]
        query, text = response.context["older"], text_of(response)
        if not query:
            break
        traffic.log(traffic.seen("198.51.100.1", Outcome.REJECTED, ago=-1))
    assert sorted(found) == sorted(f"203.0.113.{n}" for n in range(130))
    times = [int(client.rpartition(".")[2]) // 3 for client in found]
    assert times == sorted(times)
    assert "Newest" in text


@pytest.mark.usefixtures("mixed")
def test_rows_say_what_is_known(site: Visitors) -> None:
    """Lookups are shown as answers, accepted mail with its fate; nothing that is not known."""
    text = text_of(site.admin.get("search", query={"once": "0"}))
    assert "Listed \u00d7 12 answered over DNS" in text
    assert "Not listed \u00d7 3 answered to the policy service" in text
    assert "bounced, score -1.5" in text
    assert "from <> to a@b.example" in text
    assert "Public RBL" in text
    assert "zen.rbl.example" in text


@pytest.mark.usefixtures("mixed")
def test_each_row_leads_on(site: Visitors) -> None:
    """To its client, and for those who may, to the form that blocks or allows it."""
    page = site.admin.get("search", query={"q": LONG_CLIENT}).content.decode()
    assert f"client/?q={LONG_CLIENT.replace(':', '%3A')}" in page
    target = LONG_CLIENT.replace(":", "%3A")
    for action in ("block", "allow"):
        assert f"listings/add/?action={action}&amp;target={target}" in page
    assert "listings/add/" not in site.viewer.get("search").content.decode()


@pytest.mark.usefixtures("mixed")
def test_text_of_strangers_stays_text(site: Visitors) -> None:
    """And what is typed as well."""
    page = site.admin.get("search", query={"q": ""}).content.decode()
    assert "&lt;script&gt;alert(2)" in page
    again = site.admin.get("search", query={"q": EVIL, "sender": EVIL, "before": EVIL})
    for content in (page, again.content.decode()):
        assert "<script>alert" not in content
        assert "<img" not in content


@pytest.mark.usefixtures("mixed")
def test_of_others_nothing_is_found(site: Visitors, traffic: Traffic) -> None:
    """By no filter; and they find nothing of ours."""
    for query in ({}, {"q": STRANGE}, {"rbl": STRANGE}, {"q": "198.51.100.64"}):
        page = site.viewer.get("search", query=query)
        assert "pool.example" not in str([row.seen.sender for row in page.context["rows"]])
    own = Visitor(site.outsider.client, traffic.world.outsider.account.pk)
    found = own.get("search").context["rows"]
    assert {row.server for row in found} == {"foreign"}


@pytest.mark.usefixtures("mixed")
def test_fragment(site: Visitors) -> None:
    """While one types only the results come, and the address stays one that can be sent on."""
    query = {"q": "203.0.113.8", "what": "", "server": "", "sender": " "}
    part = site.viewer.fragment("search", query)
    assert part.content.decode().strip().startswith('<div id="results">')
    assert part["HX-Push-Url"] == f"{site.viewer.path('search')}?q=203.0.113.8"
    assert "HX-Request" in part["Vary"]
    asked = site.viewer.fragment("search", {"q": ""})["HX-Push-Url"]
    assert asked == f"{site.viewer.path('search')}?once=0"


@pytest.mark.usefixtures("mixed")
def test_nothing_found_says_what_is_next(site: Visitors) -> None:
    """At any time, or everything; and how long sightings are kept."""
    page = site.viewer.get("search", query={"q": "192.0.2.1", "range": "hour"})
    assert "Nothing fits" in text_of(page)
    assert "days for which single sightings are kept" in text_of(page)
    assert 'href="?q=192.0.2.1"' in page.content.decode()


def downloaded(response: Response) -> list[dict[str, str]]:
    """The rows of a CSV."""

    async def read() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    text = async_to_sync(read)().decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.usefixtures("mixed")
def test_export(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same filter as a table: streamed, bounded, and no cell a formula."""
    response = site.viewer.get("search-export", query={"q": "203.0.113.0/24"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "sightings.csv" in response["Content-Disposition"]
    rows = downloaded(response)
    assert sorted(row["client"] for row in rows) == ["203.0.113.7", "203.0.113.7", "203.0.113.8"]
    assert all(row["server"] == "mx1" for row in rows)
    monkeypatch.setattr(search, "EXPORTED", 0)
    assert downloaded(site.viewer.get("search-export")) == []


def test_the_search_of_every_page_knows_mail_addresses(site: Visitors) -> None:
    """They are looked for in sightings; addresses and names lead to the client as before."""
    found = site.viewer.get("find", query={"q": "news@bigmail.example"})
    assert found["Location"] == f"{site.viewer.path('search')}?q=news%40bigmail.example"
    client = site.viewer.get("find", query={"q": "203.0.113.7"})
    assert client["Location"] == f"{site.viewer.path('client')}?q=203.0.113.7"


@pytest.mark.usefixtures("mixed")
def test_a_range_outranks_dates(site: Visitors) -> None:
    """Who follows a number and then chooses the last hour gets the last hour."""
    site.viewer.client.cookies["zone"] = "Europe/Berlin"
    query = {"until": "2026-01-01T00:00:00Z", "once": "1"}
    dated = site.viewer.get("search", query=query)
    assert clients(dated) == []
    assert "Nothing fits" in text_of(dated)
    ranged = site.viewer.get("search", query={**query, "range": "week"})
    assert len(clients(ranged)) > 5
    assert "Only each contact once" in text_of(ranged)
    since = site.viewer.get("search", query={"since": "2026-01-01T12:00:00Z"})
    assert "Only from Thu 1 Jan 13:00" in text_of(since)
