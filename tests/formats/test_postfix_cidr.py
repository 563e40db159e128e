"""Postfix CIDR tables, by examples and against postmap."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NetworkTarget, parse_target
from mailmum.domain.verdicts import Word
from mailmum.formats import postfix_cidr
from mailmum.formats.entries import ReadOptions
from mailmum.formats.postfix_cidr import read_cidr, write_cidr
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.oracles import postmap
from tests.formats.strategies import (
    NOW,
    as_person,
    export_rows,
    network_4,
    network_6,
    networks,
    only_entries,
    random_rows,
    sorted_out,
    subjects_near,
    word,
)

OPTIONS = ReadOptions()


def verdict(result: str | None) -> Word:
    """What a result of a table means."""
    if result is None or result == "DUNNO":
        return Word.NONE
    return Word.ALLOW if result == "OK" else Word.BLOCK


def addresses(rows: list[ExportRow], source: Random) -> list[AddressSubject]:
    """Addresses near the networks of rows; Postfix writes mapped ones as IPv4, and so do we."""
    near = subjects_near(source, (row.listing.target for row in rows))
    found = {each.text: each for each in near if isinstance(each, AddressSubject)}
    return [each for each in found.values() if each.address >> 32 != 0xFFFF]


def test_a_table_is_read() -> None:
    """Comments, continuations, brackets, all that accepts and rejects."""
    text = b"""\
# Clients
203.0.113.7\t\tOK
203.0.113.0/24  REJECT 5.7.1 Spam
  source
# between

\tof the week
[2001:db8::]/32 550 no
198.51.100.0/24 DUNNO
"""
    entries, bad, remarks = sorted_out(read_cidr([text], OPTIONS))
    assert bad == []
    assert [(e.line, e.action, e.target.text, e.reason) for e in entries] == [
        (2, Action.ALLOW, "203.0.113.7", ""),
        (3, Action.BLOCK, "203.0.113.0/24", "Spam  source of the week"),
        (8, Action.BLOCK, "2001:db8::/32", "no"),
        (9, Action.ALLOW, "198.51.100.0/24", ""),
    ]
    assert ["DUNNO" in each.remark for each in remarks] == [True]


def test_loopback_is_left_out_with_a_remark() -> None:
    """Tables allow the machine itself; there is never a verdict about it."""
    text = b"127.0.0.0/8 OK\n::1 OK\n127.0.0.0/8 DUNNO\n0.0.0.0/0 DUNNO\n"
    entries, bad, remarks = sorted_out(read_cidr([text], OPTIONS))
    assert [entry.target.text for entry in entries] == ["0.0.0.0/0"]
    assert bad == []
    assert [each.line for each in remarks] == [1, 2, 3, 4]


def test_what_stands_behind_a_wider_entry_is_left_out() -> None:
    """It never matches in Postfix, so it may not decide here."""
    text = b"""\
203.0.113.0/24 REJECT
203.0.113.7 OK
203.0.113.0/24 OK
203.0.0.0/16 OK
2001:db8::/32 OK
2001:db8:1::/48 REJECT
198.51.100.1 REJECT
198.51.100.1 OK
"""
    entries, bad, remarks = sorted_out(read_cidr([text], OPTIONS))
    assert [entry.line for entry in entries] == [1, 4, 5, 7, 8]
    assert bad == []
    assert [(each.line, each.remark) for each in remarks] == [
        (2, "left out: line 1 comes first, so this never matches"),
        (3, "left out: line 1 comes first, so this never matches"),
        (6, "left out: line 5 comes first, so this never matches"),
    ]


def test_the_order_is_watched_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a great many networks no more are remembered, and it is said."""
    monkeypatch.setattr(postfix_cidr, "ORDER_LIMIT", 2)
    lines = [f"203.0.{number}.0/24 REJECT\n" for number in range(4)] + ["203.0.3.9 OK\n"]
    entries, _, remarks = sorted_out(read_cidr(["".join(lines).encode()], OPTIONS))
    assert len(entries) == 5
    assert [(each.line, each.remark) for each in remarks] == [
        (2, "the order is watched for the first 2 networks only")
    ]


def test_conditions_and_negations_are_refused_with_all_that_depends_on_them() -> None:
    """A rule out of its `if` would say something else."""
    text = b"""\
if !203.0.113.0/24
198.51.100.0/24 REJECT
IF 192.0.2.0/24
192.0.2.1 REJECT
endif
192.0.2.2 REJECT
ENDIF
192.0.2.3 REJECT
!203.0.113.0/24 OK
! 203.0.113.0/24 OK
endif
"""
    entries, bad, _ = sorted_out(read_cidr([text], OPTIONS))
    assert [entry.line for entry in entries] == [8]
    assert [each.line for each in bad] == [1, 2, 3, 4, 6, 9, 10, 11]
    assert "condition of line 3" in bad[3].problem


@pytest.mark.parametrize(
    ("text", "number", "problem"),
    [
        ("203.0.113.7\n", 1, "there is no action"),
        ("# x\n\n  203.0.113.7 OK\n", 3, "continues no other line"),
        ("203.0.113.7/24 OK\n", 1, "did you mean 203.0.113.0/24?"),
        ("203.0.113.7 REJECT\n" + " x\n" * 3000, 1, "exceed 4096 characters"),
        ("203.0.113.7 REJECT a\n \xff\u0000b\n", 2, "control character"),
    ],
)
def test_bad_lines_have_the_number_of_their_first_line(
    text: str, number: int, problem: str
) -> None:
    """Reading goes on behind them."""
    data = f"{text}192.0.2.1 OK\n".encode()
    entries, bad, _ = sorted_out(read_cidr([data], OPTIONS))
    assert [each.line for each in bad] == [number]
    assert problem in bad[0].problem
    assert entries[-1].target.text == "192.0.2.1"


def test_narrow_comes_before_wide() -> None:
    """The first match is the narrowest."""
    rows = [
        ExportRow(Listing(1, 1, 0, action, parse_target(target), reason=reason))
        for target, action, reason in (
            ("203.0.113.0/24", Action.BLOCK, "550 x"),
            ("203.0.113.0/25", Action.ALLOW, "ignored"),
            ("203.0.113.7", Action.BLOCK, "a\nb"),
            ("126.0.0.0/7", Action.BLOCK, ""),
            (".spam.example", Action.BLOCK, ""),
        )
    ]
    assert "".join(write_cidr(rows, WriteOptions())).splitlines()[1:] == [
        "127.0.0.0/8\tDUNNO",
        "126.0.0.0/7\tREJECT",
        "203.0.113.7\tREJECT 5.7.1 a b",
        "203.0.113.0/25\tOK",
        "203.0.113.0/24\tREJECT 5.7.1 550 x",
        "# left out: 1 listing (a CIDR table holds no names)",
    ]


@given(st.lists(export_rows(networks), max_size=15), st.randoms())
def test_what_is_written_is_read_with_the_same_verdicts(
    rows: list[ExportRow], source: Random
) -> None:
    """Written and read again as a person's listings, every address has the verdict it had."""
    text = "".join(write_cidr(rows, WriteOptions(now=NOW)))
    again = as_person(only_entries(read_cidr([text.encode()], OPTIONS)))
    for subject in addresses(rows, source):
        assert word(again, subject) == word(rows, subject)


def test_postfix_decides_by_our_tables_as_we_do() -> None:
    """Random nested listings of all sources, queried with postmap."""
    source = Random(11)
    words = []
    for _ in range(40):
        rows = random_rows(source, source.choice((3, 6, 15, 120)))
        table = "".join(write_cidr(rows, WriteOptions(now=NOW)))
        subjects = addresses(rows, source)
        results = postmap("cidr", table, [subject.text for subject in subjects])
        for subject in subjects:
            expected = word(rows, subject)
            assert verdict(results.get(subject.text)) is expected, subject.text
            words.append(expected)
    assert min(words.count(each) for each in Word) > 100


def random_table(source: Random) -> str:
    """Networks in random order with random results, also such that hide others."""
    lines = []
    for _ in range(40):
        network = source.choice((network_4, network_6))
        prefix = source.randint(20, 32) if network is network_4 else source.randint(30, 128)
        target = network(source.getrandbits(12), prefix)
        text = source.choice((target.text, f"[{target.text}]"))
        end = source.choice(("OK", "DUNNO", "REJECT", "REJECT x", "550 5.7.1 y", "reject\n  z"))
        lines.append(f"{text} {end}\n")
    return "".join(lines)


def test_tables_are_read_as_postfix_reads_them() -> None:
    """Whatever their order: an address is blocked here if and only if Postfix rejects it."""
    source = Random(12)
    blocked = left_out = 0
    for _ in range(15):
        table = random_table(source)
        entries, bad, remarks = sorted_out(read_cidr([table.encode()], OPTIONS))
        assert bad == []
        left_out += len(remarks)
        rows = as_person(entries)
        near = subjects_near(source, (row.listing.target for row in rows))
        subjects = {each.text: each for each in near if isinstance(each, AddressSubject)}
        results = postmap("cidr", table, subjects)
        for text, subject in subjects.items():
            result = results.get(text)
            skipped = Word.ALLOW if result == "DUNNO" else verdict(result)
            assert word(rows, subject) is skipped, text
            blocked += skipped is Word.BLOCK
    assert blocked > 200
    assert left_out > 50


def test_widest_networks_are_written() -> None:
    """Nothing is narrower than what a CIDR table can say."""
    rows = [
        ExportRow(Listing(version, 1, 0, Action.BLOCK, NetworkTarget(version, 0, 0)))
        for version in (4, 6)
    ]
    table = "".join(write_cidr(rows, WriteOptions()))
    assert "ffff" not in table
    results = postmap("cidr", table, ["192.0.2.1", "127.0.0.1", "2001:db8::1", "::1"])
    assert results == {
        "192.0.2.1": "REJECT",
        "127.0.0.1": "DUNNO",
        "2001:db8::1": "REJECT",
        "::1": "DUNNO",
    }
