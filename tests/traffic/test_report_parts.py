"""Times, names, lists and memory, each against the plain way."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.kinds import KINDS
from mailmum.traffic.report_lists import LISTS, OTHERS, Register
from mailmum.traffic.report_memory import Memory
from mailmum.traffic.report_names import domain_of, network_of
from mailmum.traffic.report_times import Times, gaps


@given(
    st.lists(st.tuples(st.floats(-1e12, 1e12), st.integers(0, len(KINDS) - 1)), max_size=80),
    st.integers(2, 8),
    st.lists(st.floats(0, 4e9), min_size=2, max_size=6, unique=True),
)
def test_times_lose_nothing(
    moments: list[tuple[float, int]], most: int, edges: list[float]
) -> None:
    """However few rows there may be, and wherever the edges lie."""
    times = Times(most)
    for time, kind in moments:
        times.add(time, kind)
    assert len(times._rows) <= most
    counts = times.counts(sorted(edges))
    for at, one in enumerate(KINDS):
        assert sum(counts[one]) == sum(place == at for _, place in moments)


@given(st.lists(st.integers(0, 86399), min_size=1, max_size=200))
def test_an_hour_is_an_hour(seconds: list[int]) -> None:
    """Within a day nothing is made coarser: each contact lies in its hour."""
    times = Times()
    for second in seconds:
        times.add(1_795_132_800 + second, 0)
    edges = [1_795_132_800 + hour * 3600 for hour in range(25)]
    [row, *_] = times.counts(edges).values()
    assert row == [sum(second // 3600 == hour for second in seconds) for hour in range(24)]
    assert (times.first, times.last) == (1_795_132_800 + min(seconds), 1_795_132_800 + max(seconds))


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([], []),
        ([0, 0], []),
        ([50, 0, 50], [(1, 2)]),
        ([5, 0, 5], []),
        ([5, 0, 0, 0, 0, 0, 0, 5], [(1, 7)]),
        ([0, 0, 50, 0, 0], []),
        ([50, 0, 50, 0, 50], [(1, 2), (3, 4)]),
    ],
)
def test_gaps(totals: list[int], expected: list[tuple[int, int]]) -> None:
    """Only where much was to be expected, and only between others."""
    assert gaps(totals) == expected


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        (None, None),
        ("localhost", None),
        ("spam.example", "spam.example"),
        ("a.b.c.spam.example", "spam.example"),
        ("Mail.Shop.CO.UK.", "shop.co.uk"),
        ("co.uk", None),
        ("mx.a.github.io", "a.github.io"),
        ("mail.firma.de", "firma.de"),
        ("x.com.br", "x.com.br"),
        ("192.0.2.7", None),
        ("a..b", None),
        (".", None),
    ],
)
def test_domains(name: str | None, domain: str | None) -> None:
    """What somebody registered, as far as that shows."""
    assert domain_of(name) == domain


@given(st.text(max_size=80))
def test_any_text_as_a_name(text: str) -> None:
    """Nothing raises, and what comes out is the end of what went in."""
    found = domain_of(text)
    assert found is None or text.lower().rstrip(".").endswith(found)
    network_of(text)


@given(st.ip_addresses())
def test_networks(address: object) -> None:
    """As the standard library has them."""
    import ipaddress

    text = str(address)
    length = 64 if ":" in text else 24
    assert network_of(text) == str(ipaddress.ip_network(f"{text}/{length}", strict=False))


@given(st.sets(st.text(max_size=20), max_size=50), st.text(max_size=20))
def test_memory_never_denies(known: set[str], other: str) -> None:
    """It may take a stranger for somebody it knows, never the other way round."""
    memory = Memory()
    assert other not in memory
    for text in known:
        memory.add(text)
    assert all(text in memory for text in known)


def test_memory_seldom_errs() -> None:
    """With a hundred thousand in it, one stranger in a thousand at most."""
    memory = Memory()
    for number in range(100_000):
        memory.add(f"client {number}")
    strangers = sum(f"stranger {number}" in memory for number in range(10_000))
    assert strangers <= 10


LISTED = st.sets(st.integers(0, 5), min_size=1, max_size=4)
SETS = st.lists(
    st.tuples(LISTED, st.booleans(), st.integers(1, 9), st.integers(1, 99)), max_size=15
)


@given(SETS)
def test_overlap(named: list[tuple[set[int], bool, int, int]]) -> None:
    """Clients, those named alone, pairs and cover, against sets of clients."""
    register = Register()
    zones = [f"list{at}.example" for at in range(6)]
    bits = [register.bit(zone) for zone in zones]
    masks = [
        (sum(bits[at] for at in lists), good, clients, listed)
        for lists, good, clients, listed in named
    ]
    overlap = register.overlap(masks)
    who: list[set[tuple[int, int]]] = [set() for _ in zones]
    for place, (lists, _, clients, _) in enumerate(named):
        for at in lists:
            who[at] |= {(place, one) for one in range(clients)}
    everybody = set().union(*who)
    assert overlap.listed == len(everybody)
    for use in overlap.lists:
        mine = who[zones.index(use.zone)]
        others = set().union(*(one for at, one in enumerate(who) if zones[at] != use.zone))
        assert (use.clients, use.alone) == (len(mine), len(mine - others))
        assert use.good == sum(named[place][1] for place, _ in mine)
    assert overlap.several == sum(sum(one in each for each in who) > 1 for one in everybody)
    pairs = {
        frozenset((zones[one], zones[two])): len(who[one] & who[two])
        for one, two in combinations(range(6), 2)
        if who[one] & who[two]
    }
    assert {frozenset((one, two)): clients for one, two, clients in overlap.both} == pairs
    together: set[tuple[int, int]] = set()
    for cover in overlap.covers:
        added = who[zones.index(cover.zone)] - together
        assert cover.added == len(added) == max(len(each - together) for each in who)
        together |= added
        assert cover.together == len(together)
    assert together == everybody


@given(st.lists(LISTED, max_size=20))
def test_what_each_list_alone_caught(contacts: list[set[int]]) -> None:
    """Contacts at which all lists are known, against plain sets."""
    register = Register()
    zones = [f"list{at}.example" for at in range(6)]
    for lists in contacts:
        named = [zones[at] for at in sorted(lists)]
        bits = register.name(named, register.bit(named[0]))
        assert bits == sum(register.bit(zone) for zone in named)
    overlap = register.overlap([])
    assert overlap.known == len(contacts)
    assert {one.zone: (one.named, one.sole) for one in overlap.lists} == {
        zone: (sum(at in one for one in contacts), contacts.count({at}))
        for at, zone in enumerate(zones)
        if any(at in one for one in contacts)
    }


def test_lists_are_bounded() -> None:
    """Beyond so many they share a name, and no hit is lost."""
    register = Register(own=["mailmum.internal"])
    for number in range(200):
        register.hit(register.bit(f"list{number}.example"), warned=number % 2 == 0)
    assert len(register.zones) == LISTS + 1
    overlap = register.overlap([])
    assert sum(one.hits for one in overlap.lists) == 200
    assert sum(one.warned for one in overlap.lists) == 100
    assert overlap.lists[0].zone == OTHERS
