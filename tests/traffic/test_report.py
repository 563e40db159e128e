"""Reports: sums are exact whatever is forgotten, and nobody is wronged by what is."""

import ipaddress
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.domain.listings import Action
from mailmum.domain.targets import NetworkTarget, parse_target
from mailmum.traffic import report_parties
from mailmum.traffic.kinds import Kind
from mailmum.traffic.report import Limits, Report, Tally
from mailmum.traffic.report_figures import OUTCOMES, Count
from mailmum.traffic.report_names import domain_of
from mailmum.traffic.report_parties import Groups
from mailmum.traffic.sightings import Delivery, Outcome, Sighting, Update
from tests.traffic.naive import by, contacts, delivered, seen

OWN = ("mailmum.internal",)
MANY = st.lists(contacts(), max_size=120)
# So few that most clients are forgotten, and most of their networks too.
TINY = st.builds(
    Limits, clients=st.integers(1, 6), groups=st.integers(1, 4), least=st.just(2), own=st.just(OWN)
)


def reported(sightings: list[Sighting], limits: Limits, top: int = 1000) -> Report:
    """The report."""
    tally = Tally(limits)
    tally.take(sightings)
    return tally.report(top)


@given(MANY, TINY)
def test_no_total_is_lost(sightings: list[Sighting], limits: Limits) -> None:
    """By outcome, by kind, by host, by list, by delivery, over time: as counted plainly."""
    report = reported(sightings, limits)
    assert report.sightings == len(sightings)
    assert {one: count for one, count in report.totals.items() if count} == by(sightings, "outcome")
    assert sum(report.kinds.values()) == len(sightings)
    assert report.hosts == by(sightings, "host")
    hits = {one.zone: one.hits for one in report.overlap.lists}
    assert hits == {zone: count for zone, count in by(sightings, "rbl").items() if zone}
    told = by(sightings, "delivery")
    assert report.deliveries == {what: told[what] for what in Delivery}
    times = [one.time for one in sightings]
    assert (report.first, report.last) == ((min(times), max(times)) if times else (None, None))
    if times:
        counts = report.times.counts((min(times), sum(times) / len(times), max(times) + 1))
        assert {kind: sum(row) for kind, row in counts.items()} == report.kinds


def whole(groups: Groups, clients: dict[str, Count]) -> Counter[Outcome]:
    """All contacts that groups and what they left together account for."""
    found: Counter[Outcome] = Counter()
    counts = list(groups.with_clients(clients).values())
    counts += [one for client, one in clients.items() if groups.of(client, one) is None]
    if groups.rest is not None:
        counts.append(groups.rest)
    for count in counts:
        found.update(dict(zip(OUTCOMES, count.outcomes, strict=True)))
    return +found


@given(MANY, TINY)
def test_forgotten_clients_are_counted_on(sightings: list[Sighting], limits: Limits) -> None:
    """Networks, and domains, account for every contact of a client that is known."""
    tally = Tally(limits)
    tally.take(sightings)
    parties = tally.parties
    known = Counter(one.outcome for one in sightings if one.client)
    assert whole(parties.networks, parties.clients) == known
    assert whole(parties.domains, parties.clients) == known
    assert len(parties.clients) <= limits.clients


def test_clients_with_long_names_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers call themselves takes no more memory than it may, and no contact is lost."""
    monkeypatch.setattr(report_parties, "NAMES", 1 << 18)
    tally = Tally()
    for block in range(8):
        tally.take(
            Sighting(1764154807.0, client=f"198.51.{block}.{at}", helo="\U0001f4ec" * 250)
            for at in range(200)
        )
        assert len(tally.parties.clients) < 300
    report = tally.report()
    assert report.sightings == report.known[0] == 1600
    assert sum(one.clients for one in tally.parties.networks.with_clients({}).values()) > 1300


@given(MANY)
def test_with_room_every_client_is_exact(sightings: list[Sighting]) -> None:
    """Worst first, each with what it did."""
    report = reported(sightings, Limits(own=OWN))
    assert report.forgotten == 0
    counted = {one.target: one for one in report.clients}
    assert counted.keys() == {one.client for one in sightings if one.client}
    for client, figures in counted.items():
        theirs = [one for one in sightings if one.client == client]
        assert figures.outcomes == by(theirs, "outcome")
        assert figures.stopped == sum(one.outcome.stopped for one in theirs)
        assert (figures.first, figures.last) == (
            min(one.time for one in theirs),
            max(one.time for one in theirs),
        )
        assert sum(figures.kinds().values()) == len(theirs)
    stopped = [one.stopped for one in report.clients]
    assert stopped == sorted(stopped, reverse=True)


def inside(client: str, target: str) -> bool:
    """Whether a listing of the target would hit the client, by the standard library."""
    meant = parse_target(target)
    if not isinstance(meant, NetworkTarget):
        return False
    return ipaddress.ip_address(client) in ipaddress.ip_network(target)


@given(MANY, TINY)
@settings(max_examples=200)
def test_nobody_who_delivered_is_to_be_blocked(sightings: list[Sighting], limits: Limits) -> None:
    """Not the address, not its network, not a domain that it has or claims; forgotten or not."""
    advice = reported(sightings, limits).advice
    good = delivered(sightings)
    accepted = [one for one in sightings if one.outcome is Outcome.ACCEPTED and one.client]
    names = {domain_of(name) for one in accepted for name in (one.helo, one.client_name)}
    for proposal in advice.block:
        assert proposal.action is Action.BLOCK
        assert not [client for client in good if inside(client, proposal.target)]
        assert proposal.target.removeprefix(".") not in names


def test_who_delivered_is_remembered_when_it_is_forgotten() -> None:
    """It delivers, is forgotten with its network, and comes again as an offender; not so others."""
    good = seen("203.0.113.1", outcome=Outcome.ACCEPTED, client_name="mx.partner.example")
    crowd = [seen(f"198.51.{net}.{octet}") for net in range(60) for octet in (1, 2)]
    again = [seen("203.0.113.1")] * 3
    beside = [seen(f"203.0.113.{octet}") for octet in (2, 3, 4) for _ in range(3)]
    named = [
        seen(f"192.0.{net}.9", client_name=f"h{net}.partner.example")
        for net in (2, 3, 4)
        for _ in range(3)
    ]
    limits = Limits(clients=16, groups=4, least=3)
    for delivered_before in (True, False):
        first = [good] if delivered_before else []
        found = reported([*first, *crowd, *again, *beside, *named], limits)
        assert found.forgotten > 0
        targets = {one.target for one in found.advice.block}
        unwanted = {"203.0.113.1", "203.0.113.0/24", ".partner.example"} & targets
        assert bool(unwanted) is not delivered_before


@given(MANY, TINY)
def test_who_is_to_be_allowed_delivered_and_was_caught(
    sightings: list[Sighting], limits: Limits
) -> None:
    """By a list that is not one's own, and the counts are no higher than they were."""
    for proposal in reported(sightings, limits).advice.allow:
        theirs = [one for one in sightings if one.client == proposal.target]
        assert 0 < proposal.evidence.accepted <= by(theirs, "outcome")[Outcome.ACCEPTED]
        caught = [one for one in theirs if one.rbl and one.outcome.stopped]
        assert 0 < proposal.evidence.caught <= len(caught)
        assert any(one.rbl and not one.rbl.endswith(OWN) for one in theirs)


def test_mail_that_is_kept_back_delivered_nothing() -> None:
    """It counts as accepted in all, and makes no client one to be protected."""
    held = seen(outcome=Outcome.ACCEPTED, reason="hold: Client host triggers HOLD action")
    bad = [seen() for _ in range(50)]
    tally = Tally()
    tally.take([held, held._replace(reason="discard: no"), *bad])
    report = tally.report()
    assert report.totals[Outcome.ACCEPTED] == 2
    (client,) = report.clients
    assert (client.accepted, client.stopped, client.contacts) == (0, 50, 52)
    assert [one.evidence.target for one in report.advice.block] == ["203.0.113.7"]
    tally.take([held._replace(delivery=Delivery.SENT)])  # let go, and delivered
    assert tally.report().clients[0].accepted == 1


@given(MANY)
def test_top_cuts_lists_only(sightings: list[Sighting]) -> None:
    """Sums do not depend on how many rows are shown."""
    one, two = reported(sightings, Limits(), 1), reported(sightings, Limits(), 1000)
    assert one.totals == two.totals
    assert one.known == two.known
    assert one.clients == two.clients[:1]


def test_nothing_at_all() -> None:
    """An empty log has a report, too."""
    report = reported([], Limits())
    assert (report.sightings, report.first, report.clients, report.stopped) == (0, None, (), 0)


def test_news_of_deliveries_are_added() -> None:
    """They may come after the sighting."""
    tally = Tally()
    tally.take([seen(outcome=Outcome.ACCEPTED, queue_id="4C1")])
    news = [Update(0.0, "mx1", "4C1", None, Delivery.BOUNCED), Update(0.0, "mx1", "4C1", None)]
    tally.update(news)
    assert tally.report().deliveries[Delivery.BOUNCED] == 1


def test_hosts_are_bounded() -> None:
    """A log may claim any number of them."""
    report = reported([seen(host=f"mx{at}") for at in range(150)], Limits())
    assert len(report.hosts) == 101
    assert sum(report.hosts.values()) == 150


@pytest.mark.parametrize(
    ("outcome", "rbl", "kind"),
    [
        (Outcome.ACCEPTED, None, Kind.ACCEPTED),
        (Outcome.REJECTED, None, Kind.REJECT),
        (Outcome.REJECTED, "zen.dnsbl.example", Kind.RBL),
        (Outcome.DEFERRED, "zen.dnsbl.example", Kind.RBL),
        (Outcome.REJECTED, "bl.mailmum.internal", Kind.OWN),
        (Outcome.DEFERRED, None, Kind.DEFERRED),
        (Outcome.UNKNOWN_RECIPIENT, None, Kind.REJECT),
        (Outcome.AUTH_FAILED, None, Kind.AUTH),
        (Outcome.WARNED, "zen.dnsbl.example", Kind.NONE),
        (Outcome.LOST, None, Kind.NONE),
    ],
)
def test_kinds(outcome: Outcome, rbl: str | None, kind: Kind) -> None:
    """What charts tell apart."""
    report = reported([seen(outcome=outcome, rbl=rbl)], Limits(own=OWN))
    assert {one for one, count in report.kinds.items() if count} == {kind}


def test_a_group_of_one_is_no_group() -> None:
    """It would say what its client says."""
    one = reported([seen("203.0.113.7")], Limits())
    assert (one.networks, one.known) == ((), (1, 0, 0))
    two = reported([seen("203.0.113.7"), seen("203.0.113.8")], Limits())
    assert [(net.target, net.clients) for net in two.networks] == [("203.0.113.0/24", 2)]
