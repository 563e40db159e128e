"""What an engine counts about clients, held against `ipaddress` and the naive verdicts."""

import ipaddress
from collections import Counter

import dns.reversename
from hypothesis import given, settings
from hypothesis import strategies as st

from mailmum.dns.counters import Counters
from mailmum.dns.engine import Engine, Zone
from mailmum.domain.clients import AddressSubject, NameSubject, Subject, subject_of
from mailmum.domain.listings import Action
from mailmum.domain.targets import NameTarget, Target
from mailmum.domain.verdicts import decide, gather
from mailmum.index.index import Index
from tests.dns import strategies
from tests.dns.world import CONFIG, MAIN, NOW, World, ask, zone_of

WORDS = {None: "none", Action.BLOCK: "block", Action.ALLOW: "allow"}
KINDS = {"addresses": ["bl", "wl"], "names": ["dbl", "dwl"]}

subjects: st.SearchStrategy[Subject] = st.one_of(
    strategies.addresses(4).map(lambda value: AddressSubject(4, value)),
    strategies.addresses(6).map(lambda value: subject_of(ipaddress.IPv6Address(value))),
    strategies.names.map(NameSubject),
)


def asked(subject: Subject, kind: str) -> str:
    """The name that a mail server asks for."""
    if isinstance(subject, NameSubject):
        return f"{subject.name}.{zone_of(kind)}"
    # RFC 5782 spells addresses as the reverse zones do.
    labels = dns.reversename.from_address(subject.text).to_text().split(".")[:-3]
    return f"{'.'.join(labels)}.{zone_of(kind)}"


def expected(world: World, subject: Subject) -> tuple[str, bool]:
    """The verdict on a client of the main server, and whether its target is wide."""
    because = decide(gather(world.all_listings(), subject, MAIN.account, MAIN.id, NOW)).because
    if because is None or subject.text == "invalid":
        return "none", False
    return WORDS[because.action], wide(because.target)


def wide(target: Target) -> bool:
    """Whether a target is more than one client."""
    if isinstance(target, NameTarget):
        return target.whole
    return target.prefix < target.bits


def counted_subject(subject: Subject) -> tuple[int, int] | str:
    """A client as counts name it."""
    if isinstance(subject, NameSubject):
        return subject.name
    return subject.version, subject.address


def is_test_entry(subject: Subject) -> bool:
    """Whether every list has it (RFC 5782 section 5); those are not counted."""
    return subject.text in ("127.0.0.2", "test")


@settings(max_examples=200)
@given(
    strategies.worlds(),
    st.lists(st.tuples(subjects, st.booleans(), st.booleans()), max_size=25),
    st.one_of(st.integers(0, 8), st.just(1000)),
)
def test_the_sum_of_counts_is_that_of_answers(
    world: World, queries: list[tuple[Subject, bool, bool]], limit: int
) -> None:
    """Whatever finds room: clients, verdicts and what was lost add up to the queries asked.

    With room for all, each client is counted with its verdict, in the list it was asked in.
    """
    counters = Counters(limit)
    engine = Engine(
        Index.build(world.everything()), Zone(CONFIG), counters=counters, cookie_secret=b"s"
    )
    expectation: Counter[object] = Counter()
    batches = []
    for subject, allow, take in queries:
        kind = KINDS["names" if isinstance(subject, NameSubject) else "addresses"][allow]
        ask(engine, asked(subject, kind))
        ask(engine, asked(subject, kind), "TXT")
        if not is_test_entry(subject):
            expectation[kind, counted_subject(subject), *expected(world, subject)] += 1
        if take:
            engine.counters.fold()
            batches.append(counters.take())
    batches.append(counters.take())
    lost = sum(batch.lost for batch in batches)
    sums = sum(one.count for batch in batches for one in batch.verdicts)
    counted: Counter[object] = Counter()
    for one in (one for batch in batches for one in batch.clients):
        counted[one.list, one.subject, one.verdict, one.wide] += one.count
    assert sums + lost == expectation.total()
    assert counted.total() == sums
    if limit == 1000:
        assert counted == expectation


def test_the_quick_way_counts_ipv6_and_networks() -> None:
    """Asked twice each, so that the second time is the prepared way."""
    world = World()
    world.add("2001:db8::/32")
    world.add("203.0.113.0/24")
    world.add("203.0.113.9", Action.ALLOW)
    engine = Engine(
        Index.build(world.everything()), Zone(CONFIG), counters=Counters(), cookie_secret=b"s"
    )
    clients = ["2001:db8::1", "2001:db9::1", "203.0.113.7", "203.0.113.9", "198.51.100.7"]
    for text in clients * 2:
        address = ipaddress.ip_address(text)
        ask(engine, asked(subject_of(address), "bl"))
    found = {
        one.subject: (one.verdict, one.wide, one.count) for one in engine.counters.take().clients
    }
    assert found == {
        (6, int(ipaddress.ip_address("2001:db8::1"))): ("block", True, 2),
        (6, int(ipaddress.ip_address("2001:db9::1"))): ("none", False, 2),
        (4, int(ipaddress.ip_address("203.0.113.7"))): ("block", True, 2),
        (4, int(ipaddress.ip_address("203.0.113.9"))): ("allow", False, 2),
        (4, int(ipaddress.ip_address("198.51.100.7"))): ("none", False, 2),
    }
