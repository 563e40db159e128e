"""Whom a whole list would have hit: held against `check`, which looks at one target."""

import pytest

from mailmum.control.feeds.services import add_feed, upload_feed
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.journal.moments import moment
from mailmum.control.monitor import lists
from mailmum.control.monitor.impact import check
from mailmum.control.monitor.lists import Met, meet
from mailmum.domain.errors import NotFound
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from mailmum.index.entries import built
from mailmum.traffic.sightings import Outcome, Source
from tests.control.monitor.kit import Traffic

DAY = 86_400.0


def met(traffic: Traffic, *targets: str, server: str | None = None, days: int = 30) -> Met:
    """What a list of these would have met, as a viewer is told."""
    entries = built(map(parse_target, targets))
    return meet(traffic.world.viewer, entries, server, days=days, now=traffic.now)


def hits(found: Met) -> list[tuple[str, int, int, bool]]:
    """The clients that matter most."""
    told = found.told()["hits"]
    return [(one["client"], one["accepted"], one["rejected"], one["kept"]) for one in told]


@pytest.fixture
def busy(traffic: Traffic) -> Traffic:
    """Abuse and mail, at two servers, over some days, by log and by lookups."""
    traffic.log(*traffic.pool(), *traffic.pool(ago=3 * DAY))
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.log(*traffic.mail("198.51.100.130", 3, "mail.city.example"), server="mx2")
    traffic.log(traffic.seen("2001:db8:1::7", Outcome.ACCEPTED, client_name="six.news.example"))
    # The same contacts as the log's, and some of which nothing else is known.
    traffic.asked("198.51.100.201", Outcome.CONNECTED, 12)
    traffic.asked("203.0.113.9", Outcome.CONNECTED, 4)
    traffic.foreign(*traffic.mail("198.51.100.70", 500, "mail.example"))
    return traffic


@pytest.mark.parametrize("server", [None, "mx1", "mx2"])
@pytest.mark.parametrize(
    "target",
    [
        "198.51.100.0/24",
        "198.51.100.201",
        "2001:db8:1::/48",
        "203.0.113.9",
        "192.0.2.0/24",
        ".news.example",
        ".pool.example",
        "mail.city.example",
    ],
)
def test_a_list_of_one_is_what_check_tells(busy: Traffic, target: str, server: str | None) -> None:
    """Contact by contact."""
    found = met(busy, target, server=server).told()
    other = check(busy.world.viewer, parse_target(target), server, now=busy.now)
    assert (found["contacts"], found["clients"]) == (other.contacts, other.clients)
    assert (found["accepted"], found["rejected"]) == (other.accepted, other.rejected)
    assert (found["since"], found["complete"], found["kept"]) == (
        moment(other.since),
        True,
        0,
    )
    assert [(one["client"], one["accepted"]) for one in found["hits"]] == [
        (one.client, one.accepted) for one in other.hits
    ]


def test_who_is_in_it_twice_counts_once(busy: Traffic) -> None:
    """By address and by name, by networks in each other."""
    once = met(busy, "198.51.100.0/24")
    twice = met(busy, "198.51.100.0/24", "198.51.100.128/25", "198.51.100.201", ".pool.example")
    assert twice.told() == once.told()
    more = met(busy, "198.51.100.201", ".pool.example", "192.0.2.0/24")
    assert hits(more)[0] == ("198.51.100.201", 12, 0, False)
    assert (len(more.clients), more.seen.total.contacts) == (17, 12 + 160)


def test_a_lookup_of_a_name_is_no_further_contact_where_a_log_tells(traffic: Traffic) -> None:
    """Nor where the client that came under it is in the list by its address."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.asked("out1.news.example", Outcome.CONNECTED, 12)
    for targets in (["198.51.100.201"], [".news.example"], ["198.51.100.201", ".news.example"]):
        told = met(traffic, *targets).told()
        assert (told["contacts"], told["clients"], told["accepted"]) == (12, 1, 12)


def test_the_words_are_those_of_a_check(busy: Traffic) -> None:
    """Dangerous by mail that would be lost; what is only asked for is not known."""
    told = met(busy, "198.51.100.0/24").told()
    assert (told["verdict"], told["warnings"]) == (
        "dangerous",
        ["2 clients delivered 15 accepted messages in 30 days: they would be rejected"],
    )
    assert met(busy, ".pool.example").told()["verdict"] == "safe"
    assert met(busy, "203.0.113.9").told()["accepted"] is None


def test_allows_keep_clients(busy: Traffic) -> None:
    """People's, and those of a feed; with all of them kept it is safe."""
    busy.listed(Action.ALLOW, "198.51.100.201")
    found = met(busy, "198.51.100.0/24")
    assert hits(found)[:2] == [("198.51.100.201", 12, 0, True), ("198.51.100.130", 3, 0, False)]
    assert (found.told()["kept"], found.told()["verdict"]) == (12, "caution")
    owner = busy.world.owner
    add_feed(owner, make_wish("friends", "", action="allow"))
    upload_feed(owner, "friends", b"198.51.100.128/26\n")
    found = met(busy, "198.51.100.0/24")
    assert (found.told()["kept"], found.told()["verdict"]) == (15, "safe")


def test_an_allow_of_another_server_keeps_nobody(busy: Traffic) -> None:
    """Whether the list is for one server or for all: as `check` tells it, mail would be lost."""
    busy.listed(Action.ALLOW, "198.51.100.201", server="mx2")
    for server in ("mx1", None):
        found = met(busy, "198.51.100.0/24", server=server)
        other = check(busy.world.viewer, parse_target("198.51.100.0/24"), server, now=busy.now)
        assert hits(found)[0] == ("198.51.100.201", 12, 0, False)
        assert (found.told()["verdict"], found.told()["kept"]) == (other.verdict, other.kept)
    busy.listed(Action.ALLOW, "198.51.100.201", server="mx1")
    assert hits(met(busy, "198.51.100.0/24", server="mx1"))[0][3] is True


def test_days_that_are_too_much_are_left_out(
    busy: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest is told all the same, in part if it must be."""
    monkeypatch.setattr(lists, "BUDGET", 25)
    found = met(busy, "198.51.100.0/24").told()
    assert (found["complete"], found["rejected"]) == (False, 80)
    assert "there is too much to look at all of it" in found["warnings"][-1]
    monkeypatch.setattr(lists, "BUDGET", 3)
    found = met(busy, "198.51.100.0/24").told()
    assert (found["complete"], found["contacts"] > 0) == (False, True)
    monkeypatch.setattr(lists, "BUDGET", 1000)
    found = met(busy, "198.51.100.0/24").told()
    assert (found["complete"], found["rejected"]) == (True, 160)


def test_policy_requests_count_where_no_log_does(traffic: Traffic) -> None:
    """The better source of a client at a server."""
    traffic.asked("198.51.100.7", Outcome.CONNECTED, 5)
    traffic.asked("198.51.100.7", Outcome.CONNECTED, 3, source=Source.POLICY)
    assert met(traffic, "198.51.100.0/24").seen.total.contacts == 3


def test_nothing_is_told_of_others(busy: Traffic) -> None:
    """Of another account's traffic, nor of a server that there is not."""
    entries = built([parse_target("198.51.100.0/24")])
    found = meet(busy.world.outsider, entries, now=busy.now)
    assert (found.seen.total.contacts, found.seen.total.accepted) == (500, 500)
    with pytest.raises(NotFound):
        met(busy, "198.51.100.0/24", server="mx9")
