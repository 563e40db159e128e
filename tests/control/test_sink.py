"""What the daemons hand over, as it is kept: all of it, once, and under the right account."""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

import pytest
from django.db import DatabaseError, DataError

from mailmum.control.dataplane import sink
from mailmum.control.dataplane.sink import TrafficSink
from mailmum.control.servers.models import Server
from mailmum.control.servers.services import add_server
from mailmum.control.traffic import tallies
from mailmum.control.traffic.find import find
from mailmum.control.traffic.models import (
    BarredUse,
    Hit,
    Process,
    RevokedUse,
    ServerUse,
    Tally,
    Total,
)
from mailmum.control.traffic.reading import Wanted
from mailmum.daemons.counts import Parcel, Report, Seen, Taken
from mailmum.dns.counters import BarredCount, ClientCount, CountBatch, RevokedCount, Subject
from mailmum.index.records import SourceUnavailable
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.support.world import World

NOW = 1_790_000_000.0
REPORT = Report("0123", "dns", NOW - 5, position=12, saved=NOW - 3)


def address(text: str) -> Subject:
    """An address as it is counted."""
    given = ipaddress.ip_address(text)
    return given.version, int(given)


def count(
    server: Server, list_: str, subject: Subject | None, verdict: str, number: int = 1, **more: bool
) -> ClientCount:
    """So many lookups."""
    return ClientCount(server.pk, list_, subject, verdict, more.get("wide", False), number)


def parcel(
    clients: Sequence[ClientCount] = (),
    number: int = 1,
    report: Report = REPORT,
    sightings: Sequence[Seen] = (),
    **batch: object,
) -> Parcel:
    """A parcel with these counts."""
    made = replace(CountBatch.of(clients), **batch)  # type: ignore[arg-type]
    return Parcel(number, NOW, Taken(made, sightings), report)


def tally() -> dict[str, int]:
    """All tallies."""
    return {one.key: one.count for one in tallies.read()}


def kept(account: int) -> Counter[object]:
    """What is kept of an account's sightings."""
    found: Counter[object] = Counter()
    for one in find(account, Wanted()).found:
        seen = one.sighting
        found[one.server, one.source, seen.client or seen.helo, seen.outcome] += one.count
    return found


@pytest.fixture
def mx1(world: World) -> Server:
    """A server of the account."""
    return add_server(world.owner, "mx1")


@pytest.fixture
def other(world: World) -> Server:
    """A server of another account."""
    return add_server(world.outsider, "mx1")


def test_lookups_become_sightings_of_their_account(mx1: Server, other: Server) -> None:
    """Each contact once though two lists were asked; names beside them; by account."""
    TrafficSink()(
        parcel(
            [
                count(mx1, "bl", address("203.0.113.7"), "block", 3),
                count(mx1, "wl", address("203.0.113.7"), "block", 3),
                count(mx1, "bl", address("2001:db8::1"), "allow", 2, wide=True),
                count(mx1, "wl", address("2001:db8::1"), "allow", 2, wide=True),
                count(mx1, "bl", address("192.0.2.1"), "none"),
                count(mx1, "bl", None, "none", 9),
                count(mx1, "dbl", "mail.spam.example", "block", wide=True),
                count(mx1, "dbl", "mail.example.net", "none", 4),
                count(other, "bl", address("192.0.2.1"), "none", 5),
            ]
        )
    )
    assert kept(mx1.account_id) == {
        (mx1.pk, Source.DNS, "203.0.113.7", Outcome.LISTED): 3,
        (mx1.pk, Source.DNS, "2001:db8::1", Outcome.ALLOWED): 2,
        (mx1.pk, Source.DNS, "192.0.2.1", Outcome.UNLISTED): 1,
        (mx1.pk, Source.DNS, "mail.spam.example", Outcome.LISTED): 1,
        (mx1.pk, Source.DNS, "mail.example.net", Outcome.UNLISTED): 4,
    }
    assert kept(other.account_id) == {(other.pk, Source.DNS, "192.0.2.1", Outcome.UNLISTED): 5}
    times = {one.sighting.time for one in find(mx1.account_id, Wanted()).found}
    assert times == {NOW}


def test_uses_hits_and_tallies(mx1: Server, other: Server) -> None:
    """Sums by server as before, hits by what was listed, and what monitoring systems read."""
    keep = TrafficSink()
    clients = [
        count(mx1, "bl", address("203.0.113.7"), "block", 3),
        count(mx1, "wl", address("203.0.113.7"), "block", 3),
        count(mx1, "bl", address("203.0.113.8"), "block", 2, wide=True),
        count(mx1, "bl", None, "none", 4),
        count(mx1, "dbl", "a.example", "block", 1),
        count(mx1, "dbl", "b.example", "block", 5, wide=True),
        count(mx1, "wl", address("192.0.2.1"), "allow"),
        count(other, "bl", address("203.0.113.7"), "block"),
    ]
    revoked = (RevokedCount(mx1.pk, "k0000000", 6),)
    for number in (1, 2):
        keep(parcel(clients, number, revoked=revoked, faults=(("formerr", 2),), lost=7))
    for number, sender in ((3, "203.0.113.1"), (4, "2001:db8::1")):
        keep(parcel([], number, barred=(BarredCount(mx1.pk, sender, 5),)))
    barred = BarredUse.objects.get(server=mx1.pk)
    assert (barred.queries, barred.sender, barred.last) == (10, "2001:db8::1", int(NOW))
    use = ServerUse.objects.get(server=mx1.pk)
    assert (use.queries, use.blocked, use.allowed, use.last) == (38, 28, 2, int(NOW))
    assert ServerUse.objects.get(server=other.pk).queries == 2
    assert RevokedUse.objects.get(key="k0000000").queries == 12
    hits = {"address": 6, "network": 4, "host": 2, "domain": 10}
    none = dict.fromkeys(hits, 0)
    assert tallies.hits(mx1.account_id, [mx1.pk]) == (hits, {})
    assert tallies.hits(mx1.account_id, [other.pk]) == (none, {})
    assert tallies.hits(other.account_id, [other.pk]) == (none | {"address": 2}, {})
    assert tally() == {
        "faults/dns/formerr": 4,
        "lost/clients": 8,
        "lost/verdicts": 14,
        "queries/bl/block": 12,
        "queries/bl/none": 8,
        "queries/dbl/block": 12,
        "queries/revoked": 12,
        "queries/wl/allow": 2,
        "queries/wl/block": 6,
        "sightings/dns/allowed": 2,
        "sightings/dns/listed": 24,
    }


def test_requests_are_kept_as_sightings(mx1: Server, other: Server) -> None:
    """Of the policy service; its counts are not contacts once more."""
    report = replace(REPORT, part="policy")
    seen = Sighting(NOW - 1, service="policy", client="203.0.113.7", outcome=Outcome.LISTED)
    TrafficSink()(
        parcel(
            [
                count(mx1, "policy", address("203.0.113.7"), "block", 2, wide=True),
                count(other, "policy", "", "none"),
            ],
            report=report,
            sightings=[
                Seen(mx1.pk, seen),
                Seen(other.pk, seen._replace(client=None, outcome=Outcome.UNLISTED)),
                Seen(mx1.pk, seen._replace(client="203.0.113.9", recipient="me@here.example")),
            ],
        )
    )
    assert kept(mx1.account_id) == {
        (mx1.pk, Source.POLICY, "203.0.113.7", Outcome.LISTED): 1,
        (mx1.pk, Source.POLICY, "203.0.113.9", Outcome.LISTED): 1,
    }
    assert kept(other.account_id).total() == 1
    assert tallies.hits(mx1.account_id, [mx1.pk])[0]["network"] == 2
    assert tally() == {
        "queries/policy/block": 2,
        "queries/policy/none": 1,
        "sightings/policy/listed": 2,
        "sightings/policy/unlisted": 1,
    }


def test_a_server_that_is_not_in_the_database_is_counted_as_lost(mx1: Server) -> None:
    """A backup was restored under the daemon; its other counts are kept."""
    stranger = Server(pk=mx1.pk + 1000)
    TrafficSink()(
        parcel(
            [
                count(mx1, "bl", address("192.0.2.1"), "block"),
                count(stranger, "bl", address("192.0.2.1"), "block", 3),
            ],
            sightings=[Seen(stranger.pk, Sighting(NOW))],
        )
    )
    assert kept(mx1.account_id).total() == 1
    assert tally()["lost/server-unknown"] == 3


def test_a_parcel_is_kept_once(mx1: Server) -> None:
    """Also when it comes again after the connection broke behind the commit."""
    keep = TrafficSink()
    clients = [count(mx1, "bl", address("192.0.2.1"), "block")]
    for number in (1, 1, 2, 2, 1, 3):
        keep(parcel(clients, number))
    keep(parcel(clients, 1, replace(REPORT, process="4567")))
    assert ServerUse.objects.get(server=mx1.pk).queries == 4
    assert kept(mx1.account_id).total() == 4
    assert sum(Hit.objects.values_list("count", flat=True)) == 4


@pytest.mark.parametrize("step", ["upsert", "keep_lookups", "keep"])
def test_what_breaks_off_leaves_nothing(mx1: Server, step: str) -> None:
    """All of a parcel or none of it; given again it is kept whole."""
    keep = TrafficSink()
    given = parcel(
        [count(mx1, "bl", address("192.0.2.1"), "block")],
        sightings=[Seen(mx1.pk, Sighting(NOW, client="192.0.2.9"))],
    )
    with (
        mock.patch.object(sink, step, side_effect=DatabaseError("disk full")),
        pytest.raises(SourceUnavailable, match="disk full"),
    ):
        keep(given)
    assert not any(model.objects.exists() for model in (ServerUse, Hit, Tally, Process, Total))
    keep(given)
    assert kept(mx1.account_id).total() == 2
    assert ServerUse.objects.get(server=mx1.pk).queries == 1


def test_what_is_wrong_with_a_parcel_is_a_fault_of_ours(mx1: Server) -> None:
    """It would be wrong again, so it must not come again for ever."""
    given = parcel([count(mx1, "bl", address("192.0.2.1"), "block")])
    wrong = mock.patch.object(sink, "keep_lookups", side_effect=DataError("out of range"))
    with wrong, pytest.raises(DataError):
        TrafficSink()(given)
    assert not ServerUse.objects.exists()


def test_processes_report_how_they_stand(mx1: Server) -> None:
    """The latest report counts; one that ended is not missed, one that fell silent is."""
    keep = TrafficSink()
    with mock.patch("time.time", return_value=NOW):
        keep(parcel(number=1))
        keep(parcel(number=2, report=replace(REPORT, position=20, away=NOW - 2)))
        keep(parcel(report=replace(REPORT, process="p", part="policy", ended=True)))
    (process,) = tallies.processes(NOW)
    assert (process.part, process.number, process.seen) == ("dns", 2, NOW)
    assert (process.position, process.away, process.saved) == (20, NOW - 2, NOW - 3)
    assert tallies.silent(NOW + 59) == []
    assert [one.part for one in tallies.silent(NOW + 61)] == ["dns"]
    # Another worker of the same part on the same machine speaks for it.
    with mock.patch("time.time", return_value=NOW + 60):
        keep(parcel(report=replace(REPORT, process="89ab")))
    assert tallies.silent(NOW + 61) == []
    with mock.patch("time.time", return_value=NOW + 7200):
        keep(parcel(report=replace(REPORT, process="cdef")))
    assert [one.process for one in Process.objects.filter(part="dns")] == ["cdef"]


def test_losses_are_told_by_when_they_were(db: None) -> None:
    """What was lost before the time asked about is not told again."""
    tallies.add({"lost/clients": 3, "lost/verdicts": 0, "queries/bl/none": 5}, NOW)
    assert [(one.key, one.count) for one in tallies.losses(NOW - 1)] == [("lost/clients", 3)]
    assert tallies.losses(NOW + 1) == []
