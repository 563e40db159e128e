"""The text that asks a server's zones."""

import ipaddress
import re

from hypothesis import example, given
from hypothesis import strategies as st

from mailmum.domain.codes import code_text, parse_code
from mailmum.domain.errors import BadInput
from mailmum.postfix.restrictions import parse
from mailmum.postfix.setup_zones import (
    FILTERS,
    allow_restrictions,
    block_restrictions,
    reply_table,
    screen_names,
    screen_sites,
)
from tests.postfix.samples import BASE, KEY, ZONES


def matches(pattern: str, address: str) -> bool:
    """A reading of Postfix's d.d.d.d patterns (postconf(5), reject_rbl_client)."""
    parts = re.findall(r"\[[^]]*\]|\d+", pattern)
    for part, octet in zip(parts, address.split("."), strict=True):
        ranges = [r.split("..") for r in part.strip("[]").split(";")]
        if not any(int(r[0]) <= int(octet) <= int(r[-1]) for r in ranges):
            return False
    return True


@given(st.one_of(st.integers(0, 2**32 - 1), st.integers(127 << 24, (128 << 24) - 1)))
@example(int(ipaddress.IPv4Address("127.255.255.254")))
@example(int(ipaddress.IPv4Address("127.255.254.255")))
@example(int(ipaddress.IPv4Address("127.254.255.255")))
@example(int(ipaddress.IPv4Address("126.255.255.255")))
def test_the_filters_accept_what_a_listing_may_answer(code: int) -> None:
    """Exactly the codes that a listing may have count, error codes never."""
    text = str(ipaddress.IPv4Address(code))
    try:
        allowed = code_text(parse_code(text)) == text
    except BadInput:
        allowed = False
    assert any(matches(pattern, text) for pattern in FILTERS) is allowed


def test_allows_ask_by_address_and_by_confirmed_name_only() -> None:
    """A name that a client claims can never allow it."""
    items = parse(allow_restrictions(ZONES))
    assert {(i.word, i.argument.partition("=")[0]) for i in items} == {
        ("permit_dnswl_client", ZONES.wl),
        ("permit_rhswl_client", ZONES.dwl),
    }
    assert all(item.argument.partition("=")[2] in FILTERS for item in items)


def test_blocks_ask_by_address_and_every_name() -> None:
    """The confirmed name, the one that reverse DNS claims, and HELO, each through the filter."""
    items = parse(block_restrictions(ZONES, trial=False))
    assert {(i.word, i.argument.partition("=")[0]) for i in items} == {
        ("reject_rbl_client", ZONES.bl),
        ("reject_rhsbl_client", ZONES.dbl),
        ("reject_rhsbl_reverse_client", ZONES.dbl),
        ("reject_rhsbl_helo", ZONES.dbl),
    }
    assert all(item.argument.partition("=")[2] in FILTERS for item in items)


def test_in_a_trial_every_block_only_warns() -> None:
    """warn_if_reject holds for one restriction, so each has its own."""
    text = block_restrictions(ZONES, trial=True)
    assert all(part.startswith("warn_if_reject reject_r") for part in text.split(", "))
    assert "warn_if_reject" not in block_restrictions(ZONES, trial=False)


def test_replies_never_name_the_key() -> None:
    """Every name under which Postfix looks a list up has a reply without the key."""
    rows = [r for r in reply_table(ZONES).splitlines() if not r.startswith("#")]
    table = dict(row.split(" ", 1) for row in rows)
    asked = {i.argument for i in parse(block_restrictions(ZONES, trial=False))}
    assert asked | {ZONES.bl, ZONES.dbl} == set(table)
    assert not any(KEY in reply or "$rbl_domain" in reply for reply in table.values())
    assert all("${rbl_reason?; $rbl_reason}" in reply for reply in table.values())
    assert f"blocked using bl.{BASE}$" in table[ZONES.bl]


def test_postscreen_knows_each_list_by_a_name_without_the_key() -> None:
    """What its sites ask has a public name in its table."""
    sites = [
        s.partition("=")[0]
        for s in screen_sites(ZONES, block_weight=1, allow_weight=-9).split(", ")
    ]
    rows = re.findall(r"\{(\S+) = (\S+)\}", screen_names(ZONES))
    assert {zone for zone, _ in rows} == set(sites)
    assert {name for _, name in rows} == {f"bl.{BASE}", f"wl.{BASE}"}


def test_own_lists_are_known_under_any_key_and_filter() -> None:
    """A former key's zone is ours; other zones, and other bases, are not."""
    assert ZONES.holds(f"anotherkey12345.bl.{BASE}=127.0.0.2")
    assert ZONES.holds(ZONES.dwl.upper())
    assert not ZONES.holds(f"bl.{BASE}")
    assert not ZONES.holds("anotherkey12345.bl.rbl.example.org")
    assert not ZONES.holds("zen.example")


def test_a_former_key_is_replaced_where_it_stands() -> None:
    """Only the label of the key changes, only below our base."""
    text = f"reject_rbl_client anotherkey12345.bl.{BASE}=127.0.0.2, reject_rbl zen.bl.{BASE}.org"
    assert ZONES.with_key(text) == text.replace("anotherkey12345", KEY)
