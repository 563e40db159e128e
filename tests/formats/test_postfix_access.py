"""Postfix access tables, by examples and against postmap with the look-ups of smtpd."""

from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mailmum.domain.clients import AddressSubject, NameSubject, Subject
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NameTarget, parse_target
from mailmum.domain.verdicts import Word
from mailmum.formats.entries import ReadOptions
from mailmum.formats.postfix_access import read_access, write_access
from mailmum.formats.rows import ExportRow, WriteOptions
from tests.formats.oracles import postmap
from tests.formats.strategies import (
    NOW,
    as_person,
    export_rows,
    name_target,
    names,
    network_4,
    networks_4,
    only_entries,
    random_rows,
    sorted_out,
    subjects_near,
    word,
)

OPTIONS = ReadOptions()


def lookups(subject: Subject, *, parents: bool) -> list[str]:
    """The keys that smtpd tries, first to last (access(5), HOST NAME/ADDRESS PATTERNS).

    With `parents` as when parent_domain_matches_subdomains has smtpd_access_maps, else without.
    """
    text = subject.text
    if isinstance(subject, NameSubject):
        labels = text.split(".")
        dot = "" if parents else "."
        return [text, *(dot + ".".join(labels[index:]) for index in range(1, len(labels)))]
    mark = ":" if subject.version == 6 else "."
    keys = [text]
    while mark in text:
        text = text.rpartition(mark)[0]
        keys.append(text)
    return [key for key in keys if key]


def verdicts(table: str, subjects: list[Subject], *, parents: bool) -> dict[str, Word]:
    """What Postfix makes of clients: the first key that is found decides."""
    keys = {subject.text: lookups(subject, parents=parents) for subject in subjects}
    every = dict.fromkeys(key for tried in keys.values() for key in tried)
    found = postmap("texthash", table, every)
    result = {}
    for text, tried in keys.items():
        first = next((found[key] for key in tried if key in found), "DUNNO")
        result[text] = {"DUNNO": Word.NONE, "OK": Word.ALLOW}.get(first, Word.BLOCK)
    return result


def row(target: str, action: Action = Action.BLOCK, reason: str = "") -> ExportRow:
    """A person's row."""
    return ExportRow(Listing(1, 1, 0, action, parse_target(target), reason=reason))


def lines(rows: list[ExportRow]) -> list[str]:
    """The lines of a table but its first comment."""
    return "".join(write_access(rows, WriteOptions())).splitlines()[1:]


def test_a_table_is_read() -> None:
    """Names as domains, networks by octets, and what has no meaning for clients refused."""
    text = b"""\
203.0.113       REJECT spam
203.0.113.7     OK
2001:db8        550 no
Spam.Example    REJECT
  because
.ham.example    DUNNO
.more.example   DUNNO
user@x.example  REJECT
unknown         REJECT
198.51.100.0/24 REJECT
mx.example      450 later
spam.example    OK
"""
    entries, bad, remarks = sorted_out(read_access([text], OPTIONS))
    assert [(e.line, e.action, e.target.text, e.reason) for e in entries] == [
        (1, Action.BLOCK, "203.0.113.0/24", "spam"),
        (2, Action.ALLOW, "203.0.113.7", ""),
        (3, Action.BLOCK, "2001:db8::/32", "no"),
        (4, Action.BLOCK, ".spam.example", "because"),
        (6, Action.ALLOW, ".ham.example", ""),
        (7, Action.ALLOW, ".more.example", ""),
        (12, Action.ALLOW, ".spam.example", ""),
    ]
    assert [each.line for each in bad] == [8, 9, 10, 11]
    assert [(each.line, each.remark.split()[0]) for each in remarks] == [(6, "in"), (6, "DUNNO")]


def test_networks_are_spelled_out_and_the_narrower_has_the_line() -> None:
    """Whole octets; where lines coincide the exception wins."""
    rows = [
        row("203.0.112.0/22", reason="x"),
        row("203.0.113.0/24", Action.ALLOW),
        row("203.0.114.0/23", Action.ALLOW),
        row("203.0.114.9"),
    ]
    assert sorted(lines(rows)) == [
        "203.0.112\tREJECT 5.7.1 x",
        "203.0.113\tOK",
        "203.0.114\tOK",
        "203.0.114.9\tREJECT",
        "203.0.115\tOK",
    ]


def test_domains_have_two_lines_and_hosts_one() -> None:
    """So that the table holds whichever way parent domains are matched."""
    assert lines([row(".spam.example"), row("spam.example", Action.ALLOW), row("a.example")]) == [
        "a.example\tREJECT",
        ".spam.example\tREJECT",
        "spam.example\tOK",
    ]
    assert lines([row(".top")]) == ["top\tREJECT", ".top\tREJECT"]


def test_ipv6_without_an_exact_pattern_is_left_out() -> None:
    """And so is a block around an exception that cannot be written; allowing needs no such care."""
    left_out = "# left out: {} (IPv6 that only a CIDR table can hold)"
    assert lines([row("2001:db8::1"), row("2001:db8::/32")]) == [
        "2001:db8\tREJECT",
        left_out.format("1 listing"),
    ]
    assert lines([row("2001:db8::1", Action.ALLOW), row("2001:db8::/32"), row("2001::/16")]) == [
        left_out.format("3 listings"),
    ]
    rows = [
        row("2001:db8::/32"),
        row("2001:db8:1::/48", Action.ALLOW),
        row("2001:db8:1:1::/64"),
        row("2001:db8:1:1::1", Action.ALLOW),
    ]
    assert lines(rows) == [
        "2001:db8:1\tOK",
        "2001:db8\tREJECT",
        left_out.format("2 listings"),
    ]


def agrees(
    rows: list[ExportRow], source: Random, *, parents: bool, judge: Callable[[Word, Word], bool]
) -> list[Word]:
    """Hold a written table against the domain; the verdicts met."""
    table = "".join(write_access(rows, WriteOptions(now=NOW)))
    targets = [each.listing.target for each in rows]
    hosts = [each for each in targets if isinstance(each, NameTarget) and not each.whole]
    subjects = [
        subject
        for subject in subjects_near(source, targets)
        # With parents matched a host covers the names below it: the known difference.
        if not parents or not any(subject.text.endswith(f".{host.name}") for host in hosts)
    ]
    found = verdicts(table, subjects, parents=parents)
    for subject in subjects:
        assert judge(found[subject.text], word(rows, subject)), (subject.text, found[subject.text])
    return list(found.values())


def test_postfix_decides_by_our_tables_as_we_do() -> None:
    """Names and IPv4, random and nested, with parent domains matched and without."""
    source = Random(21)
    words = []
    for _ in range(18):
        some = random_rows(source, source.choice((3, 6, 15, 120)))
        rows = [each for each in some if ":" not in each.listing.target.text]
        for parents in (True, False):
            words += agrees(rows, source, parents=parents, judge=lambda got, due: got is due)
    assert min(words.count(each) for each in Word) > 100


def test_ipv6_is_never_rejected_unless_blocked() -> None:
    """What cannot be written is lost, never turned round."""
    source = Random(22)
    words = []
    for _ in range(20):
        some = random_rows(source, 60)
        rows = [each for each in some if ":" in each.listing.target.text]
        words += agrees(
            rows,
            source,
            parents=True,
            judge=lambda got, due: got is not Word.BLOCK or due is Word.BLOCK,
        )
    assert words.count(Word.BLOCK) > 20


@given(st.lists(export_rows(st.one_of(networks_4, names)), max_size=12), st.randoms())
def test_what_is_written_is_read_again(rows: list[ExportRow], source: Random) -> None:
    """Read as a person's listings, every IPv4 address has its verdict, and so has every domain."""
    text = "".join(write_access(rows, WriteOptions(now=NOW)))
    again = as_person(only_entries(read_access([text.encode()], OPTIONS)))
    targets = [each.listing.target for each in rows]
    plain = not any(isinstance(target, NameTarget) and not target.whole for target in targets)
    for subject in subjects_near(source, targets):
        # A host comes back as a domain, which Postfix makes of it.
        if plain or isinstance(subject, AddressSubject):
            assert word(again, subject) == word(rows, subject), text


def test_tables_are_read_as_postfix_reads_them() -> None:
    """Random lines, with repeated patterns: blocked here if and only if Postfix rejects."""
    source = Random(23)
    blocked = 0
    for _ in range(10):
        keys: dict[str, str] = {}
        for _ in range(40):
            network = network_4(source.getrandbits(12), 32)
            octets = ".".join(network.text.split(".")[: source.randint(2, 4)])
            labels = [source.choice("ab") for _ in range(source.randrange(3))]
            name = name_target(labels, source.choice(("spam.example", "top")), True).name
            keys.setdefault(
                source.choice((octets, name)),
                source.choice(("OK", "DUNNO", "REJECT", "550 5.7.1 y", "reject\n  z")),
            )
        table = "".join(f"{key} {end}\n" for key, end in keys.items())
        rows = as_person(only_entries(read_access([table.encode()], OPTIONS)))
        subjects = subjects_near(source, (each.listing.target for each in rows))
        for text, found in verdicts(table, subjects, parents=True).items():
            due = word(rows, next(each for each in subjects if each.text == text))
            # DUNNO allows here; either way the client is not rejected.
            assert (found is Word.BLOCK) is (due is Word.BLOCK), text
            blocked += found is Word.BLOCK
    assert blocked > 100
