"""The real rbldnsd: it answers our files as MailMum would, and we read what it reads."""

import re
from random import Random

import pytest

from mailmum.domain.clients import AddressSubject, NameSubject, Subject, parse_subject
from mailmum.domain.codes import code_text
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.domain.verdicts import Word, decide, gather
from mailmum.formats.entries import ReadOptions
from mailmum.formats.rbldnsd import read_rbldnsd
from mailmum.formats.rbldnsd_write import write_rbldnsd
from mailmum.formats.rows import ExportRow, WriteOptions, answer_code
from tests.formats.oracles import Answers, rbldnsd
from tests.formats.strategies import (
    ACCOUNT,
    NOW,
    SERVER,
    as_person,
    network_4,
    network_6,
    only_entries,
    random_rows,
    sorted_out,
    subjects_near,
    word,
)

WORDS = {Action.BLOCK: Word.BLOCK, Action.ALLOW: Word.ALLOW}
KINDS = ("rbldnsd", "ip4set", "ip4trie", "ip6trie", "dnset")


def zone_of(kind: str, base: str, action: Action, subject: Subject) -> str | None:
    """The zone to ask about a client in a file of the kind, None when it cannot hold it."""
    is_name = isinstance(subject, NameSubject)
    if kind == "rbldnsd":
        lists = ("bl", "dbl") if action is Action.BLOCK else ("wl", "dwl")
        return f"{lists[is_name]}.{base}"
    version = 0 if isinstance(subject, NameSubject) else subject.version
    return base if {"dnset": 0, "ip6trie": 6}.get(kind, 4) == version else None


def test_rbldnsd_answers_our_files_as_we_would() -> None:
    """Thousands of clients near boundaries, in nested listings of all sources and both scopes."""
    source = Random(20250614)
    scenarios = [random_rows(source, source.choice((3, 10, 40, 120))) for _ in range(12)]
    zones = {}
    for number, rows in enumerate(scenarios):
        for kind in KINDS:
            for action in Action:
                text = "".join(write_rbldnsd(rows, WriteOptions(action, NOW), kind))
                served = "combined" if kind == "rbldnsd" else kind
                zones[f"{action}.{kind}.s{number}.example"] = (served, text)
    asked = listed = 0
    with rbldnsd(zones) as answers:
        assert "file data" not in answers.child.output, answers.child.output
        for number, rows in enumerate(scenarios):
            subjects = subjects_near(source, (row.listing.target for row in rows))
            for subject in source.sample(subjects, min(len(subjects), 90)):
                for kind in KINDS:
                    for action in Action:
                        base = f"{action}.{kind}.s{number}.example"
                        zone = zone_of(kind, base, action, subject)
                        if zone is None:
                            continue
                        expected = word(rows, subject) is WORDS[action]
                        assert answers.lists(subject, zone) is expected, (subject.text, zone)
                        asked += 1
                        listed += expected
    # The test would mean little if nearly all clients were listed or none.
    assert asked > 2000
    assert 0.15 < listed / asked < 0.85


def test_rbldnsd_answers_our_codes_and_texts() -> None:
    """The A record that MailMum answers, and the reason unchanged, dollar signs and all."""
    source = Random(7)
    rows = random_rows(source, 80)
    text = "".join(write_rbldnsd(rows, WriteOptions(now=NOW)))
    with rbldnsd({"x.example": ("combined", text)}) as answers:
        compared = 0
        for subject in subjects_near(source, (row.listing.target for row in rows)):
            covering = gather((row.listing for row in rows), subject, ACCOUNT, SERVER, NOW)
            because = decide(covering).because
            if because is None or because.action is Action.ALLOW:
                continue
            zone = zone_of("rbldnsd", "x.example", Action.BLOCK, subject)
            assert zone is not None
            codes, texts = answers.ask(subject, zone)
            assert codes == [code_text(answer_code(because, None))]
            assert texts == [because.reason] * bool(because.reason)
            compared += 1
    assert compared > 100


def test_test_entries_answer_and_loopback_does_not() -> None:
    """RFC 5782 section 5, even below a listing of all addresses."""
    rows = random_rows(Random(1), 5) + everything()
    text = "".join(write_rbldnsd(rows, WriteOptions(now=NOW)))
    with rbldnsd({"x.example": ("combined", text)}) as answers:
        for client in ("127.0.0.2", "::ffff:7f00:2"):
            assert answers.ask(parse_subject(client), "bl.x.example")[0] == ["127.0.0.2"]
        assert answers.lists(AddressSubject(6, 0xFFFF_7F00_0002), "bl.x.example")
        assert answers.lists(NameSubject("test"), "dbl.x.example")
        for subject in (
            parse_subject("127.0.0.1"),
            parse_subject("::1"),
            AddressSubject(6, 0xFFFF_7F00_0001),
        ):
            assert not answers.lists(subject, "bl.x.example")
        assert not answers.lists(NameSubject("invalid"), "dbl.x.example")
        assert answers.lists(parse_subject("192.0.2.1"), "bl.x.example")


def everything() -> list[ExportRow]:
    """All of IPv4 and IPv6, blocked by a person."""
    return [
        ExportRow(Listing(900 + version, ACCOUNT, 0, Action.BLOCK, NetworkTarget(version, 0, 0)))
        for version in (4, 6)
    ]


FILES = {
    "ip4trie": """\
        $1 http://x.example
        :127.0.0.5:listed $ $1
        203.0.113.0/24
        !203.0.113.64/26
        203.0.113.65 :9:exactly $$ $1$2
        203.0.112 text; not a comment
        203.0.114.1;comment
        203.0.114.2 ;comment
        203.0.114.3:7
        203.0.114.4 :8:
        203.0.114.5 =x
        010.0.0.1
        203.0.114/33
        203.0.115.1/24
        203
        203.0.116.0-203.0.116.9
        nonsense
        203.0.117.0/24 :127.0.0.300:x
        203.0.117.0/24 :127.0.0.2y
        203.0.117.0/24 :0:x
        203.0.117.0/24 :zz:x
    """,
    "ip4set": """\
        203.0.112.0-203.0.113.255 :2:pair
        203.0.114.6-9
        203.0-1 :3
        203.16-203.16 :4:x
        203.17.2-203.17.9
        203.18.0.0-203.18
        203.19.9.9-203.19.9.8
        203.20.0.0/16
        !203.21.0.7
    """,
    "ip6trie": """\
        $= base $= of $
        :127.0.0.5:six
        2001:db8::/32
        !2001:db8:0:1::/64
        2001:db8:0:1::bead :9:=bare
        2001:db9:1
        2001:dba:0:0:0:0:0:1 # comment
        2001:dbb:/32
        2001:dbc::1/64
        2000
        2003/16
        2004:db8::/32:7:glued
    """,
    "dnset": """\
        :127.0.1.2:name $
        spam.example
        .ham.example
        !good.ham.example
        *.only.example
        Mixed.Case.Example :3
        .top :4:$$
        !.deep.top
        a.deep.top
        .
        *.
    """,
}


@pytest.mark.parametrize("kind", FILES)
def test_we_read_what_rbldnsd_reads(kind: str) -> None:
    """Files with all kinds of notation, also wrong ones: same verdicts, codes and texts."""
    text = "\n".join(line.strip() for line in FILES[kind].splitlines()) + "\n"
    entries, _, _ = sorted_out(read_rbldnsd([text.encode()], ReadOptions(), kind))
    rows = as_person(entries)
    source = Random(3)
    targets = [row.listing.target for row in rows]
    # In rbldnsd it covers only what is below, here the domain too: the known difference.
    known = {NameSubject("only.example")}
    compared = 0
    with rbldnsd({"x.example": (kind, text)}) as answers:
        for subject in subjects_near(source, targets):
            if subject in known:
                continue
            codes, texts = answers.ask(subject, "x.example")
            covering = gather((row.listing for row in rows), subject, ACCOUNT, SERVER, NOW)
            because = decide(covering).because
            blocks = because is not None and because.action is Action.BLOCK
            assert bool(codes) is blocks, subject.text
            if because is not None and blocks:
                assert codes == [code_text(because.code or 0x7F000002)], subject.text
                single = because.target.text.lstrip(".") == subject.text
                # In the text of a network each client of rbldnsd stands for itself.
                if single or isinstance(because.target, NameTarget):
                    assert texts == [because.reason] * bool(because.reason), subject.text
                compared += 1
    assert compared >= 10


def test_we_refuse_the_lines_that_rbldnsd_refuses() -> None:
    """Bad lines are the lines that rbldnsd complains about, and no others."""
    # Each line is a file of its own: of one file rbldnsd complains only five times.
    files = [(kind, line.strip()) for kind, text in FILES.items() for line in text.splitlines()]
    zones = {f"l{n}.example": (kind, f"{line}\n") for n, (kind, line) in enumerate(files)}
    with rbldnsd(zones) as answers:
        output = answers.child.output
    refused = {int(number) for number in re.findall(r"file data([0-9]+)\(1\): ", output)}
    assert len(refused) >= 12
    for number, (kind, line) in enumerate(files):
        _, bad, _ = sorted_out(read_rbldnsd([line.encode()], ReadOptions(), kind))
        assert bool(bad) is (number in refused), (kind, line, bad)


def test_random_tries_are_read_as_rbldnsd_reads_them() -> None:
    """Nested networks and exceptions in random order, IPv4 and IPv6."""
    source = Random(99)
    zones, read = {}, {}
    for number in range(10):
        lines = {}
        for _ in range(40):
            network = source.choice((network_4, network_6))
            prefix = source.randint(20, 32) if network is network_4 else source.randint(30, 128)
            target = network(source.getrandbits(12), prefix)
            lines[target] = f"{source.choice(('', '', '!'))}{target.text}\n"
        for version, kind in ((4, "ip4trie"), (6, "ip6trie")):
            text = "".join(line for target, line in lines.items() if target.version == version)
            zones[f"{kind}.s{number}.example"] = (kind, text)
            read[f"{kind}.s{number}.example"] = as_person(
                only_entries(read_rbldnsd([text.encode()], ReadOptions(), kind))
            )
    with rbldnsd(zones) as answers:
        for zone, rows in read.items():
            for subject in subjects_near(source, (row.listing.target for row in rows)):
                assert answers.lists(subject, zone) is (word(rows, subject) is Word.BLOCK)


def test_the_oracle_can_tell() -> None:
    """A wrong file is noticed: the comparison is not empty."""
    with rbldnsd({"x.example": ("ip4trie", "203.0.113.7\nrubbish\n")}) as answers:
        assert isinstance(answers, Answers)
        assert "invalid address" in answers.child.output
        assert answers.lists(parse_subject("203.0.113.7"), "x.example")
        assert not answers.lists(parse_subject("203.0.113.8"), "x.example")
