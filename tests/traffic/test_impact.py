"""Whether a target is safe to block, and what would be better."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.targets import NetworkTarget, parse_network
from mailmum.traffic.impact import (
    EXCEPTIONS,
    Client,
    Facts,
    Word,
    exceptions,
    judge,
    narrower,
)

NET = "198.51.100.0/24"


def at(text: str, stopped: int = 0, accepted: int = 0, *, kept: bool = False) -> Client:
    """A client."""
    return Client(parse_network(text), stopped, accepted, kept)


@pytest.mark.parametrize(
    ("facts", "word", "says"),
    [
        (Facts(NET, 30), Word.SAFE, ""),
        (Facts(NET, 30, clients=5), Word.SAFE, ""),
        (Facts(NET, 30, senders=1, accepted=1), Word.CAUTION, "1 client delivered 1 accepted m"),
        (Facts(NET, 30, senders=1, accepted=9), Word.CAUTION, "9 accepted messages"),
        (Facts(NET, 30, senders=1, accepted=10), Word.DANGEROUS, "it would be rejected"),
        (Facts(NET, 1, senders=3, accepted=3), Word.DANGEROUS, "in 1 day: they would be rejected"),
        (Facts(NET, 30, danger="is in private space"), Word.DANGEROUS, f"{NET} is in private"),
        (Facts(".top", 30, wide_name=True), Word.CAUTION, ".top is a top-level domain"),
        (Facts(".co.uk", 30, shared_name=True), Word.DANGEROUS, ".co.uk is a public suffix"),
        (Facts(NET, 7, logged=False), Word.CAUTION, "nothing was seen in 7 days"),
        (Facts(NET, 7, logged=False, unlogged=4), Word.CAUTION, "no mail log was read"),
        (Facts(NET, 7, unlogged=1), Word.CAUTION, "of 1 contact only the lookup is known"),
        (Facts(NET, 7, reaches="2026-11-20"), Word.CAUTION, "since 2026-11-20"),
    ],
)
def test_the_word_and_its_reason(facts: Facts, word: Word, says: str) -> None:
    """Each fact by itself."""
    found, reasons = judge(facts)
    assert found is word
    assert says in " ".join(reasons)
    assert bool(reasons) == (word is not Word.SAFE)


def test_the_gravest_reason_comes_first() -> None:
    """Whatever else there is to say."""
    facts = Facts(NET, 30, danger="is wider than /16", unlogged=4, reaches="2026-11-20")
    word, reasons = judge(facts)
    assert word is Word.DANGEROUS
    assert reasons[0] == f"{NET} is wider than /16"
    assert len(reasons) == 3


def test_the_abusive_part_of_a_network() -> None:
    """The addresses of a pool, not the senders beside it."""
    pool = [at(f"198.51.100.{last}", stopped=20) for last in range(64, 96, 2)]
    senders = [at("198.51.100.201", 3, 610), at("198.51.100.130", 0, 402)]
    found = narrower(parse_network(NET), [*pool, *senders])
    assert found is not None
    assert [one.text for one in found.networks] == ["198.51.100.64/27"]
    assert (found.stops, found.of) == (320, 323)


def test_of_ipv6_a_customer_is_the_least() -> None:
    """A /64 with many addresses is one network, and no address by itself."""
    abuse = [at(f"2001:db8:4f:1c00::{last:x}", stopped=5) for last in range(1, 40)]
    found = narrower(parse_network("2001:db8::/32"), [*abuse, at("2001:db8:1::1", 0, 7)])
    assert found is not None
    assert [one.text for one in found.networks] == ["2001:db8:4f:1c00::/64"]
    site = parse_network("2001:db8:4f:1c00::/64")
    assert narrower(site, abuse) is None
    few = narrower(site, [*abuse[:4], at("2001:db8:4f:1c00:8::", 0, 7)])
    assert few is not None
    assert [one.text for one in few.networks] == [one.address.text for one in abuse[:4]]


def test_where_nothing_is_better() -> None:
    """No abuse; abuse only of accepted senders; abuse everywhere; an address by itself."""
    net = parse_network(NET)
    assert narrower(net, []) is None
    assert narrower(net, [at("198.51.100.7", 0, 9)]) is None
    assert narrower(net, [at("198.51.100.7", 900, 1), at("198.51.100.8", 9)]) is None
    everywhere = [at(f"198.51.100.{last}", 9) for last in range(256)]
    assert narrower(net, everywhere) is None
    assert narrower(parse_network("198.51.100.7"), [at("198.51.100.7", 9)]) is None


def test_an_own_server_is_spared() -> None:
    """Whether or not it was ever seen."""
    pool = [at(f"198.51.100.{last}", stopped=20) for last in range(64, 96)]
    found = narrower(parse_network(NET), pool, [parse_network("198.51.100.66")])
    assert found is not None
    assert not any(one.covers(4, parse_network("198.51.100.66").first) for one in found.networks)


def test_who_is_kept_by_an_allow_is_no_loss() -> None:
    """So neither an exception nor spared."""
    kept = at("198.51.100.70", 0, 400, kept=True)
    pool = [at(f"198.51.100.{last}", stopped=20) for last in range(64, 96) if last != 70]
    found = narrower(parse_network(NET), [*pool, kept])
    assert found is not None
    assert [one.text for one in found.networks] == ["198.51.100.64/27"]
    assert exceptions([*pool, kept]) == ()


def test_exceptions_are_few() -> None:
    """Beyond that the listing is the wrong one."""
    senders = [at(f"198.51.100.{last}", 0, 5) for last in range(EXCEPTIONS)]
    assert len(exceptions(senders)) == EXCEPTIONS
    assert exceptions([*senders, at("198.51.100.200", 0, 5)]) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 50), st.integers(0, 3), st.booleans()),
        max_size=40,
        unique_by=lambda row: row[0],
    ),
    st.integers(0, 8),
)
def test_no_accepted_sender_is_touched(rows: list[tuple[int, int, int, bool]], free: int) -> None:
    """Whatever was seen, and what is said to be stopped is what would have been."""
    base = parse_network(NET).first
    target = NetworkTarget(4, base, 32 - free)
    clients = [
        Client(NetworkTarget(4, base | last, 32), stopped, accepted, kept)
        for last, stopped, accepted, kept in rows
        if target.covers(4, base | last)
    ]
    found = narrower(target, clients)
    if found is None:
        return
    hit = [c for c in clients if any(n.covers(4, c.address.first) for n in found.networks)]
    assert all(target.overlaps(one) and one.prefix > target.prefix for one in found.networks)
    assert not any(29 < one.prefix < 32 for one in found.networks)
    assert not any(client.lost for client in hit)
    assert found.stops == sum(c.stopped for c in hit if not c.kept)
    assert found.of >= found.stops >= found.of / 2
