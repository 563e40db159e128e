"""The home page: its numbers, where they lead, and what it says when there is nothing to show."""

import re
import time
from collections import Counter
from contextlib import ExitStack
from html import unescape
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.test.utils import CaptureQueriesContext

from mailmum.control.servers.services import add_server
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.working_up import Lister
from mailmum.domain.listings import Action
from mailmum.traffic.groups import Group
from mailmum.traffic.sightings import Outcome, Source
from mailmum.web.sections import PARTS, SILENT_SHOWN
from tests.control.monitor.kit import STRANGE, Traffic, traffic
from tests.support.week import EVIL
from tests.support.world import World
from tests.web.conftest import Response, Visitor, Visitors, text_of

__all__ = ["traffic"]

HOUR, DAY = 3600, 86_400


@pytest.fixture
def busy(traffic: Traffic) -> Traffic:
    """Some of every group at two servers, lookups, an abusing network, and the other account."""
    own = "bl.mailmum.internal"
    for server in ("mx1", "mx2"):
        traffic.log(
            *traffic.mail("192.0.2.107", 3, "smtp.bigmail.example", ago=300),
            *traffic.mail("192.0.2.107", 2, "smtp.bigmail.example", ago=9 * DAY),
            traffic.seen("203.0.113.7", Outcome.REJECTED, rbl=own, helo=EVIL, reason=EVIL),
            traffic.seen(
                "203.0.113.8", Outcome.REJECTED, rbl="bl.copper.example", ago=2 * DAY
            )._replace(named=("bl.copper.example",)),
            traffic.seen("203.0.113.9", Outcome.UNKNOWN_RECIPIENT, ago=3 * DAY),
            traffic.seen("203.0.113.9", Outcome.RELAY_DENIED, ago=3 * DAY),
            traffic.seen("203.0.113.9", Outcome.DEFERRED),
            traffic.seen("203.0.113.10", Outcome.AUTH_FAILED),
            traffic.seen("203.0.113.11", Outcome.LOST),
            server=server,
        )
    traffic.log(*traffic.pool(ago=5 * HOUR))
    # What was asked is in the log, too, and must not be counted a second time.
    traffic.asked("203.0.113.7", Outcome.LISTED, 5)
    traffic.asked("dsl-64.pool.example", Outcome.UNLISTED, 7)
    traffic.foreign(*traffic.pool(), traffic.seen("203.0.113.200", Outcome.ACCEPTED))
    for _ in Lister().steps(traffic.now):
        pass
    return traffic


@pytest.mark.usefixtures("busy")
def test_small_questions_are_asked_once(site: Visitors) -> None:
    """Names, sources and terms are read for the page, not for each of its numbers."""
    # On PostgreSQL both are one.
    databases = {DEFAULT_DB_ALIAS, traffic_database()}
    with ExitStack() as stack:
        heard = [stack.enter_context(CaptureQueriesContext(connections[db])) for db in databases]
        site.viewer.get("account")
    every = Counter(one["sql"] for each in heard for one in each.captured_queries)
    table = re.compile(r"FROM .(?:traffic_(?:lastseen|zone|accountterms)|servers_server)\b")
    asked = {sql: count for sql, count in every.items() if table.search(sql)}
    assert len(asked) >= 4
    assert set(asked.values()) == {1}


def shown(response: Response, part: str) -> Any:
    """What a section of the page shows."""
    return response.context["parts"][part].shown


def behind(visitor: Visitor, link: str) -> int:
    """How many contacts the page behind a number shows, all its pages together."""
    found, address = 0, link
    while address:
        response = visitor.client.get(address)
        assert response.status_code == 200, link
        assert response.context["form"].valid, (link, response.context["form"].faults)
        found += sum(row.count for row in response.context["rows"])
        older = response.context["older"]
        address = f"{visitor.path('search')}?{older}" if older else ""
    return found


@pytest.mark.parametrize("query", [{}, {"server": "mx1"}, {"range": "day"}, {"range": "hour"}])
def test_every_number_leads_to_as_many_sightings(
    busy: Traffic, site: Visitors, query: dict[str, str]
) -> None:
    """Whatever is counted can be looked at, one by one, and it is as many."""
    page = site.viewer.get("account", query=query)
    figures = [shown(page, "traffic")["all"], *shown(page, "traffic")["figures"]]
    numbers = [(one.link, one.count) for one in figures]
    numbers += [(row["link"], row["one"].hits) for row in shown(page, "lists")["rows"]]
    alone = shown(page, "lists")["alone"]["rows"]
    numbers += [(row["link"], row["one"].alone) for row in alone if row["link"]]
    for row in shown(page, "worst")["rows"]:
        numbers.append((row["stopped"], row["one"].stopped))
        numbers.append((row["accepted"], row["one"].accepted))
    numbers += [(row["all"], row["line"].contacts) for row in shown(page, "servers")["rows"]]
    numbers += [(row["stopped"], row["line"].stopped) for row in shown(page, "servers")["rows"]]
    assert len(numbers) > 12
    wrong = [
        (link, count, behind(site.viewer, link))
        for link, count in numbers
        if behind(site.viewer, link) != count
    ]
    assert wrong == []


def test_the_legend_has_the_totals(busy: Traffic, site: Visitors) -> None:
    """Of the week, of all servers, each contact once, with what the week before had.

    Of that only where it was seen from its beginning: else the numbers would be of another time.
    """
    part_of_it = text_of(site.viewer.get("account"))
    for server in ("mx1", "mx2"):
        busy.log(busy.seen("203.0.113.9", Outcome.LOST, ago=15 * DAY), server=server)
    page = site.viewer.get("account")
    assert "against the week before" in text_of(page)
    assert "against the week before" not in part_of_it
    assert "There is nothing to compare this with: mx1, mx2 (seen only since" in part_of_it
    counts = {one.look.word: one.count for one in shown(page, "traffic")["figures"]}
    assert counts == {
        "Accepted": 6,
        "Own list": 2,
        "Public RBL": 82,
        "Other reject": 4,
        "Deferred": 2,
        "Auth failure": 2,
        "No verdict": 2,
    }
    assert shown(page, "traffic")["all"].count == 100
    assert "so all but mx1 (not seen on " in text_of(page)
    assert "3 of the servers compared, 2 in the week before" in page.content.decode()


def test_a_new_server_is_no_spike(traffic: Traffic, site: Visitors) -> None:
    """What came with it is not compared, and it is named; by itself there is nothing beside it."""
    for day in range(15):
        ago = day * DAY + 90
        traffic.log(*traffic.mail("192.0.2.107", 20, "smtp.bigmail.example", ago=ago))
    traffic.log(*traffic.mail("192.0.2.108", 700, "new.example", ago=DAY), server="mx2")
    page = site.viewer.get("account")
    every = shown(page, "traffic")["all"]
    assert every.count == 140 + 700
    assert every.delta.title == "140 of the servers compared, 140 in the week before"
    assert re.fullmatch("[\u25b2\u25ac] [012]\u202f%", every.delta.words)
    assert "against the week before" in text_of(page)
    assert "seen all through both times, so all but mx2 (seen only since " in text_of(page)
    text = text_of(site.viewer.get("account", query={"server": "mx2"}))
    assert "against the week before" not in text
    assert "There is nothing to compare this with: mx2 (seen only since " in text
    text = text_of(site.viewer.get("account", query={"server": "mx1"}))
    assert "against the week before" in text
    assert "ompare" not in text


def test_buckets_of_the_chart_lead_to_their_time(busy: Traffic, site: Visitors) -> None:
    """All buckets together lead to everything, and none to another time."""
    page = site.viewer.get("account", query={"range": "day"}).content.decode()
    chart = page.partition('class="hits"')[2].partition("</svg>")[0]
    cells = re.findall(r'<a href="([^"]*)" [^>]*data-v="([\d ]*)"', chart)
    assert len(cells) == 24
    found = Counter[str]()
    for link, values in cells:
        count = sum(map(int, values.split()))
        if count:
            assert behind(site.viewer, unescape(link)) == count
            found["contacts"] += count
    assert found["contacts"] == 94


def test_of_others_nothing_shows(busy: Traffic, site: Visitors) -> None:
    """Neither in numbers nor in names; another's server is as if it were not."""
    assert STRANGE not in site.viewer.get("account").content.decode()
    own = Visitor(site.outsider.client, busy.world.outsider.account.pk)
    page = own.get("account")
    assert shown(page, "traffic")["all"].count == 81
    assert "192.0.2.107" not in page.content.decode()
    assert own.get("account", query={"server": "mx1"}).status_code == 404
    assert site.viewer.get("account", query={"server": "foreign"}).status_code == 404


def test_text_of_strangers_stays_text(busy: Traffic, site: Visitors) -> None:
    """In every section, and in the charts."""
    page = site.viewer.get("account", query={"range": "hour"}).content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page


def test_who_may_act_is_offered_to(busy: Traffic, site: Visitors) -> None:
    """The worst can be checked and blocked from where they are seen; viewers only see."""
    address = "listings/add/?action=block&amp;target=198.51.100.0/24"
    assert address in site.admin.get("account").content.decode()
    assert "listings/add/" not in site.viewer.get("account").content.decode()
    busy.listed(Action.BLOCK, "198.51.100.0/24")
    page = site.admin.get("account")
    assert address not in page.content.decode()
    assert '<span class="tag you">blocked</span>' in page.content.decode()
    assert ">Blocked 198.51.100.0/24</text>" in page.content.decode()
    busy.listed(Action.BLOCK, f".{'x' * 50}.example")
    assert f">Blocked .{'x' * 48}…</text>" in site.admin.get("account").content.decode()
    clients = site.admin.get("account", query={"by": "clients"})
    listed = {row["one"].network.text: row["listed"] for row in shown(clients, "worst")["rows"]}
    assert listed["203.0.113.9"] == ""
    assert listed["198.51.100.64"] == "blocked"


def test_of_many_silent_servers_the_longest_silent_are_named(
    traffic: Traffic, site: Visitors
) -> None:
    """Two hundred of them would hide all else that changed; the others are counted."""
    for number in range(SILENT_SHOWN + 2):
        name = f"old{number}"
        traffic.servers[name] = add_server(traffic.world.owner, name).pk
        ago = 3 * DAY - number * HOUR
        traffic.log(*[traffic.seen("203.0.113.1", Outcome.ACCEPTED, ago=ago)] * 90, server=name)
    text = text_of(site.viewer.get("account"))
    assert "Nothing from old0" in text
    assert f"Nothing from old{SILENT_SHOWN}" not in text
    assert "Nothing from 2 more servers either" in text


def test_what_changed(busy: Traffic, site: Visitors) -> None:
    """A network that was never seen before is told, with the way to act on it."""
    text = text_of(site.admin.get("account"))
    assert "New offender: 198.51.100.0/24 , 80 turned away, nothing accepted" in text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"range": "hour"}, 60),
        ({"range": "day"}, 24),
        ({"range": "week"}, 168),
        ({"range": "month"}, 31),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-01-01T02:00:00Z"}, 120),
        ({"since": "2026-01-01", "until": "2026-03-01"}, 59),
        ({"since": "2026-01-05T10:00", "until": "2026-01-06T10:00"}, 24),
    ],
)
def test_stretches_of_time(
    busy: Traffic, site: Visitors, query: dict[str, str], count: int
) -> None:
    """By a word, or from here to there, in the steps that show it best."""
    page = site.viewer.get("account", query=query)
    assert f'data-n="{count}"' in page.content.decode()
    assert not page.context["fault"]


@pytest.mark.parametrize(
    "query",
    [
        {"range": "eon"},
        {"since": "yesterday"},
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"since": "1700-01-01T00:00", "until": "9999-12-31T23:59"},
        {"since": "2020-01-01", "until": "2026-01-01"},
        {"since": "x" * 5000},
    ],
)
def test_a_time_that_cannot_be(busy: Traffic, site: Visitors, query: dict[str, str]) -> None:
    """The page says why and shows the last week instead."""
    page = site.viewer.get("account", query=query)
    assert page.status_code == 200
    assert "Shown is the last week instead" in text_of(page)
    assert 'data-n="168"' in page.content.decode()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("word", ["hour", "day", "week", "month"])
def test_every_zone_sees_everything(busy: Traffic, site: Visitors, zone: str, word: str) -> None:
    """Steps follow the reader's clock; the table adds up to the whole whatever they are."""
    site.viewer.client.cookies["zone"] = zone
    found = shown(site.viewer.get("account", query={"range": word}), "traffic")
    assert sum(sum(row["counts"]) for row in found["rows"]) == found["all"].count
    assert 1 < len(found["rows"]) <= 33


def test_time_in_which_nothing_was_seen_is_said(traffic: Traffic, site: Visitors) -> None:
    """A server that logs steadily and then stops for hours leaves a gap, not zeros."""
    for hour in range(24):
        if hour not in range(6, 10):
            ago = hour * HOUR + 1800
            many = [traffic.seen("203.0.113.7", Outcome.REJECTED, ago=ago) for _ in range(10)]
            traffic.log(*many)
    page = site.viewer.get("account", query={"range": "day"}).content.decode()
    assert re.search(r"<title>nothing seen for [345] h</title>", page)


def test_a_section_that_fails_fails_alone(busy: Traffic, site: Visitors) -> None:
    """Without the database of traffic each section says so; listings still stand, and DNS works."""
    busy.listed(Action.BLOCK, "198.51.100.9")

    def away(execute: Any, sql: str, *rest: Any) -> Any:
        if "traffic_" in sql:
            raise OperationalError("disk I/O error")
        return execute(sql, *rest)

    with connections[traffic_database()].execute_wrapper(away):
        page = site.viewer.get("account")
        part = site.viewer.fragment("overview-part", {}, part="traffic")
    assert page.status_code == part.status_code == 200
    failed = [name for name, one in page.context["parts"].items() if one.shown is None]
    assert failed == [name for name in PARTS if name != "ending"]
    text = text_of(page)
    assert text.count("This could not be read.") == len(failed)
    assert "Listings that end soon" in text
    assert "Reference" in text_of(part)
    again = site.viewer.fragment("overview-part", {}, part="traffic")
    assert "All contacts 100" in text_of(again)


def test_fragments(busy: Traffic, site: Visitors) -> None:
    """Htmx gets the page without its frame, or one section; the history gets the whole page."""
    content = site.viewer.fragment("account", {"range": "day"})
    assert content.content.decode().strip().startswith('<div id="overview">')
    assert "HX-Request" in content["Vary"]
    for part in PARTS:
        response = site.viewer.fragment("overview-part", {"by": "clients"}, part=part)
        assert response.content.decode().strip().startswith(f'<section id="part-{part}"')
    assert site.viewer.fragment("overview-part", {}, part="nothing").status_code == 404
    back = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    whole = site.viewer.client.get(site.viewer.path("account"), headers=back)
    assert "<html" in whole.content.decode()


def test_before_there_is_anything(world: World, site: Visitors) -> None:
    """First a server, then its first contact; the page that waits shows it by itself."""
    assert "Add the first mail server" in text_of(site.admin.get("account"))
    assert "servers/add/" in site.admin.get("account").content.decode()
    assert "owners and admins can add servers" in text_of(site.viewer.get("account"))
    add_server(world.admin, "mx9")
    page = site.viewer.get("account")
    assert "Waiting for the first contact" in text_of(page)
    assert 'hx-trigger="every 5s"' in page.content.decode()
    assert "server/mx9/" in page.content.decode()
    assert "mailmum ship" in text_of(page)


def test_a_first_lookup_is_shown(traffic: Traffic, site: Visitors) -> None:
    """Where only lookups are seen, what was answered is what is counted."""
    traffic.asked("203.0.113.7", Outcome.LISTED, 3, source=Source.POLICY)
    traffic.asked("203.0.113.8", Outcome.UNLISTED, 4, server="mx2")
    page = site.viewer.fragment("account", {})
    counts = {one.look.word: one.count for one in shown(page, "traffic")["figures"]}
    assert counts == {"Accepted": 0, "Own list": 3, "No verdict": 4}
    assert Group.OTHER in shown(page, "traffic")["found"].groups
    assert time.time() - traffic.now < 60
