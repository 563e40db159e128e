"""Totals, clients, names and the worst, held against going through all sightings."""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from mailmum.control.monitor.matching import matches
from mailmum.control.traffic import clients, names, totals, working_up
from mailmum.control.traffic.find import find
from mailmum.control.traffic.intake import Lookup, keep, keep_lookups
from mailmum.control.traffic.models import Changed, ClientDay, NetworkDay, Total, WideDay, Worst
from mailmum.control.traffic.reading import Best, Wanted, tolerant
from mailmum.control.traffic.router import traffic_database
from mailmum.control.traffic.working_up import Lister
from mailmum.control.traffic.worst import worst
from mailmum.domain.targets import NameTarget, parse_network
from mailmum.traffic.codes import outcome_of
from mailmum.traffic.packing import client_text
from mailmum.traffic.sightings import Outcome, Source
from tests.control.traffic.kit import NOW, Batch, Event, fill, seen, week

pytestmark = pytest.mark.django_db(databases="__all__")

HOUR, DAY = 3600, 86_400
BEST = {1: Source.LOG, 2: Source.POLICY, 3: Source.DNS}
TIMES = {
    "all": (None, None),
    "hour": (NOW - HOUR, None),
    "some hours": (NOW - 20_000, NOW - 5000),
    "some days": (NOW - 4 * DAY - 5000, NOW - DAY - 7000),
    "before anything": (NOW - 30 * DAY, NOW - 20 * DAY),
}
FILTERS: list[dict[str, Any]] = [
    {},
    {"servers": frozenset({1, 2})},
    {"sources": frozenset({Source.DNS})},
    {"outcomes": frozenset({Outcome.REJECTED, Outcome.ACCEPTED})},
    {"rbl": "a.rbl.example"},
    {"rbl": "nobody.example"},
]


def meant(
    events: Iterable[Event], time: tuple[float | None, float | None], given: dict[str, Any]
) -> list[Event]:
    """What a filter means, with its time widened to whole hours and the best source of each day."""
    since = -1e18 if time[0] is None else time[0] // HOUR * HOUR
    until = 1e18 if time[1] is None else -(-time[1] // HOUR) * HOUR
    in_time = [one for one in events if since <= one.seen.time < until]
    best = {}
    for source in (Source.DNS, Source.POLICY, Source.LOG):
        best.update({place(one): source for one in in_time if one.source is source})
    return [
        one
        for one in in_time
        if one.server in given.get("servers", {one.server})
        and one.source in given.get("sources", {best[place(one)]})
        and one.seen.outcome in given.get("outcomes", {one.seen.outcome})
        and given.get("rbl", one.seen.rbl) == one.seen.rbl
    ]


def place(one: Event) -> tuple[int, int]:
    """Where one source is best: a server on a day."""
    return one.server, int(one.seen.time // DAY)


def plain(outcomes: Mapping[Outcome, int]) -> dict[Outcome, int]:
    """For comparing."""
    return {outcome: count for outcome, count in outcomes.items() if count}


def by(events: Iterable[Event], key: Any) -> dict[Any, dict[Outcome, int]]:
    """Counts by outcome for each value of a key."""
    made: dict[Any, Counter[Outcome]] = {}
    for one in events:
        made.setdefault(key(one), Counter())[one.seen.outcome] += 1
    return {value: dict(outcomes) for value, outcomes in made.items()}


def test_totals_are_what_counting_finds() -> None:
    """By outcome, by server, by list and over time; whatever is asked for."""
    events = week(4)
    fill(events)
    for time in TIMES.values():
        for given in FILTERS:
            wanted = Wanted(**given, since=time[0], until=time[1])
            right = meant(events, time, given)
            outcomes = by(right, lambda _: None).get(None, {})
            assert plain(totals.by_outcome(1, wanted, now=NOW)) == outcomes
            servers = {n: plain(o) for n, o in totals.by_server(1, wanted, now=NOW).items()}
            assert servers == by(right, lambda one: one.server)
            lists = {n: plain(o) for n, o in totals.by_list(1, wanted, now=NOW).items()}
            assert lists == by(right, lambda one: one.seen.rbl)
            points = {
                p.start: plain(p.outcomes) for p in totals.over_time(1, wanted, HOUR, now=NOW)
            }
            assert points == by(right, lambda one: one.seen.time // HOUR * HOUR)
    assert totals.best_sources(1, Wanted(), now=NOW) == BEST
    assert totals.by_outcome(3, Wanted(), now=NOW) == {}


def test_what_was_seen_before_the_log_began_stays() -> None:
    """Of each day the best source counts: in totals, by client and in the sightings behind them."""
    for back, source in ((3, Source.DNS), (2, Source.DNS), (1, Source.LOG), (0, Source.LOG)):
        at = NOW - back * DAY
        keep(1, 1, Source.DNS, Batch([seen(at, outcome=Outcome.UNLISTED)] * 3), now=NOW)
        if source is Source.LOG:
            keep(1, 1, source, Batch([seen(at)]), now=NOW)
        keep(1, 2, Source.DNS, Batch([seen(at, outcome=Outcome.LISTED)]), now=NOW)
    wanted = Wanted(since=NOW - 5 * DAY)
    right = {Outcome.UNLISTED: 6, Outcome.REJECTED: 2, Outcome.LISTED: 4}
    assert totals.by_outcome(1, wanted, now=NOW) == right
    network = parse_network("203.0.113.0/24")
    assert clients.about(1, network, wanted, now=NOW).outcomes == right
    (one,) = clients.counts_of(1, [network], wanted, NOW)
    assert one.outcomes == right
    best = totals.best_by_day(1, wanted, NOW)
    began = int((NOW - DAY) // DAY * DAY)
    assert best == (
        Best(1, Source.DNS, until=began),
        Best(1, Source.LOG, since=began),
        Best(2, Source.DNS),
    )
    found = find(1, replace(wanted, best=best)).found
    assert Counter(kept.sighting.outcome for kept in found) == right
    of_one = replace(wanted, best=best, client=parse_network("203.0.113.7"))
    assert find(1, of_one).found == found
    assert all(matches(of_one, kept) for kept in found)
    assert sum(matches(of_one, kept) for kept in find(1, wanted).found) == len(found)
    assert len(find(1, wanted).found) == 18
    last_day = Wanted(since=NOW - HOUR)
    assert totals.best_by_day(1, last_day, NOW)[0] == Best(1, Source.LOG)


def test_a_server_whose_log_comes_and_goes_is_counted_by_it_alone() -> None:
    """A condition with a stretch for each of very many days would be too long."""
    for back in range(90):
        source = Source.LOG if back % 2 else Source.DNS
        keep(1, 1, source, Batch([seen(NOW - back * DAY)]), now=NOW)
    assert len(totals.best_by_day(1, Wanted(since=NOW - 30 * DAY), NOW)) == 31
    wanted = Wanted(since=NOW - 89 * DAY)
    assert totals.best_by_day(1, wanted, NOW) == (Best(1, Source.LOG),)
    assert totals.by_outcome(1, wanted, now=NOW) == {Outcome.REJECTED: 45}


@pytest.mark.parametrize(
    "network",
    [
        *("203.0.113.7", "203.0.113.0/24", "203.0.0.0/14", "203.0.0.0/9", "0.0.0.0/0"),
        *("2001:db8::/32", "2001:db8::/40", "2000::/3"),
    ],
)
@pytest.mark.parametrize("worked_up", [False, True])
def test_a_client_is_what_counting_finds(network: str, worked_up: bool) -> None:
    """An address or a network, in any stretch of time, whether the worker has been there or not."""
    events = week(5)
    fill(events)
    if worked_up:
        list(Lister().steps(NOW))
        assert NetworkDay.objects.exists()
        assert WideDay.objects.exists()
    net = ipaddress.ip_network(network)
    inside = [one for one in events if ipaddress.ip_address(one.seen.client or "") in net]
    for time in TIMES.values():
        wanted = Wanted(since=time[0], until=time[1])
        about = clients.about(1, parse_network(network), wanted, now=NOW)
        # Which source is best is a matter of the whole server, not of the client.
        right = [one for one in meant(events, time, {}) if one in inside]
        every = meant(inside, time, {"sources": set(Source)})
        assert plain(about.outcomes) == by(right, lambda _: None).get(None, {})
        assert about.servers == by(every, lambda one: (one.server, one.source))
        assert about.clients == len({one.seen.client for one in every})
        assert about.lists == Counter(one.seen.rbl for one in every if one.seen.rbl)
        if every:
            assert about.first is not None
            assert about.last is not None
            assert about.first <= every[0].seen.time < about.first + DAY
            assert about.last <= every[-1].seen.time < about.last + DAY
        else:
            assert (about.first, about.last) == (None, None)
        found = clients.clients_in(1, parse_network(network), wanted, now=NOW)
        assert {c.text: plain(c.outcomes) for c in found} == by(right, lambda one: one.seen.client)
        if clients.is_wide(parse_network(network)):
            wide = clients.networks_in(1, parse_network(network), wanted, now=NOW)
            assert {c.text: plain(c.outcomes) for c in wide} == by(
                right, lambda one: network_of(one.seen.client)
            )
        assert found == sorted(found, key=lambda c: (c.network.version == 4, c.network.first))


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("spam.example", True),
        ("spam.example", False),
        ("mail.spam.example", False),
        ("example", True),
        ("top", True),
        ("nothing.example", True),
    ],
)
@pytest.mark.parametrize("limit", [20_000, 10])
def test_a_name_is_what_counting_finds(
    monkeypatch: pytest.MonkeyPatch, name: str, whole: bool, limit: int
) -> None:
    """Totals are exact even where names and clients are not all read."""
    monkeypatch.setattr(names, "ROWS_LIMIT", limit)
    events = week(6)
    fill(events)
    target = NameTarget(name, whole)
    under = names.under(1, target, Wanted(), now=NOW)
    best = meant(events, (None, None), {})
    verified = [o for o in best if o.seen.client_name and target.covers(o.seen.client_name)]
    claimed = [
        o
        for o in best
        if o.seen.helo and o.seen.helo != o.seen.client_name and target.covers(o.seen.helo)
    ]
    assert plain(under.verified) == by(verified, lambda _: None).get(None, {})
    assert plain(under.claimed) == by(claimed, lambda _: None).get(None, {})
    rights = {
        **{(n, True): o for n, o in by(verified, lambda one: one.seen.client_name).items()},
        **{(n, False): o for n, o in by(claimed, lambda one: one.seen.helo).items()},
    }
    found = {(one.name, one.verified): plain(one.outcomes) for one in under.names}
    if under.complete:
        assert found == rights
        assert {c.text: plain(c.outcomes) for c in under.clients} == by(
            [*verified, *claimed], lambda one: one.seen.client
        )
    else:
        assert limit == 10
        assert found.keys() <= rights.keys()


def test_names_that_were_asked_for() -> None:
    """Over DNS nothing is known but the name; it is found without a client."""
    lookups = [
        Lookup(1, 3, NOW, "mail.spam.example", Outcome.LISTED, 4),
        Lookup(1, 3, NOW, "www.spam.example", Outcome.UNLISTED, 9),
    ]
    keep_lookups(Source.DNS, lookups, now=NOW)
    under = names.under(1, NameTarget("spam.example", whole=True), Wanted(), now=NOW)
    assert under.claimed == {Outcome.LISTED: 4, Outcome.UNLISTED: 9}
    assert under.clients == ()
    assert [(one.name, one.clients) for one in under.names] == [
        ("www.spam.example", 0),
        ("mail.spam.example", 0),
    ]
    # A name that is not listed says nothing about how many came.
    assert totals.by_outcome(1, Wanted(), now=NOW) == {Outcome.LISTED: 4}


@pytest.mark.parametrize("pairs", [0, clients._PAIRS])
def test_the_worst_come_first(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    """As counting ranks them, once the worker has been there; by server, and as networks.

    The same where the sources that count are too many to be named in the question.
    """
    monkeypatch.setattr(clients, "_PAIRS", pairs)
    events = week(7, 500)
    fill(events)
    list(Lister().steps(NOW))
    for time in ((NOW - 7 * DAY, None), (NOW - 10 * HOUR, None)):
        for given in ({}, {"servers": frozenset({1})}, {"outcomes": frozenset({Outcome.LISTED})}):
            right = [o for o in meant(events, time, given) if o.seen.outcome.stopped]
            wanted = Wanted(**given, since=time[0])
            found = ranked(worst(1, wanted, now=NOW), wanted)
            assert dict(found) == Counter(one.seen.client for one in right)
            counts = [count for _, count in found]
            assert counts == sorted(counts, reverse=True)
            wide = ranked(worst(1, wanted, networks=True, now=NOW), wanted)
            assert dict(wide) == Counter(network_of(one.seen.client or "") for one in right)
    assert len(worst(1, Wanted(), limit=2, now=NOW)) == 2
    assert worst(3, Wanted(), now=NOW) == []


def ranked(found: list[clients.Client], wanted: Wanted) -> list[tuple[str, int]]:
    """What each is ranked by."""
    ranks = wanted.outcomes or {outcome for outcome in Outcome if outcome.stopped}
    return [(one.text, sum(one.outcomes.get(outcome, 0) for outcome in ranks)) for one in found]


def network_of(client: str) -> str:
    """The /24 or /64 of a client."""
    prefix = 64 if ":" in client else 24
    return str(ipaddress.ip_network((client, prefix), strict=False))


def test_the_worst_are_listed_again_when_more_comes() -> None:
    """But not at once: once a minute is enough."""
    lister = Lister()
    keep(1, 1, Source.LOG, Batch([seen(NOW)]), now=NOW)
    assert len(list(lister.steps(NOW))) == 2
    assert list(lister.steps(NOW + 1)) == []
    keep(1, 1, Source.LOG, Batch([seen(NOW, "198.51.100.1"), seen(NOW, "198.51.100.1")]), now=NOW)
    assert list(lister.steps(NOW + 10)) == []
    assert len(list(lister.steps(NOW + 120))) == 2
    assert [c.text for c in worst(1, Wanted(), now=NOW)] == ["198.51.100.1", "203.0.113.7"]


def test_today_does_not_wait_for_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all days are due, as after an upgrade: today first, then one by one, the newest first.

    What is told meanwhile is right: nobody goes by the sums of a day that is not done.
    """
    monkeypatch.setattr(working_up, "_AT_ONCE", 0.0)
    lister, days = Lister(), [NOW - back * DAY for back in range(4)]
    for day in days:
        keep(1, 1, Source.LOG, Batch([seen(day)]), now=NOW)
    Changed.objects.filter(step=HOUR, start__lt=NOW - HOUR).delete()
    for done in range(1, 4):
        list(lister.steps(NOW + done))
        starts = NetworkDay.objects.order_by("-start").values_list("start", flat=True)
        assert list(starts) == [day // DAY * DAY for day in days[1 : done + 1]]
        assert Worst.objects.filter(start__gt=NOW - DAY).exists()
        assert lister.behind == (done < 3)
        [network] = clients.networks_in(1, None, Wanted(), now=NOW)
        assert network.outcomes == {Outcome.REJECTED: 4}


def test_counts_come_in_order() -> None:
    """Hour by hour and client by client: what a trial of a trigger on the past reads."""
    events = week(8)
    fill(events)
    rows = list(clients.in_order(1, Wanted(since=NOW - 5 * DAY), HOUR, now=NOW))
    assert [row[:2] for row in rows] == sorted(row[:2] for row in rows)
    found = Counter[Any]()
    for start, client, server, _, outcome, _, count in rows:
        found[start, client_text(bytes(client)), server, outcome_of(outcome)] += count
    since = (NOW - 5 * DAY) // HOUR * HOUR
    assert found == Counter(
        (int(o.seen.time // HOUR * HOUR), o.seen.client, o.server, o.seen.outcome)
        for o in events
        if o.seen.time >= since
    )


def test_when_each_source_was_seen_last() -> None:
    """By server."""
    events = week(9)
    fill(events)
    right: dict[int, dict[Source, float]] = {}
    for one in events:
        right.setdefault(one.server, {})[one.source] = one.seen.time
    assert totals.last_seen([1, 2, 3, 4]) == right


def test_traffic_that_cannot_be_read_is_done_without() -> None:
    """By whoever shows it beside something else."""
    keep(1, 1, Source.LOG, Batch([seen()]), now=NOW)
    connection = connections[traffic_database()]
    with connection.cursor() as cursor:
        for model in (Total, ClientDay):
            cursor.execute(f'ALTER TABLE "{model._meta.db_table}" RENAME TO gone_{model.__name__}')
    instead: Mapping[Outcome, int] = {Outcome.LOST: 1}
    assert tolerant(lambda: totals.by_outcome(1, Wanted(), now=NOW), instead) is instead
