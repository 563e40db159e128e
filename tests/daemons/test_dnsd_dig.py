"""BIND's dig against dnsd: every command of RFC 8906 section 8, with the results it should have.

The RFC tells what to ask of a server and what a correct one answers: what is in each section, which
flags are set and which are not, whether there is an OPT record and what it says.  A flag or option
of the query that the server does not know must not come back.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemons.dnsd_kit import BASE, BL, Database, Served, serving

DIG = shutil.which("dig") or "dig"
LONG = f"7.113.0.203.{BL}"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One blocked address, with a text that UDP of 512 bytes cannot carry."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        database.block("203.0.113.7", reason="Sent spam. " * 60)
        with serving(database) as served:
            yield served


@dataclass(frozen=True, slots=True)
class Seen:
    """What dig shows of a response.

    Attributes:
        status: the return code's name.
        opcode: likewise.
        flags: those of the header.
        counts: records of answer, authority and additional section.
        edns: version, flags and what else dig says of the OPT record; None without one.
        answer: the types of the records in the answer section.
        text: all of it.
    """

    status: str
    opcode: str
    flags: set[str]
    counts: tuple[int, int, int]
    edns: tuple[str, set[str], str] | None
    answer: list[str]
    text: str


def dig(served: Served, *arguments: str) -> Seen:
    """Ask with dig, once; silence and warnings are errors."""
    command = [DIG, "@127.0.0.1", "-p", str(served.port), "+time=5", "+tries=1", *arguments]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # RFC 8906 has it so: the queries that want recursion get none, and dig remarks on it.
    warnings = text.replace("WARNING: recursion requested but not available", "")
    assert "WARNING" not in warnings, text
    assert "MBZ" not in text, text
    head = re.search(r"opcode: (\S+), status: (\S+),", text)
    flags = re.search(
        r"^;; flags: ([^;]*);.*ANSWER: (\d+), AUTHORITY: (\d+), ADDI.*: (\d+)", text, re.M
    )
    assert head is not None, text
    assert flags is not None, text
    opt = re.search(r"^; EDNS: version: (\d+), flags:([^;]*); udp: \d+\n((?:; .*\n)*)", text, re.M)
    answer = re.search(r"^;; ANSWER SECTION:\n((?:[^;\n].*\n)*)", text, re.M)
    lines = answer[1].splitlines() if answer else []
    return Seen(
        head[2],
        head[1],
        set(flags[1].split()),
        (int(flags[2]), int(flags[3]), int(flags[4])),
        None if opt is None else (opt[1], set(opt[2].split()), opt[3]),
        [line.split()[3] for line in lines],
        text,
    )


PLAIN = ("+noedns", "+noad", "+norec")
EDNS = ("+nocookie", "+edns=0", "+noad", "+norec")
NEXT = ("+nocookie", "+edns=1", "+noednsneg", "+noad", "+norec")

BASIC = {
    "8.1.1 configured": ((*PLAIN,), {"qr", "aa"}),
    "8.1.3.1 CD": ((*PLAIN, "+cd"), {"qr", "aa"}),
    "8.1.3.2 AD": (("+noedns", "+norec", "+ad"), {"qr", "aa"}),
    "8.1.3.3 reserved bit": ((*PLAIN, "+zflag"), {"qr", "aa"}),
    "8.1.3.4 RD": (("+noedns", "+noad", "+rec"), {"qr", "aa", "rd"}),
    "8.1.5 TCP": ((*PLAIN, "+tcp"), {"qr", "aa"}),
}


@pytest.mark.parametrize("zone", [BASE, BL])
@pytest.mark.parametrize("section", BASIC)
def test_basic(served: Served, section: str, zone: str) -> None:
    """The zone's SOA, with AA and what else belongs to it, and without OPT."""
    arguments, flags = BASIC[section]
    seen = dig(served, *arguments, "soa", zone)
    assert (seen.status, seen.answer, seen.flags) == ("NOERROR", ["SOA"], flags)
    assert seen.edns is None


def test_unknown_types(served: Served) -> None:
    """8.1.2: they have no records, and are no error."""
    seen = dig(served, *PLAIN, "type1000", BL)
    assert (seen.status, seen.answer, seen.flags) == ("NOERROR", [], {"qr", "aa"})
    assert seen.edns is None


@pytest.mark.parametrize("extra", [("+header-only",), (BL, "soa")])
def test_unknown_opcodes(served: Served, extra: tuple[str, ...]) -> None:
    """8.1.4: NOTIMP and nothing else, with or without a question."""
    seen = dig(served, *PLAIN, "+opcode=15", *extra)
    assert (seen.status, seen.opcode, seen.flags) == ("NOTIMP", "RESERVED15", {"qr"})
    assert (seen.counts, seen.edns) == ((0, 0, 0), None)


EXTENDED = {
    "8.2.1 minimal": (),
    "8.2.3 unknown option": ("+ednsopt=100",),
    "8.2.4 unknown flag": ("+ednsflags=0x40",),
    "8.2.8 DNSSEC": ("+dnssec",),
}


@pytest.mark.parametrize("tcp", ["+notcp", "+tcp"])
@pytest.mark.parametrize("section", EXTENDED)
def test_extended(served: Served, section: str, tcp: str) -> None:
    """The SOA, and an OPT record of version 0 with no more than DO in it."""
    seen = dig(served, *EDNS, *EXTENDED[section], tcp, "soa", BL)
    assert (seen.status, seen.answer, seen.flags) == ("NOERROR", ["SOA"], {"qr", "aa"})
    assert seen.edns == ("0", {"do"} if "+dnssec" in EXTENDED[section] else set(), "")


NEGOTIATION = {
    "8.2.2 version": (),
    "8.2.5 with an unknown flag": ("+ednsflags=0x40",),
    "8.2.6 with an unknown option": ("+ednsopt=100",),
    "8.2.9 with DO": ("+dnssec",),
}


@pytest.mark.parametrize("section", NEGOTIATION)
def test_negotiation(served: Served, section: str) -> None:
    """A version to come is answered with BADVERS, ours, and no record."""
    seen = dig(served, *NEXT, *NEGOTIATION[section], "soa", BL)
    assert (seen.status, seen.answer, seen.flags) == ("BADVERS", [], {"qr"})
    assert seen.edns == ("0", {"do"} if "+dnssec" in NEGOTIATION[section] else set(), "")


def test_truncation(served: Served) -> None:
    """8.2.7: what is too long comes with TC, and still with its OPT record."""
    seen = dig(served, "+norec", "+nocookie", "+dnssec", "+bufsize=512", "+ignore", "txt", LONG)
    assert seen.status == "NOERROR"
    assert "tc" in seen.flags
    assert seen.edns == ("0", {"do"}, "")
    # And dig comes back over TCP, when it is let.
    assert dig(served, "+bufsize=512", "txt", LONG).answer == ["TXT"]


def test_several_options_at_once(served: Served) -> None:
    """8.2.10: each is known or passed over; of these we have cookies."""
    options = ("+cookie", "+nsid", "+expire", "+subnet=0.0.0.0/0")
    seen = dig(served, "+edns=0", "+noad", "+norec", *options, "soa", BL)
    assert (seen.status, seen.answer, seen.flags) == ("NOERROR", ["SOA"], {"qr", "aa"})
    assert seen.edns is not None
    assert seen.edns[:2] == ("0", set())
    assert re.fullmatch(r"; COOKIE: [0-9a-f]{48} \(good\)\n", seen.edns[2])


@pytest.mark.parametrize("tcp", ["+notcp", "+tcp"])
@pytest.mark.parametrize("name", [BASE, BL, LONG])
def test_any_is_one_record_set(served: Served, name: str, tcp: str) -> None:
    """RFC 8482: enough to be an answer, too little to be of use to an attacker."""
    seen = dig(served, "+norec", tcp, "any", name)
    assert (seen.status, len(set(seen.answer)), seen.counts[0]) == ("NOERROR", 1, 1)


def test_what_is_not_ours_is_refused(served: Served) -> None:
    """Other names and classes, and transfers."""
    for question in (("mail.example", "a"), ("-c", "CH", "version.bind", "txt"), (".", "ns")):
        seen = dig(served, "+norec", *question)
        assert (seen.status, seen.flags, seen.counts[:2]) == ("REFUSED", {"qr"}, (0, 0))
    command = [DIG, "@127.0.0.1", "-p", str(served.port), "+tcp", BL, "AXFR"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Transfer failed" in done.stdout


def test_a_cookie_is_learnt_and_shown_again(served: Served) -> None:
    """RFC 7873: what dig was given it may show, and gets it back; a false one is replaced."""
    pattern = re.compile(r"; COOKIE: ([0-9a-f]{48}) \(good\)")
    first = pattern.search(dig(served, "+norec", "+cookie=0011223344556677", "a", LONG).text)
    assert first is not None
    for given in (first[1], "0011223344556677" + "0" * 32):
        again = pattern.search(dig(served, "+norec", f"+cookie={given}", "a", LONG).text)
        assert again is not None
        assert (again[1] == given) == (given == first[1])
    # One of no size that there is (RFC 7873 section 5.2.2).
    assert dig(served, "+norec", "+ednsopt=10:00112233", "+nocookie", "a", LONG).status == (
        "FORMERR"
    )


def test_letters_come_back_as_they_were_written(served: Served) -> None:
    """Resolvers put entropy into upper and lower case."""
    name = LONG.replace("bl.rbl", "bL.RbL").replace("example", "eXamPLE")
    seen = dig(served, "+norec", "a", name)
    assert seen.answer == ["A"]
    assert f";{name}." in seen.text
