"""Reading rbldnsd's data files, by examples from its manual."""

import pytest

from mailmum.domain.codes import code_text
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from mailmum.formats.entries import ReadOptions
from mailmum.formats.rbldnsd import read_rbldnsd
from tests.formats.strategies import only_entries, sorted_out


def targets(text: str, kind: str = "") -> list[str]:
    """The targets of a file without bad lines, exceptions with `!`."""
    entries = only_entries(read_rbldnsd([text.encode()], ReadOptions(), kind))
    return [("!" if e.action is Action.ALLOW else "") + e.target.text for e in entries]


def answers(text: str) -> list[tuple[str, str | None, str]]:
    """Target, code and reason of each entry."""
    return [
        (e.target.text, None if e.code is None else code_text(e.code), e.reason)
        for e in only_entries(read_rbldnsd([text.encode()], ReadOptions()))
    ]


def problems(text: str, kind: str = "") -> list[tuple[int, str]]:
    """Number and problem of each bad line."""
    bad = sorted_out(read_rbldnsd([text.encode()], ReadOptions(), kind))[1]
    return [(line.line, line.problem) for line in bad]


def remarks(text: str) -> list[str]:
    """The remarks on a file."""
    return [each.remark for each in sorted_out(read_rbldnsd([text.encode()], ReadOptions()))[2]]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("203.0.113.7", ["203.0.113.7"]),
        ("203.0.113", ["203.0.113.0/24"]),
        ("203.0.113.0/24", ["203.0.113.0/24"]),
        ("203.0/15", ["203.0.0.0/15"]),
        ("203/8", ["203.0.0.0/8"]),
        ("203.16.0.0-203.31.255.255", ["203.16.0.0/12"]),
        ("203.16-31", ["203.16.0.0/12"]),
        ("203.16.0-31", ["203.16.0.0/19"]),
        ("203.0.113.1-2", ["203.0.113.1", "203.0.113.2"]),
        ("203.0.113.6-203.0.113.9", ["203.0.113.6/31", "203.0.113.8/31"]),
        ("203-204", ["203.0.0.0/8", "204.0.0.0/8"]),
        ("0.0.0.0/0", ["0.0.0.0/0"]),
        ("0.0.0.0-255.255.255.255", ["0.0.0.0/0"]),
        ("0.0.0.1-255.255.255.254", None),
        ("010.001.2.3", ["10.1.2.3"]),
        ("2001:db8::1", ["2001:db8::1"]),
        ("2001:db8:1", ["2001:db8:1::/48"]),
        ("2001:db8:0:0:0:0:0:1", ["2001:db8::1"]),
        ("2001:db8::/33", ["2001:db8::/33"]),
        ("2001:db8:8000/33", ["2001:db8:8000::/33"]),
        ("::ffff:cb00:7107", ["203.0.113.7"]),
        ("Mail.Spam.Example", ["mail.spam.example"]),
        (".spam.example", [".spam.example"]),
        (".top", [".top"]),
        ("!203.0.113.7", ["!203.0.113.7"]),
        ("! 2001:db8::1 what stands here is ignored", ["!2001:db8::1"]),
        ("!.spam.example", ["!.spam.example"]),
        ("bücher.example", ["xn--bcher-kva.example"]),
    ],
)
def test_targets_are_read_as_the_manual_has_them(line: str, found: list[str] | None) -> None:
    """Each notation of the manual gives the targets that it stands for."""
    if found is None:
        assert len(targets(line)) == 62
    else:
        assert targets(line) == found


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("203", "bare number"),
        ("203.0.113.256", "octet above 255"),
        ("203.0.113.7/24", "did you mean 203.0.113.0/24?"),
        ("203.0.113.0/33", "prefix length"),
        ("203-203.0.113", "different number of octets"),
        ("203.0.113.9-8", "ends before it begins"),
        ("2001:db8::1::", "not an address"),
        ("2001:db8::/200", "between 0 and 128"),
        ("spam..example", "empty label"),
        ("com", "single label"),
        ("203.0.113.7 :10.0.0.1:text", "outside 127.0.0.0/8"),
        ("203.0.113.7 :127.255.255.1:text", "by convention means an error"),
        ("203.0.113.7 :2text", "no value"),
        ("203.0.113.7 ::text", "no value"),
        ("203.0.113.7 a\u202eb", "control character"),
        ("$UNKNOWN 1", "no directive"),
        ("$MAXRANGE4 /40", "no range size"),
        ("$MAXRANGE4", "no range size"),
        ("$TIMESTAMP yesterday", "no time"),
        ("$TIMESTAMP 2030:13:01 2031:01:01", "no time"),
        ("$TIMESTAMP 0 +1d", "counts from a time that is not given"),
        ("$DATASET foo x", "no data set"),
    ],
)
def test_what_cannot_be_read_is_a_bad_line_with_its_reason(line: str, problem: str) -> None:
    """A bad line has its number and a message that says why."""
    ((number, words),) = problems(f"# comment\n{line}\n")
    assert number == 2
    assert problem in words


def test_values_default_and_single() -> None:
    """The table of the manual: which part of a value comes from where."""
    text = """\
        192.0.2.3
        :127.0.0.2:IP address $ is listed
        192.0.2.4
        192.0.2.5 :5
        192.0.2.6 :6:
        192.0.2.7 IP address $ running an open relay
        192.0.2.8:9:glued
        192.0.2.9 # comment
        192.0.2.10;comment
        192.0.2.11 :127.1: short # no comment
        :7
        192.0.2.12
    """
    assert answers(text) == [
        ("192.0.2.3", None, ""),
        ("192.0.2.4", "127.0.0.2", "IP address 192.0.2.4 is listed"),
        ("192.0.2.5", "127.0.0.5", "IP address 192.0.2.5 is listed"),
        ("192.0.2.6", "127.0.0.6", ""),
        ("192.0.2.7", "127.0.0.2", "IP address 192.0.2.7 running an open relay"),
        ("192.0.2.8", "127.0.0.9", "glued"),
        ("192.0.2.9", "127.0.0.2", "IP address 192.0.2.9 is listed"),
        ("192.0.2.10", "127.0.0.2", "IP address 192.0.2.10 is listed"),
        ("192.0.2.11", "127.0.0.1", "short # no comment"),
        ("192.0.2.12", "127.0.0.7", ""),
    ]


def test_variables_and_the_base_template() -> None:
    """`$n`, `$$` and `$=` as the manual has them; the first assignment holds."""
    text = """\
        $1 See http://www.example.com/bl
        $1 second
        192.0.2.2 $1/spammer/$ $2
        192.0.2.3 This wants some $$$$.
        #$= Base $= ($)
        192.0.2.4 r123
        192.0.2.5
        192.0.2.6 =Other about $
        .spam.example r5
    """
    assert [reason for _, _, reason in answers(text)] == [
        "See http://www.example.com/bl/spammer/192.0.2.2 $2",
        "This wants some $$.",
        "Base r123 (192.0.2.4)",
        "Base 192.0.2.5 (192.0.2.5)",
        "Other about 192.0.2.6",
        "Base r5 (spam.example)",
    ]


def test_texts_are_cut_where_rbldnsd_cuts_them() -> None:
    """Long texts end at 254 bytes, between characters, and variables cannot blow them up."""
    variable = "$1 " + "ä" * 1000
    text = f"{variable}\n192.0.2.1 {'ü' * 200}\n192.0.2.2 {'$1' * 1500}\n"
    assert [reason for _, _, reason in answers(text)] == ["ü" * 127, "ä" * 127]


def test_a_dollar_in_the_text_of_a_network_is_remarked_once() -> None:
    """No client is known at import, so the network's text stands in, and the file is told."""
    text = ":2:see /$\n203.0.113.0/24\n198.51.100.0/24\n203.0.113.7\n"
    assert [reason for _, _, reason in answers(text)] == [
        "see /203.0.113.0/24",
        "see /198.51.100.0/24",
        "see /203.0.113.7",
    ]
    assert len(remarks(text)) == 1
    assert remarks("203.0.113.0/24 no $$\n") == []


def test_a_refused_default_code_keeps_its_text() -> None:
    """What follows a default line with an impossible code has the text and no code."""
    entries, bad, _ = sorted_out(
        read_rbldnsd([b":127.255.255.4:spam\n203.0.113.7\n"], ReadOptions())
    )
    assert [line.line for line in bad] == [1]
    assert [(entry.code, entry.reason) for entry in entries] == [(None, "spam")]


def test_exceptions_have_the_opposite_action_and_no_value() -> None:
    """`!` allows in a block list and blocks in an allow list."""
    text = b":2:spam\n203.0.113.0/24\n!203.0.113.7 :9:text\n"
    for action, other in ((Action.BLOCK, Action.ALLOW), (Action.ALLOW, Action.BLOCK)):
        first, second = only_entries(read_rbldnsd([text], ReadOptions(action)))
        assert (first.action, first.reason) == (action, "spam")
        assert (second.action, second.reason, second.code) == (other, "", None)


@pytest.mark.parametrize(
    "line",
    [
        "127.0.0.2",
        "!127.0.0.0/8",
        "::ffff:7f00:2 :2:Test",
        "::1",
        "test",
        "TEST :2:Test",
        "localhost.localdomain.localhost",
    ],
)
def test_test_entries_and_loopback_are_left_out_with_a_remark(line: str) -> None:
    """Loopback can never be listed; lists have it for tests."""
    assert targets(line) == []
    assert "can never be listed" in remarks(line)[0]


def test_a_network_around_loopback_is_given() -> None:
    """What is merely wide is for the guards of the import to judge."""
    assert targets("126.0.0.0/7") == ["126.0.0.0/7"]


def test_all_of_ipv4_in_ipv6_form_is_left_out() -> None:
    """The exception that exports make must not come back as an allow listing of everything."""
    assert targets("!::ffff:0:0/96\n::ffff:0:0/96") == []
    assert len(remarks("!::ffff:0:0/96")) == 1


def test_a_pattern_for_names_below_becomes_the_domain_with_a_remark() -> None:
    """MailMum has no target for the names below a domain alone."""
    assert targets("*.spam.example") == [".spam.example"]
    assert "only names under" in remarks("*.spam.example")[0]


def test_directives_of_zones_are_left_out_with_a_remark() -> None:
    """SOA, NS and TTL mean nothing to MailMum, even commented out as old versions want them."""
    text = "$SOA 60 ns.example.net a.example.net 0 1 1 1 1\n#$NS 60 ns.example.net\n:$TTL 5\n"
    assert len(remarks(text)) == 3
    assert targets(text) == []


def test_too_wide_entries_are_left_out_where_the_file_says_so() -> None:
    """$MAXRANGE4 holds for what follows, and can only be made smaller."""
    text = "203.0.0.0/16\n$MAXRANGE4 /24\n$MAXRANGE4 65536\n203.0.113\n203.0.2.0-203.0.3.0\n"
    assert targets(text) == ["203.0.0.0/16", "203.0.113.0/24"]
    assert "MAXRANGE4" in remarks(text)[0]


@pytest.mark.parametrize(
    ("stamp", "expires"),
    [
        ("2030:01:31", None),
        ("2030-01-31:12:00:00 2030:02:01", 1896134400),
        ("20300131120000 +1d", 1896177600),
        ("- 2030:02:01:00:00:30", 1896134430),
        ("2030:01:31 -", None),
    ],
)
def test_a_timestamp_gives_entries_their_end(stamp: str, expires: int | None) -> None:
    """Data that rbldnsd would stop to serve ends here at the same time."""
    text = f"$TIMESTAMP {stamp}\n203.0.113.7\n"
    (entry,) = only_entries(read_rbldnsd([text.encode()], ReadOptions()))
    assert entry.expires == expires


def test_data_sets_of_a_combined_file_are_read_each_by_its_kind() -> None:
    """`$DATASET` starts anew: kind, default value, and the variables of the common part."""
    text = """\
        $1 common
        $DATASET ip4set:proxies bl @
        $2 local
        :3:$1 $2
        203.0.113.1-2
        $DATASET generic bl
        www A 127.0.0.8
        $DATASET dnset dbl
        spam.example $1 $2
        203.0.113.7
        $DATASET ip4trie bl
        203.0.113.8-9
        spam.example
        $DATASET acl bl
        10.0.0.0/8 :ignore
    """
    entries, bad, notes = sorted_out(read_rbldnsd([text.encode()], ReadOptions()))
    assert [(entry.target.text, entry.code, entry.reason) for entry in entries] == [
        ("203.0.113.1", 0x7F000003, "common local"),
        ("203.0.113.2", 0x7F000003, "common local"),
        ("spam.example", None, "common $2"),
    ]
    assert [line.line for line in bad] == [10, 12, 13]
    assert [note.text for note in notes] == ["'$DATASET generic bl'", "'$DATASET acl bl'"]


def test_the_kind_decides_what_an_entry_may_be() -> None:
    """A file said to be of one kind is not read by looks."""
    assert targets("2001:db8:1\n2000/3", "ip6trie") == ["2001:db8:1::/48", "2000::/3"]
    assert problems("spam.example", "ip4set")[0][1].endswith("is no IPv4 address, network or range")
    assert problems("203.0.113.7", "dnset")[0][1].endswith("where a name is expected")
    assert "ip4set" in problems("203.0.113.1-2", "ip4trie")[0][1]
    assert targets("203.0.113.1-2", "ip4set") == ["203.0.113.1", "203.0.113.2"]


def test_entries_know_their_lines() -> None:
    """Line numbers count comments and empty lines, and CR LF is one end."""
    entries = only_entries(
        read_rbldnsd([b"\xef\xbb\xbf# a\r\n\r\n203.0.113.7 x\r\n203.0.113.8"], ReadOptions())
    )
    assert [(e.line, e.target, e.reason) for e in entries] == [
        (3, parse_target("203.0.113.7"), "x"),
        (4, parse_target("203.0.113.8"), ""),
    ]
