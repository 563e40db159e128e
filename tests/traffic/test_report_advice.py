"""What is proposed, with which words, and what is left out."""

import shlex
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.report import Limits, Tally
from mailmum.traffic.report_advice import Advice
from mailmum.traffic.sightings import Outcome, Sighting
from tests.traffic.naive import seen

DAY = 86400


def advice(sightings: Sequence[Sighting], least: int = 10) -> Advice:
    """What a report of them proposes."""
    tally = Tally(Limits(least=least, own=("mailmum.internal",)))
    tally.take(sightings)
    return tally.report().advice


def blocks(sightings: Sequence[Sighting], least: int = 10) -> list[str]:
    """The targets to block."""
    return [one.target for one in advice(sightings, least).block]


def test_again_and_again_and_never_anything() -> None:
    """Ten refused contacts, none accepted."""
    assert blocks([seen()] * 9) == []
    assert blocks([seen()] * 10) == ["203.0.113.7"]
    assert blocks([*[seen()] * 10, seen(outcome=Outcome.ACCEPTED)]) == []


@pytest.mark.parametrize(
    ("outcome", "offence"),
    [
        (Outcome.REJECTED, True),
        (Outcome.RELAY_DENIED, True),
        (Outcome.UNKNOWN_RECIPIENT, True),
        (Outcome.AUTH_FAILED, True),
        (Outcome.PROTOCOL, True),
        (Outcome.DEFERRED, False),
        (Outcome.LOST, False),
        (Outcome.CONNECTED, False),
        (Outcome.WARNED, False),
    ],
)
def test_what_counts_as_an_offence(outcome: Outcome, offence: bool) -> None:
    """Who was only put off, or only warned of, has done nothing yet."""
    assert blocks([seen(outcome=outcome)] * 20) == (["203.0.113.7"] if offence else [])


def test_the_network_when_several_of_it_offend() -> None:
    """In the place of its addresses; not when anybody of it delivered."""
    three = [seen(f"203.0.113.{octet}") for octet in (1, 2, 3) for _ in range(12)]
    assert blocks(three) == ["203.0.113.0/24"]
    good = seen("203.0.113.200", outcome=Outcome.ACCEPTED)
    assert blocks([*three, good]) == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    two = [seen(f"203.0.113.{octet}") for octet in (1, 2) for _ in range(12)]
    assert blocks(two) == ["203.0.113.1", "203.0.113.2"]


def test_a_host_has_all_of_a_64() -> None:
    """Two addresses of it are enough."""
    both = [seen(f"2001:db8:bad::{host}") for host in (1, 2) for _ in range(6)]
    assert blocks(both) == ["2001:db8:bad::/64"]


def test_what_no_list_stops_comes_first() -> None:
    """However much a list stops already; a domain, which reaches furthest, comes last."""
    listed = [
        seen(f"198.51.{net}.7", rbl="zen.dnsbl.example", client_name=f"h{net}.pool.example")
        for net in (100, 101, 102)
        for _ in range(30)
    ]
    unlisted = [seen("203.0.113.7", outcome=Outcome.UNKNOWN_RECIPIENT)] * 10
    found = blocks([*listed, *unlisted])
    assert found[0] == "203.0.113.7"
    assert found[-1] == ".pool.example"
    assert len(found) == 5


def test_a_domain_whose_name_was_only_claimed_by_who_delivered() -> None:
    """Blocking it would stop that one, too: HELO counts for a block."""
    listed = [
        seen(f"198.51.{net}.7", client_name=f"h{net}.pool.example")
        for net in (100, 101, 102)
        for _ in range(30)
    ]
    good = seen("192.0.2.1", outcome=Outcome.ACCEPTED, helo="mx.pool.example")
    assert ".pool.example" in blocks(listed)
    assert ".pool.example" not in blocks([*listed, good])


def test_what_is_on_a_list_of_ones_own_already() -> None:
    """Needs no other listing."""
    assert blocks([seen(rbl="bl.mailmum.internal")] * 20) == []


@pytest.mark.parametrize(
    "client", ["10.0.0.1", "127.0.0.1", "::1", "fe80::1", "192.168.7.7", "100.64.0.9"]
)
def test_guarded_space_is_left_out(client: str) -> None:
    """It is counted, and said."""
    found = advice([seen(client)] * 20)
    assert found.block == ()
    assert found.guarded == 1


def test_allow() -> None:
    """Who was rejected by a public RBL and also delivered; most deliveries first."""
    good = [seen("192.0.2.1", outcome=Outcome.ACCEPTED, time=100.0)] * 3
    better = [seen("192.0.2.2", outcome=Outcome.ACCEPTED, time=100.0)] * 5
    caught = [seen(f"192.0.2.{at}", rbl="zen.dnsbl.example", time=50.0) for at in (1, 2)]
    found = advice([*good, *better, *caught]).allow
    assert [one.target for one in found] == ["192.0.2.2", "192.0.2.1"]
    assert not any(one.early for one in found)
    assert found[0].evidence.lists == ("zen.dnsbl.example",)


def test_mail_accepted_only_before_a_list_had_it_is_a_weak_reason() -> None:
    """It may have been the spam that put it there: such come last, and it is said."""
    late = [seen("192.0.2.1", outcome=Outcome.ACCEPTED, time=100.0)] * 9
    late += [seen("192.0.2.1", rbl="zen.dnsbl.example", time=200.0)]
    plain = [seen("192.0.2.2", outcome=Outcome.ACCEPTED, time=300.0)]
    plain += [seen("192.0.2.2", rbl="zen.dnsbl.example", time=200.0)]
    found = advice([*late, *plain]).allow
    assert [(one.target, one.early) for one in found] == [("192.0.2.2", False), ("192.0.2.1", True)]


def test_own_lists_need_no_exception() -> None:
    """Whom one blocks oneself is blocked on purpose."""
    assert advice([seen(rbl="bl.mailmum.internal"), seen(outcome=Outcome.ACCEPTED)]).allow == ()


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.UNKNOWN_RECIPIENT, "unknown recipients"),
        (Outcome.AUTH_FAILED, "failed logins"),
        (Outcome.RELAY_DENIED, "relay"),
        (Outcome.PROTOCOL, "protocol"),
        (Outcome.REJECTED, "no mail accepted"),
    ],
)
def test_the_reason_is_for_the_public(outcome: Outcome, word: str) -> None:
    """It names what happened, and neither list nor number; these stand in the note."""
    [one] = advice([seen(outcome=outcome, rbl=None)] * 12).block
    assert word in one.reason
    words = shlex.split(one.command())
    assert words[:3] == ["mailmum", "block", "203.0.113.7"]
    assert words[words.index("--reason") + 1] == one.reason
    assert words[words.index("--note") + 1] == "12 refused, none accepted, 2026-11-20"


@given(st.text(max_size=60))
def test_commands_are_safe_to_paste(zone: str) -> None:
    """Whatever a log calls a list: a shell reads it as one word."""
    sightings = [seen(rbl=zone), seen(outcome=Outcome.ACCEPTED)]
    for one in advice(sightings).allow:
        words = shlex.split(one.command())
        assert words == ["mailmum", "allow", "203.0.113.7", "--note", one.note()]
