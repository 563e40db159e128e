"""Patterns and results of Postfix tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from mailmum.postfix.maps import (
    access_keys,
    parse_access_pattern,
    parse_cidr_pattern,
    parse_result,
    result_text,
)


@pytest.mark.parametrize(
    ("text", "action", "reason"),
    [
        ("OK", Action.ALLOW, ""),
        ("ok and what stands here is ignored", Action.ALLOW, ""),
        ("RELAY", Action.ALLOW, ""),
        ("permit", Action.ALLOW, ""),
        ("1749900000", Action.ALLOW, ""),
        ("DUNNO", Action.ALLOW, ""),
        ("REJECT", Action.BLOCK, ""),
        ("reject Spam  source", Action.BLOCK, "Spam  source"),
        ("REJECT 5.7.1 Spam", Action.BLOCK, "Spam"),
        ("REJECT 5.7.1", Action.BLOCK, ""),
        ("REJECT 5.7.1x Spam", Action.BLOCK, "5.7.1x Spam"),
        ("550 Spam", Action.BLOCK, "Spam"),
        ("521 5.7.1 5.7.1 Spam", Action.BLOCK, "5.7.1 Spam"),
        ("554\ta\tb", Action.BLOCK, "a b"),
    ],
)
def test_results_that_accept_or_reject(text: str, action: Action, reason: str) -> None:
    """What access(5) says of them, without reply code and status."""
    result = parse_result(text)
    assert (result.action, result.reason) == (action, reason)
    assert result.only_skips is (text == "DUNNO")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no action"),
        ("450 later", "450 defers"),
        ("421", "counts as OK"),
        ("550", "counts as OK"),
        ("DEFER please", "defers"),
        ("DEFER_IF_PERMIT", "defers"),
        ("defer_if_reject x", "defers"),
        ("DISCARD", "neither accepts nor rejects"),
        ("HOLD", "neither accepts nor rejects"),
        ("PREPEND X-Spam: yes", "neither accepts nor rejects"),
        ("permit_mynetworks, reject", "neither accepts nor rejects"),
        ("permit reject", "neither accepts nor rejects"),
        ("reject_unauth_destination", "neither accepts nor rejects"),
        ("5500 x", "neither accepts nor rejects"),
        ("REJECT a\u202eb", "control character"),
        ("REJECT " + "x" * 301, "301 characters"),
    ],
)
def test_other_results_are_refused(text: str, problem: str) -> None:
    """They have no counterpart among listings."""
    with pytest.raises(BadInput, match=problem):
        parse_result(text)


@given(st.sampled_from(Action), st.text(st.characters(categories=("L", "N", "P")), max_size=30))
def test_results_come_back(action: Action, reason: str) -> None:
    """Also reasons that look like a status, or like an action."""
    result = parse_result(result_text(action, reason))
    assert result.action is action
    assert result.reason == (reason if action is Action.BLOCK else "")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("[203.0.113.7]", "203.0.113.7"),
        ("[2001:db8::/32]", "2001:db8::/32"),
        ("[2001:db8::]/32", "2001:db8::/32"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_cidr_patterns(text: str, target: str) -> None:
    """The notations of cidr_table(5)."""
    assert parse_cidr_pattern(text) == parse_target(target)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("203.0.113.7/24", "did you mean 203.0.113.0/24"),
        ("203.0.113.0/255.255.255.0", "not a prefix length"),
        ("203.0.113.0/", "not a prefix length"),
        ("203.0.113", "not an address"),
        ("203.0.113.010", "octal"),
        ("[2001:db8::/32]/48", "two prefix lengths"),
        ("[2001:db8::", "is no address"),
        ("[2001:db8::]x", "is no address"),
        ("spam.example", "names belong in an access table"),
        ("2001:db8::1%eth0", "is no address"),
        ("::ffff:0:0/96", "never matches"),
        ("::ffff:203.0.113.7", "write 203.0.113.7"),
    ],
)
def test_what_is_no_cidr_pattern(text: str, problem: str) -> None:
    """Refused with the reason."""
    with pytest.raises(BadInput, match=problem):
        parse_cidr_pattern(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113", "203.0.113.0/24"),
        ("203.0", "203.0.0.0/16"),
        ("203", "203.0.0.0/8"),
        ("2001:db8", "2001:db8::/32"),
        ("2001:DB8:0:1", "2001:db8:0:1::/64"),
        ("2001:db8::1", "2001:db8::1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7", "1:2:3:4:5:6:7:0/112"),
        ("Spam.Example", ".spam.example"),
        (".spam.example", ".spam.example"),
        ("top", ".top"),
        ("bücher.example", ".xn--bcher-kva.example"),
    ],
)
def test_access_patterns(text: str, target: str) -> None:
    """Names with all under them, networks by octets and groups."""
    assert parse_access_pattern(text) == parse_target(target)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("user@spam.example", "mail address"),
        ("user@", "mail address"),
        ("<>", "mail address"),
        ("unknown", "without a verified name"),
        ("203.0.113.0/24", "postfix-cidr"),
        ("[203.0.113.7]", "postfix-cidr"),
        ("203.0.256", "octets go from 0 to 255"),
        ("203.0.013", "without leading 0"),
        ("203.0.1130", "octets go from 0 to 255"),
        ("203.0.113.", "ends in a number"),
        ("203.0.113.7.9", "ends in a number"),
        ("2001:db8:", "no IPv6 address"),
        ("2001:db8::g", "no IPv6 address"),
        ("::ffff:203.0.113.7", "write 203.0.113.7"),
        ("spam..example", "empty label"),
    ],
)
def test_what_is_no_access_pattern_for_clients(text: str, problem: str) -> None:
    """Refused with the reason."""
    with pytest.raises(BadInput, match=problem):
        parse_access_pattern(text)


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("203.0.113.7", ["203.0.113.7"]),
        ("203.0.113.0/24", ["203.0.113"]),
        ("203.0.112.0/23", ["203.0.112", "203.0.113"]),
        ("203.0.113.8/30", ["203.0.113.8", "203.0.113.9", "203.0.113.10", "203.0.113.11"]),
        ("202.0.0.0/7", ["202", "203"]),
        ("spam.example", ["spam.example"]),
        (".spam.example", ["spam.example", ".spam.example"]),
        (".top", ["top", ".top"]),
        ("2001:db8::/32", ["2001:db8"]),
        ("2001:db8:1::/48", ["2001:db8:1"]),
        ("1:2:3:4:5:6:7:8", ["1:2:3:4:5:6:7:8"]),
        ("2001:db8:0:1::/64", None),
        ("2001:db8::1", None),
        ("2001:db8:8000::/33", None),
        ("20::/16", None),
    ],
)
def test_keys_of_targets(target: str, keys: list[str] | None) -> None:
    """Only what Postfix matches exactly; the rest is for a CIDR table."""
    assert access_keys(parse_target(target)) == keys


def test_a_domain_beside_its_host_has_only_the_line_below() -> None:
    """The other line is the host's."""
    target = parse_target(".spam.example")
    assert access_keys(target, host_too=True) == [".spam.example"]


def test_a_network_has_at_most_256_lines() -> None:
    """Even the widest."""
    assert len(access_keys(parse_target("0.0.0.0/0")) or []) == 256
    assert len(access_keys(parse_target("203.0.113.0/25")) or []) == 128
