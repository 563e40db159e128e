"""The judge against a naive reading of its rules, and cases that people would ask about."""

from dataclasses import replace
from ipaddress import ip_network
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.domain.targets import NetworkTarget, Target
from mailmum.traffic.codes import OUTCOMES, SOURCES
from mailmum.traffic.packing import pack_client
from mailmum.traffic.sightings import Outcome, Source
from mailmum.traffic.turns import Turn
from mailmum.triggers import windows
from mailmum.triggers.contacts import Contact, Context
from mailmum.triggers.decisions import Decision, Kind
from mailmum.triggers.judge import Judge
from mailmum.triggers.rules import Group, Metric, Rule, Where
from tests.triggers.naive import Naive, Spares, as_told, contact, judged

DAY = 86_400
BEGIN = 1_790_000_000
UNKNOWN = Outcome.UNKNOWN_RECIPIENT
CLIENTS = [
    *(f"203.0.113.{last}" for last in (1, 2, 3)),
    "198.51.100.1",
    *(f"2001:db8:0:{net}::{last}" for net in (1, 2) for last in (1, 2)),
    "2001:db8:1::1",
]
SPARED = ["203.0.113.2", "203.0.113.0/24", "2001:db8:0:1::/64"]

rules = st.builds(
    Rule,
    metric=st.sampled_from([Metric.UNKNOWN, Metric.RBL, Metric.LISTS]),
    threshold=st.integers(1, 4),
    window=st.sampled_from([60, 3600]),
    group=st.sampled_from([Group.ADDRESS, Group.NETWORK, Group.WIDE]),
    server=st.sampled_from([0, 0, 2]),
    where=st.sampled_from(Where),
    lifetime=st.sampled_from([60, 1800]),
    growth=st.integers(1, 3),
    longest=st.sampled_from([1800, 7200]),
    quiet=st.sampled_from([600, DAY]),
    merge=st.sampled_from([0, 2, 3]),
    brake=st.sampled_from([0, 4]),
    brake_window=st.just(1200),
)


@st.composite
def contacts(draw: st.DrawFn) -> list[Contact]:
    """A stretch of traffic; some of it late, some by days, some of it from broken clocks."""
    at, made = BEGIN, []
    for number in range(1, draw(st.integers(1, 60)) + 1):
        at += draw(st.sampled_from([0, 1, 15, 59, 60, 61, 600, 1800]))
        late = draw(st.sampled_from([0] * 6 + [30, 900, 3600, DAY, 3 * DAY, -3600]))
        made.append(
            contact(
                number,
                at - late,
                draw(st.sampled_from(CLIENTS)),
                draw(st.sampled_from([UNKNOWN, UNKNOWN, Outcome.REJECTED, Outcome.ACCEPTED])),
                server=draw(st.sampled_from([1, 2])),
                rbl=draw(st.sampled_from([0, 7, 8, 9])),
                many=draw(st.sampled_from([1, 1, 2])),
            )
        )
    return made


PUBLIC = {7: "a.rbl.example", 8: "b.rbl.example"}


@settings(max_examples=120)
@given(rules, contacts(), st.sets(st.sampled_from(SPARED)))
def test_decides_as_a_recount_of_all_history_does(
    rule: Rule, given: list[Contact], spared: set[str]
) -> None:
    """Whatever comes late or out of order, sums that are kept agree with counting anew."""
    judge = Judge(rule, Context(public=PUBLIC), Spares(*spared))
    naive = Naive(rule, frozenset(PUBLIC), frozenset(spared))
    for one in given:
        naive.see(one)
    assert as_told(judged(judge, given)) == naive.told


@settings(max_examples=80)
@given(rules, contacts(), st.data())
def test_a_restart_anywhere_changes_nothing(
    rule: Rule, given: list[Contact], data: st.DataObject
) -> None:
    """One that begins anew with what had been decided, and counts again, goes on the same."""
    rule = replace(rule, brake=0)
    cut = data.draw(st.integers(0, len(given)))
    whole = judged(Judge(rule, Context(public=PUBLIC), Spares()), given)
    before = Judge(rule, Context(public=PUBLIC), Spares())
    told = judged(before, given[:cut])
    after = Judge(rule, Context(public=PUBLIC), Spares())
    after.remember(before.offences)
    after.recount(given[:cut], before.newest)
    told += judged(after, given[cut:])
    assert told == whole


@settings(max_examples=50)
@given(rules, st.integers(1, 2), st.integers(2, 3), contacts())
def test_a_merge_makes_no_listing_shorter_and_none_too_long(
    rule: Rule, threshold: int, merge: int, given: list[Contact]
) -> None:
    """Until it was said to end it holds, or a network's in its place; and that has its bounds."""
    rule = replace(rule, metric=Metric.UNKNOWN, threshold=threshold, merge=merge, brake=0)
    found = judged(Judge(rule, Context(), Spares()), given)
    held: dict[tuple[int, NetworkTarget], list[tuple[int, int]]] = {}
    for one in found:
        assert isinstance(one.target, NetworkTarget)
        begin, until = one.offence.begin, one.offence.until
        assert 0 < until - begin <= rule.longest * 1000
        for part in one.replaces:
            assert isinstance(part, NetworkTarget)
            began, would_end = held[one.scope, part].pop()
            assert began <= begin < would_end
            held[one.scope, part].append((began, begin))
        held.setdefault((one.scope, one.target), []).append((begin, until))
    for one in found:
        times = sorted(
            time
            for (scope, network), times in held.items()
            if scope == one.scope and _inside(one.target, network)
            for time in times
        )
        reached = one.offence.begin
        for begin, until in times:
            reached = max(reached, until) if begin <= reached else reached
        assert reached >= one.offence.until


def _inside(target: Target, network: NetworkTarget) -> bool:
    mine, other = ip_network(target.text), ip_network(network.text)
    return mine.version == other.version and mine.subnet_of(other)  # type: ignore[arg-type]


def test_forgetting_what_is_old_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Very many contacts, of which most can count no more: decisions are those of a recount."""
    monkeypatch.setattr(windows, "_TIDY", 4)
    rule = _rule(lifetime=60, merge=2, brake=0)
    judge, naive, decided = _judge(rule), Naive(rule), []
    for number in range(1, 400):
        one = contact(4 * number, BEGIN + number * 4000, CLIENTS[number % 3], UNKNOWN)
        for again in range(1 + number // 3 % 3):
            another = one._replace(number=one.number + again)
            naive.see(another)
            decided += judged(judge, [another])
    assert as_told(decided) == naive.told
    assert len(decided) > 40


def _rule(threshold: int = 3, window: int = 60, **more: object) -> Rule:
    return Rule(Metric.UNKNOWN, threshold, window, **more)  # type: ignore[arg-type]


def _judge(rule: Rule, *spared: str) -> Judge:
    return Judge(rule, Context(), Spares(*spared))


def _burst(at: int, client: str = "203.0.113.1", number: int = 1, count: int = 3) -> list[Contact]:
    return [contact(number + one, at + one, client, UNKNOWN) for one in range(count)]


def _listed(decisions: list[Decision]) -> list[str]:
    return [one.target.text for one in decisions if one.kind is Kind.LIST]


def test_lists_with_the_contact_that_completes_it() -> None:
    """And says since when, until when, and which contacts it was for."""
    [one] = judged(_judge(_rule()), _burst(BEGIN))
    assert (one.kind, one.target.text, one.scope) == (Kind.LIST, "203.0.113.1", 0)
    assert (one.offence.begin, one.offence.until) == (
        (BEGIN + 2) * 1000,
        (BEGIN + 2 + DAY) * 1000,
    )
    assert (one.evidence.count, one.evidence.numbers) == (3, (1, 2, 3))
    assert one.evidence.clients == (("203.0.113.1", 3),)


def test_one_second_too_far_apart_is_not_enough() -> None:
    """A window of a minute does not hold both ends of a minute."""
    three = [contact(n, BEGIN + at, "203.0.113.1", UNKNOWN) for n, at in ((1, 0), (2, 1), (3, 60))]
    assert not judged(_judge(_rule()), three)


def test_what_comes_late_counts_when_it_happened() -> None:
    """The log of one server that comes an hour late completes what another had begun."""
    judge = _judge(_rule())
    early = [
        contact(1, BEGIN, "203.0.113.1", UNKNOWN),
        contact(2, BEGIN + 9, "203.0.113.1", UNKNOWN),
    ]
    assert not judged(judge, [*early, contact(3, BEGIN + 3600, "198.51.100.1", UNKNOWN)])
    [late] = judged(judge, [contact(4, BEGIN + 5, "203.0.113.1", UNKNOWN, server=2)])
    assert late.offence.begin == (BEGIN + 9) * 1000
    assert late.evidence.servers == ((1, 2), (2, 1))


def test_what_comes_late_may_reach_beyond_a_listing_that_holds() -> None:
    """It is enough twice: while the listing holds, and after it; a restart makes no difference."""
    rule = Rule(Metric.UNKNOWN, threshold=3, window=60, lifetime=60, growth=1)
    ats = (98, 99, 100, 95, 110, 120, 175, 118)
    given = [contact(number, BEGIN + at, CLIENTS[0], UNKNOWN) for number, at in enumerate(ats, 1)]
    before = Judge(rule, Context(), Spares())
    told = judged(before, given[:-1])
    after = Judge(rule, Context(), Spares())
    after.remember(before.offences)
    after.recount(given[:-1], before.newest)
    assert [one.offence.begin for one in told] == [(BEGIN + 100) * 1000]
    for judge in (after, before):
        late = judge.take(given[-1])
        assert [one.offence.begin for one in late] == [(BEGIN + 175) * 1000]
        assert [one.evidence.numbers for one in late] == [(8, 6, 7)]


def test_offends_again_longer_up_to_the_longest() -> None:
    """Each time twice as long; what it did while it was listed counts for the time after."""
    judge = _judge(_rule(lifetime=600, growth=2, longest=2000))
    found = []
    for burst in range(600):
        found += judged(judge, _burst(BEGIN + burst * 10, number=1 + 3 * burst))
    assert [(one.offence.until - one.offence.begin) // 1000 for one in found[:4]] == [
        600,
        1200,
        2000,
        2000,
    ]
    gaps = [b.offence.begin - a.offence.until for a, b in pairwise(found)]
    assert all(0 <= gap <= 20_000 for gap in gaps)


def test_is_forgiven_after_the_quiet_time() -> None:
    """Who was not listed for as long begins with the first lifetime again."""
    judge = _judge(_rule(lifetime=600, quiet=3600))
    judged(judge, _burst(BEGIN))
    [again] = judged(judge, _burst(BEGIN + 4000, number=11))
    assert again.offence.times == 2
    [later] = judged(judge, _burst(BEGIN + 4000 + 1200 + 3700, number=21))
    assert later.offence.times == 1


def test_networks_replace_their_parts() -> None:
    """Three offenders in a /24 list the /24; the fourth is in it already."""
    judge = _judge(_rule(merge=3))
    found = []
    for last in range(1, 5):
        found += judged(judge, _burst(BEGIN + last, f"203.0.113.{last}", number=10 * last))
    assert _listed(found) == ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.0/24"]
    assert [part.text for part in found[-1].replaces] == _listed(found)[:3]
    assert found[-1].evidence.parts == tuple(_listed(found)[:3])


def test_a_network_ends_no_earlier_than_its_parts_would_have() -> None:
    """Who is listed for the third time stays so for as long, in whatever network."""
    judge = _judge(_rule(lifetime=600, growth=10, quiet=DAY, merge=2))
    first = judged(judge, _burst(BEGIN))
    again = judged(judge, _burst(BEGIN + 700, number=11))
    other = judged(judge, _burst(BEGIN + 800, "203.0.113.2", number=21))
    assert [one.offence.times for one in [*first, *again, *other]] == [1, 2, 1, 1]
    assert other[-1].target.text == "203.0.113.0/24"
    assert other[-1].offence.until == again[0].offence.until


def test_who_was_listed_with_a_network_is_forgiven_after_that() -> None:
    """The quiet time begins with the end of the network's listing, also of one around that."""
    judge = _judge(_rule(lifetime=3600, growth=1, quiet=600, merge=2))
    clients = [f"2001:db8:0:{net}::{last}" for net in (1, 2) for last in (1, 2)]
    for number, client in enumerate(clients):
        judged(judge, _burst(BEGIN + 600 * number, client, number=1 + 10 * number))
    end = BEGIN + 1800 + 2 + 3600
    assert not judged(judge, _burst(end - 3, clients[0], number=51))
    [again] = judged(judge, _burst(end + 500, clients[0], number=61))
    [later] = judged(judge, _burst(end + 700, clients[2], number=71))
    assert (again.offence.times, later.offence.times) == (2, 1)


def test_what_is_told_late_merges_whom_it_meets() -> None:
    """A network is listed from when all of them are; who was listed before or after is none."""
    judge = _judge(_rule(lifetime=600, growth=1, merge=2))
    judged(judge, _burst(BEGIN, "203.0.113.1"))
    [before] = judged(judge, _burst(BEGIN - 900, "203.0.113.2", number=11))
    assert before.target.text == "203.0.113.2"
    _, merged = judged(judge, _burst(BEGIN - 300, "203.0.113.3", number=21))
    assert [one.text for one in merged.replaces] == ["203.0.113.1", "203.0.113.3"]
    assert merged.offence.begin == (BEGIN + 2) * 1000


def test_ipv6_merges_up_to_48() -> None:
    """Addresses into a /64, and /64s into a /48."""
    judge = _judge(_rule(merge=2))
    found, number = [], 0
    for net in (1, 2):
        for last in (1, 2):
            number += 10
            found += judged(judge, _burst(BEGIN, f"2001:db8:0:{net}::{last}", number=number))
    assert _listed(found)[-2:] == ["2001:db8:0:2::/64", "2001:db8::/48"]


def test_a_network_that_is_spared_leaves_its_parts_listed() -> None:
    """Somebody else in it delivers mail: then only those who offended are listed."""
    judge = _judge(_rule(merge=2), "203.0.113.0/24")
    found = [
        one
        for last in (1, 2, 3)
        for one in judged(judge, _burst(BEGIN, f"203.0.113.{last}", number=10 * last))
    ]
    assert _listed(found) == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    [spared] = [one for one in found if one.kind is Kind.SPARE]
    assert (spared.target.text, spared.reason) == ("203.0.113.0/24", "is spared")
    assert spared.evidence.parts == ("203.0.113.1", "203.0.113.2")


def test_who_is_spared_is_asked_about_once_for_each_offence() -> None:
    """Its contacts are spent, so that the guard is not asked again with every further one."""
    guard = Spares("203.0.113.1")
    judge = Judge(_rule(), Context(), guard)
    found = judged(judge, _burst(BEGIN, count=7))
    assert [one.kind for one in found] == [Kind.SPARE, Kind.SPARE]
    assert found[0].reason == "is spared"
    assert len(guard.asked) == 2


def test_the_brake_stops_before_the_one_too_many() -> None:
    """Two listings in ten minutes are allowed: the third stops the trigger, for good."""
    judge = _judge(_rule(brake=2, brake_window=600))
    found = [
        one
        for last in range(1, 6)
        for one in judged(judge, _burst(BEGIN, f"203.0.113.{last}", number=10 * last))
    ]
    assert [one.kind for one in found] == [Kind.LIST, Kind.LIST, Kind.STOP]
    assert found[-1].reason == "it would list more than 2 in 10 min"
    assert judge.stopped


def test_the_brake_lets_go_when_its_time_is_over() -> None:
    """As many again may be listed ten minutes later."""
    judge = _judge(_rule(brake=1, brake_window=600))
    judged(judge, _burst(BEGIN))
    assert _listed(judged(judge, _burst(BEGIN + 601, "203.0.113.2", number=11))) == ["203.0.113.2"]


def test_different_lists_are_counted_not_rejects() -> None:
    """Ten rejects by one list are one; a list of one's own, or one that is not meant, is none."""
    rule = Rule(Metric.LISTS, threshold=2, window=3600)
    judge = Judge(rule, Context(public=PUBLIC), Spares())
    same = [
        contact(n, BEGIN + n, "203.0.113.1", Outcome.REJECTED, rbl=rbl)
        for n, rbl in enumerate([7] * 10 + [9], start=1)
    ]
    assert not judged(judge, same)
    [one] = judged(judge, [contact(20, BEGIN + 60, "203.0.113.1", Outcome.WARNED, rbl=8)])
    assert (one.evidence.count, one.evidence.lists) == (2, ((7, 10), (8, 1)))


def test_scores_and_traps() -> None:
    """A score from the limit on counts; a trap is met by its address or its domain, in any case."""
    score = Judge(Rule(Metric.SCORE, 1, 60, score=10.0), Context(), Spares())
    low = contact(1, BEGIN, "203.0.113.1", Outcome.ACCEPTED, score=9.9)
    assert not judged(score, [low])
    assert judged(score, [low._replace(number=2, score=10.0)])
    rule = Rule(Metric.TRAP, 1, 60, traps=("trap@example.net",))
    traps = frozenset({"trap@example.net", "@trap.example"})
    for number, recipient in enumerate(("Trap@Example.net", "any@trap.example"), start=1):
        judge = Judge(rule, Context(traps=traps), Spares())
        hit = contact(number, BEGIN, "203.0.113.1", UNKNOWN, recipient=recipient)
        assert judged(judge, [hit])
        assert not judged(judge, [hit._replace(recipient="trap@other.example")])


def test_connections_count_by_the_best_source_of_each_server() -> None:
    """What was asked over DNS and logged too is one contact."""
    rule = Rule(Metric.CONNECTIONS, 2, 60)
    dns, log = SOURCES[Source.DNS], SOURCES[Source.LOG]
    pair = [
        Contact(1, BEGIN * 1000, 1, dns, OUTCOMES[Outcome.UNLISTED], pack_client("203.0.113.1")),
        Contact(2, BEGIN * 1000, 1, log, OUTCOMES[Outcome.ACCEPTED], pack_client("203.0.113.1")),
    ]
    assert not judged(Judge(rule, Context(best={1: [Turn(log)]}), Spares()), pair)
    both = [pair[0], pair[0]._replace(number=2)]
    assert judged(Judge(rule, Context(best={1: [Turn(dns)]}), Spares()), both)


def test_where_it_happened_is_counted_for_each_server() -> None:
    """Two at each of two servers are not three at one."""
    rule = _rule(where=Where.SERVER)
    spread = [contact(n, BEGIN + n, "203.0.113.1", UNKNOWN, server=1 + n % 2) for n in range(1, 5)]
    judge = _judge(rule)
    assert not judged(judge, spread)
    [one] = judged(judge, [contact(9, BEGIN + 9, "203.0.113.1", UNKNOWN, server=2)])
    assert one.scope == 2


def test_domains_are_counted_by_verified_names() -> None:
    """Hosts of one domain together; a contact without a name counts for nobody."""
    rule = _rule(group=Group.DOMAIN)
    hosts = [
        contact(n, BEGIN + n, f"203.0.113.{n}", UNKNOWN, name=name)
        for n, name in enumerate(["a.pool.example", "b.pool.example", None, "C.Pool.Example"], 1)
    ]
    [one] = judged(_judge(rule), hosts)
    assert one.target.text == ".pool.example"
