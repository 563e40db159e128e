"""Writing rbldnsd's data files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.errors import BadInput
from mailmum.domain.listings import Action, Listing, Source
from mailmum.domain.targets import parse_target
from mailmum.formats.entries import ReadOptions
from mailmum.formats.rbldnsd import read_rbldnsd
from mailmum.formats.rbldnsd_values import TEXT_LIMIT
from mailmum.formats.rbldnsd_write import write_rbldnsd
from mailmum.formats.rows import ExportRow, WriteOptions, ZoneHead
from tests.formats.strategies import (
    NOW,
    as_person,
    export_rows,
    names,
    networks,
    networks_4,
    networks_6,
    only_entries,
    subjects_near,
    word,
)

OPTIONS = WriteOptions(now=NOW, test_entries=False)


def row(target: str, reason: str = "", action: Action = Action.BLOCK, scope: int = 0) -> ExportRow:
    """A person's row."""
    return ExportRow(Listing(1, 1, scope, action, parse_target(target), reason=reason))


def lines(rows: list[ExportRow], kind: str, options: WriteOptions = OPTIONS) -> list[str]:
    """The lines of a file but its first comment."""
    return "".join(write_rbldnsd(rows, options, kind)).splitlines()[1:]


def test_exceptions_follow_what_they_are_excepted_from() -> None:
    """Blocked and allowed targets, codes and texts, in the order of addresses."""
    rows = [
        row("203.0.113.0/24", "a $ and more"),
        row("203.0.113.7", action=Action.ALLOW),
        row("203.0.113.8", "=x"),
        row("2001:db8::/32"),
        row("spam.example"),
        row(".spam.example"),
    ]
    assert lines(rows, "ip4trie") == [
        "203.0.113.0/24 :127.0.0.3:a $$ and more",
        "!203.0.113.7",
        "203.0.113.8 :127.0.0.2:==x",
        "# left out: 3 listings (a file of the type ip4trie cannot hold them)",
    ]
    assert lines(rows, "ip6trie")[0] == "2001:db8::/32 :127.0.0.3:"
    assert lines(rows, "dnset")[:2] == [
        "*.spam.example :127.0.1.3:",
        "spam.example :127.0.1.2:",
    ]


def test_an_ip4set_has_every_address_once() -> None:
    """Ranges around an exception, since an ip4set knows no nesting."""
    rows = [row("203.0.113.0/24", "x"), row("203.0.113.7", action=Action.ALLOW)]
    assert lines(rows, "ip4set") == [
        "203.0.113.0-203.0.113.6 :127.0.0.3:x",
        "!203.0.113.7",
        ":127.0.0.3:x",
        "203.0.113.8-203.0.113.255",
    ]


def test_a_value_that_repeats_is_written_as_the_default() -> None:
    """A million entries of one feed do not say the same text a million times."""
    rows = [row(f"203.0.113.{number}", "same") for number in range(1, 6)]
    assert lines(rows, "ip4trie") == [
        "203.0.113.1 :127.0.0.2:same",
        ":127.0.0.2:same",
        *[f"203.0.113.{number}" for number in range(2, 6)],
    ]


def test_the_allow_list_has_blocks_as_exceptions() -> None:
    """The same rows the other way round."""
    rows = [row("203.0.113.0/24", action=Action.ALLOW), row("203.0.113.7")]
    options = WriteOptions(Action.ALLOW, test_entries=False)
    assert lines(rows, "ip4trie", options) == ["203.0.113.0/24 :127.0.0.3:", "!203.0.113.7"]


def test_loopback_is_excepted_from_what_is_wider() -> None:
    """About loopback and IPv4 in IPv6 form nothing is said by wide networks."""
    rows = [row("126.0.0.0/7"), row("::/3")]
    assert lines(rows, "ip4trie")[:2] == ["126.0.0.0/7 :127.0.0.3:", "!127.0.0.0/8"]
    assert lines(rows, "ip6trie")[:3] == ["::/3 :127.0.0.3:", "!::1", "!::ffff:0:0/96"]
    assert "!127.0.0.0/8" not in lines([row("203.0.113.7")], "ip4trie")


def test_a_combined_file_has_head_and_zones() -> None:
    """SOA and NS when asked for, test entries, and a zone for addresses and one for names."""
    head = ZoneHead(("ns1.example.net", "ns2.example.net"), "hostmaster.example.net", 300)
    assert lines([row("203.0.113.7")], "rbldnsd", WriteOptions(head=head)) == [
        "$SOA 300 ns1.example.net hostmaster.example.net 0 1h 1h 1w 300",
        "$NS 300 ns1.example.net ns2.example.net",
        "$DATASET ip4trie bl",
        "127.0.0.2 :127.0.0.2:Test entry",
        "203.0.113.7 :127.0.0.2:",
        "$DATASET ip6trie bl",
        "::ffff:7f00:2 :127.0.0.2:Test entry",
        "$DATASET dnset dbl",
        "test :127.0.0.2:Test entry",
    ]


def test_codes_are_what_mailmum_answers() -> None:
    """Own code, else the account's, else the default of source and kind."""
    made = [
        ("203.0.113.1", Source.PERSON, None),
        ("203.0.113.2", Source.TRIGGER, None),
        ("203.0.113.3", Source.FEED, None),
        ("203.0.113.4", Source.FEED, 0x7F000063),
    ]
    rows = [
        ExportRow(Listing(1, 1, 0, Action.BLOCK, parse_target(target), source, code=code))
        for target, source, code in made
    ]
    codes = [line.split(":")[1] for line in lines(rows, "ip4trie")]
    assert codes == ["127.0.0.2", "127.0.0.4", "127.0.0.5", "127.0.0.99"]
    options = WriteOptions(account_code=0x7F000063, test_entries=False)
    assert {line.split(":")[1] for line in lines(rows[:1], "ip4trie", options)} == {"127.0.0.99"}


def test_a_reason_cannot_forge_a_line() -> None:
    """Whatever got into a reason, it stays on its line."""
    rows = [row("203.0.113.7", "a\n!203.0.113.7\r\u2028$DATASET acl bl")]
    assert lines(rows, "ip4trie") == ["203.0.113.7 :127.0.0.2:a !203.0.113.7  $$DATASET acl bl"]


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_a_reason_is_cut_between_characters(reason: str) -> None:
    """A real rbldnsd cuts at a byte; what is written fits, and no escape is parted."""
    (line,) = lines([row("203.0.113.7", reason)], "ip4trie")
    template = line.split(":", 2)[2]
    assert len(template.encode()) <= TEXT_LIMIT
    assert template.count("$") % 2 == 0


def test_listings_of_two_servers_are_refused() -> None:
    """One file is one server's list."""
    rows = [row("203.0.113.7", scope=1), row("203.0.113.8", scope=2)]
    with pytest.raises(BadInput, match="name one of them"):
        lines(rows, "ip4trie")


@pytest.mark.parametrize("kind", ["rbldnsd", "ip4set", "ip4trie", "ip6trie", "dnset"])
@given(data=st.data())
def test_what_is_written_is_read_with_the_same_verdicts(kind: str, data: st.DataObject) -> None:
    """Written and read again as a person's listings, every client has the verdict it had."""
    universe = {
        "rbldnsd": st.one_of(networks, names),
        "ip4set": networks_4,
        "ip4trie": networks_4,
        "ip6trie": networks_6,
        "dnset": names,
    }[kind]
    rows = data.draw(st.lists(export_rows(universe), max_size=15))
    text = "".join(write_rbldnsd(rows, OPTIONS, kind))
    reader_kind = "" if kind == "rbldnsd" else kind
    again = as_person(only_entries(read_rbldnsd([text.encode()], ReadOptions(), reader_kind)))
    source = data.draw(st.randoms())
    for subject in subjects_near(source, [each.listing.target for each in rows]):
        assert word(again, subject) == word(rows, subject), text
